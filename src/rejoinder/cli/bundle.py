"""`bundle`: models to give away, from a file of posts, by a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rejoinder.cli.options import Json
from rejoinder.cli.output import print_json, progress, size


def bundle(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="Posts, in any form that import reads; of a recipe with [[read]], the folder of its files."
        ),
    ],
    config: Annotated[
        Path, typer.Option(metavar="FILE", help="The recipe: [tokenizer], a table for each rung, and [[read]] for each file.")
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where to put the models; what is there already is not made again.")],
    name: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="What the card calls the data; the file's name, if none.", show_default=False),
    ] = None,
    licence: Annotated[str, typer.Option(metavar="TEXT", help="The licence the card states.")] = "",
    seed: Annotated[int, typer.Option(min=0, help="Seed of what is random.")] = 0,
    cell: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A checkpoint of a run that trained the recipe's cell elsewhere; it is trained here, if none.",
            show_default=False,
        ),
    ] = None,
    gates: Annotated[
        bool, typer.Option("--gates", help="Only fit anew when the models that are there may speak up while somebody types.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make models to give away: cleaned text, nothing that one post alone holds among the counts, and a card.

    A file goes through an archive of its own, which is gone afterwards; its test part is only measured on.

    \b
    Example:
      rejoinder bundle archives --config configs/bundle.toml --out models
    """
    from rejoinder.config import read_settings
    from rejoinder.files import tree_size
    from rejoinder.models import LADDER
    from rejoinder.publish.bundling import BundleConfig
    from rejoinder.publish.bundling import bundle as make
    from rejoinder.publish.reading import READ, read_configs
    from rejoinder.publish.recipe import TOKENIZER

    recipe = read_settings(config, (), [TOKENIZER, *LADDER], [READ])
    chosen = BundleConfig(name or "", licence, seed, tuple(read_configs(config)), cell, gates)
    with progress() as report:
        card = make(file, recipe, out, chosen, report)
    if as_json:
        print_json({**card, "directory": str(out), "bytes": tree_size(out)})
        return
    for rung, made in card["rungs"].items():
        dev = made["bits_per_byte"]["dev"]
        figure = "not measured, since the dev part has no posts with words" if dev is None else f"{dev} bits per byte on dev"
        typer.echo(f"{rung}: {figure}, {size(made['bytes'])}, {made['seconds']:.1f} s")
    typer.echo(f"{size(tree_size(out))} in {out}")

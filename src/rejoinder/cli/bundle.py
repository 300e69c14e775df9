"""`bundle`: models to give away, from a file of posts, by a recipe."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated

import typer

from rejoinder.cli.options import Json
from rejoinder.cli.output import print_json, progress, size


def bundle(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Posts, in any form that import reads.")],
    config: Annotated[Path, typer.Option(metavar="FILE", help="The recipe: [tokenizer], and a table for each rung.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where to put the models; what is there already is not made again.")],
    name: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="What the card calls the data; the file's name, if none.", show_default=False),
    ] = None,
    licence: Annotated[str, typer.Option(metavar="TEXT", help="The licence the card states.")] = "",
    seed: Annotated[int, typer.Option(min=0, help="Seed of what is random.")] = 0,
    gates: Annotated[
        bool, typer.Option("--gates", help="Only fit anew when the models that are there may speak up while somebody types.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make models to give away: cleaned text, nothing that one post alone holds among the counts, and a card.

    The file goes through an archive of its own, which is gone afterwards; its test part is only measured on.

    \b
    Example:
      rejoinder bundle hn.jsonl.gz --config configs/bundle.toml --out models
    """
    import numpy as np

    from rejoinder.archive.authors import author_hasher
    from rejoinder.archive.reader import ArchiveCorpus, held_out
    from rejoinder.archive.sources.hackernews import SOURCE as HACKER_NEWS
    from rejoinder.archive.store import Archive
    from rejoinder.config import read_settings
    from rejoinder.errors import SourceError
    from rejoinder.files import tree_size
    from rejoinder.home.holders import held_in
    from rejoinder.home.workspace import CARD, Workspace
    from rejoinder.models import LADDER
    from rejoinder.models.directory import load_json
    from rejoinder.publish.recipe import TOKENIZER, About, Recipe, make, refit_gates
    from rejoinder.publish.workplace import workplace

    recipe = Recipe.from_settings(read_settings(config, (), [TOKENIZER, *LADDER]))
    if not file.is_file():
        raise SourceError(f"{file}: no such file")
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    with workplace(out.resolve()) as work, held_in(work) as scratch, progress() as report:
        archive_file = scratch / "archive.db"
        with Archive.open(archive_file, create=True) as archive:
            archive.add(HACKER_NEWS.read(file, author_hasher(scratch / "author.key")))
        with Archive.open(archive_file) as archive:
            about = About(name or file.name, digest, licence, tuple(held_out(archive)))
        with Archive.open(archive_file) as archive:
            corpus = ArchiveCorpus(archive, scratch / "tokens")
            if gates:
                refit_gates(Workspace(out, models=out), corpus, scratch, report)
            else:
                make(recipe, corpus, out, np.random.default_rng(seed), about, report)
    card = load_json(out / CARD)
    if as_json:
        print_json({**card, "directory": str(out), "bytes": tree_size(out)})
        return
    for rung, made in card["rungs"].items():
        dev = made["bits_per_byte"]["dev"]
        figure = "not measured, since the dev part has no posts with words" if dev is None else f"{dev} bits per byte on dev"
        typer.echo(f"{rung}: {figure}, {size(made['bytes'])}, {made['seconds']:.1f} s")
    typer.echo(f"{size(tree_size(out))} in {out}")

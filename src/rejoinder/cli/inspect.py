"""`inspect`: what goes on inside a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rejoinder.cli import inspect_words
from rejoinder.cli.help import with_example
from rejoinder.cli.options import Home, Json, workspace
from rejoinder.cli.output import note, print_json, table

if TYPE_CHECKING:
    from rejoinder.inspect.cell import CellTrace

_MOVED = 4  # cells named for each token

inspect_app = typer.Typer(
    help=with_example("Look inside a model.", 'inspect cell "the end of the line"'), no_args_is_help=True, rich_markup_mode=None
)
inspect_app.command("word")(inspect_words.word)
inspect_app.command("analogy")(inspect_words.analogy)
inspect_app.command("map")(inspect_words.draw_map)
inspect_app.command("vectors")(inspect_words.export)


@inspect_app.command("cell")
def cell(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What the cell reads, as the beginning of a post.")],
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Also draw heat maps: a .png or .svg (needs the extra `train`).", show_default=False),
    ] = None,
    cells: Annotated[int, typer.Option(min=1, help="How many of the liveliest cells are drawn.")] = 24,
    layer: Annotated[int, typer.Option(min=0, help="Which layer; 0 is the lowest.")] = 0,
    allow_stale: Annotated[bool, typer.Option("--allow-stale", help="Also if it may still know forgotten posts.")] = False,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Show what the gates, the memory and the output of the LSTM do at each token of a text.

    It is the LSTM that was fitted in the home, else the one in the package.

    \b
    Example:
      rejoinder inspect cell "The problem with microservices is"
      rejoinder inspect cell "The problem with microservices is" --out cell.png
    """
    from rejoinder.archive.html import clean
    from rejoinder.inspect.cell import CellTrace, draw, labels_of
    from rejoinder.models import PACKAGE
    from rejoinder.models.lstm.rung import LSTM

    space = workspace(home)
    model = space.load("lstm" if space.fitted("lstm") else PACKAGE + "lstm", allow_stale=allow_stale)
    assert isinstance(model, LSTM)  # noqa: S101 - for the type checker
    tokens = [model.tokenizer.post, *model.tokenizer.encode(clean(text))]
    seen = CellTrace.of(model.look(tokens), labels_of(model.tokenizer, tokens), layer)
    shown = seen.liveliest(cells).tolist()
    if out is not None:
        draw(seen, shown, out)
        note(f"wrote {out}")
    if as_json:
        print_json(seen.as_json(shown))
    else:
        _as_table(seen)


def _as_table(seen: CellTrace) -> None:
    """A line for each token: means over all cells, and the cells whose memory it moved most."""
    means = seen.means()
    rows = [
        [token, *(f"{row[place]:.2f}" for row in means.values()), _moved(seen, place)] for place, token in enumerate(seen.tokens)
    ]
    table(["token", *means, "cells it moved most"], rows)


def _moved(seen: CellTrace, place: int) -> str:
    return "  ".join(f"{cell} {change:+.2f}" for cell, change in seen.moved(place, _MOVED))

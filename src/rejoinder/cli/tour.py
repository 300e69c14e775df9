"""`tour`: from a tensor to the replier, in chapters that run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rejoinder.cli.options import Json
from rejoinder.cli.output import note, print_json, say

_SAID = {
    "new": "wrote {file}",
    "same": "{file} is there already, as the chapter is",
    "kept": "kept {file}, which was changed: it differs from the chapter; --fresh replaces it",
    "replaced": "replaced {file}",
}


def tour(
    chapter: Annotated[
        str | None, typer.Argument(metavar="CHAPTER", help="Its number or name; all are listed, if none.", show_default=False)
    ] = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder that the notebook is written into.")] = Path("tour"),
    no_open: Annotated[bool, typer.Option("--no-open", help="Only write it; do not open Jupyter.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Also replace a notebook that was changed.")] = False,
    as_json: Json = False,
) -> None:
    """Take the tour: from a tensor to the replier, in eight chapters that run.

    A chapter becomes a notebook, and is opened in Jupyter. Needs the extra `tour`; chapters 2, 4 and 6 `train` as well.

    \b
    Example:
      rejoinder tour
      rejoinder tour 4
      rejoinder tour words-to-vectors --out notebooks --no-open
    """
    from rejoinder.tour.chapters import chapters, find

    if chapter is None:
        known = chapters()
        if as_json:
            print_json([{"number": c.number, "name": c.name, "title": c.title, "line": c.line, "extra": c.extra} for c in known])
            return
        longest = max(len(c.title) for c in known)
        for c in known:
            say(f"{c.number}  {c.title:{longest}}  {c.line}", hang=longest + 5)
        typer.echo("\nRead one: rejoinder tour 1")
        return

    from rejoinder.extras import how_to_get
    from rejoinder.tour.notebooks import EXTRA, jupyter, show, write

    wanted = find(chapter)
    file, state = write(wanted, out, fresh=fresh)
    if as_json:
        print_json({"number": wanted.number, "name": wanted.name, "file": str(file), "state": state})
    else:
        typer.echo(_SAID[state].format(file=file))
    if no_open:
        return
    app = jupyter()
    if app is None:
        note(f"Jupyter is not installed, so it is not opened: {how_to_get(EXTRA)}")
        return
    raise typer.Exit(show(file, app))

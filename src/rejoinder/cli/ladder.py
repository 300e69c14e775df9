"""`ladder`: do I need a neural net? Every rung fitted and measured on the archive, and a verdict."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from rejoinder.cli.archive import or_sample, split_method
from rejoinder.cli.options import ConfigFile, Home, Json, Seed, Sets, Split, workspace
from rejoinder.cli.output import note, print_json, progress, table
from rejoinder.errors import UsageError

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "": 60.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h|)")


def ladder(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[RUNG]...", help="Which rungs; all, and those of the package, if none.", show_default=False),
    ] = None,
    budget: Annotated[
        str, typer.Option(metavar="TIME", help="How long it may take: 90s, 15m, 2h, or none for as long as it needs.")
    ] = "15m",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with what an interrupted climb had left of its budget.")
    ] = False,
    split: Split = "hash",
    settings: Sets = None,
    config: ConfigFile = None,
    seed: Seed = 0,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Also write ladder.json and ladder.html here.", show_default=False)
    ] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Do I need a neural net? Fit every rung, measure all on the same held-out threads, and say which to take.

    \b
    Example:
      rejoinder ladder
      rejoinder ladder --budget 2h
      rejoinder ladder markov kneser_ney bm25 --budget 90s
    """
    from rejoinder.climb.run import FOLDER, REPORT, ClimbConfig, climb
    from rejoinder.config import read_settings
    from rejoinder.files import write_atomically, write_json
    from rejoinder.ladder.page import page
    from rejoinder.ladder.table import plain
    from rejoinder.models import LADDER

    space = or_sample(workspace(home))
    chosen = ClimbConfig(tuple(names) if names else None, _seconds(budget), split_method(split), seed, resume)
    try:
        with progress() as show:
            report = climb(space, chosen, read_settings(config, settings or (), LADDER), show)
    except KeyboardInterrupt:
        note("interrupted; what is done is kept: the same command with --resume goes on")
        raise typer.Exit(130) from None
    where = space.home / FOLDER
    html = page(report).encode()
    for folder in dict.fromkeys([where, *([out] if out else [])]):
        write_atomically(folder / "ladder.html", html)
        if folder != where:
            write_json(folder / REPORT, report)
    if as_json:
        print_json(report)
        return
    columns, rows, lines = plain(report)
    table(columns, rows)
    for line in lines:
        typer.echo(line)
    typer.echo(f"\nThe whole report, with plots: {(out or where) / 'ladder.html'}")


def _seconds(text: str) -> float | None:
    """A time in words: 90s, 15m, 2h; minutes without a unit; None for none."""
    if text.strip().lower() in ("none", "off"):
        return None
    found = _DURATION.fullmatch(text.strip().lower())
    if found is None:
        raise UsageError(f"--budget takes a time such as 90s, 15m or 2h, or none; got {text!r}")
    return float(found.group(1)) * _UNITS[found.group(2)]

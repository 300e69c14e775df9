"""`ladder`: do I need a neural net? Every rung fitted and measured on the archive, and a verdict."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rejoinder.cli.archive import or_sample, split_method
from rejoinder.cli.options import ConfigFile, Home, Json, Seed, Sets, Split, workspace
from rejoinder.cli.output import keeping, progress, say, table, terminal_width
from rejoinder.errors import UsageError

if TYPE_CHECKING:
    from rejoinder.ladder.report import Report

_WIDE = 1_000  # columns for whoever reads the table through a pipe: all of it
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "": 60.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h|)")


def ladder(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="RUNG", help="Which rungs; all, and those of the package, if none.", show_default=False),
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
    from rejoinder.files import write_atomically
    from rejoinder.ladder.examples import EXAMPLES
    from rejoinder.ladder.page import page
    from rejoinder.ladder.report import to_json
    from rejoinder.models import LADDER

    if out is not None and out.is_file():
        raise UsageError(f"--out {out} is a file; it takes a folder")
    space = or_sample(workspace(home))
    chosen = ClimbConfig(tuple(names) if names else None, _seconds(budget), split_method(split), seed, resume)
    with keeping("what is done is kept: the same command with --resume goes on"), progress() as show:
        report = climb(space, chosen, read_settings(config, settings or (), LADDER), show)
    where = space.home / FOLDER
    made = {"ladder.html": page(report).encode(), REPORT: to_json(report)}
    for folder in dict.fromkeys((where, out or where)):
        for name, data in made.items():
            write_atomically(folder / name, data)
    if as_json:
        typer.echo(made[REPORT].decode(), nl=False)
    else:
        _show(report, (out or where) / "ladder.html", where / EXAMPLES)
    if not report.measured:
        raise typer.Exit(2)


def _show(report: Report, html: Path, examples: Path) -> None:
    """The table, the verdict in lines, and where the rest is."""
    from rejoinder.ladder.table import plain

    columns, rows, lines = plain(report, terminal_width() or _WIDE)
    table(columns, rows)
    lines += ["", f"The whole report, with plots: {html}"]
    if examples.is_file():
        lines.append(f"Posts where the two best rungs differ most, with what each said: {examples}")
    for line in lines:
        say(line)


def _seconds(text: str) -> float | None:
    """A time in words: 90s, 15m, 2h; minutes without a unit; None for none."""
    if text.strip().lower() in ("none", "off"):
        return None
    found = _DURATION.fullmatch(text.strip().lower())
    if found is None:
        raise UsageError(f"--budget takes a time such as 90s, 15m or 2h, or none; got {text!r}")
    return float(found.group(1)) * _UNITS[found.group(2)]

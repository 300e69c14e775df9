"""Printing: JSON for programs, text and tables for people as wide as their terminal, progress on stderr."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import Any, Protocol, TextIO

import typer

from rejoinder.cli.layout import layout, visible, wrap
from rejoinder.errors import Stopped

READABLE = 96  # columns of running text where there is no terminal whose width could be asked
_EVERY = 5.0  # seconds between two lines of progress where stderr is no terminal
_quiet = False


class ProgressCallback(Protocol):
    """A progress callback: what is being done, how much is done, of how much."""

    def __call__(self, what: str, done: int, total: int | None) -> None:
        """Show that of `what` so much is `done`, of `total` if that is known."""


def be_quiet(wanted: bool) -> None:
    """Show progress no more, or again."""
    global _quiet
    _quiet = wanted


def print_json(value: Any) -> None:
    """One JSON value on stdout."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def say(text: str, *, hang: int = 0) -> None:
    """Lines on stdout, `visible` and wrapped to the terminal; what goes on is `hang` columns further in than its line begins."""
    for line in text.split("\n"):
        typer.echo("\n".join(wrap(visible(line), terminal_width(), hang=hang)))


def note(text: str) -> None:
    """A line beside the result, on stderr."""
    typer.echo("\n".join(wrap(visible(text), terminal_width(sys.stderr))), err=True)


def facts(lines: dict[str, str]) -> None:
    """Names with what is to be said of each, one below the other, on stdout."""
    longest = max(map(len, lines))
    for name, value in lines.items():
        say(f"{name:{longest}} {value}", hang=longest + 1)


def size(count: int) -> str:
    """Bytes for people."""
    value = float(count)
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"


# --- tables ----------------------------------------------------------------------------------------------------------


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table on stdout; for a program that reads it, a row is a line."""
    head, *body = layout(columns, rows, terminal_width())
    typer.echo(typer.style(head, bold=True))
    for row in body:
        typer.echo(row)


def terminal_width(stream: TextIO | None = None) -> int | None:
    """How many columns the terminal behind a stream has, stdout if none is given; None if it is no terminal."""
    return shutil.get_terminal_size().columns if (stream or sys.stdout).isatty() else None


def text_width() -> int:
    """Columns for running text on stdout."""
    return terminal_width() or READABLE


# --- progress --------------------------------------------------------------------------------------------------------


class Pace:
    """What is to be said of work in progress: how much is done, of how much, and how long the rest will take at this pace."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        """Begin when something is first said."""
        self._clock, self._first, self._began = clock, 0, 0.0
        self._total: int | None = -1

    def __call__(self, done: int, total: int | None) -> str:
        """`done` of `total` in words: "1,200 of 30,000, 4 min left"."""
        now = self._clock()
        if total != self._total or done < self._first:  # other work; its name may change as it goes on
            self._total, self._first, self._began = total, done, now
        if total is None:
            return f"{done:,}" if done else ""
        gained, spent = done - self._first, now - self._began
        left = f", {roughly(spent * (total - done) / gained)} left" if gained and spent > 1 and done < total else ""
        return f"{done:,} of {total:,}{left}"


def roughly(seconds: float) -> str:
    """A time to wait, as exactly as it can be told."""
    if seconds < 90:
        return f"{max(5 * round(seconds / 5), 5)} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


@contextmanager
def progress() -> Iterator[ProgressCallback]:
    """Progress on stderr: a bar while that is a terminal, else a line every few seconds, and none for those who are quiet."""
    if _quiet:
        yield lambda what, done, total: None
    elif sys.stderr.isatty():
        with _bar() as shown:
            yield shown
    else:
        yield lines_of_progress(note)


def lines_of_progress(write: Callable[[str], None], clock: Callable[[], float] = monotonic) -> ProgressCallback:
    """A line every few seconds, the first after as long: short work says nothing."""
    pace, last = Pace(clock), clock()

    def report(what: str, done: int, total: int | None) -> None:
        nonlocal last
        said, now = pace(done, total), clock()
        if now - last >= _EVERY:
            last = now
            write(f"{what}: {said}" if said else what)

    return report


@contextmanager
def _bar() -> Iterator[ProgressCallback]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    pace = Pace()
    what, much = (TextColumn(f"{{task.{name}}}", markup=False) for name in ("description", "fields[said]"))
    columns = (SpinnerColumn(), what, BarColumn(24), much, TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None, said="")

        def report(what: str, done: int, total: int | None) -> None:
            bar.update(task, description=visible(what), completed=done, total=total, said=pace(done, total))

        yield report


@contextmanager
def keeping(what: str) -> Iterator[None]:
    """Work that Ctrl-C may stop: `what` says what is kept, and how to go on.

    Raises:
        Stopped: it was.
    """
    try:
        yield
    except KeyboardInterrupt:
        raise Stopped(f"stopped; {what}") from None

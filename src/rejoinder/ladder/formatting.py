"""Figures of a ladder report as people read them, and how a figure is found in it.

A report is JSON that may lack any figure: what is missing, null or not finite is `None` here, and `MISSING` where it is shown.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rejoinder.errors import UsageError

VERSION = 1  # of the report this reads
MISSING = "–"
KINDS = ("typing", "replies")
ANSWERS = {True: "Yes", False: "No", None: "Cannot tell"}

_ZEROS = re.compile(r"(?<=\d)\.0+(?!\d)|(?<=\.\d)0+(?!\d)|(?<=\.\d\d)0+(?!\d)")

Report = Mapping[str, Any]
Show = Callable[[float], str]
Path = Sequence[str | int]


def check(report: Report) -> None:
    """Refuse a report of another shape.

    Raises:
        UsageError: its version is not the one that is read here.
    """
    if report.get("version") != VERSION:
        raise UsageError(
            f"the ladder report is of version {report.get('version')!r}, not {VERSION}; run `rejoinder ladder` again"
        )


def clean(text: object) -> str:
    """Foreign text on one line, without what a terminal would obey."""
    return " ".join("".join(c if c.isprintable() else " " if c.isspace() else "\ufffd" for c in str(text or "")).split())


def find(tree: Any, path: Path) -> Any:
    """What stands at the end of `path`, or None."""
    for step in path:
        if isinstance(step, int):
            tree = tree[step] if isinstance(tree, Sequence) and step < len(tree) else None
        else:
            tree = tree.get(step) if isinstance(tree, Mapping) else None
    return tree


def number(tree: Any, path: Path = ()) -> float | None:
    """The figure at the end of `path`, with or without an interval."""
    found = find(tree, path)
    found = found.get("value") if isinstance(found, Mapping) else found
    if isinstance(found, bool) or not isinstance(found, int | float) or not math.isfinite(found):
        return None
    return float(found)


def interval(tree: Any, path: Path = ()) -> tuple[float, float] | None:
    """The ends of the interval of the figure at the end of `path`."""
    low, high = number(tree, [*path, "low"]), number(tree, [*path, "high"])
    return None if low is None or high is None else (low, high)


def rungs_of(report: Report, kind: str) -> list[Mapping[str, Any]]:
    """The rungs of one kind, as they stand in the report: from the cheapest up."""
    return [rung for rung in report.get("rungs") or () if kind in (rung.get("kind") or ())]


def bits(value: float) -> str:
    """Bits per byte, or a share such as recall: three digits."""
    return f"{value:.3f}"


def percent(value: float) -> str:
    """A share of 1, in percent."""
    return f"{100 * value:.2f}%" if 0 < abs(value) < 0.01 else f"{100 * value:.1f}%"


def signed_percent(value: float) -> str:
    """A change as a share of 1, in percent, with its sign."""
    return f"{100 * value:+.1f}%".replace("-", "\u2212")


def signed(value: float) -> str:
    """A change, with its sign."""
    return f"{value:+.3f}".replace("-", "\u2212")


def rounded(value: float) -> str:
    """A number of no unit: three digits, thousands apart."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def trimmed(show: Show) -> Show:
    """The same without zeros that say nothing, as on an axis: "2.5" for "2.500", "10 s" for "10.0 s"."""
    return lambda value: "0" if not value else _ZEROS.sub("", show(value))


def milliseconds(value: float) -> str:
    """A latency."""
    return f"{value:.2g} ms" if value < 10 else f"{value:.0f} ms" if value < 1000 else seconds(value / 1000)


def seconds(value: float) -> str:
    """A time, by the unit people would use."""
    if value < 1:
        return f"{value:.2f} s" if value >= 0.01 or not value else f"{1000 * value:.2g} ms"
    if value < 90 and value != 60:
        return f"{value:.1f} s" if value < 10 else f"{value:.0f} s"
    if value < 5400:
        return f"{value / 60:.1f} min" if value < 600 else f"{value / 60:.0f} min"
    return f"{value / 3600:.1f} h"


def size(value: float) -> str:
    """Bytes for people."""
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"


def between(ends: tuple[float, float] | None, show: Show) -> str:
    """An interval in words; empty where there is none."""
    return f"{show(ends[0])} to {show(ends[1])}" if ends else ""


def with_interval(tree: Any, path: Path, show: Show) -> str:
    """A figure in words: value (low to high)."""
    value = number(tree, path)
    if value is None:
        return MISSING
    ends = between(interval(tree, path), show)
    return f"{show(value)} ({ends})" if ends else show(value)


def with_margin(tree: Any, path: Path, show: Show) -> str:
    """A figure for a narrow place: value ± the longer half of its interval."""
    value, ends = number(tree, path), interval(tree, path)
    if value is None:
        return MISSING
    return f"{show(value)} ±{show(max(value - ends[0], ends[1] - value, 0.0))}" if ends else show(value)

"""Figures of a ladder report as people read them."""

from __future__ import annotations

import re
from collections.abc import Callable

from rejoinder.ladder.metrics import Estimate

MISSING = "–"
ANSWERS = {True: "Yes", False: "No"}

_ZEROS = re.compile(r"(?<=\d)\.0+(?!\d)|(?<=\.\d)0+(?!\d)|(?<=\.\d\d)0+(?!\d)")

Show = Callable[[float], str]


def clean(text: object) -> str:
    """Foreign text on one line, without what a terminal would obey."""
    return " ".join(
        "".join(c if c.isprintable() else " " if c.isspace() else "\ufffd" for c in ("" if text is None else str(text))).split()
    )


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
    """A change, with its sign; nothing has none."""
    return f"{value:+.3f}".replace("-", "\u2212") if abs(value) >= 0.0005 else "0.000"


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


def between(figure: Estimate, show: Show) -> str:
    """An interval in words."""
    return f"{show(figure.low)} to {show(figure.high)}"


def with_interval(figure: Estimate, show: Show) -> str:
    """A figure in words: value (low to high)."""
    return f"{show(figure.value)} ({between(figure, show)})"


def with_margin(figure: Estimate | None, show: Show) -> str:
    """A figure for a narrow place: value ± the longer half of its interval."""
    if figure is None:
        return MISSING
    return f"{show(figure.value)} ±{show(max(figure.value - figure.low, figure.high - figure.value, 0.0))}"

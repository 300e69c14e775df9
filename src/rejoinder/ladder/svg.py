"""Drawing without a library: SVG elements, axes, and labels that keep out of each other's way.

Lengths are in the units of the SVG's viewBox, y downwards. Nothing has a `style` attribute, so the page's policy may forbid
those; colours are classes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import product

from rejoinder.ladder.formatting import clean

LETTER = 7.4  # width of a letter of a label, at most, about: fonts differ
LINE = 14.0  # height of a label
GAP = 3.0  # at both ends of a label
LONGEST = 22  # letters of a label
_AWAY = (5.0, 14.0, 26.0, 40.0)  # how far from its point a label may stand
_ROUNDS = 4  # in which labels are placed
_WAYS = (1, 0), (-1, 0), (0, -1), (0, 1), (1, -1), (1, 1), (-1, -1), (-1, 1)  # right, down


def tag(name: str, *inside: str, **attributes: object) -> str:
    """An element; `inside` is markup, attributes are escaped. `class_` is class, and `_` in a name is `-`."""
    written = "".join(f' {key.rstrip("_").replace("_", "-")}="{escape(_plain(value))}"' for key, value in attributes.items())
    return f"<{name}{written}>{''.join(inside)}</{name}>"


def words(x: float, y: float, text: str, **attributes: object) -> str:
    """Text at a place."""
    return tag("text", escape(clean(text)), x=x, y=y, **attributes)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> str:
    """A straight line between two points, drawn as `class_` is styled."""
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def path(points: Iterable[tuple[float, float]], class_: str) -> str:
    """A line through points."""
    return tag("path", d="M" + "L".join(f"{_plain(x)} {_plain(y)}" for x, y in points), class_=class_)


def mark(x: float, y: float, class_: str, *, neural: bool = False, title: str = "", size: float = 5.0) -> str:
    """A point: a diamond for a neural net, else a disc; `title` is shown to who rests on it."""
    inside = tag("title", escape(clean(title))) if title else ""
    if neural:
        r = size * 1.25
        d = f"M{_plain(x)} {_plain(y - r)}l{_plain(r)} {_plain(r)}l{_plain(-r)} {_plain(r)}l{_plain(-r)} {_plain(-r)}z"
        return tag("path", inside, d=d, class_=class_)
    return tag("circle", inside, cx=x, cy=y, r=size, class_=class_)


def svg(name: str, size: tuple[float, float], said: tuple[str, str], inside: Iterable[str], class_: str) -> str:
    """A picture, `said` its title and description for those who do not see it; `name` is unique in the page."""
    return tag(
        "svg",
        tag("title", escape(clean(said[0])), id=f"{name}-title"),
        tag("desc", escape(clean(said[1])), id=f"{name}-desc"),
        *inside,
        viewBox=f"0 0 {_plain(size[0])} {_plain(size[1])}",
        class_=class_,
        role="img",
        aria_labelledby=f"{name}-title {name}-desc",
    )


def short(text: str, longest: int = LONGEST) -> str:
    """A label of bearable length."""
    return text if len(text) <= longest else text[: longest - 1] + "…"


@dataclass(frozen=True)
class Axis:
    """From figures to places."""

    low: float
    high: float
    start: float  # where `low` is
    end: float  # where `high` is
    log: bool = False

    def at(self, value: float) -> float:
        """The place of a figure; outside of the axis it is the axis' end."""
        value = min(max(value, self.low), self.high)
        if self.log:
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)


def linear(values: Sequence[float], start: float, end: float, *, least: float = -math.inf, most: float = math.inf) -> Axis:
    """An axis around `values`, with a little room, within `least` and `most`."""
    low, high = min(values), max(values)
    room = 0.08 * (high - low) or 0.1 * abs(high) or 1.0
    return Axis(max(low - room, least), min(high + room, most), start, end)


def logarithmic(values: Sequence[float], start: float, end: float) -> Axis:
    """A logarithmic axis around positive `values`, with a little room."""
    low, high = min(values), max(values)
    room = max((high / low) ** 0.08, 1.5)
    return Axis(low / room, high * room, start, end, log=True)


def even_ticks(axis: Axis, count: int = 5) -> list[float]:
    """About `count` round figures on a linear axis."""
    rough = (axis.high - axis.low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough * 0.999)
    first = math.ceil(axis.low / step - 1e-9)
    return [n * step for n in range(first, math.floor(axis.high / step + 1e-9) + 1)]


def log_ticks(axis: Axis, steps: Sequence[float] = (), count: int = 6) -> list[float]:
    """At most about `count` round figures on a logarithmic axis: of `steps`, or 1, 2, 5 and powers of ten times them."""
    powers = range(math.floor(math.log10(axis.low)), math.ceil(math.log10(axis.high)) + 1)
    for choice in (steps, [m * 10.0**p for p, m in product(powers, (1, 2, 5))], [10.0**p for p in powers]):
        found = [v for v in choice if axis.low <= v <= axis.high]
        if len(found) > 1 and len(found) <= count:
            return found
    return found[:: math.ceil(len(found) / count)] if found else [math.sqrt(axis.low * axis.high)]


@dataclass(frozen=True)
class Box:
    """A place that is taken."""

    left: float
    top: float
    right: float
    bottom: float

    def shared(self, other: Box) -> float:
        """The area two boxes have in common."""
        wide = min(self.right, other.right) - max(self.left, other.left)
        high = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(wide, 0.0) * max(high, 0.0)


@dataclass(frozen=True)
class Label:
    """A label where it stands."""

    text: str
    box: Box
    far: bool  # so far from its point that a line must lead to it


def beside(points: Sequence[tuple[float, float]], names: Sequence[str], taken: Iterable[Box], bounds: Box) -> list[Label]:
    """A label beside each point, where it covers no other label and, if it can be, nothing of what is `taken`.

    Each is put where it covers least of what is there already; then each again, now that all others stand.
    """
    full = [*taken, *(Box(x - 6, y - 6, x + 6, y + 6) for x, y in points)]
    found: dict[int, Label] = {}
    for _ in range(_ROUNDS):
        for n, (place, name) in enumerate(zip(points, names, strict=True)):
            others = [label.box for other, label in found.items() if other != n]
            found[n] = _best(place, name, full, others, bounds)
    return [found[n] for n in range(len(names))]


def _best(place: tuple[float, float], name: str, taken: Sequence[Box], labels: Sequence[Box], bounds: Box) -> Label:
    choices = []
    for away, (right, down) in product(_AWAY, _WAYS):
        box = _box_of(*place, len(name) * LETTER + 2 * GAP, right * (away + 2), down * (away + 4))
        inside = bounds.shared(box) / ((box.right - box.left) * LINE)
        covered = sum(box.shared(other) for other in taken) + 20 * sum(box.shared(other) for other in labels)
        # off the picture is worst; near is better than far
        choices.append((covered + 20_000 * (1 - inside) + away, Label(name, box, far=away > _AWAY[0])))
    return min(choices, key=lambda choice: choice[0])[1]


def spread(wanted: Sequence[float], low: float, high: float, gap: float = LINE) -> list[float]:
    """Places as near to those `wanted` as `gap` between them allows, within `low` and `high` where there is room."""
    order = sorted(range(len(wanted)), key=wanted.__getitem__)
    places = [0.0] * len(wanted)
    at = low - gap
    for index in order:
        at = places[index] = max(wanted[index], at + gap)
    at = high + gap
    for index in reversed(order):
        at = places[index] = min(places[index], at - gap)
    return places


def _box_of(x: float, y: float, width: float, dx: float, dy: float) -> Box:
    left = x + dx if dx > 0 else x + dx - width if dx < 0 else x - width / 2
    top = y + dy - LINE / 2 if not dy else y + dy if dy > 0 else y + dy - LINE
    return Box(left, top, left + width, top + LINE)


def _plain(value: object) -> str:
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else str(value)

"""The plots of a ladder report, each an SVG as text, or "" where there is nothing to draw.

Every plot is drawn in two widths, since text in a picture that is scaled down to a phone cannot be read. A diamond is a rung
with a neural net, a disc one without. Colours are classes `c0` to `c7`, by a rung's place among those of its kind.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rejoinder.ladder import svg
from rejoinder.ladder.formatting import (
    Report,
    Show,
    bits,
    clean,
    find,
    interval,
    milliseconds,
    number,
    percent,
    rungs_of,
    seconds,
    signed,
    signed_percent,
    trimmed,
    with_interval,
)
from rejoinder.ladder.svg import Axis, Box, mark, path, tag, words
from rejoinder.ladder.svg import line as straight

COLOURS = 8
WIDE, NARROW = 560.0, 320.0
BEYOND = 4.0  # how many times the data the fitted law is drawn to
_HEIGHT = {WIDE: 350.0, NARROW: 320.0}
_LEFT, _RIGHT, _TOP, _BOTTOM = 46.0, 14.0, 30.0, 46.0
_LAW_POINTS = 40
_MARGIN = 0.38  # share of the width that names beside learning curves may take
_TIMES = [0.001, 0.01, 0.1, 1, 10, 60, 600, 3600, 36_000, 360_000]  # s: ticks people know
_LEAST = {"fit_seconds": 0.01, "keystroke_ms": 0.01, "reply_ms": 0.01}  # what a log axis shows a cost of nothing as


@dataclass(frozen=True)
class Quality:
    """The figure by which rungs of a kind are compared."""

    path: tuple[str, ...]  # from the rung
    name: str
    better: str
    show: Show

    @property
    def axis(self) -> str:
        """The title of its axis."""
        return f"{self.name} ({self.better} is better)"


QUALITY = {
    "typing": Quality(("typing", "all", "bits_per_byte"), "bits per byte", "lower", bits),
    "replies": Quality(("replies", "comment", "recall@1"), "recall@1 of 100", "higher", bits),
}
COSTS: dict[str, tuple[tuple[str, ...], str, Show]] = {
    "fit_seconds": (("cost", "fit_seconds"), "time to fit", seconds),
    "keystroke_ms": (("cost", "keystroke_ms", "p50"), "time of a keystroke, median", milliseconds),
    "reply_ms": (("cost", "reply_ms", "p50"), "time of a reply, median", milliseconds),
}


@dataclass(frozen=True)
class Paper:
    """Where the plot of one width stands."""

    name: str
    width: float
    right: float = _RIGHT
    left: float = _LEFT
    height: float = 0.0
    top: float = _TOP

    @property
    def bounds(self) -> Box:
        """The rectangle within the axes."""
        return Box(self.left, self.top, self.width - self.right, (self.height or _HEIGHT[self.width]) - _BOTTOM)

    def frame(
        self, x: Axis, y: Axis | None, titles: tuple[str, str], ticks: Sequence[tuple[float, str]], show: Show
    ) -> list[str]:
        """Grid, ticks and titles: `ticks` of x with what they say, those of y by `show`; titles of x and y."""
        b = self.bounds
        drawn = [
            words(self.width - self.right, b.bottom + 36, titles[0], class_="axis end"),
            words(4, 14, titles[1], class_="axis"),
        ]
        for value in svg.even_ticks(y) if y else ():
            drawn.append(straight(b.left, y.at(value), b.right, y.at(value), "grid"))  # type: ignore[union-attr]
            drawn.append(words(b.left - 6, y.at(value) + 4, trimmed(show)(value), class_="tick end"))  # type: ignore[union-attr]
        for value, said in ticks:
            drawn.append(straight(x.at(value), b.top, x.at(value), b.bottom, "grid"))
            drawn.append(words(x.at(value), b.bottom + 17, said, class_="tick middle"))
        return [*drawn, straight(b.left, b.bottom, b.right, b.bottom, "base")]

    def done(self, title: str, told: str, drawn: Sequence[str]) -> str:
        """The picture."""
        size = "wide" if self.width == WIDE else "narrow"
        height = self.height or _HEIGHT[self.width]
        return svg.svg(f"{self.name}-{size}", (self.width, height), (title, told), drawn, f"plot {size}")


def colour(report: Report, kind: str, name: str) -> str:
    """The class of a rung's colour."""
    names = [rung.get("name") for rung in rungs_of(report, kind)]
    return f"c{names.index(name) % COLOURS}" if name in names else "c7"


def quality_and_cost(report: Report, kind: str, cost: str, width: float) -> str:
    """A point for each rung, its interval, and the Pareto front: the rungs that no other beats in both."""
    quality, (where, said, show) = QUALITY[kind], COSTS[cost]
    shown = [r for r in rungs_of(report, kind) if number(r, quality.path) is not None and number(r, where) is not None]
    if not shown:
        return ""
    paper = Paper(f"{kind}-{cost}", width)
    b = paper.bounds
    prices = [max(number(r, where) or 0.0, _LEAST[cost]) for r in shown]
    values = [number(r, quality.path) or 0.0 for r in shown]
    ends = [interval(r, quality.path) or (v, v) for r, v in zip(shown, values, strict=True)]
    x = svg.logarithmic(prices, b.left, b.right)
    y = _upright([*values, *(end for pair in ends for end in pair)], kind, b)
    places = [(x.at(p), y.at(v)) for p, v in zip(prices, values, strict=True)]
    best = front(prices, [v if quality.better == "lower" else -v for v in values])
    drawn = paper.frame(x, y, (f"{said}, log scale", quality.axis), _ticks(x, show, width), quality.show)
    drawn.append(path(_steps([places[n] for n in best], b), "front"))
    bars = []
    for n, (rung, place) in enumerate(zip(shown, places, strict=True)):
        low, high = y.at(ends[n][0]), y.at(ends[n][1])
        bars.append(Box(place[0] - 2, min(low, high), place[0] + 2, max(low, high)))
        hue = f"{colour(report, kind, rung['name'])}{'' if n in best else ' hollow'}"
        drawn.append(straight(place[0], low, place[0], high, f"bar {hue}"))
        told = f"{clean(rung['name'])}: {with_interval(rung, quality.path, quality.show)} {quality.name}, {show(prices[n])}"
        drawn.append(mark(*place, f"mark {hue}", neural=bool(rung.get("neural")), title=told))
    names = [_called(rung) for rung in shown]
    for rung, place, label in zip(shown, places, svg.beside(places, names, bars, b), strict=True):
        drawn += _label(label, place, colour(report, kind, rung["name"]))
    title = f"{quality.name} against {said}"
    told = f"{quality.axis}. Not beaten in both: {', '.join(clean(shown[n]['name']) for n in best)}."
    return paper.done(title, told, drawn)


def front(prices: Sequence[float], losses: Sequence[float]) -> list[int]:
    """The places of those that no other beats in both price and loss, from the cheapest to the dearest."""
    found: list[int] = []
    for n in sorted(range(len(prices)), key=lambda n: (prices[n], losses[n])):
        if not found or losses[n] < losses[found[-1]]:
            found.append(n)
    return found


def learning_curves(report: Report, kind: str, width: float) -> str:
    """Quality by how many posts were learned from, with the fitted law, dashed beyond the data."""
    quality = QUALITY[kind]
    curves = [(rung, _curve(rung, kind)) for rung in rungs_of(report, kind)]
    curves = [(rung, points) for rung, points in curves if points]
    if not curves:
        return ""
    room = int((_MARGIN * width - 16) / svg.LETTER)
    names = [svg.short(_called(rung), room) for rung, _ in curves]
    paper = Paper(f"{kind}-curves", width, right=16 + svg.LETTER * max(map(len, names)))
    b = paper.bounds
    posts = [point["posts"] for _, points in curves for point in points]
    x = Axis(min(posts) / 1.1, max(posts) * BEYOND, b.left, b.right, log=True)
    laws = [_law(rung, kind, points[0]["posts"], x.high) for rung, points in curves]
    values = [
        v for _, points in curves for p in points for v in (number(p, [kind]), *(interval(p, [kind]) or ())) if v is not None
    ]
    y = _upright([*values, *(law[-1][1] for law in laws if law)], kind, b)
    drawn = [tag("rect", x=x.at(max(posts)), y=b.top, width=b.right - x.at(max(posts)), height=b.bottom - b.top, class_="beyond")]
    drawn += paper.frame(x, y, ("posts learned from, log scale", quality.axis), _ticks(x, _count, width), quality.show)
    drawn.append(words((x.at(max(posts)) + b.right) / 2, b.top - 4, "beyond the data", class_="tick middle"))
    ends = []
    for (rung, points), law in zip(curves, laws, strict=True):
        hue = colour(report, kind, rung["name"])
        drawn += _one_curve(rung, kind, points, (x, y), hue)
        last = points[-1]["posts"]
        seen, guessed = [p for p in law if p[0] <= last], [p for p in law if p[0] >= last]
        drawn += [
            path([(x.at(n), y.at(v)) for n, v in part], f"law {hue}{more}")
            for part, more in ((seen, ""), (guessed, " guess"))
            if part
        ]
        end = law[-1] if law else (last, number(points[-1], [kind]) or 0.0)
        ends.append((x.at(end[0]), y.at(end[1])))
    for (rung, _), name, end, at in zip(curves, names, ends, svg.spread([y for _, y in ends], b.top, b.bottom), strict=True):
        hue = colour(report, kind, rung["name"])
        drawn.append(path([end, (max(end[0], b.right), end[1]), (b.right + 8, at)], f"lead {hue}"))
        drawn.append(words(b.right + 10, at + 4, name, class_=f"label {hue}"))
    told = f"{quality.axis}, as the rungs learn from more posts; dashed: the fitted law c + a n^-b, beyond the data."
    return paper.done(f"Learning curves: {quality.name} by posts", told, drawn)


def _one_curve(rung: Mapping[str, Any], kind: str, points: Sequence[Any], axes: tuple[Axis, Axis], hue: str) -> list[str]:
    """What was measured of one rung: points, intervals, and straight lines where no law was fitted."""
    x, y = axes
    places = [(x.at(p["posts"]), y.at(number(p, [kind]) or 0.0)) for p in points]
    drawn = [] if find(rung, ("law", "kind")) == kind else [path(places, f"curve {hue}")]
    for point, place in zip(points, places, strict=True):
        if ends := interval(point, [kind]):
            drawn.append(straight(place[0], y.at(ends[0]), place[0], y.at(ends[1]), f"bar {hue}"))
        told = f"{clean(rung['name'])}, {point['posts']:,} posts: {with_interval(point, [kind], bits)}"
        drawn.append(mark(*place, f"mark {hue}", neural=bool(rung.get("neural")), title=told, size=3.5))
    return drawn


def gates(report: Report, width: float) -> str:
    """Precision against coverage as the gate moves, a line for each rung."""
    curves = []
    for rung in rungs_of(report, "typing"):
        points = [
            p
            for p in find(rung, ("typing", "all", "gate")) or ()
            if None not in (number(p, ["precision"]), number(p, ["coverage"]))
        ]
        if points:
            curves.append((rung, sorted(points, key=lambda p: p["coverage"])))
    if not curves:
        return ""
    paper = Paper("typing-gate", width)
    b = paper.bounds
    x = svg.linear([0.0, *(p["coverage"] for _, points in curves for p in points)], b.left, b.right, least=0.0, most=1.0)
    y = Axis(0.0, 1.0, b.bottom, b.top)
    titles = "coverage: share of keystrokes with ghost text", "precision (higher is better)"
    ticks = [(v, f"{100 * v:.3g}%") for v in svg.even_ticks(x, 5)]
    drawn = paper.frame(x, y, titles, ticks, lambda v: f"{100 * v:.0f}%")
    taken, ends = [], []
    for rung, points in curves:
        hue = colour(report, "typing", rung["name"])
        places = [(x.at(p["coverage"]), y.at(p["precision"])) for p in points]
        drawn.append(path(places, f"curve {hue}"))
        for point, place in zip(points, places, strict=True):
            right, shown = percent(point["precision"]), percent(point["coverage"])
            told = f"{clean(rung['name'])}, gate {point.get('threshold')}: {right} right at {shown}"
            drawn.append(mark(*place, f"mark {hue}", neural=bool(rung.get("neural")), title=told, size=2.8))
        taken += svg.along(places)
        ends.append(places[-1])
    names = [svg.short(clean(rung["name"])) for rung, _ in curves]
    hues = [colour(report, "typing", rung["name"]) for rung, _ in curves]
    labels = svg.beside(ends, names, taken, b)
    if svg.collide(labels):  # a list, where precision is best and coverage widest: no line comes there
        for n, (name, hue) in enumerate(zip(names, hues, strict=True)):
            drawn.append(words(b.right - 4, b.top + svg.LINE * (n + 1), name, class_=f"label end {hue}"))
    else:
        drawn += [part for label, end, hue in zip(labels, ends, hues, strict=True) for part in _label(label, end, hue)]
    return paper.done(
        "Precision against coverage", "How often the first word shown is right, as the gate lets more through.", drawn
    )


@dataclass(frozen=True)
class Row:
    """A line of a plot of rows: what is drawn from low to high, and where the marks stand."""

    name: str
    span: tuple[float, float]
    marks: tuple[tuple[float, str, bool], ...]  # figure, what it says, hollow
    hue: str = "c0"
    neural: bool = False


def in_rows(name: str, titles: tuple[str, str], rows: Sequence[Row], width: float, show: Show, *, log: bool) -> str:
    """Rows of spans, on a logarithmic axis or, else, on one with a line at 0. `titles` of the plot and its axis."""
    if not rows:
        return ""
    wide = svg.LETTER * max(len(row.name) for row in rows)
    above = wide > 0.45 * width  # the names stand above their rows where there is no room beside them
    high, left = (42.0, 22.0) if above else (26.0, 12 + wide)
    paper = Paper(name, width, left=left, right=22.0, height=8 + _BOTTOM + high * len(rows), top=8)
    b = paper.bounds
    values = [v for row in rows for v in (*row.span, *(v for v, _, _ in row.marks))]
    x = svg.logarithmic(values, b.left, b.right) if log else svg.linear([0.0, *values], b.left, b.right)
    ticks = _ticks(x, show, width) if log else [(v, trimmed(show)(v)) for v in svg.even_ticks(x, 6 if width == WIDE else 4)]
    drawn = paper.frame(x, None, (titles[1], ""), ticks, show)
    if not log:
        drawn.append(straight(x.at(0), b.top, x.at(0), b.bottom, "base"))
    for n, row in enumerate(rows):
        at = b.top + high * (n + 0.7 if above else n + 0.5)
        label = svg.short(row.name, 2 * svg.LONGEST)
        place = (b.left, at - 12, f"label {row.hue}") if above else (b.left - 8, at + 4, f"label end {row.hue}")
        drawn.append(words(place[0], place[1], label, class_=place[2]))
        drawn.append(straight(x.at(row.span[0]), at, x.at(row.span[1]), at, f"span {row.hue}"))
        for value, said, hollow in row.marks:
            hue = f"mark {row.hue}{' hollow' if hollow else ''}"
            drawn.append(mark(x.at(value), at, hue, neural=row.neural, title=f"{row.name}: {said}"))
    return paper.done(titles[0], "; ".join(f"{row.name}: {', '.join(said for _, said, _ in row.marks)}" for row in rows), drawn)


def latency(report: Report, kind: str, width: float) -> str:
    """From the median to the 99th percentile, a row for each rung."""
    key, of = ("keystroke_ms", "keystroke") if kind == "typing" else ("reply_ms", "reply")
    rows = []
    for rung in rungs_of(report, kind):
        p50, p99 = (number(rung, ("cost", key, p)) for p in ("p50", "p99"))
        if p50 is not None and p99 is not None:
            span = max(p50, _LEAST[key]), max(p99, _LEAST[key])
            marks = (span[0], f"p50 {milliseconds(p50)}", False), (span[1], f"p99 {milliseconds(p99)}", True)
            rows.append(Row(clean(rung["name"]), span, marks, colour(report, kind, rung["name"]), bool(rung.get("neural"))))
    titles = f"Time of a {of}: median to 99th percentile", f"time of a {of}, log scale (left is better)"
    return in_rows(f"{kind}-latency", titles, rows, width, milliseconds, log=True)


def apart(report: Report, width: float) -> str:
    """Bits per byte of repeats and of novel text, a row for each rung."""
    rows = []
    for rung in rungs_of(report, "typing"):
        novel, repeats = (number(rung, ("typing", part, "bits_per_byte")) for part in ("novel", "repeats"))
        if novel is not None and repeats is not None:
            marks = (novel, f"novel {bits(novel)}", False), (repeats, f"repeats {bits(repeats)}", True)
            hue = colour(report, "typing", rung["name"])
            rows.append(Row(clean(rung["name"]), (repeats, novel), marks, hue, bool(rung.get("neural"))))
    titles = "Novel text and repeats apart", "bits per byte (lower is better)"
    return in_rows("typing-apart", titles, rows, width, lambda v: f"{v:.3g}", log=False)


def steps(report: Report, kind: str, width: float) -> str:
    """What each step up the ladder buys, with its interval: right of 0 the upper rung is better."""
    rows = []
    for pair in report.get("neighbours") or ():
        gain, ends = number(pair, ["gain"]), interval(pair, ["gain"])
        if pair.get("kind") == kind and gain is not None:
            name, show = f"{clean(pair['lower'])} → {clean(pair['upper'])}", gain_of(kind)
            clear = ends is not None and ends[0] * ends[1] > 0
            mark_of = (gain, with_interval(pair, ["gain"], show), not clear)
            rows.append(Row(name, ends or (gain, gain), (mark_of,), colour(report, kind, pair["upper"])))
    titles = "What each step up buys", f"{'bits saved' if kind == 'typing' else 'recall@1 gained'} (right is better)"
    return in_rows(f"{kind}-steps", titles, rows, width, gain_of(kind), log=False)


def gain_of(kind: str) -> Show:
    """How the gain of a step is shown: a share of bits, or recall."""
    return signed_percent if kind == "typing" else signed


def _called(rung: Mapping[str, Any]) -> str:
    """A rung's label; one that was stopped says so."""
    return svg.short(clean(rung["name"])) + (" (stopped)" if rung.get("state") == "stopped" else "")


def _curve(rung: Mapping[str, Any], kind: str) -> list[Any]:
    points = [p for p in rung.get("curve") or () if number(p, [kind]) is not None and (number(p, ["posts"]) or 0) > 0]
    return sorted(points, key=lambda p: p["posts"])


def _law(rung: Mapping[str, Any], kind: str, first: float, last: float) -> list[tuple[float, float]]:
    """Points of c + a n^-b, where it was fitted."""
    a, b, c = (number(rung, ("law", name)) for name in "abc")
    if find(rung, ("law", "kind")) != kind or a is None or b is None or c is None:
        return []
    ns = [first * (last / first) ** (step / _LAW_POINTS) for step in range(_LAW_POINTS + 1)]
    return [(n, c + a * n**-b) for n in ns]


def _upright(values: Sequence[float], kind: str, b: Box) -> Axis:
    return svg.linear(values, b.bottom, b.top, least=0.0, most=1.0 if kind == "replies" else math.inf)


def _ticks(x: Axis, show: Callable[[float], str], width: float) -> list[tuple[float, str]]:
    count = 7 if width == WIDE else 4
    steps = _TIMES if show is seconds else ()
    return [(v, trimmed(show)(v)) for v in svg.log_ticks(x, steps, count)]


def _count(value: float) -> str:
    return f"{value / 1e6:g}M" if value >= 1e6 else f"{value / 1e3:g}k" if value >= 1e3 else f"{value:g}"


def _steps(places: Sequence[tuple[float, float]], b: Box) -> list[tuple[float, float]]:
    """The front as steps: what the best quality is that each price buys."""
    stairs = [places[0]]
    for x, y in places[1:]:
        stairs += [(x, stairs[-1][1]), (x, y)]
    return [*stairs, (b.right, stairs[-1][1])]


def _label(label: svg.Label, place: tuple[float, float], hue: str) -> list[str]:
    box = label.box
    near = min(max(place[0], box.left), box.right), min(max(place[1], box.top), box.bottom)
    lead = [straight(*place, *near, f"lead {hue}")] if label.far else []
    return [*lead, words(box.left + svg.GAP, box.top + 11, label.text, class_=f"label {hue}")]

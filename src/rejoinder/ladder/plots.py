"""The plots of a ladder report, each an SVG as text, or "" where there is nothing to draw.

Every plot is drawn in two widths, since text in a picture that is scaled down to a phone cannot be read. A diamond is a rung
with a neural net, a disc one without. Colours are classes `c0` to `c11`, by a rung's place among those of its kind.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rejoinder.ladder import formatting as f
from rejoinder.ladder import svg
from rejoinder.ladder.formatting import Show, bits, seconds
from rejoinder.ladder.metrics import Estimate
from rejoinder.ladder.report import Kind, MeasuredRung, Point, Report
from rejoinder.ladder.svg import Axis, Box, Label, mark, path, tag, words
from rejoinder.ladder.svg import line as straight

COLOURS = 12
WIDE, NARROW = 560.0, 320.0
BEYOND = 4.0  # how many times the data the fitted law is drawn to
_HEIGHT = {WIDE: 350.0, NARROW: 320.0}
_LEFT, _RIGHT, _TOP, _BOTTOM = 46.0, 14.0, 30.0, 46.0
_LAW_POINTS = 40
_MARGIN = {WIDE: 0.38, NARROW: 0.52}  # share of the width that names beside lines may take
_TIMES = [0.001, 0.01, 0.1, 1, 10, 60, 600, 3600, 36_000, 360_000]  # s: ticks people know
_LEAST = 0.01  # what a log axis shows a cost of nothing as


@dataclass(frozen=True)
class Quality:
    """The figure by which rungs of a kind are compared."""

    name: str
    better: str
    gain: str  # what a step up gains, and how it is shown
    show_gain: Show

    @property
    def axis(self) -> str:
        """The title of its axis."""
        return f"{self.name} ({self.better} is better)"


QUALITY: dict[Kind, Quality] = {
    "typing": Quality("bits per byte", "lower", "bits saved", f.signed_percent),
    "replies": Quality("recall@1 of 100", "higher", "recall@1 gained", f.signed),
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
        for value, at in [(value, y.at(value)) for value in svg.even_ticks(y)] if y else ():
            drawn.append(straight(b.left, at, b.right, at, "grid"))
            drawn.append(words(b.left - 6, at + 4, f.trimmed(show)(value), class_="tick end"))
        for value, said in ticks:
            drawn.append(straight(x.at(value), b.top, x.at(value), b.bottom, "grid"))
            drawn.append(words(x.at(value), b.bottom + 17, said, class_="tick middle"))
        return [*drawn, straight(b.left, b.bottom, b.right, b.bottom, "base")]

    def done(self, title: str, told: str, drawn: Sequence[str]) -> str:
        """The plot as SVG, with a title, and `told` for those who cannot see it."""
        size = "wide" if self.width == WIDE else "narrow"
        height = self.height or _HEIGHT[self.width]
        return svg.svg(f"{self.name}-{size}", (self.width, height), (title, told), drawn, f"plot {size}")


def colour(report: Report, kind: Kind, name: str) -> str:
    """The class of a rung's colour."""
    return f"c{[rung.name for rung in report.of_kind(kind)].index(name) % COLOURS}"


def quality_and_fit(report: Report, kind: Kind, width: float) -> str:
    """Quality against the time to fit a rung, and all it is made of."""
    prices = {rung.name: rung.cost.whole_seconds for rung in report.of_kind(kind)}
    return _quality_and(report, kind, prices, ("fit", "time to fit", seconds), width)


def quality_and_waiting(report: Report, kind: Kind, width: float) -> str:
    """Quality against the median time of a keystroke, or of a reply."""
    prices: dict[str, float | None] = {rung.name: times.p50 for rung in report.of_kind(kind) if (times := rung.latency(kind))}
    what = f"time of a {'keystroke' if kind == 'typing' else 'reply'}, median"
    return _quality_and(report, kind, prices, ("waiting", what, f.milliseconds), width)


def _quality_and(report: Report, kind: Kind, prices: dict[str, float | None], cost: tuple[str, str, Show], width: float) -> str:
    """A point for each rung, its interval, and the Pareto front: the rungs that no other beats in both."""
    quality, (short, said, show) = QUALITY[kind], cost
    asked = [(rung, report.quality(rung, kind), prices.get(rung.name)) for rung in report.of_kind(kind)]
    shown = [(rung, figure, max(price, _LEAST)) for rung, figure, price in asked if figure and price is not None]
    if not shown:
        return ""
    paper = Paper(f"{kind}-{short}", width)
    b = paper.bounds
    x = svg.logarithmic([price for _, _, price in shown], b.left, b.right)
    y = _upright([figure for _, figure, _ in shown], kind, b)
    places = [(x.at(price), y.at(figure.value)) for _, figure, price in shown]
    sign = 1 if quality.better == "lower" else -1
    best = front([price for _, _, price in shown], [sign * figure.value for _, figure, _ in shown])
    drawn = paper.frame(x, y, (f"{said}, log scale", quality.axis), _ticks(x, show, width), bits)
    drawn.append(path(_steps([places[n] for n in best], b), "front"))
    bars, hues = [], []
    for n, ((rung, figure, price), place) in enumerate(zip(shown, places, strict=True)):
        low, high = sorted((y.at(figure.low), y.at(figure.high)))
        bars.append(Box(place[0] - 2, low, place[0] + 2, high))
        hues.append(colour(report, kind, rung.name))
        hue = f"{hues[-1]}{'' if n in best else ' hollow'}"
        drawn.append(straight(place[0], low, place[0], high, f"bar {hue}"))
        told = f"{rung.name}: {f.with_interval(figure, bits)} {quality.name}, {show(price)}"
        drawn.append(mark(*place, f"mark {hue}", neural=rung.neural, title=told))
    labels = svg.beside(places, [_called(rung) for rung, _, _ in shown], bars, b)
    for label, place, hue in zip(labels, places, hues, strict=True):
        drawn += _label(label, place, hue)
    told = f"{quality.axis}. Not beaten in both: {', '.join(shown[n][0].name for n in best)}."
    return paper.done(f"{quality.name} against {said}", told, drawn)


def front(prices: Sequence[float], losses: Sequence[float]) -> list[int]:
    """The places of those that no other beats in both price and loss, from the cheapest to the dearest."""
    found: list[int] = []
    for n in sorted(range(len(prices)), key=lambda n: (prices[n], losses[n])):
        if not found or losses[n] < losses[found[-1]]:
            found.append(n)
    return found


def learning_curves(report: Report, kind: Kind, width: float) -> str:
    """Quality by how many posts were learned from, with the fitted law, dashed beyond the data."""
    quality = QUALITY[kind]
    curves = [(rung, [point for point in rung.curve if kind in point.figures]) for rung in report.of_kind(kind)]
    curves = [(rung, points) for rung, points in curves if points]
    if not curves:
        return ""
    names, right = _names([rung for rung, _ in curves], width)
    paper = Paper(f"{kind}-curves", width, right=right)
    b = paper.bounds
    posts = [point.posts for _, points in curves for point in points]
    x = Axis(min(posts) / 1.1, max(posts) * BEYOND, b.left, b.right, log=True)
    laws = [_law(rung, kind, points[0].posts, x.high) for rung, points in curves]
    last_of_laws = [Estimate(*[law[-1][1]] * 3) for law in laws if law]
    y = _upright([*(point.figures[kind] for _, points in curves for point in points), *last_of_laws], kind, b)
    drawn = [tag("rect", x=x.at(max(posts)), y=b.top, width=b.right - x.at(max(posts)), height=b.bottom - b.top, class_="beyond")]
    drawn += paper.frame(x, y, ("posts learned from, log scale", quality.axis), _ticks(x, _count, width), bits)
    drawn.append(words((x.at(max(posts)) + b.right) / 2, b.top - 4, "beyond the data", class_="tick middle"))
    ends, hues = [], [colour(report, kind, rung.name) for rung, _ in curves]
    for (rung, points), law, hue in zip(curves, laws, hues, strict=True):
        drawn += _one_curve(rung, kind, points, (x, y), hue)
        last = points[-1].posts
        for part, more in (([p for p in law if p[0] <= last], ""), ([p for p in law if p[0] >= last], " guess")):
            if part:
                drawn.append(path([(x.at(n), y.at(v)) for n, v in part], f"law {hue}{more}"))
        end = law[-1] if law else (last, points[-1].figures[kind].value)
        ends.append((x.at(end[0]), y.at(end[1])))
    drawn += _at_the_right(names, hues, ends, b)
    told = f"{quality.axis}, as the rungs learn from more posts; dashed: the fitted law c + a n^-b, beyond the data."
    return paper.done(f"Learning curves: {quality.name} by posts", told, drawn)


def _one_curve(rung: MeasuredRung, kind: Kind, points: Sequence[Point], axes: tuple[Axis, Axis], hue: str) -> list[str]:
    """What was measured of one rung: points, intervals, and straight lines where no law was fitted."""
    x, y = axes
    places = [(x.at(point.posts), y.at(point.figures[kind].value)) for point in points]
    drawn = [] if rung.law and rung.law.kind == kind else [path(places, f"curve {hue}")]
    for point, place in zip(points, places, strict=True):
        figure = point.figures[kind]
        drawn.append(straight(place[0], y.at(figure.low), place[0], y.at(figure.high), f"bar {hue}"))
        told = f"{rung.name}, {point.posts:,} posts: {f.with_interval(figure, bits)}"
        drawn.append(mark(*place, f"mark {hue}", neural=rung.neural, title=told, size=3.5))
    return drawn


def gates(report: Report, kind: Kind, width: float) -> str:
    """Precision against coverage as the gate moves, a line for each rung that predicts text."""
    shown = [rung for rung in report.of_kind(kind) if rung.text().gate]
    if not shown:
        return ""
    curves = [sorted(rung.text().gate, key=lambda point: point.coverage) for rung in shown]
    names, right = _names(shown, width)
    paper = Paper("typing-gate", width, right=right)
    b = paper.bounds
    x = svg.linear([0.0, *(point.coverage for points in curves for point in points)], b.left, b.right, least=0.0, most=1.0)
    y = Axis(0.0, 1.0, b.bottom, b.top)
    titles = "coverage", "precision (higher is better)"
    ticks = [(v, f"{100 * v:.3g}%") for v in svg.even_ticks(x, 5 if width == WIDE else 2)]
    drawn = paper.frame(x, y, titles, ticks, lambda v: f"{100 * v:.0f}%")
    ends, hues = [], [colour(report, kind, rung.name) for rung in shown]
    for rung, points, hue in zip(shown, curves, hues, strict=True):
        places = [(x.at(point.coverage), y.at(point.precision)) for point in points]
        drawn.append(path(places, f"curve {hue}"))
        for point, place in zip(points, places, strict=True):
            told = f"{rung.name}, gate {point.threshold}: {f.percent(point.precision)} right at {f.percent(point.coverage)}"
            drawn.append(mark(*place, f"mark {hue}", neural=rung.neural, title=told, size=2.8))
        ends.append(places[-1])
    drawn += _at_the_right(names, hues, ends, b)
    told = "How often the first word shown is right, as the gate lets more through."
    return paper.done("Precision against coverage", told, drawn)


@dataclass(frozen=True)
class PlotRow:
    """A line of a plot of rows: what is drawn from low to high, and where the marks stand."""

    name: str
    span: tuple[float, float]
    marks: tuple[tuple[float, str, bool], ...]  # figure, what it says, hollow
    hue: str
    neural: bool = False


def in_rows(name: str, titles: tuple[str, str], rows: Sequence[PlotRow], width: float, show: Show, *, log: bool) -> str:
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
    ticks = _ticks(x, show, width) if log else [(v, f.trimmed(show)(v)) for v in svg.even_ticks(x, 6 if width == WIDE else 4)]
    drawn = paper.frame(x, None, (titles[1], ""), ticks, show)
    if not log:
        drawn.append(straight(x.at(0), b.top, x.at(0), b.bottom, "base"))
    for n, row in enumerate(rows):
        at = b.top + high * (n + 0.7 if above else n + 0.5)
        place = (b.left, at - 12, f"label {row.hue}") if above else (b.left - 8, at + 4, f"label end {row.hue}")
        drawn.append(words(place[0], place[1], svg.short(row.name, 2 * svg.LONGEST), class_=place[2]))
        drawn.append(straight(x.at(row.span[0]), at, x.at(row.span[1]), at, f"span {row.hue}"))
        for value, said, hollow in row.marks:
            hue = f"mark {row.hue}{' hollow' if hollow else ''}"
            drawn.append(mark(x.at(value), at, hue, neural=row.neural, title=f"{row.name}: {said}"))
    return paper.done(titles[0], "; ".join(f"{row.name}: {', '.join(said for _, said, _ in row.marks)}" for row in rows), drawn)


def latency(report: Report, kind: Kind, width: float) -> str:
    """From the median to the 99th percentile, a row for each rung."""
    rows = []
    for rung in report.of_kind(kind):
        if times := rung.latency(kind):
            span = max(times.p50, _LEAST), max(times.p99, _LEAST)
            marks = (span[0], f"p50 {f.milliseconds(times.p50)}", False), (span[1], f"p99 {f.milliseconds(times.p99)}", True)
            rows.append(PlotRow(rung.name, span, marks, colour(report, kind, rung.name), rung.neural))
    of = "keystroke" if kind == "typing" else "reply"
    titles = f"Time of a {of}: median to 99th percentile", f"time of a {of}, log scale (left is better)"
    return in_rows(f"{kind}-latency", titles, rows, width, f.milliseconds, log=True)


def apart(report: Report, kind: Kind, width: float) -> str:
    """Bits per byte of repeats and of novel text, a row for each rung."""
    rows = []
    for rung in report.of_kind(kind):
        novel, repeats = (rung.text(part).bits_per_byte for part in ("novel", "repeats"))
        if novel and repeats:
            marks = (novel.value, f"novel {bits(novel.value)}", False), (repeats.value, f"repeats {bits(repeats.value)}", True)
            rows.append(PlotRow(rung.name, (repeats.value, novel.value), marks, colour(report, kind, rung.name), rung.neural))
    titles = "Novel text and repeats apart", "bits per byte (lower is better)"
    return in_rows("typing-apart", titles, rows, width, lambda v: f"{v:.3g}", log=False)


def steps(report: Report, kind: Kind, width: float) -> str:
    """What each step up the ladder buys, with its interval: right of 0 the upper rung is better."""
    quality = QUALITY[kind]
    rows = []
    for step in report.steps:
        if step.kind == kind:
            gain, unclear = step.gain, step.gain.low * step.gain.high <= 0
            marks = ((gain.value, f.with_interval(gain, quality.show_gain), unclear),)
            rows.append(PlotRow(f"{step.lower} → {step.upper}", (gain.low, gain.high), marks, colour(report, kind, step.upper)))
    titles = "What each step up buys", f"{quality.gain} (right is better)"
    return in_rows(f"{kind}-steps", titles, rows, width, quality.show_gain, log=False)


def _names(rungs: Sequence[MeasuredRung], width: float) -> tuple[list[str], float]:
    """Names to stand at the right of lines, and the room they take."""
    names = [svg.short(_called(rung), int((_MARGIN[width] * width - 16) / svg.LETTER)) for rung in rungs]
    return names, 16 + svg.LETTER * max(map(len, names))


def _at_the_right(names: Sequence[str], hues: Sequence[str], ends: Sequence[tuple[float, float]], b: Box) -> list[str]:
    """The names of lines beside the axes, each led to from where its line ends."""
    drawn = []
    for name, hue, end, at in zip(names, hues, ends, svg.spread([y for _, y in ends], b.top, b.bottom), strict=True):
        drawn.append(path([end, (max(end[0], b.right), end[1]), (b.right + 8, at)], f"lead {hue}"))
        drawn.append(words(b.right + 10, at + 4, name, class_=f"label {hue}"))
    return drawn


def _called(rung: MeasuredRung) -> str:
    """A rung's label; one that was stopped says so."""
    return svg.short(rung.name) + (" (stopped)" if rung.state == "stopped" else "")


def _law(rung: MeasuredRung, kind: Kind, first: float, last: float) -> list[tuple[float, float]]:
    """Points of c + a n^-b, where it was fitted."""
    law = rung.law
    if law is None or law.kind != kind:
        return []
    ns = [first * (last / first) ** (step / _LAW_POINTS) for step in range(_LAW_POINTS + 1)]
    return [(n, law.c + law.a * n**-law.b) for n in ns]


def _upright(figures: Sequence[Estimate], kind: Kind, b: Box) -> Axis:
    ends = [end for figure in figures for end in (figure.low, figure.value, figure.high)]
    return svg.linear(ends, b.bottom, b.top, least=0.0, most=1.0 if kind == "replies" else math.inf)


def _ticks(x: Axis, show: Callable[[float], str], width: float) -> list[tuple[float, str]]:
    count = 7 if width == WIDE else 4
    return [(v, f.trimmed(show)(v)) for v in svg.log_ticks(x, _TIMES if show is seconds else (), count)]


def _count(value: float) -> str:
    return f"{value / 1e6:g}M" if value >= 1e6 else f"{value / 1e3:g}k" if value >= 1e3 else f"{value:g}"


def _steps(places: Sequence[tuple[float, float]], b: Box) -> list[tuple[float, float]]:
    """The front as steps: what the best quality is that each price buys."""
    stairs = [places[0]]
    for x, y in places[1:]:
        stairs += [(x, stairs[-1][1]), (x, y)]
    return [*stairs, (b.right, stairs[-1][1])]


def _label(label: Label, place: tuple[float, float], hue: str) -> list[str]:
    box = label.box
    near = min(max(place[0], box.left), box.right), min(max(place[1], box.top), box.bottom)
    lead = [straight(*place, *near, f"lead {hue}")] if label.far else []
    return [*lead, words(box.left + svg.GAP, box.top + 11, label.text, class_=f"label {hue}")]

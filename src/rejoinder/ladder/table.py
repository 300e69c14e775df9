"""A ladder report for the terminal: one table that fits its width, and the verdict in lines."""

from __future__ import annotations

from collections.abc import Callable

from rejoinder.ladder.advice import advice, doubt, not_told_apart, notes
from rejoinder.ladder.formatting import MISSING, bits, clean, milliseconds, percent, seconds, with_margin
from rejoinder.ladder.report import KINDS, MeasuredRung, Report

_GAP = 2  # between columns
_NOTE = 8  # letters of the longest word of a note: they wrap
_LEAST_WANTED = ("p99", "saved", "fit")  # columns that go first where there is no room for all


def plain(report: Report, width: int = 100) -> tuple[list[str], list[list[str]], list[str]]:
    """Columns and rows of a table of at most `width` letters, names whole, and the lines that go below it."""
    cells: dict[str, Callable[[MeasuredRung], str]] = {
        "rung": lambda rung: rung.name,
        "bits/byte": lambda rung: with_margin(rung.text().bits_per_byte, bits),
        "saved": lambda rung: percent(saved.value) if (saved := rung.text().savings) else MISSING,
        "recall@1": lambda rung: with_margin(report.quality(rung, "replies"), bits),
        "fit": _fit,
        "p99": lambda rung: milliseconds(slow.p99) if (slow := rung.latency("typing") or rung.latency("replies")) else MISSING,
        "note": lambda rung: ", ".join(notes(report, rung)),
    }
    filled = {name: [clean(cell(rung)) for rung in report.rungs] for name, cell in cells.items()}
    table = {name: column for name, column in filled.items() if not column or any(cell != MISSING for cell in column)}
    widths = {name: max(map(len, [name, *column])) + _GAP for name, column in table.items()} | {"note": _NOTE}
    for name in (name for name in _LEAST_WANTED if name in table):
        if sum(widths[name] for name in table) > width:
            del table[name]
    rows = [list(row) for row in zip(*table.values(), strict=True)]
    return list(table), rows, [*_gloss(report), *_verdicts(report), *_more_data(report), *_next(report), *_failures(report)]


def _fit(rung: MeasuredRung) -> str:
    took = rung.cost.whole_seconds
    told = MISSING if took is None else seconds(took)
    return f"{told} elsewhere" if rung.shipped and took is not None else "elsewhere" if rung.shipped else told


def _gloss(report: Report) -> list[str]:
    """What the columns mean, and how many posts they stand on."""
    scored, pairs = report.scored, report.scored.pairs
    answered = "comments" if pairs.get("comment") else "opening posts"
    typing = (
        f"bits/byte: lower is better, on {scored.typing_posts:,} posts. saved: share of keystrokes, on {scored.typed_posts:,}."
    )
    replies = f"recall@1 of 100: higher is better, on {pairs.get('comment') or pairs.get('story')} replies to {answered}."
    costs = "fit: with all a rung is made of. p99: of a keystroke, else a reply. ±: 95%."
    return [typing] * bool(scored.typing_posts) + [replies] * any(pairs.values()) + [costs]


def _verdicts(report: Report) -> list[str]:
    lines = []
    for kind in KINDS:
        if verdict := report.verdicts.get(kind):
            said = [*verdict.sentences, not_told_apart(report, kind), doubt(report, kind)]
            lines += ["", clean(verdict.headline), *(f"  {clean(sentence)}" for sentence in said if sentence)]
    return lines or ["", "No verdict: no rung was measured."]


def _more_data(report: Report) -> list[str]:
    return _under("With more data:", [str(overtaking) for overtaking in report.overtakings])


def _next(report: Report) -> list[str]:
    return _under("What to do next:", [f"{one.command}: {one.why}" for one in advice(report)])


def _failures(report: Report) -> list[str]:
    return _under("Not measured, or not to the end:", [f"{left.what}: {left.why}" for left in report.unfinished()])


def _under(heading: str, lines: list[str]) -> list[str]:
    return ["", heading, *(f"  {clean(line)}" for line in lines)] if lines else []

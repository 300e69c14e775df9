"""A ladder report for the terminal: one table that fits 80 columns, and the verdict in lines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rejoinder.ladder.formatting import (
    ANSWERS,
    KINDS,
    MISSING,
    Report,
    bits,
    check,
    clean,
    find,
    milliseconds,
    number,
    percent,
    seconds,
    with_margin,
)

COLUMNS = ["rung", "bits/byte", "saved", "recall@1", "fit", "p99", "note"]
_WHAT = {"typing": "finishing sentences", "replies": "ranking replies"}
_GLOSS = (
    "bits/byte: lower is better. saved: share of keystrokes. recall@1 of 100, replies to comments: higher is better. "
    "p99: of a keystroke, else a reply. ±: 95%."
)


def plain(report: Report) -> tuple[list[str], list[list[str]], list[str]]:
    """Columns and rows of a table, and the lines that go below it.

    Raises:
        UsageError: the report is of another version.
    """
    check(report)
    rows = [_row(report, rung) for rung in report.get("rungs") or ()]
    return list(COLUMNS), rows, [*([_GLOSS] if rows else []), *_verdicts(report), *_more_data(report), *_failures(report)]


def _row(report: Report, rung: Mapping[str, Any]) -> list[str]:
    p99 = number(rung, ("cost", "keystroke_ms", "p99")) or number(rung, ("cost", "reply_ms", "p99"))
    saved, fit = number(rung, ("typing", "all", "savings")), number(rung, ("cost", "fit_seconds"))
    return [
        clean(rung.get("name")),
        with_margin(rung, ("typing", "all", "bits_per_byte"), bits),
        MISSING if saved is None else percent(saved),
        with_margin(rung, ("replies", "comment", "recall@1"), bits),
        MISSING if fit is None else seconds(fit),
        MISSING if p99 is None else milliseconds(p99),
        ", ".join(notes_of(report, rung)),
    ]


def notes_of(report: Report, rung: Mapping[str, Any]) -> list[str]:
    """In a word each: what became of the rung, and whether the verdict names it."""
    state = rung.get("state")
    notes = [] if state == "measured" else [clean(state)]
    for kind in KINDS:
        for key, word in (("rung", "enough"), ("best", "best")):
            if kind in (rung.get("kind") or ()) and find(report, ("verdict", kind, key)) == rung.get("name"):
                notes.append(word)
    return list(dict.fromkeys(notes))


def _verdicts(report: Report) -> list[str]:
    lines = []
    for kind in KINDS:
        verdict = find(report, ("verdict", kind))
        if verdict:
            answer = f"{ANSWERS[verdict.get('neural')]}: a neural net for {_WHAT[kind]}."
            lines += ["", clean(verdict.get("headline")) or answer]
            lines += [f"  {clean(sentence)}" for sentence in verdict.get("sentences") or ()]
    return lines or ["", "No verdict: no rung was measured."]


def _more_data(report: Report) -> list[str]:
    crossings = [clean(c.get("words")) for c in report.get("crossings") or () if c.get("words")]
    return ["", "With more data:", *(f"  {words}" for words in crossings)] if crossings else []


def _failures(report: Report) -> list[str]:
    lines = [
        f"  {clean(rung.get('name'))} {clean(rung.get('state'))}: {clean(rung.get('why')) or 'no reason was given'}"
        for rung in report.get("rungs") or ()
        if rung.get("state") != "measured"
    ]
    lines += [f"  {clean(left.get('what'))}: {clean(left.get('why'))}" for left in report.get("skipped") or ()]
    return ["", "Not measured, or not to the end:", *lines] if lines else []

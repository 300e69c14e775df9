"""A ladder report as one HTML file that needs nothing else: no network, no fonts, no pictures.

The answer stands first, in plain words, then the plots, then every figure. What comes from the report is foreign text and is
escaped. The page's own policy lets only the style and the script written here into effect, by their hashes, and forbids all
else, the network first; the page reads fully without the script, which only sorts tables.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from html import escape
from importlib import resources
from typing import Any

from rejoinder.ladder import plots
from rejoinder.ladder.columns import (
    PAIRS,
    PARTS,
    Column,
    cost_columns,
    exact_columns,
    reply_columns,
    typing_columns,
    word_columns,
)
from rejoinder.ladder.formatting import (
    ANSWERS,
    KINDS,
    MISSING,
    Report,
    between,
    check,
    clean,
    find,
    interval,
    number,
    rounded,
    rungs_of,
    seconds,
    signed,
    size,
    with_interval,
)
from rejoinder.ladder.svg import tag
from rejoinder.ladder.table import notes_of

_UNIT = re.compile(r"(?<=\d) (?=(?:s|ms|min|h|kB|MB|GB)\b)")
_QUESTION = {"typing": "to finish a sentence", "replies": "to find the right reply"}
_HEADING = {"typing": "Finishing sentences", "replies": "Finding the reply"}

_FRONT = "The line joins the rungs that none beats in both; the others are hollow."
_CURVES = "Lines are the law fitted to the points, dashed beyond them."
_STEPS = "Each rung against the one below, on the same posts; hollow where chance could explain it."
_GATE = "A gate that lets more through is right less often."
_WAIT = "From the median (filled) to the slowest of a hundred (hollow)."
_APART = "Near-repeats of training text (hollow) flatter rungs that count."


def page(report: Report) -> str:
    """The whole page.

    Raises:
        UsageError: the report is of another version.
    """
    check(report)
    style, script = _packaged("page.css"), _packaged("page.js")
    forum = _text(find(report, ("archive", "forum"))) or "this archive"
    main = [
        _opening(report, forum),
        *(_kind(report, kind) for kind in KINDS),
        _figures(report),
        _omitted(report),
        _method(report),
    ]
    head = [
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy()}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        '<link rel="icon" href="data:,">',
        f"<title>Do I need a neural net? The ladder on {forum}</title>",
        f"<style>{style}</style>",
    ]
    body = f"<main>{''.join(main)}</main>\n<script>{script}</script>"
    return f'<!doctype html>\n<html lang="en">\n<head>\n{chr(10).join(head)}\n</head>\n<body>\n{body}\n</body>\n</html>\n'


def policy() -> str:
    """The Content-Security-Policy of the page: the same must be sent by a server that sends one."""
    style, script = _hash(_packaged("page.css")), _hash(_packaged("page.js"))
    return f"default-src 'none'; style-src {style}; script-src {script}; img-src data:; base-uri 'none'; form-action 'none'"


def _opening(report: Report, forum: str) -> str:
    scored, archive = report.get("scored") or {}, report.get("archive") or {}
    counted = [
        _counted(find(archive, ("posts", "train")), "posts learned from"),
        _counted(scored.get("typing_posts"), "held-out posts finished"),
        _counted((scored.get("comment_pairs") or 0) + (scored.get("story_pairs") or 0), "replies looked for among 100"),
        _counted(sum(rung.get("state") == "measured" for rung in report.get("rungs") or ()), "rungs measured to the end"),
    ]
    day = _text(report.get("when"))[:10]
    kicker = tag("p", f"The ladder on <b>{forum}</b>{day and f', {day}'}", class_="kicker")
    answers = tag("div", *(_answer(report, kind) for kind in KINDS), class_="answers")
    return tag(
        "header",
        kicker,
        tag("h1", "Do I need a neural net?"),
        answers,
        tag("p", " · ".join(filter(None, counted)), class_="counted"),
    )


def _answer(report: Report, kind: str) -> str:
    """One verdict, the answer first."""
    question = tag("h2", f"… {_QUESTION[kind]}")
    verdict = find(report, ("verdict", kind))
    if not verdict:
        return tag(
            "section",
            question,
            tag("p", "Not measured", class_="answer unknown"),
            tag("p", "No rung of this kind was measured."),
            class_="card",
        )
    answer = ANSWERS[verdict.get("neural")]
    big = tag("p", answer, class_="answer" + (" unknown" if verdict.get("neural") is None else ""))
    chosen, best = _text(verdict.get("rung")), _text(verdict.get("best"))
    margin = number(report, ("margin",))
    within = f" (within {100 * margin:.3g}% of the best)" if margin is not None and chosen != best else ""
    facts = [
        f"cheapest that is good enough{within}: <b>{chosen}</b>" if chosen else "",
        f"best measured: <b>{best}</b>" if best else "",
    ]
    return tag(
        "section",
        question,
        big,
        tag("p", _text(verdict.get("headline")), class_="headline"),
        *(tag("p", _text(sentence)) for sentence in verdict.get("sentences") or ()),
        tag("p", "<br>".join(filter(None, facts)), class_="facts") if any(facts) else "",
        class_="card",
    )


def _kind(report: Report, kind: str) -> str:
    """The plots of one kind."""
    latency = "keystroke_ms" if kind == "typing" else "reply_ms"
    drawn = [
        _plot("Quality against time to fit", _FRONT, lambda w: plots.quality_and_cost(report, kind, "fit_seconds", w)),
        _plot("Quality against waiting", _FRONT, lambda w: plots.quality_and_cost(report, kind, latency, w)),
        _plot("What more data would buy", _CURVES, lambda w: plots.learning_curves(report, kind, w), _beyond(report, kind)),
        _plot("What each step up buys", _STEPS, lambda w: plots.steps(report, kind, w)),
        _plot(
            "How long one waits",
            _WAIT,
            lambda w: plots.latency(report, kind, w),
        ),
    ]
    if kind == "typing":
        drawn.insert(3, _plot("When to speak", _GATE, lambda w: plots.gates(report, w)))
        drawn.append(_plot("Novel text and repeats", _APART, lambda w: plots.apart(report, w)))
    if not any(drawn):
        return ""
    key = tag(
        "p",
        '<span class="key">◆</span> with a neural net <span class="key">●</span> without; bars are 95% intervals.',
        class_="legend",
    )
    return tag("section", tag("h2", _HEADING[kind]), key, tag("div", *drawn, class_="plots"), class_="kind")


def _plot(heading: str, caption: str, draw: Callable[[float], str], after: str = "") -> str:
    """A plot in both widths; nothing where there is nothing to draw."""
    wide = draw(plots.WIDE)
    if not wide:
        return ""
    pictures = tag("div", wide, draw(plots.NARROW))
    return tag(
        "figure", tag("h3", heading), pictures, tag("figcaption", tag("p", caption), after), class_="both" if after else None
    )


def _beyond(report: Report, kind: str) -> str:
    """What the curves say of more data, in words."""
    crossings = [_text(c.get("words")) for c in report.get("crossings") or () if c.get("kind") == kind and c.get("words")]
    changes = [
        f"<b>{_text(rung.get('name'))}</b> {with_interval(rung, ('law', 'doubling'), signed)}"
        for rung in rungs_of(report, kind)
        if find(rung, ("law", "kind")) == kind and number(rung, ("law", "doubling")) is not None
    ]
    twice = tag("p", f"With twice the data, {plots.QUALITY[kind].name} would change by:") + _list(changes) if changes else ""
    return _list(crossings) + twice


def _list(lines: Sequence[str]) -> str:
    """A list of markup."""
    return tag("ul", *(tag("li", line) for line in lines)) if lines else ""


def _figures(report: Report) -> str:
    """Every figure, in tables."""
    tables = [table(report, "Finishing sentences", "typing", typing_columns(), why=True)]
    for heading, columns in (("The next word", word_columns), ("The next N words, all right", exact_columns)):
        tables.append(table(report, f"{heading}: {PARTS['all']}", "typing", columns("all")))
        folded = [table(report, f"{heading}: {PARTS[part]}", "typing", columns(part)) for part in ("novel", "repeats")]
        if any(folded):
            tables.append(tag("details", tag("summary", f"{heading}, on novel text and near-repeats apart"), *folded))
    for n, (pairs, name) in enumerate(PAIRS.items()):
        tables.append(table(report, f"Finding the reply: {name}", "replies", reply_columns(pairs), why=n == 0))
    tables.append(table(report, "Costs", "", cost_columns(), why=not any(tables)))
    if not any(tables):
        return tag("section", tag("h2", "Every figure"), tag("p", "Nothing was measured."))
    note = "Below each figure, its 95% interval." + tag("span", " Press a heading to sort.", class_="hint")
    return tag("section", tag("h2", "Every figure"), tag("p", note, class_="legend"), *tables, class_="figures")


def table(report: Report, title: str, kind: str, columns: Sequence[Column], *, why: bool = False) -> str:
    """One table, a row for each rung of `kind` ("" is all); columns without any figure are left out.

    With `why`, a rung that was not measured to the end says why.
    """
    rungs = rungs_of(report, kind) if kind else list(report.get("rungs") or ())
    columns = [c for c in columns if any(number(rung, c.path) is not None for rung in rungs)]
    if not columns:
        return ""
    heads = [_head("rung", ""), *(_head(c.title, c.better) for c in columns), "" if kind else _head("needs", "")]
    rows = [
        tag("tr", _name(report, rung, why=why), *(_cell(rung, c) for c in columns), _needs(rung) if not kind else "")
        for rung in rungs
    ]
    inside = tag("table", tag("caption", tag("span", escape(title))), tag("thead", tag("tr", *heads)), tag("tbody", *rows))
    return tag("div", inside, class_="scroll", role="region", aria_label=title, tabindex=0)


def _head(title: str, better: str) -> str:
    way = {"lower": "\u00a0↓", "higher": "\u00a0↑"}.get(better, "")
    hint = {"lower": "lower is better", "higher": "higher is better"}.get(better)
    return tag(
        "th",
        escape(title) + tag("span", way, class_="way", title=hint) if way else escape(title),
        scope="col",
        data_better=better or None,
    )


def _name(report: Report, rung: Mapping[str, Any], *, why: bool) -> str:
    """The rung, what became of it, and why."""
    state = rung.get("state")
    notes = [tag("span", escape(note), class_="badge" + (" state" if note == state else "")) for note in notes_of(report, rung)]
    neural = tag(
        "span",
        "◆" if rung.get("neural") else "●",
        class_="key",
        title="with a neural net" if rung.get("neural") else "without one",
    )
    reason = tag("span", _text(rung.get("why")), class_="why") if why and state != "measured" else ""
    name = tag("span", neural, "\u00a0", _text(rung.get("name")), class_="name")
    return tag("th", " ".join([name, *notes]), reason, scope="row", data_value=clean(rung.get("name")))


def _cell(rung: Mapping[str, Any], column: Column) -> str:
    value = number(rung, column.path)
    if value is None:
        return tag("td", tag("span", MISSING, class_="dim"))
    ends = between(interval(rung, column.path), column.show)
    return tag("td", column.show(value), tag("span", ends, class_="ends") if ends else "", data_value=repr(value))


def _needs(rung: Mapping[str, Any]) -> str:
    needs = ", ".join(clean(extra) for extra in find(rung, ("cost", "needs")) or ())
    said = needs or "the base install" if rung.get("cost") else ""
    return tag("td", escape(said) or MISSING, data_value=said or None)


def _omitted(report: Report) -> str:
    """What failed, what was stopped, what was skipped, and why."""
    lines = [
        f"<b>{_text(rung.get('name'))}</b> {_text(rung.get('state'))}: {_text(rung.get('why')) or 'no reason was given'}"
        for rung in report.get("rungs") or ()
        if rung.get("state") != "measured"
    ]
    lines += [f"<b>{_text(left.get('what'))}</b>: {_text(left.get('why'))}" for left in report.get("skipped") or ()]
    said = _list(lines) or tag("p", "Nothing: every rung was measured to the end.")
    return tag("section", tag("h2", "What is not here, and why"), said)


def _method(report: Report) -> str:
    """On what, of what, and where it was measured."""
    margin = number(report, ["margin"]) or 0.0
    facts = {
        "archive": _archive(report.get("archive") or {}),
        "its hash": _text(find(report, ("archive", "hash"))),
        **_scored(report.get("scored") or {}),
        "ghost text": _text(report.get("policy")),
        "margin": f"a rung within {100 * margin:.3g}% of the best is as good",
        "intervals": "95%, by bootstrap over threads; steps are paired tests on the same posts",
        "machine": _machine(report.get("machine") or {}),
        "run": _run(report),
    }
    rows = (tag("dt", name) + tag("dd", said) for name, said in facts.items() if said)
    return tag("section", tag("h2", "How it was measured"), tag("dl", *rows))


def _archive(archive: Mapping[str, Any]) -> str:
    if not archive:
        return ""
    text = number(archive, ["bytes"])
    said = [_text(archive.get("forum")) + (f", {size(text)} of text" if text is not None else "")]
    for part in ("train", "dev", "test"):
        posts, threads = (_number(find(archive, (what, part))) for what in ("posts", "threads"))
        said.append(f"{part} {posts} posts of {threads} threads")
    return "; ".join(said)


def _scored(scored: Mapping[str, Any]) -> dict[str, str]:
    if not scored:
        return {}
    names = ("typing_posts", "typing_bytes", "novel_posts", "repeat_posts", "comment_pairs", "story_pairs")
    posts, text, novel, repeats, comments, stories = (_number(scored.get(name)) for name in names)
    same = number(scored, ["same_thread"])
    harder = f"; of the harder ones {rounded(same)} are from the same thread, on average" if same is not None else ""
    return {
        "finished": f"{posts} held-out posts, {text} bytes: {novel} novel, {repeats} near-repeats",
        "ranked": f"{comments} answers to comments, {stories} to opening posts, each among 99 others{harder}",
    }


def _machine(machine: Mapping[str, Any]) -> str:
    if not machine:
        return ""
    memory = number(machine, ["memory"])
    said = [
        _text(machine.get("cpu")),
        f"{_number(machine.get('cores'))} cores",
        f"{size(memory)} of memory" if memory is not None else "",
        _text(machine.get("system")),
        f"Python {_text(machine.get('python'))}",
    ]
    return ", ".join(filter(None, said))


def _run(report: Report) -> str:
    took, budget = number(report, ["seconds"]), number(report, ["budget"])
    said = [
        _text(report.get("when")),
        f"took {seconds(took)}" if took is not None else "",
        f"budget {seconds(budget)}" if budget is not None else "no budget",
        f"seed {_number(report.get('seed'))}",
        f"rejoinder {_text(report.get('code')) or 'of no known version'}",
    ]
    return ", ".join(filter(None, said))


def _counted(value: Any, what: str) -> str:
    return f"<b>{value:,.0f}</b> {what}" if value else ""


def _number(value: Any) -> str:
    return MISSING if number(value) is None else f"{value:,}"


def _text(value: object) -> str:
    """Foreign text; a number and its unit stay on one line."""
    return _UNIT.sub("\u00a0", escape(clean(value)))


def _packaged(name: str) -> str:
    return resources.files("rejoinder.ladder").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"

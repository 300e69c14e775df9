"""A ladder report as one HTML file that needs nothing else: no network, no fonts, no pictures.

The answer stands first, in plain words, then the plots, then every figure: `report.html` is the template. What comes from the
report is foreign text and is escaped. The page's own policy lets only the style and the script written here into effect, by
their hashes, and forbids all else, the network first; the page reads fully without the script, which only sorts tables.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from importlib import resources

from jinja2 import Environment, FunctionLoader, StrictUndefined, Template
from markupsafe import Markup

from rejoinder.ladder import columns, formatting, plots
from rejoinder.ladder.advice import advice, doubt, facts, not_told_apart, notes
from rejoinder.ladder.report import KINDS, Kind, MeasuredRung, Report

_UNIT = re.compile(r"(?<=\d) (?=(?:s|ms|min|h|kB|MB|GB)\b)")


_Rows = tuple[list[MeasuredRung], tuple[Kind, ...], str]  # of a table: its rungs, their kinds, and what figures stand on


@dataclass(frozen=True)
class Table:
    """One table: columns, and a row for each of its rungs."""

    title: str
    columns: list[columns.Column]
    rungs: list[MeasuredRung]
    kinds: tuple[Kind, ...] = KINDS  # whose verdicts its badges tell
    unit: str = ""  # what figures stand on: posts, pairs
    needs: bool = False  # whether it says which extra a rung needs
    folded: bool = False


def page(report: Report) -> str:
    """The report as one file of HTML, with style, script and plots inside."""
    return render(
        "report.html",
        report=report,
        plots=plots,
        drawn=_drawn,
        tables=_tables(report),
        notes=notes,
        doubt=doubt,
        facts=facts,
        not_told_apart=not_told_apart,
        advice=advice(report),
        fewest=columns.FEWEST,
    )


def render(template: str, **given: object) -> str:
    """A page of our style from one of our templates; whatever it is given is escaped, unless it is markup of our own."""
    style, script = (Markup(_packaged(f"page.{kind}")) for kind in ("css", "js"))  # noqa: S704 - files of our own
    return _template(template).render(style=style, script=script, policy=Markup(policy()), **given)  # noqa: S704 - hashes


def policy() -> str:
    """The Content-Security-Policy of the page: the same must be sent by a server that sends one."""
    style, script = _hash(_packaged("page.css")), _hash(_packaged("page.js"))
    return f"default-src 'none'; style-src {style}; script-src {script}; img-src data:; base-uri 'none'; form-action 'none'"


def _drawn(draw: Callable[..., str], report: Report, kind: Kind) -> Markup:
    """A plot in both widths; empty where there is nothing to draw."""
    return Markup("").join(Markup(draw(report, kind, width)) for width in (plots.WIDE, plots.NARROW))  # noqa: S704 - escaped in svg


def _tables(report: Report) -> list[Table]:
    """Every figure; columns and rows without any are left out, and tables without columns."""
    typing: _Rows = (report.of_kind("typing"), ("typing",), "posts")
    replies: _Rows = (report.of_kind("replies"), ("replies",), "pairs")
    found = [Table("Finishing sentences", columns.typing_columns(), *typing)]
    for heading, of in (("The next word", columns.word_columns), ("The next N words, all right", columns.exact_columns)):
        found += [Table(f"{heading}: {name}", of(p), *typing, folded=p != "all") for p, name in columns.PART_NAMES.items()]
    found += [Table(f"Finding the reply: {name}", columns.reply_columns(p), *replies) for p, name in columns.PAIR_NAMES.items()]
    found.append(Table("Costs", columns.cost_columns(), [rung for rung in report.rungs if rung.kinds], needs=True))
    return [shown for table in found if (shown := _worth_showing(table)).columns]


def _worth_showing(table: Table) -> Table:
    kept = columns.worth_showing(table.columns, table.rungs)
    rungs = [rung for rung in table.rungs if any(column.of(rung) is not None for column in kept)]
    return replace(table, columns=kept, rungs=rungs)


@cache
def _template(name: str) -> Template:
    """A template; whatever it is given is escaped, on one line, and a number stays with its unit."""
    env = Environment(
        loader=FunctionLoader(_packaged),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=lambda said: said if isinstance(said, Markup) else _UNIT.sub("\u00a0", formatting.clean(said)),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.globals["f"] = formatting
    return env.get_template(name)


def _packaged(name: str) -> str:
    return resources.files("rejoinder.ladder").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"

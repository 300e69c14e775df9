"""What a reader should do with a ladder report, as commands, and how far it is to be trusted."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from rejoinder.ladder.formatting import bits, milliseconds, percent, seconds, size, with_interval
from rejoinder.ladder.metrics import FEWEST, LEVEL
from rejoinder.ladder.report import KINDS, MAY_HAVE_READ, Kind, MeasuredRung, Report
from rejoinder.ladder.verdict import few

_PIECES: dict[Kind, str] = {"typing": "posts", "replies": "pairs"}
_MORE = 4  # times the budget: intervals half as wide


@dataclass(frozen=True)
class Advice:
    """A command, and what it is for."""

    command: str
    why: str


def advice(report: Report) -> list[Advice]:
    """What to do next."""
    rungs = {rung.name: rung for rung in report.rungs}
    taken = [rungs[verdict.rung] for verdict in report.verdicts.values() if verdict.rung in rungs]
    found = []
    fitted, came = ([rung for rung in taken if rung.shipped == shipped] for shipped in (False, True))
    if fitted:
        to_fit = dict.fromkeys(name for rung in fitted for name in (*rung.parts, rung.name.split()[0]))
        sets = "".join(f" --set {shlex.quote(one)}" for one in dict.fromkeys(one for rung in fitted for one in rung.settings))
        why = f"learn what was taken here from your archive{_extras(fitted)}"
        found.append(Advice(f"rejoinder fit {' '.join(to_fit)}{sets}", why))
    if taken:
        why = f"; {', '.join(rung.name for rung in came)} came fitted{_extras(came)}" if came else ""
        found.append(Advice("rejoinder serve", f"write with it{why}"))
    stopped = [rung.name for rung in report.rungs if rung.state == "stopped"]
    unsure = any(verdict.neural is None for verdict in report.verdicts.values())
    few_threads = any(threads < FEWEST for threads in report.scored.threads.values())  # time brings no more of them
    if report.budget is not None and (stopped or (unsure and not few_threads)):
        why = "more time, so that more held-out posts are measured"
        if stopped:
            why += f" and these are fitted to the end: {', '.join(stopped)}"
        again = ["rejoinder", "ladder", *report.asked, "--budget", _minutes(report.budget * _MORE)]
        found.append(Advice(shlex.join(again), why))
    if unsure and (few_threads or report.budget is None):
        found.append(Advice("rejoinder import FILE", "more posts, of which a tenth is held out to measure on"))
    return found


def _extras(rungs: Iterable[MeasuredRung]) -> str:
    """What must be installed for them, if anything."""
    extras = sorted({rung.cost.needs for rung in rungs if rung.cost.needs})
    return f"; needs the extra {', '.join(extras)}" if extras else ""


def facts(report: Report, kind: Kind) -> list[tuple[str, str]]:
    """Which one, at what cost, how good and how sure: a line each, of the rung that the verdict takes; empty for no verdict."""
    verdict = report.verdicts.get(kind)
    taken = next((rung for rung in report.rungs if verdict and rung.name == verdict.rung), None)
    if verdict is None or taken is None:
        return []
    which = (
        "the best measured"
        if verdict.rung == verdict.best
        else f"the cheapest within {100 * report.margin:.3g}% of the best, {verdict.best}"
    )
    found = [("take", f"{taken.name}, {which}"), ("cost", ", ".join(_costs(taken, kind)))]
    if quality := report.quality(taken, kind):
        typing = kind == "typing"
        unit = "bits per byte, lower is better" if typing else "of the true replies stand first of 100"
        found.append(("quality", f"{with_interval(quality, bits if typing else percent)} {unit}"))
        by = f"by {quality.number:,} held-out {_PIECES[kind]}, " if quality.number else ""
        read = "; it may have read these very posts, which flatters it" if taken.cost.elsewhere.endswith(MAY_HAVE_READ) else ""
        found.append(("how sure", f"{by}intervals of 95%; they show {_seen(report, kind)}{read}"))
    return found


def _costs(rung: MeasuredRung, kind: Kind) -> list[str]:
    """To fit, to wait and to keep, and what must be installed."""
    cost, latency = rung.cost, rung.latency(kind)
    fitted = "not fitted" if cost.whole_seconds is None else f"fitted in {seconds(cost.whole_seconds)}"
    elsewhere = cost.elsewhere.removesuffix(MAY_HAVE_READ)
    found = [elsewhere or "came fitted"] if rung.shipped else [fitted, *([elsewhere] if elsewhere else [])]
    if latency is not None:
        each = "keystroke" if kind == "typing" else "reply"
        found.append(f"{milliseconds(latency.p50)} a {each} ({milliseconds(latency.p99)} the slowest of 100)")
    if cost.disk_bytes is not None:
        found.append(size(cost.disk_bytes))
    return [*found, f"needs the extra {cost.needs}" if cost.needs else "base install"]


def _minutes(seconds: float) -> str:
    minutes = math.ceil(seconds / 60)
    return f"{minutes // 60}h" if minutes % 60 == 0 else f"{minutes}m"


def doubt(report: Report, kind: Kind) -> str:
    """One sentence of doubt: how small a difference between two rungs these posts or pairs can show; empty for no steps."""
    steps = [step for step in report.steps if step.kind == kind]
    if not steps:
        return ""
    if (threads := report.scored.threads.get(kind, FEWEST)) < FEWEST:
        return f"Nothing here is sure: {few(threads)}."
    number = f"{steps[0].gain.number or 0:,} {_PIECES[kind]}"
    together = "the intervals of all steps hold together in 95 of 100 such archives"
    if report.level.get(kind, LEVEL) == LEVEL and len(steps) > 1:  # a report of before they were widened
        together = f"of {len(steps)} comparisons at 95% one in twenty misleads"
    return f"Your archive can show {_seen(report, kind)}, by {number}; smaller ones may be chance, and {together}."


def _seen(report: Report, kind: Kind) -> str:
    """How small a difference between two rungs can be told."""
    widths = [(step.gain.high - step.gain.low) / 2 for step in report.steps if step.kind == kind]
    if not widths:
        return "nothing to compare with"
    if (threads := report.scored.threads.get(kind, FEWEST)) < FEWEST:
        return f"nothing, as {few(threads)}"
    width = median(widths)
    return f"differences above about {percent(width) + ' of the bits' if kind == 'typing' else f'{width:.2g} of recall@1'}"


def not_told_apart(report: Report, kind: Kind) -> str:
    """Which rungs these posts do not tell from the best, in a sentence; empty where it stands alone."""
    first = next(iter(report.ties.get(kind, ())), ())
    return f"Not told apart from the best, {first[0]}: {', '.join(first[1:])}." if len(first) > 1 else ""


def notes(report: Report, rung: MeasuredRung, kinds: Iterable[Kind] = KINDS) -> list[str]:
    """In a word each: what became of a rung, and whether the verdict of one of these kinds names it."""
    found: list[str] = [] if rung.state == "measured" else [rung.state]
    for kind in kinds:
        verdict = report.verdicts.get(kind) if kind in rung.kinds else None
        found += (
            [word for name, word in ((verdict.rung, "enough"), (verdict.best, "best")) if name == rung.name] if verdict else []
        )
    return list(dict.fromkeys(found))

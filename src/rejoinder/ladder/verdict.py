"""The verdict: which rung to take, whether it is a net, and what the next one up or down would give and cost.

A rung is good enough if the best one is ahead of it by no more than a stated margin. Of those that are, the cheapest to fit is
taken. A net is needed if the best net is ahead of the best rung without one by more than the margin, and the 95% interval of that
paired difference lies above 0. It is not if the net is ahead by no more than the margin, and surely by no more than twice that.
What a budget stopped before its dev curve was flat, or before it was measured, might do better with more time, so a "no" that
depends on it becomes "cannot tell".

Explained in docs/tour/08-do-i-need-neural-nets.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rejoinder.ladder.metrics import Estimate

Kind = Literal["typing", "replies"]
KINDS: tuple[Kind, ...] = ("typing", "replies")
MARGIN = 0.03  # of the bits, or of recall@1: what is no further behind is as good
_JOBS: dict[Kind, str] = {"typing": "finish sentences", "replies": "find replies"}
_UNITS: dict[Kind, str] = {"typing": "fewer bits", "replies": "more true replies found first"}


@dataclass(frozen=True)
class Contender:
    """A measured rung, as far as a verdict needs it."""

    name: str
    net: bool  # it is one, or is made of one
    score: float  # higher is better
    seconds: float  # to fit, with all it is made of; 0 where it came with the package
    milliseconds: float | None  # of a keystroke, or of a reply
    bytes: int
    settled: bool = True  # the budget let it end, or its dev curve was flat
    why: str = ""  # it is not settled


Gain = Callable[[str, str], Estimate]  # how far the first is ahead of the second, paired: a share of the bits, or recall@1


def verdict(kind: Kind, contenders: Sequence[Contender], gain: Gain, unmeasured: Sequence[str] = ()) -> dict[str, Any] | None:
    """What to take, in plain words; None if nothing was measured. `unmeasured` are nets that the budget left no time for.

    Returns:
        `neural` (true, false, or None: cannot tell), `headline`, `rung`, `best` and `sentences`.
    """
    if not contenders:
        return None
    best = max(contenders, key=lambda one: one.score)
    plain = max((one for one in contenders if not one.net), key=lambda one: one.score, default=None)
    net = max((one for one in contenders if one.net), key=lambda one: one.score, default=None)
    answer, why = _needed(plain, net, gain, [*(one.name for one in contenders if one.net and not one.settled), *unmeasured])
    able = [one for one in contenders if one is best or gain(best.name, one.name).value <= MARGIN]
    if answer is False:
        able = [
            one for one in contenders if not one.net and plain and (one is plain or gain(plain.name, one.name).value <= MARGIN)
        ]
    taken = min(able, key=lambda one: (one.seconds, one.milliseconds or 0.0))
    sentences = [_taking(kind, taken, best, gain), *why, *_steps(kind, contenders, taken, gain)]
    sentences += [f"{one.name} {one.why}, so what it could do with more time cannot be told." for one in contenders if one.why]
    return {
        "neural": answer,
        "headline": _headline(kind, answer),
        "rung": taken.name,
        "best": best.name,
        "sentences": sentences,
    }


def _headline(kind: Kind, answer: bool | None) -> str:
    if answer is None:
        return f"Whether you need a neural net to {_JOBS[kind]} here cannot be told."
    return f"{'Yes, you need' if answer else 'No, you do not need'} a neural net to {_JOBS[kind]} here."


def _needed(
    plain: Contender | None, net: Contender | None, gain: Gain, unsettled: Sequence[str]
) -> tuple[bool | None, list[str]]:
    """Whether a net is needed, and why."""
    if net is None:
        return None, ["No net was measured, so there is nothing to compare with."]
    if plain is None:
        return True, ["Nothing but nets was measured."]
    lead = gain(net.name, plain.name)
    facts = f"the best net, {net.name}, is {_apart(lead)} the best rung without one, {plain.name}"
    if lead.value > MARGIN and lead.low > 0:
        return True, [f"It is needed since {facts}, more than the margin of {MARGIN:.0%}."]
    if lead.value > MARGIN:
        return None, [f"It cannot be told since {facts}: too few threads were measured to be sure."]
    if unsettled:
        return None, [f"So far {facts}, no more than the margin of {MARGIN:.0%}, but the budget stopped {', '.join(unsettled)}."]
    if lead.high > 2 * MARGIN:
        return None, [f"It cannot be told since {facts}: too few threads were measured to be sure that it is not."]
    return False, [f"It is not needed since {facts}; the margin is {MARGIN:.0%}."]


def _taking(kind: Kind, taken: Contender, best: Contender, gain: Gain) -> str:
    cost = _cost(kind, taken)
    if taken is best:
        return f"Take {taken.name}: the best of all, and nothing cheaper is within {MARGIN:.0%} of it; {cost}."
    more = f"{_points(gain(best.name, taken.name))} {_UNITS[kind]}"
    return f"Take {taken.name}, the cheapest that is good enough: the best, {best.name}, gives {more}; {cost}."


def _steps(kind: Kind, contenders: Sequence[Contender], taken: Contender, gain: Gain) -> list[str]:
    """What the next rung up, and the next one down, would give and cost."""
    found = []
    above = [one for one in contenders if one.score > taken.score and gain(one.name, taken.name).low > 0]
    below = [one for one in contenders if one.score < taken.score and one.seconds < taken.seconds]
    if above:
        up = min(above, key=lambda one: (one.seconds, -one.score)) if len(above) > 1 else above[0]
        found.append(f"One rung up, {up.name} gives {_points(gain(up.name, taken.name))} {_UNITS[kind]}, for {_more(taken, up)}.")
    if below:
        down = max(below, key=lambda one: one.score)
        found.append(
            f"One rung down, {down.name} loses {_points(gain(taken.name, down.name))} of that, and saves {_more(down, taken)}."
        )
    return found


def _cost(kind: Kind, one: Contender) -> str:
    when = f"it is fitted in {_seconds(one.seconds)}" if one.seconds else "it comes with the package, fitted"
    unit = "keystroke" if kind == "typing" else "reply"
    speed = f", takes {one.milliseconds:.2g} ms a {unit}" if one.milliseconds is not None else ""
    return f"{when}{speed}, {one.bytes / 1e6:,.1f} MB"


def _more(cheap: Contender, dear: Contender) -> str:
    """What `dear` costs more than `cheap`."""
    parts = [f"{_seconds(max(dear.seconds - cheap.seconds, 0.0))} of fitting"]
    if dear.milliseconds is not None and cheap.milliseconds is not None and dear.milliseconds > cheap.milliseconds:
        parts.append(f"{dear.milliseconds - cheap.milliseconds:.2g} ms each time")
    return " and ".join(parts)


def _points(gain: Estimate) -> str:
    """A gain with its interval, in per cent or points, which are the same hundredths here."""
    return f"{100 * gain.value:.1f}% ({100 * gain.low:.1f} to {100 * gain.high:.1f})"


def _apart(lead: Estimate) -> str:
    if lead.value >= 0:
        return f"{_points(lead)} ahead of"
    return f"{_points(Estimate(-lead.value, -lead.high, -lead.low))} behind"


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"

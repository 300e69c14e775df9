"""The verdict: which rung to take, whether it is a net, and what the next one up or down would give and cost.

A rung is good enough if the best one is ahead of it by no more than a stated margin. Of those that are, the cheapest is
taken: the one that keeps the machine busy for the shortest time, to be fitted once and used for a week (`USES`). A net is
needed if the best net is ahead of the best rung without one by more than the margin, and the 95% interval of that paired
difference lies above 0. It is not if the net is ahead by no more than the margin, and surely by no more than twice that.
What a budget stopped before its dev curve was flat, or before it was measured, might do better with more time, so a "no"
that depends on it becomes "no difference found". So does every answer by fewer than `FEWEST` threads.

Explained in docs/tour/08-do-i-need-neural-nets.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rejoinder.ladder.formatting import seconds as shown
from rejoinder.ladder.metrics import FEWEST, Estimate
from rejoinder.ladder.report import Figure, Kind, Verdict

MARGIN = 0.03  # of the bits, or of recall@1: what is no further behind is as good
USES: dict[Kind, int] = {"typing": 50_000, "replies": 500}  # keystrokes, and replies asked for, of somebody's week
_JOBS: dict[Kind, str] = {"typing": "finish sentences", "replies": "find replies"}
_PIECES: dict[Kind, str] = {"typing": "posts", "replies": "answered posts"}
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
    elsewhere: str = ""  # what its training cost where that happened, if not here

    def cost(self, kind: Kind) -> float:
        """Seconds that it keeps the machine busy, to be fitted once and used for a week."""
        return self.seconds + USES[kind] * (self.milliseconds or 0.0) / 1000


Gain = Callable[[str, str], Figure]  # how far the first is ahead of the second, paired: a share of the bits, or recall@1


def verdict(
    kind: Kind, contenders: Sequence[Contender], gain: Gain, unmeasured: Sequence[str] = (), threads: int = FEWEST
) -> Verdict | None:
    """What to take, in plain words; None if nothing was measured.

    `unmeasured` are nets that the budget left no time for; the gains stand on so many `threads`.
    """
    if not contenders:
        return None
    best = max(contenders, key=lambda one: one.score)
    plain = max((one for one in contenders if not one.net), key=lambda one: one.score, default=None)
    net = max((one for one in contenders if one.net), key=lambda one: one.score, default=None)
    unsettled = [*(one.name for one in contenders if one.net and not one.settled), *unmeasured]
    answer, why = _needed(kind, plain, net, gain, unsettled)
    if answer is not None and threads < FEWEST:
        answer, why = None, f"No difference found: {few(threads)}."
    starved = [one.name for one in contenders if not one.net and not one.settled]
    if answer and starved:
        why += f" But the budget stopped {', '.join(starved)}, without a net, which may come nearer."
    able = [one for one in contenders if one is best or gain(best.name, one.name).value <= MARGIN]
    if answer is False:
        able = [
            one for one in contenders if not one.net and plain and (one is plain or gain(plain.name, one.name).value <= MARGIN)
        ]
    taken = min(able, key=lambda one: one.cost(kind))
    sentences = [_taking(kind, taken, best, gain), why, *_steps(kind, contenders, taken, gain)]
    if stopped := [f"{one.name} {one.why}" for one in contenders if one.why]:
        sentences.append(f"With more time these may do better: {'; '.join(stopped)}.")
    return Verdict(
        answer, _headline(kind, answer, net, starved=bool(answer and starved)), taken.name, best.name, tuple(sentences)
    )


def few(threads: int) -> str:
    """Why nothing can be told by what was measured on so few threads."""
    of = f"{threads} thread{'s' * (threads != 1)}"
    return f"what was measured is of {of}, and posts of one thread are alike, so it takes {FEWEST} to tell chance from more"


def ties(names: Sequence[str], gain: Gain) -> tuple[tuple[str, ...], ...]:
    """Names, the best first, in groups that are not told apart: one, and those after it that it is not surely ahead of."""
    found: list[tuple[str, ...]] = []
    left = list(names)
    while left:
        first = left[0]
        found.append((first, *(name for name in left[1:] if gain(first, name).low <= 0)))
        left = [name for name in left if name not in found[-1]]
    return tuple(found)


def _headline(kind: Kind, answer: bool | None, net: Contender | None, *, starved: bool) -> str:
    if answer is None:
        found = "No difference found" if net else "No net measured"
        return f"{found}: whether you need a neural net to {_JOBS[kind]} here is open."
    if starved:
        return f"So far, yes: you need a neural net to {_JOBS[kind]} here, but not all without one were fitted to the end."
    return f"{'Yes, you need' if answer else 'No, you do not need'} a neural net to {_JOBS[kind]} here."


def _needed(
    kind: Kind, plain: Contender | None, net: Contender | None, gain: Gain, unsettled: Sequence[str]
) -> tuple[bool | None, str]:
    """Whether a net is needed, and why."""
    if net is None:
        return None, "No net was measured, so there is nothing to compare with."
    if plain is None:
        return True, "Nothing but nets was measured."
    lead = gain(net.name, plain.name)
    facts = f"the best net, {net.name}, is {_apart(lead)} the best rung without one, {plain.name}"
    if lead.value > MARGIN and lead.low > 0:
        return True, f"It is needed since {facts}, more than the margin of {MARGIN:.0%}."
    if lead.value > MARGIN:
        return None, f"No difference found ({_wanting(kind, lead, lead.value - lead.low, lead.value)}): {facts}."
    if unsettled:
        near = f", no more than the margin of {MARGIN:.0%}" if lead.value >= 0 else ""
        return None, f"So far {facts}{near}, but the budget stopped {', '.join(unsettled)}."
    if lead.high > 2 * MARGIN:
        wanting = _wanting(kind, lead, lead.high - lead.value, 2 * MARGIN - lead.value)
        return None, f"No difference found ({wanting}): {facts}, and it may be more than the margin of {MARGIN:.0%}."
    return False, f"It is not needed since {facts}; the margin is {MARGIN:.0%}."


def _wanting(kind: Kind, lead: Figure, half: float, bearable: float) -> str:
    """How many more posts or pairs would bring an end of the interval, now `half` away, within what is `bearable`.

    Intervals narrow with the square root of the number.
    """
    if not lead.number:
        return "too few were measured"
    more = max(lead.number * ((half / bearable) ** 2 - 1), 1.0)
    digits = 10 ** max(math.floor(math.log10(more)) - 1, 0)  # two of them say enough
    wanted = math.ceil(round(more / digits, 6)) * digits
    return f"needs about {wanted:,} more {_PIECES[kind]} than the {lead.number:,} measured"


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
    below = [one for one in contenders if one.score < taken.score and one.cost(kind) < taken.cost(kind)]
    if above:
        up = min(above, key=lambda one: (one.cost(kind), -one.score))
        found.append(f"One rung up, {up.name} gives {_points(gain(up.name, taken.name))} {_UNITS[kind]}, for {_more(taken, up)}.")
    if below:
        down = max(below, key=lambda one: one.score)
        dearer = f", though it takes {shown(down.seconds - taken.seconds)} more to fit" if down.seconds > taken.seconds else ""
        saved = " and ".join(_parts(down, taken))
        found.append(
            f"One rung down, {down.name} loses {_points(gain(taken.name, down.name))} of that, and saves {saved}{dearer}."
        )
    return found


def _cost(kind: Kind, one: Contender) -> str:
    when = (
        f"it is fitted in {shown(one.seconds)}{', ' * bool(one.elsewhere)}{one.elsewhere}"
        if one.seconds
        else f"it is there already, {one.elsewhere or 'fitted elsewhere'}"
    )
    unit = "keystroke" if kind == "typing" else "reply"
    speed = f", takes {one.milliseconds:.2g} ms a {unit}" if one.milliseconds is not None else ""
    return f"{when}{speed}, {one.bytes / 1e6:,.1f} MB"


def _more(cheap: Contender, dear: Contender) -> str:
    """What `dear` costs more than `cheap`."""
    return " and ".join(
        _parts(cheap, dear) if dear.seconds > cheap.seconds else ["nothing more to fit here", *_parts(cheap, dear)]
    )


def _parts(cheap: Contender, dear: Contender) -> list[str]:
    """In what `dear` costs more: in fitting, in use."""
    more = dear.seconds - cheap.seconds
    parts = [f"{shown(more)} of fitting"] if more > 0 else []
    if dear.milliseconds is not None and cheap.milliseconds is not None and dear.milliseconds > cheap.milliseconds:
        parts.append(f"{dear.milliseconds - cheap.milliseconds:.2g} ms each time")
    return parts


def _points(gain: Estimate) -> str:
    """A gain with its interval, in per cent or points, which are the same hundredths here."""
    return f"{100 * gain.value:.1f}% ({100 * gain.low:.1f} to {100 * gain.high:.1f})"


def _apart(lead: Estimate) -> str:
    if lead.value >= 0:
        return f"{_points(lead)} ahead of"
    return f"{_points(Estimate(-lead.value, -lead.high, -lead.low))} behind"

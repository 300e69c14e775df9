"""What to do in the time there is.

    fit 1/16 of the data           every rung, to see how long all of it would take, and as the first point of its curve
    fit 1/8, then all of it        the cheapest first; what does not fit into the budget gets the largest share that does;
                                   a net that can be trained for less time, gets less
    fit what is made of others     in the order of the ladder; what learns from the data itself on no more than they did
    measure                        every rung on the same held-out posts and pairs, each with an equal share of the time
    fit the shares between         for the learning curves, the cheapest first, with what time is left

Without a budget nothing is cut short.
"""

from __future__ import annotations

from rejoinder.climb.executor import ALL, PATIENT, SHARES, Doing, Row, fraction
from rejoinder.models import LADDER

_FITTING, _COMPOSING, _MEASURING = 0.36, 0.66, 0.84  # of the budget, by when each must be over
_OVER = 2.0  # times its equal share of the time, that one rung may take to be fitted
_FIRST = 0.25  # of a rung's time, that a fit of an eighth may take
_LEFT = 25.0  # seconds that are left for each of the others that are made of others
_KEPT = 0.3  # of the time to fit, for the net that is trained as long as there is time


def follow(doing: Doing) -> None:
    """Do all of it."""
    doing.prepare()
    own = [row for row in doing.rows if not row.entry.shipped]
    for row in own:
        if LADDER[row.entry.rung].asked:  # it does not learn, so that a share of the data is all the same to it
            doing.fit(row, 1.0, doing.left(_FITTING))
    base = [row for row in own if not row.entry.parts and not LADDER[row.entry.rung].asked]
    composite = [row for row in own if row.entry.parts]
    _fit_base(doing, base)
    for place, row in enumerate(composite):
        others = len(composite) - place - 1
        left = doing.left(_COMPOSING)
        doing.fit(row, doing.common(row), max(left - _LEFT * others, left / (others + 1), 5.0))
        if row.fits and row.share < 1.0:
            row.why = f"was stopped by the budget at {fraction(row.share)} of the data, as what it is made of was"
    _measure(doing)
    _fill_curves(doing, [*base, *composite])


def _fit_base(doing: Doing, base: list[Row]) -> None:
    """Fit what stands on its own."""
    patient = [row for row in base if row.entry.rung == PATIENT]
    quick = [row for row in base if row not in patient]
    kept = _KEPT * max(doing.left(_FITTING), 0.0) if patient and doing.budget else 0.0
    for row in quick:
        doing.fit(row, SHARES[0], doing.left(_FITTING) - kept)
    cheapest = sorted((row for row in quick if row.fits), key=lambda row: row.seconds(1.0))
    for place, row in enumerate(cheapest):
        left = doing.left(_FITTING) - kept
        _fit_most(doing, row, min(left, _OVER * left / (len(cheapest) - place)))
    for row in patient:
        doing.fit(row, SHARES[0], doing.left(_FITTING) / 2)
        if row.fits:
            doing.fit(row, 1.0, max(doing.left(_FITTING), 5.0))


def _fit_most(doing: Doing, row: Row, seconds: float) -> None:
    """Fit the largest share there is time for; an eighth first, which tells what all of it costs."""
    first = row.seconds(SHARES[1])
    if first <= _FIRST * seconds:
        doing.fit(row, SHARES[1], seconds)
        seconds -= first
    for share in reversed(SHARES):
        if row.seconds(share) <= seconds:
            doing.fit(row, share, 1.5 * seconds)
            break
    if row.state == "waiting" and row.share < 1.0:
        row.leave("stopped", f"was stopped by the budget at {fraction(row.share)} of the data")


def _measure(doing: Doing) -> None:
    """Measure all rows, those last whose every step costs most: they get what time the others leave."""
    todo = [(row, do) for row in doing.rows for do in doing.measures(row)]
    todo.sort(key=lambda one: (one[0].entry.net, bool(one[0].entry.parts)))
    for place, (row, do) in enumerate(todo):
        doing.measure(row, do, max(doing.left(_MEASURING) / (len(todo) - place), 2.0))


def _fill_curves(doing: Doing, rows: list[Row]) -> None:
    able = [row for row in rows if row.measured]
    wanted = [(row.seconds(share), place, share) for place, row in enumerate(able) for share in SHARES if share < row.share]
    for _, place, share in sorted(wanted):
        row = able[place]
        predicted = row.seconds(share)
        if 1.2 * predicted + 3 > doing.left(ALL):
            doing.skipped.append((f"{row.entry.name} on {fraction(share)} of the data", "the budget"))
            continue
        doing.fit(row, share, 3 * predicted + 5 if doing.budget else float("inf"))
        if share in row.fits:
            doing.measure_point(row, share)

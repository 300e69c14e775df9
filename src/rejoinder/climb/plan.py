"""What to do in the time there is.

    fit 1/16 of the data           every rung, to see how long all of it would take, and as the first point of its curve
    fit 1/8, then all of it        the cheapest first; what does not fit into the budget gets the largest share that does;
                                   a net that can be trained for less time, gets less
    fit what is made of others     in the order of the ladder; what learns from the data itself on no more than they did
    measure                        every rung on the same held-out posts and pairs: who is slow by nature first, then each with an
                                   equal share of the time
    fit the shares between         for the learning curves, the cheapest first, with what time is left
    compare the two best           on some posts where they differ, with what each said

Without a budget nothing is cut short.
"""

from __future__ import annotations

from rejoinder.climb.executor import PATIENT, SHARES, EntryProgress, Executor, fraction
from rejoinder.ladder.report import Kind, LeftOut
from rejoinder.models import LADDER, is_slow

_FITTING, _COMPOSING, _MEASURING, _CURVED = 0.36, 0.66, 0.84, 0.92  # of the budget, by when each must be over
_SLOW = 0.5  # of the time to measure, for those that take longest at each post
_OVER = 2.0  # times its equal share of the time, that one rung may take to be fitted
_FIRST = 0.25  # of a rung's time, that a fit of an eighth may take
_LEFT = 25.0  # seconds that are left for each of the others that are made of others
_KEPT = 0.3  # of the time to fit, for the net that is trained as long as there is time


def carry_out(executor: Executor) -> None:
    """Fit and measure every trial of a climb, in the order above, until all is done or the budget is spent.

    Raises:
        UsageError: nothing could be prepared to measure on.
    """
    executor.prepare()
    own = [trial for trial in executor.trials.values() if not trial.entry.shipped and not trial.entry.reference]
    asked = [trial for trial in own if LADDER[trial.entry.rung].asked]
    base = [trial for trial in own if not trial.entry.parts and trial not in asked]
    composite = [trial for trial in own if trial.entry.parts]
    for trial in asked:  # it does not learn, so that a share of the data is all the same to it
        executor.fit(trial, 1.0, executor.left(_FITTING))
    _fit_base(executor, base)
    for place, trial in enumerate(composite):
        others = len(composite) - place - 1
        left = executor.left(_COMPOSING)
        executor.fit(trial, executor.common(trial), max(left - _LEFT * others, left / (others + 1), 5.0))
        if trial.fits and trial.share < 1.0:
            trial.why = f"was stopped by the budget at {fraction(trial.share)} of the data, as what it is made of was"
    _measure(executor)
    _fill_curves(executor, [*base, *composite])


def _fit_base(executor: Executor, base: list[EntryProgress]) -> None:
    """Fit what stands on its own."""
    patient = [trial for trial in base if trial.entry.rung == PATIENT]
    quick = [trial for trial in base if trial not in patient]
    kept = _KEPT * max(executor.left(_FITTING), 0.0) if patient and executor.budget else 0.0
    for trial in quick:
        executor.fit(trial, SHARES[0], executor.left(_FITTING) - kept)
    cheapest = sorted((trial for trial in quick if trial.fits), key=lambda trial: trial.seconds(1.0))
    for place, trial in enumerate(cheapest):
        left = executor.left(_FITTING) - kept
        _fit_most(executor, trial, min(left, _OVER * left / (len(cheapest) - place)))
    for trial in patient:
        executor.fit(trial, SHARES[0], executor.left(_FITTING) / 2)
        if trial.fits:
            executor.fit(trial, 1.0, max(executor.left(_FITTING), 5.0))


def _fit_most(executor: Executor, trial: EntryProgress, seconds: float) -> None:
    """Fit the largest share there is time for; an eighth first, which tells what all of it costs."""
    first = trial.seconds(SHARES[1])
    if first <= _FIRST * seconds:
        executor.fit(trial, SHARES[1], seconds)
        seconds -= first
    for share in reversed(SHARES):
        if trial.seconds(share) <= seconds:
            executor.fit(trial, share, 1.5 * seconds)
            break
    if trial.state is None and trial.share < 1.0:
        trial.leave("stopped", f"was stopped by the budget at {fraction(trial.share)} of the data")


def _measure(executor: Executor) -> None:
    """Measure all rungs: first those that take longest at each post, the others then on as many posts as these were.

    After them the cheapest first, so that who takes longer gets what time the others leave.
    """
    todo = [(trial, kind) for trial in executor.trials.values() for kind in executor.measurable(trial)]
    todo.sort(key=lambda one: (one[0].entry.net, bool(one[0].entry.parts)))
    slow: list[tuple[EntryProgress, Kind]] = []
    others: list[tuple[EntryProgress, Kind]] = []
    for trial, kind in todo:
        (slow if is_slow(trial.entry.rung) and kind == "typing" else others).append((trial, kind))
    for place, (trial, kind) in enumerate(slow):
        executor.measure(trial, kind, max(_SLOW * executor.left(_MEASURING) / (len(slow) - place), 2.0))
        executor.as_many_as(trial)
    for place, (trial, kind) in enumerate(others):
        executor.measure(trial, kind, max(executor.left(_MEASURING) / (len(others) - place), 2.0))


def _fill_curves(executor: Executor, trials: list[EntryProgress]) -> None:
    """Fit and measure the shares that are missing in the learning curves, the cheapest first, while there is time."""
    able = [trial for trial in trials if trial.measured]
    wanted = [(trial.seconds(share), place, share) for place, trial in enumerate(able) for share in SHARES if share < trial.share]
    for _, place, share in sorted(wanted):
        trial = able[place]
        predicted = trial.seconds(share)
        if 1.2 * predicted + 3 > executor.left(_CURVED):
            executor.skipped.append(LeftOut(f"{trial.entry.name} on {fraction(share)} of the data", "the budget"))
            continue
        executor.fit(trial, share, 3 * predicted + 5 if executor.budget else float("inf"))
        if share in trial.fits:
            executor.measure_point(trial, share)

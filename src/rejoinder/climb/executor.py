"""Fitting and measuring one rung at a time, and what is known of it so far."""

from __future__ import annotations

import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, TypeVar

import numpy as np

from rejoinder.archive.store import Archive
from rejoinder.climb import tasks
from rejoinder.climb.entries import Entry, full_config
from rejoinder.climb.task_cache import kept, run
from rejoinder.climb.tasks import (
    EXAMPLE_FILE,
    Chosen,
    Compared,
    Done,
    Experiment,
    Failed,
    FittedModel,
    Limits,
    Measured,
    OutOfTime,
    Task,
    Tokenized,
    Work,
)
from rejoinder.errors import ArchiveError, UsageError
from rejoinder.ladder.examples import Example, read_examples
from rejoinder.ladder.metrics import FEWEST
from rejoinder.ladder.report import KINDS, PAIRS, Kind, LeftOut, Pairs, State
from rejoinder.models import LADDER, Can
from rejoinder.models.interfaces import Progress
from rejoinder.text.tokenizer import DEFAULT_SIZE

SHARES = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)
POSTS, KEYED_POSTS, RANKED_PAIRS = 1_000, 200, 600  # measured at most; the keystrokes of the first `KEYED_POSTS` only
_FEWEST_POSTS, _FEWEST_TYPED = 100, 20  # that the others are measured on, whatever the slowest managed
DRAWS, FEW_DRAWS = 5, 2
CURVE_POSTS, CURVE_PAIRS = 300, 300
PATIENT = "lstm"  # trained for as long as there is time
ALL = 0.96  # of the budget, by when everything must be over but the report
_SLOWER = 1.1  # than in proportion: what more data costs
_CUT = {"lstm": {"least_steps": 1, "dev_tokens": 100_000}, "fusion": {"pairs": 1_000, "train_pairs": 20_000}}  # with a budget
_SHORTEST = 1.5  # seconds, with which no fit is begun
_LONG = 1_800.0  # seconds of a budget with which nothing is cut
R = TypeVar("R", Tokenized, Chosen)


@dataclass
class EntryProgress:
    """What is known of an entry so far."""

    entry: Entry
    state: State | None = None  # None: nothing was measured yet, and nothing stands in the way
    why: str = ""
    fits: dict[float, FittedModel] = field(default_factory=dict)  # by share
    measured: dict[Kind, Measured] = field(default_factory=dict)
    curve: dict[tuple[Kind, float], Measured] = field(default_factory=dict)  # by kind and share

    @property
    def share(self) -> float:
        """The largest share of the data it was fitted on; 0 for none."""
        return max(self.fits, default=0.0)

    @property
    def fitted(self) -> FittedModel | None:
        """The fit on the largest share."""
        return self.fits.get(self.share)

    def model(self, share: float | None = None) -> str | None:
        """What is measured: the key of a fit, on so much of the data or the most; or what is there, None for the package."""
        if self.entry.shipped:
            return f"{tasks.HOME}{self.entry.identity}" if self.entry.home else None
        return self.fits[share or self.share].key

    def seconds(self, share: float) -> float:
        """About how long a fit of so much of the data takes, with starting its process, from those there are.

        One fit tells the cost in proportion, two tell what does not grow with the data.
        """
        known = sorted(self.fits)
        if share in self.fits or not known:
            return 0.0
        times = [self.fits[one].fit_seconds for one in known[-2:]]
        slope = times[-1] / known[-1] if len(times) == 1 else max((times[1] - times[0]) / (known[-1] - known[-2]), 0.0)
        started = self.fits[known[-1]].wall_seconds - times[-1]
        return started + _SLOWER * max(times[-1] + slope * (share - known[-1]), 0.1)

    def leave(self, state: State, why: str) -> None:
        """Leave it out from here on."""
        self.state, self.why = state, why


class Executor:
    """Does tasks for the trials of one climb, within its budget."""

    def __init__(
        self, experiment: Experiment, entries: list[Entry], budget: float | None, spent: float, progress: Progress
    ) -> None:
        """`budget` and what was `spent` of it before, in seconds."""
        self.experiment, self.budget, self.progress = experiment, budget, progress
        self.trials = {entry.name: EntryProgress(entry, "failed" if entry.damaged else None, entry.damaged) for entry in entries}
        self.began = monotonic() - spent
        self.skipped: list[LeftOut] = []
        self.token_keys: dict[float, str] = {}
        self.chosen = Chosen(key="")
        self.compared: list[str] = []  # keys of what was compared
        self.posts, self.typed = POSTS, KEYED_POSTS  # to measure on, at most

    def left(self, share: float = 1.0) -> float:
        """Seconds until so much of the budget is spent."""
        return math.inf if self.budget is None else self.began + share * self.budget - monotonic()

    @property
    def draws(self) -> int:
        """Lists for each pair; with little time more pairs tell more."""
        return DRAWS if self.budget is None or self.budget >= _LONG else FEW_DRAWS

    def run(
        self, what: str, work: Work, limits: Limits | None = None, seconds: float = math.inf, left: float | None = None
    ) -> Done | OutOfTime:
        """What comes of a task, in so many seconds at most, and in what is `left` of the budget; None: but for the report."""
        self.progress(what, 0, None)
        limit = min(seconds, self.left(ALL) if left is None else left)
        task = Task(self.experiment, work, limits or Limits())
        stopped = None if limit == math.inf else max(limit, 1.0)
        outcome = run(task, stopped, lambda doing, done, total: self.progress(f"{what}: {doing}", done, total))
        self._check_unchanged(task)
        return outcome

    def _check_unchanged(self, task: Task) -> None:
        """See that the archive is still what it was: rungs that were asked about the posts of two could not be compared.

        Raises:
            ArchiveError: it is not; nothing is kept of the task that was done last.
        """
        began = self.experiment.revision
        if began is None:
            return
        with Archive.open(self.experiment.archive) as archive:
            if archive.meta("revision", 0) == began:
                return
        shutil.rmtree(task.place, ignore_errors=True)
        raise ArchiveError(
            "posts came into the archive, or went, while the ladder was measured on it; run the same command again, and let no "
            "import or fetch run beside it"
        )

    # --- preparing -----------------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Choose what to measure on.

        Raises:
            UsageError: that cannot be done, or not in time.
        """
        tokens = self._tokens(1.0) if any(trial.entry.types for trial in self.trials.values()) else None
        self.chosen = self._must("choosing what to measure on", tasks.Choose(tokens), Chosen)

    def _tokens(self, share: float) -> str:
        """The key of the tokens of so much of train."""
        if share not in self.token_keys:
            work = tasks.Tokenize(share, DEFAULT_SIZE, self.token_keys.get(1.0))
            self.token_keys[share] = self._must(f"text to tokens, {fraction(share)} of it", work, Tokenized).key
        return self.token_keys[share]

    def _must(self, what: str, work: Work, result: type[R]) -> R:
        """What comes of a task without which nothing goes on."""
        done = self.run(what, work)
        if isinstance(done, result):
            return done
        late = "the budget was spent before anything could be measured; give more with --budget"
        raise UsageError(done.error if isinstance(done, Failed) else late)

    # --- fitting -------------------------------------------------------------------------------------------------

    def fit(self, trial: EntryProgress, share: float, seconds: float) -> None:
        """Fit a rung on a share of the data, and on what it is made of; what fails or takes too long is noted."""
        if trial.state in ("failed", "skipped") or share in trial.fits:
            return
        entry = trial.entry
        parts = self._parts(trial, share)
        if parts is None:
            return
        name = f"{entry.name} on {fraction(share)} of the data"
        config = {**entry.config, "models": list(parts)} if "models" in entry.config else dict(entry.config)
        limits = self._limits(trial, share, seconds)
        work = tasks.Fit(entry.rung, share, config, parts, self._tokens(share) if entry.types else None)
        if seconds < _SHORTEST and kept(Task(self.experiment, work, limits)) is None:
            self._out_of_time(trial, name, "the budget")
            return
        done = self.run(f"fitting {name}", work, limits, seconds * (1.3 if entry.rung == PATIENT else 1.0))
        if isinstance(done, OutOfTime):
            self._out_of_time(trial, name, f"it was not fitted in {seconds:.0f} s")
        elif isinstance(done, Failed):
            trial.leave("skipped" if done.missing_extra else "failed", done.error)
        elif isinstance(done, FittedModel):
            trial.fits[share] = done
            trial.why = trial.why or self._unsettled(trial, done, share)

    def _out_of_time(self, trial: EntryProgress, name: str, why: str) -> None:
        self.skipped.append(LeftOut(name, why))
        if not trial.fits:
            trial.leave("stopped", "was stopped by the budget before it was fitted")

    def common(self, trial: EntryProgress) -> float:
        """The share of the data to fit what is made of others on: the largest that all of them learned from, if they are fixed.

        What only weighs others (`made_of`) takes each as it is.
        """
        parts = [self.trials[part] for part in trial.entry.parts]
        if not LADDER[trial.entry.rung].parts or not all(part.fits for part in parts):
            return 1.0
        return max(share for share in SHARES if all(share in part.fits for part in parts))

    def _parts(self, trial: EntryProgress, share: float) -> dict[str, str] | None:
        """The keys of what a rung is made of, fitted on the same share, or on the most there is; None if it cannot be made."""
        parts = {part: self.trials[part].fits for part in trial.entry.parts}
        ready = {part: fits for part, fits in parts.items() if fits and (share == 1.0 or share in fits)}
        missing = [part for part in parts if part not in ready]
        if missing and (LADDER[trial.entry.rung].parts or not ready):
            if not trial.fits:
                trial.leave("skipped", f"it is made of {', '.join(missing)}, not fitted")
            return None
        return {part: fits[share if share in fits else max(fits)].key for part, fits in ready.items()}

    def _unsettled(self, trial: EntryProgress, done: FittedModel, share: float) -> str:
        """Why more time might change it; nothing, if none would: training that got no better on dev ended by itself."""
        if share < 1.0:
            return ""
        if trial.entry.rung == PATIENT:
            full = full_config(trial.entry)
            given, figures = done.config.get("epochs", full["epochs"]), [figure for _, figure in done.dev]
            flat = full["patience"] and len(figures) - figures.index(min(figures)) > full["patience"] if figures else False
            stopped = given < full["epochs"] and not flat
            return f"was stopped by the budget after {given:.2g} of {full['epochs']:g} passes" if stopped else ""
        parts = [self.trials[part] for part in trial.entry.parts]
        unsettled = [part.entry.name for part in parts if part.why or 0 < part.share < 1]
        return f"is made of {', '.join(unsettled)}, which the budget stopped" if unsettled else ""

    def _limits(self, trial: EntryProgress, share: float, seconds: float) -> Limits:
        """What is cut short where there is a budget; of a net that is trained for as long as there is time: how many passes."""
        cut: dict[str, Any] | None = _CUT.get(trial.entry.rung)
        if self.budget is None or cut is None:
            return Limits()
        full = full_config(trial.entry)
        if trial.entry.rung != PATIENT:
            if self.budget >= _LONG:
                return Limits()
            if share == 1.0:
                said = ", ".join(f"{value:,} of {full[key]:,} {key.replace('_', ' ')}" for key, value in cut.items())
                self.skipped.append(LeftOut(f"all of {trial.entry.name}: {said}", "the budget"))
            return Limits(config=cut)
        epochs = min(1.0, float(full["epochs"]))
        if trial.fits:
            smallest = min(trial.fits)
            first = trial.fits[smallest]
            a_pass = _SLOWER * first.fit_seconds / first.config["epochs"] * share / smallest
            epochs = min(float(full["epochs"]), (seconds - (first.wall_seconds - first.fit_seconds)) / a_pass)
        epochs = max(round(epochs, 3), 0.02)
        return Limits(effort=epochs, config={**cut, "epochs": epochs})

    # --- measuring -----------------------------------------------------------------------------------------------

    def measurable(self, trial: EntryProgress) -> list[Kind]:
        """What can be measured of a rung."""
        if trial.state not in (None, "stopped") or not (trial.fits or trial.entry.shipped or trial.entry.reference):
            return []
        if trial.entry.replies and not any(self.chosen.pairs.values()):
            trial.leave("skipped", "too few held-out replies to measure a ranker on; import more")
            return []
        return [kind for kind, able in zip(KINDS, (trial.entry.types, trial.entry.replies), strict=True) if able]

    def measure(self, trial: EntryProgress, kind: Kind, seconds: float) -> None:
        """Measure a rung, on as many posts or pairs as there is time for."""
        done = self._measure(f"measuring {trial.entry.name}", trial, kind, seconds)
        if isinstance(done, Measured) and (number := self._too_few(done, kind)):
            what = "posts" if kind == "typing" else "answered posts"
            trial.leave("stopped", f"was stopped by the budget after {number} {what}, too few to compare all others on")
        elif isinstance(done, Measured):
            trial.measured[kind] = done
            trial.state = trial.state or "measured"
        elif isinstance(done, Failed):
            trial.leave("skipped" if done.missing_extra else "failed", done.error)
        else:
            trial.leave("stopped", "was stopped by the budget while it was measured")

    def _too_few(self, done: Measured, kind: Kind) -> int:
        """On how many posts or pairs it was measured, if the budget left so few that it had better have no figure; else 0.

        Rungs are compared on what all of them got to, so that one which takes a minute for each would leave nothing of the rest.
        """
        if done.whole:
            return 0
        chosen, of = self.experiment.root / self.chosen.key, self.experiment.root / done.key
        there = {str(pairs): number for pairs, number in self.chosen.pairs.items()}
        if kind == "typing":
            there = {"text": len(np.load(chosen / "posts.npy"))}
        reached = {name: len(np.load(of / f"{name}.npy")) for name in there if (of / f"{name}.npy").is_file()}
        return min((number for name, number in reached.items() if number < min(FEWEST, there[name])), default=0)

    def as_many_as(self, trial: EntryProgress) -> None:
        """From here on measure on no more posts than a rung was that is slower than all others: only the same posts compare."""
        if (done := trial.measured.get("typing")) is not None:
            scored, typed = (len(np.load(self.experiment.root / done.key / f"{name}.npy")) for name in ("text", "keys"))
            self.posts, self.typed = min(self.posts, max(scored, _FEWEST_POSTS)), min(self.typed, max(typed, _FEWEST_TYPED))

    def measure_point(self, trial: EntryProgress, share: float) -> None:
        """Measure what was fitted on a share of the data, for the learning curve."""
        for kind, able in zip(KINDS, (trial.entry.types, trial.entry.ranks), strict=True):
            if able:
                what = f"measuring {trial.entry.name} on {fraction(share)} of the data"
                done = self._measure(what, trial, kind, max(self.left(ALL), 1.0), share)
                if isinstance(done, Measured):
                    trial.curve[kind, share] = done

    def _measure(
        self, what: str, trial: EntryProgress, kind: Kind, seconds: float, share: float | None = None
    ) -> Done | OutOfTime:
        """A measurement; of a point of the learning curve, where a `share` is given."""
        rung, curve = trial.entry.rung, share is not None
        if trial.entry.reference:
            return self.run(
                what, tasks.Compress(self.chosen.key), Limits(_limit(seconds), _limit(seconds), posts=self.posts), late(seconds)
            )
        model = trial.model(share)
        limit = _limit(seconds)
        if kind == "typing":
            limits = Limits(limit, limit, posts=CURVE_POSTS if curve else self.posts, typed=self.typed)
            return self.run(what, tasks.MeasureText(rung, model, self.chosen.key, keystrokes=not curve), limits, late(seconds))
        kinds = tuple(kind for kind in PAIRS if self.chosen.pairs.get(kind))[: 1 if curve else None]
        sources = {} if curve else self._sources(trial)
        work = tasks.MeasureReplies(
            rung, model, self.chosen.key, kinds, harder=not curve, draws=1 if curve else self.draws, sources=sources
        )
        return self.run(what, work, Limits(limit, limit, pairs=CURVE_PAIRS if curve else RANKED_PAIRS), late(seconds))

    def compare(self, kind: Kind, pair: tuple[str, str], places: Sequence[int], pairs: Pairs | None) -> list[Example]:
        """What two measured rungs say of posts on which they differ; none where there is no time left for it."""
        found = [self.trials[name] for name in pair]
        rungs, models = zip(*((one.entry.rung, one.model()) for one in found), strict=True)
        work = tasks.Compare(kind, rungs, models, self.chosen.key, tuple(places), pairs, self.draws)
        left = self.left() / 2  # of the two kinds each has as much
        done = self.run(f"where {' and '.join(pair)} differ", work, Limits(_limit(left / 2)), left, self.left())
        if not isinstance(done, Compared):
            return []
        self.compared.append(done.key)
        return read_examples(self.experiment.root / done.key / EXAMPLE_FILE)

    def _sources(self, trial: EntryProgress) -> dict[str, str]:
        """Who proposes the replies that a rung orders: itself, or what it is made of."""
        own = Can.PROPOSE in LADDER[trial.entry.rung].can
        able = [self.trials[name] for name in ([trial.entry.name] if own else trial.entry.parts)]
        there = [one for one in able if Can.PROPOSE in LADDER[one.entry.rung].can and (one.fits or one.entry.home)]
        return {one.entry.rung: key for one in there if (key := one.model())}


def late(seconds: float) -> float:
    """When a measurement is stopped that should take so long: it looks at the clock itself, between two posts."""
    return 2 * seconds + 20


def _limit(seconds: float) -> float | None:
    return None if seconds == math.inf else seconds


def fraction(share: float) -> str:
    """A share of the data, in words."""
    return "all" if share >= 1 else f"1/{round(1 / share)}" if share else "none"

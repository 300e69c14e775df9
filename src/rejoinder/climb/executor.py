"""Fitting and measuring one rung at a time, and what is known of it so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from rejoinder.climb.entries import Entry, full_config
from rejoinder.climb.task_cache import Setup, Unit, run
from rejoinder.errors import UsageError
from rejoinder.ladder.timed_ranking import KINDS
from rejoinder.models import LADDER, Can
from rejoinder.models.interfaces import Progress
from rejoinder.text.tokenizer import DEFAULT_SIZE

SHARES = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)
POSTS, KEYED_POSTS, PAIRS, DRAWS, FEW_DRAWS = (
    1_000,
    200,
    600,
    5,
    2,
)  # measured at most; the keystrokes of the first `KEYED_POSTS` only
CURVE_POSTS, CURVE_PAIRS = 300, 300
PATIENT = "lstm"  # trained for as long as there is time
ALL = 0.96  # of the budget, by when everything must be over but the report
_SLOWER = 1.1  # than in proportion: what more data costs
_CUT = {"lstm": {"least_steps": 1, "dev_tokens": 100_000}, "fusion": {"pairs": 1_000, "train_pairs": 20_000}}  # with a budget
_SHORTEST = 1.5  # seconds, with which no fit is begun
_LONG = 1_800.0  # seconds of a budget with which nothing is cut


@dataclass
class Row:
    """What is known of an entry so far."""

    entry: Entry
    state: str = "waiting"  # then: measured, failed, stopped, skipped
    why: str = ""
    fits: dict[float, tuple[Unit, dict[str, Any]]] = field(default_factory=dict)  # by share
    measured: dict[str, tuple[Unit, dict[str, Any]]] = field(default_factory=dict)  # "type" and "rank"
    curve: dict[tuple[str, float], Unit] = field(default_factory=dict)  # by kind and share

    @property
    def share(self) -> float:
        """The largest share of the data it was fitted on; 0 for none."""
        return max(self.fits, default=0.0)

    def seconds(self, share: float) -> float:
        """About how long a fit of so much of the data takes, with starting its process, from those there are.

        One fit tells the cost in proportion, two tell what does not grow with the data.
        """
        known = sorted(self.fits)
        if share in self.fits or not known:
            return 0.0
        times = [float(self.fits[one][1]["fit_seconds"]) for one in known[-2:]]
        last = self.fits[known[-1]][1]
        slope = times[-1] / known[-1] if len(times) == 1 else max((times[1] - times[0]) / (known[-1] - known[-2]), 0.0)
        started = float(last["wall_seconds"]) - float(last["fit_seconds"])
        return started + _SLOWER * max(times[-1] + slope * (share - known[-1]), 0.1)

    def leave(self, state: str, why: str) -> None:
        """Leave it out from here on."""
        self.state, self.why = state, why


class Doing:
    """The rows of one climb."""

    def __init__(self, setup: Setup, entries: list[Entry], budget: float | None, spent: float, progress: Progress) -> None:
        """`budget` and what was `spent` of it before, in seconds."""
        self.setup, self.budget, self.progress = setup, budget, progress
        self.rows = [Row(entry) for entry in entries]
        self.began = monotonic() - spent
        self.skipped: list[tuple[str, str]] = []  # what, and why
        self.chosen: tuple[Unit, dict[str, Any]] | None = None
        self.token_keys: dict[str, str] = {}

    def left(self, share: float = 1.0) -> float:
        """Seconds until so much of the budget is spent."""
        return float("inf") if self.budget is None else self.began + share * self.budget - monotonic()

    @property
    def draws(self) -> int:
        """Lists for each pair; with little time more pairs tell more."""
        return DRAWS if self.budget is None or self.budget >= _LONG else FEW_DRAWS

    def run(self, what: str, unit: Unit, seconds: float = float("inf")) -> dict[str, Any]:
        """What comes of a unit, in so many seconds at most."""
        self.progress(what, 0, None)
        limit = min(seconds, self.left(ALL))
        stopped = None if limit == float("inf") else max(limit, 1.0)
        return run(unit, stopped, lambda doing, done, total: self.progress(f"{what}: {doing}", done, total))

    # --- preparing -----------------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Choose what to measure on.

        Raises:
            UsageError: that cannot be done, or not in time.
        """
        if any(row.entry.types for row in self.rows):
            self._need_tokens(1.0)
        unit = Unit(self.setup, "choose", {"tokens": dict(self.token_keys)} if self.token_keys else {})
        self.chosen = unit, _needed(self.run("choosing what to measure on", unit))

    def _need_tokens(self, share: float) -> None:
        if str(share) in self.token_keys:
            return
        whole = {"tokenizer": self.token_keys["1.0"]} if "1.0" in self.token_keys else {}
        unit = Unit(self.setup, "tokens", {"share": share, "vocabulary": DEFAULT_SIZE, **whole})
        _needed(self.run(f"text to tokens, {fraction(share)} of it", unit))
        self.token_keys[str(share)] = unit.key

    # --- fitting -------------------------------------------------------------------------------------------------

    def fit(self, row: Row, share: float, seconds: float) -> None:
        """Fit a rung on a share of the data, and on what it is made of; what fails or takes too long is noted."""
        if row.state not in ("waiting", "measured", "stopped") or share in row.fits:
            return
        parts = self._parts(row, share)
        if parts is None:
            return
        name = f"{row.entry.name} on {fraction(share)} of the data"
        limits = self._limits(row, share, seconds)
        unit = self._fit_unit(row.entry, share, parts, limits)
        if seconds < _SHORTEST and unit.found is None:
            self.skipped.append((name, "the budget"))
            if not row.fits:
                row.leave("stopped", "was stopped by the budget before it was fitted")
            return
        done = self.run(f"fitting {name}", unit, seconds * (1.3 if row.entry.rung == PATIENT else 1.0))
        if "stopped" in done:
            self.skipped.append((name, f"it was not fitted in {seconds:.0f} s"))
            if not row.fits:
                row.leave("stopped", "was stopped by the budget before it was fitted")
        elif "error" in done:
            row.leave("skipped" if done.get("kind") == "MissingExtra" else "failed", done["error"])
        else:
            row.fits[share] = unit, done
            row.why = row.why or self._unsettled(row, done, share)

    def common(self, row: Row) -> float:
        """The share of the data to fit what is made of others on: the largest that all of them learned from, if they are fixed.

        What only weighs others (`made_of`) takes each as it is.
        """
        others = {other.entry.name: other for other in self.rows}
        if not LADDER[row.entry.rung].parts or not all(others[part].fits for part in row.entry.parts):
            return 1.0
        return max(share for share in SHARES if all(share in others[part].fits for part in row.entry.parts))

    def _parts(self, row: Row, share: float) -> dict[str, str] | None:
        """The keys of what a rung is made of, fitted on the same share, or on the most there is; None if it cannot be made."""
        others = {other.entry.name: other for other in self.rows}
        ready = [part for part in row.entry.parts if others[part].fits and (share == 1.0 or share in others[part].fits)]
        missing = [part for part in row.entry.parts if part not in ready]
        if missing and (LADDER[row.entry.rung].parts or not ready):
            if not row.fits:
                row.leave("skipped", f"it is made of {', '.join(missing)}, not fitted")
            return None
        return {part: others[part].fits[share if share in others[part].fits else others[part].share][0].key for part in ready}

    def _unsettled(self, row: Row, done: Mapping[str, Any], share: float) -> str:
        """Why more time might change it; nothing, if none would: training that got no better on dev ended by itself."""
        others = {other.entry.name: other for other in self.rows}
        if share < 1.0:
            return ""
        if row.entry.rung == PATIENT:
            full = full_config(row.entry)
            given, figures = done["config"].get("epochs", full["epochs"]), [figure for _, figure in done["dev"]]
            flat = full["patience"] and len(figures) - figures.index(min(figures)) > full["patience"] if figures else False
            stopped = given < full["epochs"] and not flat
            return f"was stopped by the budget after {given:.2g} of {full['epochs']:g} passes" if stopped else ""
        unsettled = [part for part in row.entry.parts if others[part].why or 0 < others[part].share < 1]
        return f"is made of {', '.join(unsettled)}, which the budget stopped" if unsettled else ""

    def _limits(self, row: Row, share: float, seconds: float) -> dict[str, Any]:
        """What is cut short where there is a budget; of a net that is trained for as long as there is time: how many passes."""
        if self.budget is None or row.entry.rung not in _CUT:
            return {}
        cut = _CUT[row.entry.rung]
        if row.entry.rung != PATIENT:
            if self.budget >= _LONG:
                return {}
            full = full_config(row.entry)
            if share == 1.0:
                said = ", ".join(f"{value:,} of {full[key]:,} {key.replace('_', ' ')}" for key, value in cut.items())
                self.skipped.append((f"all of {row.entry.name}: {said}", "the budget"))
            return {"config": cut, "effort": 0.0}
        wanted = float(full_config(row.entry)["epochs"])
        epochs = min(1.0, wanted)
        if row.fits:
            first = row.fits[min(row.fits)][1]
            a_pass = _SLOWER * first["fit_seconds"] / first["config"]["epochs"] * share / min(row.fits)
            epochs = min(wanted, (seconds - (first["wall_seconds"] - first["fit_seconds"])) / a_pass)
        epochs = max(round(epochs, 3), 0.02)
        return {"config": {**cut, "epochs": epochs}, "effort": epochs}

    def _fit_unit(self, entry: Entry, share: float, parts: Mapping[str, str], limits: Mapping[str, Any]) -> Unit:
        what: dict[str, Any] = {"rung": entry.rung, "share": share, "config": dict(entry.config), "parts": dict(parts)}
        if "models" in entry.config:
            what["config"]["models"] = list(parts)
        if entry.types:
            self._need_tokens(share)
            what["tokens"] = {str(share): self.token_keys[str(share)]}
        return Unit(self.setup, "fit", what, limits)

    # --- measuring -----------------------------------------------------------------------------------------------

    def measures(self, row: Row) -> list[str]:
        """What can be measured of a row."""
        if row.state not in ("waiting", "stopped") or not (row.fits or row.entry.shipped) or self.chosen is None:
            return []
        if row.entry.replies and not any(self.chosen[1][f"{kind}_pairs"] for kind in KINDS):
            row.leave("skipped", "too few held-out replies to measure a ranker on; import more")
            return []
        return [do for do, able in (("type", row.entry.types), ("rank", row.entry.replies)) if able]

    def measure(self, row: Row, do: str, seconds: float) -> None:
        """Measure a row, on as many posts or pairs as there is time for."""
        unit = self._unit(row, do, seconds)
        done = self.run(f"measuring {row.entry.name}", unit, 2 * seconds + 20)
        if "error" in done or "stopped" in done:
            said = done.get("error", "was stopped by the budget while it was measured")
            row.leave("failed" if "error" in done else "stopped", said)
            return
        row.measured[do] = unit, done
        if row.state == "waiting":
            row.state = "measured"

    def measure_point(self, row: Row, share: float) -> None:
        """Measure what was fitted on a share of the data, for the learning curve."""
        ranks = Can.RANK in LADDER[row.entry.rung].can
        for kind, able, do in (("typing", row.entry.types, "type"), ("replies", ranks, "rank")):
            if able:
                unit = self._unit(row, do, max(self.left(ALL), 1.0), share)
                done = self.run(f"measuring {row.entry.name} on {fraction(share)} of the data", unit)
                if "error" not in done and "stopped" not in done:
                    row.curve[kind, share] = unit

    def _unit(self, row: Row, do: str, seconds: float, share: float | None = None) -> Unit:
        """A measurement; of a point of the learning curve, where a `share` is given."""
        assert self.chosen is not None  # noqa: S101 - made first
        curve = share is not None
        what: dict[str, Any] = {"rung": row.entry.rung, "shipped": True}
        if not row.entry.shipped:
            what = {"rung": row.entry.rung, "key": row.fits[share or row.share][0].key}
        limits: dict[str, Any] = {"seconds": None if seconds == float("inf") else seconds, "effort": seconds}
        if do == "type":
            what |= {"posts": self.chosen[0].key, "keystrokes": not curve}
            limits |= {"posts": CURVE_POSTS if curve else POSTS, "keyed": KEYED_POSTS}
            return Unit(self.setup, do, what, limits)
        kinds = [kind for kind in KINDS if self.chosen[1][f"{kind}_pairs"]][: 1 if curve else None]
        sources = {} if curve else self._sources(row)
        what |= {"kinds": kinds, "harder": not curve, "draws": 1 if curve else self.draws, "sources": sources}
        return Unit(self.setup, do, what, {**limits, "pairs": CURVE_PAIRS if curve else PAIRS})

    def _sources(self, row: Row) -> dict[str, str]:
        """Who proposes the replies that a row orders: itself, or what it is made of."""
        own = Can.PROPOSE in LADDER[row.entry.rung].can
        names = [row.entry.name] if own else row.entry.parts
        able = [o for o in self.rows if o.entry.name in names and o.fits and Can.PROPOSE in LADDER[o.entry.rung].can]
        return {other.entry.rung: other.fits[other.share][0].key for other in able}


def fraction(share: float) -> str:
    """A share of the data, in words."""
    return "all" if share >= 1 else f"1/{round(1 / share)}" if share else "none"


def _needed(done: dict[str, Any]) -> dict[str, Any]:
    """What came of a unit without which nothing goes on.

    Raises:
        UsageError: it failed, or took too long.
    """
    if "error" in done:
        raise UsageError(str(done["error"]))
    if "stopped" in done:
        raise UsageError("the budget was spent before anything could be measured; give more with --budget")
    return done

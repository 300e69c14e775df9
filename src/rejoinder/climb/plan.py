"""What to do in the time there is.

    fit a sixteenth of the data    every rung, to see how long all of it would take, and as the first point of its curve
    fit all of it                  the cheapest first; what does not fit into the budget gets the largest share that does;
                                   a net that can be trained for less time, gets less
    measure                        every rung on the same held-out posts and pairs, each with an equal share of the time
    fit the shares between         for the learning curves, the cheapest first, with what time is left

Without a budget nothing is cut short.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from rejoinder.climb.entries import Entry, full_config
from rejoinder.climb.units import Setup, Unit, run
from rejoinder.ladder.replying import KINDS
from rejoinder.models import LADDER, Can
from rejoinder.models.interfaces import Progress
from rejoinder.text.tokenizer import DEFAULT_SIZE

SHARES = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)
POSTS, KEYED_POSTS, PAIRS, DRAWS = 1_000, 200, 600, 5  # measured at most; the keystrokes of the first `KEYED_POSTS` only
CURVE_POSTS, CURVE_PAIRS = 300, 300
_FITTING, _MEASURING, _ALL = 0.58, 0.86, 0.96  # of the budget, by when each must be over
_SLOWER = 1.15  # than in proportion: what more data costs
_COMPOSITE = 0.16  # of the budget, that a rung made of others may take to be weighed
_PATIENT = "lstm"  # trained for as long as there is time
_CUT = {"least_steps": 1, "dev_tokens": 100_000}  # its settings where there is a budget


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
    def share(self) -> float | None:
        """The largest share of the data it was fitted on."""
        return max(self.fits, default=None)

    def key(self) -> str:
        """Where its best fit lies."""
        return self.fits[max(self.fits)][0].key

    def fail(self, state: str, why: str) -> None:
        """Leave it out from here on."""
        self.state, self.why = state, why


class Plan:
    """One climb, step by step."""

    def __init__(
        self,
        setup: Setup,
        rows: list[Entry],
        sizes: Mapping[str, Mapping[str, int]],
        budget: float | None,
        spent: float,
        progress: Progress,
    ) -> None:
        """`sizes` are the posts and threads of each part; `budget` and what was `spent` of it before, in seconds."""
        self.setup, self.sizes, self.budget, self.progress = setup, sizes, budget, progress
        self.rows = [Row(entry) for entry in rows]
        self.began = monotonic() - spent
        self.skipped: list[tuple[str, str]] = []
        self.chosen: tuple[Unit, dict[str, Any]] | None = None
        self.token_keys: dict[str, str] = {}

    def left(self, share: float = 1.0) -> float:
        """Seconds until so much of the budget is spent."""
        return float("inf") if self.budget is None else self.began + share * self.budget - monotonic()

    def go(self) -> None:
        """Do all of it."""
        self._prepare()
        base = [row for row in self.rows if not row.entry.shipped and not row.entry.parts]
        self._fit_all(base)
        for row in self.rows:
            if row.entry.parts and not row.entry.shipped and row.state == "waiting":
                self._fit_composite(row, 1.0)
        self._measure()
        self._fill_curves(base)

    # --- preparing -----------------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        types = any(row.entry.types for row in self.rows)
        if types:
            self._need_tokens(1.0)
        what = {"tokens": dict(self.token_keys)} if types else {}
        unit = Unit(self.setup, "choose", what)
        self.chosen = unit, self._run("choosing what to measure on", unit)
        if "error" in self.chosen[1]:
            raise_for(self.chosen[1])

    def _need_tokens(self, share: float) -> None:
        if str(share) in self.token_keys:
            return
        whole = self.token_keys.get("1.0")
        unit = Unit(
            self.setup,
            "tokens",
            {"share": share, "vocabulary": DEFAULT_SIZE, **({"tokenizer": whole} if whole else {})},
        )
        done = self._run(f"text to tokens, {fraction(share)} of it", unit)
        raise_for(done)
        self.token_keys[str(share)] = unit.key

    # --- fitting -------------------------------------------------------------------------------------------------

    def _fit_all(self, base: list[Row]) -> None:
        for row in base:
            self._fit(row, SHARES[0], self.left(_FITTING))
        ready = sorted((row for row in base if row.fits), key=self._cost)
        patient = [row for row in ready if row.entry.rung == _PATIENT]
        kept = 0.3 * self.left(_FITTING) if patient and self.budget else 0.0
        for row in [row for row in ready if row not in patient]:
            self._fit_as_much(row, self.left(_FITTING) - kept)
        composites = sum(bool(row.entry.parts) and not row.entry.shipped for row in self.rows)
        for row in patient:
            spare = self.left(_FITTING) - (0.6 * _COMPOSITE * composites * self.budget if self.budget else 0.0)
            self._fit(row, 1.0, max(spare, 0.15 * self.left(_FITTING)))

    def _fit_as_much(self, row: Row, seconds: float) -> None:
        """Fit the largest share there is time for."""
        for share in reversed(SHARES[1:]):
            if self._predicted(row, share) <= seconds:
                self._fit(row, share, seconds)
                break
        if row.state == "waiting" and row.share != 1.0:
            row.fail("stopped", f"was stopped by the budget at {fraction(row.share or 0)} of the data")

    def _cost(self, row: Row) -> float:
        return float(row.fits[SHARES[0]][1]["fit_seconds"])

    def _predicted(self, row: Row, share: float) -> float:
        """Seconds that a fit of so much of the data will take, with starting its process."""
        done = row.fits[SHARES[0]][1]
        started = done["wall_seconds"] - done["fit_seconds"]
        return float(started + _SLOWER * done["fit_seconds"] * share / SHARES[0])

    def _fit(self, row: Row, share: float, seconds: float) -> None:
        """Fit a rung on a share of the data."""
        if row.state != "waiting":
            return
        limits = self._limits(row, share, seconds)
        unit = self._fit_unit(row.entry, share, {}, limits)
        done = self._run(f"fitting {row.entry.name} on {fraction(share)} of the data", unit, seconds * (1.3 if limits else 1.0))
        if "stopped" in done:
            row.fail("stopped", "was stopped by the budget before it was fitted") if not row.fits else None
        elif "error" in done:
            row.fail("skipped" if done.get("kind") == "MissingExtra" else "failed", done["error"])
        else:
            row.fits[share] = unit, done
            if share == 1.0 and limits and limits["effort"] < full_config(row.entry)["epochs"] and not done.get("flat"):
                wanted = full_config(row.entry)["epochs"]
                row.why = f"was stopped by the budget after {limits['effort']:.2g} of {wanted:g} passes"

    def _limits(self, row: Row, share: float, seconds: float) -> dict[str, Any]:
        """Of a net that is trained for as long as there is time: how many passes."""
        if row.entry.rung != _PATIENT or self.budget is None:
            return {}
        wanted = float(full_config(row.entry)["epochs"])
        epochs = min(1.0, wanted)
        if SHARES[0] in row.fits:
            first = row.fits[SHARES[0]][1]
            a_pass = _SLOWER * first["fit_seconds"] / first["config"]["epochs"] * share / SHARES[0]
            epochs = min(wanted, (seconds - (first["wall_seconds"] - first["fit_seconds"])) / a_pass)
        epochs = max(round(epochs, 3), 0.02)
        return {"config": {**_CUT, "epochs": epochs}, "effort": epochs}

    def _fit_composite(self, row: Row, share: float) -> None:
        """Fit what is made of others, on what these learned."""
        by_rung = {other.entry.rung: other for other in self.rows if other.fits and not other.entry.parts}
        missing = [part for part in row.entry.parts if part not in by_rung]
        needed = LADDER[row.entry.rung].parts
        if missing and needed:
            row.fail("skipped", f"it is made of {', '.join(missing)}, which {'was' if len(missing) == 1 else 'were'} not fitted")
            return
        parts = {part: by_rung[part].key() for part in row.entry.parts if part in by_rung}
        unit = self._fit_unit(row.entry, share, parts, {})
        seconds = min(self.left(_MEASURING), _COMPOSITE * self.budget) if self.budget else float("inf")
        done = self._run(f"fitting {row.entry.name}", unit, seconds)
        if "stopped" in done:
            row.fail("stopped", "was stopped by the budget before it was fitted")
        elif "error" in done:
            row.fail("failed", done["error"])
        else:
            row.fits[share] = unit, done
            unsettled = [part for part in parts if by_rung[part].why]
            if unsettled:
                row.why = f"is made of {', '.join(unsettled)}, which the budget stopped"

    def _fit_unit(self, entry: Entry, share: float, parts: Mapping[str, str], limits: Mapping[str, Any]) -> Unit:
        if entry.types:
            self._need_tokens(share)
        config = dict(entry.config)
        if "models" in config:
            config["models"] = [model for model in config["models"] if model in parts]
        what = {"rung": entry.rung, "share": share, "config": config, "parts": dict(parts), "tokens": dict(self.token_keys)}
        if entry.types:
            what["tokens"] = {str(share): self.token_keys[str(share)]}
        else:
            del what["tokens"]
        return Unit(self.setup, "fit", what, limits)

    # --- measuring -----------------------------------------------------------------------------------------------

    def _measure(self) -> None:
        todo = [(row, do) for row in self.rows for do in self._measures(row)]
        for place, (row, do) in enumerate(todo):
            seconds = self.left(_MEASURING) / (len(todo) - place) if self.budget else None
            unit = self._type_unit(row, seconds) if do == "type" else self._rank_unit(row, seconds)
            killed = None if seconds is None else max(2.5 * seconds, seconds + 20)
            done = self._run(f"measuring {row.entry.name}", unit, killed)
            if "error" in done or "stopped" in done:
                row.fail(
                    "stopped" if "stopped" in done else "failed",
                    done.get("error", "was stopped by the budget while it was measured"),
                )
            else:
                row.measured[do] = unit, done
                if row.state == "waiting":
                    row.state = "measured"

    def _measures(self, row: Row) -> list[str]:
        if row.state in ("failed", "skipped") or not (row.fits or row.entry.shipped):
            return []
        assert self.chosen is not None  # noqa: S101 - made first
        if row.entry.replies and not any(self.chosen[1][f"{kind}_pairs"] for kind in KINDS):
            row.fail("skipped", "too few held-out replies to measure a ranker on; import more")
            return []
        return [do for do, able in (("type", row.entry.types), ("rank", row.entry.replies)) if able]

    def _model(self, row: Row, share: float | None = None) -> dict[str, Any]:
        """Which model to measure."""
        if row.entry.shipped:
            return {"rung": row.entry.rung, "shipped": True}
        return {"rung": row.entry.rung, "key": row.fits[share or max(row.fits)][0].key}

    def _type_unit(self, row: Row, seconds: float | None, share: float | None = None) -> Unit:
        assert self.chosen is not None  # noqa: S101 - made first
        curve = share is not None
        what = {**self._model(row, share), "posts": self.chosen[0].key, "keystrokes": not curve}
        most = {"posts": CURVE_POSTS, "keyed": 0} if curve else {"posts": POSTS, "keyed": KEYED_POSTS}
        return Unit(self.setup, "type", what, {**most, "seconds": seconds, "effort": seconds or float("inf")})

    def _rank_unit(self, row: Row, seconds: float | None, share: float | None = None) -> Unit:
        assert self.chosen is not None  # noqa: S101 - made first
        curve = share is not None
        kinds = [kind for kind in KINDS if self.chosen[1][f"{kind}_pairs"] and not (curve and kind == "story")]
        sources: dict[str, str] = {}
        if not curve:
            able = [other for other in self.rows if other.fits and Can.PROPOSE in LADDER[other.entry.rung].can]
            own = Can.PROPOSE in LADDER[row.entry.rung].can
            sources = {o.entry.rung: o.key() for o in able if o is row or (not own and o.entry.rung in row.entry.parts)}
        what = {**self._model(row, share), "kinds": kinds, "harder": not curve, "draws": 1 if curve else DRAWS}
        what |= {"sources": sources, "latency": bool(sources)}
        return Unit(
            self.setup,
            "rank",
            what,
            {"pairs": CURVE_PAIRS if curve else PAIRS, "seconds": seconds, "effort": seconds or float("inf")},
        )

    # --- learning curves -----------------------------------------------------------------------------------------

    def _fill_curves(self, base: list[Row]) -> None:
        able = [row for row in base if row.fits and row.state in ("measured", "stopped")]
        todo = [
            (self._predicted(row, share) if share not in row.fits else 0.0, place, share)
            for place, row in enumerate(able)
            for share in SHARES
            if row.share and share < row.share
        ]
        for predicted, place, share in sorted(todo):
            row = able[place]
            if predicted * 1.2 + 3 > self.left(_ALL):
                self.skipped.append((f"{row.entry.name} on {fraction(share)} of the data", "the budget"))
                continue
            state = row.state
            row.state = "waiting"
            if share not in row.fits:
                self._fit(row, share, min(self.left(_ALL), 3 * predicted + 5))
            row.state = state
            if share in row.fits:
                self._measure_point(row, share)

    def _measure_point(self, row: Row, share: float) -> None:
        for kind, able, make in (
            ("typing", row.entry.types, self._type_unit),
            ("replies", Can.RANK in LADDER[row.entry.rung].can, self._rank_unit),
        ):
            if able:
                unit = make(row, None if self.budget is None else max(self.left(_ALL), 1.0), share)
                done = self._run(f"measuring {row.entry.name} on {fraction(share)} of the data", unit, self.left(_ALL))
                if "error" not in done and "stopped" not in done:
                    row.curve[kind, share] = unit

    def _run(self, what: str, unit: Unit, seconds: float | None = None) -> dict[str, Any]:
        self.progress(what, 0, None)
        limit = min(seconds if seconds is not None else float("inf"), self.left(_ALL))
        return run(
            unit,
            None if limit == float("inf") else max(limit, 1.0),
            lambda doing, done, total: self.progress(f"{what}: {doing}", done, total),
        )


def fraction(share: float) -> str:
    """A share of the data, in words."""
    return "all" if share >= 1 else f"1/{round(1 / share)}" if share else "none"


def raise_for(done: Mapping[str, Any]) -> None:
    """Nothing goes on without this unit.

    Raises:
        UsageError: it failed.
    """
    from rejoinder.errors import UsageError

    if "error" in done:
        raise UsageError(str(done["error"]))
    if "stopped" in done:
        raise UsageError("the budget was spent before anything could be measured; give more with --budget")

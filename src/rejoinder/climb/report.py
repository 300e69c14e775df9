"""From what was measured to the report: figures with their intervals, paired tests, curves, the verdict, as plain JSON values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import pairwise
from time import monotonic
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rejoinder import __version__
from rejoinder.climb.cost import cost_of, machine
from rejoinder.climb.executor import Doing, Row
from rejoinder.climb.task_cache import Unit
from rejoinder.engine.replay import POLICY
from rejoinder.ladder import metrics
from rejoinder.ladder.curve import POINTS, Crossing, Laws, crossing
from rejoinder.ladder.metrics import Estimate
from rejoinder.ladder.prediction import LETTERS, LONGEST, THRESHOLDS
from rejoinder.ladder.verdict import KINDS, MARGIN, Contender, Kind, verdict

VERSION = 1
_SETTLED = 0.005  # a rung is settled if twice the data would surely change its figure by less
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Reporter:
    """All figures of one climb; the posts and pairs of each kind that every rung got to are those that count."""

    def __init__(
        self,
        doing: Doing,
        sizes: Mapping[str, Mapping[str, int]],
        threads: Ints,
        repeats: NDArray[np.bool_],
        pair_threads: dict[str, Ints],
    ) -> None:
        """Read what was measured.

        Args:
            doing: what was done.
            sizes: posts and threads of each part of the archive.
            threads: (P,) the thread of each held-out post, in the order measured.
            repeats: (P,) whether it repeats what was learned from.
            pair_threads: for "comment" and "story", (N,) the thread of each pair, in the order measured.
        """
        self.doing, self.sizes = doing, sizes
        self.threads, self.repeats, self.pair_threads = threads, repeats, pair_threads
        self.columns = {row.entry.name: _arrays(row.measured["type"][0]) for row in doing.rows if "type" in row.measured}
        self.ranks = {row.entry.name: _arrays(row.measured["rank"][0]) for row in doing.rows if "rank" in row.measured}
        self.ranks = {name: found for name, found in self.ranks.items() if found}
        self.posts = {c: _shortest(self.columns.values(), c) for c in ("text", "next", "exact", "keys", "gate")}
        self.pairs = {kind: _shortest(self.ranks.values(), kind) for kind in pair_threads}
        self.laws = {(row.entry.name, kind): law for row in doing.rows for kind in KINDS if (law := self._law(row, kind))}

    # --- figures -------------------------------------------------------------------------------------------------

    def typing(self, name: str) -> dict[str, Any]:
        """The figures of a language model, for all posts, and for novel ones and repeats apart."""
        some = self.repeats[: self.posts["text"]]
        parts = {"all": np.ones(len(some), bool), "novel": ~some, "repeats": some}
        return {part: self._typing(name, which) if which.any() else None for part, which in parts.items()}

    def _typing(self, name: str, which: NDArray[np.bool_]) -> dict[str, Any]:
        of = self.columns[name]

        def mean(column: str, right: Callable[[Floats], Floats], asked: Callable[[Floats], Floats]) -> Any:
            rows = of[column][: self.posts[column]]
            kept = which[: len(rows)]
            if not kept.any() or asked(rows[kept]).sum() == 0:
                return None
            return self._mean(right(rows[kept]), asked(rows[kept]), self.threads[: len(rows)][kept])

        bits = mean("text", lambda r: r[:, 0] / np.log(2), lambda r: r[:, 1])
        words = mean("text", lambda r: r[:, 0], lambda r: r[:, 2])
        found: dict[str, Any] = {
            "bits_per_byte": bits,
            "perplexity_per_word": words and {key: float(np.exp(v)) for key, v in words.items()},
        }
        if "next" not in of:
            return found
        letters, lengths = range(LETTERS), range(LONGEST)
        found["top1"] = [mean("next", lambda r, k=k: r[:, k, 1], lambda r, k=k: r[:, k, 0]) for k in letters]  # type: ignore[misc]
        found["top3"] = [mean("next", lambda r, k=k: r[:, k, 2], lambda r, k=k: r[:, k, 0]) for k in letters]  # type: ignore[misc]
        found["exact"] = [mean("exact", lambda r, n=n: r[:, n, 1], lambda r, n=n: r[:, n, 0]) for n in lengths]  # type: ignore[misc]
        found["savings"] = mean("keys", lambda r: r[:, 0] - r[:, 1], lambda r: r[:, 0])
        found["gate"] = self._gate(of, which)
        return found

    def _gate(self, of: dict[str, Any], which: NDArray[np.bool_]) -> list[dict[str, float]]:
        rows = of["gate"][: self.posts["gate"]]
        kept = which[: len(rows)]
        sums, strokes = rows[kept].sum(axis=0), of["keys"][: len(rows)][kept, 0].sum()
        shown = [(t, s, r) for t, (s, r) in zip(THRESHOLDS.tolist(), sums.tolist(), strict=True) if s]
        return [{"threshold": t, "precision": right / n, "coverage": n / strokes} for t, n, right in shown]

    def replies(self, name: str) -> dict[str, Any] | None:
        """The figures of a ranker, for answers to comments and to opening posts apart."""
        found: dict[str, Any] = {}
        for kind in self.pair_threads:
            ranks = self.ranks.get(name, {}).get(kind)
            if ranks is None or not self.pairs[kind]:
                found[kind] = None
                continue
            variants = [self._ranked(ranks[: self.pairs[kind], :, variant], kind) for variant in range(ranks.shape[2])]
            found[kind] = {**variants[0], "same_thread": variants[1] if len(variants) > 1 else None}
        return found if any(found.values()) else None

    def _ranked(self, ranks: Ints, kind: str) -> dict[str, Any]:
        """`ranks` (N, D)."""
        threads, one = self.pair_threads[kind][: len(ranks)], np.ones(len(ranks))
        values = {
            "recall@1": metrics.recall_at(ranks, 1),
            "recall@10": metrics.recall_at(ranks, 10),
            "MRR": metrics.reciprocal_rank(ranks),
        }
        return {figure: self._mean(value.mean(axis=1), one, threads) for figure, value in values.items()}

    def _mean(self, sums: Floats, counts: Floats, threads: Ints) -> dict[str, float]:
        asked = counts > 0
        of_threads, over = metrics.by_thread(threads[asked], sums[asked], counts[asked])
        return asdict(metrics.bootstrap_mean(of_threads, over, self._rng()))

    def _rng(self) -> np.random.Generator:
        return np.random.default_rng(self.doing.setup.seed)

    # --- comparing -----------------------------------------------------------------------------------------------

    def gain(self, kind: Kind) -> Callable[[str, str], Estimate]:
        """How far one rung is ahead of another, paired over threads: the share of bits it saves, or recall@1 for comments."""

        def of_bits(upper: str, lower: str) -> Estimate:
            number = self.posts["text"]
            paid = [self.columns[name]["text"][:number, 0] for name in (upper, lower)]
            one, other = metrics.by_thread(self.threads[:number], *paid)
            return metrics.bootstrap_change(one, other, self._rng())

        def of_ranks(upper: str, lower: str) -> Estimate:
            which = self.main
            number = self.pairs[which]
            hits = [metrics.recall_at(self.ranks[name][which][:number, :, 0], 1).mean(axis=1) for name in (upper, lower)]
            sums, counts = metrics.by_thread(self.pair_threads[which][:number], hits[0] - hits[1], np.ones(number))
            return metrics.bootstrap_mean(sums, counts, self._rng())

        return of_bits if kind == "typing" else of_ranks

    @property
    def main(self) -> str:
        """The kind of pair that decides: answers to comments, if there are any."""
        return "comment" if self.pairs.get("comment") else "story"

    def names(self, kind: Kind) -> list[str]:
        """The measured rungs, in the order of the ladder."""
        able = self.columns if kind == "typing" else {n: r for n, r in self.ranks.items() if self.main in r}
        return [row.entry.name for row in self.doing.rows if row.entry.name in able]

    def neighbours(self) -> list[dict[str, Any]]:
        """Each rung against the next one up, paired."""
        found = []
        for kind in KINDS:
            unit = "share of bits" if kind == "typing" else "recall@1"
            for lower, upper in pairwise(self.names(kind)):
                found.append(
                    {"kind": kind, "lower": lower, "upper": upper, "gain": asdict(self.gain(kind)(upper, lower)), "unit": unit}
                )
        return found

    # --- learning curves -----------------------------------------------------------------------------------------

    def _points(self, row: Row, kind: Kind) -> list[tuple[float, Floats, Floats]]:
        """For each share: what was summed, and over what, by post or pair."""
        found = []
        for share in sorted(row.fits):
            own = share == row.share and ("type" if kind == "typing" else "rank") in row.measured
            unit = row.measured["type" if kind == "typing" else "rank"][0] if own else row.curve.get((kind, share))
            if unit is None:
                continue
            arrays = _arrays(unit)
            if kind == "typing" and "text" in arrays:
                found.append((share, arrays["text"][:, 0] / np.log(2), arrays["text"][:, 1]))
            elif kind == "replies" and self.main in arrays:
                hits = metrics.recall_at(arrays[self.main][:, 0, 0], 1)
                found.append((share, hits, np.ones(len(hits))))
        return found

    def curve(self, row: Row) -> list[dict[str, Any]]:
        """A row's figures by share of the data, on the posts that all shares were measured on."""
        found = {
            share: {"share": share, "posts": self._size(share), "seconds": done["fit_seconds"], "typing": None, "replies": None}
            for share, (_, done) in sorted(row.fits.items())
        }
        for kind in KINDS:
            points = self._points(row, kind)
            number = min((len(sums) for _, sums, _ in points), default=0)
            threads = self.threads if kind == "typing" else self.pair_threads.get(self.main, self.threads)
            for share, sums, counts in points:
                found[share][kind] = self._mean(sums[:number], counts[:number], threads[:number])
        return list(found.values())

    def _size(self, share: float) -> int:
        return max(round(share * self.sizes["train"]["posts"]), 1)

    def _law(self, row: Row, kind: Kind) -> Laws | None:
        points = self._points(row, kind)
        if len(points) < POINTS:
            return None
        number = min(len(sums) for _, sums, _ in points)
        threads = (self.threads if kind == "typing" else self.pair_threads[self.main])[:number]
        columns = [metrics.by_thread(threads, sums[:number], counts[:number]) for _, sums, counts in points]
        drawn = metrics.resample(np.concatenate([np.stack(pair) for pair in columns]), self._rng())  # equal threads for all rungs
        values = np.array([sums.sum() / counts.sum() for sums, counts in columns])
        sizes = np.array([self._size(share) for share, _, _ in points], np.float64)
        return Laws.fit(sizes, values, (drawn[0::2] / drawn[1::2]).T, rises=kind == "replies")

    def crossings(self) -> list[dict[str, Any]]:
        """For each pair of rungs with a law of which the dearer one is behind: with how much more data it would be ahead."""
        found = []
        for kind in KINDS:
            names = [name for name in self.names(kind) if (name, kind) in self.laws]
            for place, lower in enumerate(names):
                for upper in names[place + 1 :]:
                    if self.gain(kind)(upper, lower).value > 0:
                        continue
                    at = crossing(self.laws[lower, kind], self.laws[upper, kind])
                    words = _told(lower, upper, at)
                    found.append(
                        {
                            "kind": kind,
                            "lower": lower,
                            "upper": upper,
                            "times": at and at.times,
                            "low": at and at.low,
                            "high": at and at.high,
                            "words": words,
                        }
                    )
        return found

    # --- rows and the verdict ------------------------------------------------------------------------------------

    def row(self, row: Row) -> dict[str, Any]:
        """One rung."""
        name = row.entry.name
        kinds = [kind for kind, able in (("typing", row.entry.types), ("replies", row.entry.replies)) if able]
        law = next((self.laws[name, kind] for kind in KINDS if (name, kind) in self.laws), None)
        return {
            "name": name,
            "what": row.entry.what,
            "kind": kinds,
            "neural": row.entry.net,
            "state": "stopped" if row.why and row.state == "measured" else row.state,
            "why": row.why,
            "typing": self.typing(name) if name in self.columns else None,
            "replies": self.replies(name) if name in self.ranks else None,
            "cost": cost_of(row),
            "curve": self.curve(row) if len(row.fits) > 1 else [],
            "law": law
            and {
                "kind": "replies" if law.rises else "typing",
                **{k: float(getattr(law, k)[0]) for k in "abc"},
                "doubling": asdict(law.doubling()),
            },
        }

    def verdict(self, kind: Kind) -> dict[str, Any] | None:
        """What to take."""
        rows = {row.entry.name: row for row in self.doing.rows}
        found = []
        for name in self.names(kind):
            row, cost = rows[name], cost_of(rows[name])
            law = self.laws.get((name, kind))
            flat = law is not None and max(abs(law.doubling().low), abs(law.doubling().high)) < _SETTLED
            why = "" if flat else row.why
            score = -self._score(name, kind) if kind == "typing" else self._score(name, kind)
            times = cost["keystroke_ms" if kind == "typing" else "reply_ms"]
            found.append(
                Contender(
                    name, row.entry.net, score, self._seconds(row), times and times["p50"], cost["disk_bytes"] or 0, not why, why
                )
            )
        return verdict(kind, found, self.gain(kind), self._unmeasured(kind))

    def _unmeasured(self, kind: Kind) -> list[str]:
        """The nets that the budget stopped before they were measured."""
        able = [row for row in self.doing.rows if (row.entry.types if kind == "typing" else row.entry.replies)]
        return [row.entry.name for row in able if row.entry.net and row.state == "stopped" and not row.measured]

    def _score(self, name: str, kind: Kind) -> float:
        if kind == "typing":
            return float(self.columns[name]["text"][: self.posts["text"], 0].sum())
        return float(metrics.recall_at(self.ranks[name][self.main][: self.pairs[self.main], :, 0], 1).mean())

    def _seconds(self, row: Row) -> float:
        """Seconds to fit a rung and all it is made of."""
        if row.entry.shipped:
            return 0.0
        others = {other.entry.name: other for other in self.doing.rows if other.fits}
        names = {row.entry.name, *row.entry.parts}
        names |= {deeper for name in row.entry.parts if name in others for deeper in others[name].entry.parts}
        return sum(float(others[name].fits[others[name].share][1]["fit_seconds"]) for name in names if name in others)

    def report(self, forum: str) -> dict[str, Any]:
        """The whole of `ladder.json`."""
        doing = self.doing
        assert doing.chosen is not None  # noqa: S101 - nothing was measured before
        chosen = doing.chosen[1]
        number = self.posts["text"]
        scored = int(next(iter(self.columns.values()))["text"][:number, 1].sum()) if self.columns else 0
        return {
            "version": VERSION,
            "when": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": round(monotonic() - doing.began, 1),
            "budget": doing.budget,
            "seed": doing.setup.seed,
            "code": __version__,
            "machine": machine(),
            "archive": {
                "forum": forum,
                "hash": doing.setup.data,
                "posts": {part: self.sizes[part]["posts"] for part in self.sizes},
                "threads": {part: self.sizes[part]["threads"] for part in self.sizes},
            },
            "scored": {
                "typing_posts": number,
                "typed_posts": self.posts["keys"],
                "typing_bytes": scored,
                "novel_posts": int((~self.repeats[:number]).sum()),
                "repeat_posts": int(self.repeats[:number].sum()),
                "comment_pairs": self.pairs.get("comment", 0),
                "story_pairs": self.pairs.get("story", 0),
                "draws": doing.draws,
                "left_out": chosen["read"],
            },
            "policy": POLICY,
            "margin": MARGIN,
            "rungs": [self.row(row) for row in doing.rows],
            "neighbours": self.neighbours(),
            "crossings": self.crossings(),
            "verdict": {kind: self.verdict(kind) for kind in KINDS},
            "skipped": [{"what": what, "why": why} for what, why in doing.skipped],
        }


def _told(lower: str, upper: str, at: Crossing | None) -> str:
    if at is None:
        return f"whether more data would bring {upper} above {lower}: cannot tell"
    return f"with about {at.times:.2g} times more data ({at.low:.2g} to {at.high:.2g}), {upper} would overtake {lower}"


def _arrays(unit: Unit) -> dict[str, Any]:
    return {file.stem: np.load(file) for file in sorted(unit.place.glob("*.npy"))}


def _shortest(several: Any, column: str) -> int:
    """The rows of a column that all have."""
    return min((len(arrays[column]) for arrays in several if column in arrays), default=0)

"""From what was measured to the report: figures with their intervals, paired tests, curves, the verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from itertools import combinations, pairwise
from time import monotonic

import numpy as np
from numpy.typing import NDArray

from rejoinder import __version__
from rejoinder.climb.cost import cost_of, machine
from rejoinder.climb.entries import settings_of
from rejoinder.climb.executor import EntryProgress, Executor
from rejoinder.climb.tasks import Result
from rejoinder.engine.replay import POLICY
from rejoinder.ladder import metrics, ranking
from rejoinder.ladder import report as r
from rejoinder.ladder.curve import POINTS, Laws, crossing
from rejoinder.ladder.examples import widest
from rejoinder.ladder.metrics import FEWEST
from rejoinder.ladder.report import KINDS, Figure, Kind, Pairs, PartSize
from rejoinder.ladder.text_evaluation import LETTERS, LONGEST, THRESHOLDS
from rejoinder.ladder.verdict import MARGIN, Contender, ties, verdict

_TOLD = 8  # words of a post that is shown as an example, at least
_SETTLED = 0.005  # a rung is settled if twice the data would surely change its figure by less
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Arrays = dict[str, NDArray[np.generic]]


class Analysis:
    """All figures of one climb; the posts and pairs of each kind that every rung got to are those that count."""

    def __init__(
        self,
        executor: Executor,
        sizes: Mapping[str, PartSize],
        threads: Ints,
        repeats: NDArray[np.bool_],
        pair_threads: Mapping[Pairs, Ints],
    ) -> None:
        """Read what was measured.

        Args:
            executor: what was done.
            sizes: posts and threads of each part of the archive.
            threads: (P,) the thread of each held-out post, in the order measured.
            repeats: (P,) whether it repeats what was learned from.
            pair_threads: (N,) of each kind the thread of each pair, in the order measured.
        """
        self.executor, self.sizes, self.trials = executor, sizes, executor.trials
        self.threads, self.repeats, self.pair_threads = threads, repeats, pair_threads
        self.columns = self._measured("typing")
        self.ranks = {name: found for name, found in self._measured("replies").items() if found}
        self.posts = {c: _shortest(self.columns.values(), c) for c in ("text", "next", "exact", "keys", "shown", "gate")}
        self.pairs = {pairs: _shortest(self.ranks.values(), pairs) for pairs in pair_threads}
        self.costs = {name: cost_of(trial, self.trials) for name, trial in self.trials.items()}
        self.laws = {(t.entry.name, kind): law for t in self.trials.values() for kind in KINDS if (law := self._law(t, kind))}

    def _measured(self, kind: Kind) -> dict[str, Arrays]:
        return {name: self._arrays(trial.measured[kind]) for name, trial in self.trials.items() if kind in trial.measured}

    def _arrays(self, result: Result) -> Arrays:
        return {file.stem: np.load(file) for file in sorted((self.executor.experiment.root / result.key).glob("*.npy"))}

    # --- figures -------------------------------------------------------------------------------------------------

    def typing(self, name: str) -> dict[r.Part, r.TextFigures]:
        """The figures of a language model, for all posts, and for novel ones and repeats apart."""
        some = self.repeats[: self.posts["text"]]
        masks = {"all": np.ones(len(some), bool), "novel": ~some, "repeats": some}
        return {part: self._typing(self.columns[name], masks[part]) for part in r.PARTS if masks[part].any()}

    def _typing(self, of: Arrays, which: NDArray[np.bool_]) -> r.TextFigures:
        def figure(column: str, right: Callable[[Floats], Floats], asked: Callable[[Floats], Floats]) -> Figure | None:
            if column not in of:
                return None
            rows = np.asarray(of[column][: self.posts[column]], np.float64)
            kept = which[: len(rows)]
            return self._mean(right(rows[kept]), asked(rows[kept]), self.threads[: len(rows)][kept])

        def words_right(among: int, letters: int) -> Figure | None:
            return figure("next", lambda x: x[:, letters, among], lambda x: x[:, letters, 0])

        per_word = figure("text", lambda x: x[:, 0], lambda x: x[:, 2])
        return r.TextFigures(
            bits_per_byte=figure("text", lambda x: x[:, 0] / np.log(2), lambda x: x[:, 1]),
            perplexity_per_word=per_word and _exp(per_word),
            top1=tuple(words_right(1, letters) for letters in range(LETTERS)),
            top3=tuple(words_right(2, letters) for letters in range(LETTERS)),
            exact=tuple(figure("exact", lambda x, n=n: x[:, n, 1], lambda x, n=n: x[:, n, 0]) for n in range(LONGEST)),  # type: ignore[misc]
            savings=figure("keys", lambda x: x[:, 0] - x[:, 1], lambda x: x[:, 0]),
            right=figure("shown", lambda x: x[:, 1], lambda x: x[:, 0]),
            gate=self._gate(of, which),
        )

    def _gate(self, of: Arrays, which: NDArray[np.bool_]) -> tuple[r.GatePoint, ...]:
        if "gate" not in of:
            return ()
        rows = np.asarray(of["gate"][: self.posts["gate"]], np.float64)
        kept = which[: len(rows)]
        sums, strokes = rows[kept].sum(axis=0), float(np.asarray(of["keys"])[: len(rows)][kept, 0].sum())
        shown = [(t, s, r) for t, (s, r) in zip(THRESHOLDS.tolist(), sums.tolist(), strict=True) if s]
        return tuple(r.GatePoint(t, precision=right / n, coverage=n / strokes) for t, n, right in shown)

    def replies(self, name: str) -> dict[Pairs, r.ReplyFigures]:
        """The figures of a ranker, for answers to comments and to opening posts apart."""
        found: dict[Pairs, r.ReplyFigures] = {}
        for pairs, number in self.pairs.items():
            ranks = self.ranks[name].get(pairs)
            if ranks is not None and number:
                variants = [self._ranked(np.asarray(ranks[:number, :, n], np.int64), pairs) for n in range(ranks.shape[2])]
                found[pairs] = r.ReplyFigures(variants[0], variants[1] if len(variants) > 1 else None)
        return found

    def _ranked(self, ranks: Ints, pairs: Pairs) -> r.RankFigures:
        """Recall and MRR with their intervals, from `ranks` (N, D): of N replies, among D draws of others."""
        found = ranking.figures(ranks.T, self.pair_threads[pairs][: len(ranks)], self._rng())
        return r.RankFigures(*(Figure.of(one, len(ranks)) for one in found.values()))

    def _mean(self, sums: Floats, counts: Floats, threads: Ints) -> Figure | None:
        """The mean of what was summed by post, over `counts`, with its interval over threads; None for no counts."""
        return self._sure(sums, counts, threads) if (counts > 0).any() else None

    def _sure(self, sums: Floats, counts: Floats, threads: Ints, level: float = metrics.LEVEL) -> Figure:
        asked = counts > 0
        of_threads, over = metrics.by_thread(threads[asked], sums[asked], counts[asked])
        return Figure.of(metrics.bootstrap_mean(of_threads, over, self._rng(), level), int(asked.sum()))

    def _rng(self) -> np.random.Generator:
        return np.random.default_rng(self.executor.experiment.seed)

    # --- comparing -----------------------------------------------------------------------------------------------

    def gain(self, kind: Kind, upper: str, lower: str, level: float = metrics.LEVEL) -> Figure:
        """How far one rung is ahead of another, paired over threads: the share of bits it saves, or recall@1 for comments."""
        if kind == "typing":
            number = self.posts["text"]
            paid = [np.asarray(self.columns[name]["text"][:number, 0], np.float64) for name in (upper, lower)]
            one, other = metrics.by_thread(self.threads[:number], *paid)
            return Figure.of(metrics.bootstrap_change(one, other, self._rng(), level), number)
        number = self.pairs[self.main]
        one, other = self._hits(upper)[:number], self._hits(lower)[:number]
        return self._sure(one - other, np.ones(number), self.pair_threads[self.main][:number], level)

    def _hits(self, name: str) -> Floats:
        """(N,) recall@1 of each pair, over the draws."""
        return np.asarray(metrics.recall_at(np.asarray(self.ranks[name][self.main][:, :, 0], np.int64), 1).mean(axis=1))

    @property
    def main(self) -> Pairs:
        """The kind of pair that decides: answers to comments, if there are any."""
        return "comment" if self.pairs.get("comment") else "story"

    def names(self, kind: Kind) -> list[str]:
        """The measured rungs, in the order of the ladder."""
        able = self.columns if kind == "typing" else {n: r for n, r in self.ranks.items() if self.main in r}
        return [name for name in self.trials if name in able and not self.trials[name].entry.reference]

    def level(self, kind: Kind) -> float:
        """The level of the interval of each comparison of neighbours, so that all together hold at 95%."""
        return metrics.level_of_each(len(self.names(kind)) - 1)

    def number_of_threads(self, kind: Kind) -> int:
        """Of how many threads the posts are, or the pairs that decide."""
        if kind == "typing":
            return len(np.unique(self.threads[: self.posts["text"]]))
        return len(np.unique(self.pair_threads[self.main][: self.pairs[self.main]])) if self.pairs.get(self.main) else 0

    def steps(self) -> tuple[r.StepUp, ...]:
        """Each rung against the next one up, paired."""
        neighbours = ((kind, pair) for kind in KINDS for pair in pairwise(self.names(kind)))
        return tuple(
            r.StepUp(kind, lower, upper, self.gain(kind, upper, lower, self.level(kind))) for kind, (lower, upper) in neighbours
        )

    def ties(self, kind: Kind) -> tuple[tuple[str, ...], ...]:
        """The measured rungs, the best first, those together that these posts do not tell apart; none by too few threads."""
        ranked = sorted(self.names(kind), key=lambda name: self._score(name, kind), reverse=True)
        if self.number_of_threads(kind) < FEWEST:
            return ()
        level = self.level(kind)
        return ties(ranked, lambda upper, lower: self.gain(kind, upper, lower, level))

    def two_best(self, kind: Kind) -> tuple[tuple[str, str], list[int]] | None:
        """The two best rungs, and the places of the posts, or of the pairs, where they differ most; None for fewer rungs."""
        ranked = sorted(self.names(kind), key=lambda name: self._score(name, kind), reverse=True)[:2]
        if len(ranked) < 2:
            return None
        if kind == "typing":
            one, other = (np.asarray(self.columns[name]["text"][: self.posts["text"]], np.float64) for name in ranked)
            ahead = np.where(one[:, 2] >= _TOLD, (other[:, 0] - one[:, 0]) / one[:, 1], 0.0)
        else:
            first, second = (self.ranks[name][self.main][: self.pairs[self.main], 0, 0] for name in ranked)
            ahead = np.log(np.asarray(second, np.float64)) - np.log(np.asarray(first, np.float64))
        return (ranked[0], ranked[1]), widest(ahead)

    # --- learning curves -----------------------------------------------------------------------------------------

    def _points(self, trial: EntryProgress, kind: Kind) -> tuple[dict[float, tuple[Floats, Floats]], Ints]:
        """For each share what was summed, and over what, by the posts or pairs that all shares got to; and their threads."""
        found: dict[float, tuple[Floats, Floats]] = {}
        for share in sorted(trial.fits):
            result = (trial.measured.get(kind) if share == trial.share else None) or trial.curve.get((kind, share))
            arrays = self._arrays(result) if result else {}
            if kind == "typing" and "text" in arrays:
                text = np.asarray(arrays["text"], np.float64)
                found[share] = text[:, 0] / np.log(2), text[:, 1]
            elif kind == "replies" and self.main in arrays:
                hits = metrics.recall_at(np.asarray(arrays[self.main][:, 0, 0], np.int64), 1)
                found[share] = hits, np.ones(len(hits))
        number = min((len(sums) for sums, _ in found.values()), default=0)
        threads = self.threads if kind == "typing" else self.pair_threads.get(self.main, self.threads)
        return {share: (sums[:number], counts[:number]) for share, (sums, counts) in found.items()}, threads[:number]

    def curve(self, trial: EntryProgress) -> tuple[r.Point, ...]:
        """A rung's figures by share of the data, on the posts that all shares were measured on."""
        figures: dict[float, dict[Kind, Figure]] = {share: {} for share in sorted(trial.fits)}
        for kind in KINDS:
            points, threads = self._points(trial, kind)
            for share, (sums, counts) in points.items():
                figures[share][kind] = self._sure(sums, counts, threads)
        return tuple(r.Point(share, self._size(share), trial.fits[share].fit_seconds, of) for share, of in figures.items())

    def _size(self, share: float) -> int:
        return max(round(share * self.sizes["train"].posts), 1)

    def _law(self, trial: EntryProgress, kind: Kind) -> Laws | None:
        points, threads = self._points(trial, kind)
        if len(points) < POINTS or len(np.unique(threads)) < FEWEST:
            return None
        columns = [metrics.by_thread(threads, sums, counts) for sums, counts in points.values()]
        drawn = metrics.resample(np.concatenate([np.stack(pair) for pair in columns]), self._rng())  # equal threads for all rungs
        values = np.array([sums.sum() / counts.sum() for sums, counts in columns])
        sizes = np.array([self._size(share) for share in points], np.float64)
        return Laws.fit(sizes, values, (drawn[0::2] / drawn[1::2]).T, rises=kind == "replies")

    def overtakings(self) -> tuple[r.Overtaking, ...]:
        """For each pair of rungs with a law of which the dearer one is behind: with how much more data it would be ahead."""
        return tuple(
            r.Overtaking(kind, lower, upper, crossing(self.laws[lower, kind], self.laws[upper, kind]))
            for kind in KINDS
            for lower, upper in combinations([name for name in self.names(kind) if (name, kind) in self.laws], 2)
            if self.gain(kind, upper, lower).value <= 0
        )

    # --- rungs and the verdict -----------------------------------------------------------------------------------

    def rung(self, trial: EntryProgress) -> r.MeasuredRung:
        """All that the report says of the rung of `trial`."""
        entry, name = trial.entry, trial.entry.name
        law = next((_law_of(kind, self.laws[name, kind]) for kind in KINDS if (name, kind) in self.laws), None)
        return r.MeasuredRung(
            name=name,
            what=entry.what,
            kinds=tuple(kind for kind, able in zip(KINDS, (entry.types, entry.replies), strict=True) if able),
            neural=entry.net,
            shipped=entry.shipped,
            parts=entry.parts,
            state="stopped" if trial.why and trial.state == "measured" else trial.state or "skipped",
            why=trial.why,
            typing=self.typing(name) if name in self.columns else {},
            replies=self.replies(name) if name in self.ranks else {},
            cost=self.costs[name],
            curve=self.curve(trial) if len(trial.fits) > 1 else (),
            law=law,
            settings=settings_of(entry),
            reference=entry.reference,
        )

    def verdict(self, kind: Kind) -> r.Verdict | None:
        """Which rung to take for that kind of help, with the reasons; None where none was measured."""
        contenders = [self._contender(name, kind) for name in self.names(kind)]
        able = (t for t in self.trials.values() if (t.entry.types if kind == "typing" else t.entry.replies))
        unmeasured = [t.entry.name for t in able if t.entry.net and t.state == "stopped" and not t.measured]
        return verdict(
            kind, contenders, lambda upper, lower: self.gain(kind, upper, lower), unmeasured, self.number_of_threads(kind)
        )

    def _contender(self, name: str, kind: Kind) -> Contender:
        trial, cost, law = self.trials[name], self.costs[name], self.laws.get((name, kind))
        flat = law is not None and max(abs(law.doubling().low), abs(law.doubling().high)) < _SETTLED
        why = "" if flat else trial.why
        times = cost.keystroke_ms if kind == "typing" else cost.reply_ms
        return Contender(
            name=name,
            net=trial.entry.net,
            score=self._score(name, kind),
            seconds=0.0 if trial.entry.shipped else cost.whole_seconds or 0.0,
            milliseconds=times.p50 if times else None,
            bytes=cost.disk_bytes or 0,
            settled=not why,
            why=why,
            elsewhere=cost.elsewhere,
        )

    def _score(self, name: str, kind: Kind) -> float:
        """What rungs are ordered by: higher is better."""
        if kind == "typing":
            return -float(self.columns[name]["text"][: self.posts["text"], 0].sum())
        return float(self._hits(name)[: self.pairs[self.main]].mean())

    def report(self, forum: str, key: str, asked: tuple[str, ...]) -> r.Report:
        """The whole of it."""
        executor, number = self.executor, self.posts["text"]
        text = next((of["text"][:number, 1] for of in self.columns.values()), np.zeros(0))
        return r.Report(
            version=r.VERSION,
            key=key,
            when=datetime.now(UTC).isoformat(timespec="seconds"),
            seconds=round(monotonic() - executor.began, 1),
            budget=executor.budget,
            seed=executor.experiment.seed,
            code=__version__,
            machine=machine(),
            forum=forum,
            data=executor.experiment.data,
            sizes=dict(self.sizes),
            scored=r.Scored(
                typing_posts=number,
                typed_posts=self.posts["keys"],
                typing_bytes=int(text.sum()),
                novel_posts=int((~self.repeats[:number]).sum()),
                repeat_posts=int(self.repeats[:number].sum()),
                pairs=dict(self.pairs),
                draws=executor.draws,
                left_out=executor.chosen.read,
                threads={kind: number for kind in KINDS if (number := self.number_of_threads(kind))},
            ),
            policy=POLICY,
            margin=MARGIN,
            rungs=tuple(self.rung(trial) for trial in self.trials.values()),
            steps=self.steps(),
            overtakings=self.overtakings(),
            verdicts={kind: found for kind in KINDS if (found := self.verdict(kind))},
            skipped=tuple(executor.skipped),
            level={kind: self.level(kind) for kind in KINDS},
            ties={kind: groups for kind in KINDS if (groups := self.ties(kind))},
            asked=asked,
        )


def _law_of(kind: Kind, law: Laws) -> r.Law:
    return r.Law(kind, float(law.a[0]), float(law.b[0]), float(law.c[0]), law.doubling())


def _exp(of: Figure) -> Figure:
    return Figure(float(np.exp(of.value)), float(np.exp(of.low)), float(np.exp(of.high)), of.number)


def _shortest(several: Iterable[Arrays], column: str) -> int:
    """The rows of a column that all have."""
    return min((len(arrays[column]) for arrays in several if column in arrays), default=0)

"""The measure of rankers: the reply that was given, among replies that were given elsewhere.

The protocol of PolyAI's conversational-datasets (Henderson et al. 2019): for each pair of a held-out part, 99 other replies are
drawn from pairs of the same kind in other threads, and the true one must come first: recall@1 of 100. What cannot be told from
the true reply counts as better. The *harder* variant takes its negatives from the same thread, where all replies share a topic:
those given to other posts, as many as there are; others fill the list. Several draws, each for all pairs; a pair's figures are
the means over its draws, and intervals are over threads.

`rank_pairs` goes against the clock: as many pairs as there is time for, in one order for all rankers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from time import monotonic, perf_counter
from typing import Self

import numpy as np
from numpy.typing import NDArray

from rejoinder.engine.replier import Replier
from rejoinder.errors import UsageError
from rejoinder.ladder import metrics
from rejoinder.ladder.metrics import Estimate
from rejoinder.ladder.report import Pairs
from rejoinder.models.interfaces import Progress, ReplyRanker, ReplySource, silent
from rejoinder.models.pairs import answers_comment, clean_pairs, draw_negatives
from rejoinder.post import Pair, Thread
from rejoinder.text.sums import each_once

NEGATIVES = 99
DRAWS = 5
_TIMED = 100  # posts that whole replies are timed on

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Pool:
    """All pairs of a part that are fit to rank."""

    pairs: list[Pair]  # N
    threads: Ints  # (N,) the key of each one's thread
    answered: Ints  # (N,) the id of the post that was answered
    comment: NDArray[np.bool_]  # (N,) whether that was a comment; else it opened the thread

    @classmethod
    def of(cls, threads: Iterable[Thread]) -> Self:
        """The pairs of these threads."""
        found = [(thread.key, pair) for thread in threads for pair in clean_pairs(thread.pairs())]
        pairs = [pair for _, pair in found]
        keys = np.array([key for key, _ in found], np.int64)
        answered = np.array([pair.context[-1].id for pair in pairs], np.int64)
        return cls(pairs, keys, answered, np.array([answers_comment(pair.context) for pair in pairs], bool))

    def places(self, kind: Pairs) -> Ints:
        """The pairs of one kind."""
        return np.flatnonzero(self.comment == (kind == "comment"))

    def enough(self, kind: Pairs) -> int:
        """How many pairs of a kind there are; 0 if other threads have too few for any list."""
        threads = self.threads[self.places(kind)]
        largest = int(np.unique(threads, return_counts=True)[1].max(initial=0))
        return len(threads) if len(threads) - largest >= NEGATIVES else 0


@dataclass(frozen=True, eq=False)
class CandidateDraws:
    """The candidates of each draw, as places in a pool."""

    places: Ints  # (N,) the pairs that are asked about
    candidates: Ints  # (D, N, 1 + 99) of each draw; the first is the true one
    same_thread: float  # how many of the 99 are of the same thread, on average

    def of(self, rows: Ints) -> CandidateDraws:
        """Those for some of the pairs."""
        return CandidateDraws(self.places[rows], self.candidates[:, rows], self.same_thread)


def draw_lists(pool: Pool, *, comment: bool, harder: bool, draws: int, rng: np.random.Generator) -> CandidateDraws:
    """Candidates for all pairs of one kind, drawn at random.

    Args:
        pool: where pairs and negatives come from.
        comment: comment-to-comment, else story-to-comment.
        harder: negatives from the same thread, where there are any.
        draws: lists for each pair.
        rng: draws them.

    Raises:
        UsageError: other threads have too few replies of this kind.
    """
    places = pool.places("comment" if comment else "story")
    try:
        drawn = [places[draw_negatives(pool.threads[places], NEGATIVES, rng)] for _ in range(draws)]
    except ValueError as error:
        kind = "comments" if comment else "opening posts"
        raise UsageError(f"too few replies to {kind} to measure a ranker on: {error}; import more") from error
    negatives = np.stack(drawn)
    same = 0
    if harder:
        members: dict[int, list[int]] = {}
        for member, key in enumerate(pool.threads.tolist()):
            members.setdefault(key, []).append(member)
        for row, place in enumerate(places):
            near = np.array(members[int(pool.threads[place])], np.int64)
            near = near[pool.answered[near] != pool.answered[place]]
            taken = min(len(near), NEGATIVES)
            for draw in range(draws):
                negatives[draw, row, :taken] = rng.permutation(near)[:taken]
            same += taken
    true = np.broadcast_to(places[None, :, None], (draws, len(places), 1))
    return CandidateDraws(places, np.concatenate([true, negatives], axis=2), same / max(len(places), 1))


def find_ranks(model: ReplyRanker, pool: Pool, several: Mapping[str, CandidateDraws]) -> dict[str, Ints]:
    """(D, N) int64 for each of several lists for the same pairs: the rank of the true reply in each draw.

    All candidates of a pair are scored together, each once.
    """
    first = next(iter(several.values()))
    texts = [pair.reply.text for pair in pool.pairs]
    found = {name: np.empty(lists.candidates.shape[:2], np.int64) for name, lists in several.items()}
    for row, place in enumerate(first.places):
        union = each_once(np.concatenate([lists.candidates[:, row].ravel() for lists in several.values()]))
        scores = model.score_replies(pool.pairs[place].context, [texts[candidate] for candidate in union])
        for name, lists in several.items():
            of = scores[np.searchsorted(union, lists.candidates[:, row])]
            found[name][:, row] = metrics.ranks(of[:, 0], of[:, 1:])
    return found


@dataclass(frozen=True)
class Asked:
    """What rankers are asked: equal for all of them, so that their pairs and lists are."""

    kind: Pairs
    pairs: int  # at most
    draws: int  # lists for each pair
    harder: bool  # also with replies of the same thread
    seed: int

    def order(self, pool: Pool) -> Ints:
        """(N,) in which order the pairs of the kind are asked about, as places among them."""
        return self._seeds()[2].permutation(len(pool.places(self.kind)))

    def lists(self, pool: Pool) -> dict[str, CandidateDraws]:
        """Candidates from other threads, and from the same one if asked."""
        seeds = self._seeds()
        return {
            name: draw_lists(pool, comment=self.kind == "comment", harder=harder, draws=self.draws, rng=seeds[harder])
            for name, harder in (("others", False), ("same thread", True))
            if self.harder or not harder
        }

    def _seeds(self) -> list[np.random.Generator]:
        return np.random.default_rng(self.seed).spawn(3)


def rank_pairs(model: ReplyRanker, pool: Pool, asked: Asked, until: float, progress: Progress = silent) -> Ints:
    """Rank the true replies to posts of one kind, until the `monotonic` second `until`.

    Returns:
        (N, D, 1 or 2) int64: the rank of the true reply of each of N pairs, in each of D draws, among replies from other threads,
        then (if `harder`) from the same one.
    """
    lists = asked.lists(pool)
    order = asked.order(pool)[: asked.pairs]
    found: list[Ints] = []
    for row in order:  # the clock is looked at after each: a model behind a server may take a minute for one
        if found and monotonic() > until:
            break
        ranks = find_ranks(model, pool, {name: every.of(np.array([row])) for name, every in lists.items()})
        found.append(np.stack([ranks[name] for name in lists], axis=2).transpose(1, 0, 2))
        progress(f"ranking answers to a {asked.kind}", len(found), len(order))
    return np.concatenate(found) if found else np.empty((0, asked.draws, len(lists)), np.int64)


def time_replies(
    sources: Mapping[str, ReplySource], model: ReplyRanker | None, pool: Pool, rng: np.random.Generator, until: float
) -> list[float]:
    """Milliseconds that each of some whole replies took: proposed by `sources`, ordered by `model` if there is one."""
    replier = Replier(dict(sources), model)
    chosen = rng.permutation(len(pool.pairs))[:_TIMED]
    times: list[float] = []
    for place in [*chosen[:1], *chosen]:  # the first opens files, and does not count
        if len(times) > 1 and monotonic() > until:
            break
        began = perf_counter()
        replier.reply(pool.pairs[place].context)
        times.append((perf_counter() - began) * 1000)
    return times[1:]


def figures(ranks: Ints, threads: Ints, rng: np.random.Generator) -> dict[str, Estimate]:
    """Recall@1, recall@10 and MRR with their intervals.

    Args:
        ranks: (D, N) of N pairs in D draws.
        threads: (N,) the key of each pair's thread.
        rng: for the bootstrap.
    """
    of_pairs = {
        "recall@1": metrics.recall_at(ranks, 1),
        "recall@10": metrics.recall_at(ranks, 10),
        "MRR": metrics.reciprocal_rank(ranks),
    }
    found = {}
    for name, values in of_pairs.items():
        sums, counts = metrics.by_thread(threads, values.mean(axis=0), np.ones(len(threads)))
        found[name] = metrics.bootstrap_mean(sums, counts, rng)
    return found


def difference(ranks: Ints, other: Ints, threads: Ints, rng: np.random.Generator) -> Estimate:
    """How far recall@1 of one model is above another's on the same lists, with its interval: paired. Shapes as in `figures`."""
    gain = (metrics.recall_at(ranks, 1) - metrics.recall_at(other, 1)).mean(axis=0)
    sums, counts = metrics.by_thread(threads, gain, np.ones(len(threads)))
    return metrics.bootstrap_mean(sums, counts, rng)

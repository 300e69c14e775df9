"""The measure of rankers: the reply that was given, among replies that were given elsewhere.

The protocol of PolyAI's conversational-datasets (Henderson et al. 2019): for each pair of a held-out part, 99 other replies are
drawn from pairs of the same kind in other threads, and the true one must come first: recall@1 of 100. What cannot be told from
the true reply counts as better. The *harder* variant takes its negatives from the same thread, where all replies share a topic:
those given to other posts, as many as there are; others fill the list. Several draws, each for all pairs; a pair's figures are
the means over its draws, and intervals are over threads.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from rejoinder.errors import UsageError
from rejoinder.ladder import metrics
from rejoinder.ladder.metrics import Estimate
from rejoinder.models.interfaces import ReplyRanker
from rejoinder.models.pairs import answers_comment, clean_pairs, draw_negatives
from rejoinder.post import Pair, Thread

NEGATIVES = 99
DRAWS = 5

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


@dataclass(frozen=True, eq=False)
class Lists:
    """The candidates of each draw, as places in a pool."""

    places: Ints  # (N,) the pairs that are asked about
    candidates: Ints  # (D, N, 1 + 99) of each draw; the first is the true one
    same_thread: float  # how many of the 99 are of the same thread, on average


def draw_lists(pool: Pool, *, comment: bool, harder: bool, draws: int, rng: np.random.Generator) -> Lists:
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
    places = np.flatnonzero(pool.comment == comment)
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
    return Lists(places, np.concatenate([true, negatives], axis=2), same / max(len(places), 1))


def find_ranks(model: ReplyRanker, pool: Pool, several: Mapping[str, Lists]) -> dict[str, Ints]:
    """(D, N) int64 for each of several lists for the same pairs: the rank of the true reply in each draw.

    All candidates of a pair are scored together, each once.
    """
    first = next(iter(several.values()))
    texts = [pair.reply.text for pair in pool.pairs]
    found = {name: np.empty(lists.candidates.shape[:2], np.int64) for name, lists in several.items()}
    for row, place in enumerate(first.places):
        union = np.unique(np.concatenate([lists.candidates[:, row].ravel() for lists in several.values()]))
        scores = model.score_replies(pool.pairs[place].context, [texts[candidate] for candidate in union])
        for name, lists in several.items():
            of = scores[np.searchsorted(union, lists.candidates[:, row])]
            found[name][:, row] = metrics.ranks(of[:, 0], of[:, 1:])
    return found


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

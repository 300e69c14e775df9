"""From counts to probabilities: modified Kneser-Ney, by the formulas that `rejoinder.models.kneser_ney` gives.

Everything is worked out in float64 for whole orders at a time, from the shortest n-grams to the longest, and is a function of the
counts alone: equal counts give equal arrays, to the bit.
"""

from __future__ import annotations

import logging
from bisect import insort
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rejoinder.text.ngrams import Ints, Level, NgramCounts, keys

_log = logging.getLogger(__name__)
_ROUNDING = 1e-3  # nats; sums of a few float32 differ by less
_FEW_SEEN = 600  # followers up to which a set of them is made
FALLBACK = (0.5, 1.0, 1.5)  # D1, D2, D3 where an archive is too small to say (kenlm's choice too)


@dataclass(frozen=True)
class Followers:
    """The index of one order n: what followed each context of n - 1 tokens, best first."""

    first: NDArray[np.uint32]  # (contexts + 1,) those of context c are token[first[c] : first[c + 1]]
    token: NDArray[Any]  # (M,) uint16 or uint32
    log_prob: NDArray[np.float32]  # (M,) nats, p_n in full
    backoff: NDArray[np.float32]  # (M,) nats, g of the n-gram as a context; (0,) in the highest order

    def contexts(self) -> NDArray[np.int64]:
        """(M,) the context of each follower."""
        return np.repeat(np.arange(len(self.first) - 1), self.first[1:].astype(np.int64) - self.first[:-1])


def build_index(
    counts: NgramCounts,
    begins: tuple[int, int],
    kept: Sequence[NDArray[np.bool_]],
    told: Callable[[int, int], object] = lambda done, total: None,
) -> list[Followers]:
    """The index of `counts`, by the formulas above.

    Args:
        counts: what everything is worked out from, whether kept or not.
        begins: the separators, which never come next.
        kept: for each order (M,) bool, which n-grams to write down; with an n-gram those inside it are kept, too.
        told: how many of the orders are done.
    """
    adjusted, suffixes = _adjusted_counts(counts, begins)
    size = counts.vocabulary
    probs: NDArray[np.float64] = np.empty(0)  # of the order below, by place in the counts
    index: list[Followers] = []
    place = np.zeros(1, dtype=np.int64)  # where the contexts of this order stand in the index, by place in the counts
    contexts = 1
    for n, level in enumerate(counts.levels, start=1):
        a = adjusted[n - 1]
        discount = _discounts(a, n)[np.minimum(a, 3)]
        above = 1 if n == 1 else len(counts.levels[n - 2])
        total = np.bincount(level.parent, weights=a, minlength=above)
        freed = np.bincount(level.parent, weights=np.where(kept[n - 1], np.minimum(discount, a), a), minlength=above)
        backoff = np.divide(freed, total, out=np.ones(above), where=total > 0)
        lower = 1.0 / (size - len(begins)) if n == 1 else probs[suffixes[n - 1]]
        with np.errstate(invalid="ignore", divide="ignore"):
            probs = np.maximum(a - discount, 0) / total[level.parent] + backoff[level.parent] * lower
        if n == 1:
            first, order, log_prob = _every_token(level, probs, backoff[0], size, begins)
            token = np.arange(size).astype(level.token.dtype)
        else:
            _set_backoff(index[-1], place, backoff)
            where = np.flatnonzero(kept[n - 1])
            log_prob = np.log(probs[where]).astype(np.float32)
            first, sorting = best_first(place[level.parent[where]], log_prob, contexts)
            order, log_prob = where[sorting], log_prob[sorting]
            token = level.token[order]
        place = np.full(len(level), -1, dtype=np.int64)
        place[order] = level.token if n == 1 else np.arange(len(order))
        contexts = len(token)
        index.append(Followers(first, token, log_prob, np.zeros(contexts if n < counts.order else 0, dtype=np.float32)))
        told(n, counts.order)
    return index


def _adjusted_counts(counts: NgramCounts, begins: tuple[int, int]) -> tuple[list[Ints], list[Ints]]:
    """For each order a(g) of every n-gram g, and the place of g without its first token in the order below."""
    adjusted: list[Ints] = [level.count for level in counts.levels]
    suffixes: list[Ints] = [np.zeros(len(counts.levels[0]), dtype=np.uint32)]
    starting = np.isin(counts.levels[0].token, begins)  # begins a post
    for n, (below, level) in enumerate(zip(counts.levels, counts.levels[1:], strict=False), start=1):
        wanted = keys(level, counts.vocabulary, suffixes[n - 1][level.parent])
        suffix = np.searchsorted(keys(below, counts.vocabulary), wanted).astype(np.uint32)
        ways = np.bincount(suffix, minlength=len(below))
        adjusted[n - 1] = np.where(starting, below.count, ways).astype(np.uint32)
        suffixes.append(suffix)
        starting = starting[level.parent]
    adjusted[0] = np.where(np.isin(counts.levels[0].token, begins), 0, adjusted[0]).astype(np.uint32)
    return adjusted, suffixes


def _discounts(a: Ints, n: int) -> NDArray[np.float64]:
    """(4,) float64: D0 = 0, D1, D2, D3 of an order, from its counts of counts; `FALLBACK` where they cannot be told."""
    once, twice, thrice, four = (int(np.count_nonzero(a == k)) for k in (1, 2, 3, 4))
    if once and twice and thrice:
        y = once / (once + 2 * twice)
        found = (1 - 2 * y * twice / once, 2 - 3 * y * thrice / twice, 3 - 4 * y * four / thrice)
        if all(0 < d <= k for k, d in enumerate(found, start=1)):
            return np.array([0.0, *found])
    _log.warning("order %d: too few n-grams to estimate discounts; using %s", n, FALLBACK)
    return np.array([0.0, *FALLBACK])


def _every_token(
    level: Level, probs: NDArray[np.float64], spread: float, size: int, begins: tuple[int, int]
) -> tuple[NDArray[np.uint32], NDArray[np.int64], NDArray[np.float32]]:
    """Level 1 by token id: tokens that never came have their share of what discounting freed, separators nothing."""
    everything = np.full(size, spread / (size - len(begins)))
    everything[level.token] = probs
    everything[list(begins)] = 0.0
    with np.errstate(divide="ignore"):
        log_prob = np.log(everything).astype(np.float32)
    return np.array([0, size], dtype=np.uint32), np.arange(len(level)), log_prob


def best_first(
    context: NDArray[np.int64], log_prob: NDArray[np.float32], contexts: int
) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """The order of n-grams in the index: by their context, the most probable first, ties as they come.

    Returns:
        (contexts + 1,) uint32 where the followers of each context begin; (M,) int64 the order.
    """
    # logarithms are at most 0, so as bits the smaller number is the larger logarithm
    rank = (context.astype(np.uint64) << np.uint64(32)) | np.abs(log_prob).view(np.uint32)
    sorting = np.argsort(rank, kind="stable")
    return np.searchsorted(context[sorting], np.arange(contexts + 1)).astype(np.uint32), sorting


def _set_backoff(level: Followers, place: NDArray[np.int64], backoff: NDArray[np.float64]) -> None:
    """Write g of each context, now that its followers are known; a context that was left out has none."""
    there = place >= 0
    level.backoff[place[there]] = np.log(backoff[there]).astype(np.float32)


def read_off(
    tokens: NDArray[Any],
    probs: NDArray[np.float32],
    behind: list[np.float32],
    seen: NDArray[Any],
    k: int,
    found: list[tuple[float, int]],
) -> None:
    """Put into the sorted list what one context adds: its best followers that no longer one has `seen`.

    Values are added up in the order in which `log_probs` adds them, so that both round alike. What ties with the k-th is kept
    too: the ids decide between them.
    """
    if not len(tokens):
        return
    if len(found) >= k and -float(probs[0]) - float(sum(behind)) > found[k - 1][0] + _ROUNDING:
        return  # not even the best of these can enter
    known = set(seen.tolist()) if len(seen) <= _FEW_SEEN else None
    for first in range(0, len(tokens), k + 2):
        chunk = tokens[first : first + k + 2]
        values = probs[first : first + k + 2]
        for backoff in behind:
            values = values + backoff
        drop = None if known is not None else (chunk[:, None] == seen).any(axis=1).tolist()
        for place, (token, value) in enumerate(zip(chunk.tolist(), values.tolist(), strict=True)):
            if (len(found) >= k and -value > found[k - 1][0]) or value == -np.inf:
                return
            if token not in known if known is not None else drop is not None and not drop[place]:
                insort(found, (-value, token))

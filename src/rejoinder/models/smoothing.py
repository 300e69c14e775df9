"""The index that `rejoinder.models.kneser_ney` asks: its arrays, the discounts behind them, and reading a list off it."""

from __future__ import annotations

import logging
from bisect import insort
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

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


def discounts(tally: NDArray[np.int64], n: int) -> NDArray[np.float64]:
    """(4,) float64: D0 = 0, D1, D2, D3 of order n, from (5,) its counts of counts; `FALLBACK` where they cannot be told."""
    once, twice, thrice, four = tally.tolist()[1:]
    if once and twice and thrice:
        y = once / (once + 2 * twice)
        found = (1 - 2 * y * twice / once, 2 - 3 * y * thrice / twice, 3 - 4 * y * four / thrice)
        if all(0 < d <= k for k, d in enumerate(found, start=1)):
            return np.array([0.0, *found])
    _log.warning("order %d: too few n-grams to estimate discounts; using %s", n, FALLBACK)
    return np.array([0.0, *FALLBACK])


def best_first(
    context: NDArray[np.int64], log_prob: NDArray[np.float32], contexts: int
) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """The order of n-grams in the index: by their context, the most probable first, ties as they come.

    Returns:
        (contexts + 1,) uint32 where the followers of each context begin; (M,) int64 the order.
    """
    sorting = by_context(context, log_prob)
    return np.searchsorted(context[sorting], np.arange(contexts + 1)).astype(np.uint32), sorting


def by_context(context: NDArray[np.int64], log_prob: NDArray[np.float32]) -> NDArray[np.int64]:
    """(M,) int64: that order alone."""
    # logarithms are at most 0, so as bits the smaller number is the larger logarithm
    rank = (context.astype(np.uint64) << np.uint64(32)) | np.abs(log_prob).view(np.uint32)
    return np.argsort(rank, kind="stable")


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

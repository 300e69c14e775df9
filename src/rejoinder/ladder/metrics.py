"""Figures of merit: pure functions of arrays.

What was scored comes in N pieces: for each the nats a model paid and the UTF-8 bytes of the text. Posts of one thread are alike,
so for an interval a piece is a thread, not a post or a token.

Explained in docs/tour/03-the-problem-we-are-trying-to-solve.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DRAWS = 2_000  # bootstrap samples
LEVEL = 0.95  # of the intervals
FEWEST = 20  # threads that an interval over threads must stand on to say anything
_MOST_DRAWS = 10_000
_BATCH = 2**22  # numbers drawn at a time, about

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Estimate:
    """A figure and its interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        """As a person reads it."""
        return f"{self.value:.4f} ({self.low:.4f} to {self.high:.4f})"


def bits_per_byte(nats: Floats, bytes_scored: Ints) -> float:
    """Sum of nats / (ln 2 x sum of bytes): the only figure to compare across tokenizers.

    Args:
        nats: (N,) float64: minus the log probability of each piece, all its tokens together.
        bytes_scored: (N,) int64: its UTF-8 bytes.

    Raises:
        ValueError: there are no bytes.
    """
    total = int(np.sum(bytes_scored))
    if total <= 0:
        raise ValueError("`bits_per_byte` needs at least one byte of text; got none")
    return float(np.sum(nats) / (np.log(2) * total))


def perplexity(nats: Floats) -> float:
    """exp(mean nats per token). `nats` is (T,) float64, one a token: name the tokenizer wherever this figure stands.

    Raises:
        ValueError: there are no tokens.
    """
    if not len(nats):
        raise ValueError("`perplexity` needs at least one token; got none")
    return float(np.exp(np.mean(nats)))


def bootstrap_bits(nats: Floats, bytes_scored: Ints, rng: np.random.Generator, draws: int = DRAWS) -> Estimate:
    """Bits per byte with its percentile interval over pieces drawn with replacement (Efron 1979). (N,) each."""
    value = bits_per_byte(nats, bytes_scored)
    found = resample(np.stack([nats, bytes_scored.astype(np.float64)]), rng, draws)
    return _estimate(value, found[0] / (np.log(2) * found[1]))


def bootstrap_change(nats: Floats, other: Floats, rng: np.random.Generator, level: float = LEVEL) -> Estimate:
    """How much lower `nats` are than `other`, as a share of `other`, on the same pieces: paired. 0.03 is 3% lower.

    Args:
        nats: (N,) float64: what one model paid for each piece.
        other: (N,) float64: what the other one paid for the same pieces; the bytes cancel out.
        rng: which pieces are drawn.
        level: of the interval.
    """
    found = resample(np.stack([nats, other]), rng, draws_for(level))
    return _estimate(float(1 - nats.sum() / other.sum()), 1 - found[0] / found[1], level)


def ranks(true: Floats, others: Floats) -> Ints:
    """(N,) int64: the rank of the true candidate, 1 the best. Whatever is not below it (a tie, no number) counts as better.

    Args:
        true: (N,) float64: what the true one was given.
        others: (N, C) float64: what each of the C others was given.
    """
    return np.asarray(1 + np.sum(~(others < true[:, None]), axis=1), np.int64)


def recall_at(found: Ints, k: int) -> Floats:
    """Float64 like `found`, ranks: 1 where the true candidate is among the first `k`, else 0; the mean is recall@k."""
    return np.asarray(found <= k, np.float64)


def reciprocal_rank(found: Ints) -> Floats:
    """Float64 like `found`, ranks: 1 / rank; the mean is the mean reciprocal rank, MRR (Voorhees 1999)."""
    return 1.0 / found


def bootstrap_mean(sums: Floats, counts: Floats, rng: np.random.Generator, level: float = LEVEL) -> Estimate:
    """The mean of what was summed in N pieces, with its percentile interval over pieces drawn with replacement (Efron 1979).

    The mean of a paired difference is that of the differences of two models' sums.

    Args:
        sums: (N,) float64: the sum over each piece.
        counts: (N,) float64: of how many values.
        rng: which pieces are drawn.
        level: of the interval.
    """
    found = resample(np.stack([sums, counts]), rng, draws_for(level))
    return _estimate(float(sums.sum() / counts.sum()), found[0] / found[1], level)


def by_thread(threads: Ints, *columns: Floats) -> tuple[Floats, ...]:
    """The sums of each of `columns` (P,) over the posts of a thread, by `threads` (P,), the key of each post's thread."""
    _, place = np.unique(threads, return_inverse=True)
    return tuple(np.bincount(place, column).astype(np.float64) for column in columns)


def resample(columns: Floats, rng: np.random.Generator, draws: int = DRAWS) -> Floats:
    """(K, draws): the sums of K columns (K, N) over N pieces drawn with replacement, `draws` times."""
    pieces = columns.shape[1]
    step = max(_BATCH // pieces, 1)
    sums = []
    for first in range(0, draws, step):
        drawn = rng.integers(pieces, size=(min(step, draws - first), pieces))
        sums.append(columns[:, drawn].sum(axis=2))
    return np.concatenate(sums, axis=1)


def level_of_each(comparisons: int) -> float:
    """The level of the interval of each of several comparisons, so that all together hold at `LEVEL` (Bonferroni)."""
    return 1 - (1 - LEVEL) / max(comparisons, 1)


def draws_for(level: float) -> int:
    """Bootstrap samples, so that as many lie outside an interval of any level as outside one of `LEVEL`."""
    return min(round(DRAWS * (1 - LEVEL) / (1 - level)), _MOST_DRAWS)


def _estimate(value: float, drawn: Floats, level: float = LEVEL) -> Estimate:
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(value, float(low), float(high))

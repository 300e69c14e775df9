"""What the cell recalls: the tokens that came next when its output was last like this one.

    p(w | h_t) = sum over i < t of [x_i = w] exp(a h_t . h_i) / sum over i < t of exp(a h_t . h_i)

h_i is the output before token x_i was read, a how sharply likeness counts. A continuous cache (Grave, Joulin & Usunier 2017):
nothing is trained for it. It brings back names and terms of the posts answered and of the draft, in the places where they fit,
which the cell alone forgets. How much that is worth is for a mixture to say, by the certainty ln sum exp(a h_t . h_i).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from rejoinder.models.interfaces import NOTHING, Recalled

_TAIL = 64  # places that are copied with each token, at most
_AT_ONCE = 256  # tokens scored at a time

Outputs = NDArray[np.float32]  # (N, H)
Tokens = NDArray[np.int64]  # (N,)


@dataclass(frozen=True, eq=False, slots=True)
class Past:
    """Outputs and the tokens read after them, the oldest first: a value. The newest lie apart, so that adding one copies few."""

    outputs: Outputs
    tokens: Tokens
    new_outputs: Outputs
    new_tokens: Tokens

    @classmethod
    def empty(cls, hidden: int) -> Self:
        """Of a text that has not begun; H = `hidden`."""
        none, no_tokens = np.empty((0, hidden), np.float32), np.empty(0, np.int64)
        return cls(none, no_tokens, none, no_tokens)

    def __len__(self) -> int:
        """How many places there are."""
        return len(self.tokens) + len(self.new_tokens)

    def value(self) -> bytes:
        """Equal for the same tokens."""
        return self.tokens.tobytes() + self.new_tokens.tobytes()

    def after(self, outputs: Outputs, tokens: Tokens, reach: int) -> Self:
        """With N more places; those more than `reach` places back may be forgotten, nearer ones never."""
        outputs, tokens = np.concatenate([self.new_outputs, outputs]), np.concatenate([self.new_tokens, tokens])
        if len(tokens) < _TAIL:
            return type(self)(self.outputs, self.tokens, outputs, tokens)
        outputs, tokens = np.concatenate([self.outputs, outputs])[-reach:], np.concatenate([self.tokens, tokens])[-reach:]
        return type(self)(outputs, tokens, outputs[:0], tokens[:0])

    def recall(self, output: NDArray[np.float32], sharpness: float, reach: int) -> Recalled:
        """What came next at the last `reach` places like `output` (H,)."""
        if not len(self):
            return NOTHING
        likeness = np.concatenate([self.outputs @ output, self.new_outputs @ output])[-reach:] * sharpness
        most = likeness.max()
        shares = np.exp(likeness - most)
        total = shares.sum()
        return Recalled(np.concatenate([self.tokens, self.new_tokens])[-reach:], shares / total, float(most + np.log(total)))


def score(
    past: Past, outputs: Outputs, tokens: Tokens, able: NDArray[np.bool_], how: tuple[float, int]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(N,) float32, nats: what recall gives each of N tokens of a text, -inf if nothing; (N,) float32, nats: its certainty.

    Args:
        past: of the text before.
        outputs: (N, H) before each token.
        tokens: (N,) what came.
        able: (N,) whether a place can be recalled.
        how: sharpness and reach.
    """
    sharpness, reach = how
    found, certainty = np.empty((2, len(tokens)), np.float32)
    for here, before, came, kept in _windows(past, outputs, tokens, able, reach):
        likeness = np.where(kept, outputs[here] @ before.T * sharpness, -np.inf)
        most = np.maximum(likeness.max(axis=1, initial=-np.inf), -1e30)[:, None]  # a number also where nothing is kept
        shares = np.exp(likeness - most)
        total = shares.sum(axis=1)
        same = (shares * (came[None] == tokens[here, None])).sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            found[here] = np.where(total > 0, np.log(same) - np.log(total), -np.inf)
            certainty[here] = np.where(total > 0, most[:, 0] + np.log(total), -np.inf)
    return found, certainty


def _windows(past: Past, outputs: Outputs, tokens: Tokens, able: NDArray[np.bool_], reach: int) -> Iterator[tuple[Any, ...]]:
    """For some tokens at a time: which, the (M, H) outputs before them, the (M,) tokens there, (., M) which each may recall."""
    behind = len(past)
    outputs = np.concatenate([past.outputs, past.new_outputs, outputs])
    tokens = np.concatenate([past.tokens, past.new_tokens, tokens])
    able = np.concatenate([np.ones(behind, dtype=bool), able])
    number = np.concatenate(
        [np.arange(behind), behind + np.cumsum(able[behind:]) - able[behind:]]
    )  # places that count before each
    for first in range(behind, len(tokens), _AT_ONCE):
        last = min(first + _AT_ONCE, len(tokens))
        begin = int(np.searchsorted(number, number[first] - reach))
        here, there = np.arange(first, last), np.arange(begin, last)
        kept = able[there] & (there < here[:, None]) & (number[there] >= number[here, None] - reach)
        yield slice(first - behind, last - behind), outputs[begin:last], tokens[begin:last], kept

"""What the cell recalls: the tokens that came next when its output was last like this one.

    p(w | h_t) = sum over i < t of [x_i = w] exp(a h_t . h_i) / sum over i < t of exp(a h_t . h_i)

h_i is the output before token x_i was read, a how sharply likeness counts. A continuous cache (Grave, Joulin & Usunier 2017):
nothing is trained for it. It brings back names and terms of the posts answered and of the draft, in the places where they fit,
which the cell alone forgets. How much that is worth is for a mixture to say, by the certainty ln sum exp(a h_t . h_i).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rejoinder.models.interfaces import NOTHING, Recalled

_BLOCK = 64  # places that texts which begin alike share as one array
_AT_ONCE = 256  # tokens scored at a time

Outputs = NDArray[np.float32]  # (N, H)
Tokens = NDArray[np.int64]  # (N,)


class _Link(NamedTuple):
    """The newest place, and the one before it: a text that goes on in two ways has what came before once."""

    output: Outputs  # (1, H)
    token: int
    before: _Link | None


@dataclass(frozen=True, eq=False, slots=True)
class Past:
    """Outputs and the tokens read after them: a value. One place more costs one row, whatever came before."""

    hidden: int
    blocks: tuple[tuple[Outputs, Tokens], ...] = ()  # of 64 places each, the oldest first
    newest: _Link | None = None  # of the places after them
    links: int = 0  # how many these are
    made: int = 0  # of the newest places, those that are not recalled: a decoder looking ahead made their tokens

    def __len__(self) -> int:
        """How many places there are."""
        return _BLOCK * len(self.blocks) + self.links

    def value(self) -> bytes:
        """Equal for the same tokens."""
        return self.tokens.tobytes() + self.made.to_bytes(8)

    @property
    def outputs(self) -> Outputs:
        """(N, H) float32, a copy."""
        return np.concatenate([np.empty((0, self.hidden), np.float32), *(outputs for outputs, _ in self._pieces())])

    @property
    def tokens(self) -> Tokens:
        """(N,) int64, a copy."""
        return np.concatenate([np.empty(0, np.int64), *(tokens for _, tokens in self._pieces())])

    def after(self, outputs: Outputs, tokens: Tokens, reach: int) -> Past:
        """With N more places; those more than `reach` places back may be forgotten, nearer ones never."""
        past, most = self, -(-reach // _BLOCK)
        for row, token in enumerate(tokens.tolist()):
            newest = _Link(outputs[row : row + 1].copy(), token, past.newest)
            past = Past(self.hidden, past.blocks, newest, past.links + 1)
            if past.links == _BLOCK:
                past = Past(self.hidden, tuple(past._pieces())[-most:])
        return past

    def recall(self, output: NDArray[np.float32], sharpness: float, reach: int) -> Recalled:
        """What came next at the last `reach` places like `output` (H,), those that were made left out."""
        if len(self) <= self.made:
            return NOTHING
        pieces, last = list(self._pieces()), len(self) - self.made
        able = slice(max(last - reach, 0), last)
        likeness = np.concatenate([outputs @ output for outputs, _ in pieces])[able] * sharpness
        most = likeness.max()
        shares = np.exp(likeness - most)
        total = shares.sum()
        return Recalled(np.concatenate([tokens for _, tokens in pieces])[able], shares / total, float(most + np.log(total)))

    def _pieces(self) -> Iterator[tuple[Outputs, Tokens]]:
        """All places in order, as few arrays."""
        yield from self.blocks
        rows, tokens, link = list[Outputs](), list[int](), self.newest
        while link is not None:
            rows.append(link.output)
            tokens.append(link.token)
            link = link.before
        if rows:
            yield np.concatenate(rows[::-1]), np.array(tokens[::-1], np.int64)


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
    outputs = np.concatenate([past.outputs, outputs])
    tokens = np.concatenate([past.tokens, tokens])
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

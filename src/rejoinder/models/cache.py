"""A decaying cache: what was just written is likely to be written again.

    p(w) = (1 - l_n) p(w) + l_n c_n(w)            for n = 0, 1, 2 in turn, as far as c_n is known
    c_n(w) = sum of 2^(-age / half-life) over the places of the history where w stood after the same n tokens, over all such

Kuhn & De Mori 1990 (n = 0), Clarkson & Robinson 1997 (decay). The history is part of the state, as immutable bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import exp, inf, log

import numpy as np
from numpy.typing import NDArray

from rejoinder.models.interfaces import LogProbs

_TOKEN = np.dtype("<u4")
ORDERS = 3  # n = 0, 1, 2
_ROUNDS, _MOST = 60, 0.95  # of expectation and maximisation; of a weight


@dataclass(frozen=True)
class Cache:
    """The last `size` tokens, fading by half every `half_life` tokens; `weights` are l_0, l_1, l_2."""

    size: int
    half_life: float
    weights: tuple[float, ...]

    def remember(self, history: bytes, *tokens: int) -> bytes:
        """The history with `tokens` added; what is older than `size` tokens falls out."""
        added = np.array(tokens, dtype=_TOKEN).tobytes()
        return (history + added)[-self.size * _TOKEN.itemsize :]

    @staticmethod
    def before(history: bytes, made: int) -> bytes:
        """The history without its last `made` tokens."""
        return history[: max(len(history) - made * _TOKEN.itemsize, 0)]

    def mix(self, log_probs: LogProbs, history: bytes, context: tuple[int, ...] = ()) -> LogProbs:
        """(V,) float32, nats: `log_probs` with the cache mixed in; `context` are the tokens just before, for n = 1, 2.

        The last tokens of `history` are the same as `context`, unless a post has just begun or a decoder looks ahead: its tokens
        count as context and are no history. All tokens lose the same share; only those of the history are worked out anew.
        """
        tokens = np.frombuffer(history, dtype=_TOKEN)
        kept, shares = self._shares(tokens, context)
        mixed = log_probs + np.float32(log(kept))
        mixed[tokens] = np.log(np.exp(mixed[tokens].astype(np.float64)) + np.bincount(tokens, shares)[tokens])
        return mixed

    def mix_one(self, log_prob: float, token: int, history: bytes, context: tuple[int, ...] = ()) -> float:
        """Nats: what `mix` makes of the log probability of one token."""
        tokens = np.frombuffer(history, dtype=_TOKEN)
        kept, shares = self._shares(tokens, context)
        prob = kept * exp(log_prob) + float(shares[tokens == token].sum())
        return log(prob) if prob > 0 else -inf

    def _shares(self, tokens: NDArray[np.uint32], context: tuple[int, ...]) -> tuple[float, NDArray[np.float64]]:
        """What all tokens keep; (N,) float64: what each place of the history adds to the probability of its token."""
        kept, shares = 1.0, np.zeros(len(tokens))  # what each place gives to its token
        for weight, (here, fading) in zip(self.weights, self._found(tokens, context), strict=False):
            kept, shares = kept * (1 - weight), shares * (1 - weight)
            shares[here] += fading * (weight / fading.sum())
        return kept, shares

    def parts(self, token: int, history: bytes, context: tuple[int, ...] = ()) -> list[float]:
        """c_n of one token for n = 0, 1, 2, as far as it is known."""
        tokens = np.frombuffer(history, dtype=_TOKEN)
        return [float(fading[tokens[here] == token].sum() / fading.sum()) for here, fading in self._found(tokens, context)]

    def _found(
        self, tokens: NDArray[np.uint32], context: tuple[int, ...]
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float64]]]:
        """For n = 0, 1, 2, as far as there are any: the places whose n tokens before are the context's; what is left of each."""
        here = np.arange(len(tokens))
        for n in range(min(len(context), ORDERS - 1) + 1):
            if n:
                here = here[np.searchsorted(here, n) :]
                here = here[tokens[here - n] == context[-n]]
            if not len(here):
                return
            yield here, self._fading[here[-1] - here]  # from the newest on, so that it never fades to nothing

    @cached_property
    def _fading(self) -> NDArray[np.float64]:
        """(size,) what is left of a token after so many others."""
        return np.asarray(0.5 ** (np.arange(self.size) / self.half_life), np.float64)


def fit_weights(seen: Sequence[tuple[float, Sequence[float]]]) -> tuple[float, ...]:
    """l_0, l_1, l_2 under which a text is likeliest, by expectation and maximisation (Dempster, Laird & Rubin 1977).

    `seen` holds, of each of its tokens, the log probability without a cache, nats, and c_n as far as it is known.
    """
    alone = np.exp([log_prob for log_prob, _ in seen])
    known = np.array([[n < len(parts) for n in range(ORDERS)] for _, parts in seen])
    repeated = np.array([[*parts, *[0.0] * (ORDERS - len(parts))] for _, parts in seen])
    weights = np.full(ORDERS, 0.1)
    for _ in range(_ROUNDS):
        kept = np.cumprod(np.where(known, 1 - weights, 1.0)[:, ::-1], axis=1)[:, ::-1]  # of what stands before l_n comes in
        after = np.concatenate([kept[:, 1:], np.ones((len(kept), 1))], axis=1)
        each = weights * repeated * after
        base = alone * kept[:, 0]
        total = np.maximum(base + each.sum(axis=1), 1e-300)
        taken = each / total[:, None]
        reached = (base / total)[:, None] + np.cumsum(taken, axis=1)
        asked = np.maximum((reached * known).sum(axis=0), 1e-300)
        weights = np.minimum(taken.sum(axis=0) / asked, _MOST)
    return tuple(np.round(weights, 6).tolist())

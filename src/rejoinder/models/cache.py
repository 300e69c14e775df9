"""A decaying cache: what was just written is likely to be written again.

    p(w) = (1 - l_n) p(w) + l_n c_n(w)            for n = 0, 1, 2 in turn, as far as c_n is known
    c_n(w) = sum of 2^(-age / half-life) over the places of the history where w stood after the same n tokens, over all such

Kuhn & De Mori 1990 (n = 0), Clarkson & Robinson 1997 (decay). The history is part of the state, as immutable bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import exp, inf, log

import numpy as np
from numpy.typing import NDArray

from rejoinder.models.interfaces import LogProbs

_TOKEN = np.dtype("<u4")


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
        here = np.arange(len(tokens))  # places whose n tokens before are the context's
        kept, shares = 1.0, np.zeros(len(tokens))  # what each place gives to its token
        for n, weight in enumerate(self.weights):
            if n:
                if n > len(context):
                    break
                here = here[np.searchsorted(here, n) :]
                here = here[tokens[here - n] == context[-n]]
            if not len(here):
                break
            fading = self._fading[here[-1] - here]  # from the newest on, so that it never fades to nothing
            kept, shares = kept * (1 - weight), shares * (1 - weight)
            shares[here] += fading * (weight / fading.sum())
        return kept, shares

    @cached_property
    def _fading(self) -> NDArray[np.float64]:
        """(size,) what is left of a token after so many others."""
        return np.asarray(0.5 ** (np.arange(self.size) / self.half_life), np.float64)

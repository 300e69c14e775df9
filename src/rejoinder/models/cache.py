"""A decaying cache: what was just written is likely to be written again.

    p(w) = (1 - l_n) p(w) + l_n c_n(w)            for n = 0, 1, 2 in turn, as far as c_n is known
    c_n(w) = sum of 2^(-age / half-life) over the places of the history where w stood after the same n tokens, over all such

Kuhn & De Mori 1990 (n = 0), Clarkson & Robinson 1997 (decay). The history is part of the state, as immutable bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import numpy as np

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
        here = np.arange(len(tokens))  # places whose n tokens before are the context's
        kept, added = 1.0, np.zeros(len(log_probs))
        for n, weight in enumerate(self.weights):
            if n:
                if n > len(context):
                    break
                here = here[here >= n]
                here = here[tokens[here - n] == context[-n]]
            if not len(here):
                break
            fading = 0.5 ** ((here[-1] - here) / self.half_life)  # from the newest on, so that it never fades to nothing
            kept, added = kept * (1 - weight), added * (1 - weight)
            np.add.at(added, tokens[here], fading * (weight / fading.sum()))
        mixed = log_probs + np.float32(log(kept))
        seen = np.flatnonzero(added)
        mixed[seen] = np.log(np.exp(mixed[seen].astype(np.float64)) + added[seen])
        return mixed

"""The train part's replies, each with the vector of what it means, as an encoder has it: what is nearest to a question."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

import numpy as np

from rejoinder.errors import DamagedModel
from rejoinder.models.interfaces import Progress
from rejoinder.models.meaning import Floats
from rejoinder.models.nearest import Nearest
from rejoinder.models.replies import Replies

_AT_ONCE = 500  # replies encoded at a time


class ReplyVectors:
    """N replies and their vectors."""

    def __init__(self, replies: Replies, nearest: Nearest) -> None:
        """Use `build` or `load`."""
        self.replies, self.nearest = replies, nearest

    @classmethod
    def build(cls, replies: Replies, said: Sequence[str], encode: Callable[[Sequence[str]], Floats], progress: Progress) -> Self:
        """Those of `replies`, whose texts are `said`, one or more; `encode` makes (n, D) of n texts."""
        beginning = encode(said[:_AT_ONCE])
        vectors = np.empty((len(said), beginning.shape[1]), np.float32)
        vectors[:_AT_ONCE] = beginning
        for first in range(_AT_ONCE, len(said), _AT_ONCE):
            progress("placing replies", first, len(said))
            vectors[first : first + _AT_ONCE] = encode(said[first : first + _AT_ONCE])
        return cls(replies, Nearest.build(vectors))

    def save(self, directory: Path) -> None:
        """Write both."""
        self.nearest.save(directory)
        self.replies.save(directory)

    @classmethod
    def load(cls, directory: Path, size: int, rung: str) -> Self:
        """Read what `save` wrote for a rung whose vectors have `size` numbers, memory-mapped.

        Raises:
            DamagedModel: it is not whole, or does not belong together.
        """
        nearest, replies = Nearest.load(directory), Replies.load(directory)
        if nearest.vectors.shape != (len(replies), size):
            raise DamagedModel(f"{directory}: vectors and replies do not fit together; fit again: rejoinder fit {rung}")
        return cls(replies, nearest)

"""Which posts a model was made from, told by 64-bit hashes: who has a post can look it up, who has the hashes has no words.

Posts are compared by their words alone: without case, space and punctuation, quotes, and what `stripped` leaves out. A list of N
hashes takes another post for one of its own about once in 2**64 / N.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from rejoinder.errors import DamagedModel
from rejoinder.hashing import hash64
from rejoinder.post import unquoted
from rejoinder.text.cleaning import stripped

_WORD = re.compile(r"\w+")


def post_hash(text: str) -> int | None:
    """The 64-bit hash of a post's own words, None where it has none."""
    words = _WORD.findall(stripped(unquoted(text)).casefold())
    if not words:
        return None
    return hash64(" ".join(words).encode(errors="replace"))


class Fingerprints:
    """A set of post hashes."""

    def __init__(self, hashes: NDArray[np.uint64]) -> None:
        """`hashes`: (N,) uint64, ascending, distinct."""
        self.hashes = hashes

    def __len__(self) -> int:
        """N, how many there are."""
        return len(self.hashes)

    @classmethod
    def of(cls, texts: Iterable[str]) -> Self:
        """The hashes of `texts`, ascending and each once; texts that have none are passed over."""
        found = {value for text in texts if (value := post_hash(text)) is not None}
        return cls(np.array(sorted(found), dtype=np.uint64))

    def holds(self, text: str) -> bool:
        """Whether a post of these words is among them."""
        value = post_hash(text)
        if value is None:
            return False
        place = int(np.searchsorted(self.hashes, np.uint64(value)))
        return place < len(self.hashes) and int(self.hashes[place]) == value

    def save(self, file: Path) -> None:
        """Write the hashes as npy."""
        np.save(file, self.hashes, allow_pickle=False)

    @classmethod
    def load(cls, file: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            DamagedModel: the file is not there, or holds no such list.
        """
        try:
            hashes = np.load(file, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise DamagedModel(f"{file} is missing or damaged ({error}); make it again: rejoinder bundle") from error
        if hashes.dtype != np.uint64 or hashes.ndim != 1 or not (hashes[1:] > hashes[:-1]).all():
            raise DamagedModel(f"{file} is no ascending list of 64-bit hashes; make it again: rejoinder bundle")
        return cls(hashes)

"""Which posts a model was made from, told by hashes: who has a post can look it up, who has the hashes has no words.

Posts are compared by their words alone: without case, space and punctuation, quotes, and what `stripped` leaves out. Posts of
fewer than FEWEST words are nobody's in particular, and are neither kept nor found.

Of N posts the hashes are kept modulo N * SPREAD, in order, as the differences of neighbours, 2 bytes each: since a difference is
SPREAD on average, hardly one in a thousand takes more. So another post is taken for one of these about once in SPREAD, and a
thread of 20 such posts once in SPREAD / 20: whoever must not measure on what was read asks by thread.
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
from rejoinder.post import Post, unquoted
from rejoinder.text.cleaning import stripped
from rejoinder.text.sums import each_once

FEWEST = 8  # words
SPREAD = 2**13
_STEP = 2**16 - 1  # a difference of it says that the next one is to be added, and that nobody is here
_HEAD = 4  # numbers of 16 bits that hold the modulus
_WORD = re.compile(r"\w+")


def post_hash(text: str) -> int | None:
    """The 64-bit hash of a post's own words, None where it has fewer than FEWEST."""
    words = _WORD.findall(stripped(unquoted(text)).casefold())
    if len(words) < FEWEST:
        return None
    return hash64(" ".join(words).encode(errors="replace"))


class Fingerprints:
    """A set of post hashes."""

    def __init__(self, hashes: NDArray[np.uint64], modulus: int) -> None:
        """`hashes`: (N,) uint64, ascending, distinct, each below `modulus`."""
        self.hashes = hashes
        self.modulus = modulus

    def __len__(self) -> int:
        """N, how many there are."""
        return len(self.hashes)

    @classmethod
    def of(cls, texts: Iterable[str]) -> Self:
        """The hashes of `texts`, each once; texts that have none are passed over."""
        whole = np.fromiter((value for text in texts if (value := post_hash(text)) is not None), np.uint64)
        modulus = max(len(whole), 1) * SPREAD
        return cls(each_once(whole % np.uint64(modulus)), modulus)

    def holds(self, text: str) -> bool:
        """Whether a post of these words is among them, as far as such a list can tell."""
        value = post_hash(text)
        return value is not None and self._has(value)

    def has_read(self, posts: Iterable[Post]) -> bool | None:
        """Whether one of a thread's posts is among them; None where all are too short to tell."""
        told = [self._has(value) for post in posts if (value := post_hash(post.own_text)) is not None]
        return any(told) if told else None

    def _has(self, value: int) -> bool:
        place = int(np.searchsorted(self.hashes, np.uint64(value % self.modulus)))
        return place < len(self.hashes) and int(self.hashes[place]) == value % self.modulus

    def save(self, file: Path) -> None:
        """Write the hashes as npy: the modulus, then the differences."""
        steps = np.diff(self.hashes, prepend=np.uint64(0))
        many = (steps // np.uint64(_STEP)).astype(np.int64)  # for each hash, how often the longest step comes before its own
        written = np.full(len(steps) + int(many.sum()), _STEP, dtype=np.uint16)
        written[np.arange(len(steps)) + np.cumsum(many)] = steps % np.uint64(_STEP)
        head = np.array([self.modulus], dtype="<u8").view("<u2")
        np.save(file, np.concatenate([head, written]).astype("<u2"), allow_pickle=False)

    @classmethod
    def load(cls, file: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            DamagedModel: the file is not there, or holds no such list, or an empty one.
        """
        try:
            written = np.load(file, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise DamagedModel(f"{file} is missing or damaged ({error}); make it again: rejoinder bundle") from error
        if written.dtype == np.uint64 and written.ndim == 1 and len(written) and (written[1:] > written[:-1]).all():
            return cls(written, 2**64)  # whole hashes, as the package's models had them before 0.2
        if written.dtype != np.uint16 or written.ndim != 1 or len(written) <= _HEAD:
            raise DamagedModel(f"{file} is no list of hashes of posts, or an empty one; make it again: rejoinder bundle")
        modulus = int(np.ascontiguousarray(written[:_HEAD]).view("<u8")[0])
        places = np.cumsum(written[_HEAD:], dtype=np.uint64)[written[_HEAD:] < _STEP]
        if not len(places) or int(places[-1]) >= modulus or not (places[1:] > places[:-1]).all():
            raise DamagedModel(f"{file} is no ascending list of hashes of posts; make it again: rejoinder bundle")
        return cls(places, modulus)

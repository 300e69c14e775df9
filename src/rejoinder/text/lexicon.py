"""Which words a language has, as far as an archive shows: those that two writers or more wrote.

A word that one person alone wrote may be a name, a slip or a key, and what a model spells of its own may be no word at all. The
words themselves are not kept, only the upper 32 bits of a hash of each, in order: 4 bytes a word, 137 kB for the 34,000 of the
Hacker News posts in hand, which are 98% of all running words of others. Who has a word can look it up, and one that is not in it
is taken for one that is at a rate of N / 2^32.

Who has read very much has met every slip twice, and the common words of every language. There a word must stand in one of so many
posts as well (`one_in`).

Some words are nobody's to teach: those with a digit, those of one letter, and the possessive of a word that is known. Scripts
that put no space between words have no words to look up, so what is written in them passes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from rejoinder.errors import DamagedModel
from rejoinder.hashing import hash64
from rejoinder.post import Post
from rejoinder.text.sums import each_once
from rejoinder.text.words import words
from rejoinder.text.writers import Writers

FILE = "words.npy"
_ALWAYS = re.compile(r"\d|^.$|[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
_POSSESSIVE = "'s"


@dataclass(frozen=True, eq=False)
class Lexicon:
    """The words that two writers or more wrote."""

    hashes: NDArray[np.uint32]  # (N,) ascending

    @classmethod
    def build(cls, posts: Iterable[Post], one_in: int | None = None) -> Self:
        """Those of `posts`, their quotes left out (see `rejoinder.text.writers` for whose a post is).

        With `one_in` a word of fewer than one of so many posts is none, even if two wrote it.
        """
        whose, read = Writers(), 0
        last: dict[str, int] = {}  # word -> who wrote it last
        times = Counter[str]()  # posts with a word, those that one writer sent in a row counted once
        for post in posts:
            read += 1
            said = words(post.own_text)
            writer = whose(post, said)
            for word in {*said}:
                if last.get(word) != writer:
                    last[word] = writer
                    times[word] += 1
        least = 2 if one_in is None else max(2, -(-read // one_in))
        found = [_hash(word) for word, count in times.items() if count >= least]
        return cls(each_once(np.array(found, np.uint32)))

    def __contains__(self, word: str) -> bool:
        """Whether `word`, as `rejoinder.text.words` reads it, may be offered."""
        if _ALWAYS.search(word):
            return True
        return self._has(word) or (word.endswith(_POSSESSIVE) and self._has(word.removesuffix(_POSSESSIVE)))

    def without(self, hashes: Iterable[int]) -> Self:
        """The same but for the words of these hashes of 64 bits, and whatever shares their upper half."""
        gone = np.array([value >> 32 for value in hashes], dtype=np.uint32)
        return type(self)(self.hashes[~np.isin(self.hashes, gone)])

    def _has(self, word: str) -> bool:
        value = _hash(word)
        place = int(np.searchsorted(self.hashes, np.uint32(value)))
        return place < len(self.hashes) and int(self.hashes[place]) == value

    def save(self, directory: Path) -> None:
        """Write it into a directory, a model's for instance."""
        np.save(directory / FILE, self.hashes, allow_pickle=False)

    @classmethod
    def load(cls, directory: Path) -> Self | None:
        """What `save` wrote there; None if it wrote nothing.

        Raises:
            DamagedModel: it is not whole.
        """
        if not (directory / FILE).is_file():
            return None
        try:
            hashes = np.asarray(np.load(directory / FILE, mmap_mode="r", allow_pickle=False))
            if hashes.dtype != np.uint32 or hashes.ndim != 1:
                raise ValueError(f"{hashes.ndim} dimensions of {hashes.dtype}, not one of uint32")
        except (OSError, ValueError, EOFError) as error:
            raise DamagedModel(f"the list of words in {directory} is damaged ({error}); fit again") from error
        return cls(hashes)


def _hash(word: str) -> int:
    return hash64(word.encode("utf-8", "replace")) >> 32

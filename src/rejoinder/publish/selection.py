"""What of many posts is read: not twice what was said before, nothing coarse, nothing of what is held out.

    a line      of LINE characters or more that stood in an earlier post goes: rules, advertisements, quotes without marks
    a post      most of whose runs of RUN words stood in earlier ones goes; a short one goes if all its words did, in that order
    a post      with a coarse word (`rejoinder.text.crude`) goes

A very short post ("Yeah, exactly.") may come as often as people say it. Runs are told by hashes, one of SAMPLED of them kept.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from rejoinder.hashing import hash64, mix64
from rejoinder.text.crude import crude_hashes
from rejoinder.text.words import words

LINE = 60  # characters
RUN = 8  # words
SAMPLED = 8
_SEEN = 0.5  # of a post's sampled runs, from which it is said again
_FEW = 3  # sampled runs, below which a post is compared whole
_WORDS = 6  # of a post that is compared whole
_FACTOR = np.uint64(0xD6E8FEB86659FD93)


class Selection:
    """Told one post after the other, it says what is left of each."""

    def __init__(self, held: frozenset[int] = frozenset()) -> None:
        """Nothing has been read yet; `held` are the runs of posts that are kept for measuring: what says the same is not read."""
        self._words: dict[str, int] = {}  # word -> hash
        self._coarse = crude_hashes(coarse=True)
        self._held = held
        self._lines: set[int] = set()
        self._runs: set[int] = set()

    def take(self, text: str) -> str:
        """What is left of a post, from which later ones are told; nothing, if it is not read."""
        left = self._without_lines(text)
        hashes = self._hashes(left)
        if not self._coarse.isdisjoint(hashes):
            return ""
        marks = _marks(hashes)
        if marks and sum(mark in self._runs or mark in self._held for mark in marks) > _SEEN * len(marks):
            return ""
        self._runs.update(marks)
        return left

    def is_clean(self, text: str) -> bool:
        """Whether there is no coarse word in `text`."""
        return self._coarse.isdisjoint(self._hashes(text))

    def _without_lines(self, text: str) -> str:
        """`text` without its long lines that came before."""
        if len(text) < LINE:
            return text
        kept = [line for line in text.split("\n") if len(line) < LINE or self._is_new(line)]
        return "\n".join(kept).strip() if len(kept) <= text.count("\n") else text

    def _is_new(self, line: str) -> bool:
        value = hash64(line.strip().encode("utf-8", "replace"))
        if value in self._lines:
            return False
        self._lines.add(value)
        return True

    def _hashes(self, text: str) -> list[int]:
        return _word_hashes(text, self._words)


def held_out_runs(texts: Iterable[str]) -> frozenset[int]:
    """The runs by which the posts of these `texts` are known."""
    known: dict[str, int] = {}
    return frozenset(run for text in texts for run in _marks(_word_hashes(text, known)))


def _word_hashes(text: str, known: dict[str, int]) -> list[int]:
    """`hash64` of each word; `known` remembers them."""
    found = words(text)
    for word in found:
        if word not in known:
            known[word] = hash64(word.encode("utf-8", "replace"))
    return [known[word] for word in found]


def _marks(hashes: list[int]) -> list[int]:
    """The runs by which a post is known: a sample of them; of a short one the whole; of a very short one none."""
    count = len(hashes) - RUN + 1
    if count > 0:
        array = np.array(hashes, dtype=np.uint64)
        total = np.zeros(count, dtype=np.uint64)
        for place in range(RUN):
            total = total * _FACTOR + array[place : place + count]
        total = mix64(total)
        sampled: list[int] = total[total % np.uint64(SAMPLED) == 0].tolist()
        if len(sampled) >= _FEW:
            return sampled
    return [hash64(repr(hashes).encode())] if len(hashes) >= _WORDS else []

"""Whose words these are: which runs of words one author alone wrote, so that a made text does not pass them off as new.

All runs of RUN words of the posts are looked at, as `rejoinder.text.words` reads them. A run that two authors wrote is
nobody's; where no author is known, a post and the same sent again, word for word, have one (`rejoinder.text.writers`). Of an
author's own runs every other one is kept, and one between where its neighbour is nobody's: a copy of COPIED = RUN + 1 words
holds two runs, side by side, so if either is one author's, one that is kept is in it.

Where so much was read that these are too many, `rejoinder.publish.copies` chooses the ones that a model would make.

The runs themselves are not kept. They are a Bloom filter (Bloom 1970): for each run HASHES bits of an array are set, at
places made from a 64-bit hash of the run. A text whose bits are all set is called a copy, which for a text nobody wrote happens
at a rate of (1 - e^(-k n / m))^k, k hashes, n runs, m bits: about 1 run in 2,000 with 16 bits a run. A copy is never missed.

Beside it lies the list of words that are not one author's alone (`rejoinder.text.lexicon`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from rejoinder.errors import DamagedModel
from rejoinder.files import write_json
from rejoinder.hashing import hash64, mix64, splitmix64
from rejoinder.post import Post
from rejoinder.text.lexicon import Lexicon, LexiconReader
from rejoinder.text.sums import run_starts
from rejoinder.text.words import words
from rejoinder.text.writers import Writers

RUN = 7  # words
COPIED = RUN + 1  # words whose copying is always found
HASHES = 11  # 16 ln 2, the best number for 16 bits
_BITS = 16  # for each run
_PIECE = re.compile(r"\s*\S+")
_TWICE = re.compile(r"([^\W\d]{3,})\1|('[^\W\d]+)\2")
_ARRAY, _FACTS = "phrases.npy", "phrases.json"
_FACTOR = 0xD6E8FEB86659FD93  # any odd number with its bits well mixed
_AT_ONCE = 2**18  # runs whose bits are worked out together
_BATCH = 2_000  # posts hashed together
_PARTS_BITS = 5  # first bits of runs that are sorted together


@dataclass(frozen=True)
class Phrases:
    """The runs that one author alone wrote."""

    array: NDArray[np.uint8]  # (M/8,) the bits
    runs: int  # put in
    hashes: int = HASHES
    lexicon: Lexicon | None = None  # the words that two wrote; unknown of models fitted before these were kept
    beside: Phrases | None = None  # those of what else a model has read

    @classmethod
    def build(cls, posts: Iterable[Post]) -> Self:
        """Those of `posts`, their quotes left out; a post without a known author is an author of its own.

        Such a post is still one author's where it is sent again, word for word.
        """
        reader = LexiconReader()
        runs, owners, even = all_runs(_by_writer(reader.passing(posts)))
        kept = np.unique(runs[every_other(_own(runs, owners), even)])
        return replace(cls.of(kept, _BITS * len(kept)), lexicon=Lexicon(reader.hashes))

    @classmethod
    def of(cls, runs: NDArray[np.uint64], size: int) -> Self:
        """The filter of these runs, (N,) hashes, in about `size` bits."""
        marked = np.zeros(-(-max(size, 64) // 8) * 8, dtype=np.bool_)
        for first in range(0, len(runs), _AT_ONCE):
            marked[_places(runs[first : first + _AT_ONCE], len(marked), HASHES)] = True
        return cls(np.packbits(marked), len(runs))

    @classmethod
    def unknown(cls) -> Self:
        """Those of a model of which nobody knows what it has read."""
        return cls(np.zeros(8, np.uint8), 0)

    def knows(self, word: str) -> bool:
        """Whether `word` is one that two wrote; where such words are not known, at least it says no letters twice over."""
        known = not _TWICE.search(word) if self.lexicon is None else word in self.lexicon
        return known or (self.beside is not None and self.beside.knows(word))

    def copied(self, text: str) -> list[tuple[int, int]]:
        """The spans of words (first, one past the last) of `text` that one author alone wrote; none of them overlap.

        Every copy of COPIED words in a row lies at least in part in one of them.
        """
        return self._spans(words(text))

    def _spans(self, found: list[str]) -> list[tuple[int, int]]:
        spans: list[tuple[int, int]] = []
        for start in np.flatnonzero(self._holds(run_hashes(hashed(found, {})))).tolist():
            if spans and start <= spans[-1][1]:
                spans[-1] = (spans[-1][0], start + RUN)
            else:
                spans.append((start, start + RUN))
        return spans

    def before_copy(self, draft: str, text: str) -> str:
        """`text`, which goes on with `draft`, up to where it copies; with a copy that began in the draft, it is empty."""
        typed, said = words(draft), words(draft + text)
        new = next((place for place, (a, b) in enumerate(zip(typed, said, strict=False)) if a != b), len(typed))
        before = max(new - COPIED, 0)  # where what ends in `text` can begin
        start = next((before + first for first, last in self._spans(said[before:]) if before + last > new), None)
        if start is None:
            return text
        kept = ""
        for match in _PIECE.finditer(text):
            if len(words(draft + text[: match.end()])) > start:
                break
            kept = text[: match.end()]
        return kept if start > new else ""

    def save(self, directory: Path) -> None:
        """Write the filter, and the words, into a directory, a model's for instance."""
        if self.lexicon is not None:
            self.lexicon.save(directory)
        np.save(directory / _ARRAY, self.array, allow_pickle=False)
        write_json(directory / _FACTS, {"run": RUN, "hashes": self.hashes, "runs": self.runs})

    @classmethod
    def load(cls, directory: Path) -> Self | None:
        """What `save` wrote there; None if it wrote nothing.

        Raises:
            DamagedModel: it is not whole, or was made with runs of another length.
        """
        if not (directory / _FACTS).is_file():
            return None
        try:
            facts = json.loads((directory / _FACTS).read_bytes())
            array = np.asarray(np.load(directory / _ARRAY, mmap_mode="r", allow_pickle=False))
            if facts["run"] != RUN or array.dtype != np.uint8 or not len(array):
                raise ValueError(f"runs of {facts['run']} words, not {RUN}")
            return cls(array, int(facts["runs"]), int(facts["hashes"]), Lexicon.load(directory))
        except (OSError, ValueError, EOFError, KeyError, TypeError) as error:
            raise DamagedModel(f"the copy check in {directory} is damaged ({error}); fit again") from error

    def _holds(self, runs: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """(N,) whether each run (hashes, (N,)) seems to be in it."""
        places = _places(runs, 8 * len(self.array), self.hashes)  # (N, k)
        bits = self.array[places >> 3] >> (7 - (places & 7)).astype(np.uint8)
        found = np.asarray((bits & 1).all(axis=1))
        return found if self.beside is None else found | self.beside._holds(runs)


def all_runs(said: Iterable[tuple[list[str], int]]) -> tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.bool_]]:
    """(N,) the hashes of all runs, in order; (N,) whose they are; (N,) whether they begin at an even word of their post.

    `said`: of each post its words, RUN or more, and whose it is, 64 bits.
    """
    known: dict[str, int] = {}  # word -> hash
    runs: list[NDArray[np.uint64]] = []
    owners: list[NDArray[np.uint64]] = []
    even: list[NDArray[np.bool_]] = []
    hashes: list[int] = []
    lengths: list[int] = []
    writers: list[int] = []

    def flush() -> None:
        if lengths:
            starts = np.cumsum([0, *lengths[:-1]])
            place = np.arange(len(hashes)) - np.repeat(starts, lengths)  # of each word in its post
            inside = place + RUN <= np.repeat(lengths, lengths)
            count = len(hashes) - RUN + 1
            runs.append(run_hashes(np.array(hashes, dtype=np.uint64))[inside[:count]])
            owners.append(np.repeat(np.array(writers, dtype=np.uint64), lengths)[inside])
            even.append((place % 2 == 0)[inside])
        for collected in (hashes, lengths, writers):
            collected.clear()

    for found, writer in said:
        hashes.extend(hashed(found, known).tolist())
        lengths.append(len(found))
        writers.append(writer)
        if len(lengths) == _BATCH:
            flush()
    flush()
    return _joined(runs, np.uint64), _joined(owners, np.uint64), _joined(even, np.bool_)


def _joined(pieces: list[NDArray[Any]], kind: DTypeLike) -> NDArray[Any]:
    """The pieces as one; they are gone afterwards, so that what comes next finds room."""
    found = np.concatenate([np.empty(0, kind), *pieces])
    pieces.clear()
    return found


def _by_writer(posts: Iterable[Post]) -> Iterator[tuple[list[str], int]]:
    """The words of each post that holds a run, and its author; if none is known, who first sent the same (see `Writers`)."""
    whose = Writers()
    for post in posts:
        found = words(post.own_text)
        if len(found) >= RUN:
            first = whose(post, found)
            yield found, first if post.author is None else hash64(post.author)


def _own(runs: NDArray[np.uint64], owners: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """(N,) which of the runs one writer alone has; looked at in parts, since sorting takes several times their room."""
    own = np.empty(len(runs), dtype=np.bool_)
    part_of = (runs >> np.uint64(64 - _PARTS_BITS)).astype(np.uint8)
    for part in range(2**_PARTS_BITS):
        order = np.flatnonzero(part_of == part)
        if not len(order):
            continue
        order = order[np.argsort(runs[order], kind="stable")]
        first = run_starts(runs[order])
        ordered = owners[order]
        alone = np.minimum.reduceat(ordered, first) == np.maximum.reduceat(ordered, first)
        own[order] = np.repeat(alone, np.diff(first, append=len(order)))
    return own


def every_other(own: NDArray[np.bool_], even: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(N,) which of one writer's `own` runs to keep: those at even places, and at odd ones beside an even one that is not own."""
    shared = even & ~own
    before, after = np.roll(shared, 1), np.roll(shared, -1)  # too many at a post's ends: harmless
    return np.asarray(own & (even | before | after))


def hashed(found: list[str], known: dict[str, int]) -> NDArray[np.uint64]:
    """(N,) the hash of each word; `known` remembers them."""
    for word in found:
        if word not in known:
            known[word] = hash64(word.encode("utf-8", "replace"))
    return np.array([known[word] for word in found], dtype=np.uint64)


def run_hashes(hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """(N - RUN + 1,) a hash of each run of (N,) word hashes: a polynomial, then mixed."""
    count = max(len(hashes) - RUN + 1, 0)
    total = np.zeros(count, dtype=np.uint64)
    for place in range(RUN):
        total = total * np.uint64(_FACTOR) + hashes[place : place + count]
    return mix64(total)


def _places(runs: NDArray[np.uint64], size: int, hashes: int) -> NDArray[np.int64]:
    """(N, k) the bits of each run: SplitMix64's first k numbers from its hash, modulo the size."""
    return (splitmix64(runs[:, None], np.arange(1, hashes + 1)) % np.uint64(size)).astype(np.int64)

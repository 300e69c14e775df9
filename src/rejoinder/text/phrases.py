"""Whose words these are: which runs of words one author alone wrote, so that a made text does not pass them off as new.

All runs of RUN words of the posts are looked at, as `rejoinder.text.words` reads them (`rejoinder.text.ownership` says whose they
are). A run that two authors wrote is nobody's; where no author is known, a post and the same sent again, word for word, have one.
Of an author's own runs every other one is kept, and one between where its neighbour is nobody's: a copy of COPIED = RUN + 1 words
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
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

import numpy as np
from numpy.typing import NDArray

from rejoinder.corpus import Corpus
from rejoinder.errors import DamagedModel
from rejoinder.files import write_json
from rejoinder.hashing import splitmix64
from rejoinder.post import Post
from rejoinder.text import ownership
from rejoinder.text.columns import IN_MEMORY, NumberColumn, NumberColumns
from rejoinder.text.lexicon import Lexicon
from rejoinder.text.ownership import RUN, WordHashes, run_hashes
from rejoinder.text.shards import Shards
from rejoinder.text.sums import each_once, run_starts
from rejoinder.text.words import words

COPIED = RUN + 1  # words whose copying is always found
HASHES = 11  # 16 ln 2, the best number for 16 bits
_BITS = 16  # for each run
_PIECE = re.compile(r"\s*\S+")
_TWICE = re.compile(r"([^\W\d]{3,})\1|('[^\W\d]+)\2")
_ARRAY, _FACTS = "phrases.npy", "phrases.json"
_AT_ONCE = 2**18  # runs whose bits are worked out together
_PART = 2**32  # bytes of the filter that are made together: each part goes through all runs, each batch through the whole part


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
        """Those of `posts`, in memory, their quotes left out; a post without a known author is an author of its own.

        Such a post is still one author's where it is sent again, word for word.
        """
        return cls.count(Shards.of(posts))

    @classmethod
    def of_corpus(cls, corpus: Corpus, workdir: Path) -> Self:
        """Those of the train part of a corpus; what is worked out on the way lies in `workdir`, and is gone afterwards."""
        with TemporaryDirectory(dir=workdir) as scratch:
            found = cls.count(Shards(lambda: corpus.threads("train"), Path(scratch)))
            return replace(found, array=np.array(found.array))

    @classmethod
    def count(cls, shards: Shards, told: Callable[[int, int | None], object] = lambda done, of: None) -> Self:
        """Those of all posts of the shards, in bounded memory; the filter lies where the shards have their files."""
        said = shards.map(ownership.numbers, told)
        owners = shards.map_again(ownership.owners, said, ownership.firsts(shards, said))
        runs, known = (ownership.shared(shards, owners, name) for name in ("run", "word"))
        shards.drop(owners)
        left = shards.map_again(ownership.own_runs, said, runs)
        kept = ownership.united(shards, left)
        shards.drop(said, left)
        lexicon = Lexicon(each_once((known["keys"] >> np.uint64(32)).astype(np.uint32)))
        return replace(cls.of(kept, _BITS * len(kept), NumberColumns(shards.workdir)), lexicon=lexicon)

    @classmethod
    def of(cls, runs: NDArray[np.uint64], size: int, columns: NumberColumns = IN_MEMORY) -> Self:
        """The filter of these runs, (N,) hashes, in about `size` bits, made in `columns`: in one pass for each part."""
        found, read = columns.new(np.uint8, -(-max(size, 64) // 8)), NumberColumn.over(runs)
        array = found.mapped()
        for begin in range(0, len(array), _PART):
            part = array[begin : begin + _PART]
            for first in range(0, len(runs), _AT_ONCE):
                some = read.read(first, min(first + _AT_ONCE, len(runs)))
                _set(part, _places(some, 8 * len(array), HASHES).ravel() - 8 * begin)
        return cls(found.done(), len(runs))

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
        for start in np.flatnonzero(self._holds(run_hashes(WordHashes().of(found)))).tolist():
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


def _places(runs: NDArray[np.uint64], size: int, hashes: int) -> NDArray[np.int64]:
    """(N, k) the bits of each run: SplitMix64's first k numbers from its hash, modulo the size."""
    return (splitmix64(runs[:, None], np.arange(1, hashes + 1)) % np.uint64(size)).astype(np.int64)


def _set(part: NDArray[np.uint8], bits: NDArray[np.int64]) -> None:
    """Set those of the bits that lie in this part of a filter."""
    bits = np.sort(bits[(bits >= 0) & (bits < 8 * len(part))])
    starts = run_starts(bits >> 3)
    if len(starts):
        part[bits[starts] >> 3] |= np.bitwise_or.reduceat((128 >> (bits & 7)).astype(np.uint8), starts)

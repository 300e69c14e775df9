"""Word vectors: a list of words, a vector for each, and vectors of letter n-grams for words that are not in the list.

Vectors of words that stand in like company point the same way; the cosine of two says how alike they are. A word that was never
seen gets the mean of the vectors of its letter n-grams (see `rejoinder.text.subwords`), where there are any.

Explained in docs/tour/05-words-to-vectors.md.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import repeat
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from rejoinder.config import nearest
from rejoinder.errors import DamagedModel, ModelError, UsageError
from rejoinder.files import write_json
from rejoinder.text.subwords import places_of, subword_vectors

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
_WORDS = "words.json"
_TINY = 1e-30


@dataclass(frozen=True, eq=False)
class WordVectors:
    """V words with vectors of D numbers.

    Raises:
        ModelError: the sizes do not fit together, or a word comes twice.
    """

    words: Sequence[str] = field(repr=False)  # V, the most frequent first
    vectors: Floats = field(repr=False)  # (V, D) float32
    counts: Ints = field(repr=False)  # (V,) int64, occurrences in the train part; 0 where unknown
    ngrams: Floats | None = field(
        default=None, repr=False
    )  # (buckets, D) float32, of letter n-grams; None: unseen words have no vector
    _places: dict[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Check sizes; index the words."""
        object.__setattr__(self, "_places", {word: place for place, word in enumerate(self.words)})
        shape = self.vectors.shape
        if len(shape) != 2 or shape[0] != len(self.words) or self.counts.shape != shape[:1]:
            raise ModelError(f"{len(self.words)} words, {self.counts.shape} counts and {shape} vectors do not fit together")
        if self.ngrams is not None and (self.ngrams.ndim != 2 or self.ngrams.shape[1] != shape[1] or not len(self.ngrams)):
            raise ModelError(f"vectors of n-grams of the shape {self.ngrams.shape} do not fit vectors of {shape[1]} numbers")
        if len(self._places) != len(self.words):
            raise ModelError(f"a word comes twice among the {len(self.words)} words")

    @property
    def size(self) -> int:
        """D, how many numbers a vector has."""
        return int(self.vectors.shape[1])

    def place(self, word: str) -> int | None:
        """Where `word` stands in the list; None if it does not."""
        return self._places.get(word)

    def places(self, words: Sequence[str]) -> Ints:
        """(N,) int64: where each word stands in the list; -1 for those that do not."""
        return np.fromiter(map(self._places.get, words, repeat(-1)), np.int64, len(words))

    def of(self, words: Sequence[str]) -> Floats:
        """(N, D) float32: a vector for each word; of an unseen one the mean of its n-grams' vectors, or zeros."""
        found = np.zeros((len(words), self.size), np.float32)
        places = self.places(words)
        known = places >= 0
        found[known] = self.vectors[places[known]]
        if self.ngrams is not None:
            for at in np.flatnonzero(~known).tolist():
                found[at] = _guess(words[at], self.ngrams)
        return found

    def neighbours(self, word: str, k: int) -> list[tuple[str, float]]:
        """The `k` words whose vectors have the highest cosine with that of `word`, best first, itself left out.

        Raises:
            UsageError: there is no vector for `word`.
        """
        return self._nearest(self._unit(word), [word], k)

    def analogy(self, a: str, b: str, c: str, k: int) -> list[tuple[str, float]]:
        """The `k` words nearest to b - a + c, best first: a is to b as c is to them; the three left out.

        The cosine of each with the sum of unit vectors (Mikolov, Yih & Zweig 2013; 3CosAdd of Levy & Goldberg 2014).

        Raises:
            UsageError: there is no vector for one of them.
        """
        target = self._unit(b) - self._unit(a) + self._unit(c)
        return self._nearest(target, [a, b, c], k)

    def with_subwords(self, buckets: int) -> WordVectors:
        """The same, with vectors of letter n-grams made from those of the words; 0 buckets: without."""
        return replace(self, ngrams=subword_vectors(self.words, self.vectors, buckets) if buckets else None)

    def save(self, directory: Path) -> None:
        """Write arrays and words into `directory`."""
        directory.mkdir(parents=True, exist_ok=True)
        none = self.vectors[:0]  # written too, so that a file that is missing is not taken for vectors without n-grams
        ngrams = none if self.ngrams is None else self.ngrams
        arrays: dict[str, NDArray[Any]] = {"vectors": self.vectors, "counts": self.counts, "ngrams": ngrams}
        for name, array in arrays.items():
            np.save(directory / f"{name}.npy", array, allow_pickle=False)
        write_json(directory / _WORDS, list(self.words))

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read what `save` wrote, the arrays memory-mapped.

        Raises:
            DamagedModel: something is missing, or does not fit the rest.
        """
        try:
            words = json.loads((directory / _WORDS).read_bytes())
            if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
                raise ValueError(f"{_WORDS} is no list of words")
            ngrams = _array(directory, "ngrams")
            return cls(words, _array(directory, "vectors"), _array(directory, "counts"), ngrams if len(ngrams) else None)
        except (OSError, ValueError, EOFError, ModelError) as error:
            raise DamagedModel(f"{directory}: the word vectors are damaged ({error}); fit again") from error

    @cached_property
    def _lengths(self) -> Floats:
        """(V,) float32, 1 for a vector of zeros."""
        lengths = np.sqrt(np.einsum("vd,vd->v", self.vectors, self.vectors))
        return np.where(lengths > 0, lengths, np.float32(1))

    def _unit(self, word: str) -> Floats:
        """(D,) float32: the vector of `word`, of length 1."""
        vector = self.of([word])[0]
        length = np.sqrt(vector @ vector)
        if not length:
            raise UsageError(f"there is no vector for `{word}`{nearest(word, self.words)}")
        return np.asarray(vector / length)

    def _nearest(self, target: Floats, without: Sequence[str], k: int) -> list[tuple[str, float]]:
        """The `k` words with the highest cosine with `target` (D,), ties by place."""
        if k <= 0 or not len(self.words):
            return []
        cosines = (self.vectors @ target) / (self._lengths * max(float(np.linalg.norm(target)), _TINY))
        cosines[[place for word in without if (place := self.place(word)) is not None]] = -np.inf
        order = np.lexsort((np.arange(len(cosines)), -cosines))[:k]
        return [(self.words[place], float(cosines[place])) for place in order if cosines[place] > -np.inf]


def _guess(word: str, ngrams: Floats) -> Floats:
    """(D,) float32: the mean of the vectors of the word's n-grams that were seen; zeros where none was."""
    rows = ngrams[places_of(word, len(ngrams))]
    return np.asarray(rows.sum(axis=0) / max(int(rows.any(axis=1).sum()), 1), np.float32)


def _array(directory: Path, name: str) -> NDArray[Any]:
    array: NDArray[Any] = np.load(directory / f"{name}.npy", mmap_mode="r", allow_pickle=False)
    kind = np.int64 if name == "counts" else np.float32
    if array.dtype != kind:
        raise ValueError(f"{name} are {array.dtype}, not {np.dtype(kind)}")
    return array

"""Both sides of a pair as vectors, in NumPy: word vectors in 8 bits, and a linear map for each side.

    x(t)       = sum over words w of (1 + ln tf(w)) e(w)         e(w) = scale(w) row(w) / 127, idf^1.5 in it
    meaning(t) = y / |y|,   y = x / |x| W + b                    one W and b for posts, another for replies
    score      = (meaning(last post) + earlier meaning(posts before)) . meaning(reply)

A word is the CRC-32 of its UTF-8 bytes, so no words are kept. One that is not among the V has the mean of the rows of its
letter runs (see `rejoinder.text.subwords`), of which B stand after the words'. It does not know the order of words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Self
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from rejoinder.errors import DamagedModel
from rejoinder.models.bags import Bags, find
from rejoinder.models.directory import load_array, save_array
from rejoinder.models.meaning import Floats, meanings, squares
from rejoinder.post import Post
from rejoinder.text.subwords import places_of
from rejoinder.text.words import words

POSTS, REPLIES = 0, 1  # the sides
_CHARACTERS_A_WORD = 20  # of a text cut off before its words are looked for
_FULL = 127  # the largest number of 8 bits that is used
_TYPES = {"codes": "uint32", "rows": "int8", "scales": "float16", "maps": "float16", "biases": "float16", "earlier": "float16"}


@dataclass(frozen=True, eq=False)
class PairWeights:
    """What was learned elsewhere: V words, B letter runs, D numbers each."""

    codes: NDArray[np.uint32]  # (V,) ascending
    rows: NDArray[np.int8]  # (V+B, D)
    scales: NDArray[np.float16]  # (V+B,)
    maps: NDArray[np.float16]  # (2, D, D) W
    biases: NDArray[np.float16]  # (2, D) b
    earlier: NDArray[np.float16]  # (1,)

    @classmethod
    def packed(cls, codes: NDArray[np.uint32], table: Floats, maps: Floats, biases: Floats, earlier: float) -> Self:
        """In 8 and 16 bits; `codes` in any order, `table` (V+B, D) the vectors e of their words, then of letter runs."""
        order = np.argsort(codes)
        table = table[np.concatenate([order, np.arange(len(codes), len(table))])]
        scales = np.maximum(np.abs(table).max(axis=1), 1e-6).astype(np.float16)
        rows = np.clip(np.rint(table / scales.astype(np.float32)[:, None] * _FULL), -_FULL, _FULL).astype(np.int8)
        half = [np.asarray(array, np.float16) for array in (maps, biases, [earlier])]
        return cls(codes[order], rows, scales, *half)

    @property
    def size(self) -> int:
        """D, how many numbers a vector has."""
        return int(self.rows.shape[1])

    @property
    def buckets(self) -> int:
        """B, places of letter runs; 0: words that are not known mean nothing."""
        return len(self.rows) - len(self.codes)

    def save(self, directory: Path) -> None:
        """Write the arrays into `directory`."""
        for field in fields(self):
            save_array(directory, f"pair.{field.name}", getattr(self, field.name))

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read what `save` wrote, memory-mapped.

        Raises:
            DamagedModel: something is missing, or does not fit the rest.
        """
        found = cls(**{field.name: load_array(directory, f"pair.{field.name}") for field in fields(cls)})
        arrays = {name: getattr(found, name) for name in _TYPES}
        size = found.rows.shape[1] if found.rows.ndim == 2 else 0
        shapes = {"scales": found.rows.shape[:1], "maps": (2, size, size), "biases": (2, size), "earlier": (1,)}
        fits = {name: str(array.dtype) for name, array in arrays.items()} == _TYPES
        fits = fits and all(arrays[name].shape == shape for name, shape in shapes.items()) and found.codes.ndim == 1
        if not fits or size == 0 or found.buckets < 0 or (np.diff(found.codes.astype(np.int64)) <= 0).any():
            raise DamagedModel(f"{directory}: the word vectors do not fit together; fit again: rejoinder fit pair_encoder")
        return found


class PairEncoder:
    """Texts as vectors, posts one way and replies another."""

    def __init__(self, weights: PairWeights, longest: int) -> None:
        """`longest`: words of a text that are read."""
        self._weights, self._longest = weights, longest
        self._maps, self._biases = weights.maps.astype(np.float32), weights.biases.astype(np.float32)
        self._earlier = np.float32(weights.earlier[0])

    def question(self, posts: Sequence[Post]) -> Floats:
        """(D,) float32: what the posts, oldest first, say together; a reply is compared with it."""
        texts = [posts[-1].own_text, "\n".join(post.own_text for post in posts[:-1])]
        last, before = self.meanings(texts, POSTS)
        return np.asarray(last + self._earlier * before, np.float32)

    def meanings(self, texts: Sequence[str], side: int = REPLIES) -> Floats:
        """(N, D) float32 of length 1, or 0 for a text without a word that means something."""
        x = self._sums([words(text[: self._longest * _CHARACTERS_A_WORD])[: self._longest] for text in texts])
        return meanings(x, self._maps[side], self._biases[side])

    def words(self, said: Sequence[str]) -> Floats:
        """(N, D) float32: the vectors of words, of length 1, or 0 for those that are not among the V."""
        places = find(self._weights.codes, np.array([_code(word) for word in said], np.int64))
        known = places < len(self._weights.codes)
        rows = self._weights.rows[np.where(known, places, 0)].astype(np.float32) * known[:, None]
        return np.asarray(rows / np.maximum(np.sqrt(squares(rows)), 1)[:, None], np.float32)

    def _sums(self, said: Sequence[Sequence[str]]) -> Floats:
        """(N, D) float32: x of texts whose words are `said`."""
        bags, weights = Bags.of(said), self._weights
        places = find(weights.codes, bags.codes)
        unknown = set(bags.codes[places == len(weights.codes)].tolist()) if weights.buckets else set()
        spelled = {code: word for some in said for word in some if (code := _code(word)) in unknown} if unknown else {}
        sums = np.zeros((len(said), weights.size), np.float32)
        ends = np.searchsorted(bags.owner, np.arange(len(said) + 1))
        factors = bags.damped.astype(np.float32)
        for text, (first, last) in enumerate(zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True)):
            at = np.arange(first, last)
            inside = at[places[first:last] < len(weights.codes)]
            sums[text] = self._add(places[inside], factors[inside])
            for entry in at[places[first:last] == len(weights.codes)].tolist() if unknown else ():
                runs = places_of(spelled[int(bags.codes[entry])], weights.buckets) + len(weights.codes)
                sums[text] += self._add(runs, np.full(len(runs), factors[entry] / max(len(runs), 1), np.float32))
        return sums

    def _add(self, places: NDArray[np.int64], factors: Floats) -> Floats:
        """(D,) float32: the sum of rows, each times its factor."""
        scaled = factors * self._weights.scales[places].astype(np.float32) / _FULL
        return np.asarray(scaled @ self._weights.rows[places].astype(np.float32), np.float32)


def _code(word: str) -> int:
    return crc32(word.encode("utf-8", "surrogatepass"))

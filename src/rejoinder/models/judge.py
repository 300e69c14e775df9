"""Words in common: the judge, who says by them whether a reply is on topic; and whether two posts ask alike.

A reply is on topic if it is more like one of the true answers than 95 of 100 replies drawn at random, by the cosine of vectors of
(1 + ln tf) idf; idf = ln((1 + N) / (1 + df)) over the N replies of train, nats. By chance that is 1 in 20. A good answer in other
words counts as off topic, so the shares are lower than a reader's.

Two posts are alike by the same cosine without its largest term: one word in common is no evidence, however rare it is. For the
judge that would be worse: it then prefers long texts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log
from pathlib import Path
from typing import Self
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from rejoinder.corpus import Corpus
from rejoinder.errors import DamagedModel
from rejoinder.models.bags import find
from rejoinder.models.directory import load_array, save_array
from rejoinder.models.pairs import clean_pairs
from rejoinder.text.words import words

CHANCE = 0.05  # share of random replies that count as on topic
_RANDOM = 400  # replies that the proposals are compared with
_LEAST = 2  # replies that a word must stand in to be kept

Vector = Mapping[int, float]


@dataclass(frozen=True, eq=False)
class Likeness:
    """How rare V words are; a word is the CRC-32 of its UTF-8 bytes."""

    codes: NDArray[np.uint32]  # (V,) ascending
    idf: NDArray[np.float32]  # (V+1,) nats; the last is that of all other words

    @classmethod
    def of(cls, texts: Sequence[str]) -> Self:
        """By the words of N texts; those that one alone has are no more known than those that none has."""
        frequency = Counter(word for text in texts for word in set(words(text)))
        whole = 1 + max(len(texts), _LEAST)  # of fewer no word would be rare
        found = {_code(word): log(whole / (1 + n)) for word, n in frequency.items() if n >= _LEAST}
        codes = np.array(sorted(found), np.uint32)
        return cls(codes, np.array([*(found[code] for code in codes.tolist()), log(whole / 2)], np.float32))

    def rarity(self, said: Sequence[str]) -> dict[str, float]:
        """The idf of each of some words, as a share of that of a word which nobody said."""
        once = dict.fromkeys(said)
        codes = np.array([_code(word) for word in once], np.int64)
        return dict(zip(once, (self.idf[find(self.codes, codes)] / self.idf[-1]).tolist(), strict=True))

    def vector(self, text: str) -> Vector:
        """The weight of each word, by its code; the squares add up to 1, or there are none."""
        counts = Counter(map(_code, words(text)))
        codes = np.array([*counts], np.int64)
        weights = self.idf[find(self.codes, codes)] * (1 + np.log(np.array([*counts.values()], np.float64)))
        length = float(np.sqrt(weights @ weights))
        return dict(zip(codes.tolist(), (weights / length).tolist(), strict=True)) if length else {}

    def save(self, directory: Path) -> None:
        """Write the arrays into `directory`."""
        save_array(directory, "words.codes", self.codes)
        save_array(directory, "words.idf", self.idf)

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            DamagedModel: something is missing, or does not fit the rest.
        """
        codes, idf = (np.asarray(load_array(directory, f"words.{name}")) for name in ("codes", "idf"))
        if codes.shape != (len(idf) - 1,):
            raise DamagedModel(
                f"{directory}: {len(codes)} words and {len(idf)} weights do not fit; fit again: rejoinder fit trigger"
            )
        return cls(codes, idf)


def products(one: Vector, other: Vector) -> list[float]:
    """What each word in common adds to the cosine of two vectors."""
    if len(one) > len(other):
        one, other = other, one
    return [value * other[word] for word, value in one.items() if word in other]


def likeness(one: Vector, other: Vector) -> float:
    """The cosine of two vectors beyond the word that they have most in common, in [0, 1)."""
    found = products(one, other)
    return sum(found) - max(found) if len(found) > 1 else 0.0


class Judge:
    """Tells whether a reply is on topic by what was really answered."""

    def __init__(self, known: Likeness, drawn: Sequence[str]) -> None:
        """`drawn`: replies at random."""
        self.known = known
        self._drawn = [known.vector(text) for text in drawn]

    @classmethod
    def of(cls, corpus: Corpus, rng: np.random.Generator) -> Self:
        """With the words of the train replies."""
        texts = [pair.reply.own_text for pair in clean_pairs(corpus.pairs("train", limit=1))]
        drawn = rng.permutation(len(texts))[:_RANDOM].tolist()
        return cls(Likeness.of(texts), [texts[place] for place in drawn])

    def on_topic(self, texts: Sequence[str], answers: Sequence[str]) -> NDArray[np.bool_]:
        """(C,) whether each of `texts` is more like one of `answers` than nearly all replies drawn at random."""
        real = [self.known.vector(answer) for answer in answers]
        chance = np.array([max((sum(products(vector, other)) for other in real), default=0.0) for vector in self._drawn])
        bar = float(np.quantile(chance, 1 - CHANCE)) if len(chance) else 0.0
        found = [max((sum(products(self.known.vector(text), other)) for other in real), default=0.0) for text in texts]
        return np.array([alike > bar for alike in found], dtype=bool)


def _code(word: str) -> int:
    return crc32(word.encode("utf-8", "surrogatepass"))

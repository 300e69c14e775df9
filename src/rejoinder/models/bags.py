"""Texts as bags of words, all at once: which words each has, and how often. A word is the CRC-32 of its UTF-8 bytes.

So a vocabulary is a sorted array that is memory-mapped, not a dictionary to be built; of a million words some hundred share a
number with another, which costs nothing that can be measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from rejoinder.text.words import words

LONGEST = 1000  # words of a text that are read

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Bags:
    """N texts as M entries, each a text and one of its words; by text, and within a text by word."""

    lengths: Ints  # (N,) words of each text
    owner: Ints  # (M,) whose entry it is
    codes: Ints  # (M,) which word
    counts: Ints  # (M,) how often

    @classmethod
    def of(cls, said: Sequence[Sequence[str]], letters: int | None = None) -> Self:
        """The bags of texts whose words are `said`; of each word only the first so many `letters`, unless None."""
        lengths = np.array([len(some) for some in said], np.int64)
        flat = np.array([crc32(word[:letters].encode("utf-8", "surrogatepass")) for some in said for word in some], np.int64)
        keys, counts = np.unique((np.repeat(np.arange(len(said)), lengths) << 32) | flat, return_counts=True)
        return cls(lengths, keys >> 32, keys & 0xFFFFFFFF, counts)

    @classmethod
    def join(cls, texts: Sequence[Bags]) -> Self:
        """The bags of several texts, of each of which there is one."""
        sizes = [len(text.codes) for text in texts]
        lengths, codes, counts = (
            np.concatenate([np.empty(0, np.int64), *(getattr(text, name) for text in texts)]).astype(np.int64)
            for name in ("lengths", "codes", "counts")
        )
        return cls(lengths, np.repeat(np.arange(len(texts)), sizes), codes, counts)

    @property
    def damped(self) -> Floats:
        """(M,) 1 + ln(count): more of the same word counts less and less."""
        return np.asarray(1 + np.log(self.counts), np.float64)

    def total(self, values: NDArray[Any]) -> Floats:
        """(N,) float64: the sum of (M,) `values` over each text's entries, in their order, whatever other texts there are."""
        return np.asarray(np.bincount(self.owner, values, len(self.lengths)), np.float64)

    def keys(self) -> Ints:
        """(M,) text and word in one number, ascending."""
        return (self.owner << 32) | self.codes


def read(texts: Sequence[str]) -> list[list[str]]:
    """The words of each text, of long ones the first."""
    return [words(text)[:LONGEST] for text in texts]


def find(sorted_codes: NDArray[Any], codes: NDArray[Any]) -> Ints:
    """(M,) int64: the place of each of `codes` in `sorted_codes` (V,), V for those that are not in it."""
    places = np.searchsorted(sorted_codes, codes)
    inside = np.minimum(places, max(len(sorted_codes) - 1, 0))
    known = sorted_codes[inside] == codes if len(sorted_codes) else np.zeros(len(codes), bool)
    return np.asarray(np.where(known, places, len(sorted_codes)), np.int64)

"""Texts as bags of hashed words, and of hashed runs of letters.

A place in the bag is a hash, so two models agree on it without sharing a vocabulary. All texts are hashed at once, as one array
of characters c_0 c_1 ..., by the polynomial sum_i c_i P^i mod 2^64, its bits mixed by SplitMix64's finish (Steele, Lea & Flood
2014). Two words may share a place; with far more places than words that is rare.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rejoinder.hashing import mix64
from rejoinder.text.words import words

RUN = 4  # letters of a run; a word's beginning and end count as one each
_CHARACTERS_A_WORD = 20  # of a post cut off before its words are looked for
_PRIME = np.uint64(0x100000001B3)  # P
_SPACE = ord(" ")

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class FeatureBags:
    """N texts: which places occur in each, and how often."""

    offsets: Ints  # (N+1,) text n is [offsets[n] : offsets[n + 1]] of the others
    places: Ints  # (F,) ascending within a text, each once
    values: Floats  # (F,) 1 + ln(how often), or as `weighted` has them

    def __len__(self) -> int:
        """The number of texts, N."""
        return len(self.offsets) - 1

    def text(self, number: int) -> tuple[Ints, Floats]:
        """The places and values of one text."""
        here = slice(self.offsets[number], self.offsets[number + 1])
        return self.places[here], self.values[here]

    def weighted(self, weights: Floats) -> FeatureBags:
        """The values multiplied by the (V,) weights of their places, then each text brought to length 1."""
        values = self.values * weights[self.places]
        lengths = np.sqrt(self._sums(values * values))
        scale = np.divide(1, lengths, out=np.zeros_like(lengths), where=lengths > 0)
        return FeatureBags(self.offsets, self.places, values * np.repeat(scale, np.diff(self.offsets)))

    def dot(self, query: Floats) -> Floats:
        """(N,) float32: the inner product of each text with a (V,) `query`."""
        return self._sums(self.values * query[self.places])

    def sum_rows(self, rows: NDArray[np.int32], table: Floats) -> Floats:
        """(N, D) float32: for each text the sum of its values times the rows of `table` (R, D) that `rows` (V,) names."""
        found = np.zeros((len(self), table.shape[1]), np.float32)
        at = rows[self.places]
        for number, (first, last) in enumerate(pairwise(self.offsets.tolist())):
            found[number] = self.values[first:last] @ table[at[first:last]]  # a text at a time stays within the cache
        return found

    def take(self, rows: Ints) -> FeatureBags:
        """The texts `rows`, in that order."""
        sizes = np.diff(self.offsets)[rows]
        offsets = np.concatenate([[0], np.cumsum(sizes)])
        at = np.arange(offsets[-1]) + np.repeat(self.offsets[rows] - offsets[:-1], sizes)
        return FeatureBags(offsets, self.places[at], self.values[at])

    def dense(self, columns: Ints) -> Floats:
        """(N, U) float32: the values at the places `columns`, ascending, which hold all that occur."""
        found = np.zeros((len(self), len(columns)), np.float32)
        found[np.repeat(np.arange(len(self)), np.diff(self.offsets)), np.searchsorted(columns, self.places)] = self.values
        return found

    def _sums(self, rows: Floats) -> Floats:
        """(F, ...) -> (N, ...): the sums over each text, by itself, so that they are the same in any company."""
        sums = np.zeros((len(self), *rows.shape[1:]), np.float32)
        filled = np.flatnonzero(np.diff(self.offsets))
        if len(filled):
            sums[filled] = np.add.reduceat(rows, self.offsets[filled])
        return sums


def join(pieces: Sequence[FeatureBags]) -> FeatureBags:
    """All their texts, one after the other."""
    sizes = np.concatenate([np.diff(bags.offsets) for bags in pieces])
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    return FeatureBags(offsets, np.concatenate([b.places for b in pieces]), np.concatenate([b.values for b in pieces]))


class FeaturesOfTexts(NamedTuple):
    """N texts, read in two ways."""

    words: FeatureBags
    letters: FeatureBags


def read(texts: Sequence[str], buckets: int, longest: int) -> FeaturesOfTexts:
    """The words of N texts and the runs of letters in them, hashed to so many `buckets`; `longest` words of each are read."""
    found = [words(text[: longest * _CHARACTERS_A_WORD])[:longest] for text in texts]
    flat = [word for text in found for word in text]
    owners = np.repeat(np.arange(len(texts)), [len(text) for text in found])
    if not flat:
        nothing = FeatureBags(np.zeros(len(texts) + 1, np.int64), np.empty(0, np.int64), np.empty(0, np.float32))
        return FeaturesOfTexts(nothing, nothing)
    characters, begins, lengths = _characters(flat)
    by_word = _bags(owners, _hash_words(characters, begins, lengths), len(texts), buckets)
    runs, of_word = _hash_runs(characters, lengths)
    return FeaturesOfTexts(by_word, _bags(owners[of_word], runs, len(texts), buckets))


def word_places(some: Sequence[str], buckets: int) -> Ints:
    """(N,) int64: the place of each of N words."""
    return (_hash_words(*_characters(some)) % np.uint64(buckets)).astype(np.int64) if some else np.empty(0, np.int64)


def _characters(flat: Sequence[str]) -> tuple[NDArray[np.uint64], Ints, Ints]:
    """The characters of W words with a space before, between and after them; where each word begins; how long it is."""
    joined = f" {' '.join(flat)} ".encode("utf-32-le", "surrogatepass")
    lengths = np.array([len(word) for word in flat], np.int64)
    return np.frombuffer(joined, np.uint32).astype(np.uint64), np.cumsum(lengths + 1) - lengths, lengths


def _hash_words(characters: NDArray[np.uint64], begins: Ints, lengths: Ints) -> NDArray[np.uint64]:
    """(W,) uint64: a hash of each of W words, by its characters alone."""
    at = np.arange(begins[0], len(characters)) - np.repeat(begins, lengths + 1)  # the space after a word counts as its last
    powers = _PRIME ** np.arange(lengths.max() + 1, dtype=np.uint64)
    return mix64(np.add.reduceat(characters[begins[0] :] * powers[at], begins - begins[0]))


def _hash_runs(characters: NDArray[np.uint64], lengths: Ints) -> tuple[NDArray[np.uint64], Ints]:
    """(R,) uint64, the hash of each run; (R,) int64, which word it lies in."""
    size = len(characters) - RUN + 1
    if size <= 0:
        return np.empty(0, np.uint64), np.empty(0, np.int64)
    space = characters == _SPACE
    inside = ~np.logical_or.reduce([space[shift : shift + size] for shift in range(1, RUN - 1)])  # in one word
    begins = np.flatnonzero(inside)
    powers = _PRIME ** np.arange(RUN, dtype=np.uint64)
    hashes = mix64(sum(characters[begins + shift] * powers[shift] for shift in range(RUN)))
    return hashes, np.repeat(np.arange(len(lengths)), lengths + 1)[begins]


def _bags(owners: Ints, hashes: NDArray[np.uint64], texts: int, buckets: int) -> FeatureBags:
    """Count how often each place occurs in each text."""
    keys, counts = np.unique(owners * buckets + (hashes % np.uint64(buckets)).astype(np.int64), return_counts=True)
    offsets = np.searchsorted(keys, np.arange(texts + 1) * buckets)
    return FeatureBags(offsets, keys % buckets, (1 + np.log(counts)).astype(np.float32))

"""N-gram counts as a trie in flat arrays: counted by sorting, merged, and taken away again exactly.

Level n holds every n-gram that occurs (n = 1 .. order), sorted by its first n - 1 tokens and then its last:

    parent  (M,) uint32          the place of its first n - 1 tokens in the level before (0 in level 1)
    token   (M,) uint16, uint32  its last token
    count   (M,) uint32          how often it occurs

No n-gram runs over the end of a post; those that begin with POST or REPLY stand at the beginning of one. Two tries of the
same text are equal array for array, whatever pieces they were counted in: that is what makes merging and forgetting exact.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rejoinder.text.tensors import TokenArrays

Ints = NDArray[np.integer[Any]]
_BYTES_A_TOKEN = 40  # what counting one token takes at its peak: ids, sort keys and their order
DEFAULT_MEMORY = 2**30  # bytes


@dataclass(frozen=True)
class Level:
    """The n-grams of one length."""

    parent: Ints  # (M,)
    token: Ints  # (M,)
    count: Ints  # (M,)

    def __len__(self) -> int:
        """M, how many there are."""
        return len(self.token)


@dataclass(frozen=True)
class NgramCounts:
    """The trie: `levels[n - 1]` holds the n-grams."""

    levels: tuple[Level, ...]
    vocabulary: int  # V

    @property
    def order(self) -> int:
        """The length of the longest n-grams."""
        return len(self.levels)


def count_ngrams(arrays: TokenArrays, order: int, vocabulary: int, memory: int = DEFAULT_MEMORY) -> NgramCounts:
    """All n-grams of up to `order` tokens.

    Where the sort would not fit into about `memory` bytes, the posts are counted in pieces which are then merged.
    """
    total = NgramCounts(tuple(_empty(vocabulary) for _ in range(order)), vocabulary)
    for first, last in _pieces(arrays.offsets, max(memory // _BYTES_A_TOKEN, 1)):
        piece = _count_piece(arrays, slice(first, last), order, vocabulary)
        total = merge([total, piece]) if len(total.levels[0]) else piece
    return total


def merge(parts: Sequence[NgramCounts]) -> NgramCounts:
    """The counts of all `parts` together: equal to counting their texts at once."""
    return _combine([(part, 1) for part in parts])


def subtract(whole: NgramCounts, part: NgramCounts) -> NgramCounts:
    """The counts of `whole` without those of `part`: equal to counting the rest alone.

    Raises:
        ValueError: `part` was never counted in `whole`.
    """
    return _combine([(whole, 1), (part, -1)])


def keys(level: Level, vocabulary: int, parents: Ints | None = None) -> NDArray[np.int64]:
    """(M,) int64: parent * V + token, which is how a level is sorted; `parents` stands in for the level's own."""
    return (level.parent if parents is None else parents).astype(np.int64) * vocabulary + level.token


def _pieces(offsets: NDArray[np.int64], most: int) -> Iterator[tuple[int, int]]:
    """Runs of posts of at most `most` tokens (one post at least)."""
    first, posts = 0, len(offsets) - 1
    while first < posts:
        last = max(int(np.searchsorted(offsets, offsets[first] + most, side="right")) - 1, first + 1)
        yield first, last
        first = last


def _count_piece(arrays: TokenArrays, posts: slice, order: int, vocabulary: int) -> NgramCounts:
    offsets = arrays.offsets[posts.start : posts.stop + 1]
    tokens = arrays.tokens[offsets[0] : offsets[-1]]
    begins = np.zeros(len(tokens), dtype=bool)
    begins[offsets[:-1] - offsets[0]] = True
    ends = np.arange(len(tokens))  # where n-grams end; those that would run over the beginning of a post drop out
    node = np.zeros(len(tokens), dtype=np.uint32)  # the n-gram that ends at each place
    levels: list[Level] = []
    for n in range(1, order + 1):
        before = np.zeros(len(ends), dtype=np.int64) if n == 1 else node[ends - 1].astype(np.int64)
        key = before * vocabulary + tokens[ends]
        sorting = np.argsort(key)
        ordered = key[sorting]
        new = np.concatenate([[True], ordered[1:] != ordered[:-1]]) if len(key) else np.empty(0, dtype=bool)
        node = np.zeros(len(tokens), dtype=np.uint32)
        node[ends[sorting]] = np.cumsum(new, dtype=np.int64) - 1
        first = np.flatnonzero(new)
        counts = np.diff(np.concatenate([first, [len(key)]]))
        levels.append(_level(ordered[first], counts, vocabulary))
        ends = ends[~_begins_at(begins, ends, n)]
    return NgramCounts(tuple(levels), vocabulary)


def _begins_at(begins: NDArray[np.bool_], ends: NDArray[np.int64], n: int) -> NDArray[np.bool_]:
    """Whether the n-gram that ends at each place begins a post, so that nothing stands before it."""
    return begins[ends - (n - 1)]


def _combine(parts: Sequence[tuple[NgramCounts, int]]) -> NgramCounts:
    """Add (1) or take away (-1) counts, level by level; n-grams whose count comes to 0 are gone."""
    vocabulary, order = parts[0][0].vocabulary, parts[0][0].order
    if any((part.vocabulary, part.order) != (vocabulary, order) for part, _ in parts):
        raise ValueError("counts of different vocabularies or orders cannot be put together")
    places = [np.zeros(1, dtype=np.int64) for _ in parts]  # where the n-grams of the level before are now, -1 for gone
    levels: list[Level] = []
    for n in range(order):
        present = [part.levels[n] for part, _ in parts]
        key = np.concatenate([keys(level, vocabulary, place[level.parent]) for level, place in zip(present, places, strict=True)])
        signed = [level.count.astype(np.int64) * sign for level, (_, sign) in zip(present, parts, strict=True)]
        sorting = np.argsort(key, kind="stable")
        ordered = key[sorting]
        new = np.concatenate([[True], ordered[1:] != ordered[:-1]]) if len(key) else np.empty(0, dtype=bool)
        first = np.flatnonzero(new)
        sums = np.add.reduceat(np.concatenate(signed)[sorting], first) if len(first) else np.empty(0, dtype=np.int64)
        if (sums < 0).any():
            raise ValueError("these counts hold n-grams that the others do not")
        kept = sums > 0
        levels.append(_level(ordered[first[kept]], sums[kept], vocabulary))
        now = np.where(kept, np.cumsum(kept) - 1, -1)
        place = np.empty(len(key), dtype=np.int64)
        place[sorting] = now[np.cumsum(new) - 1]
        places = np.split(place, np.cumsum([len(level) for level in present])[:-1])
    return NgramCounts(tuple(levels), vocabulary)


def _level(key: NDArray[np.int64], counts: NDArray[np.int64], vocabulary: int) -> Level:
    kind = np.uint16 if vocabulary <= 2**16 else np.uint32
    return Level((key // vocabulary).astype(np.uint32), (key % vocabulary).astype(kind), counts.astype(np.uint32))


def _empty(vocabulary: int) -> Level:
    nothing = np.empty(0, dtype=np.int64)
    return _level(nothing, nothing, vocabulary)

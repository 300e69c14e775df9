"""N-gram counts as a trie in flat arrays: merged, and taken away again exactly. They are counted in `rejoinder.text.counting`.

Level n holds every n-gram that occurs (n = 1 .. order), sorted by its first n - 1 tokens and then its last:

    parent  (M,) uint32          the place of its first n - 1 tokens in the level before (0 in level 1)
    token   (M,) uint16, uint32  its last token
    count   (M,) uint32          how often it occurs

No n-gram runs over the end of a post; those that begin with POST or REPLY stand at the beginning of one. Two tries of the
same text are equal array for array, whatever pieces they were counted in: that is what makes merging and forgetting exact.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rejoinder.errors import ModelError
from rejoinder.text.columns import IN_MEMORY, NumberColumn, NumberColumns
from rejoinder.text.sums import add_up_placed

Ints = NDArray[np.integer[Any]]
MERGED_BYTES = 128  # what merging an n-gram takes: its key, count and order, and that ranges are not all alike
DEFAULT_MEMORY = 2**30  # bytes
MOST = 2**32 - 2  # n-grams of one length: their places have 32 bits
_DRAWN = 4  # keys of each level for each range that levels are cut into
_HALF = 32  # bits that most counts fit into


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

    levels: Sequence[Level]
    vocabulary: int  # V

    @property
    def order(self) -> int:
        """The length of the longest n-grams."""
        return len(self.levels)


def merge(
    parts: Sequence[NgramCounts], at_a_time: int = DEFAULT_MEMORY // MERGED_BYTES, columns: NumberColumns = IN_MEMORY
) -> NgramCounts:
    """The counts of all `parts` together, made in `columns`: equal to counting their texts at once.

    Levels stay sorted when their parents are renumbered, so they are merged range by range, about `at_a_time` n-grams each.
    """
    return NgramCounts(tuple(merged_levels(parts, at_a_time, columns)), _alike(parts)[0])


def merged_levels(parts: Sequence[NgramCounts], at_a_time: int, columns: NumberColumns) -> Iterator[Level]:
    """The levels of `merge`, the shortest n-grams first; that level of the parts is needed no more."""
    vocabulary, order = _alike(parts)
    places: list[Ints] = [np.zeros(1, dtype=np.uint32) for _ in parts]  # where the n-grams of the level before are now
    spent: list[NumberColumn] = []
    for n in range(order):
        renumbered = [columns.new(np.uint32, len(part.levels[n])) for part in parts]
        present = (part.levels[n] for part in parts)  # held by nobody longer than they are merged
        yield _merge_level(list(present), places, renumbered, _Merging(vocabulary, at_a_time, columns))
        places = [column.done() for column in renumbered]
        for column in spent:
            column.drop()
        spent = renumbered
    for column in spent:
        column.drop()


@dataclass(frozen=True)
class _Merging:
    vocabulary: int
    at_a_time: int  # n-grams
    columns: NumberColumns


def _merge_level(present: Sequence[Level], places: Sequence[Ints], renumbered: Sequence[NumberColumn], how: _Merging) -> Level:
    """The levels of one length as one; where each of their n-grams is in it goes into `renumbered`."""
    vocabulary, most = how.vocabulary, sum(map(len, present))
    found = [how.columns.new(kind, most) for kind in (np.uint32, _token_kind(vocabulary), np.uint64)]
    read = [_Reading(level, place, vocabulary) for level, place in zip(present, places, strict=True)]
    total, largest = 0, 0
    for ranges in _ranges(read, how.at_a_time):
        pieces = [reading.take(part) for reading, part in zip(read, ranges, strict=True)]
        key, sums, which = add_up_placed(*(np.concatenate(arrays) for arrays in zip(*pieces, strict=True)))
        ends = np.cumsum([len(here) for here, _ in pieces])
        for target, part, here in zip(renumbered, ranges, np.split(which, ends[:-1]), strict=True):
            target.write(part.start, here + total)
        for column, values in zip(found, (key // vocabulary, key % vocabulary, sums), strict=True):
            column.write(total, values)
        total += len(key)
        if total > MOST:
            raise ModelError(f"more than {MOST:,} n-grams of one length; fit with a smaller `kneser_ney.order`, or on less")
        largest = max(largest, int(sums.max(initial=0)))
    parent, token = (column.done(total) for column in found[:2])
    return Level(parent, token, _narrow(found[2], total, largest, how))


def _narrow(counts: NumberColumn, total: int, largest: int, how: _Merging) -> Ints:
    """The first `total` counts in as many bits as the largest needs."""
    if largest >= 2**_HALF:
        return counts.done(total)
    narrow = how.columns.new(np.uint32, total)
    for first in range(0, total, how.at_a_time):
        narrow.write(first, counts.read(first, min(first + how.at_a_time, total)).astype(np.uint32))
    counts.drop()
    return narrow.done()


class _Reading:
    """A level read range by range, its n-grams as keys of where they are to be."""

    def __init__(self, level: Level, places: Ints, vocabulary: int) -> None:
        """`places`: where the n-grams of the level before are to be."""
        self._parent, self._token, self._count = (NumberColumn.over(array) for array in vars(level).values())
        self._places, self._vocabulary = NumberColumn.over(places), vocabulary

    def __len__(self) -> int:
        """How many n-grams there are."""
        return len(self._token)

    def key(self, at: int) -> int:
        """The key of one of them."""
        return self._places[self._parent[at]] * self._vocabulary + self._token[at]

    def take(self, part: slice) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The keys and counts of a range."""
        if part.start == part.stop:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        parent, token, count = (column.read(part.start, part.stop) for column in (self._parent, self._token, self._count))
        first = int(parent[0])
        place = self._places.read(first, int(parent[-1]) + 1)[parent - first]
        return place.astype(np.int64) * self._vocabulary + token, count.astype(np.int64)


def subtract(whole: NgramCounts, part: NgramCounts) -> NgramCounts:
    """The counts of `whole` without those of `part`: equal to counting the rest alone.

    Raises:
        ValueError: `part` was never counted in `whole`.
    """
    vocabulary, order = _alike([whole, part])
    places = [np.zeros(1, dtype=np.int64)] * 2  # where the n-grams of the level before are now, -1 for gone
    levels: list[Level] = []
    for n in range(order):
        present = [whole.levels[n], part.levels[n]]
        key = np.concatenate([keys(level, vocabulary, place[level.parent]) for level, place in zip(present, places, strict=True)])
        counts = np.concatenate([present[0].count.astype(np.int64), -present[1].count.astype(np.int64)])
        found, sums, which = add_up_placed(key, counts)
        if (sums < 0).any():
            raise ValueError("these counts hold n-grams that the others do not")
        kept = sums > 0
        levels.append(level_of(found[kept], sums[kept], vocabulary))
        now = np.where(kept, np.cumsum(kept) - 1, -1)[which]
        places = [now[: len(present[0])], now[len(present[0]) :]]
    return NgramCounts(tuple(levels), vocabulary)


def keys(level: Level, vocabulary: int, parents: Ints | None = None) -> NDArray[np.int64]:
    """(M,) int64: parent * V + token, which is how a level is sorted; `parents` stands in for the level's own."""
    return (level.parent if parents is None else parents).astype(np.int64) * vocabulary + level.token


def _ranges(levels: Sequence[_Reading], at_a_time: int) -> Iterator[list[slice]]:
    """Cut sorted levels into ranges with the same n-grams in all of them, of about `at_a_time` n-grams together.

    Cuts are keys drawn from all levels at even distances, so that there are no more of them than ranges are needed, however many
    levels there are.
    """
    drawn = _DRAWN * max(len(levels), 1)  # for each range
    step = max(at_a_time // drawn, 1)
    cuts = sorted({*sorted(level.key(at) for level in levels for at in range(step, len(level), step))[drawn - 1 :: drawn]})
    begin = [0] * len(levels)
    for cut in cuts:
        end = [bisect_left(range(len(level)), cut, first, key=level.key) for first, level in zip(begin, levels, strict=True)]
        yield [slice(first, last) for first, last in zip(begin, end, strict=True)]
        begin = end
    yield [slice(first, len(level)) for first, level in zip(begin, levels, strict=True)]


def _alike(parts: Sequence[NgramCounts]) -> tuple[int, int]:
    """The vocabulary and order that all parts share."""
    shapes = {(part.vocabulary, part.order) for part in parts}
    if len(shapes) != 1:
        raise ValueError("counts of different vocabularies or orders cannot be put together")
    return shapes.pop()


def level_of(key: NDArray[np.int64], counts: NDArray[np.int64], vocabulary: int) -> Level:
    """The level of sorted `keys` and their counts."""
    many = np.uint64 if len(counts) and counts.max() >= 2**_HALF else np.uint32
    return Level((key // vocabulary).astype(np.uint32), (key % vocabulary).astype(_token_kind(vocabulary)), counts.astype(many))


def _token_kind(vocabulary: int) -> type[np.unsignedinteger[Any]]:
    return np.uint16 if vocabulary <= 2**16 else np.uint32


def no_ngrams(vocabulary: int) -> Level:
    """A level that holds nothing."""
    nothing = np.empty(0, dtype=np.int64)
    return level_of(nothing, nothing, vocabulary)

"""N-gram counts as a trie in flat arrays: counted by sorting, merged, and taken away again exactly.

Level n holds every n-gram that occurs (n = 1 .. order), sorted by its first n - 1 tokens and then its last:

    parent  (M,) uint32          the place of its first n - 1 tokens in the level before (0 in level 1)
    token   (M,) uint16, uint32  its last token
    count   (M,) uint32          how often it occurs

No n-gram runs over the end of a post; those that begin with POST or REPLY stand at the beginning of one. Two tries of the
same text are equal array for array, whatever pieces they were counted in: that is what makes merging and forgetting exact.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rejoinder.text.columns import IN_MEMORY, NumberColumn, NumberColumns
from rejoinder.text.sums import add_up_placed, in_order
from rejoinder.text.tensors import TokenArrays

Ints = NDArray[np.integer[Any]]
_BYTES_A_TOKEN = 80  # what counting one token takes at its peak: ids, sort keys and their order
_BYTES_AN_NGRAM = 80  # what merging one takes: its key, count and order
_BYTES_HELD = 200  # what a token takes where all its n-grams are held, and an index is made of them
DEFAULT_MEMORY = 2**30  # bytes
_HALF = 32  # bits of a number that holds two counts


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


@dataclass(frozen=True)
class Room:
    """What counting may take, and who is told how it goes."""

    memory: int = DEFAULT_MEMORY  # bytes, about
    workdir: Path | None = None  # for what does not fit into it, the result too; None: pieces wait among the temporary files
    told: Callable[[int, int], object] = lambda done, total: None  # how much is done, of how much

    def columns(self, tokens: int) -> NumberColumns:
        """Where to make what comes of so many tokens: in memory, if there is enough or nowhere else to put it."""
        return NumberColumns(self.workdir if tokens * _BYTES_HELD > self.memory else None)


ROOM = Room()  # what there is where nobody says


def count_ngrams(
    arrays: TokenArrays,
    order: int,
    vocabulary: int,
    room: Room = ROOM,
    writers: NDArray[np.unsignedinteger[Any]] | None = None,
) -> NgramCounts:
    """All n-grams of up to `order` tokens, and how often each occurs; given the `writers` of the posts, (P,), how many wrote it.

    Where the sort would not fit into the memory there is `room` for, the posts are counted in pieces, which lie on the disk
    until they are merged, a range of n-grams at a time; so does the result, if the room has a `workdir`, where it stays.
    """
    return _count(_Posts(arrays, writers), order, vocabulary, room)


def count_both(
    arrays: TokenArrays, order: int, vocabulary: int, writers: NDArray[np.integer[Any]], room: Room = ROOM
) -> tuple[NgramCounts, NgramCounts]:
    """How often each n-gram occurs, and how many writers wrote it: `count_ngrams` twice, for the cost of once."""
    posts = _Posts(arrays, writers)
    whole = _count(posts, order, vocabulary, room, both=True)
    columns, step = room.columns(posts.tokens), max(room.memory // _BYTES_AN_NGRAM, 1)
    low, high = (tuple(_half(level, shift, columns, step) for level in whole.levels) for shift in (0, _HALF))
    return NgramCounts(low, vocabulary), NgramCounts(high, vocabulary)


def _count(posts: _Posts, order: int, vocabulary: int, room: Room, *, both: bool = False) -> NgramCounts:
    pieces = list(_pieces(posts.offsets, max(room.memory // _BYTES_A_TOKEN, 1)))
    total = len(pieces) * order

    def told(before: int, n: int) -> None:
        room.told(before + n, total)

    def count(number: int, columns: NumberColumns) -> NgramCounts:
        say = partial(told, number * order)
        return count_piece(posts.take(*pieces[number]), order, vocabulary, columns, say, both=both)

    columns = room.columns(posts.tokens)
    if len(pieces) == 1:
        return count(0, columns)
    if not pieces:
        return NgramCounts(tuple(_empty(vocabulary) for _ in range(order)), vocabulary)
    with TemporaryDirectory(dir=room.workdir) as scratch:
        counted = [count(number, NumberColumns(Path(scratch))) for number in range(len(pieces))]
        return merge(counted, max(room.memory // _BYTES_AN_NGRAM, 1), columns)


def _half(level: Level, shift: int, columns: NumberColumns, step: int) -> Level:
    """One of the two counts that each count of a level holds."""
    both, half = NumberColumn.over(level.count), columns.new(np.uint32, len(level))
    for first in range(0, len(level), step):
        half.write(
            first, (both.read(first, min(first + step, len(level))).astype(np.uint64) >> np.uint64(shift)).astype(np.uint32)
        )
    return Level(level.parent, level.token, half.done())


def merge(
    parts: Sequence[NgramCounts], at_a_time: int = DEFAULT_MEMORY // _BYTES_AN_NGRAM, columns: NumberColumns = IN_MEMORY
) -> NgramCounts:
    """The counts of all `parts` together, made in `columns`: equal to counting their texts at once.

    Levels stay sorted when their parents are renumbered, so they are merged range by range, about `at_a_time` n-grams each.
    """
    vocabulary, order = _alike(parts)
    places: list[Ints] = [np.zeros(1, dtype=np.uint32) for _ in parts]  # where the n-grams of the level before are now
    levels: list[Level] = []
    spent: list[NumberColumn] = []
    for n in range(order):
        present = [part.levels[n] for part in parts]
        renumbered = [columns.new(np.uint32, len(level)) for level in present]
        levels.append(_merge_level(present, places, renumbered, _Merging(vocabulary, at_a_time, columns)))
        places = [column.done() for column in renumbered]
        for column in spent:
            column.drop()
        spent = renumbered
    for column in spent:
        column.drop()
    return NgramCounts(tuple(levels), vocabulary)


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
        levels.append(_level(found[kept], sums[kept], vocabulary))
        now = np.where(kept, np.cumsum(kept) - 1, -1)[which]
        places = [now[: len(present[0])], now[len(present[0]) :]]
    return NgramCounts(tuple(levels), vocabulary)


def keys(level: Level, vocabulary: int, parents: Ints | None = None) -> NDArray[np.int64]:
    """(M,) int64: parent * V + token, which is how a level is sorted; `parents` stands in for the level's own."""
    return (level.parent if parents is None else parents).astype(np.int64) * vocabulary + level.token


Taken = tuple[Ints, NDArray[np.bool_], NDArray[np.int64] | None]  # of some posts: see `_Posts.take`


class _Posts:
    """The posts to count, in G groups that are counted in one piece each: single posts, or all posts of a writer."""

    def __init__(self, arrays: TokenArrays, writers: NDArray[Any] | None) -> None:
        """`writers`: (P,) whose each post is."""
        self._tokens, self._offsets = NumberColumn.over(arrays.tokens), arrays.offsets
        self.tokens = int(arrays.offsets[-1] - arrays.offsets[0])
        self._order: NDArray[np.int64] | None = None  # (P,) the posts, those of one writer side by side
        self._groups = np.arange(len(arrays.offsets))  # (G+1,) the place in that order where each group begins
        self.offsets = arrays.offsets  # (G+1,) tokens before each group
        if writers is not None:
            if len(writers) != len(arrays.posts):
                raise ValueError(f"each of the {len(arrays.posts)} posts needs its writer; got {len(writers)} of them")
            _, first, which = np.unique(writers, return_index=True, return_inverse=True)
            first = first[which]  # for each post the first one of its writer
            self._order = np.argsort(first, kind="stable")
            self._groups = np.append(np.unique(first[self._order], return_index=True)[1], len(first))
            self.offsets = np.concatenate([[0], np.cumsum(np.diff(arrays.offsets)[self._order])])[self._groups]

    def take(self, first: int, last: int) -> Taken:
        """Some groups: their tokens, (N,); whether a post begins there, (N,); whose they are, (N,), if that counts."""
        begin, end = int(self._groups[first]), int(self._groups[last])
        if self._order is None:
            offsets = self._offsets[begin : end + 1]
            starts, tokens = offsets[:-1] - offsets[0], self._tokens.read(int(offsets[0]), int(offsets[-1]))
            group = None
        else:
            posts = self._order[begin:end]
            lengths = self._offsets[posts + 1] - self._offsets[posts]
            starts = np.cumsum(lengths) - lengths
            tokens = self._read_posts(posts)
            sizes = np.diff(self.offsets[first : last + 1])
            group = np.repeat(np.arange(len(sizes)), sizes)
        begins = np.zeros(len(tokens), dtype=bool)
        begins[starts] = True
        return tokens, begins, group

    def _read_posts(self, posts: NDArray[np.int64]) -> Ints:
        """The tokens of some posts; those that lie side by side are read at once."""
        breaks = np.flatnonzero(np.diff(posts) != 1) + 1
        runs = zip(posts[np.append(0, breaks)].tolist(), (posts[np.append(breaks - 1, len(posts) - 1)] + 1).tolist(), strict=True)
        return np.concatenate([self._tokens.read(int(self._offsets[a]), int(self._offsets[b])) for a, b in runs])


def _pieces(offsets: NDArray[np.int64], most: int) -> Iterator[tuple[int, int]]:
    """Runs of groups of at most `most` tokens (one group at least)."""
    first, groups = 0, len(offsets) - 1
    while first < groups:
        last = max(int(np.searchsorted(offsets, offsets[first] + most, side="right")) - 1, first + 1)
        yield first, last
        first = last


def count_piece(
    taken: Taken,
    order: int,
    vocabulary: int,
    columns: NumberColumns = IN_MEMORY,
    told: Callable[[int], object] = lambda done: None,
    *,
    both: bool = False,
) -> NgramCounts:
    """The n-grams of one piece; with `both` how often each occurs in the lower 32 bits of its count, how many wrote it above."""
    tokens, begins, group = taken
    ends = np.arange(len(tokens))  # where n-grams end; those that would run over the beginning of a post drop out
    node = np.zeros(len(tokens), dtype=np.uint32)  # the n-gram that ends at each place
    levels: list[Level] = []
    for n in range(1, order + 1):
        before = np.zeros(len(ends), dtype=np.int64) if n == 1 else node[ends - 1].astype(np.int64)
        key = before * vocabulary + tokens[ends]
        ordered, sorting = in_order(key)
        new = np.concatenate([[True], ordered[1:] != ordered[:-1]]) if len(key) else np.empty(0, dtype=bool)
        node = np.zeros(len(tokens), dtype=np.uint32)
        node[ends[sorting]] = np.cumsum(new, dtype=np.uint32) - np.uint32(1)
        first = np.flatnonzero(new)
        counts = np.diff(np.concatenate([first, [len(key)]]))
        if group is not None and len(key):
            whose = group[ends[sorting]]
            new[1:] |= whose[1:] != whose[:-1]
            spread = np.add.reduceat(new, first, dtype=np.int64)
            counts = counts + (spread << _HALF) if both else spread
        level = _level(ordered[first], counts, vocabulary)
        levels.append(Level(*(columns.keep(array) for array in vars(level).values())))
        ends = ends[~_begins_at(begins, ends, n)]
        told(n)
    return NgramCounts(tuple(levels), vocabulary)


def _begins_at(begins: NDArray[np.bool_], ends: NDArray[np.int64], n: int) -> NDArray[np.bool_]:
    """Whether the n-gram that ends at each place begins a post, so that nothing stands before it."""
    return begins[ends - (n - 1)]


def _ranges(levels: Sequence[_Reading], at_a_time: int) -> Iterator[list[slice]]:
    """Cut sorted levels into ranges with the same n-grams in all of them, of about `at_a_time` n-grams together."""
    step = max(at_a_time // max(len(levels), 1), 1)
    cuts = sorted({level.key(at) for level in levels for at in range(step, len(level), step)})
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


def _level(key: NDArray[np.int64], counts: NDArray[np.int64], vocabulary: int) -> Level:
    many = np.uint64 if len(counts) and counts.max() >= 2**_HALF else np.uint32
    return Level((key // vocabulary).astype(np.uint32), (key % vocabulary).astype(_token_kind(vocabulary)), counts.astype(many))


def _token_kind(vocabulary: int) -> type[np.unsignedinteger[Any]]:
    return np.uint16 if vocabulary <= 2**16 else np.uint32


def _empty(vocabulary: int) -> Level:
    nothing = np.empty(0, dtype=np.int64)
    return _level(nothing, nothing, vocabulary)

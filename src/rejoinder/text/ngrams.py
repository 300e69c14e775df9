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

from rejoinder.text.sums import add_up_placed
from rejoinder.text.tensors import TokenArrays

Ints = NDArray[np.integer[Any]]
_BYTES_A_TOKEN = 40  # what counting one token takes at its peak: ids, sort keys and their order
_BYTES_AN_NGRAM = 80  # what merging one takes: its key, count and order
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
    workdir: Path | None = None  # for what does not fit into it; None: among the temporary files
    told: Callable[[int, int], object] = lambda done, total: None  # lengths of n-grams counted, of all pieces together


def count_ngrams(
    arrays: TokenArrays,
    order: int,
    vocabulary: int,
    room: Room = Room(),
    writers: NDArray[np.unsignedinteger[Any]] | None = None,
) -> NgramCounts:
    """All n-grams of up to `order` tokens, and how often each occurs; given the `writers` of the posts, (P,), how many wrote it.

    Where the sort would not fit into the memory there is `room` for, the posts are counted in pieces, which lie on the disk
    until they are merged, a range of n-grams at a time. Only the result is held whole.
    """
    posts = _Posts(arrays, writers)
    pieces = list(_pieces(posts.offsets, max(room.memory // _BYTES_A_TOKEN, 1)))
    total = len(pieces) * order

    def told(before: int, n: int) -> None:
        room.told(before + n, total)

    counted = (
        _count_piece(posts.take(*piece), order, vocabulary, partial(told, place * order)) for place, piece in enumerate(pieces)
    )
    if len(pieces) == 1:
        return next(counted)
    if not pieces:
        return NgramCounts(tuple(_empty(vocabulary) for _ in range(order)), vocabulary)
    with TemporaryDirectory(dir=room.workdir) as scratch:
        stored = [_on_disk(piece, Path(scratch), number) for number, piece in enumerate(counted)]
        return merge(stored, max(room.memory // _BYTES_AN_NGRAM, 1))


def count_both(
    arrays: TokenArrays, order: int, vocabulary: int, writers: NDArray[np.integer[Any]], room: Room = Room()
) -> tuple[NgramCounts, NgramCounts]:
    """How often each n-gram occurs, and how many writers wrote it: `count_ngrams` twice, for the cost of once."""
    posts = _Posts(arrays, writers)
    pieces = list(_pieces(posts.offsets, max(room.memory // _BYTES_A_TOKEN, 1)))
    with TemporaryDirectory(dir=room.workdir) as scratch:
        stored = [
            _on_disk(_count_piece(posts.take(*piece), order, vocabulary, both=True), Path(scratch), number)
            for number, piece in enumerate(pieces)
        ]
        empty = NgramCounts(tuple(_empty(vocabulary) for _ in range(order)), vocabulary)
        whole = merge(stored, max(room.memory // _BYTES_AN_NGRAM, 1)) if stored else empty
    low, high = (tuple(_half(level, shift) for level in whole.levels) for shift in (0, _HALF))
    return NgramCounts(low, vocabulary), NgramCounts(high, vocabulary)


def _half(level: Level, shift: int) -> Level:
    """One of the two counts that each count of a level holds."""
    return Level(level.parent, level.token, (level.count.astype(np.uint64) >> np.uint64(shift)).astype(np.uint32))


def merge(parts: Sequence[NgramCounts], at_a_time: int = DEFAULT_MEMORY // _BYTES_AN_NGRAM) -> NgramCounts:
    """The counts of all `parts` together: equal to counting their texts at once.

    Levels stay sorted when their parents are renumbered, so they are merged range by range, about `at_a_time` n-grams each.
    """
    vocabulary, order = _alike(parts)
    places: list[Ints] = [np.zeros(1, dtype=np.uint32) for _ in parts]  # where the n-grams of the level before are now
    levels: list[Level] = []
    for n in range(order):
        present = [part.levels[n] for part in parts]
        renumbered = [np.empty(len(level), dtype=np.uint32) for level in present]
        merged: list[Level] = [_empty(vocabulary)]
        total = 0
        for ranges in _ranges(present, places, vocabulary, at_a_time):
            pieces = [
                keys(Level(level.parent[r], level.token[r], level.count[r]), vocabulary, place[level.parent[r]])
                for level, place, r in zip(present, places, ranges, strict=True)
            ]
            counts = [level.count[r].astype(np.int64) for level, r in zip(present, ranges, strict=True)]
            key, sums, which = add_up_placed(np.concatenate(pieces), np.concatenate(counts))
            ends = np.cumsum([len(piece) for piece in pieces])
            for target, r, here in zip(renumbered, ranges, np.split(which, ends[:-1]), strict=True):
                target[r] = here + total
            merged.append(_level(key, sums, vocabulary))
            total += len(key)
        levels.append(
            Level(*(np.concatenate([getattr(level, name) for level in merged]) for name in ("parent", "token", "count")))
        )
        places = list(renumbered)
    return NgramCounts(tuple(levels), vocabulary)


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


_Taken = tuple[Ints, NDArray[np.bool_], NDArray[np.int64] | None]  # of some posts: see `_Posts.take`


class _Posts:
    """The posts to count, in G groups that are counted in one piece each: single posts, or all posts of a writer."""

    def __init__(self, arrays: TokenArrays, writers: NDArray[Any] | None) -> None:
        """`writers`: (P,) whose each post is."""
        self._arrays = arrays
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

    def take(self, first: int, last: int) -> _Taken:
        """Some groups: their tokens, (N,); whether a post begins there, (N,); whose they are, (N,), if that counts."""
        begin, end = int(self._groups[first]), int(self._groups[last])
        if self._order is None:
            offsets = self._arrays.offsets[begin : end + 1]
            starts, tokens = offsets[:-1] - offsets[0], self._arrays.tokens[offsets[0] : offsets[-1]]
            group = None
        else:
            posts = self._order[begin:end]
            lengths = self._arrays.offsets[posts + 1] - self._arrays.offsets[posts]
            starts = np.cumsum(lengths) - lengths
            tokens = self._arrays.tokens[np.arange(lengths.sum()) + np.repeat(self._arrays.offsets[posts] - starts, lengths)]
            sizes = np.diff(self.offsets[first : last + 1])
            group = np.repeat(np.arange(len(sizes)), sizes)
        begins = np.zeros(len(tokens), dtype=bool)
        begins[starts] = True
        return tokens, begins, group


def _pieces(offsets: NDArray[np.int64], most: int) -> Iterator[tuple[int, int]]:
    """Runs of groups of at most `most` tokens (one group at least)."""
    first, groups = 0, len(offsets) - 1
    while first < groups:
        last = max(int(np.searchsorted(offsets, offsets[first] + most, side="right")) - 1, first + 1)
        yield first, last
        first = last


def _count_piece(
    taken: _Taken, order: int, vocabulary: int, told: Callable[[int], object] = lambda done: None, *, both: bool = False
) -> NgramCounts:
    """The n-grams of one piece; with `both` how often each occurs in the lower 32 bits of its count, how many wrote it above."""
    tokens, begins, group = taken
    ends = np.arange(len(tokens))  # where n-grams end; those that would run over the beginning of a post drop out
    node = np.zeros(len(tokens), dtype=np.uint32)  # the n-gram that ends at each place
    levels: list[Level] = []
    for n in range(1, order + 1):
        before = np.zeros(len(ends), dtype=np.int64) if n == 1 else node[ends - 1].astype(np.int64)
        key = before * vocabulary + tokens[ends]
        sorting = np.argsort(key, kind=None if group is None else "stable")  # stable: by group where n-grams are equal
        ordered = key[sorting]
        new = np.concatenate([[True], ordered[1:] != ordered[:-1]]) if len(key) else np.empty(0, dtype=bool)
        node = np.zeros(len(tokens), dtype=np.uint32)
        node[ends[sorting]] = np.cumsum(new, dtype=np.int64) - 1
        first = np.flatnonzero(new)
        counts = np.diff(np.concatenate([first, [len(key)]]))
        if group is not None and len(key):
            whose = group[ends[sorting]]
            new[1:] |= whose[1:] != whose[:-1]
            spread = np.add.reduceat(new, first, dtype=np.int64)
            counts = counts + (spread << _HALF) if both else spread
        levels.append(_level(ordered[first], counts, vocabulary))
        ends = ends[~_begins_at(begins, ends, n)]
        told(n)
    return NgramCounts(tuple(levels), vocabulary)


def _begins_at(begins: NDArray[np.bool_], ends: NDArray[np.int64], n: int) -> NDArray[np.bool_]:
    """Whether the n-gram that ends at each place begins a post, so that nothing stands before it."""
    return begins[ends - (n - 1)]


def _ranges(levels: Sequence[Level], places: Sequence[Ints], vocabulary: int, at_a_time: int) -> Iterator[list[slice]]:
    """Cut sorted levels into ranges with the same n-grams in all of them, of about `at_a_time` n-grams together."""

    def key(part: int, at: int) -> int:
        level = levels[part]
        return int(places[part][level.parent[at]]) * vocabulary + int(level.token[at])

    def first_from(part: int, cut: int) -> int:
        return bisect_left(range(len(levels[part])), cut, key=lambda at: key(part, at))

    step = max(at_a_time // max(len(levels), 1), 1)
    cuts = sorted({key(part, at) for part, level in enumerate(levels) for at in range(step, len(level), step)})
    begin = [0] * len(levels)
    for cut in cuts:
        end = [first_from(part, cut) for part in range(len(levels))]
        yield [slice(first, last) for first, last in zip(begin, end, strict=True)]
        begin = end
    yield [slice(first, len(level)) for first, level in zip(begin, levels, strict=True)]


def _alike(parts: Sequence[NgramCounts]) -> tuple[int, int]:
    """The vocabulary and order that all parts share."""
    shapes = {(part.vocabulary, part.order) for part in parts}
    if len(shapes) != 1:
        raise ValueError("counts of different vocabularies or orders cannot be put together")
    return shapes.pop()


def _on_disk(counts: NgramCounts, directory: Path, number: int) -> NgramCounts:
    """The same counts, memory-mapped from files."""
    levels = []
    for n, level in enumerate(counts.levels, start=1):
        mapped = []
        for name, array in vars(level).items():
            file = directory / f"{number}.{n}.{name}.npy"
            np.save(file, array)
            mapped.append(np.load(file, mmap_mode="r"))
        levels.append(Level(*mapped))
    return NgramCounts(tuple(levels), counts.vocabulary)


def _level(key: NDArray[np.int64], counts: NDArray[np.int64], vocabulary: int) -> Level:
    kind = np.uint16 if vocabulary <= 2**16 else np.uint32
    many = np.uint64 if len(counts) and counts.max() >= 2**_HALF else np.uint32
    return Level((key // vocabulary).astype(np.uint32), (key % vocabulary).astype(kind), counts.astype(many))


def _empty(vocabulary: int) -> Level:
    nothing = np.empty(0, dtype=np.int64)
    return _level(nothing, nothing, vocabulary)

"""Counting n-grams by sorting, in the memory there is: in shards, each counted by itself into a sorted run, and the runs merged.

A shard is a folder with the tokens of some posts, so that it can be counted anywhere (`rejoinder.text.calls`):

    tokens.npy   (N,)    the posts, one after the other
    starts.npy   (P,)    int64, where each begins
    sizes.npy    (G,)    int64, tokens of each writer's posts, where writers are counted

A run is what comes of it, the levels of `rejoinder.text.ngrams`. How the posts are cut into shards changes nothing in the counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from rejoinder.text.calls import HERE, Call, CallRunner
from rejoinder.text.columns import NumberColumn, NumberColumns, in_file
from rejoinder.text.ngrams import DEFAULT_MEMORY, MERGED_BYTES, Ints, Level, NgramCounts, level_of, merged_levels, no_ngrams
from rejoinder.text.sums import in_order, spans
from rejoinder.text.tensors import TokenArrays

_TOKEN_BYTES = 80  # what counting one token takes at its peak: ids, sort keys and their order
_HELD_BYTES = 200  # what a token takes where all its n-grams are held, and an index is made of them
MERGED_RUNS = 24  # at a time; each takes seven open files
_HALF = 32  # bits of a number that holds two counts
_OF_A_LEVEL = tuple(field.name for field in fields(Level))


@dataclass(frozen=True)
class Room:
    """What counting may take, and who is told how it goes."""

    memory: int = DEFAULT_MEMORY  # bytes, about
    workdir: Path | None = None  # for what does not fit into it, the result too; None: runs wait among the temporary files
    told: Callable[[int, int], object] = lambda done, total: None  # how much is done, of how much
    runner: CallRunner = HERE  # who counts shards

    def columns(self, tokens: int) -> NumberColumns:
        """Where to make what comes of so many tokens: in memory, if there is enough or nowhere else to put it."""
        return NumberColumns(self.workdir if tokens * _HELD_BYTES > self.memory else None)


ROOM = Room()  # what there is where nobody says


def count_ngrams(
    arrays: TokenArrays,
    order: int,
    vocabulary: int,
    room: Room = ROOM,
    writers: NDArray[np.unsignedinteger[Any]] | None = None,
) -> NgramCounts:
    """All n-grams of up to `order` tokens, and how often each occurs; given the `writers` of the posts, (P,), how many wrote it.

    Where the sort would not fit into the memory there is `room` for, the posts are counted in shards, whose runs lie on the disk
    until they are merged, a range of n-grams at a time; so does the result, if the room has a `workdir`, where it stays.
    """
    return _count(_Posts(arrays, writers), order, vocabulary, room)


def count_both(
    arrays: TokenArrays, order: int, vocabulary: int, writers: NDArray[np.integer[Any]], room: Room = ROOM
) -> tuple[NgramCounts, NgramCounts]:
    """How often each n-gram occurs, and how many writers wrote it: `count_ngrams` twice, for the cost of once."""
    posts = _Posts(arrays, writers)
    whole = _count(posts, order, vocabulary, room, both=True)
    columns, step = room.columns(posts.tokens), _merged(room)
    low, high = (tuple(_half(level, shift, columns, step) for level in whole.levels) for shift in (0, _HALF))
    return NgramCounts(low, vocabulary), NgramCounts(high, vocabulary)


def _count(posts: _Posts, order: int, vocabulary: int, room: Room, *, both: bool = False) -> NgramCounts:
    most = min(room.memory // _TOKEN_BYTES // room.runner.count, -(-posts.tokens // room.runner.count))
    pieces = list(spans(posts.offsets, max(most, 1)))
    columns = room.columns(posts.tokens)
    if len(pieces) == 1:
        levels = _levels(posts.take(*pieces[0]), order, vocabulary, both=both)
        kept = []
        for n, level in enumerate(levels, start=1):
            kept.append(Level(*(columns.keep(array) for array in vars(level).values())))
            room.told(n, order)
        return NgramCounts(tuple(kept), vocabulary)
    if not pieces:
        return NgramCounts(tuple(no_ngrams(vocabulary) for _ in range(order)), vocabulary)
    with TemporaryDirectory(dir=room.workdir) as scratch:
        runs = [Path(scratch) / f"run{number}" for number in range(len(pieces))]
        calls = []
        for target, piece in zip(runs, pieces, strict=True):
            shard = target.with_suffix(".shard")
            posts.write(shard, *piece)
            what = {"shard": str(shard), "run": str(target), "order": order, "vocabulary": vocabulary, "both": both}
            calls.append(Call(f"{__name__}:{count_shard.__name__}", what, ("shard",), ("run",)))
        room.runner.run(calls, lambda done, total: room.told(done, total + 1))
        for counted in runs:
            rmtree(counted.with_suffix(".shard"))
        left = [_RunLevels(run, order) for run in _fewer(runs, order, vocabulary, room)]
        merged: list[Level] = []
        for level in merged_levels([NgramCounts(run, vocabulary) for run in left], _merged(room), columns):
            for run in left:
                run.drop(len(merged))
            merged.append(level)
        room.told(len(pieces) + 1, len(pieces) + 1)
        return NgramCounts(tuple(merged), vocabulary)


def _merged(room: Room, at_once: int = 1) -> int:
    """How many n-grams to merge at a time where `at_once` merge."""
    return max(room.memory // MERGED_BYTES // at_once, 1)


def _fewer(runs: list[Path], order: int, vocabulary: int, room: Room) -> list[Path]:
    """The same counts in at most `MERGED_RUNS` runs: more would be too many open files. What is merged is gone at once."""
    same = {"order": order, "vocabulary": vocabulary, "at_a_time": _merged(room, room.runner.count)}
    while len(runs) > MERGED_RUNS:
        groups = [runs[first : first + MERGED_RUNS] for first in range(0, len(runs), MERGED_RUNS)]
        found = [group[0].with_name(f"{group[0].name}+") for group in groups]
        work = [{"runs": [*map(str, group)], "run": str(run), **same} for group, run in zip(groups, found, strict=True)]
        calls = [Call(f"{__name__}:{merge_runs.__name__}", what, ("runs",), ("run",)) for what in work]
        for first in range(0, len(calls), room.runner.count):
            room.runner.run(calls[first : first + room.runner.count])
            for run in (run for group in groups[first : first + room.runner.count] for run in group):
                rmtree(run)
        runs = found
    return runs


def count_shard(shard: str, run: str, order: int, vocabulary: int, both: bool) -> None:
    """Count a shard; its run appears when it is whole. One that is there already is left as it is."""
    target = Path(run)
    if target.is_dir():
        return
    tokens, starts = (np.load(Path(shard) / f"{name}.npy") for name in ("tokens", "starts"))
    begins = np.zeros(len(tokens), dtype=bool)
    begins[starts] = True
    sizes = Path(shard) / "sizes.npy"
    group = np.repeat(np.arange(len(found := np.load(sizes))), found) if sizes.is_file() else None
    _write_run(target, _levels((tokens, begins, group), order, vocabulary, both=both))


def merge_runs(runs: Sequence[str], run: str, order: int, vocabulary: int, at_a_time: int) -> None:
    """Merge some runs into one, which appears when it is whole. One that is there already is left as it is."""
    target = Path(run)
    if target.is_dir():
        return
    with TemporaryDirectory(dir=target.parent) as scratch:
        parts = [NgramCounts(_RunLevels(Path(part), order), vocabulary) for part in runs]
        _write_run(target, merged_levels(parts, at_a_time, NumberColumns(Path(scratch))))


def _write_run(target: Path, levels: Iterator[Level]) -> None:
    """Write a run, as soon as each level is there."""
    scratch = Path(mkdtemp(dir=target.parent))
    try:
        for n, level in enumerate(levels, start=1):
            for name, array in vars(level).items():
                mapped = in_file(array)
                if mapped is None:
                    np.save(scratch / f"{n}.{name}.npy", array)
                else:
                    Path(str(mapped.filename)).rename(scratch / f"{n}.{name}.npy")
        scratch.rename(target)
    except OSError:
        if not target.is_dir():
            raise  # else the same call was quicker elsewhere
    finally:
        rmtree(scratch, ignore_errors=True)


class _RunLevels(Sequence[Level]):
    """The levels of a run, memory-mapped only while they are used: a process may have so many files open and no more."""

    def __init__(self, run: Path, order: int) -> None:
        """Nothing is opened yet."""
        self._run, self._order = run, order

    def __len__(self) -> int:
        """The order."""
        return self._order

    @overload
    def __getitem__(self, at: int) -> Level: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Level]: ...
    def __getitem__(self, at: int | slice) -> Level | Sequence[Level]:
        """One level, or some."""
        if isinstance(at, slice):
            return [self[n] for n in range(self._order)[at]]
        n = range(self._order)[at] + 1
        return Level(*(np.load(self._file(n, name), mmap_mode="r") for name in _OF_A_LEVEL))

    def drop(self, at: int) -> None:
        """This level is needed no more; nor are its files."""
        for name in _OF_A_LEVEL:
            self._file(at + 1, name).unlink()

    def _file(self, n: int, name: str) -> Path:
        return self._run / f"{n}.{name}.npy"


def _half(level: Level, shift: int, columns: NumberColumns, step: int) -> Level:
    """One of the two counts that each count of a level holds."""
    both, half = NumberColumn.over(level.count), columns.new(np.uint32, len(level))
    for first in range(0, len(level), step):
        values = both.read(first, min(first + step, len(level))).astype(np.uint64)
        half.write(first, (values >> np.uint64(shift)).astype(np.uint32))
    return Level(level.parent, level.token, half.done())


Taken = tuple[Ints, NDArray[np.bool_], NDArray[np.int64] | None]  # of some posts: see `_Posts.take`


class _Posts:
    """The posts to count, in G groups that are counted in one piece each: single posts, or all posts of a writer."""

    def __init__(self, arrays: TokenArrays, writers: NDArray[Any] | None) -> None:
        """`writers`: (P,) whose each post is."""
        self._tokens, self._offsets = NumberColumn.over(arrays.tokens), arrays.offsets
        self.tokens = int(arrays.offsets[-1] - arrays.offsets[0])
        self._order: NDArray[np.int64] | None = None  # (P,) the posts, those of one writer side by side
        self._groups: NDArray[np.int64] | None = None  # (G+1,) the place in that order where each group begins; None: 0, 1, ...
        self.offsets = arrays.offsets  # (G+1,) tokens before each group
        if writers is not None:
            if len(writers) != len(arrays.posts):
                raise ValueError(f"each of the {len(arrays.posts)} posts needs its writer; got {len(writers)} of them")
            _, first, which = np.unique(writers, return_index=True, return_inverse=True)
            first = first[which]  # for each post the first one of its writer
            self._order = np.argsort(first, kind="stable")
            self._groups = groups = np.append(np.unique(first[self._order], return_index=True)[1], len(first))
            self.offsets = np.concatenate([[0], np.cumsum(np.diff(arrays.offsets)[self._order])])[groups]

    def take(self, first: int, last: int) -> Taken:
        """Some groups: their tokens, (N,); whether a post begins there, (N,); whose they are, (N,), if that counts."""
        begin, end = (first, last) if self._groups is None else (int(self._groups[first]), int(self._groups[last]))
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

    def write(self, shard: Path, first: int, last: int) -> None:
        """Some groups as a shard."""
        tokens, begins, group = self.take(first, last)
        shard.mkdir()
        np.save(shard / "tokens.npy", tokens)
        np.save(shard / "starts.npy", np.flatnonzero(begins))
        if group is not None:
            np.save(shard / "sizes.npy", np.bincount(group))

    def _read_posts(self, posts: NDArray[np.int64]) -> Ints:
        """The tokens of some posts; those that lie side by side are read at once."""
        breaks = np.flatnonzero(np.diff(posts) != 1) + 1
        runs = zip(posts[np.append(0, breaks)].tolist(), (posts[np.append(breaks - 1, len(posts) - 1)] + 1).tolist(), strict=True)
        return np.concatenate([self._tokens.read(int(self._offsets[a]), int(self._offsets[b])) for a, b in runs])


def _levels(taken: Taken, order: int, vocabulary: int, *, both: bool) -> Iterator[Level]:
    """The n-grams of one piece; with `both` how often each occurs in the lower 32 bits of its count, how many wrote it above."""
    tokens, begins, group = taken
    ends = np.arange(len(tokens))  # where n-grams end; those that would run over the beginning of a post drop out
    node = np.zeros(len(tokens), dtype=np.uint32)  # the n-gram that ends at each place
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
        yield level_of(ordered[first], counts, vocabulary)
        ends = ends[~_begins_at(begins, ends, n)]


def _begins_at(begins: NDArray[np.bool_], ends: NDArray[np.int64], n: int) -> NDArray[np.bool_]:
    """Whether the n-gram that ends at each place begins a post, so that nothing stands before it."""
    return begins[ends - (n - 1)]

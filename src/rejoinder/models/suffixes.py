"""N-grams and their suffixes: each without its first token, found in the order below and read side by side, in bounded memory.

Sorted by their first token first, the n-grams of an order pass through the order below once for each first token: of those that
share it, the suffixes ascend. So whatever range of the order below is at hand, the n-grams whose suffixes lie in it stand in one
run for each first token, a *cell*, and are read, and written, cell by cell. Nothing is sorted.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from rejoinder.text.columns import NumberColumn, NumberColumns
from rejoinder.text.ngrams import Level, NgramCounts
from rejoinder.text.sums import run_starts

Span = tuple[int, int]  # from, up to
T = TypeVar("T")
R = TypeVar("R")
_ONCE_TO_FOUR_TIMES = 5  # counts that discounts are estimated from, and 0


@dataclass(frozen=True)
class Workshop:
    """What an index is made with."""

    vocabulary: int  # V
    begins: tuple[int, int]  # the separators, which never come next
    columns: NumberColumns
    step: int  # n-grams at a time, of each thread
    threads: int = 1

    def each(self, function: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """What `function` gives for each of the `items`, in their order, by as many threads as there are."""
        if self.threads == 1:
            return [function(item) for item in items]
        with ThreadPoolExecutor(self.threads) as pool:
            return list(pool.map(function, items))


@dataclass(frozen=True)
class Suffixes:
    """For each n-gram of an order, the place in the order below of the same without its first token."""

    place: NumberColumn  # (M,) uint32
    ranges: Sequence[Span]  # K of the order below, one after the other
    starts: NDArray[np.int64]  # (K, W) where the cell of each range and first token begins, W first tokens
    ends: NDArray[np.int64]  # (K, W)

    def pieces(self, k: int, step: int) -> Iterator[list[Span]]:
        """The cells of the k-th range in batches of at most `step` n-grams; cells that touch are one."""
        there = self.starts[k] < self.ends[k]
        starts, ends = self.starts[k][there], self.ends[k][there]
        opens, closes = np.ones(len(starts), bool), np.ones(len(ends), bool)
        opens[1:] = closes[:-1] = starts[1:] != ends[:-1]
        batch: list[Span] = []
        room = step
        for first, last in zip(starts[opens].tolist(), ends[closes].tolist(), strict=True):
            while first < last:
                some = min(last - first, room)
                batch.append((first, first + some))
                first, room = first + some, room - some
                if not room:
                    yield batch
                    batch, room = [], step
        if batch:
            yield batch


@dataclass(frozen=True)
class Adjusted:
    """What the formulas ask of an order of n-grams."""

    counts: NumberColumn  # (M,) a(g)
    tally: NDArray[np.int64]  # how many g have a(g) = 0, 1, 2, 3, 4
    firsts: NDArray[np.int64]  # (W+1,) where the n-grams of each first token begin
    suffixes: Suffixes | None  # None in order 1


def adjusted_counts(counts: NgramCounts, work: Workshop) -> list[Adjusted]:
    """For each order a(g) of every n-gram g: its count in the highest order and where it begins a post, else its ways."""
    first = counts.levels[0]
    tokens = len(first)
    firsts = np.append(np.arange(max(tokens, 1)), tokens)
    starting = np.flatnonzero(np.isin(first.token, work.begins)).tolist()
    places = NumberColumn.over(np.zeros(tokens, dtype=np.uint32))
    found: list[Adjusted] = []
    suffixes: Suffixes | None = None
    for n, level in enumerate(counts.levels, start=1):
        above = counts.levels[n] if n < counts.order else None
        later, firsts_above = (None, firsts) if above is None else _cells(level, above, places, firsts, work)
        posts = [(int(firsts[at]), int(firsts[at + 1])) for at in starting]
        made, tally = _adjust(level, above, later, posts, work)
        if n == 1:
            made, tally = _never_next(made, starting)
        found.append(Adjusted(made, tally, firsts, suffixes))
        suffixes, firsts = later, firsts_above
        places = later.place if later else places
    return found


def chunks(parent: NumberColumn, contexts: Span, grams: Span, step: int) -> Iterator[tuple[int, int, int, int]]:
    """Contexts from, up to, and the n-grams after them from, up to: at most `step` of either, but one context at least."""
    c, i = contexts[0], grams[0]
    while c < contexts[1]:
        after = min(c + step, contexts[1])
        if i + step < grams[1]:
            after = min(after, max(parent[i + step], c + 1))
        end = bisect_left(parent, after, i, grams[1]) if after < contexts[1] else grams[1]
        yield c, after, i, end
        c, i = after, end


def _cells(
    level: Level, above: Level, places: NumberColumn, firsts: NDArray[np.int64], work: Workshop
) -> tuple[Suffixes, NDArray[np.int64]]:
    """The cells of the n-grams of `above`, and where those of each first token begin.

    For now their places are the suffixes of their contexts, which are the contexts of their suffixes. `places` and `firsts` are
    those of the contexts.
    """
    contexts, parents = NumberColumn.over(level.parent), NumberColumn.over(above.parent)
    below = contexts[len(level) - 1] + 1 if len(level) else 1
    ranges = list(chunks(contexts, (0, below), (0, len(level)), work.step))
    begin = np.array([c for c, _, _, _ in ranges])
    tokens = len(firsts) - 1
    sizes = np.zeros(tokens * len(ranges), np.int64)
    context = work.columns.new(np.uint32, len(above))
    for c, c_end, i, i_end in chunks(parents, (0, len(level)), (0, len(above)), work.step):
        parent, suffix = parents.read(i, i_end) - c, places.read(c, c_end)
        context.write(i, suffix[parent])
        first = np.searchsorted(firsts, np.arange(c, c_end), side="right") - 1
        cell = (first * len(ranges) + np.searchsorted(begin, suffix, side="right") - 1)[parent]
        starts = run_starts(cell)
        sizes[cell[starts]] += np.diff(starts, append=len(cell))
    ends = np.cumsum(sizes)
    cells = [array.reshape(tokens, len(ranges)).T for array in (ends - sizes, ends)]
    spans = [(i, i_end) for _, _, i, i_end in ranges]
    return Suffixes(context, spans, *cells), np.append(0, ends[len(ranges) - 1 :: len(ranges)])


def _adjust(
    level: Level, above: Level | None, suffixes: Suffixes | None, posts: Sequence[Span], work: Workshop
) -> tuple[NumberColumn, NDArray[np.int64]]:
    """a(g) of a level, and their tally; `suffixes` of the level `above` become the places of these. `posts`: what begins one."""
    tally = np.zeros(_ONCE_TO_FOUR_TIMES, np.int64)
    count = NumberColumn.over(level.count)
    if above is None or suffixes is None:
        for first in range(0, len(level), work.step):
            tally += _tally(count.read(first, min(first + work.step, len(level))))
        return count, tally
    made = work.columns.new(np.uint32, len(level))
    parents, tokens, above_tokens = (NumberColumn.over(array) for array in (level.parent, level.token, above.token))

    def adjust(k: int) -> NDArray[np.int64]:
        first, last = suffixes.ranges[k]
        parent, token = parents.read(first, last).astype(np.int64), tokens.read(first, last)
        keys = parent * work.vocabulary + token
        ways = np.zeros(last - first, np.int64)
        for batch in suffixes.pieces(k, work.step):
            wanted = gather(suffixes.place, batch).astype(np.int64) * work.vocabulary + gather(above_tokens, batch)
            place = np.searchsorted(keys, wanted)
            ways += np.bincount(place, minlength=len(ways))
            scatter(suffixes.place, batch, place + first)
        for begin, end in posts:
            begin, end = max(begin, first), min(end, last)
            if begin < end:
                ways[begin - first : end - first] = count.read(begin, end)
        made.write(first, ways)
        return _tally(ways)

    return made, np.sum(work.each(adjust, range(len(suffixes.ranges))), axis=0)


def _never_next(made: NumberColumn, separators: Sequence[int]) -> tuple[NumberColumn, NDArray[np.int64]]:
    """a(g) of order 1, and their tally, without what never comes next."""
    ways = made.read(0, len(made)).astype(np.uint32)
    ways[list(separators)] = 0
    return NumberColumn.over(ways), _tally(ways)


def _tally(a: NDArray[Any]) -> NDArray[np.int64]:
    return np.bincount(np.minimum(a, _ONCE_TO_FOUR_TIMES), minlength=_ONCE_TO_FOUR_TIMES + 1)[:_ONCE_TO_FOUR_TIMES]


def gather(column: NumberColumn, pieces: Sequence[Span]) -> NDArray[Any]:
    """What stands in some pieces of a column, one after the other."""
    return column.read(*pieces[0]) if len(pieces) == 1 else np.concatenate([column.read(*piece) for piece in pieces])


def scatter(column: NumberColumn, pieces: Sequence[Span], values: NDArray[Any]) -> None:
    """Put values into some pieces of a column, one after the other."""
    begin = 0
    for first, last in pieces:
        column.write(first, values[begin : begin + last - first])
        begin += last - first

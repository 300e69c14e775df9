"""From counts to the forward index: modified Kneser-Ney, by the formulas that `rejoinder.models.kneser_ney` gives.

Everything is worked out in float64, from the shortest n-grams to the longest, so many n-grams at a time as there is room for, and
is a function of the counts alone: equal counts give equal arrays, to the bit, however many are worked on at a time.

The counts are sorted by their tokens, the index by context and probability. Both keep n-grams with the same first token together,
in the same order of first tokens. So the index is written one group of first tokens after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from rejoinder.models.smoothing import Followers, by_context, discounts
from rejoinder.models.suffixes import Adjusted, Span, Suffixes, Workshop, adjusted_counts, chunks, gather, scatter
from rejoinder.text.columns import NumberColumn
from rejoinder.text.counting import ROOM, Room
from rejoinder.text.ngrams import Level, NgramCounts
from rejoinder.text.sums import run_starts, spans

_BYTES_AN_NGRAM = 128  # what working one out takes: its counts, probabilities, and order
_LEFT_OUT = 2**32 - 1  # the place of an n-gram that is not in the index
Kept = Callable[[int, int, int], NDArray[np.bool_]]  # of order n, from one n-gram up to another: which to write down


@dataclass(frozen=True)
class _Done:
    """An order that stands in the index, for the next one."""

    probs: NumberColumn  # (M,) float64, of each n-gram, kept or not
    place: NumberColumn  # (M,) uint32, where each stands in the index; _LEFT_OUT
    firsts: NDArray[np.int64]  # (W+1,) where those of each first token begin in the index
    backoff: NumberColumn  # (kept,) float32 nats, by place; written with what follows


@dataclass(frozen=True)
class _Order:
    """What the n-grams of one order are worked out from."""

    n: int
    level: Level
    adjusted: Adjusted
    contexts: NDArray[np.int64]  # (W+1,) where the contexts of each first token begin
    lower: NumberColumn  # (M,) float64, the probability of each n-gram's suffix
    discount: NDArray[np.float64]  # (4,)
    last: bool  # nothing is worked out from it


def build_index(
    counts: NgramCounts,
    begins: tuple[int, int],
    kept: Kept | None = None,
    room: Room = ROOM,
) -> list[Followers]:
    """The index of `counts`, by the formulas above.

    Args:
        counts: what everything is worked out from, whether kept or not.
        begins: the separators, which never come next.
        kept: which n-grams to write down; with one those inside it are kept, too.
        room: what it may take; where that is not enough the index is made in its `workdir`, and stays there. It is told how many
            of the orders are done.
    """
    columns = room.columns(max(len(level) for level in counts.levels))
    threads = room.runner.threads
    work = Workshop(counts.vocabulary, begins, columns, max(room.memory // _BYTES_AN_NGRAM // threads, 1), threads)
    adjusted = adjusted_counts(counts, work)
    followers, done = _first_order(counts.levels[0], adjusted[0], work)
    index = [followers]
    room.told(1, counts.order)
    for n, level in enumerate(counts.levels[1:], start=2):
        here = adjusted[n - 1]
        lower = _lower(done.probs, here.suffixes, work)
        order = _Order(n, level, here, adjusted[n - 2].firsts, lower, discounts(here.tally, n), n == counts.order)
        followers, later = _next_order(order, done, kept, work)
        index[-1] = replace(index[-1], backoff=done.backoff.done())
        index.append(followers)
        for column in (lower, done.probs, done.place, here.counts):
            column.drop()
        done = later
        room.told(n, counts.order)
    index[-1] = replace(index[-1], backoff=np.zeros(0, np.float32))
    return index


def _first_order(level: Level, adjusted: Adjusted, work: Workshop) -> tuple[Followers, _Done]:
    """Order 1 by token id: tokens that never came have their share of what discounting freed, separators nothing."""
    size, possible = work.vocabulary, work.vocabulary - len(work.begins)
    a = adjusted.counts.read(0, len(level))
    discount = discounts(adjusted.tally, 1)[np.minimum(a, 3)]
    probs, backoff = _smoothed(a, discount, np.ones(len(a), bool), np.zeros(len(a), np.int64), 1, 1.0 / possible)
    everything = np.full(size, backoff[0] / possible)
    everything[level.token] = probs
    everything[list(work.begins)] = 0.0
    with np.errstate(divide="ignore"):
        log_prob = np.log(everything).astype(np.float32)
    token = np.arange(size).astype(level.token.dtype)
    firsts = np.concatenate([[0], level.token[1:], [size]]).astype(np.int64)
    done = _Done(
        NumberColumn.over(probs), NumberColumn.over(level.token.astype(np.uint32)), firsts, work.columns.new(np.float32, size)
    )
    return Followers(np.array([0, size], dtype=np.uint32), token, log_prob, np.zeros(0, np.float32)), done


def _smoothed(
    a: NDArray[np.uint32],
    discount: NDArray[np.float64],
    kept: NDArray[np.bool_],
    parent: NDArray[np.int64],
    contexts: int,
    lower: NDArray[np.float64] | float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(M,) the probability of each n-gram, (C,) g of each context."""
    total = np.bincount(parent, weights=a, minlength=contexts)
    freed = np.bincount(parent, weights=np.where(kept, np.minimum(discount, a), a), minlength=contexts)
    backoff: NDArray[np.float64] = np.ones(contexts)
    np.divide(freed, total, out=backoff, where=total > 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.maximum(a - discount, 0) / total[parent] + backoff[parent] * lower, backoff


def _lower(probs: NumberColumn, suffixes: Suffixes | None, work: Workshop) -> NumberColumn:
    """(M,) float64: for each n-gram the probability of its suffix; an order without suffixes has no n-grams."""
    if suffixes is None:
        return work.columns.new(np.float64, 0)
    found = work.columns.new(np.float64, len(suffixes.place))

    def put(k: int) -> None:
        first, last = suffixes.ranges[k]
        below = probs.read(first, last)
        for batch in suffixes.pieces(k, work.step):
            scatter(found, batch, below[gather(suffixes.place, batch) - np.uint32(first)])

    work.each(put, range(len(suffixes.ranges)))
    suffixes.place.drop()
    return found


def _next_order(order: _Order, before: _Done, kept: Kept | None, work: Workshop) -> tuple[Followers, _Done]:
    """One order of the index, the backoffs of the contexts written into the order `before`."""
    writing = _Writing(order, before, kept, work)
    groups = list(spans(order.contexts, work.step))
    sizes = work.each(writing.size, groups)
    begins = np.append(0, np.cumsum(sizes, dtype=np.int64)).tolist()
    work.each(writing.group, list(zip(groups, pairwise(begins), strict=True)))
    return writing.done(begins[-1])


class _Writing:
    """One order on its way into the index, in groups of first tokens: each lies together in the counts and in the index.

    First the `size` of every group is asked, then each `group` is written, in any order.
    """

    def __init__(self, order: _Order, before: _Done, kept: Kept | None, work: Workshop) -> None:
        """Nothing is written yet."""
        self._order, self._before, self._work = order, before, work
        self._kept: Kept = kept or (lambda n, first, last: np.ones(last - first, bool))
        self._parent, self._level_token = NumberColumn.over(order.level.parent), NumberColumn.over(order.level.token)
        most, new = len(order.level), work.columns.new
        self._first = new(np.uint32, len(before.backoff) + 1)
        self._token, self._log_prob = new(order.level.token.dtype, most), new(np.float32, most)
        later = 0 if order.last else most
        self._probs, self._place = new(np.float64, later), new(np.uint32, later)
        self._firsts = np.zeros(len(before.firsts), np.int64)

    def size(self, group: Span) -> int:
        """How many n-grams of a group are kept; for each of its contexts it is noted how many followed those before."""
        place, begin, end = self._contexts(group)
        start = int(self._order.contexts[group[0]])
        sizes = np.zeros(end - begin, np.int64)
        for c, c_end, i, i_end in self._spans(group):
            followers = np.bincount(self._parent.read(i, i_end)[self._kept(self._order.n, i, i_end)] - c, minlength=c_end - c)
            here = place[c - start : c_end - start]
            sizes[here[here >= 0]] = followers[here >= 0]
        self._first.write(begin, np.cumsum(sizes) - sizes)
        return int(sizes.sum())

    def group(self, item: tuple[Span, Span]) -> None:
        """Write a group, from one place in the index up to another."""
        group, target = item
        place, begin, end = self._contexts(group)
        start = int(self._order.contexts[group[0]])
        first = np.append(self._first.read(begin, end).astype(np.int64) + target[0], target[1])
        backoffs = np.zeros(end - begin, np.float32)
        for span in self._spans(group):
            self._chunk(span, place[span[0] - start : span[1] - start], first, backoffs)
        self._first.write(begin, first[:-1])
        self._before.backoff.write(begin, backoffs)
        self._firsts[group[0] : group[1]] = first[self._before.firsts[group[0] : group[1]] - begin]

    def _contexts(self, group: Span) -> tuple[NDArray[np.int64], int, int]:
        """Of a group: each context's place among those of the group in the index, -1 if left out; where these begin and end."""
        begin, end = (int(at) for at in self._before.firsts[list(group)])
        place = self._before.place.read(*(int(at) for at in self._order.contexts[list(group)])).astype(np.int64)
        return np.where(place == _LEFT_OUT, -1, place - begin), begin, end

    def _spans(self, group: Span) -> Iterator[tuple[int, int, int, int]]:
        """The contexts of a group in chunks, with what follows them."""
        contexts, grams = (
            (int(places[group[0]]), int(places[group[1]])) for places in (self._order.contexts, self._order.adjusted.firsts)
        )
        return chunks(self._parent, contexts, grams, self._work.step)

    def _chunk(
        self, span: tuple[int, int, int, int], place: NDArray[np.int64], first: NDArray[np.int64], backoffs: NDArray[np.float32]
    ) -> None:
        """Work out some contexts and what follows them; `place` says where the contexts stand in `first` and `backoffs`."""
        c, c_end, i, i_end = span
        order = self._order
        parent, a = self._parent.read(i, i_end).astype(np.int64) - c, order.adjusted.counts.read(i, i_end)
        kept = self._kept(order.n, i, i_end)
        discount = order.discount[np.minimum(a, 3)]
        probs, backoff = _smoothed(a, discount, kept, parent, c_end - c, order.lower.read(i, i_end))
        if not order.last:
            self._probs.write(i, probs)
        there = place >= 0
        backoffs[place[there]] = np.log(backoff[there]).astype(np.float32)
        where = np.flatnonzero(kept)
        log_prob = np.log(probs[where]).astype(np.float32)
        context = place[parent[where]]
        sorting = by_context(context, log_prob)
        context = context[sorting]
        starts = run_starts(context)
        rank = np.arange(len(context)) - np.repeat(starts, np.diff(starts, append=len(context)))
        target = first[context] + rank
        if not order.last:
            places = np.full(i_end - i, _LEFT_OUT, np.uint32)
            places[where[sorting]] = target
            self._place.write(i, places)
        self._scatter(target, self._level_token.read(i, i_end)[where[sorting]], log_prob[sorting])

    def _scatter(self, target: NDArray[np.int64], token: NDArray[np.unsignedinteger], log_prob: NDArray[np.float32]) -> None:
        """Write followers to their ascending places in the index."""
        starts = run_starts(target - np.arange(len(target)))
        spans = [
            (int(at), int(at) + length) for at, length in zip(target[starts], np.diff(starts, append=len(target)), strict=True)
        ]
        scatter(self._token, spans, token)
        scatter(self._log_prob, spans, log_prob)

    def done(self, written: int) -> tuple[Followers, _Done]:
        """The order of so many n-grams, without backoffs, and what the next one needs."""
        before = self._before
        self._first.write(len(before.backoff), np.array([written]))
        self._firsts[-1] = written
        found = Followers(self._first.done(), self._token.done(written), self._log_prob.done(written), np.zeros(0, np.float32))
        return found, _Done(self._probs, self._place, self._firsts, self._work.columns.new(np.float32, written))

"""Several counted indexes as one: interpolated with fixed weights, then pruned to a size.

    p(w | h) = sum over g of l_g(h) p_g(w | h)                 for every n-gram that one of them holds
    l_g(h) = b_g (c_g(h) + t) / sum over k of b_k (c_k(h) + t)      c_g(h) how often g met the context, by its size

What follows a context unseen is had by backing off, with the weight that makes the sum one. b is had on dev, by EM; t says how
far the weights follow the counts (count merging, Hsu 2007); at an infinite t they are those of plain interpolation.

Pruning takes away the n-grams without which the model changes least (Stolcke 1998): the relative entropy of the model without
an n-gram to the one with it, weighted by how often its context comes. What another n-gram begins or ends with stays beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rejoinder.models.smoothing import Followers, best_first
from rejoinder.text.ngrams import NgramCounts, keys
from rejoinder.text.sums import each_once

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_TINY = 1e-12


@dataclass(frozen=True)
class Grams:
    """The n-grams of one order as a trie, in the order of `keys`, each with what one model says of it."""

    parent: Ints  # (M,) the place of the context in the order below
    token: Ints  # (M,)
    log_prob: Floats  # (M,) nats
    backoff: Floats  # (M,) nats; 0 where nothing follows
    count: Floats  # (M,) how often it came, as a share of all tokens


def as_trie(index: Sequence[Followers], counts: NgramCounts) -> list[Grams]:
    """An index as a trie; `counts` hold at least its n-grams."""
    total = float(counts.levels[0].count.sum()) or 1.0
    size = len(index[0].token)
    place = np.zeros(1, dtype=np.int64)  # of each n-gram of the order below in the trie, by its place in the index
    counted = np.zeros(1, dtype=np.int64)  # and of each in the trie, by place, in the counts; NONE where it never came
    found: list[Grams] = []
    for level, times in zip(index, counts.levels, strict=True):
        parent, token = place[level.contexts()], level.token.astype(np.int64)
        order = np.argsort(parent * size + token, kind="stable")
        backoff = level.backoff if len(level.backoff) else np.zeros(len(token))
        parent, token = parent[order], token[order]
        wanted = np.where(counted[parent] < 0, -1, counted[parent] * size + token)
        there = keys(times, size)
        at = np.minimum(np.searchsorted(there, wanted), max(len(there) - 1, 0))
        at = np.where(there[at] == wanted, at, -1) if len(there) else np.full(len(wanted), -1)
        count = np.where(at >= 0, times.count[np.maximum(at, 0)], 0) / total
        found.append(Grams(parent, token, level.log_prob[order].astype(np.float64), backoff[order].astype(np.float64), count))
        place = np.empty(len(order), dtype=np.int64)
        place[order] = np.arange(len(order))
        counted = at
    return found


@dataclass(frozen=True)
class Union:
    """The n-grams of several tries as one, and where those of each are in it."""

    parent: list[Ints]  # for each order (M,)
    token: list[Ints]
    suffix: list[Ints]  # (M,) the place without its first token in the order below
    places: list[list[Ints]]  # of each trie, for each order (its M,)

    @classmethod
    def of(cls, tries: Sequence[Sequence[Grams]]) -> Union:
        """Those of `tries`, all over one vocabulary, each with whatever its n-grams begin and end with."""
        size = len(tries[0][0].token)
        places: list[list[Ints]] = [[] for _ in tries]
        below = [np.zeros(1, dtype=np.int64)] * len(tries)
        parents: list[Ints] = []
        tokens: list[Ints] = []
        suffixes: list[Ints] = []
        known = np.zeros(1, dtype=np.int64)
        for n in range(len(tries[0])):
            here = [place[trie[n].parent] * size + trie[n].token for place, trie in zip(below, tries, strict=True)]
            union = each_once(np.concatenate(here))
            below = [np.asarray(np.searchsorted(union, key)) for key in here]
            for mine, place in zip(places, below, strict=True):
                mine.append(place)
            parent, token = union // size, union % size
            suffix = np.zeros(len(union), dtype=np.int64)
            if n:
                suffix = np.asarray(np.searchsorted(known, suffixes[-1][parent] * size + token))
            parents.append(parent)
            tokens.append(token)
            suffixes.append(suffix)
            known = union
        return cls(parents, tokens, suffixes, places)


def interpolate(tries: Sequence[Sequence[Grams]], weights: Sequence[float], follow: float) -> list[Grams]:
    """The interpolation of `tries`.

    Args:
        tries: of the models.
        weights: (G,) b, their sum is one.
        follow: t, as a share of all tokens.
    """
    union = Union.of(tries)
    order = len(union.parent)
    said = [[np.empty(0)] * order for _ in tries]
    for g, trie in enumerate(tries):
        _say(trie, union, g, said[g])
    found: list[Grams] = []
    share = np.log(np.array(weights, dtype=np.float64)[:, None])  # (G, contexts): the weights after each context
    for n in range(order):
        mixed = np.full(len(union.token[n]), -np.inf)
        for g in range(len(tries)):
            mixed = np.logaddexp(mixed, share[g][union.parent[n]] + said[g][n])
        counts = np.zeros((len(tries), len(mixed)))
        for g, trie in enumerate(tries):
            counts[g, union.places[g][n]] = trie[n].count
        total = np.array(weights) @ counts
        found.append(Grams(union.parent[n], union.token[n], mixed, np.zeros(len(mixed)), total))
        leaning = np.array(weights)[:, None] * (counts + follow)
        share = np.log(leaning / leaning.sum(axis=0))
    return with_backoffs(found, union.suffix)


def _say(trie: Sequence[Grams], union: Union, g: int, said: list[Floats]) -> None:
    """What one model says of every n-gram of the union, (M,) nats for each order, into `said`."""
    freed = np.zeros(1)
    for n, level in enumerate(trie):
        place = union.places[g][n]
        values = np.empty(len(union.token[n])) if n == 0 else freed[union.parent[n]] + said[n - 1][union.suffix[n]]
        values[place] = level.log_prob
        said[n] = values
        freed = np.zeros(len(values))
        freed[place] = level.backoff


def with_backoffs(levels: Sequence[Grams], suffixes: Sequence[Ints]) -> list[Grams]:
    """The same n-grams with the backoffs that make what follows each context sum to one."""
    found = list(levels)
    for n in range(1, len(levels)):
        _, left, below = _left(levels, suffixes, n)
        follows = np.bincount(levels[n].parent, minlength=len(left)) > 0
        backoff = np.where(follows, np.log(np.maximum(left, _TINY)) - np.log(np.maximum(below, _TINY)), 0.0)
        found[n - 1] = Grams(levels[n - 1].parent, levels[n - 1].token, levels[n - 1].log_prob, backoff, levels[n - 1].count)
    return found


def _left(levels: Sequence[Grams], suffixes: Sequence[Ints], n: int) -> tuple[Floats, Floats, Floats]:
    """What the order below says of each n-gram, (M,) nats; what is left for others after each context, and below it (C,)."""
    level, contexts = levels[n], len(levels[n - 1].token)
    shorter = levels[n - 1].log_prob[suffixes[n]]
    left = 1.0 - np.bincount(level.parent, np.exp(level.log_prob), contexts).astype(np.float64)
    below = 1.0 - np.bincount(level.parent, np.exp(shorter), contexts).astype(np.float64)
    return shorter, left, below


def suffixes_of(levels: Sequence[Grams]) -> list[Ints]:
    """For each order (M,) the place of each n-gram without its first token in the order below."""
    size = len(levels[0].token)
    found = [np.zeros(len(levels[0].token), dtype=np.int64)]
    for n in range(1, len(levels)):
        known = levels[n - 1].parent * size + levels[n - 1].token
        found.append(np.searchsorted(known, found[-1][levels[n].parent] * size + levels[n].token))
    return found


def prune(levels: Sequence[Grams], most: Sequence[float], budget: float) -> list[Grams]:
    """The n-grams that matter most, for at most `budget` bytes.

    Args:
        levels: all of them.
        most: what an n-gram of each order takes, bytes.
        budget: bytes.
    """
    suffixes = suffixes_of(levels)
    losses = [np.full(len(levels[0].token), np.inf)]
    losses += [_loss(levels, suffixes, n) for n in range(1, len(levels))]
    for n in range(len(levels) - 1, 1, -1):  # what another begins or ends with is worth what that is
        for place in (levels[n].parent, suffixes[n]):
            np.maximum.at(losses[n - 1], place, losses[n])
    every, sizes = np.concatenate(losses), [len(loss) for loss in losses]
    order = np.argsort(-every, kind="stable")
    fits = np.cumsum(np.repeat(np.asarray(most, dtype=np.float64), sizes)[order]) <= budget
    kept = np.zeros(len(every), dtype=bool)
    kept[order[: np.count_nonzero(fits)]] = True  # of equals the shorter first, so that what a kept one begins with is there
    kept[: sizes[0]] = True
    return _kept(levels, np.split(kept, np.cumsum(sizes)[:-1]))


def _loss(levels: Sequence[Grams], suffixes: Sequence[Ints], n: int) -> Floats:
    """(M,) the relative entropy that the model without each n-gram of an order has to the one with it, nats a token."""
    level = levels[n]
    shorter, left, below = _left(levels, suffixes, n)
    p, q = np.exp(level.log_prob), np.exp(shorter)
    left, below = np.maximum(left, _TINY)[level.parent], np.maximum(below, _TINY)[level.parent]
    after = np.log(left + p) - np.log(below + q)  # the backoff without it
    change = p * (shorter + after - level.log_prob) + left * (after - np.log(left) + np.log(below))
    return np.asarray(np.maximum(-levels[n - 1].count[level.parent] * change, 0.0))


def _kept(levels: Sequence[Grams], kept: Sequence[NDArray[np.bool_]]) -> list[Grams]:
    found: list[Grams] = []
    place = np.zeros(1, dtype=np.int64)
    for level, keep in zip(levels, kept, strict=True):
        found.append(Grams(place[level.parent[keep]], *(array[keep] for array in list(vars(level).values())[1:])))
        place = np.cumsum(keep) - 1
    return with_backoffs(found, suffixes_of(found))


def as_index(levels: Sequence[Grams]) -> list[Followers]:
    """A trie as the index that `KneserNey` asks."""
    found: list[Followers] = []
    place = np.zeros(1, dtype=np.int64)
    contexts = 1
    for n, level in enumerate(levels, start=1):
        log_prob, token = level.log_prob.astype(np.float32), level.token.astype(_kind(levels))
        if n == 1:
            first, order = np.array([0, len(token)], dtype=np.uint32), np.arange(len(token))
        else:
            first, order = best_first(place[level.parent], log_prob, contexts)
        backoff = level.backoff[order].astype(np.float32) if n < len(levels) else np.empty(0, np.float32)
        found.append(Followers(first, token[order], log_prob[order], backoff))
        place = np.empty(len(order), dtype=np.int64)
        place[order] = np.arange(len(order))
        contexts = len(order)
    return found


def _kind(levels: Sequence[Grams]) -> Any:
    return np.uint16 if len(levels[0].token) <= 2**16 else np.uint32

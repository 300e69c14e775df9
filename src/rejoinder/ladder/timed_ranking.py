"""Rankers against the clock: as many pairs as there is time for, in one order for all; and the time replies take."""

from __future__ import annotations

from collections.abc import Mapping
from time import monotonic, perf_counter
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from rejoinder.engine.replier import Replier
from rejoinder.ladder.ranking import NEGATIVES, Lists, Pool, draw_lists, find_ranks
from rejoinder.models.interfaces import Progress, ReplyRanker, ReplySource, silent

KINDS = {"comment": True, "story": False}
_ROUND = 1  # pairs between two looks at the clock: a model behind a server may take a minute for one
_ASKED = 100  # posts that whole replies are timed on


def rank_pairs(
    model: ReplyRanker,
    pool: Pool,
    kind: str,
    asked: Mapping[str, Any],
    until: float,
    progress: Progress = silent,
) -> NDArray[np.int64]:
    """Rank the true replies to posts of one kind.

    Args:
        model: the ranker.
        pool: all held-out pairs.
        kind: "comment" or "story": what is answered.
        asked: `draws`, how many lists of others for each pair; `harder`, whether also with others of the same thread; `pairs` at
            most; `seed`, equal for every model, so that pairs and lists are.
        until: the `monotonic` second at which to stop.
        progress: told how many are done.

    Returns:
        (N, D, 1 or 2) int64: the rank of the true reply of each of N pairs, in each of D draws, among replies from other threads,
        then (if `harder`) from the same one.
    """
    seeds = np.random.default_rng(asked["seed"]).spawn(3)
    variants = {"others": False, **({"same thread": True} if asked["harder"] else {})}
    drawn = {
        name: draw_lists(pool, comment=KINDS[kind], harder=harder, draws=asked["draws"], rng=seeds[harder])
        for name, harder in variants.items()
    }
    order = seeds[2].permutation(len(drawn["others"].places))[: asked["pairs"]]
    found: list[NDArray[np.int64]] = []
    for first in range(0, len(order), _ROUND):
        if found and monotonic() > until:
            break
        rows = order[first : first + _ROUND]
        some = {n: Lists(every.places[rows], every.candidates[:, rows], every.same_thread) for n, every in drawn.items()}
        ranks = find_ranks(model, pool, some)
        found.append(np.stack([ranks[name] for name in variants], axis=2).transpose(1, 0, 2))
        progress(f"ranking replies to {kind}s", first + len(rows), len(order))
    return np.concatenate(found) if found else np.empty((0, asked["draws"], len(variants)), np.int64)


def pair_threads(pool: Pool, kind: str, seed: int) -> NDArray[np.int64]:
    """(N,) int64: the thread of each pair of that kind, in the order of `rank_pairs` with that seed."""
    places = np.flatnonzero(pool.comment == KINDS[kind])
    return pool.threads[places[np.random.default_rng(seed).spawn(3)[2].permutation(len(places))]]


def enough(pool: Pool, kind: str) -> int:
    """How many pairs of a kind there are; 0 if other threads have too few for any list."""
    threads = pool.threads[pool.comment == KINDS[kind]]
    largest = int(np.unique(threads, return_counts=True)[1].max(initial=0))
    return len(threads) if len(threads) - largest >= NEGATIVES else 0


def latency(
    sources: Mapping[str, Any], model: ReplyRanker | None, pool: Pool, rng: np.random.Generator, until: float = float("inf")
) -> list[float]:
    """Milliseconds that each of some whole replies took: proposed by `sources`, ordered by `model` if there is one."""
    replier = Replier({name: cast(ReplySource, one) for name, one in sources.items()}, model)
    chosen = rng.permutation(len(pool.pairs))[:_ASKED]
    times: list[float] = []
    for place in [*chosen[:1], *chosen]:  # the first opens files, and does not count
        if len(times) > 1 and monotonic() > until:
            break
        began = perf_counter()
        replier.reply(pool.pairs[place].context)
        times.append((perf_counter() - began) * 1000)
    return times[1:]

"""Parent links to threads: pure functions of id arrays, whose cost grows with the posts and the logarithm of a thread's depth.

All posts are held at once, some 50 bytes each beside their links: an id is looked up once, and what follows goes by its place.

Posts that are linked, by `parent` or by `story`, in whatever direction and over however many steps, make one thread: also
where the post that links them is not in the archive. A thread's *key* is the id it is known by:

1. the smallest id that a `story` field names, or that is an opening post itself; else
2. the smallest id at the top of a chain of parents, in the archive or not; else (all links run in circles)
3. the smallest id.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]
NONE = -1  # no such link
_RANKS = 3  # what an id may be: one that opens a thread, one at the top of a chain, another
_AT_ONCE = 2**20  # links


class Links(NamedTuple):
    """What posts say of their place, one entry a post."""

    id: Ids  # (N,) int64, unique
    parent: Ids  # (N,) int64, NONE for none
    story: Ids  # (N,) int64, NONE for none
    opens: NDArray[np.bool_]  # (N,) whether the post is of a kind that opens a thread


class Threads(NamedTuple):
    """The threads found, one entry a post."""

    key: Ids  # (N,) int64, the thread's key
    circular: NDArray[np.bool_]  # (N,) whether the post lies on a circle of parents


def find_threads(links: Links) -> Threads:
    """The thread of every post. `links` must hold every post of each thread it touches."""
    nodes = _nodes(links)
    kind = np.dtype(np.int32 if _RANKS * len(nodes) < 2**31 - 1 else np.int64)
    post = _places(nodes, links.id, kind)
    parent, story = (np.where(link == NONE, post, _places(nodes, link, kind)) for link in (links.parent, links.story))
    component = _components(len(nodes), post, (parent, story))
    above = np.arange(len(nodes), dtype=kind)
    rank = np.full(len(nodes), 1, dtype=kind)
    above[post] = parent
    rank[above != np.arange(len(nodes), dtype=kind)] = 2
    rank[story[links.story != NONE]] = 0
    rank[post[links.opens & (links.parent == NONE)]] = 0
    rank *= len(nodes)
    rank += np.arange(len(nodes), dtype=kind)  # by rank, then by id
    best = np.full(len(nodes), _RANKS * len(nodes), dtype=kind)  # beyond all of them
    for some in _pieces(len(nodes)):
        np.minimum.at(best, component[some], rank[some])
    key = nodes[best[component[post]] % len(nodes)]
    return Threads(key, _on_circle(above)[post] | (links.parent == links.id))


def _pieces(number: int) -> Iterator[slice]:
    """So many places, some at a time: what is worked out of them is short-lived, and may be large."""
    return (slice(first, first + _AT_ONCE) for first in range(0, number, _AT_ONCE))


def _nodes(links: Links) -> Ids:
    """(M,) every id spoken of, in the archive or not, in order: those of the posts, and what they name besides."""
    ids = np.sort(links.id)
    named = []
    for link in (links.parent, links.story):
        for some in _pieces(len(link)):
            wanted = link[some][link[some] != NONE]
            there = np.minimum(np.searchsorted(ids, wanted), len(ids) - 1)
            named.append(wanted[ids[there] != wanted])
    missing = _distinct(np.concatenate(named)) if named else ids[:0]
    return np.sort(np.concatenate([ids, missing])) if len(missing) else ids


def _places(nodes: Ids, ids: Ids, kind: np.dtype[Any]) -> Ids:
    """(N,) the node of each id; of NONE any."""
    found = np.empty(len(ids), dtype=kind)
    for some in _pieces(len(ids)):
        found[some] = np.searchsorted(nodes, ids[some])
    return found


def _components(nodes: int, post: Ids, linked: Sequence[Ids]) -> Ids:
    """(M,) the smallest node reachable from each node over the edges from posts to what they are linked with.

    By hooking and pointer jumping.
    """
    label = np.arange(nodes, dtype=post.dtype)
    while True:
        hooked = label.copy()
        for other in linked:
            for some in _pieces(len(post)):
                one, two = label[post[some]], label[other[some]]
                lower = np.minimum(one, two)
                np.minimum.at(hooked, one, lower)
                np.minimum.at(hooked, two, lower)
        while not np.array_equal(jumped := hooked[hooked], hooked):
            hooked = jumped
        if np.array_equal(hooked, label):
            return label
        label = hooked


def _on_circle(above: Ids) -> NDArray[np.bool_]:
    """(M,) which nodes a walk along `above` comes back to, other than those it rests on."""
    far = above
    for _ in range(max(len(above).bit_length(), 1)):  # after M steps every walk rests or is on its circle
        far = far[far]
    circle = np.zeros(len(above), dtype=bool)
    circle[far] = True
    circle[above == np.arange(len(above), dtype=above.dtype)] = False
    return circle


def _distinct(ids: Ids) -> Ids:
    """The ids in order, each once. As `np.unique`, which would load another tenth of NumPy."""
    ids = np.sort(ids)
    return ids[np.concatenate([[True], ids[1:] != ids[:-1]])] if len(ids) else ids

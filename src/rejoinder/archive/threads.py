"""Parent links to threads: pure functions of id arrays, whose cost grows with the posts and the logarithm of a thread's depth.

All posts are worked on at once, some 60 bytes each beside their links: an id is looked up once, and what follows goes by its
place. The arrays may lie in files (`new`): only pieces of them are held beside, and ids that are named and are not there.

Posts that are linked, by `parent` or by `story`, in whatever direction and over however many steps, make one thread: also
where the post that links them is not in the archive. A thread's *key* is the id it is known by:

1. the smallest id that a `story` field names, or that is an opening post itself; else
2. the smallest id at the top of a chain of parents, in the archive or not; else (all links run in circles)
3. the smallest id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]
NewArray = Callable[[int, np.dtype[Any]], NDArray[Any]]  # of so many numbers of a kind, with anything in it
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


def find_threads(links: Links, new: NewArray = np.empty) -> Threads:
    """The thread of every post. `links` must hold every post of each thread it touches; `new` makes what is worked with."""
    ids, nodes = links.id, _nodes(links, new)
    size, kind = len(nodes), np.dtype(np.int32 if _RANKS * len(nodes) < 2**31 - 1 else np.int64)
    post, parent, story = (new(len(ids), kind) for _ in range(3))
    for some in _pieces(len(ids)):
        post[some] = np.searchsorted(nodes, ids[some])
        for place, link in ((parent, links.parent[some]), (story, links.story[some])):
            place[some] = np.where(link == NONE, post[some], np.searchsorted(nodes, link))
    component = _components(size, post, (parent, story), new)
    above, rank, best = (new(size, kind) for _ in range(3))
    for some in _pieces(size):
        above[some] = np.arange(some.start, some.stop, dtype=kind)
    for some in _pieces(len(ids)):
        above[post[some]] = parent[some]
    for some in _pieces(size):
        rank[some] = 1 + (above[some] != np.arange(some.start, some.stop))
        best[some] = _RANKS * size  # beyond all of them
    for some in _pieces(len(ids)):
        rank[story[some][links.story[some] != NONE]] = 0
        rank[post[some][links.opens[some] & (links.parent[some] == NONE)]] = 0
    for some in _pieces(size):
        rank[some] = rank[some] * size + np.arange(some.start, some.stop, dtype=kind)  # by rank, then by id
        np.minimum.at(best, component[some], rank[some])
    circle = _on_circle(above, new)
    key, circular = new(len(ids), np.dtype(np.int64)), new(len(ids), np.dtype(bool))
    for some in _pieces(len(ids)):
        key[some] = nodes[best[component[post[some]]] % size]
        circular[some] = circle[post[some]] | (links.parent[some] == ids[some])
    return Threads(key, circular)


def _pieces(number: int) -> Iterator[slice]:
    """So many places, some at a time: what is worked out of them is short-lived, and may be large."""
    return (slice(first, min(first + _AT_ONCE, number)) for first in range(0, number, _AT_ONCE))


def _nodes(links: Links, new: NewArray) -> Ids:
    """(M,) every id spoken of, in the archive or not, in order: those of the posts, and what they name besides."""
    ids = new(len(links.id), np.dtype(np.int64))
    ids[:] = links.id
    ids.sort()
    named = [ids[:0]]
    for link in (links.parent, links.story):
        for some in _pieces(len(link)):
            wanted = link[some][link[some] != NONE]
            there = np.minimum(np.searchsorted(ids, wanted), len(ids) - 1)
            named.append(_distinct(wanted[ids[there] != wanted]))
    missing = _distinct(np.concatenate(named))
    if not len(missing):
        return ids
    nodes = new(len(ids) + len(missing), ids.dtype)
    nodes[: len(ids)], nodes[len(ids) :] = ids, missing
    nodes.sort()
    return nodes


def _components(nodes: int, post: Ids, linked: Sequence[Ids], new: NewArray) -> Ids:
    """(M,) the smallest node reachable from each node over the edges from posts to what they are linked with.

    By hooking and pointer jumping.
    """
    label, hooked = new(nodes, post.dtype), new(nodes, post.dtype)
    for some in _pieces(nodes):
        label[some] = np.arange(some.start, some.stop)
    while True:
        hooked[:] = label
        for other in linked:
            for some in _pieces(len(post)):
                one, two = label[post[some]], label[other[some]]
                lower = np.minimum(one, two)
                np.minimum.at(hooked, one, lower)
                np.minimum.at(hooked, two, lower)
        while _jump(hooked):
            pass
        if all(np.array_equal(hooked[some], label[some]) for some in _pieces(nodes)):
            return label
        label, hooked = hooked, label


def _jump(label: Ids) -> bool:
    """Have each point to what that pointed to, which may have jumped itself; whether any moved."""
    moved = False
    for some in _pieces(len(label)):
        further = label[label[some]]
        moved = moved or not np.array_equal(further, label[some])
        label[some] = further
    return moved


def _on_circle(above: Ids, new: NewArray) -> NDArray[np.bool_]:
    """(M,) which nodes a walk along `above` comes back to, other than those it rests on."""
    far, farther = above, new(len(above), above.dtype)
    spare = new(len(above), above.dtype)
    for _ in range(max(len(above).bit_length(), 1)):  # after M steps every walk rests or is on its circle
        for some in _pieces(len(above)):
            farther[some] = far[far[some]]
        if all(np.array_equal(far[some], farther[some]) for some in _pieces(len(above))):
            break  # all rest
        far, farther = farther, spare if far is above else far
    circle = new(len(above), np.dtype(bool))
    circle[:] = False
    for some in _pieces(len(above)):
        circle[far[some]] = True
    for some in _pieces(len(above)):
        circle[some] &= above[some] != np.arange(some.start, some.stop)
    return circle


def _distinct(ids: Ids) -> Ids:
    """The ids in order, each once. As `np.unique`, which would load another tenth of NumPy."""
    ids = np.sort(ids)
    return ids[np.concatenate([[True], ids[1:] != ids[:-1]])] if len(ids) else ids

"""Parent links to threads: pure functions of id arrays, whose cost grows with the posts and the logarithm of a thread's depth.

Posts that are linked, by `parent` or by `story`, in whatever direction and over however many steps, make one thread: also
where the post that links them is not in the archive. A thread's *key* is the id it is known by:

1. the smallest id that a `story` field names, or that is an opening post itself; else
2. the smallest id at the top of a chain of parents, in the archive or not; else (all links run in circles)
3. the smallest id.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]
NONE = -1  # no such link


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
    known = [links.id, links.parent[links.parent != NONE], links.story[links.story != NONE]]
    nodes = _distinct(np.concatenate(known))  # (M,) every id spoken of, in the archive or not
    post = np.searchsorted(nodes, links.id)
    parent = _place(nodes, links.parent, post)
    story = _place(nodes, links.story, post)

    component = _components(len(nodes), np.concatenate([post, post]), np.concatenate([parent, story]))
    above = np.arange(len(nodes))
    above[post] = parent
    rank = np.where(above == np.arange(len(nodes)), 1, 2)
    rank[story[links.story != NONE]] = 0
    rank[post[links.opens & (links.parent == NONE)]] = 0

    best = np.full(len(nodes), np.iinfo(np.int64).max)
    order = rank * len(nodes) + np.arange(len(nodes))  # by rank, then by id
    np.minimum.at(best, component, order)
    key = nodes[best[component] % len(nodes)]
    return Threads(key[post], _on_circle(above)[post] | (links.parent == links.id))


def _place(nodes: Ids, link: Ids, post: Ids) -> Ids:
    """The node of each link; the post's own node where it has none."""
    return np.where(link == NONE, post, np.searchsorted(nodes, np.where(link == NONE, nodes[post], link)))


def _components(nodes: int, a: Ids, b: Ids) -> Ids:
    """(M,) the smallest node reachable from each node over the edges a-b, by hooking and pointer jumping."""
    label = np.arange(nodes)
    while True:
        lower = np.minimum(label[a], label[b])
        hooked = label.copy()
        np.minimum.at(hooked, label[a], lower)
        np.minimum.at(hooked, label[b], lower)
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
    ends = _distinct(far)
    circle[ends[above[ends] != ends]] = True
    return circle


def _distinct(ids: Ids) -> Ids:
    """The ids in order, each once. As `np.unique`, which would load another tenth of NumPy."""
    ids = np.sort(ids)
    return ids[np.concatenate([[True], ids[1:] != ids[:-1]])] if len(ids) else ids

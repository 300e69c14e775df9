"""Pairs of what was said and what was answered, as rankers are fitted and measured on them.

The protocol of PolyAI's conversational-datasets (Henderson et al. 2019): the reply that was given must be told from 99 others.
Quoted lines are stripped from both sides, since a reply that quotes its context gives itself away; replies that are mostly links
are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import repeat
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from rejoinder.post import Kind, Pair, Post, unquoted
from rejoinder.text.words import ADDRESS, words

T = TypeVar("T")
_FEWEST_WORDS_A_LINK = 8  # beside each link of a reply


def clean_pairs(pairs: Iterable[Pair]) -> Iterator[Pair]:
    """The pairs fit to rank, without quotes."""
    for context, reply in pairs:
        answer = _own(reply)
        said = words(answer.text)
        links = len(ADDRESS.findall(answer.text))
        own = tuple(_own(post) for post in context)
        if said and len(said) >= _FEWEST_WORDS_A_LINK * links and words(own[-1].body):
            yield Pair(own, answer)


def answers_comment(context: Sequence[Post]) -> bool:
    """Whether a comment is answered (else it is an opening post)."""
    return context[-1].kind == Kind.COMMENT


def draw_negatives(threads: NDArray[np.int64], n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """(N, n) int64: for each of N replies the places of `n` different ones from other threads, at random.

    Args:
        threads: (N,) the thread of each reply.
        n: how many.
        rng: draws them.

    Raises:
        ValueError: other threads have fewer than `n` replies.
    """
    kinds, sizes = np.unique(threads, return_counts=True)
    if len(threads) - int(sizes.max(initial=0)) < n:
        raise ValueError(f"{n} replies from other threads were wanted; there are {len(threads) - int(sizes.max(initial=0))}")
    order = np.argsort(threads, kind="stable")  # those of a thread together, so that others are all but one stretch
    begins = np.concatenate([[0], np.cumsum(sizes)])
    own = np.searchsorted(kinds, threads)
    drawn = np.empty((len(threads), n), np.int64)
    for row, kind in enumerate(own):
        drawn[row] = rng.choice(len(threads) - sizes[kind], n, replace=False, shuffle=False)
        drawn[row] += np.where(drawn[row] >= begins[kind], sizes[kind], 0)
    return order[drawn]


def drawn(those: Callable[[], Iterable[T]], most: int, rng: np.random.Generator) -> list[T]:
    """At most `most` of them, drawn at random, in their order; they are gone through twice, and no more than these are held."""
    places = np.sort(rng.permutation(sum(1 for _ in those()))[:most])
    return [one for one, keep in zip(those(), _among(places), strict=False) if keep]


def _among(places: NDArray[np.int64]) -> Iterator[bool]:
    """Whether 0, 1, 2 ... are among these ascending places, up to the last of them."""
    begin = 0
    for place in places.tolist():
        yield from repeat(False, place - begin)
        yield True
        begin = place + 1


def _own(post: Post) -> Post:
    """The post without the lines that quote somebody else."""
    return post._replace(text=unquoted(post.text))

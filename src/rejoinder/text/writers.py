"""Whose each post is, so that what one person says twice counts once.

A phrase that two posts hold is still one person's where both are by one author, or where one is the other sent again. So posts
are counted by their writer:

    equal words    the writer of the first post that says them (as `rejoinder.text.words` reads them)
    else           its author; where none is known, the post itself

It does not see that two posts say nearly the same, nor that one person writes under two names.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from rejoinder.hashing import hash64
from rejoinder.post import Post
from rejoinder.text.words import words


class Writers:
    """Told one post after the other, it says whose each is."""

    def __init__(self) -> None:
        """Nothing has been said yet."""
        self._first: dict[int, int] = {}  # hash of the words -> who said them first

    def __call__(self, post: Post, said: list[str]) -> int:
        """The writer of a post whose own words are `said`: 64 bits."""
        own = writer_of(post)
        return self._first.setdefault(hash64(" ".join(said).encode("utf-8", "replace")), own) if said else own


def writers_of(posts: Iterable[Post]) -> NDArray[np.uint64]:
    """(P,) uint64: the writer of each post that has words of its own, as token arrays hold them (a mere link is such words)."""
    texts, own = array("Q"), array("Q")  # 16 bytes a post, where `Writers` takes a hundred
    for post in posts:
        if text := post.own_text:
            said = " ".join(words(text)).encode("utf-8", "replace")
            texts.append(hash64(said or f"post {post.id}".encode()))
            own.append(writer_of(post))
    _, first, which = np.unique(np.array(texts, np.uint64), return_index=True, return_inverse=True)
    return np.array(own, np.uint64)[first][which]


def by_writer(posts: Iterable[Post]) -> list[list[str]]:
    """The own text of the posts, in a list for each writer."""
    whose = Writers()
    found: dict[int, list[str]] = {}
    for post in posts:
        if text := post.own_text:
            found.setdefault(whose(post, words(text)), []).append(text)
    return list(found.values())


def writer_of(post: Post) -> int:
    """Who wrote it, as far as it says itself: 64 bits of its author, or of its number."""
    return hash64(post.author if post.author is not None else str(post.id).encode())

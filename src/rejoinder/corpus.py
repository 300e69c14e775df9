"""What a rung may see of an archive: its train and dev threads, never its test threads."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal, Protocol

from rejoinder.hashing import hash64
from rejoinder.post import Pair, Post, Thread

Part = Literal["train", "dev"]


class Corpus(Protocol):
    """A fixed view of an archive for one fit. Parameters come from train; early stops, weights and thresholds from dev."""

    @property
    def tokens(self) -> Path:
        """The directory with this corpus' tokenizer and token arrays (see `rejoinder.text.tensors`)."""

    def fingerprint(self) -> str:
        """A hash of the train part: equal corpora give equal fits."""

    def threads(self, part: Part) -> Iterator[Thread]:
        """The threads of a part, by key."""

    def threads_and_passes(self, part: Part) -> Iterator[tuple[Thread, float]]:
        """The threads of a part, by key, each with how often a net is to read it in a pass over the part."""

    def posts(self, part: Part) -> Iterator[Post]:
        """The posts of a part that have words, thread by thread."""

    def count(self, part: Part) -> int | None:
        """How many posts a part has, those without words too, where that is known without reading them: for progress."""

    def pairs(self, part: Part, limit: int | None = None) -> Iterator[Pair]:
        """Replies with their context (the nearest `limit` posts), thread by thread."""


def sampled(threads: Iterable[Thread], most: int) -> list[Thread]:
    """Threads of at most `most` posts, in their order: all, or where these are too many those that a hash of their key draws.

    No more are ever held, however many there are.
    """
    below, kept, posts = 2**64, list[tuple[int, Thread]](), 0
    for thread in threads:
        drawn = hash64(f"sampled {thread.key}".encode())
        if drawn < below:
            kept.append((drawn, thread))
            posts += len(thread.posts)
        while posts > most:
            below //= 2
            kept = [one for one in kept if one[0] < below]
            posts = sum(len(one.posts) for _, one in kept)
    return [one for _, one in kept]


class ByThread(ABC):
    """What a corpus has that can give its threads: a base for the kinds of them."""

    @abstractmethod
    def threads(self, part: Part) -> Iterator[Thread]:
        """The threads of a part, by key."""

    def threads_and_passes(self, part: Part) -> Iterator[tuple[Thread, float]]:
        """The threads of a part, by key, each with how often a net is to read it in a pass over the part: here, once."""
        return ((thread, 1.0) for thread in self.threads(part))

    def posts(self, part: Part) -> Iterator[Post]:
        """The posts of a part that have words, thread by thread."""
        return (post for thread in self.threads(part) for post in thread.posts if post.body)

    def count(self, part: Part) -> int | None:
        """How many posts a part has, those without words too, where that is known without reading them: here it is not."""
        return None

    def pairs(self, part: Part, limit: int | None = None) -> Iterator[Pair]:
        """Replies with their context (the nearest `limit` posts), thread by thread."""
        return (pair for thread in self.threads(part) for pair in thread.pairs(limit))

"""The held-out posts that predictive text is measured on: the same ones, in the same order, for every rung.

The order is random, once and for all, so that whoever has time for the first N only is measured on a fair sample.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from rejoinder.ladder.novelty import repeats
from rejoinder.post import Post, Thread
from rejoinder.text.tensors import TokenArrays
from rejoinder.text.tokenizer import AnyTokenizer


@dataclass(frozen=True, eq=False)
class HeldOut:
    """P posts with words of their own."""

    posts: list[Post]
    contexts: list[tuple[Post, ...]]  # what each answers
    threads: NDArray[np.int64]  # (P,) the key of each one's thread
    repeats: NDArray[np.bool_]  # (P,) whether it repeats what was learned from

    @classmethod
    def of(cls, threads: Iterable[Thread], rng: np.random.Generator) -> Self:
        """Those of these threads, in random order, all taken for novel."""
        found = [(post, thread.answered(post), thread.key) for thread in threads for post in thread.posts if post.own_text]
        new = cls(
            [p for p, _, _ in found], [c for _, c, _ in found], _ints(key for _, _, key in found), np.zeros(len(found), bool)
        )
        return new.only(rng.permutation(len(found)))

    def only(self, places: NDArray[np.int64]) -> Self:
        """Those at `places`, in that order."""
        chosen = [int(place) for place in places]
        posts, contexts = [self.posts[p] for p in chosen], [self.contexts[p] for p in chosen]
        return type(self)(posts, contexts, self.threads[chosen], self.repeats[chosen])

    def first(self, number: int) -> Self:
        """The first of them."""
        return self.only(np.arange(min(number, len(self.posts))))

    def told_apart(self, tokenizer: AnyTokenizer, train: TokenArrays) -> Self:
        """With repeats of the train part known as such."""
        tokens = tokenizer.encode_many([post.own_text for post in self.posts])
        return type(self)(self.posts, self.contexts, self.threads, repeats(tokens, train))

    def save(self, directory: Path) -> None:
        """Write which posts these are; not a word of them."""
        np.save(directory / "posts.npy", _ints(post.id for post in self.posts))
        np.save(directory / "threads.npy", self.threads)
        np.save(directory / "repeats.npy", self.repeats)

    @classmethod
    def load(cls, directory: Path, threads: Sequence[Thread]) -> Self:
        """Find the posts that `save` wrote among these threads."""
        ids = np.load(directory / "posts.npy")
        wanted = set(ids.tolist())
        by_id = {post.id: (post, thread) for thread in threads for post in thread.posts if post.id in wanted}
        found = [by_id[one] for one in ids.tolist()]
        contexts = [thread.answered(post) for post, thread in found]
        return cls([post for post, _ in found], contexts, np.load(directory / "threads.npy"), np.load(directory / "repeats.npy"))


def _ints(values: Iterable[int]) -> NDArray[np.int64]:
    return np.array(list(values), np.int64)

"""The replies that a rung may propose: those of the train part, with what each answered, kept on disk as they were written.

replies.posts.npy, .threads.npy   (N,) int64
replies.answered.npy              (N,) int64, which of the M answered posts; those of one stand together
replies.offsets.npy               (2N+1,) int64 into the texts: reply 0, what it answers in short, reply 1, ...
replies.texts                     UTF-8, one after the other
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from rejoinder.corpus import Corpus
from rejoinder.errors import DamagedModel, NothingToLearn
from rejoinder.files import write_atomically
from rejoinder.models.directory import load_array, save_array
from rejoinder.post import Post, Suggestion
from rejoinder.text.words import words

_TITLE = 90  # characters kept of what a reply answers
_TO_ONE = 2  # replies to one post that are proposed: those to a popular one would leave no room for others
_TEXTS = "replies.texts"
_ARRAYS = ("posts", "threads", "answered", "offsets")


@dataclass(frozen=True, eq=False)
class Replies:
    """N replies to M posts."""

    posts: NDArray[np.int64]  # (N,)
    threads: NDArray[np.int64]  # (N,)
    answered: NDArray[np.int64]  # (N,) ascending
    offsets: NDArray[np.int64]  # (2N+1,)
    texts: Any  # bytes, or a memory map of them

    @classmethod
    def build(cls, corpus: Corpus) -> tuple[Self, list[str], list[str]]:
        """The train part's replies with words; the own text of each of the M posts they answer, and of each reply.

        Raises:
            NothingToLearn: there are none.
        """
        rows: list[tuple[int, int, int]] = []
        parents: list[str] = []
        said: list[str] = []
        pieces: list[bytes] = []
        for thread in corpus.threads("train"):
            found: dict[int, list[tuple[Post, Post]]] = {}
            for context, reply in thread.pairs(limit=1):
                if words(reply.own_text):
                    found.setdefault(context[-1].id, []).append((context[-1], reply))
            for answers in found.values():
                parents.append(answers[0][0].own_text)
                for parent, reply in answers:
                    said.append(reply.own_text)
                    rows.append((reply.id, thread.key, len(parents) - 1))
                    pieces += [said[-1].encode("utf-8", "replace"), short(parent).encode("utf-8", "replace")]
        if not rows:
            raise NothingToLearn(
                "the train part has no reply whose parent is in the archive, so there is nothing to propose; import more"
            )
        posts, threads, answered = np.array(rows, np.int64).T
        offsets = np.cumsum([0, *map(len, pieces)], dtype=np.int64)
        return cls(posts, threads, answered, offsets, b"".join(pieces)), parents, said

    def __len__(self) -> int:
        """The number of replies, N."""
        return len(self.posts)

    @property
    def parents(self) -> int:
        """The number of posts that are answered, M."""
        return int(self.answered[-1]) + 1

    def to(self, answered: int) -> range:
        """The places of the replies to one of the M posts."""
        first, last = np.searchsorted(self.answered, [answered, answered + 1])
        return range(int(first), int(last))

    def suggestion(self, place: int, score: float, rung: str) -> Suggestion:
        """The reply at `place`, as a rung proposes it."""
        text, answers = (self._text(2 * place + part) for part in (0, 1))
        return Suggestion(text, score, rung, int(self.posts[place]), int(self.threads[place]), answers)

    def save(self, directory: Path) -> None:
        """Write them into `directory`."""
        for name in _ARRAYS:
            save_array(directory, f"replies.{name}", getattr(self, name))
        write_atomically(directory / _TEXTS, bytes(self.texts))

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read what `save` wrote, memory-mapped.

        Raises:
            DamagedModel: something is missing, or does not fit the rest.
        """
        posts, threads, answered, offsets = (load_array(directory, f"replies.{name}") for name in _ARRAYS)
        file = directory / _TEXTS
        try:
            texts: Any = np.memmap(file, np.uint8, "r") if file.stat().st_size else np.empty(0, np.uint8)
        except OSError as error:
            raise DamagedModel(f"{file} is missing ({error.strerror}); fit again") from error
        sizes = {posts.shape, threads.shape, answered.shape, (max(offsets.size - 1, 0) // 2,)}
        kinds = {array.dtype for array in (posts, threads, answered, offsets)}
        whole = len(sizes) == 1 and kinds == {np.dtype(np.int64)} and offsets.shape == (2 * len(posts) + 1,) and len(posts)
        if not whole or offsets[-1] != len(texts) or (np.diff(offsets) < 0).any() or (np.diff(answered) < 0).any():
            raise DamagedModel(f"{directory}: the replies do not fit together; fit again")
        return cls(posts, threads, answered, offsets, texts)

    def _text(self, piece: int) -> str:
        return bytes(self.texts[self.offsets[piece] : self.offsets[piece + 1]]).decode("utf-8", "replace")


def nearest_answers(replies: Replies, places: Sequence[int], scores: Sequence[float], k: int, rung: str) -> list[Suggestion]:
    """At most `k` replies to some of the M posts, the nearest first: the first two to each, with its score."""
    found: list[Suggestion] = []
    for answered, score in zip(places, scores, strict=True):
        for place in replies.to(answered)[:_TO_ONE]:
            if len(found) == k:
                return found
            found.append(replies.suggestion(place, float(score), rung))
    return found


def short(parent: Post) -> str:
    """What a reply answers, in one line."""
    line = " ".join((parent.title or parent.own_text).split())
    return line if len(line) <= _TITLE else line[: _TITLE - 1].rsplit(" ", 1)[0] + "…"

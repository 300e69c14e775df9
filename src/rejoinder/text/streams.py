"""Threads as streams of tokens, for models that read on from post to post.

A stream is a row of passages; each begins with an empty memory. A passage follows a discussion down: the opening post, a reply to
it, a reply to that. Where a discussion branches, another passage begins with the end of what that reply answers. Every post
counts once (`scored`); what is repeated as context is read, and not counted.

    Q ── A ── B          passage 1: Q A B          all scored
     └── C               passage 2: Q C            C scored
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rejoinder.corpus import Corpus, Part
from rejoinder.post import Thread
from rejoinder.text.tensors import TokenArrays, open_tokens
from rejoinder.text.tokenizer import AnyTokenizer


@dataclass(frozen=True)
class Stream:
    """N tokens in D passages."""

    tokens: NDArray[np.unsignedinteger]  # (N,)
    scored: NDArray[np.bool_]  # (N,) whether predicting this token counts
    offsets: NDArray[np.int64]  # (D+1,) passage d is tokens[offsets[d] : offsets[d + 1]]
    times: NDArray[np.float64] | None = None  # (D,) how often a pass over all of them reads each; None: once

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays by name, those that there are."""
        return {name: array for name, array in vars(self).items() if array is not None}


@dataclass(frozen=True)
class Batch:
    """One window of every lane: B lanes, T tokens."""

    tokens: NDArray[np.int32]  # (B, T)
    keep: NDArray[np.float32]  # (B, T) 0 where a passage begins and the memory is emptied first, else 1
    targets: NDArray[np.int32]  # (B, T) the tokens that come next
    weights: NDArray[np.float32]  # (B, T) 1 where predicting them counts, else 0


def write_stream(corpus: Corpus, tokenizer: AnyTokenizer, part: Part, context: int, directory: Path) -> Stream:
    """The stream of a part, in files of `directory`; at most `context` tokens of what is answered are repeated."""
    arrays = open_tokens(corpus.tokens, part)
    directory.mkdir(parents=True, exist_ok=True)
    tokens: list[NDArray[np.unsignedinteger]] = []
    scored: list[NDArray[np.bool_]] = []
    lengths: list[int] = []
    times: list[float] = []
    for passage, begins, passes in _passages(corpus.threads_and_passes(part), arrays, context):
        counts = np.ones(len(passage), dtype=bool)
        counts[:begins] = False
        counts[(passage == tokenizer.post) | (passage == tokenizer.reply)] = False  # given, never guessed
        tokens.append(passage)
        scored.append(counts)
        lengths.append(len(passage))
        times.append(passes)
    offsets = np.cumsum([0, *lengths], dtype=np.int64)
    nothing = arrays.tokens[:0]
    often = None if all(passes == 1 for passes in times) else np.array(times)
    stream = Stream(np.concatenate([nothing, *tokens]), np.concatenate([nothing.astype(bool), *scored]), offsets, often)
    for name, array in stream.arrays().items():
        np.save(directory / f"{part}.stream.{name}.npy", array, allow_pickle=False)
    return Stream(**{name: np.load(directory / f"{part}.stream.{name}.npy", mmap_mode="r") for name in stream.arrays()})


def _passages(
    threads: Iterable[tuple[Thread, float]], arrays: TokenArrays, context: int
) -> Iterator[tuple[NDArray[np.unsignedinteger], int, float]]:
    """The passages of all threads, each with how many of its tokens only repeat what is answered, and how often it is read."""
    place = {post: row for row, post in enumerate(arrays.posts.tolist())}

    def tokens(post: int) -> NDArray[np.unsignedinteger]:
        return arrays.tokens[arrays.offsets[place[post]] : arrays.offsets[place[post] + 1]]

    for thread, passes in threads:
        replies: dict[int | None, list[int]] = {}
        for post in thread.posts:
            if post.id in place:
                replies.setdefault(post.parent, []).append(post.id)
        done: set[int] = set()
        for post in thread.posts:
            if post.id not in place or post.id in done:
                continue
            answered = [tokens(above.id) for above in thread.context(post) if above.id in place] if context else []
            before = [np.concatenate(answered)[-context:]] if answered else []
            chain: list[NDArray[np.unsignedinteger]] = []
            following: int | None = post.id
            while following is not None:
                done.add(following)
                chain.append(tokens(following))
                following = next((reply for reply in replies.get(following, ()) if reply not in done), None)
            yield np.concatenate([*before, *chain]), len(before[0]) if before else 0, passes


class Windows:
    """The windows that training reads, step by step: a pure function of the step, so that it can go on anywhere.

    Each epoch lays the passages in another order, one after the other, and cuts the row into B lanes of equal length; a window
    is the next T tokens of every lane. A passage may be laid more than once in an epoch, or in some epochs only.
    """

    def __init__(self, stream: Stream, batch: int, steps: int, seed: int | None) -> None:
        """`batch` B, `steps` T; without a `seed` the passages keep their order."""
        self.stream = stream
        self.batch, self.steps, self.seed = batch, steps, seed
        tokens = len(stream.tokens) if stream.times is None else round(float(np.diff(stream.offsets) @ stream.times))
        self.size = tokens  # of an epoch; what an epoch lays beyond it is left out
        self.lane = -(-tokens // batch)  # tokens of a lane
        self.epoch = max(-(-self.lane // steps), 1)  # windows of an epoch
        self._laid: tuple[int, NDArray[np.int64], NDArray[np.int64]] | None = None

    def __getitem__(self, step: int) -> Batch:
        """The window of a step, counted from 0 over all epochs."""
        epoch, window = divmod(step, self.epoch)
        order, ends = self._order(epoch)
        within = window * self.steps + np.arange(self.steps + 1)
        at = np.arange(self.batch)[:, None] * self.lane + within  # (B, T+1) places in the row
        laid = min(self.size, int(ends[-1]) if len(ends) else 0)
        valid = (within <= self.lane) & (at < laid)
        at = np.minimum(at, max(laid - 1, 0))
        passage = np.searchsorted(ends, at, side="right")
        source = at - ends[passage] + self.stream.offsets[order[passage] + 1]
        tokens = self.stream.tokens[source].astype(np.int32)
        begins = source == self.stream.offsets[order[passage]]
        counts = self.stream.scored[source] & valid & ~begins
        counts[:, 1:] &= within[:-1] < self.lane  # a lane's last token predicts the next lane's first, once
        return Batch(tokens[:, :-1], (~begins[:, :-1]).astype(np.float32), tokens[:, 1:], counts[:, 1:].astype(np.float32))

    def _order(self, epoch: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(D,) the passages as this epoch lays them, (D,) where each ends."""
        if self._laid is None or self._laid[0] != epoch:
            order = np.arange(len(self.stream.offsets) - 1)
            if self.stream.times is not None:
                order = np.repeat(order, self._copies(self.stream.times, epoch))
            if self.seed is not None:
                order = np.random.default_rng([self.seed, epoch]).permutation(order)
            ends = np.cumsum(np.diff(self.stream.offsets)[order])
            self._laid = epoch, order, ends
        return self._laid[1], self._laid[2]

    def _copies(self, times: NDArray[np.float64], epoch: int) -> NDArray[np.int64]:
        """(D,) how often an epoch lays each passage: `times` on average over the epochs, never less or more by 1 than that."""
        start = np.random.default_rng([self.seed or 0]).random(len(times))
        before, after = (np.floor(start + number * times).astype(np.int64) for number in (epoch, epoch + 1))
        return np.asarray(after - before)

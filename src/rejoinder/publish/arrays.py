"""The token arrays of what is read: of each file by itself, and of all files together, as a corpus of one file has them.

    tokens/NAME/PART.{tokens,offsets,posts}.npy    see `rejoinder.text.tensors`
    tokens/NAME/PART.{parents,threads}.npy         (P,) int64: the row of what it answers, NONE if that is not there; its thread
    tokens/train.*.npy, tokens/dev.*.npy           all train posts, in the order of the files; the dev posts of the last
    tokens/tokenizer.json                          written last

A tokenizer is learned from a sample of each file and from all of the last, which counts LAST times.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import numpy as np

from rejoinder.archive.split import first_share
from rejoinder.corpus import Corpus, Part
from rejoinder.models.interfaces import Progress, silent
from rejoinder.post import Post
from rejoinder.publish.reading import FilesCorpus, ReadCorpus
from rejoinder.text.tensors import TOKENIZER_FILE, open_tokens, write_tokens
from rejoinder.text.tokenizer import Tokenizer

SAMPLE = 3_500_000  # characters of each file that a tokenizer is learned from, about
LAST = 2
NONE = -1
_PARTS: tuple[Part, ...] = ("train", "dev")
_ROUND = 64  # matrices whose sides are a multiple of it are multiplied fastest


def learn_tokenizer(reading: FilesCorpus, size: int, posts: int) -> Tokenizer:
    """A tokenizer whose V, separators included, is at most `size`, without pieces that fewer than `posts` threads hold."""
    samples = [list(_sample(source)) for source in reading.sources]
    threads: dict[int | None, list[str]] = {}
    for post in chain.from_iterable(samples):
        threads.setdefault(post.thread, []).append(post.own_text)
    texts = [post.own_text for sample in [*samples, *[samples[-1]] * (LAST - 1)] for post in sample]
    return Tokenizer.train(texts, size + size // _ROUND).shared(list(threads.values()), posts).first(size)


def _sample(source: ReadCorpus) -> Iterator[Post]:
    """Train posts of some threads, chosen by hash; of what is measured on, all."""
    characters = sum(len(post.body) for post in source.posts("train"))
    share = 1.0 if source.config.register == "hackernews" else min(1.0, SAMPLE / max(characters, 1))
    for thread in source.threads("train"):
        if first_share(np.array([thread.key]), share)[0]:
            yield from (post for post in thread.posts if post.own_text)


def write_arrays(reading: FilesCorpus, tokenizer: Tokenizer, progress: Progress = silent) -> None:
    """Write the arrays of every file that has none yet, then those of all together."""
    for source in reading.sources:
        if not (source.tokens / TOKENIZER_FILE).is_file():
            progress(f"{source.config.called} to tokens", 0, None)
            write_tokens(source, tokenizer, source.tokens)
            for part in _PARTS:
                _write_links(source, part, source.tokens)
    _join(reading)
    tokenizer.save(reading.tokens / TOKENIZER_FILE)


def _write_links(corpus: Corpus, part: Part, directory: Path) -> None:
    """The parents and threads of the posts that have tokens."""
    arrays = open_tokens(directory, part)
    row = {post: place for place, post in enumerate(arrays.posts.tolist())}
    parents = np.full(len(row), NONE, dtype=np.int64)
    threads = np.empty(len(row), dtype=np.int64)
    for thread in corpus.threads(part):
        for post in thread.posts:
            if (place := row.get(post.id)) is not None:
                threads[place] = thread.key
                if post.parent is not None:
                    parents[place] = row.get(post.parent, NONE)
    np.save(directory / f"{part}.parents.npy", parents)
    np.save(directory / f"{part}.threads.npy", threads)


def _join(reading: FilesCorpus) -> None:
    """The arrays of all files as those of one."""
    for part in _PARTS:
        sources = reading.sources if part == "train" else reading.sources[-1:]
        found = [open_tokens(source.tokens, part) for source in sources]
        before = np.cumsum([0, *(len(arrays.tokens) for arrays in found)])
        offsets = [arrays.offsets[:-1] + start for arrays, start in zip(found, before, strict=False)]
        np.save(reading.tokens / f"{part}.tokens.npy", np.concatenate([arrays.tokens for arrays in found]))
        np.save(reading.tokens / f"{part}.offsets.npy", np.concatenate([*offsets, before[-1:]]).astype(np.int64))
        np.save(reading.tokens / f"{part}.posts.npy", np.concatenate([arrays.posts for arrays in found]))
        links = [np.load(source.tokens / f"{part}.threads.npy", mmap_mode="r") for source in sources]
        np.save(reading.tokens / f"{part}.threads.npy", np.concatenate(links))

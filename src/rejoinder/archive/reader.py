"""An archive as a `Corpus`: what a fit reads, held still while it reads."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import numpy as np

from rejoinder.archive.split import Method, Split, first_share, time_split
from rejoinder.archive.store import Archive
from rejoinder.corpus import ByThread, Part
from rejoinder.post import Post, Thread

_BY_THREAD = "SELECT thread, min(time), count(*) FROM place JOIN post USING (id) GROUP BY thread"


class ArchiveCorpus(ByThread):
    """A snapshot of an archive for one fit: other processes may write meanwhile, this view does not change.

    `everything` puts all threads into train (daily use; nothing is left to measure on). `share` keeps so much of train, by
    thread, as a learning curve needs it; a larger share holds the smaller ones.
    """

    def __init__(
        self, archive: Archive, tokens: Path, method: Method = "hash", *, everything: bool = False, share: float = 1.0
    ) -> None:
        """Look at `archive` as it is now, until it is closed, with token arrays in the directory `tokens`."""
        self._archive = archive.view()
        self.tokens = tokens
        self.method: Method = method
        self.everything = everything
        self.share = share
        self._times = _time_parts(self._archive) if method == "time" and not everything else None

    def threads(self, part: Part) -> Iterator[Thread]:
        """The threads of a part, by key."""
        threads = self._threads(Split[part.upper()])
        if part == "train" and self.share < 1:
            threads = (thread for thread in threads if first_share(np.array([thread.key]), self.share)[0])
        yield from threads

    def train_alone(self) -> ArchiveCorpus:
        """The same where everything is train, but without the threads that a later fit holds out; all where that leaves none."""
        if not self.everything:
            return self
        alone = ArchiveCorpus(self._archive, self.tokens, self.method)
        return alone if next(alone.posts("train"), None) is not None else self

    def count(self, part: Part) -> int | None:
        """How many posts a part has, those without words too; where it is a share of train, all of train has."""
        if self.everything:
            return int(next(self._archive.query("SELECT count(*) FROM place"))[0]) if part == "train" else 0
        return part_counts(self._archive, self.method)[part]["posts"]

    def fingerprint(self) -> str:
        """A hash of the train part's posts: their words, their links, and whether they were solved."""
        digest = hashlib.blake2b(digest_size=16)
        for thread in self.threads("train"):
            for post in thread.posts:
                digest.update(_said(thread, post))
        return digest.hexdigest()

    def _threads(self, part: Split) -> Iterator[Thread]:
        values: tuple[int, ...]
        if self.everything:
            where, values = "thread IS NOT NULL" if part is Split.TRAIN else "0", ()
        elif self._times is not None:
            where, values = "thread IS NOT NULL", ()
        else:
            where, values = "split = ?", (int(part),)
        for key, posts in groupby(self._archive.posts(f"{where} ORDER BY thread, id", values), key=lambda post: post.thread):
            if key is not None and (self._times is None or self._times[key] == part):
                yield Thread(key, tuple(posts))


def held_out(archive: Archive, method: Method = "hash") -> Iterator[Thread]:
    """The test threads: for measuring only, which is why no `Corpus` offers them."""
    return ArchiveCorpus(archive, Path(), method)._threads(Split.TEST)


def fingerprint(archive: Archive, method: Method) -> str:
    """A hash of all parts: of every post, its words and its links."""
    corpus, digest = ArchiveCorpus(archive, Path(), method), hashlib.blake2b(digest_size=16)
    for part in Split:
        for thread in corpus._threads(part):
            for post in thread.posts:
                digest.update(f"{part} ".encode() + _said(thread, post))
    return digest.hexdigest()


def _said(thread: Thread, post: Post) -> bytes:
    """What a fingerprint stands on. What is not known of a post does not change it."""
    solved = "" if post.solved is None else f"{post.solved:d}\0"
    return f"{thread.key} {post.id} {post.parent} {len(post.body)}\0{post.body}\0{solved}".encode()


def part_counts(archive: Archive, method: Method) -> dict[str, dict[str, int]]:
    """Threads and posts of each part."""
    if method == "hash":
        rows = archive.query("SELECT split, count(DISTINCT thread), count(*) FROM place GROUP BY split")
        found = {int(split): (threads, posts) for split, threads, posts in rows}
    else:
        parts = _time_parts(archive)
        found = {}
        for key, _, posts in archive.query(_BY_THREAD):
            threads, total = found.get(parts[key], (0, 0))
            found[parts[key]] = (threads + 1, total + posts)
    return {part.name.lower(): dict(zip(("threads", "posts"), found.get(part, (0, 0)), strict=True)) for part in Split}


def _time_parts(archive: Archive) -> dict[int, int]:
    rows = list(archive.query(_BY_THREAD))
    times = np.array([np.nan if time is None else time for _, time, _ in rows], dtype=np.float64)
    posts = np.array([count for _, _, count in rows], dtype=np.int64)
    return dict(zip((key for key, _, _ in rows), time_split(times, posts).tolist(), strict=True))

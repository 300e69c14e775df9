"""Whose the words and the runs of words of an archive are, counted in shards: the maps and merges behind `Phrases` and `Lexicon`.

    numbers    the posts of a shard as hashes of their words                                          a map
    firsts     of texts that stand in several posts, who sent them first                              a merge
    owners     each run and each word of the shard with its writer, or SEVERAL                        a map
    shared     those of several writers                                                               a merge
    own_runs   of each writer's own runs every other one, and those beside a shared one               a map
    united     all of these, each once                                                                a merge

Nothing is held for a word or a post but the shard's own; what grows with the archive lies in files (see `rejoinder.text.shards`).
Explained in `rejoinder.text.phrases`, where the results are put to use.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from rejoinder.hashing import hash64, mix64
from rejoinder.post import Thread
from rejoinder.text.columns import NumberColumn
from rejoinder.text.shards import AT_A_TIME, Array, Arrays, Shards, rows_by_key
from rejoinder.text.sums import each_once, run_starts
from rejoinder.text.words import words
from rejoinder.text.writers import writer_of

RUN = 7  # words
SEVERAL = 2**64 - 1  # stands for more writers than one
_KINDS = {"Q": np.uint64, "q": np.int64, "b": np.bool_}
_FACTOR = 0xD6E8FEB86659FD93  # any odd number with its bits well mixed

Hashes = NDArray[np.uint64]


class WordHashes(dict[str, int]):
    """The hash of each word, remembered."""

    def __missing__(self, word: str) -> int:
        """Work it out."""
        self[word] = found = hash64(word.encode("utf-8", "replace"))
        return found

    def of(self, said: Iterable[str]) -> Hashes:
        """(N,) the hash of each word."""
        return np.array([self[word] for word in said], np.uint64)


def numbers(threads: Iterable[Thread]) -> Arrays:
    """The posts that say a word, as numbers.

    Returns:
        `words` (N,) the hashes of their words, one post after the other; of each post, (P,), its `lengths`, in words, its
        `threads`, the hash of its `texts`, its `writers` (its author, or itself), and whether its author is `known`; of the
        different texts, (T,), ascending, `text`, who sent it `first`, whether it came `again`.
    """
    known = WordHashes()
    found, lengths, keys, texts, writers, authors = (array(kind) for kind in "QqqQQb")
    for thread, post in ((one, post) for one in threads for post in one.posts if post.body):
        if said := words(post.own_text):
            found.extend(map(known.__getitem__, said))
            lengths.append(len(said))
            keys.append(thread.key)
            texts.append(hash64(" ".join(said).encode("utf-8", "replace")))
            writers.append(writer_of(post))
            authors.append(post.author is not None)
    arrays = {"words": found, "lengths": lengths, "threads": keys, "texts": texts, "writers": writers, "known": authors}
    made: dict[str, Array] = {name: np.array(values, _KINDS[values.typecode]) for name, values in arrays.items()}
    text, first, times = np.unique(made["texts"], return_index=True, return_counts=True)
    return {**made, "text": text, "first": made["writers"][first], "again": times > 1}


def firsts(shards: Shards, left: Sequence[Arrays]) -> Arrays:
    """(T,) each `text` of several posts, ascending, and its first `writer`."""

    def pieces() -> Iterator[tuple[Array, Array]]:
        for text, first, again, _ in rows_by_key(left, ("text", "first", "again")):
            starts = run_starts(text)
            if len(starts):
                several = (np.diff(starts, append=len(text)) > 1) | np.maximum.reduceat(again, starts)
                yield text[starts][several], first[starts][several]

    return shards.collect({"text": np.uint64, "writer": np.uint64}, sum(len(arrays["text"]) for arrays in left), pieces())


def owners(said: Arrays, first: Arrays) -> Arrays:
    """Each `run` and each `word`, ascending, and whose it is: `run_owner`, `word_owner`.

    A word is its first sender's, where the same text is sent again; a run that text's author's, where one is known.
    """
    text, sender = np.asarray(first["text"]), np.asarray(first["writer"])
    writers = np.array(said["writers"])
    if len(text):
        place = np.minimum(np.searchsorted(text, said["texts"]), len(text) - 1)
        again = text[place] == said["texts"]
        writers[again] = sender[place[again]]
    lengths = said["lengths"]
    word, word_owner = _owned(np.asarray(said["words"]), np.repeat(writers, lengths))
    runs, _, inside = runs_in(said)
    authors = np.where(said["known"], said["writers"], writers)
    run, run_owner = _owned(runs, np.repeat(authors, lengths)[inside])
    return {"run": run, "run_owner": run_owner, "word": word, "word_owner": word_owner}


def _owned(keys: Hashes, owner: Hashes) -> tuple[Hashes, Hashes]:
    """Each key once, ascending, and its owner, or SEVERAL."""
    order = np.argsort(keys)
    keys, owner = keys[order], owner[order]
    starts = run_starts(keys)
    if not len(starts):
        return keys, owner
    low, high = np.minimum.reduceat(owner, starts), np.maximum.reduceat(owner, starts)
    return keys[starts], np.where(low == high, low, np.uint64(SEVERAL))


def shared(shards: Shards, left: Sequence[Arrays], name: str) -> Arrays:
    """The runs, or the words, of several writers: `keys` (N,), ascending."""

    def pieces() -> Iterator[tuple[Hashes]]:
        for keys, owner, _ in rows_by_key(left, (name, f"{name}_owner")):
            keys, owner = _owned(keys, owner)
            yield (keys[owner == np.uint64(SEVERAL)],)

    return shards.collect({"keys": np.uint64}, sum(len(arrays[name]) for arrays in left), pieces())


def own_runs(said: Arrays, of_several: Arrays) -> Arrays:
    """Those of one writer's runs that are kept: `kept` (N,), ascending."""
    runs, places, _ = runs_in(said)
    unique, which = np.unique(runs, return_inverse=True)
    own = ~_among(unique, NumberColumn.over(of_several["keys"]))[which]
    return {"kept": each_once(runs[every_other(own, places)])}


def _among(ordered: Hashes, keys: NumberColumn) -> NDArray[np.bool_]:
    """(N,) which of the ascending hashes are among ascending `keys`, so many of which are read at a time."""
    found = np.zeros(len(ordered), np.bool_)
    for begin in range(0, len(keys), AT_A_TIME):
        some = keys.read(begin, min(begin + AT_A_TIME, len(keys)))
        first, last = np.searchsorted(ordered, some[0]), np.searchsorted(ordered, some[-1], side="right")
        part = ordered[first:last]
        found[first:last] = some[np.searchsorted(some, part)] == part
    return found


def united(shards: Shards, left: Sequence[Arrays]) -> Array:
    """(N,) what is kept of any shard, ascending, each once."""
    pieces = ((each_once(keys),) for keys, _ in rows_by_key(left, ("kept",)))
    return shards.collect({"keys": np.uint64}, sum(len(arrays["kept"]) for arrays in left), pieces)["keys"]


def runs_in(said: Arrays) -> tuple[Hashes, NDArray[np.int64], NDArray[np.bool_]]:
    """(R,) the runs of words of these posts, in order; (R,) at which word of a post each begins; (N,) which words begin one."""
    lengths = np.asarray(said["lengths"])
    place = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    inside = place + RUN <= np.repeat(lengths, lengths)
    return run_hashes(np.asarray(said["words"]))[inside[: max(len(inside) - RUN + 1, 0)]], place[inside], inside


def run_hashes(hashes: Hashes) -> Hashes:
    """(N - RUN + 1,) a hash of each run of (N,) word hashes: a polynomial, then mixed."""
    count = max(len(hashes) - RUN + 1, 0)
    total = np.zeros(count, dtype=np.uint64)
    for place in range(RUN):
        total = total * np.uint64(_FACTOR) + hashes[place : place + count]
    return mix64(total)


def every_other(own: NDArray[np.bool_], places: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(R,) which of one writer's `own` runs to keep: those at even places of a post, and odd ones beside one that is not own."""
    before, after = np.roll(own, 1), np.roll(own, -1) | (np.roll(places, -1) == 0)  # at a post's end none comes after
    return np.asarray(own & ((places % 2 == 0) | ~before | ~after))

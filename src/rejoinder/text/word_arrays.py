"""The words of a corpus as numbers: a vocabulary, and each text as the places of its words in it. Counted in shards.

    spelled    the words of a shard, as numbers of its own                          a map
    _chosen    the most frequent words of all shards                                a merge
    placed     the words of the shard as places among these                         a map

Rare words are left out before anything is counted, so that a window reaches over them (as in word2vec, Mikolov et al. 2013).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rejoinder.errors import ModelError
from rejoinder.post import Thread
from rejoinder.text.ownership import WordHashes
from rejoinder.text.shards import Array, Arrays, Shards, rows_by_key
from rejoinder.text.sums import run_starts
from rejoinder.text.words import words


@dataclass(frozen=True)
class WordArrays:
    """P texts of N words in all, over V different ones."""

    words: list[str]  # V, the most frequent first
    counts: NDArray[np.int64]  # (V,) how often each occurs
    places: NDArray[np.int32]  # (N,) the texts' words, one text after the other
    offsets: NDArray[np.int64]  # (P+1,) text p is places[offsets[p] : offsets[p + 1]]
    shards: Sequence[Arrays] = ()  # the same in parts, each with `places` and `lengths`, where they were counted in shards


def count_words(shards: Shards, rarest: int, most: int) -> WordArrays:
    """The words of the shards' posts that occur `rarest` times or more often, and of those the `most` frequent.

    Ties go by first sight. What grows with the posts lies where the shards have their files.

    Raises:
        ModelError: fewer than two words are left.
    """
    spelt = shards.map(spelled)
    names, counts, hashes = _chosen(spelt, rarest, most)
    if len(names) < 2:
        total = sum(len(arrays["ids"]) for arrays in spelt)
        raise ModelError(
            f"of the {total:,} words of the train part {len(names)} occur {rarest} times or more often; "
            "word vectors need many more: import more"
        )
    order = np.argsort(hashes)
    table = shards.collect({"word": np.uint64, "place": np.int32}, len(order), [(hashes[order], order)])
    found = shards.map_again(placed, spelt, table)
    shards.drop(spelt)
    lengths = np.concatenate([arrays["lengths"] for arrays in found])
    kept = shards.collect({"places": np.int32}, int(lengths.sum()), ((np.asarray(arrays["places"]),) for arrays in found))
    return WordArrays(names, counts, kept["places"], np.concatenate([[0], np.cumsum(lengths)]), found)


def spelled(threads: Iterable[Thread]) -> Arrays:
    """The words of each post that says something, as numbers.

    Returns:
        `ids` (N,) of the words, by first sight; `lengths` (P,) of the posts, in words; of the different words, (V,), by their
        hash, ascending: the hash `word`, the `count`, the `id`; `letters`: them all, by first sight, in UTF-8, a line each.
    """
    seen: dict[str, int] = {}
    ids, lengths = array("i"), array("q")
    for post in (post for thread in threads for post in thread.posts if post.body):
        said = words(post.own_text)
        ids.extend([seen.setdefault(word, len(seen)) for word in said])
        lengths.append(len(said))
    hashes = WordHashes().of(seen)
    order = np.argsort(hashes)
    number = np.array(ids, np.int32)
    letters = np.frombuffer("\n".join(seen).encode("utf-8", "surrogatepass"), np.uint8)
    of_words = {"word": hashes[order], "count": np.bincount(number, minlength=len(seen))[order], "id": order}
    return {"ids": number, "lengths": np.array(lengths, np.int64), **of_words, "letters": letters}


def _chosen(spelt: Sequence[Arrays], rarest: int, most: int) -> tuple[list[str], NDArray[np.int64], NDArray[np.uint64]]:
    """The words that are kept, the most frequent first; (V,) how often each occurs; (V,) their hashes."""
    best: list[Array] = [
        np.empty(0, np.uint64),
        *(np.empty(0, np.int64) for _ in range(3)),
    ]  # hashes; counts; shard and id of first sight
    for word, count, number, shard in rows_by_key(spelt, ("word", "count", "id")):
        starts = run_starts(word)
        total = np.add.reduceat(count, starts) if len(starts) else count
        often = total >= rarest
        some: list[Array] = [word[starts][often], total[often], shard[starts][often], number[starts][often]]
        best = [np.concatenate(pair) for pair in zip(best, some, strict=True)]
        order = np.lexsort((best[3], best[2], -best[1]))[:most]
        best = [values[order] for values in best]
    hashes, counts, shards, numbers = best
    names = [""] * len(hashes)
    for shard in np.unique(shards).tolist():
        spelling = bytes(spelt[shard]["letters"]).decode("utf-8", "surrogatepass").split("\n")
        for at in np.flatnonzero(shards == shard).tolist():
            names[at] = spelling[numbers[at]]
    return names, counts, hashes


def placed(spelt: Arrays, table: Arrays) -> Arrays:
    """The words that are kept, as `places` (N,) in the vocabulary `table`, and the `lengths` (P,) of the posts, in these."""
    kept, places = np.asarray(table["word"]), np.asarray(table["place"])
    word = np.asarray(spelt["word"])
    at = np.minimum(np.searchsorted(kept, word), len(kept) - 1)
    place = np.empty(len(word), np.int32)
    place[spelt["id"]] = np.where(kept[at] == word, places[at], -1)
    found = place[spelt["ids"]]
    before = np.concatenate([[0], np.cumsum(found >= 0)])
    ends = np.cumsum(spelt["lengths"])
    return {"places": found[found >= 0], "lengths": before[ends] - before[ends - spelt["lengths"]]}

"""Pairs of posts and replies as arrays of words: what `pair_encoder.py` learns from, and the word vectors that it begins with.

DIR/NAME.npz      flat0, flat1, flat2   int32, the words of the last posts, of those before, of the replies, one after the other
                  off0, off1, off2      int64, where each text begins
                  thread, ans, kind     int64, int64, int8 for each pair: its thread, what it answers, whether that is a comment
DIR/vocab.json    the words by number
DIR/counted.npz   E (V, D) float32 and order (V,) int64, the numbers of their words

Of Hacker News the train part is read (and dev and test, to measure on); the files of `talk/` are read whole. E is made by
counting: how often two words stand in one text, or one in a post and the other in its reply, as positive PMI, and its largest
components (the formulas of `pair_vectors.py`).
"""

from __future__ import annotations

import io
import json
import tempfile
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import zstandard
from figures import real_archive
from hn_bits import fill
from numpy.typing import NDArray
from pair_vectors import components, count, positive, spread
from scipy.sparse import csr_matrix, vstack

from rejoinder.archive.reader import ArchiveCorpus, held_out
from rejoinder.home.workspace import Workspace
from rejoinder.models.pairs import answers_comment, clean_pairs
from rejoinder.post import unquoted
from rejoinder.text.cleaning import stripped
from rejoinder.text.words import ADDRESS, words

TALK = {  # how much of each file's threads is read
    "reddit2015_pairs": 1.0,
    "iac_4forums": 1.0,
    "reddit_cmv": 1.0,
    "reddit2006": 1.0,
    "everything_list": 1.0,
    "reddit_rational": 0.6,
}
_MAIL = ("everything_list",)
_LONGEST = (250, 200, 200)  # words of the last post, of those before, of the reply
_ABOVE = 5  # posts before the last
_SIDES = (0, 2)
_HN_COUNTS, _COMMON, _ACROSS = 4.0, 0.05, 0.7

Arrays = dict[str, NDArray[Any]]


class Writer:
    """Collects pairs."""

    def __init__(self, numbers: dict[str, int]) -> None:
        """`numbers` of words, shared by all files; new words get new ones."""
        self._numbers = numbers
        self._flat = [array("i") for _ in _LONGEST]
        self._off = [array("q", [0]) for _ in _LONGEST]
        self._facts = {name: array("q") for name in ("thread", "ans", "kind")}

    def add(self, texts: tuple[str, str, str], thread: int, answered: int, kind: int) -> None:
        """One pair: the last post, those before it, the reply."""
        for flat, off, text, most in zip(self._flat, self._off, texts, _LONGEST, strict=True):
            flat.extend(self._numbers.setdefault(word, len(self._numbers)) for word in words(text[: most * 20])[:most])
            off.append(len(flat))
        for name, value in (("thread", thread), ("ans", answered), ("kind", kind)):
            self._facts[name].append(value)

    def save(self, file: Path) -> None:
        """As npz."""
        flat: Arrays = {f"flat{side}": np.array(words, np.int32) for side, words in enumerate(self._flat)}
        off: Arrays = {f"off{side}": np.array(ends, np.int64) for side, ends in enumerate(self._off)}
        facts: Arrays = {name: np.array(values, np.int64) for name, values in self._facts.items()}
        np.savez(file, **flat, **off, **facts)  # type: ignore[arg-type]


def load(directory: Path, name: str, most: int = 10**9) -> Arrays:
    """The arrays of a file; of more than `most` pairs so many, drawn at random."""
    with np.load(directory / f"{name}.npz", allow_pickle=False) as found:
        arrays = {key: found[key] for key in found.files}
    number = len(arrays["thread"])
    if most >= number:
        return arrays
    rows = np.sort(np.random.default_rng(0).permutation(number)[:most])
    kept: Arrays = {key: arrays[key][rows] for key in ("thread", "ans", "kind")}
    for side in range(3):
        off = arrays[f"off{side}"]
        sizes = np.diff(off)[rows]
        ends = np.concatenate([[0], np.cumsum(sizes)])
        at = np.arange(ends[-1]) + np.repeat(off[rows] - ends[:-1], sizes)
        kept |= {f"flat{side}": arrays[f"flat{side}"][at], f"off{side}": ends}
    return kept


def read(directory: Path) -> None:
    """All files into `directory`."""
    numbers: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as home:
        space = Workspace(Path(home))
        fill(space)
        with space.open_archive() as archive:
            corpus = ArchiveCorpus(archive, space.home)
            for part in ("train", "dev", "test"):
                out = Writer(numbers)
                for thread in held_out(archive) if part == "test" else corpus.threads(part):  # type: ignore[arg-type]
                    for context, reply in clean_pairs(thread.pairs(_ABOVE + 1)):
                        said = [post.own_text for post in context]
                        texts = (said[-1], "\n".join(said[:-1]), reply.own_text)
                        out.add(texts, thread.key, context[-1].id, int(answers_comment(context)))
                out.save(directory / f"hn_{part}.npz")
    for name, share in TALK.items():
        out = Writer(numbers)
        for pair in _pairs(name, share):
            out.add(*pair)
        out.save(directory / f"{name}.npz")
    (directory / "vocab.json").write_text(json.dumps(list(numbers)), encoding="utf-8")


def _pairs(name: str, share: float) -> Iterator[tuple[tuple[str, str, str], int, int, int]]:
    posts = {row["id"]: row for row in _rows(name)}
    own: dict[int, str] = {}
    rng, kept = np.random.default_rng(1), dict[int, float]()

    def body(number: int) -> str:
        if number not in own:
            row = posts[number]
            text = unquoted(row.get("text", ""))
            title = row.get("title", "") if row["type"] == "story" else ""
            own[number] = f"{title}\n\n{stripped(text) if name in _MAIL else text}".strip()
        return own[number]

    for number, row in posts.items():
        answered = int(row.get("parent") or -1)
        if answered not in posts or answered == number:
            continue
        above = _above(posts, number)
        if share < 1 and kept.setdefault(above[-1], rng.random()) > share:
            continue
        said = body(number)
        many = len(words(said[:4000]))
        if said and body(answered) and many and many >= 8 * len(ADDRESS.findall(said)):
            before = "\n".join(body(one) for one in reversed(above[1 : _ABOVE + 1]))
            yield (body(answered), before, said), above[-1], answered, int(posts[answered]["type"] != "story")


def _above(posts: dict[int, Any], number: int) -> list[int]:
    """What a post stands below, the nearest first."""
    found: list[int] = []
    while (number := posts[number].get("parent")) in posts and number not in found:
        found.append(number)
    return found


def _rows(name: str) -> Iterator[dict[str, Any]]:
    with real_archive(f"talk/{name}.jsonl.zst").open("rb") as file:
        stream = zstandard.ZstdDecompressor(max_window_size=2**28).stream_reader(file)
        yield from map(json.loads, io.TextIOWrapper(stream, "utf-8"))


def weighted(arrays: Arrays, side: int, places: NDArray[np.int64], weights: NDArray[np.float64]) -> Any:
    """(N, V) float32: (1 + ln tf) times each word's weight, rows of length 1. `places` of the words by number, -1 for none."""
    off, columns = arrays[f"off{side}"], places[arrays[f"flat{side}"]]
    rows, known = np.repeat(np.arange(len(off) - 1), np.diff(off)), columns >= 0
    keys, counts = np.unique(rows[known].astype(np.int64) * len(weights) + columns[known], return_counts=True)
    rows, columns = keys // len(weights), keys % len(weights)
    values = ((1 + np.log(counts)) * weights[columns]).astype(np.float32)
    lengths = np.sqrt(np.bincount(rows, values * values, len(off) - 1))
    values = (values / np.maximum(lengths[rows], 1e-9)).astype(np.float32)
    return csr_matrix(
        (values, columns.astype(np.int32), np.searchsorted(rows, np.arange(len(off)))), (len(off) - 1, len(weights))
    )


def counted(directory: Path, limits: dict[str, int], vocabulary: int, size: int) -> None:
    """Word vectors by counting, into `directory`."""
    total = len(json.loads((directory / "vocab.json").read_text(encoding="utf-8")))
    data = {name: load(directory, name, most) for name, most in limits.items()}
    times = np.zeros(total)
    for name, arrays in data.items():
        for side in _SIDES:
            times += (5 if name == "hn_train" else 1) * np.bincount(arrays[f"flat{side}"], minlength=total)
    order = np.argsort(-times, kind="stable")[:vocabulary]
    order = order[times[order] >= 5]
    places = np.full(total, -1, np.int64)
    places[order] = np.arange(len(order))
    bags = {name: [weighted(arrays, side, places, np.ones(len(order))) for side in _SIDES] for name, arrays in data.items()}
    replies = sum(reply.shape[0] for _, reply in bags.values())
    rare = sum(np.bincount(reply.indices, minlength=len(order)) for _, reply in bags.values()) <= _COMMON * replies
    left, right = [], []
    for name, (posts, answers) in bags.items():
        weight = _HN_COUNTS if name == "hn_train" else 1.0
        left += [spread(answers, weight, rare), spread(posts, weight * _ACROSS, rare)]
        right += [spread(answers, weight, rare), spread(answers, weight * _ACROSS, rare)]
        if name == "hn_train":
            left.append(spread(posts, weight, rare))
            right.append(spread(posts, weight, rare))
    vectors = components(positive(*count(vstack(left), vstack(right))), size)
    np.savez(directory / "counted.npz", E=vectors, order=order)

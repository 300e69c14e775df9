"""A large archive that nobody wrote: threads of Markov text, seeded from the embedded archive, with as many words as a real one.

Each word follows the one before it as some word of the embedded archive did, or is one of a few dozen that its thread is about,
or any word: the embedded archive's and invented ones, the r-th of them with probability proportional to 1 / (r + 2.7) (Zipf and
Mandelbrot). So posts have frequent words, rare words and topics, as a search has to do with them. They mean nothing.

    python bench/synthetic.py FILE.jsonl --posts 1000000
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from importlib import resources
from itertools import pairwise, product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rejoinder.text.words import words

VOCABULARY = 200_000
_TOPIC = 40  # words that a thread is about
_THREAD = 10  # posts of a thread
_LONGEST = 120  # words of a post
_MEAN = 45  # words of a post, about
_FOLLOWS, _ON_TOPIC = 0.6, 0.3  # how often a word is drawn after the one before, or from the topic; else any word is
_AT_ONCE = 20_000  # posts at a time
_PARTS = "ba de fi go ku la me ni po ru sa te vi wo zu".split()

Ints = NDArray[np.int64]


class Speaker:
    """Draws words."""

    def __init__(self, rng: np.random.Generator) -> None:
        """Read the embedded archive."""
        self._rng = rng
        text = (resources.files("rejoinder.bundle") / "sample.jsonl").read_text(encoding="utf-8")
        records = [json.loads(line) for line in text.splitlines()]
        said = [words(record.get("text", "")) for record in records]
        known = [word for word, _ in Counter(word for post in said for word in post).most_common()]
        invented = ("".join(parts) for size in (3, 4, 5) for parts in product(_PARTS, repeat=size))
        self.words = np.array(list(dict.fromkeys([*known, *invented]))[:VOCABULARY])
        self._zipf = np.cumsum(1 / (np.arange(len(self.words)) + 2.7))
        place = {word: at for at, word in enumerate(known)}
        pairs = np.array([(place[a], place[b]) for post in said for a, b in pairwise(post)], np.int64)
        pairs = pairs[np.argsort(pairs[:, 0], kind="stable")]
        self._followers = pairs[:, 1]
        self._first = np.searchsorted(pairs[:, 0], np.arange(len(self.words) + 1))  # where the followers of each word begin

    def any(self, shape: tuple[int, ...]) -> Ints:
        """Places of words, by their frequency."""
        return np.asarray(np.searchsorted(self._zipf, self._rng.random(shape) * self._zipf[-1]), np.int64)

    def texts(self, topics: Ints, length: int) -> Ints:
        """(N, length) places of words: a text about each of `topics` (N, _TOPIC)."""
        found = np.empty((len(topics), length), np.int64)
        found[:, 0] = self.any((len(topics),))
        for step in range(1, length):
            before = found[:, step - 1]
            first, count = self._first[before], np.diff(self._first)[before]
            drawn = first + (self._rng.random(len(topics)) * count).astype(np.int64)
            follows = self._followers[np.minimum(drawn, len(self._followers) - 1)]
            topic = topics[np.arange(len(topics)), self._rng.integers(0, _TOPIC, len(topics))]
            kind = self._rng.random(len(topics))
            found[:, step] = np.where((kind < _FOLLOWS) & (count > 0), follows, self.any((len(topics),)))
            about = (kind >= _FOLLOWS) & (kind < _FOLLOWS + _ON_TOPIC)
            found[about, step] = topic[about]
        return found


def write(file: Path, posts: int, seed: int = 0) -> None:
    """An archive of `posts` posts as JSON Lines, in the Hacker News API's names."""
    rng = np.random.default_rng(seed)
    speaker = Speaker(rng)
    with file.open("w", encoding="utf-8") as opened:
        for begin in range(0, posts, _AT_ONCE):
            some = min(_AT_ONCE, posts - begin)
            topics = speaker.any((-(-some // _THREAD), _TOPIC)).repeat(_THREAD, axis=0)[:some]
            texts = speaker.words[speaker.texts(topics, _LONGEST)]
            lengths = np.clip(rng.exponential(_MEAN, some).astype(int) + 3, 3, _LONGEST)
            above = (rng.random(some) * (np.arange(some) % _THREAD)).astype(int)  # what it answers: an earlier post of the thread
            for row in range(some):
                number, text = begin + row + 1, " ".join(texts[row, : lengths[row]])
                record = {"id": number, "type": "comment", "time": 1_600_000_000 + number, "by": f"writer{number % 5000}"}
                if row % _THREAD:
                    record |= {"parent": begin + row - row % _THREAD + int(above[row]) + 1, "text": text}
                else:
                    record |= {"type": "story", "title": " ".join(texts[row, :8]), "text": text}
                opened.write(json.dumps(record) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--posts", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    write(args.file, args.posts, args.seed)

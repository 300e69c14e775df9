"""A rung for rejoinder (the rare words that a reply shares with its post), and a source (posts in tabbed lines)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import log
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from rejoinder.archive.peek import peek
from rejoinder.archive.source import Hasher, Item, Record, Skipped, Source
from rejoinder.config import Checked, NonNegativeFloat
from rejoinder.corpus import Corpus
from rejoinder.models import Can, Rung
from rejoinder.models.directory import load_config, load_json, save_config
from rejoinder.models.interfaces import Job, ReplyRanker, Scores, Suggester
from rejoinder.post import Post
from rejoinder.text.words import words

RUNG = Rung("rejoinder_example:RareWords", Can.RANK, "the rare words that a reply shares with its post")
OTHER = {"power": 2.0}  # settings other than the defaults, for the contract suite


@dataclass(frozen=True)
class RareWordsConfig(Checked, of="rare_words"):
    """Settings of the rung."""

    power: NonNegativeFloat = 1.0  # of the logarithm of how rare a word is


class RareWords(ReplyRanker):
    """A ranker."""

    Config: ClassVar[type] = RareWordsConfig

    def __init__(self, config: RareWordsConfig, posts: Mapping[str, int]) -> None:
        self.config, self.posts = config, posts  # how many train posts hold each word

    @classmethod
    def fit(cls, corpus: Corpus, config: RareWordsConfig, *, rng: np.random.Generator, job: Job) -> Self:
        return cls(config, Counter(word for post in corpus.posts("train") for word in {*words(post.own_text)}))

    def save(self, directory: Path) -> None:
        save_config(directory, "rare_words", self.config)
        (directory / "posts.json").write_text(json.dumps(self.posts), encoding="utf-8")

    @classmethod
    def load(cls, directory: Path, parts: Mapping[str, Suggester] = {}) -> Self:
        return cls(load_config(directory, "rare_words", RareWordsConfig), load_json(directory / "posts.json"))

    def score_replies(self, context: Sequence[Post], candidates: Sequence[str]) -> Scores:
        asked = {*words(context[-1].body)} if context else set()
        return np.array([sum(map(self._worth, sorted(asked & {*words(text)}))) for text in candidates], np.float64)

    def _worth(self, word: str) -> float:
        return float(log(1 + max(self.posts.values(), default=0) / (1 + self.posts.get(word, 0))) ** self.config.power)


class Tabbed(Source):
    """Lines of four columns."""

    name, what, marks = "tabbed", "posts in tabbed lines", "a first line `#id<tab>parent<tab>author<tab>text`"

    def recognises(self, path: Path) -> bool:
        return peek(path).text.startswith("#id\tparent\tauthor\ttext\n")

    def read(self, path: Path, hasher: Hasher) -> Iterator[Item]:
        with path.open(encoding="utf-8", errors="replace") as file:
            for number, line in enumerate(file, start=1):
                own, *rest = line.rstrip("\n").split("\t", 3)
                if number > 1 and len(rest) == 3:
                    yield Record(own, rest[2], parent=rest[0] or None, author=rest[1]).post(hasher, f"line {number}")
                elif number > 1:
                    yield Skipped("not four columns", f"line {number}")

"""The lowest rung: hard-coded values, here the short replies that an archive uses again and again.

The most frequent short reply of each kind comes first: one that agrees, one that doubts, one that asks. So a person always
has all three to choose from (Kannan et al. 2016 force the same in Smart Reply). Where the archive has none of a kind, a
fixed one stands in. It reads nothing of the post it answers.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from rejoinder.config import Checked, PositiveInt
from rejoinder.corpus import Corpus
from rejoinder.files import write_json
from rejoinder.models.directory import load_config, load_json, save_config
from rejoinder.models.interfaces import Job, ReplySource, Suggester
from rejoinder.post import Post, Suggestion
from rejoinder.text.words import ADDRESS, EMAIL, words

_ASKS, _DOUBTS, _AGREES, _OTHER = "asks", "doubts", "agrees", "other"
_FIXED = {_AGREES: "Thank you, that helps.", _DOUBTS: "I am not sure I agree.", _ASKS: "Could you say more?"}
_DOUBT_WORDS = frozenset("no not nope never wrong disagree doubt don't doesn't isn't can't false nonsense".split())
_AGREE_WORDS = frozenset(
    "yes yep agree agreed thanks thank exactly good great nice true right correct indeed cool interesting love works helps "
    "congratulations congrats awesome this".split()
)
_WELCOME = frozenset("welcome problem pleasure worries np glad".split())
_GREETINGS = frozenset("hi hello hey hiya greetings morning afternoon evening".split())
_THANKS = frozenset("thanks thank thx cheers ty".split())
_BESIDE = frozenset(
    "good a lot so much very many you all everyone there folks guys again for the your this that it help helped reply answer "
    "info in advance indeed that's worked works perfect great i appreciate and to have nice day".split()
)
_LONGEST_COURTESY = 12  # words
_SAY = {"thanks": "You're welcome.", "greeting": "Hello!"}


@dataclass(frozen=True)
class CannedConfig(Checked, of="canned"):
    """Settings of the canned rung."""

    longest: PositiveInt = 6  # words of a reply that counts as short
    repeats: PositiveInt = 3  # threads that must have used it
    keep: PositiveInt = 30  # replies kept


class Canned(ReplySource):
    """A fixed list of short replies, the three kinds first."""

    Config: ClassVar[type] = CannedConfig

    def __init__(self, config: CannedConfig, replies: list[tuple[str, float]]) -> None:
        """Use `fit` or `load`. `replies` is (text, log of its share of all replies in nats), in the order shown."""
        self.config = config
        self.replies = replies

    @classmethod
    def fit(cls, corpus: Corpus, config: CannedConfig, *, rng: np.random.Generator, job: Job) -> Self:
        """Count short replies over the train threads, each once a thread."""
        forms: defaultdict[str, Counter[str]] = defaultdict(Counter)
        total = 0
        for thread in corpus.threads("train"):
            here: dict[str, str] = {}
            for post in thread.posts:
                total += 1
                text = " ".join(post.own_text.split())
                if post.parent is not None and 0 < len(text) <= 12 * config.longest and _fit_to_show(text, config.longest):
                    here.setdefault(" ".join(words(text)), text)
            for key, text in here.items():
                forms[key][text] += 1
        often = [(sum(form.values()), form.most_common(1)[0][0]) for form in forms.values()]
        often = sorted((entry for entry in often if entry[0] >= config.repeats), key=lambda entry: (-entry[0], entry[1]))
        scored = [(text, log(count / total)) for count, text in often]
        first: list[tuple[str, float]] = []
        for kind, fixed in _FIXED.items():
            found = (entry for entry in scored if _kind(entry[0]) == kind)
            first.append(next(found, (fixed, log(0.5 / max(total, 1)))))
        first.sort(key=lambda entry: -entry[1])
        return cls(config, (first + [entry for entry in scored if entry not in first])[: max(config.keep, len(first))])

    def save(self, directory: Path) -> None:
        """Write the settings, and the list of replies as JSON."""
        save_config(directory, "canned", self.config)
        write_json(directory / "replies.json", self.replies)

    @classmethod
    def load(cls, directory: Path, parts: Mapping[str, Suggester] = {}) -> Self:
        """Read what `save` wrote."""
        config = load_config(directory, "canned", CannedConfig)
        return cls(config, [(str(text), float(score)) for text, score in load_json(directory / "replies.json")])

    def propose(self, context: Sequence[Post], k: int) -> list[Suggestion]:
        """The first `k` of the list; the score is the logarithm of the share of replies that say this, in nats."""
        return [Suggestion(text, score, "canned") for text, score in self.replies[: max(k, 0)]]

    def to_courtesy(self, kind: str) -> Suggestion:
        """What is said to thanks, or to a greeting: as this archive says it, where it does."""
        usual = _WELCOME if kind == "thanks" else _GREETINGS
        found = next((text for text, _ in self.replies if usual & {*words(text)}), _SAY[kind])
        return Suggestion(found, 1.0, "canned")


def courtesy(text: str) -> str:
    """Whether a post only gives `thanks`, or is but a `greeting`; else the empty string."""
    said = words(text)
    for kind, such in (("thanks", _THANKS), ("greeting", _GREETINGS)):
        if such & {*said} and len(said) <= _LONGEST_COURTESY and such | _BESIDE >= {*said} and "?" not in text:
            return kind
    return ""


def _fit_to_show(text: str, longest: int) -> bool:
    found = words(text)
    return 0 < len(found) <= longest and text.isprintable() and not ADDRESS.search(text) and not EMAIL.search(text)


def _kind(text: str) -> str:
    if text.rstrip().endswith("?"):
        return _ASKS
    said = words(text)
    if any(word in _DOUBT_WORDS for word in said):
        return _DOUBTS
    return _AGREES if any(word in _AGREE_WORDS for word in said) else _OTHER

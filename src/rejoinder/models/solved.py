"""Whether a reply solved what was asked, as far as its archive tells: a small model, fitted on the home.

What an archive knows of a reply differs from place to place, so the model is fitted on what is there. What is to be predicted
is whether a reply was accepted, among the replies of threads where one was; where too few were, whether the asker came back and
gave thanks, among the replies that the asker answered; and where that is not known either, nothing is said. (Where no authors
are kept, thanks of whoever answered a reply are a mark of it, and no more: nothing there tells beforehand who will be thanked.)
By logistic regression on

    thanked    the next that the asker wrote, to the reply or right after it, gives thanks and does not go on asking
    closed     the place closed the thread as solved
    score      ln(1 + score) of the reply, less that of the best other reply to the same post
    answers    ln(1 + how many other threads its author answered in)
    trusted    how often those were accepted or thanked for, above the usual, with a few at the usual for good measure
    quoted     somebody else quoted it
    asks       it ends with a question
    words      ln(1 + its words)

(what is predicted is no feature). It says how well a reply did, and not how well it suits another question: see `trigger`.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntFlag
from itertools import pairwise
from math import log1p
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from rejoinder.corpus import Corpus
from rejoinder.errors import DamagedModel
from rejoinder.files import write_json
from rejoinder.models.directory import load_array, load_json, save_array
from rejoinder.models.regression import Regression
from rejoinder.post import ACCEPTED, Post, Thread
from rejoinder.text.words import words

FEATURES = ("thanked", "closed", "score", "answers", "trusted", "quoted", "asks", "words")
_FEWEST = 30  # replies of each kind that a model is fitted on
_READ = 25  # words of the asker's next post
_QUOTED = 20  # characters; a shorter line may be anybody's
_BEGINS = re.compile(r"(?<!\S)\S")
_THANKS = frozenset("thanks thank thx cheers worked works working solved fixed perfect sorted".split())
_DOUBTS = frozenset("but still however doesn't didn't unfortunately not error except anyone isn't won't can't".split())
_PRIOR = 5.0  # replies at the usual that an author's are mixed with
_FILE = "solved.json"
_ARRAYS = ("posts", "likely", "marks")

Floats = NDArray[np.float64]


class Mark(IntFlag):
    """What is known of how a reply did."""

    ACCEPTED = 1
    THANKED = 2
    CLOSED = 4
    PRAISED = 8  # thanked by nobody known

    @property
    def said(self) -> tuple[str, ...]:
        """In words, the surest first."""
        return tuple(text for mark, text in _SAID.items() if mark in self)


_SAID = {
    Mark.ACCEPTED: ACCEPTED,
    Mark.THANKED: "the asker came back: solved",
    Mark.PRAISED: "somebody gave thanks for it",
    Mark.CLOSED: "the thread was closed as solved",
}


@dataclass(slots=True)
class _Reply:
    """What the train part says of one reply; its text is not kept, since all replies of an archive are held."""

    post: int
    author: bytes | None
    marks: Mark
    came_back: bool  # whether the asker wrote something after it
    of_solved: bool  # whether a reply of its thread was accepted
    thread: int
    x: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Solved:
    """N replies of the train part, and how likely each solved what was asked."""

    posts: NDArray[np.int64]  # (N,) ascending
    likely: NDArray[np.float32]  # (N,) in [0, 1]; all alike where nothing is known
    marks: NDArray[np.uint8]  # (N,) `Mark`
    facts: dict[str, Any]  # what is predicted ("" for nothing), and the weight of each feature, of one spread

    @classmethod
    def of(cls, corpus: Corpus) -> Self:
        """Learn from the train part."""
        replies = [reply for thread in corpus.threads("train") for reply in replies_of(thread)]
        target, chosen, y = target_of(replies)
        count_authors(replies, target)
        likely, weights = np.full(len(replies), 0.5), {}
        if target:
            names = [name for name in FEATURES if name != target]
            x = np.array([[reply.x[name] for name in names] for reply in replies])
            model = Regression.of(x[chosen], y)
            likely = np.where(_known(replies, target), 1.0, model(x))
            weights = dict(zip(names, model.weights[:-1].round(3).tolist(), strict=True))
        posts = np.array([reply.post for reply in replies], np.int64)
        order = np.argsort(posts, kind="stable")
        marks = np.array([int(reply.marks) for reply in replies], np.uint8)
        return cls(posts[order], likely[order].astype(np.float32), marks[order], {"target": target, "weights": weights})

    def of_post(self, post: int | None) -> tuple[float, Mark]:
        """How likely a reply solved what was asked, and what is known of it; of a stranger, what is usual."""
        place = int(np.searchsorted(self.posts, post)) if post is not None else len(self.posts)
        if place < len(self.posts) and self.posts[place] == post:
            return float(self.likely[place]), Mark(int(self.marks[place]))
        return self.usual, Mark(0)

    @property
    def usual(self) -> float:
        """The mean over all replies."""
        return float(self.likely.mean()) if len(self.likely) else 0.5

    def save(self, directory: Path) -> None:
        """Write them into `directory`."""
        for name in _ARRAYS:
            save_array(directory, f"solved.{name}", getattr(self, name))
        write_json(directory / _FILE, self.facts)

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read what `save` wrote, memory-mapped.

        Raises:
            DamagedModel: something is missing, or does not fit the rest.
        """
        posts, likely, marks = (load_array(directory, f"solved.{name}") for name in _ARRAYS)
        facts = load_json(directory / _FILE)
        if len({array.shape for array in (posts, likely, marks)}) > 1 or not isinstance(facts, dict):
            raise DamagedModel(f"{directory}: what is known of solved questions does not fit; fit again: rejoinder fit trigger")
        return cls(posts, likely, marks, facts)


def replies_of(thread: Thread) -> Iterator[_Reply]:
    """The replies of a thread that are not the asker's own, with what the thread alone says of them."""
    by_id = {post.id: post for post in thread.posts}
    asker = thread.opening.author if thread.opening else None
    talk = _Talk(thread.posts)
    accepted = any(post.solved for post in thread.posts if post.parent is not None)
    closed = not accepted and thread.solved is True
    for post in talk.order:
        parent = by_id.get(post.parent) if post.parent is not None else None
        if parent is None or not post.text or (post.author is not None and post.author in (asker, parent.author)):
            continue
        after = talk.asker_next(post, parent)
        thanked = after is not None and _gives_thanks(after)
        gave_thanks = Mark.THANKED if parent.author is not None else Mark.PRAISED
        marks = (Mark.ACCEPTED * bool(post.solved)) | (gave_thanks * thanked) | (Mark.CLOSED * closed)
        text = post.own_text
        reply = _Reply(post.id, post.author, Mark(marks), after is not None and parent.author is not None, accepted, thread.key)
        reply.x = {
            "thanked": float(gave_thanks == Mark.THANKED and thanked),
            "closed": float(closed),
            "score": _score(post) - talk.best_beside(post),
            "quoted": float(talk.is_quoted(post)),
            "asks": float(text.rstrip().endswith("?")),
            "words": log1p(len(words(text))),
        }
        yield reply


class _Talk:
    """Who wrote what after whom in a thread, looked up: a chat may be one thread of a hundred thousand posts."""

    def __init__(self, posts: Sequence[Post]) -> None:
        self.order = sorted(posts, key=lambda post: (post.time or 0, post.id))
        self._place = {post.id: place for place, post in enumerate(self.order)}
        self._to: defaultdict[int, list[Post]] = defaultdict(list)  # the answers to each post, in their order
        self._quotes: defaultdict[str, defaultdict[str, set[bytes | None]]] = defaultdict(lambda: defaultdict(set))
        for post in self.order:
            if post.parent is not None:
                self._to[post.parent].append(post)
            for line in post.text.split("\n"):
                if line.startswith(">") and len(quoted := line[1:].strip()) > _QUOTED:
                    self._quotes[quoted[:_QUOTED]][quoted].add(post.author)
        siblings = [answers for answers in self._to.values() if len(answers) > 1]
        self._next = {post.id: later for answers in siblings for post, later in pairwise(answers)}
        self._best = {answers[0].parent: sorted(map(_score, answers), reverse=True)[:2] for answers in siblings}

    def asker_next(self, reply: Post, asked: Post) -> Post | None:
        """What the asker wrote to it, or right after it before others did; where nobody is known, the first answer to it."""
        if asked.author is None and reply.author is not None:
            return None
        place = self._place[reply.id]
        to = (post for post in self._to.get(reply.id, ()) if self._place[post.id] > place)
        back = next((post for post in to if asked.author is None or post.author == asked.author), None)
        beside = self._next.get(reply.id)  # whoever comes next may be who is thanked
        if asked.author is None or beside is None or beside.author != asked.author:
            return back
        return beside if back is None or self._place[beside.id] < self._place[back.id] else back

    def best_beside(self, reply: Post) -> float:
        """The score of the best other reply to the same post, 0 if there is none."""
        best = self._best.get(reply.parent, (0.0, 0.0))
        return best[_score(reply) == best[0]]

    def is_quoted(self, post: Post) -> bool:
        """Whether somebody else quotes a line of it, or what of a line begins with a word."""
        return bool(self._quotes) and any(
            post.text.startswith(line, at) and bool(authors - {post.author})
            for at in (match.start() for match in _BEGINS.finditer(post.text))
            for line, authors in self._quotes.get(post.text[at : at + _QUOTED], {}).items()
        )


def _score(post: Post) -> float:
    return log1p(max(post.score or 0, 0))


def _gives_thanks(post: Post) -> bool:
    said = words(post.own_text)[:_READ]
    return any(word in _THANKS for word in said) and not any(word in _DOUBTS for word in said) and "?" not in post.own_text


def target_of(replies: Sequence[_Reply]) -> tuple[str, list[int], Floats]:
    """What can be predicted here ("" for nothing), the places of the replies to learn it from, and whether it is so of each."""
    of_solved = [place for place, reply in enumerate(replies) if reply.of_solved]
    came_back = [place for place, reply in enumerate(replies) if reply.came_back]
    for name, mark, places in (("accepted", Mark.ACCEPTED, of_solved), ("thanked", Mark.THANKED, came_back)):
        y = np.array([float(mark in replies[place].marks) for place in places])
        if min(y.sum(), len(y) - y.sum()) >= _FEWEST:
            return name, places, y
    return "", [], np.empty(0)


def count_authors(replies: Sequence[_Reply], target: str) -> None:
    """Fill in what the other threads say of each reply's author."""
    good = _known(replies, target)
    usual = float(good.mean()) if len(good) else 0.0
    threads: Counter[tuple[bytes, int]] = Counter()
    times: Counter[tuple[bytes, int]] = Counter()
    for reply, well in zip(replies, good, strict=True):
        if reply.author is not None:
            threads[reply.author, reply.thread] += 1
            times[reply.author, reply.thread] += int(well)
    number: Counter[bytes] = Counter(author for author, _ in threads)
    written: Counter[bytes] = Counter()
    well_of: Counter[bytes] = Counter()
    for (author, _), count in threads.items():
        written[author] += count
    for (author, _), count in times.items():
        well_of[author] += count
    for reply in replies:
        who = reply.author
        here = (who or b"", reply.thread)
        others, there, well = (0, 0, 0)
        if who is not None:
            others, there, well = number[who] - 1, written[who] - threads[here], well_of[who] - times[here]
        reply.x["answers"] = log1p(others)
        reply.x["trusted"] = (well + _PRIOR * usual) / (there + _PRIOR) - usual


def _known(replies: Sequence[_Reply], target: str) -> NDArray[np.bool_]:
    """(N,) whether what is predicted is known to be so."""
    mark = Mark.ACCEPTED if target == "accepted" else Mark.THANKED
    return np.array([mark in reply.marks for reply in replies], bool)

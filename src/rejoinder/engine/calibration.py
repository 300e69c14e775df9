"""Fitting a gate: a model finishes the words of dev posts, and how often it was right is set against what it said."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from time import process_time

import numpy as np

from rejoinder.config import Checked, PositiveFloat, PositiveInt
from rejoinder.engine.gate import Calibration, Observed
from rejoinder.engine.replay import starts_so
from rejoinder.engine.typing import Engine, TypingConfig, TypingSession
from rejoinder.models.interfaces import LanguageModel
from rejoinder.post import Post, Thread
from rejoinder.text.phrases import Phrases

Seen = tuple[float, int, int, bool, bool]  # the columns of `Observed`
_SHORTEST = 20  # characters of a post


@dataclass(frozen=True)
class GateConfig(Checked, of="gate"):
    """How much is looked at."""

    keystrokes: PositiveInt = 4_000  # of dev, at most
    one_in: PositiveInt = 50  # of those there are
    run: PositiveInt = 25  # of them in a row, in one post
    words: PositiveInt = 3  # of the ghost texts looked at
    shown: PositiveInt = 300  # next words that the normal gate shows are enough: 75% right is then known to 5 points (95%)
    batch: PositiveInt = 500  # keystrokes after which their number is looked at
    seconds: PositiveFloat = 60.0  # of the processor that it may take, about


def calibrate(
    model: LanguageModel,
    threads: Iterable[Thread],
    rng: np.random.Generator,
    config: GateConfig | None = None,
    phrases: Phrases | None = None,
    told: Callable[[int, int], None] = lambda done, total: None,
) -> Calibration:
    """A model's calibration and gates; those for an unknown model where there are no posts to learn from.

    Args:
        model: one that has not learned from them.
        threads: of the dev part.
        rng: which posts, and where in them.
        config: how much is looked at.
        phrases: whose words it has read; what the engine would not show because of them is not looked at.
        told: how many keystrokes were looked at, of how many at most.
    """
    config = config or GateConfig()
    posts = [(thread.answered(post), post.own_text) for thread in threads for post in thread.posts]
    posts = [(context, text) for context, text in posts if len(text) >= _SHORTEST]
    rows: list[Seen] = []
    began, done, most = process_time(), 0, min(config.keystrokes, sum(len(text) for _, text in posts) // config.one_in)
    engine, batches = Engine({"": model}, {}, phrases), 1
    for context, text in _visits(posts, rng):
        told(done, most)
        if done >= most or process_time() - began > config.seconds:
            break
        if rows and done >= batches * config.batch:
            batches += 1
            seen = _observed(rows)
            if Calibration.fit(seen).passing(seen) >= config.shown:
                break
        first = int(rng.integers(max(len(text) - config.run, 0) + 1))
        places = range(first, min(first + config.run, len(text)))
        rows += _watch(engine.open(context), text, places, config.words)
        done += len(places)
    return Calibration.fit(_observed(rows)) if rows else Calibration()


def _observed(rows: Sequence[Seen]) -> Observed:
    return Observed(*map(np.array, zip(*rows, strict=True)))


def _visits(posts: Sequence[tuple[Sequence[Post], str]], rng: np.random.Generator) -> Iterable[tuple[Sequence[Post], str]]:
    """Posts in random order, a longer one in proportion more often, so that every keystroke is as likely; each at most once."""
    if not posts:
        return
    sizes = np.array([len(text) for _, text in posts], dtype=np.float64)
    for place in rng.choice(len(posts), size=len(posts), replace=False, p=sizes / sizes.sum()):
        yield posts[place]


def _watch(session: TypingSession, text: str, places: range, words: int) -> list[Seen]:
    """What was seen of each ghost text that might be shown at these places of a text."""
    shortest = TypingConfig().shortest
    return [
        (run.probability, case, run.words, starts_so(text[place:], run.text), len(run.text) >= shortest)
        for place in places
        for run, case in session.without_gate(text[:place], words)
    ]

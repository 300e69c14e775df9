"""Fitting a gate: a model finishes the words of dev posts, and how often it was right is set against what it said."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from time import process_time

import numpy as np

from rejoinder.config import Checked, PositiveFloat, PositiveInt
from rejoinder.corpus import sampled
from rejoinder.engine.gate import Calibration, CaretAt, Keystroke
from rejoinder.engine.replay import starts_so
from rejoinder.engine.typing import Engine, TypingSession
from rejoinder.models.interfaces import LanguageModel
from rejoinder.post import Post, Thread
from rejoinder.text.phrases import Phrases

_SHORTEST = 20  # characters of a post
_POSTS = 50_000  # of dev that are held, at most
_AFTER_SPACE = 0.1  # of the next words of even chance


@dataclass(frozen=True)
class GateConfig(Checked, of="gate"):
    """How much is looked at."""

    keystrokes: PositiveInt = 4_000  # of dev, at most
    one_in: PositiveInt = 50  # of those there are
    run: PositiveInt = 25  # of them in a row, in one post
    spaces: PositiveInt = (
        10  # places after a space that are looked at beyond each run: there are few of them, and little is shown
    )
    words: PositiveInt = 3  # of the ghost texts looked at
    likely: PositiveInt = (
        300  # next words of even chance, a tenth of them after a space, are enough: 66% is then known to 5 points
    )
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
    posts = [(thread.answered(post), post.own_text) for thread in sampled(threads, _POSTS) for post in thread.posts]
    posts = [(context, text) for context, text in posts if len(text) >= _SHORTEST]
    seen: list[Keystroke] = []
    began, done, most = process_time(), 0, min(config.keystrokes, sum(len(text) for _, text in posts) // config.one_in)
    engine, batches = Engine({"": model}, {}, phrases), 1
    for context, text in _visits(posts, rng):
        told(done, most)
        if done >= most or process_time() - began > config.seconds:
            break
        if seen and done >= batches * config.batch:
            batches += 1
            if _enough(seen, config.likely):
                break
        first = int(rng.integers(max(len(text) - config.run, 0) + 1))
        places = range(first, min(first + config.run, len(text)))
        after = (place for place in range(places.stop, len(text)) if CaretAt.of(text[:place]) is CaretAt.SPACE)
        before, session = len(seen), engine.open(context)
        seen += _watch(session, text, places, config.words)
        seen += [
            one for place in islice(after, config.spaces) for one in _watch(session, text, range(place, place + 1), config.words)
        ]
        done += len(seen) - before
    return Calibration.fit(seen) if any(keystroke.lines for keystroke in seen) else Calibration()


def _enough(seen: Sequence[Keystroke], likely: int) -> bool:
    """Whether next words of even chance were seen often enough, after a space too."""
    sure = Calibration.regressed(seen)
    places = [one.place for one in seen for case, line in one.lines[:1] if sure(line[0].probability, case) >= 0.5]
    return len(places) >= likely and places.count(CaretAt.SPACE) >= likely * _AFTER_SPACE


def _visits(posts: Sequence[tuple[Sequence[Post], str]], rng: np.random.Generator) -> Iterable[tuple[Sequence[Post], str]]:
    """Posts in random order, a longer one in proportion more often, so that every keystroke is as likely; each at most once."""
    if not posts:
        return
    sizes = np.array([len(text) for _, text in posts], dtype=np.float64)
    for place in rng.choice(len(posts), size=len(posts), replace=False, p=sizes / sizes.sum()):
        yield posts[place]


def _watch(session: TypingSession, text: str, places: range, words: int) -> list[Keystroke]:
    """What might have been shown at these places of a text, one after the other."""
    seen = []
    for place in places:
        lines = [
            (case, [one._replace(right=starts_so(text[place:], one.text)) for one in line])
            for case, line in session.without_gate(text[:place], words)
        ]
        seen.append(Keystroke(text[place], CaretAt.of(text[:place]), lines, first=place == places.start))
    return seen

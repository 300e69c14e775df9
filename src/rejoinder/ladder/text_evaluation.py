"""The measure of predictive text: what a model pays for held-out posts, and what typing them again with its help would be like.

Both go through the posts in one order until the time is up, so that any two rungs can be compared on the posts that both got to.
Columns hold, for each post:

    text    nats, UTF-8 bytes, words                                     of its own words and END
    next    after 0, 1, 2, 3 letters: asked, first right, among three    at the keystrokes of a word
    exact   for N = 1 .. 8: asked, right                                 whether the next N words were written just so
    keys    characters, keys pressed under the policy of `engine.replay`
    shown   ghost texts that appeared, of these right to their end
    gate    for each threshold: keystrokes at least so sure, of these right
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from time import monotonic, perf_counter
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from rejoinder.engine.completion import exact_words
from rejoinder.engine.gate import Gate
from rejoinder.engine.replay import Replay, replay
from rejoinder.engine.typing import Engine, Typed, TypingSession
from rejoinder.ladder.heldout import HeldOut
from rejoinder.models.interfaces import LanguageModel, Progress, silent
from rejoinder.post import Post, Query
from rejoinder.text.phrases import Phrases

LETTERS = 4  # 0 to 3 letters typed
LONGEST = 8  # words of ExactMatch@N
THRESHOLDS = np.round(np.linspace(0.0, 0.95, 20), 2)  # of the gate
_TYPED = 200  # characters of a post that are typed
_EXACT = 3  # places in a post where its next words are asked for
_SPACE = " "

Floats = NDArray[np.float64]


def post_nats(model: LanguageModel, post: Post, context: Sequence[Post]) -> float:
    """Nats that a model pays for a post's own words and END, given what it answers."""
    tokens = [*model.tokenizer.encode(post.own_text), model.tokenizer.end]
    return -float(model.score_tokens(model.start(context), tokens).sum(dtype=np.float64))


def score_text(model: LanguageModel, held: HeldOut, most: int, until: float, progress: Progress = silent) -> Floats:
    """(P, 3) float64: nats, bytes and words of each of the first P posts: at most `most`, and those there is time for.

    Args:
        model: what is measured.
        held: the posts.
        most: how many of them.
        until: the `monotonic` second at which to stop.
        progress: told how many are done.
    """
    rows: list[tuple[float, int, int]] = []
    for post, context in zip(held.posts[:most], held.contexts, strict=False):
        if rows and monotonic() > until:
            break
        rows.append((post_nats(model, post, context), len(post.own_text.encode("utf-8", "replace")), len(post.own_text.split())))
        progress("scoring posts", len(rows), min(most, len(held.posts)))
    return np.array(rows, np.float64).reshape(-1, 3)


@dataclass
class Typing:
    """What typing the first Q posts was like."""

    columns: dict[str, Floats] = field(default_factory=dict)  # (Q, ...) each
    milliseconds: list[float] = field(default_factory=list)  # of each keystroke


def type_posts(engine: Engine, held: HeldOut, most: int, until: float, progress: Progress = silent) -> Typing:
    """Type the beginnings of posts again, a keystroke at a time, with the engine's best voice; arguments as in `score_text`."""
    columns: dict[str, list[Floats]] = {"next": [], "exact": [], "keys": [], "shown": [], "gate": []}
    found = Typing()
    model = next(iter(engine.voices.values()))
    for number, (post, context) in enumerate(zip(held.posts[:most], held.contexts, strict=False)):
        if number and monotonic() > until:
            break
        text = post.own_text[:_TYPED]
        session = cast(TypingSession, _Timed(engine.open(context), found.milliseconds))
        seen = replay(session, text, Gate.NORMAL)
        columns["next"].append(_next_words(seen))
        columns["exact"].append(_exact(model, context, post.own_text, post.id, engine.phrases))
        columns["keys"].append(np.array([len(text), seen.keys], np.float64))
        columns["shown"].append(np.array([len(seen.suggestions), sum(one.right for one in seen.suggestions)], np.float64))
        columns["gate"].append(_gated(seen))
        progress("typing posts again", number + 1, min(most, len(held.posts)))
    found.columns = {name: np.stack(rows) for name, rows in columns.items() if rows}
    return found


class _Timed:
    """A session that notes how long each keystroke took."""

    def __init__(self, session: TypingSession, into: list[float]) -> None:
        self._session, self._into = session, into

    def suggest(self, draft: str, **how: Any) -> Typed:
        """As the session does."""
        began = perf_counter()
        typed = self._session.suggest(draft, **how)
        self._into.append((perf_counter() - began) * 1000)
        return typed


def _next_words(seen: Replay) -> Floats:
    """(LETTERS, 3): asked, first right, among three."""
    rows = []
    for letters in range(LETTERS):
        here = seen.letters == letters
        rows.append([here.sum(), seen.right[here].sum(), seen.among[here].sum()])
    return np.array(rows, np.float64)


def _gated(seen: Replay) -> Floats:
    """(G, 2): keystrokes at least so sure, and of these right."""
    sure = seen.probability[None] >= np.maximum(THRESHOLDS, 1e-9)[:, None]
    return np.stack([sure.sum(axis=1), (sure & seen.right[None]).sum(axis=1)], axis=1).astype(np.float64)


def _exact(model: LanguageModel, context: Sequence[Post], text: str, seed: int, phrases: Phrases | None = None) -> Floats:
    """(LONGEST, 2): how often N words were asked for, and were written just so, at some places near the beginning of a text.

    Smart Compose's ExactMatch@N (Chen et al. 2019), of the best continuation; one that ends sooner is wrong.
    """
    starts = [place for place in range(1, min(len(text), _TYPED)) if text[place - 1] == _SPACE and text[place] != _SPACE]
    counts = np.zeros((LONGEST, 2))
    for place in np.random.default_rng(seed).permutation(len(starts))[:_EXACT]:
        draft, written = text[: starts[place]], text[starts[place] :].split()[:LONGEST]
        made = exact_words(model, Query(tuple(context), draft), 1, LONGEST, phrases=phrases)
        said = made[0].text.split() if made else []
        for n in range(1, len(written) + 1):
            counts[n - 1] += 1, said[:n] == written[:n]
    return counts

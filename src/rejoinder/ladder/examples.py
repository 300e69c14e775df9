"""Examples: the held-out posts where the two best rungs differ most, with what each said there.

They hold words of posts, which a report does not. So they lie beside it, in the home alone, as a page of their own, and go when
anything is forgotten.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from rejoinder.engine.completion import exact_words
from rejoinder.files import write_atomically
from rejoinder.ladder import metrics
from rejoinder.ladder.heldout import HeldOut
from rejoinder.ladder.page import render
from rejoinder.ladder.ranking import CandidateDraws, Pool
from rejoinder.ladder.report import Kind
from rejoinder.ladder.text_evaluation import post_nats
from rejoinder.models.interfaces import LanguageModel, ReplyRanker
from rejoinder.post import Query
from rejoinder.text.phrases import Phrases

EXAMPLES = "examples.html"  # in the folder of the ladder
MOST = 10
_ASKED, _WRITTEN, _DRAFT = 240, 600, 60  # characters that are shown
_TYPED = 200  # characters of a post that are gone on from
_MOMENTS, _WORDS = 3, 4  # places of a post, words that each says there


@dataclass(frozen=True)
class Moment:
    """What two rungs said at one place."""

    draft: str
    written: str  # what the person wrote there
    said: tuple[str, str]  # "" for nothing


@dataclass(frozen=True)
class Example:
    """A post on which two rungs differ."""

    asked: str  # what it answers, its beginning; "" where it answers nothing
    written: str  # its own beginning
    figures: tuple[float, float]  # of the two rungs: bits per byte, or the rank of the true reply
    moments: tuple[Moment, ...]


@dataclass(frozen=True)
class Contrast:
    """The two best rungs of a kind, and where they differ."""

    kind: Kind
    rungs: tuple[str, str]  # the best first
    examples: tuple[Example, ...]


def widest(ahead: NDArray[np.float64], most: int = MOST) -> list[int]:
    """Of (N,) differences the places of the largest and the smallest, in turn; those that are 0 tell nothing."""
    order = np.argsort(-ahead, kind="stable")
    up, down = (order[ahead[order] > 0], order[::-1][ahead[order[::-1]] < 0])
    turns = [int(side[turn]) for turn in range(most) for side in (up, down) if turn < len(side)]
    return turns[:most]


def typing_examples(
    models: Sequence[LanguageModel],
    held: HeldOut,
    places: Sequence[int],
    phrases: Phrases | None = None,
    until: float = float("inf"),
) -> list[Example]:
    """What two language models pay for the posts at `places`, and how they would go on at some places of each.

    `phrases` says whose words they have read, so that what is shown is what a person would see; no more posts are begun after the
    `monotonic` second `until`.
    """
    found: list[Example] = []
    for place in places:
        if found and monotonic() > until:
            break
        post, context = held.posts[place], held.contexts[place]
        text, size = post.own_text, len(post.own_text.encode("utf-8", "replace"))
        one, other = (post_nats(model, post, context) / (np.log(2) * size) for model in models)
        begins = [at for at in range(1, min(len(text), _TYPED)) if text[at - 1].isspace() and not text[at].isspace()]
        chosen = sorted(np.random.default_rng(post.id).permutation(len(begins))[:_MOMENTS])
        moments = []
        for at in (begins[int(number)] for number in chosen):
            made = [exact_words(model, Query(tuple(context), text[:at]), 1, _WORDS, phrases=phrases) for model in models]
            first, second = (said[0].text.strip() if said else "" for said in made)
            moments.append(Moment(text[:at][-_DRAFT:], " ".join(text[at:].split()[:_WORDS]), (first, second)))
        asked = context[-1].own_text[:_ASKED] if context else ""
        found.append(Example(asked, text[:_WRITTEN], (round(one, 3), round(other, 3)), tuple(moments)))
    return found


def reply_examples(models: Sequence[ReplyRanker], pool: Pool, lists: CandidateDraws, rows: Sequence[int]) -> list[Example]:
    """Which reply two rankers put first for some of the pairs, in the first draw, and where they put the true one."""
    found = []
    for row in rows:
        pair, candidates = pool.pairs[lists.places[row]], lists.candidates[0, row]
        texts = [pool.pairs[candidate].reply.own_text for candidate in candidates]
        first, ranks = [], []
        for model in models:
            scores = np.asarray(model.score_replies(pair.context, [pool.pairs[one].reply.text for one in candidates]), np.float64)
            ranks.append(float(metrics.ranks(scores[:1], scores[None, 1:])[0]))
            first.append(texts[int(np.argmax(scores))][:_ASKED])
        asked = pair.context[-1].own_text[:_WRITTEN]
        moment = Moment("", texts[0][:_ASKED], (first[0], first[1]))
        found.append(Example(asked, texts[0][:_WRITTEN], (ranks[0], ranks[1]), (moment,)))
    return found


_adapter = TypeAdapter(list[Example])


def write_examples(file: Path, examples: list[Example]) -> None:
    """Write them, for `read_examples`."""
    write_atomically(file, _adapter.dump_json(examples, indent=1))


def read_examples(file: Path) -> list[Example]:
    """What `write_examples` wrote."""
    return _adapter.validate_json(file.read_bytes())


def examples_page(contrasts: Sequence[Contrast], forum: str) -> bytes:
    """One HTML file that needs nothing else."""
    return render("examples.html", contrasts=contrasts, forum=forum).encode()

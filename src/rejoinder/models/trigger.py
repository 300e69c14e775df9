"""The trigger: how sure one may be that a proposed reply is on topic, and below what to stay silent.

Nobody has judged the replies, so dev judges them: for a dev post the real sources propose, and a judge tells which proposals are
*on topic* by what people really answered there (see `judge`; by chance 1 in 20 is). On what could be seen of each proposal,

    p(on topic) = 0.95 s(c + a z + v . u),     z = b + w . x,     s(z) = 1 / (1 + e^-z)
    x: the ranker's score, which sources proposed it, what each gave it as a share of what it gives the post itself, how many did,
       how alike what it answered is to the post, beyond the first word in common; ln(words in common of post and reply), of
       which the first is no evidence; ln(1 + its words), but of at most 20 of them
    u: how much of what is asked stood in what the reply answered; how far the reply leans on the talk it comes from, and whether
       it speaks to somebody there (see `standing`); how much is asked, how much of it the reply takes up, in near words too, and
       how alike it is to the best that were found (see `bearing`)

z is a logistic regression over dev of what the judge says. It looks at words in common only, and a person sees more: a, c and v
are a logistic regression of what a person said of 902 proposals for 230 Hacker News dev posts and 105 short questions (41% on
topic, 12% useful). What is best is shown first: p(on topic) p(solved)^0.25, where the archive tells which replies solved what
was asked (see `solved`; elsewhere that factor is 1). Whatever is less likely than `precision` is not shown: silence beats noise.
A reply of two words fits anything; beyond 20, more words only have more in common with anything.

Explained in docs/tour/07-the-replier.md.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import log, log1p
from pathlib import Path
from typing import Annotated, Any, ClassVar, NamedTuple, Self, cast

import numpy as np
from numpy.typing import NDArray

from rejoinder.config import At, Checked, PositiveInt
from rejoinder.corpus import Corpus
from rejoinder.errors import DamagedModel, ModelError
from rejoinder.files import write_json
from rejoinder.models import LADDER, Can
from rejoinder.models.bearing import bearings
from rejoinder.models.directory import load_config, load_json, save_config
from rejoinder.models.interfaces import AskedBefore, Job, Meanings, ReplyRanker, ReplySource, Scores, Suggester
from rejoinder.models.judge import Judge, Likeness, likeness
from rejoinder.models.pairs import clean_pairs
from rejoinder.models.regression import Regression, sigmoid
from rejoinder.models.solved import Mark, Solved
from rejoinder.models.standing import leaning
from rejoinder.post import Post, Suggestion
from rejoinder.text.words import words

_log = logging.getLogger(__name__)
_CANDIDATES = 20  # asked of each source
_FEWEST = 30  # answered posts of dev below which nothing is learned
_OF_SOLVED = 0.25  # the power of p(solved)
_PERSON = np.array([0.84, 2.95, -2.73, -0.5, 0.57, 3.53, 2.73])  # a, v: what the judge's log-odds and u weigh for a reader
_LEVEL = -4.86  # c
_SUREST = 0.95  # nobody read enough of them to say more
_BESIDE = 5  # features beside those of each source
_BINS = 10  # of the calibration error
_BEST = 6  # replies that others are compared with
_FULL = 20  # words from which on a reply counts as long
_FILE = "trigger.json"

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class TriggerConfig(Checked, of="trigger"):
    """Settings of the trigger."""

    models: tuple[str, ...] = ()  # what proposes, and the ranker last; none named: all that are fitted
    precision: Annotated[float, At(above=0, most=1)] = 0.65  # how likely what is shown is to be on topic, at least
    contexts: PositiveInt = 500  # posts of dev that are judged, at most


@dataclass(frozen=True)
class Candidate:
    """A proposed reply, and what each source that proposed it gave it."""

    suggestion: Suggestion
    by: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class Learned:
    """What a trigger knows. Without a `regression` nothing is known, and nothing held back."""

    regression: Regression | None
    figures: Mapping[str, float]
    words: Likeness
    solved: Solved


class Judged(NamedTuple):
    """The C proposals for one dev post."""

    x: Floats  # (C, F)
    u: Floats  # (C, 6) what a person sees besides
    y: Floats  # (C,) 0 or 1, whether each is on topic
    worth: Floats  # (C,) p(solved)^0.25


class Trigger(Suggester):
    """Sources and a ranker, and how far to trust what they propose."""

    Config: ClassVar[type] = TriggerConfig

    def __init__(self, config: TriggerConfig, parts: Mapping[str, Suggester], learned: Learned) -> None:
        """Use `fit` or `load`."""
        self.config = config
        self.sources, self.ranker = _roles(parts)
        self.threshold = config.precision if learned.regression else 0.0  # p below which nothing is shown
        self.figures = dict(learned.figures)
        self._learned = learned

    @classmethod
    def fit(cls, corpus: Corpus, config: TriggerConfig, *, rng: np.random.Generator, job: Job) -> Self:
        """Judge what the fitted `job.parts` propose for dev posts, and learn from that."""
        sources, ranker = _roles(job.parts)
        questions = _questions(corpus, config.contexts, rng)
        judge, solved = Judge.of(corpus, rng), Solved.of(corpus)
        judged: list[Judged] = []
        for done, (context, answers) in enumerate(questions):
            found = candidates(sources, context, _CANDIDATES)
            if found:
                texts = [candidate.suggestion.text for candidate in found]
                x = features(found, ranker.score_replies(context, texts), list(sources), context, judge.known)
                worth = np.array([_worth(solved, candidate.suggestion) for candidate in found])
                u = beside(found, sources, context, judge.known)
                judged.append(Judged(x, u, judge.on_topic(texts, answers).astype(np.float64), worth))
            job.progress("judging replies on dev", done + 1, len(questions))
        if len(judged) < _FEWEST:
            _log.warning(
                "trigger: dev has only %d posts to judge replies by, %d are needed; nothing is held back", len(judged), _FEWEST
            )
            return cls(config, job.parts, Learned(None, {}, judge.known, solved))
        return cls(config, job.parts, Learned(_regression(judged), _figures(judged, config.precision), judge.known, solved))

    @property
    def knows(self) -> bool:
        """Whether dev was large enough to learn from."""
        return self._learned.regression is not None

    def propose(self, context: Sequence[Post], k: int) -> list[Suggestion]:
        """What the sources propose, `k` each at most, the best first; the score is p(on topic).

        Raises:
            ModelError: nothing is known.
        """
        learned = self._learned
        if learned.regression is None:
            raise ModelError("the trigger has learned nothing: dev had too few answered posts; import more and fit again")
        found = candidates(self.sources, context, k)
        if not found:
            return []
        ranked = self.ranker.score_replies(context, [candidate.suggestion.text for candidate in found])
        judged = learned.regression(features(found, ranked, list(self.sources), context, learned.words))
        likely = as_a_person(judged, beside(found, self.sources, context, learned.words))
        scored = [replace(candidate.suggestion, score=float(p)) for candidate, p in zip(found, likely, strict=True)]
        return sorted(scored, key=lambda suggestion: -self.worth(suggestion))

    def worth(self, suggestion: Suggestion) -> float:
        """How good a proposal is, by which they are ordered: its score, times p(solved)^0.25 where the archive tells that."""
        return suggestion.score * _worth(self._learned.solved, suggestion)

    def marks(self, suggestion: Suggestion) -> Mark:
        """What is known of how well a reply did."""
        return self._learned.solved.of_post(suggestion.post)[1]

    def save(self, directory: Path) -> None:
        """Write what was learned."""
        save_config(directory, "trigger", self.config)
        learned = self._learned
        weights = {name: array.tolist() for name, array in vars(learned.regression).items()} if learned.regression else None
        write_json(directory / _FILE, {"sources": list(self.sources), "learned": weights, "figures": self.figures})
        learned.words.save(directory)
        learned.solved.save(directory)

    @classmethod
    def load(cls, directory: Path, parts: Mapping[str, Suggester] = {}) -> Self:
        """Read what `save` wrote, for the same parts.

        Raises:
            DamagedModel: it does not fit together, or not these parts.
        """
        config = load_config(directory, "trigger", TriggerConfig)
        facts = load_json(directory / _FILE)
        known, solved = Likeness.load(directory), Solved.load(directory)
        try:
            weights = facts["learned"]
            regression = (
                Regression(*(np.array(weights[key], np.float64) for key in ("centre", "spread", "weights"))) if weights else None
            )
            found = cls(config, parts, Learned(regression, facts["figures"], known, solved))
            sizes = {len(regression.centre), len(regression.spread), len(regression.weights) - 1} if regression else set()
            if facts["sources"] != list(found.sources) or sizes - {_width(len(found.sources))}:
                raise ValueError("it was fitted for other sources")
        except (KeyError, TypeError, ValueError) as error:
            raise DamagedModel(f"{directory}: the trigger does not fit ({error}); fit again: rejoinder fit trigger") from error
        return found


def candidates(sources: Mapping[str, ReplySource], context: Sequence[Post], k: int) -> list[Candidate]:
    """What the sources propose, `k` each at most, each reply once, in the order of the sources."""
    found: dict[Any, tuple[Suggestion, dict[str, float]]] = {}
    for name, source in sources.items():
        proposed = source.propose(context, k)
        most = 1.0  # what the source would give a post that says the same
        if proposed and Can.RANK in LADDER[name].can:
            most = float(cast(ReplyRanker, source).score_replies(context, [context[-1].own_text])[0])
        for suggestion in proposed:
            key = suggestion.text if suggestion.post is None else suggestion.post
            found.setdefault(key, (suggestion, {}))[1].setdefault(name, suggestion.score / most if most > 0 else 0.0)
    return [Candidate(suggestion, by) for suggestion, by in found.values()]


def features(
    found: Sequence[Candidate], ranked: Scores, sources: Sequence[str], context: Sequence[Post], known: Likeness
) -> Floats:
    """(C, F) float64: the x of each candidate for the last post of `context`."""
    x = np.zeros((len(found), _width(len(sources))))
    post = known.vector(context[-1].own_text)
    asked = {*words(context[-1].own_text)}
    for row, candidate in enumerate(found):
        for place, name in enumerate(sources):
            if name in candidate.by:
                x[row, 2 * place : 2 * place + 2] = 1, candidate.by[name]
        said = words(candidate.suggestion.text)
        shared = log(max(len(asked & {*said}), 1))
        alike = likeness(post, known.vector(candidate.suggestion.title))
        x[row, -_BESIDE:] = ranked[row], len(candidate.by), alike, shared, log1p(min(len(said), _FULL))
    return x


def beside(found: Sequence[Candidate], sources: Mapping[str, ReplySource], context: Sequence[Post], known: Likeness) -> Floats:
    """(C, 6) float64: the u of each candidate for the last post of `context`."""
    posts = [candidate.suggestion.post for candidate in found if candidate.suggestion.post is not None]
    asked: dict[int, float] = {}
    meanings: Meanings | None = None
    best: list[int] = []
    for name, source in sources.items():
        if isinstance(source, AskedBefore):
            asked.update(source.asked_before(context, posts))
        if isinstance(source, Meanings):
            meanings = source
            best = sorted((at for at, one in enumerate(found) if name in one.by), key=lambda at: -found[at].by[name])[:_BEST]
    texts = [one.suggestion.text for one in found]
    rows = [(asked.get(one.suggestion.post or 0, 0.0), *leaning(one.suggestion.text)) for one in found]
    bearing = bearings(context[-1].own_text, texts, best, known, meanings)
    return np.concatenate([np.array(rows, np.float64).reshape(-1, 3), bearing], axis=1)


def as_a_person(p: Floats, u: Floats) -> Floats:
    """(N,) what a person would say where the judge says `p` (N,), of replies of which `u` (N, 6) is known."""
    odds = np.log(np.maximum(p, 1e-12)) - np.log(np.maximum(1 - p, 1e-12))
    return _SUREST * sigmoid(_LEVEL + _PERSON[0] * odds + u @ _PERSON[1:])


def calibration_error(p: Floats, y: Floats) -> float:
    """Expected calibration error: in ten bins with equally many, how far the mean p lies from the share of hits, on average."""
    order = np.argsort(p, kind="stable")
    return sum(
        abs(float(p[some].mean() - y[some].mean())) * len(some) / len(p) for some in np.array_split(order, _BINS) if len(some)
    )


def _roles(parts: Mapping[str, Suggester]) -> tuple[dict[str, ReplySource], ReplyRanker]:
    """Of the parts, those that propose; and the highest that ranks.

    Raises:
        ModelError: one of both is missing.
    """
    sources = {name: cast(ReplySource, part) for name, part in parts.items() if Can.PROPOSE in LADDER[name].can}
    rankers = [cast(ReplyRanker, part) for name, part in parts.items() if Can.RANK in LADDER[name].can]
    if not sources or not rankers:
        raise ModelError(f"a trigger needs rungs that propose and one that ranks; got {', '.join(parts) or 'none'}; fit bm25")
    return sources, rankers[-1]


def _figures(judged: Sequence[Judged], precision: float) -> dict[str, float]:
    """How what is shown first did on dev."""
    held = _held_out(judged)
    likely = [as_a_person(p, one.u) for p, one in zip(held, judged, strict=True)]
    first = [int(np.argmax(p * one.worth)) for p, one in zip(likely, judged, strict=True)]
    tops = np.array([p[place] for p, place in zip(likely, first, strict=True)])
    hits = np.array([one.y[place] for one, place in zip(judged, first, strict=True)])
    shown = tops >= precision
    every = np.concatenate([one.y for one in judged])
    return {
        "posts": len(tops),
        "coverage": float(shown.mean()),  # share of posts for which anything is shown
        "precision": float(tops[shown].mean()) if shown.any() else 0.0,  # of what is shown first, as a person would say
        "judged": float(hits[shown].mean()) if shown.any() else 0.0,  # the same, by the judge
        "judged_of_all": float(every.mean()),
        "judged_of_best": float(hits.mean()),
        "calibration_error": calibration_error(np.concatenate(held), every),  # of the judge's p
    }


def _held_out(judged: Sequence[Judged]) -> list[Floats]:
    """p of every proposal, each half of the posts (which stand thread by thread) judged by what the other half taught."""
    half = len(judged) // 2
    lower, upper = _regression(judged[:half]), _regression(judged[half:])
    return [upper(one.x) for one in judged[:half]] + [lower(one.x) for one in judged[half:]]


def _regression(judged: Sequence[Judged]) -> Regression:
    return Regression.of(np.concatenate([one.x for one in judged]), np.concatenate([one.y for one in judged]))


def _worth(solved: Solved, suggestion: Suggestion) -> float:
    return solved.of_post(suggestion.post)[0] ** _OF_SOLVED if solved.facts["target"] else 1.0


def _width(sources: int) -> int:
    """F, how many features there are for so many sources."""
    return 2 * sources + _BESIDE


def _questions(corpus: Corpus, most: int, rng: np.random.Generator) -> list[tuple[tuple[Post, ...], list[str]]]:
    """Dev posts that were answered, with their context, and what was answered; drawn at random, in the order of their threads."""
    found = list(_answered(corpus))
    chosen = np.sort(rng.permutation(len(found))[:most]).tolist()
    return [found[place] for place in chosen]


def _answered(corpus: Corpus) -> Iterator[tuple[tuple[Post, ...], list[str]]]:
    for thread in corpus.threads("dev"):
        answers: dict[int, tuple[tuple[Post, ...], list[str]]] = {}
        for context, reply in clean_pairs(thread.pairs()):
            answers.setdefault(context[-1].id, (context, []))[1].append(reply.own_text)
        yield from answers.values()

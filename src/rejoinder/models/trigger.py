"""The trigger: how sure one may be that a proposed reply is on topic, and below what to stay silent.

Nobody has judged the replies, so dev judges them: for a dev post the real sources propose, and a proposal counts as *on topic* if
it is more like what people really answered there than 95 of 100 replies drawn at random (cosine of tf-idf; the most like of the
real answers counts). By chance that is 1 in 20. On what could be seen of each proposal,

    p(on topic) = s( b + w . x ),     s(z) = 1 / (1 + e^-z)
    x: the ranker's score, which sources proposed it, what each gave it as a share of what it gives the post itself, how many did,
       ln(1 + its words), but of at most 20 of them

is a logistic regression over dev (calibration as in Platt 1999). The threshold is the lowest p at which the share `precision`
of the best proposals above it is on topic (the trigger of Kannan et al. 2016), each half of dev judged by what the other
half taught. A reply of two words fits anything; beyond 20, more words only have more in common with anything. The judge looks at
words in common only: a good answer in other words counts as off topic, so the shares are lower than a reader's.

Explained in docs/tour/07-the-replier.md.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import log
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self, cast

import numpy as np
from numpy.typing import NDArray

from rejoinder.config import At, Checked, PositiveInt
from rejoinder.corpus import Corpus
from rejoinder.errors import DamagedModel, ModelError
from rejoinder.files import write_json
from rejoinder.models import LADDER, Can
from rejoinder.models.directory import load_config, load_json, save_config
from rejoinder.models.interfaces import Job, ReplyRanker, ReplySource, Scores, Suggester
from rejoinder.models.pairs import clean_pairs
from rejoinder.models.regression import logistic, sigmoid
from rejoinder.post import Post, Suggestion
from rejoinder.text.words import words

_log = logging.getLogger(__name__)
CHANCE = 0.05  # share of random replies that count as on topic
_CANDIDATES = 20  # asked of each source
_FEWEST = 30  # answered posts of dev below which nothing is learned
_TRUSTED = 10  # posts above a threshold from which their share is believed
_RANDOM = 400  # replies that the proposals are compared with
_SHRINK = 1.0  # how strongly weights are drawn to saying nothing
_BINS = 10  # of the calibration error
_FULL = 20  # words from which on a reply counts as long
_FILE = "trigger.json"

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class TriggerConfig(Checked, of="trigger"):
    """Settings of the trigger."""

    models: tuple[str, ...] = ()  # what proposes, and the ranker last; none named: all that are fitted
    precision: Annotated[float, At(above=0, most=1)] = 0.5  # share of what is shown that is to be on topic
    contexts: PositiveInt = 500  # posts of dev that are judged, at most


@dataclass(frozen=True)
class Candidate:
    """A proposed reply, and what each source that proposed it gave it."""

    suggestion: Suggestion
    by: Mapping[str, float]


@dataclass(frozen=True)
class Regression:
    """A logistic regression over F standardised features."""

    centre: Floats  # (F,)
    spread: Floats  # (F,)
    weights: Floats  # (F+1,) the last is b

    @classmethod
    def of(cls, x: Floats, y: Floats) -> Self:
        """Of (N, F) features and (N,) 0 or 1."""
        centre, spread = x.mean(axis=0), np.maximum(x.std(axis=0), 1e-6)
        share = (y.sum() + 1) / (len(y) + 2)
        prior = np.concatenate([np.zeros(x.shape[1]), [log(share / (1 - share))]])
        return cls(centre, spread, logistic(_design(x, centre, spread), y, np.ones(len(y)), _SHRINK, prior))

    def __call__(self, x: Floats) -> Floats:
        """(N,) p for (N, F) features."""
        return sigmoid(_design(x, self.centre, self.spread) @ self.weights)


class Trigger(Suggester):
    """Sources and a ranker, and how far to trust what they propose."""

    Config: ClassVar[type] = TriggerConfig

    def __init__(
        self,
        config: TriggerConfig,
        parts: Mapping[str, Suggester],
        regression: Regression | None,
        threshold: float,
        figures: Mapping[str, float],
    ) -> None:
        """Use `fit` or `load`. Without a `regression` nothing is known, and nothing held back."""
        self.config = config
        self.sources, self.ranker = _roles(parts)
        self.threshold = threshold  # p below which nothing is shown
        self.figures = dict(figures)
        self._regression = regression

    @classmethod
    def fit(cls, corpus: Corpus, config: TriggerConfig, *, rng: np.random.Generator, job: Job) -> Self:
        """Judge what the fitted `job.parts` propose for dev posts, and learn from that."""
        sources, ranker = _roles(job.parts)
        questions = _questions(corpus, config.contexts, rng)
        judge = Judge.of(corpus, rng)
        xs: list[Floats] = []
        ys: list[Floats] = []
        for done, (context, answers) in enumerate(questions):
            found = candidates(sources, context, _CANDIDATES)
            if found:
                texts = [candidate.suggestion.text for candidate in found]
                xs.append(features(found, ranker.score_replies(context, texts), list(sources)))
                ys.append(judge.on_topic(texts, answers).astype(np.float64))
            job.progress("judging replies on dev", done + 1, len(questions))
        if len(xs) < _FEWEST:
            _log.warning(
                "trigger: dev has only %d posts to judge replies by, %d are needed; nothing is held back", len(xs), _FEWEST
            )
            return cls(config, job.parts, None, 0.0, {})
        held = _held_out(xs, ys)
        tops = np.array([p.max() for p in held])
        hits = np.array([y[p.argmax()] for p, y in zip(held, ys, strict=True)])
        threshold = lowest_threshold(tops, hits, config.precision)
        shown = tops >= threshold
        figures = {
            "posts": len(tops),
            "on_topic_of_all": float(np.concatenate(ys).mean()),
            "on_topic_of_best": float(hits.mean()),
            "precision": float(hits[shown].mean()),
            "coverage": float(shown.mean()),
            "calibration_error": calibration_error(np.concatenate(held), np.concatenate(ys)),
        }
        return cls(config, job.parts, Regression.of(np.concatenate(xs), np.concatenate(ys)), threshold, figures)

    @property
    def knows(self) -> bool:
        """Whether dev was large enough to learn from."""
        return self._regression is not None

    def propose(self, context: Sequence[Post], k: int) -> list[Suggestion]:
        """What the sources propose, `k` each at most, the likeliest first; the score is p(on topic).

        Raises:
            ModelError: nothing is known.
        """
        if self._regression is None:
            raise ModelError("the trigger has learned nothing: dev had too few answered posts; import more and fit again")
        found = candidates(self.sources, context, k)
        if not found:
            return []
        ranked = self.ranker.score_replies(context, [candidate.suggestion.text for candidate in found])
        likely = self._regression(features(found, ranked, list(self.sources)))
        scored = [replace(candidate.suggestion, score=float(p)) for candidate, p in zip(found, likely, strict=True)]
        return sorted(scored, key=lambda suggestion: -suggestion.score)

    def save(self, directory: Path) -> None:
        """Write what was learned."""
        save_config(directory, "trigger", self.config)
        learned = {name: array.tolist() for name, array in vars(self._regression).items()} if self._regression else None
        facts = {"sources": list(self.sources), "learned": learned, "threshold": self.threshold, "figures": self.figures}
        write_json(directory / _FILE, facts)

    @classmethod
    def load(cls, directory: Path, parts: Mapping[str, Suggester] = {}) -> Self:
        """Read what `save` wrote, for the same parts.

        Raises:
            DamagedModel: it does not fit together, or not these parts.
        """
        config = load_config(directory, "trigger", TriggerConfig)
        facts = load_json(directory / _FILE)
        try:
            learned = facts["learned"]
            regression = (
                Regression(*(np.array(learned[key], np.float64) for key in ("centre", "spread", "weights"))) if learned else None
            )
            found = cls(config, parts, regression, float(facts["threshold"]), facts["figures"])
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


def features(found: Sequence[Candidate], ranked: Scores, sources: Sequence[str]) -> Floats:
    """(C, F) float64: the x of each candidate."""
    x = np.zeros((len(found), _width(len(sources))))
    for row, candidate in enumerate(found):
        for place, name in enumerate(sources):
            if name in candidate.by:
                x[row, 2 * place : 2 * place + 2] = 1, candidate.by[name]
        x[row, -3:] = ranked[row], len(candidate.by), log(1 + min(len(words(candidate.suggestion.text)), _FULL))
    return x


class Judge:
    """Tells whether a reply is on topic by what was really answered."""

    def __init__(self, idf: Mapping[str, float], unseen: float, drawn: Sequence[str]) -> None:
        """`idf`, nats; `unseen`: that of other words; `drawn`: replies at random."""
        self._idf, self._unseen = idf, unseen
        self._drawn = [self._vector(text) for text in drawn]

    @classmethod
    def of(cls, corpus: Corpus, rng: np.random.Generator) -> Self:
        """With the document frequencies of the train replies."""
        texts = [pair.reply.own_text for pair in clean_pairs(corpus.pairs("train", limit=1))]
        frequency = Counter(word for text in texts for word in set(words(text)))
        idf = {word: log((1 + len(texts)) / (1 + count)) for word, count in frequency.items()}
        drawn = rng.permutation(len(texts))[:_RANDOM].tolist()
        return cls(idf, log(1 + len(texts)), [texts[place] for place in drawn])

    def on_topic(self, texts: Sequence[str], answers: Sequence[str]) -> NDArray[np.bool_]:
        """(C,) whether each of `texts` is more like one of `answers` than nearly all replies drawn at random."""
        real = [self._vector(answer) for answer in answers]
        chance = np.array([max((_cosine(vector, other) for other in real), default=0.0) for vector in self._drawn])
        bar = float(np.quantile(chance, 1 - CHANCE)) if len(chance) else 0.0
        found = [max((_cosine(self._vector(text), other) for other in real), default=0.0) for text in texts]
        return np.array([likeness > bar for likeness in found], dtype=bool)

    def _vector(self, text: str) -> dict[str, float]:
        """The tf-idf of each word, of length 1; tf counts as 1 + ln."""
        found = {w: (1 + log(n)) * self._idf.get(w, self._unseen) for w, n in Counter(words(text)).items()}
        length = sum(value * value for value in found.values()) ** 0.5
        return {word: value / length for word, value in found.items()} if length else {}


def lowest_threshold(tops: Floats, hits: Floats, precision: float) -> float:
    """The lowest p such that of those at least as probable the share `precision` is a hit; if none is, that of the best share.

    Args:
        tops: (N,) p of the best proposal for each post.
        hits: (N,) 0 or 1, whether it was on topic.
        precision: the share wanted.
    """
    order = np.argsort(-tops, kind="stable")
    share = np.cumsum(hits[order]) / np.arange(1, len(order) + 1)
    trusted = np.arange(len(order)) >= min(_TRUSTED, len(order)) - 1  # of a few, the share says little
    share = np.where(trusted, share, -1.0)
    reached = np.flatnonzero(share >= precision)
    place = int(reached[-1]) if len(reached) else int(np.argmax(share))
    return float(tops[order[place]])


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


def _held_out(xs: Sequence[Floats], ys: Sequence[Floats]) -> list[Floats]:
    """p of every proposal, each half of the posts (which stand thread by thread) judged by what the other half taught."""
    half = len(xs) // 2
    lower, upper = (
        Regression.of(np.concatenate(xs[part]), np.concatenate(ys[part])) for part in (slice(half), slice(half, None))
    )
    return [upper(x) for x in xs[:half]] + [lower(x) for x in xs[half:]]


def _width(sources: int) -> int:
    """F, how many features there are for so many sources."""
    return 2 * sources + 3


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


def _design(x: Floats, centre: Floats, spread: Floats) -> Floats:
    """(N, F+1): features of one scale, and a column of ones."""
    return np.concatenate([(x - centre) / spread, np.ones((len(x), 1))], axis=1)


def _cosine(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    if len(one) > len(other):
        one, other = other, one
    return sum(value * other[word] for word, value in one.items() if word in other)

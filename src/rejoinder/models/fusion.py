"""The fusion: one ranker made of all others, and of plain features of the texts (see `overlap`).

    z_i = w . x_i        p(i is the reply) = exp(z_i) / sum over candidates j of exp(z_j)

x are what the rungs it is made of give a candidate, and what candidate and context have in common; each is centred and has a
spread of 1 on dev. w is fitted on dev by conditional logit (McFadden 1974): the true reply among others from other threads. First
on all pairs; then for answers to comments and answers to opening posts apart, each drawn towards the common weights. Then

    score_i = a z_i + b + c ln(1 + words of the last post) + d ln(1 + words before it)

is fitted so that 1 / (1 + exp(-score)) is the probability that a candidate is the true one among 99 others (Platt 1999):
log-odds, in nats, of each candidate for itself, whatever its company. A candidate that is word for word a post of the context is
no answer to it, however much it has in common with it, and gets -20. Without dev pairs (a fit on everything) train pairs stand
in, on which rungs that learned them look better than they are. It learns nothing that no part of it knows.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from math import log, log1p
from operator import itemgetter
from pathlib import Path
from typing import ClassVar, Self, cast

import numpy as np
from numpy.typing import NDArray

from rejoinder.config import Checked, PositiveFloat, PositiveInt
from rejoinder.corpus import Corpus, Part
from rejoinder.errors import ConfigError, DamagedModel, ModelError, NothingToLearn
from rejoinder.files import write_json
from rejoinder.models import LADDER, Can, those_that
from rejoinder.models.directory import load_array, load_config, load_json, save_array, save_config
from rejoinder.models.interfaces import Job, ReplyRanker, Scores, Suggester
from rejoinder.models.overlap import NAMES, Overlap
from rejoinder.models.pairs import answers_comment, clean_pairs, draw_negatives, drawn
from rejoinder.models.regression import conditional_logit, logistic
from rejoinder.post import Pair, Post
from rejoinder.text.words import words

_log = logging.getLogger(__name__)
_OTHERS = 99  # candidates beside the true one, for which scores are calibrated
_NO_ANSWER = -20.0  # nats, of what only says a post of the context again
_ARRAYS = ("centre", "spread", "weights", "calibration")

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class FusionConfig(Checked, of="fusion"):
    """Settings of the fusion."""

    models: tuple[str, ...] = ()  # what it is made of; none named: all fitted rungs before it that rank
    lists: PositiveInt = 2  # times 99 other replies that each true one is weighed against
    pairs: PositiveInt = 2_500  # of dev that the weights are fitted on, at most
    train_pairs: PositiveInt = 50_000  # that words are counted in, at most
    shrink: PositiveFloat = 3.0  # how strongly weights are drawn to 0, and those of a kind to the common ones

    def __post_init__(self) -> None:
        """Check names and ranges."""
        super().__post_init__()
        able = [name for name in those_that(Can.RANK) if name != "fusion"]
        if len({*self.models}) < len(self.models) or not {*self.models} <= {*able}:
            raise ConfigError(f"`fusion.models` must be different ones of {', '.join(able)}; got {self.models}")


@dataclass(frozen=True, eq=False)
class FusionWeights:
    """What is fitted, for F features; row 0 for answers to opening posts, row 1 for answers to comments."""

    centre: Floats  # (F,)
    spread: Floats  # (F,)
    weights: Floats  # (2, F)
    calibration: Floats  # (2, 4) a, b, c, d

    def scores(self, x: Floats, kind: int, known: Floats) -> Scores:
        """(C,) float64, nats: the log-odds of (C, F) candidates; `known` (3,) is 1 and the logarithms of what was said before."""
        z = np.zeros(len(x))
        for feature, weight in enumerate(self.weights[kind]):  # one by one: a matrix product rounds otherwise in other company
            z += weight * ((x[:, feature] - self.centre[feature]) / self.spread[feature])
        return np.asarray(self.calibration[kind, 0] * z + float(self.calibration[kind, 1:] @ known), np.float64)


class Fusion(ReplyRanker):
    """The parts, the overlap, and the weights of both."""

    Config: ClassVar[type] = FusionConfig

    def __init__(self, config: FusionConfig, parts: Mapping[str, Suggester], overlap: Overlap, weights: FusionWeights) -> None:
        """Use `fit` or `load`. `parts` in the order of their weights."""
        self.config = config
        self._parts = {name: cast(ReplyRanker, part) for name, part in parts.items()}
        self._overlap = overlap
        self._weights = weights

    @property
    def features(self) -> tuple[str, ...]:
        """The names of the F features."""
        return *self._parts, *NAMES

    @classmethod
    def fit(cls, corpus: Corpus, config: FusionConfig, *, rng: np.random.Generator, job: Job) -> Self:
        """Count words of train, then weigh all there is on dev.

        Raises:
            ModelError: there are too few pairs to tell a reply from others.
        """
        missing = [name for name in config.models if name not in job.parts]
        if missing:
            raise ModelError(f"the fusion needs {', '.join(missing)}, fitted; rejoinder fit {' '.join(missing)}")
        parts = {name: part for name, part in job.parts.items() if Can.RANK in LADDER[name].can}
        overlap = Overlap.fit(corpus, config.train_pairs, rng)
        number = len(parts) + len(NAMES)
        blank = FusionWeights(
            np.zeros(number), np.ones(number), np.zeros((2, number)), np.tile([1.0, -log(_OTHERS), 0, 0], (2, 1))
        )
        new = cls(config, parts, overlap, blank)
        of_kinds = [new._lists(questions, rng, job) for questions in _questions(corpus, config.pairs, rng)]
        new._weights = fit_weights(of_kinds, number, config.shrink)
        return new

    def save(self, directory: Path) -> None:
        """Write the weights and the statistics of words."""
        save_config(directory, "fusion", self.config)
        write_json(directory / "features.json", list(self.features))
        for name in _ARRAYS:
            save_array(directory, name, getattr(self._weights, name))
        self._overlap.save(directory)

    @classmethod
    def load(cls, directory: Path, parts: Mapping[str, Suggester] = {}) -> Self:
        """Read what `save` wrote.

        Raises:
            DamagedModel: it does not fit together, or not with the parts.
        """
        config = load_config(directory, "fusion", FusionConfig)
        features = load_json(directory / "features.json")
        weights = FusionWeights(*(np.array(load_array(directory, name), np.float64) for name in _ARRAYS))
        named = features[: -len(NAMES)] if isinstance(features, list) else []
        number = len(named) + len(NAMES)
        fits = [*named, *NAMES] == features and {*named} <= {*parts}
        sizes = [getattr(weights, name).shape for name in _ARRAYS]
        if not fits or sizes != [(number,), (number,), (2, number), (2, 4)]:
            raise DamagedModel(f"{directory}: weights, features and parts do not fit together; fit again: rejoinder fit fusion")
        return cls(config, {name: parts[name] for name in named}, Overlap.load(directory), weights)

    def score_replies(self, context: Sequence[Post], candidates: Sequence[str]) -> Scores:
        """(C,) float64, nats: the log-odds that each candidate answers the last post of `context`, were it one of 100."""
        if not context or not candidates:
            return np.zeros(len(candidates), np.float64)
        scores = self._weights.scores(self.measure(context, candidates), int(answers_comment(context)), _known(context))
        said = {tuple(words(post.own_text)) for post in context}
        scores[[tuple(words(candidate)) in said for candidate in candidates]] = _NO_ANSWER
        return scores

    def measure(self, context: Sequence[Post], candidates: Sequence[str]) -> Floats:
        """(C, F) float64: the features of candidates, in the order of `features`."""
        given = [part.score_replies(context, candidates)[:, None] for part in self._parts.values()]
        return np.concatenate([*given, self._overlap.features(context, candidates)], axis=1)

    def _lists(self, questions: tuple[Sequence[Pair], NDArray[np.int64]], rng: np.random.Generator, job: Job) -> CandidateLists:
        """The features of the true reply and of others, for each of the pairs of one kind."""
        pairs, threads = questions
        _, sizes = np.unique(threads, return_counts=True)
        others = min(self.config.lists * _OTHERS, len(pairs) - int(sizes.max(initial=0)))
        if others < 1:
            nothing = np.empty((0, 1, len(self.features)), np.float32)
            return CandidateLists(nothing, np.empty((0, 3)))
        texts = [pair.reply.own_text for pair in pairs]
        x = np.empty((len(pairs), 1 + others, len(self.features)), np.float32)
        for row, negatives in enumerate(draw_negatives(threads, others, rng)):
            x[row] = self.measure(pairs[row].context, [texts[row], *(texts[place] for place in negatives)])
            job.progress("weighing rankers on dev", row + 1, len(pairs))
        return CandidateLists(x, np.stack([_known(pair.context) for pair in pairs]))


@dataclass(frozen=True, eq=False)
class CandidateLists:
    """N true replies, each in a list with others."""

    x: NDArray[np.float32]  # (N, 1 + others, F) the true one first
    known: Floats  # (N, 3) see `Weights.scores`


def fit_weights(of_kinds: Sequence[CandidateLists], features: int, shrink: float) -> FusionWeights:
    """The weights of both kinds.

    Raises:
        ModelError: there is no list.
    """
    flat = [lists.x.reshape(-1, features).astype(np.float64) for lists in of_kinds]
    every = np.concatenate(flat)
    if not len(every):
        raise NothingToLearn("too few replies to tell one from others: replies in two threads at least are needed; import more")
    centre, spread = every.mean(axis=0), every.std(axis=0)
    spread[spread < 1e-9] = 1.0
    scaled = [((lists.x - centre) / spread).astype(np.float32) for lists in of_kinds]
    common = np.zeros(features)
    widest = min(x.shape[1] for x in scaled if len(x))
    common = conditional_logit(np.concatenate([x[:, :widest] for x in scaled if len(x)]), shrink, common)
    weights = np.stack([conditional_logit(x, shrink, common) if len(x) else common for x in scaled])
    return FusionWeights(
        centre, spread, weights, np.stack([_calibrate(*both) for both in zip(of_kinds, scaled, weights, strict=True)])
    )


def _calibrate(lists: CandidateLists, scaled: NDArray[np.float32], weights: Floats) -> Floats:
    """(4,) a, b, c, d: see above."""
    prior = np.array([1.0, -log(_OTHERS), 0.0, 0.0])
    number, width = scaled.shape[:2]
    if not number:
        return prior
    z = scaled.astype(np.float64) @ weights
    x = np.concatenate([z.reshape(-1, 1), np.repeat(lists.known, width, axis=0)], axis=1)
    y = np.zeros((number, width))
    y[:, 0] = 1
    mass = np.where(y > 0, 1.0, _OTHERS / (width - 1))
    found = logistic(x, y.ravel(), mass.ravel(), 1.0, prior)
    return found if found[0] > 0 else prior  # never turned upside down


def _questions(corpus: Corpus, most: int, rng: np.random.Generator) -> Iterator[tuple[list[Pair], NDArray[np.int64]]]:
    """Pairs of each kind, opening posts first, with the key of their thread: of dev, or where it has none, of train."""
    parts: tuple[Part, ...] = ("dev", "train")
    for part in parts:
        if len({key for key, _ in islice(groupby(_answered(corpus, part), key=itemgetter(0)), 2)}) > 1:
            break
        if part == "dev":
            _log.warning("dev has no replies in two threads, so the fusion is weighed on train")
    chosen = drawn(lambda: _answered(corpus, part), most, rng)
    for kind in (0, 1):
        some = [(key, pair) for key, pair in chosen if answers_comment(pair.context) == kind]
        yield [pair for _, pair in some], np.array([key for key, _ in some], np.int64)


def _answered(corpus: Corpus, part: Part) -> Iterator[tuple[int, Pair]]:
    return ((thread.key, pair) for thread in corpus.threads(part) for pair in clean_pairs(thread.pairs()))


def _known(context: Sequence[Post]) -> Floats:
    before = sum(len(words(post.own_text)) for post in context[:-1])
    return np.array([1.0, log1p(len(words(context[-1].own_text))), log1p(before)])

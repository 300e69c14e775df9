"""The mixture: several language models, weighted by how well the text so far is known.

    p(w | h) = sum over m of l_m(b) p_m(w | h)        l_m(b) >= 0, their sum is 1

One of the voices m may be what a model recalls of this very text, such as the names that have come up in it (see
`rejoinder.models.lstm.recall`). b is the bucket of h: how many tokens the longest context has that the first model met, and how
certain recall is, in `levels` steps with equally many dev tokens in each. Where a context was met often counts know best,
where it never was a net does, and so the weights differ by bucket. They are fitted on dev, by EM (Jelinek & Mercer 1980):

    r_m(t) = l_m(b) p_m(t) / sum over k of l_k(b) p_k(t)                for each dev token t in bucket b
    l_m(b) = (sum over t of r_m(t) + c l_m(above)) / (N(b) + c)

until nothing moves. N(b) counts the tokens; `above` is the coarser bucket (all levels of that length; above it all lengths;
above these equal weights), which counts as c = `shrink` tokens, so that a bucket that hardly occurs has the weights of its like.

A personal model is counted from what one person wrote. What they went on with most often takes the share s of times such a token
was right before (`Personal.likeliest`), so that it weighs more the more often it was right:

    p'(w) = (1 - s) ((1 - personal) p(w) + personal own(w)) + s [w is the likeliest]

A fixed share `personal` of all it says (as in Smart Compose, Chen et al. 2019) costs more than it brings: a few pages say little
of the words that are not the likeliest.

It learns nothing about words itself; without dev tokens all weights are equal.

Explained in docs/tour/06-bringing-it-all-together.md.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, NamedTuple, Self, cast

import numpy as np
from numpy.typing import NDArray

from rejoinder.config import At, Checked, PositiveFloat, PositiveInt
from rejoinder.corpus import Corpus
from rejoinder.errors import ConfigError, DamagedModel, ModelError
from rejoinder.models import LADDER, PACKAGE, Can, rung
from rejoinder.models.directory import load_array, load_config, save_array, save_config
from rejoinder.models.interfaces import (
    NOTHING,
    Counting,
    Job,
    LanguageModel,
    LogProbs,
    Personal,
    Recalled,
    Recalling,
    Suggester,
)
from rejoinder.post import Post
from rejoinder.text.tensors import open_tokens

_log = logging.getLogger(__name__)
_STILL = 1e-6  # EM ends when no weight moves by more


class MixtureState(NamedTuple):
    """What each part knows of the text so far: a value."""

    parts: tuple[Any, ...]
    own: Any = None  # of the personal model


@dataclass(frozen=True)
class MixtureConfig(Checked, of="mixture"):
    """Settings of the mixture."""

    models: tuple[str, ...] = ("kneser_ney", "lstm")  # what is mixed; the first says how well a context is known
    recall: bool = True  # whether what one of them recalls of the text so far is one more voice
    levels: PositiveInt = 10  # steps into which the certainty of that is divided
    shrink: PositiveFloat = 50.0  # tokens that the weights of the coarser bucket count for
    steps: PositiveInt = 200  # of EM at most
    dev_tokens: PositiveInt = 200_000  # of dev, about, that the weights are fitted on
    personal: Annotated[float, At(least=0, below=1)] = 0.0  # share of all that a personal model says where it knows the context

    def __post_init__(self) -> None:
        """Check names and ranges."""
        super().__post_init__()
        able = [name for name, line in LADDER.items() if Can.PREDICT in line.can and name != "mixture"]
        if (
            not self.models
            or len({*self.models}) < len(self.models)
            or not {n.removeprefix(PACKAGE) for n in self.models} <= {*able}
        ):
            raise ConfigError(f"`mixture.models` must be different ones of {', '.join(able)}; got {self.models}")
        if len(self.models) > 1 and Can.COUNT not in rung(self.models[0]).can:
            raise ConfigError(f"the first of `mixture.models` must be one that counts, such as kneser_ney; got {self.models[0]}")


class Mixture(LanguageModel):
    """M parts and, for each bucket, their weights."""

    Config: ClassVar[type] = MixtureConfig

    def __init__(
        self,
        config: MixtureConfig,
        parts: Mapping[str, Suggester],
        weights: MixtureWeights | None = None,
        own: Personal | None = None,
    ) -> None:
        """Use `fit`, `load` or `of_one`; without `weights` all are equal.

        Raises:
            ModelError: a part is missing, or two have different tokenizers.
        """
        self.config = config
        self._by_name = dict(parts)
        self._parts = _in_order(config.models, parts)
        self.tokenizer = self._parts[0].tokenizer
        able = [place for place, name in enumerate(config.models) if Can.RECALL in rung(name).can]
        self._recaller = able[-1] if config.recall and able else None
        self._weights = weights or MixtureWeights.equal(self.voices)
        self._own = own
        everyone = {**dict(zip(config.models, self._parts, strict=True)), **({"personal model": own} if own else {})}
        for name, part in everyone.items():
            if part.tokenizer is not self.tokenizer and part.tokenizer.fingerprint() != self.tokenizer.fingerprint():
                raise ModelError(
                    f"`{config.models[0]}` and `{name}` have different tokenizers, so they cannot be mixed; "
                    f"fit with one: rejoinder fit --retrain-tokenizer {' '.join(config.models)}"
                )

    @classmethod
    def of_one(cls, name: str, model: LanguageModel) -> Self:
        """A single model as a mixture, to which a personal one can be added."""
        return cls(MixtureConfig(models=(name,), recall=False), {name: model})

    @classmethod
    def fit(cls, corpus: Corpus, config: MixtureConfig, *, rng: np.random.Generator, job: Job) -> Self:
        """Fit the weights of the fitted `job.parts` on dev."""
        equal = cls(config, job.parts)
        measured = [equal._measure(equal.start(()), ())]  # nothing, of the right shapes
        done, total = 0, min(config.dev_tokens, len(open_tokens(corpus.tokens, "dev").tokens))
        for context, post in _some_dev_posts(corpus, config.dev_tokens, rng):
            tokens = [*equal.tokenizer.encode(post.own_text), equal.tokenizer.end]
            measured.append(equal._measure(equal.start(context), tokens))
            done += len(tokens)
            job.progress("weighing the models on dev", min(done, total), total)
        if not done:
            _log.warning("mixture: dev has no posts to fit weights on; they are equal")
        log_probs, lengths, certainty = (np.concatenate(column) for column in zip(*measured, strict=True))
        weights = fit_weights(log_probs, lengths, certainty, config)
        return cls(config, job.parts, weights)

    @property
    def voices(self) -> int:
        """M, how many are mixed: the models, and what is recalled."""
        return len(self._parts) + (self._recaller is not None)

    def with_personal(self, model: Personal) -> Self:
        """The same mixture with a model of what one person wrote.

        Raises:
            ModelError: it has another tokenizer.
        """
        return type(self)(self.config, self._by_name, self._weights, model)

    def save(self, directory: Path) -> None:
        """Write the weights; the parts have directories of their own, a personal model has none."""
        save_config(directory, "mixture", self.config)
        save_array(directory, "weights", self._weights.of)
        save_array(directory, "edges", self._weights.edges)

    @classmethod
    def load(cls, directory: Path, parts: Mapping[str, Suggester] = {}) -> Self:
        """Read what `save` wrote, for the same parts."""
        config = load_config(directory, "mixture", MixtureConfig)
        weights = MixtureWeights(*(np.asarray(load_array(directory, name)) for name in ("weights", "edges")))
        mixture = cls(config, parts, weights)
        if not weights.are_of(mixture.voices):
            raise DamagedModel(f"{directory}: the weights are not those of {config.models}; fit again: rejoinder fit mixture")
        return mixture

    def start(self, context: Sequence[Post]) -> MixtureState:
        """The states of all parts before the first token of a post."""
        return MixtureState(tuple(part.start(context) for part in self._parts), self._own.start(context) if self._own else None)

    def advance(self, state: MixtureState, token: int) -> MixtureState:
        """The states of all parts after one more token."""
        parts = (part.advance(known, token) for part, known in zip(self._parts, state.parts, strict=True))
        return MixtureState(tuple(parts), self._own.advance(state.own, token) if self._own else None)

    def ahead(self, state: MixtureState, made: int) -> MixtureState:
        """The states of all parts, with the last `made` tokens in no cache."""
        parts = tuple(part.ahead(known, made) for part, known in zip(self._parts, state.parts, strict=True))
        own = self._own.ahead(state.own, made) if self._own else None
        same = own is state.own and all(new is old for new, old in zip(parts, state.parts, strict=True))
        return state if same else MixtureState(parts, own)

    def log_probs(self, state: MixtureState) -> LogProbs:
        """(V,) float32, nats: the formula above."""
        return self._mixed(state, [part.log_probs(known) for part, known in zip(self._parts, state.parts, strict=True)])

    def advance_many(self, states: Sequence[MixtureState], tokens: Sequence[int]) -> list[MixtureState]:
        """`advance` for B states, each part at once."""
        rows = [part.advance_many([state.parts[m] for state in states], tokens) for m, part in enumerate(self._parts)]
        own = self._own.advance_many([state.own for state in states], tokens) if self._own else [None] * len(states)
        return [MixtureState(tuple(row[b] for row in rows), own[b]) for b in range(len(states))]

    def log_probs_many(self, states: Sequence[MixtureState]) -> NDArray[np.float32]:
        """(B, V) float32, nats; each part at once."""
        if not states:
            return np.empty((0, self.tokenizer.vocabulary), np.float32)
        rows = [part.log_probs_many([state.parts[m] for state in states]) for m, part in enumerate(self._parts)]
        return np.stack([self._mixed(state, [row[b] for row in rows]) for b, state in enumerate(states)])

    def score_tokens(self, state: MixtureState, tokens: Sequence[int]) -> NDArray[np.float32]:
        """(N,) float32, nats; each part scores the whole text at once."""
        log_probs, lengths, certainty = self._measure(state, tokens)
        probs = (self._weights.at(lengths, certainty) * np.exp(log_probs)).sum(axis=1)
        if self._own:
            own = np.exp(self._own.score_tokens(state.own, tokens).astype(np.float64))
            known = state.own
            for place, token in enumerate(tokens):
                share, (likeliest, right) = self._own_share(known), self._own.likeliest(known)
                probs[place] = (1 - right) * ((1 - share) * probs[place] + share * own[place]) + right * (token == likeliest)
                known = self._own.advance(known, token)
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(probs), dtype=np.float32)

    def weights(self, state: MixtureState) -> dict[str, float]:
        """The weight of each part in this state, by name, and of `recall`, if it is one; the personal model apart."""
        found = self._weights.at(self._length(state), self._recall(state).certainty)
        return dict(zip((*self.config.models, "recall"), found.tolist(), strict=False))

    def _mixed(self, state: MixtureState, rows: Sequence[LogProbs]) -> LogProbs:
        recalled = self._recall(state)
        weights = self._weights.at(self._length(state), recalled.certainty)
        if self._recaller is not None and not len(recalled.tokens):  # nothing to recall: the cell speaks for it
            weights = weights[:-1] + weights[-1] * (np.arange(len(rows)) == self._recaller)
        probs = np.zeros(self.tokenizer.vocabulary)
        for weight, row in zip(weights, rows, strict=False):
            probs += weight * np.exp(row.astype(np.float64))
        np.add.at(probs, recalled.tokens, weights[-1] * recalled.shares)
        if self._own:
            share, (likeliest, right) = self._own_share(state.own), self._own.likeliest(state.own)
            if share:
                probs = (1 - share) * probs + share * np.exp(self._own.log_probs(state.own).astype(np.float64))
            probs *= 1 - right
            probs[likeliest] += right
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(probs), dtype=np.float32)

    def _own_share(self, known: Any) -> float:
        return self.config.personal if self._own and self._own.seen(known) else 0.0

    def _length(self, state: MixtureState) -> int:
        """The tokens of the longest context that was met."""
        return cast(Counting, self._parts[0]).seen(state.parts[0]) if len(self._parts) > 1 else 0

    def _recall(self, state: MixtureState) -> Recalled:
        if self._recaller is None:
            return NOTHING
        return cast(Recalling, self._parts[self._recaller]).recall(state.parts[self._recaller])

    def _measure(
        self, state: MixtureState, tokens: Sequence[int]
    ) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float32]]:
        """(N, M) float64 nats of each token by each voice; (N,) the length and (N,) the certainty it stands in."""
        scored, recalled = list[NDArray[np.float32]](), list[NDArray[np.float32]]()
        certainty, lengths = np.full(len(tokens), -np.inf, np.float32), np.zeros(len(tokens), np.int64)
        for place, (part, known) in enumerate(zip(self._parts, state.parts, strict=True)):
            if place == self._recaller:
                nats, again, certainty = cast(Recalling, part).score_recall(known, tokens)
                recalled.append(np.where(certainty > -np.inf, again, nats))  # nothing to recall: it says the same
            elif place == 0 and len(self._parts) > 1:
                nats, lengths = cast(Counting, part).score_seen(known, tokens)
            else:
                nats = part.score_tokens(known, tokens)
            scored.append(nats)
        return np.stack(scored + recalled, axis=1).astype(np.float64), lengths, certainty


def with_personal(name: str, model: LanguageModel, own: Personal) -> Mixture:
    """The rung of that name with a model of what one person wrote mixed in.

    Raises:
        ModelError: it has another tokenizer.
    """
    return (model if isinstance(model, Mixture) else Mixture.of_one(name, model)).with_personal(own)


def with_own_counts(name: str, model: LanguageModel, own: Iterable[Personal]) -> LanguageModel:
    """The rung of that name with the one of `own` mixed in that has its tokenizer; itself where none has."""
    same = model.tokenizer.fingerprint()
    counts = next((one for one in own if one.tokenizer.fingerprint() == same), None)
    return model if counts is None else with_personal(name, model, counts)


@dataclass(frozen=True)
class MixtureWeights:
    """The weights of every bucket."""

    of: NDArray[np.float64]  # (lengths, 1 + levels, M); level 0: nothing to recall
    edges: NDArray[np.float32]  # (levels - 1,) nats, where one level of certainty ends

    @classmethod
    def equal(cls, voices: int) -> Self:
        """The same for M voices."""
        return cls(np.full((1, 1, voices), 1 / voices), np.empty(0, np.float32))

    def are_of(self, voices: int) -> bool:
        """Whether they are weights of M voices."""
        return self.of.ndim == 3 and self.of.shape[2] == voices and np.allclose(self.of.sum(axis=2), 1) and self.edges.ndim == 1

    def at(self, length: Any, certainty: Any) -> Any:
        """(M,) the weights of a bucket, or (N, M) of N; lengths and levels that fitting never met as the last."""
        level = find_level(self.edges, certainty)
        return self.of[np.minimum(length, self.of.shape[0] - 1), np.minimum(level, self.of.shape[1] - 1)]


def find_level(edges: NDArray[np.float32], certainty: Any) -> Any:
    """Which level a certainty is, from 1 on; 0 where there is nothing to recall."""
    return np.where(np.isneginf(certainty), 0, 1 + np.searchsorted(edges, certainty, side="right"))


def fit_weights(
    log_probs: NDArray[np.float64], lengths: NDArray[np.int64], certainty: NDArray[np.float32], config: MixtureConfig
) -> MixtureWeights:
    """The weights of every bucket, by EM from the coarsest down.

    Args:
        log_probs: (N, M) float64, nats: what each of M voices gives to each of N dev tokens.
        lengths: (N,) int64, tokens of the longest known context.
        certainty: (N,) float32, nats: how certain recall is, -inf where there is nothing to recall.
        config: `levels`, `shrink` and `steps` are used.
    """
    voices = log_probs.shape[1]
    able = certainty[certainty > -np.inf]
    steps = np.arange(1, config.levels) / config.levels
    edges = np.quantile(able, steps).astype(np.float32) if len(able) else np.empty(0, np.float32)
    level = find_level(edges, certainty)
    rows, columns = int(lengths.max(initial=0)) + 1, int(level.max(initial=0)) + 1
    equal = np.full((1, voices), 1 / voices)
    whole = expectation_maximisation(log_probs, np.zeros_like(lengths), equal, config)
    by_length = expectation_maximisation(log_probs, lengths, np.repeat(whole, rows, axis=0), config)
    above = np.repeat(by_length, columns, axis=0)
    cells = expectation_maximisation(log_probs, lengths * columns + level, above, config)
    return MixtureWeights(cells.reshape(rows, columns, voices), edges)


def expectation_maximisation(
    log_probs: NDArray[np.float64], bucket: NDArray[np.int64], above: NDArray[np.float64], config: MixtureConfig
) -> NDArray[np.float64]:
    """(K, M) float64: the weights of each of K buckets; the penalised likelihood never falls from step to step.

    Args:
        log_probs: (N, M) float64, nats.
        bucket: (N,) int64, below K.
        above: (K, M) float64: where the weights of each bucket begin, and what they are drawn to.
        config: `shrink` and `steps` are used.
    """
    buckets, models = above.shape
    probs = np.exp(log_probs - log_probs.max(axis=1, keepdims=True))  # a factor for each token changes nothing
    total = np.bincount(bucket, minlength=buckets)[:, None] + config.shrink
    weights = above
    for _ in range(config.steps):
        shares = weights[bucket] * probs
        shares /= shares.sum(axis=1, keepdims=True)
        taken = np.stack([np.bincount(bucket, shares[:, m], buckets) for m in range(models)], axis=1)
        before, weights = weights, (taken + config.shrink * above) / total
        if np.abs(weights - before).max() < _STILL:
            break
    return weights


def _in_order(names: Sequence[str], parts: Mapping[str, Suggester]) -> tuple[LanguageModel, ...]:
    missing = [name for name in names if name not in parts]
    if missing:
        raise ModelError(f"a mixture of {', '.join(names)} needs {', '.join(missing)}, fitted; rejoinder fit {' '.join(missing)}")
    return tuple(cast(LanguageModel, parts[name]) for name in names)


def _some_dev_posts(corpus: Corpus, tokens: int, rng: np.random.Generator) -> Iterator[tuple[tuple[Post, ...], Post]]:
    """Posts of dev with their context, of threads drawn at random so that they have about so many tokens."""
    share = tokens / max(len(open_tokens(corpus.tokens, "dev").tokens), 1)
    for thread in corpus.threads("dev"):
        if rng.random() < share:
            yield from ((thread.answered(post), post) for post in thread.posts if post.own_text)

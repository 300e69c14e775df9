"""The mixture: several language models, weighted by how well the text so far is known.

    p(w | h) = sum over m of l_m(b) p_m(w | h)        l_m(b) >= 0, their sum is 1

b is the bucket of h: how many tokens the longest context has that the first model met, and what share g of the probability
backs off from it, in `levels` steps. Where a context was met often counts know best, where it never was a net does, and so the
weights differ by bucket. They are fitted on dev, by EM (Jelinek & Mercer 1980):

    r_m(t) = l_m(b) p_m(t) / sum over k of l_k(b) p_k(t)                for each dev token t in bucket b
    l_m(b) = (sum over t of r_m(t) + c l_m(above)) / (N(b) + c)

until nothing moves. N(b) counts the tokens; `above` is the coarser bucket (all g of that length; above it all lengths; above
these equal weights), which counts as c = `shrink` tokens, so that a bucket that hardly occurs has the weights of its like.

A personal model, counted from what one person wrote, has the share `personal` wherever it met the last token too, and the
mixture the rest (as in Smart Compose, Chen et al. 2019).

It learns nothing about words itself; without dev tokens all weights are equal.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self, cast

import numpy as np
from numpy.typing import NDArray

from rejoinder.corpus import Corpus
from rejoinder.errors import ConfigError, DamagedModel, ModelError
from rejoinder.models import LADDER, Can
from rejoinder.models.directory import load_array, load_config, save_array, save_config
from rejoinder.models.interfaces import Counting, Job, LanguageModel, LogProbs, Suggester, best
from rejoinder.post import Post
from rejoinder.text.tensors import open_tokens

_log = logging.getLogger(__name__)
_STILL = 1e-6  # EM ends when no weight moves by more


class State(NamedTuple):
    """What each part knows of the text so far: a value."""

    parts: tuple[Any, ...]
    own: Any = None  # of the personal model


@dataclass(frozen=True)
class MixtureConfig:
    """Settings of the mixture."""

    models: tuple[str, ...] = ("kneser_ney", "lstm")  # what is mixed; the first says how well a context is known
    levels: int = 6  # steps into which the share that backs off is divided
    shrink: float = 50.0  # tokens that the weights of the coarser bucket count for
    steps: int = 200  # of EM at most
    dev_tokens: int = 200_000  # of dev, about, that the weights are fitted on
    personal: float = 0.2  # share of a personal model where it knows the context

    def __post_init__(self) -> None:
        """Check names and ranges."""
        object.__setattr__(self, "models", tuple(self.models))  # JSON and TOML know lists only
        able = [name for name, line in LADDER.items() if Can.PREDICT in line.can and name != "mixture"]
        if not self.models or len({*self.models}) < len(self.models) or not {*self.models} <= {*able}:
            raise ConfigError(f"`mixture.models` must be different ones of {', '.join(able)}; got {self.models}")
        if len(self.models) > 1 and Can.COUNT not in LADDER[self.models[0]].can:
            raise ConfigError(f"the first of `mixture.models` must be one that counts, such as kneser_ney; got {self.models[0]}")
        if not (self.levels >= 1 and self.steps >= 1 and self.dev_tokens >= 1 and self.shrink > 0):
            raise ConfigError(
                "`mixture.levels`, `.steps` and `.dev_tokens` must be at least 1, and `mixture.shrink` above 0; "
                f"got {self.levels}, {self.steps}, {self.dev_tokens}, {self.shrink}"
            )
        if not 0 <= self.personal < 1:
            raise ConfigError(f"`mixture.personal` must lie in [0, 1); got {self.personal}")


class Mixture:
    """M parts and, for each bucket, their weights."""

    Config: ClassVar[type] = MixtureConfig

    def __init__(
        self,
        config: MixtureConfig,
        parts: Mapping[str, Suggester],
        weights: NDArray[np.float64],
        own: Counting | None = None,
    ) -> None:
        """Use `fit`, `load` or `of_one`. `weights` (lengths, levels, M), for contexts of 0, 1, ... tokens.

        Raises:
            ModelError: a part is missing, or two have different tokenizers.
        """
        self.config = config
        self._by_name = dict(parts)
        self._parts = _in_order(config.models, parts)
        self.tokenizer = self._parts[0].tokenizer
        self._weights = weights
        self._own = own
        everyone = {**dict(zip(config.models, self._parts, strict=True)), **({"personal model": own} if own else {})}
        for name, part in everyone.items():
            if part.tokenizer.fingerprint() != self.tokenizer.fingerprint():
                raise ModelError(
                    f"`{config.models[0]}` and `{name}` have different tokenizers, so they cannot be mixed; "
                    f"fit with one: rejoinder fit --retrain-tokenizer {' '.join(config.models)}"
                )

    @classmethod
    def of_one(cls, name: str, model: LanguageModel) -> Self:
        """A single model as a mixture, to which a personal one can be added."""
        return cls(MixtureConfig(models=(name,)), {name: model}, np.ones((1, 1, 1)))

    @classmethod
    def fit(cls, corpus: Corpus, config: MixtureConfig, *, rng: np.random.Generator, job: Job) -> Self:
        """Fit the weights of the fitted `job.parts` on dev."""
        equal = cls(config, job.parts, np.full((1, 1, len(config.models)), 1 / len(config.models)))
        log_probs, buckets = [np.empty((0, len(config.models)))], [np.empty((0, 2), np.int64)]
        done = 0
        for context, post in _some_dev_posts(corpus, config.dev_tokens, rng):
            tokens = [*equal.tokenizer.encode(post.own_text), equal.tokenizer.end]
            here, known = equal._measure(equal.start(context), tokens)
            log_probs.append(here)
            buckets.append(known)
            done += len(tokens)
            job.progress("weighing the models on dev", done, None)
        if not done:
            _log.warning("mixture: dev has no posts to fit weights on; they are equal")
        weights = fit_weights(np.concatenate(log_probs), np.concatenate(buckets), config)
        return cls(config, job.parts, weights)

    def with_personal(self, model: Counting) -> Self:
        """The same mixture with a model of what one person wrote.

        Raises:
            ModelError: it has another tokenizer.
        """
        return type(self)(self.config, self._by_name, self._weights, model)

    def save(self, directory: Path) -> None:
        """Write the weights; the parts have directories of their own, a personal model has none."""
        save_config(directory, "mixture", self.config)
        save_array(directory, "weights", self._weights)

    @classmethod
    def load(cls, directory: Path, parts: Mapping[str, Suggester] = {}) -> Self:
        """Read what `save` wrote, for the same parts."""
        config = load_config(directory, "mixture", MixtureConfig)
        weights = load_array(directory, "weights")
        if weights.ndim != 3 or weights.shape[2] != len(config.models) or not np.allclose(weights.sum(axis=2), 1):
            raise DamagedModel(f"{directory}: the weights are not those of {config.models}; fit again: rejoinder fit mixture")
        return cls(config, parts, weights)

    def start(self, context: Sequence[Post]) -> State:
        """The states of all parts before the first token of a post."""
        return State(tuple(part.start(context) for part in self._parts), self._own.start(context) if self._own else None)

    def advance(self, state: State, token: int) -> State:
        """The states of all parts after one more token."""
        parts = (part.advance(known, token) for part, known in zip(self._parts, state.parts, strict=True))
        return State(tuple(parts), self._own.advance(state.own, token) if self._own else None)

    def log_probs(self, state: State) -> LogProbs:
        """(V,) float32, nats: the formula above."""
        return self._mixed(state, [part.log_probs(known) for part, known in zip(self._parts, state.parts, strict=True)])

    def top(self, state: State, k: int, prefix: bytes = b"") -> list[tuple[int, float]]:
        """The `k` best of the full distribution."""
        tokens = self.tokenizer.starting_with(prefix) if prefix else np.arange(self.tokenizer.vocabulary)
        return best(tokens, self.log_probs(state)[tokens], k)

    def advance_many(self, states: Sequence[State], tokens: Sequence[int]) -> list[State]:
        """`advance` for B states, each part at once."""
        rows = [part.advance_many([state.parts[m] for state in states], tokens) for m, part in enumerate(self._parts)]
        own = self._own.advance_many([state.own for state in states], tokens) if self._own else [None] * len(states)
        return [State(tuple(row[b] for row in rows), own[b]) for b in range(len(states))]

    def log_probs_many(self, states: Sequence[State]) -> NDArray[np.float32]:
        """(B, V) float32, nats; each part at once."""
        if not states:
            return np.empty((0, self.tokenizer.vocabulary), np.float32)
        rows = [part.log_probs_many([state.parts[m] for state in states]) for m, part in enumerate(self._parts)]
        return np.stack([self._mixed(state, [row[b] for row in rows]) for b, state in enumerate(states)])

    def score_tokens(self, state: State, tokens: Sequence[int]) -> NDArray[np.float32]:
        """(N,) float32, nats; each part scores the whole text at once."""
        log_probs, buckets = self._measure(state, tokens)
        probs = (self._weights[self._cell(*buckets.T)] * np.exp(log_probs)).sum(axis=1)
        if self._own:
            known, share = state.own, np.empty(len(tokens))
            for place, token in enumerate(tokens):
                share[place] = self._own_share(known)
                known = self._own.advance(known, token)
            probs = (1 - share) * probs + share * np.exp(self._own.score_tokens(state.own, tokens).astype(np.float64))
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(probs), dtype=np.float32)

    def weights(self, state: State) -> dict[str, float]:
        """The weight of each part in this state, by name; the personal model apart."""
        found = self._weights[self._cell(*self._bucket(state.parts[0]))]
        return dict(zip(self.config.models, found.tolist(), strict=True))

    def _mixed(self, state: State, rows: Sequence[LogProbs]) -> LogProbs:
        weights = self._weights[self._cell(*self._bucket(state.parts[0]))]
        probs = sum(weight * np.exp(row.astype(np.float64)) for weight, row in zip(weights, rows, strict=True))
        share = self._own_share(state.own)
        if self._own and share:
            probs = (1 - share) * probs + share * np.exp(self._own.log_probs(state.own).astype(np.float64))
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(probs), dtype=np.float32)

    def _own_share(self, known: Any) -> float:
        return self.config.personal if self._own and self._own.seen(known)[0] else 0.0

    def _bucket(self, known: Any) -> tuple[int, int]:
        """The tokens of the longest context that was met, and the step of what backs off."""
        if len(self._parts) == 1:
            return 0, 0
        length, share = cast(Counting, self._parts[0]).seen(known)
        return length, min(int(share * self.config.levels), self.config.levels - 1)

    def _cell(self, length: Any, level: Any) -> tuple[Any, Any]:
        """Where in the weights a bucket stands, or (N,) of them; lengths and levels that fitting never met as the last."""
        return np.minimum(length, self._weights.shape[0] - 1), np.minimum(level, self._weights.shape[1] - 1)

    def _measure(self, state: State, tokens: Sequence[int]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """(N, M) float64 nats of each token by each part; (N, 2) int64 the bucket it stands in."""
        scored = [part.score_tokens(known, tokens) for part, known in zip(self._parts, state.parts, strict=True)]
        buckets = np.empty((len(tokens), 2), dtype=np.int64)
        known = state.parts[0]
        for place, token in enumerate(tokens):
            buckets[place] = self._bucket(known)
            known = self._parts[0].advance(known, token)
        return np.stack(scored, axis=1).astype(np.float64), buckets


def fit_weights(log_probs: NDArray[np.float64], buckets: NDArray[np.int64], config: MixtureConfig) -> NDArray[np.float64]:
    """(lengths, levels, M) float64: the weights of every bucket, by EM from the coarsest down.

    Args:
        log_probs: (N, M) float64, nats: what each of M models gives to each of N dev tokens.
        buckets: (N, 2) int64: the length and the level each token stands in.
        config: `levels`, `shrink` and `steps` are used.
    """
    models = log_probs.shape[1]
    lengths = int(buckets[:, 0].max(initial=0)) + 1
    length, level = buckets.T
    equal = np.full((1, models), 1 / models)
    whole = expectation_maximisation(log_probs, np.zeros_like(length), equal, config)
    by_length = expectation_maximisation(log_probs, length, np.repeat(whole, lengths, axis=0), config)
    above = np.repeat(by_length, config.levels, axis=0)
    cells = expectation_maximisation(log_probs, length * config.levels + level, above, config)
    return cells.reshape(lengths, config.levels, models)


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

"""Text out of a language model: sampled, or searched for.

    p'(w) ~ p(w)^(1/temperature)                    below 1 the probable becomes more probable; 0 takes the most probable
    top k: of those, the k most probable            Fan, Lewis & Dauphin 2018
    nucleus: the fewest that hold a share p of p'   Holtzman et al. 2020
    score = log p(text) / ((5 + n)^a / 6^a)         for n tokens, in beam search: Wu et al. 2016

All samples, and all paths of the beam, take each step together. A text ends at END, which counts as a token and stands for
no bytes, or after a number of tokens; a character that this cuts in two is dropped.

Explained in docs/tour/06-bringing-it-all-together.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rejoinder.config import At, Checked, NonNegativeFloat, PositiveInt
from rejoinder.models.interfaces import LanguageModel, State
from rejoinder.text.tokenizer import AnyTokenizer

NO_REPEAT = 3  # tokens of a run that what is shown to a person says once only
_AT_ONCE = 256  # states whose (V,) probabilities are held together


@dataclass(frozen=True)
class SampleConfig(Checked):
    """How to sample."""

    temperature: NonNegativeFloat = 1.0  # 0 takes the most probable
    top_k: Annotated[int | None, At(least=1)] = None  # None: all
    nucleus: Annotated[float | None, At(above=0, most=1)] = None  # a share in (0, 1]; None: all
    longest: PositiveInt = 100  # tokens, END included
    no_repeat: Annotated[int | None, At(least=1)] = None  # tokens of a run that a text says once only; then no cache hears it


@dataclass(frozen=True)
class BeamConfig(Checked):
    """How to search."""

    width: PositiveInt = 8  # paths kept
    length_penalty: NonNegativeFloat = 0.6  # a; 0 compares sums of log probabilities, which favours short texts
    longest: PositiveInt = 40  # tokens, END included


class SampledText(NamedTuple):
    """A text that a model made."""

    tokens: tuple[int, ...]  # END left out
    log_prob: float  # nats, by the model itself whatever the temperature, END included where it came
    ended: bool  # by END, not for being too long
    each: tuple[float, ...] = ()  # nats: of each of the tokens


def text_of(tokenizer: AnyTokenizer, tokens: Sequence[int]) -> str:
    """What tokens say; bytes that are no whole character are dropped."""
    return tokenizer.decode_bytes(tokens).decode("utf-8", "ignore")


class SampledToken(NamedTuple):
    """One token of one text."""

    place: int  # which text
    token: int
    log_prob: float  # nats, by the model itself whatever the temperature
    row: NDArray[np.float32]  # (V,) nats: of all tokens that might have come


class Sampler:
    """Texts in the making, a token each at every step."""

    def __init__(
        self,
        model: LanguageModel,
        states: Sequence[State],
        config: SampleConfig,
        rng: np.random.Generator,
        owed: bytes = b"",
    ) -> None:
        """One text goes on from each of `states`; the first token's bytes begin with `owed`."""
        self._model, self._config, self._rng = model, config, rng
        self._states = list(states)
        self._alive = list(range(len(self._states)))
        self._read: list[int] = []  # the last token of each, not yet read
        self._steps = 0
        self._said: list[list[int]] = [[] for _ in self._states]  # by each text
        self._first = model.tokenizer.starting_with(owed) if owed else None

    def step(self) -> list[SampledToken]:
        """The next token of each text that goes on; empty when none does."""
        if self._steps == self._config.longest or not self._alive:
            return []
        if self._steps:
            self._states = self._model.advance_many(self._states, self._read)
            if self._config.no_repeat:
                self._states = [self._model.ahead(state, self._steps) for state in self._states]
        rows = self._model.log_probs_many(self._states)
        able = rows if self._steps or self._first is None else _only(rows, self._first)
        chosen = _draw(self._without_repeats(able), self._config, self._rng)
        for place, token in zip(self._alive, chosen, strict=True):
            self._said[place].append(token)
        drawn = [
            SampledToken(place, token, float(rows[row, token]), rows[row])
            for row, (place, token) in enumerate(zip(self._alive, chosen, strict=True))
        ]
        self._read = chosen
        self._steps += 1
        self._keep([token != self._model.tokenizer.end for token in chosen])
        return drawn

    def _without_repeats(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """(B, V) nats: `rows` without the tokens that would say a run of the text in hand again."""
        if self._config.no_repeat is None:
            return rows
        left = rows.copy()
        for row, place in enumerate(self._alive):
            left[row, repeating(self._said[place], self._config.no_repeat)] = -np.inf
        return left

    def drop(self, place: int) -> None:
        """End the text at `place` among those that still go on; later texts move up by one."""
        self._keep([other != place for other in self._alive])

    def _keep(self, going: Sequence[bool]) -> None:
        self._states, self._alive, self._read = (
            [one for one, stays in zip(column, going, strict=True) if stays]
            for column in (self._states, self._alive, self._read or [0] * len(going))
        )


def repeating(said: Sequence[int], n: int) -> list[int]:
    """The tokens that would make the last `n` tokens a run that came before (the n-gram block of Paulus, Xiong & Socher 2018)."""
    before = tuple(said[len(said) - n + 1 :]) if n > 1 else ()
    return [said[end] for end in range(n - 1, len(said)) if tuple(said[end - n + 1 : end]) == before]


def sample(model: LanguageModel, state: State, n: int, config: SampleConfig, rng: np.random.Generator) -> list[SampledText]:
    """`n` independent texts that go on from `state`."""
    tokens: list[list[int]] = [[] for _ in range(n)]
    each: list[list[float]] = [[] for _ in range(n)]
    totals = [0.0] * n
    ended = [False] * n
    making = Sampler(model, [state] * n, config, rng)
    while drawn := making.step():
        for place, token, value, _ in drawn:
            totals[place] += value
            ended[place] = token == model.tokenizer.end
            if not ended[place]:
                tokens[place].append(token)
                each[place].append(value)
    return [SampledText(tuple(tokens[place]), totals[place], ended[place], tuple(each[place])) for place in range(n)]


def kept(log_probs: NDArray[np.floating[Any]], config: SampleConfig) -> NDArray[np.float64]:
    """(B, V) probabilities that are sampled from: those of (B, V) `log_probs` (nats) after temperature, top k and nucleus."""
    size = log_probs.shape[1]
    if config.temperature == 0:
        return np.asarray(np.eye(size)[log_probs.argmax(axis=1)])
    probs = log_probs.astype(np.float64)
    probs -= probs.max(axis=1, keepdims=True)
    probs /= config.temperature
    np.exp(probs, out=probs)
    probs /= probs.sum(axis=1, keepdims=True)
    if config.top_k is not None or config.nucleus is not None:
        for row in probs:
            _cut(row, config)
        probs /= probs.sum(axis=1, keepdims=True)
    return probs


def _cut(probs: NDArray[np.float64], config: SampleConfig) -> None:
    """Set those of (V,) `probs` to 0 that top k or nucleus leave out; of equals the later."""
    if config.top_k is not None:
        place = max(len(probs) - config.top_k, 0)
        floor = np.partition(probs, place)[place]
    else:  # what lies below is less than 1 - nucleus even together, so it need not be sorted
        floor = (1 - (config.nucleus or 1)) / len(probs)
    ranked = -np.sort(-probs[probs >= floor])[: config.top_k]
    number = len(ranked)
    if config.nucleus is not None:
        within = ranked / ranked.sum() if config.top_k is not None else ranked
        number = int(np.count_nonzero(np.cumsum(within) - within < config.nucleus))
    left = probs >= ranked[number - 1]
    surplus = int(np.count_nonzero(left)) - number
    if surplus:
        left[np.flatnonzero(probs == ranked[number - 1])[-surplus:]] = False
    probs[~left] = 0.0


def _only(rows: NDArray[np.float32], tokens: NDArray[np.int64]) -> NDArray[np.float32]:
    """(B, V) nats: `rows` with only `tokens` left."""
    left = np.full_like(rows, -np.inf)
    left[:, tokens] = rows[:, tokens]
    return left


def _draw(log_probs: NDArray[np.floating[Any]], config: SampleConfig, rng: np.random.Generator) -> list[int]:
    """(B,) tokens, one drawn from each row."""
    heights = np.cumsum(kept(log_probs, config), axis=1)
    points = rng.random((len(log_probs), 1)) * heights[:, -1:]
    return [int(token) for token in (heights > points).argmax(axis=1)]


def beam_search(model: LanguageModel, state: State, config: BeamConfig) -> list[tuple[SampledText, float]]:
    """At most `width` texts that go on from `state`, with their scores, best first.

    It stops as soon as no path can still come among them; with a width that holds every text it finds the best of all.
    """
    end = model.tokenizer.end
    paths, states = [SampledText((), 0.0, False)], [state]
    done: list[tuple[SampledText, float]] = []
    for length in range(1, config.longest + 1):
        totals = model.log_probs_many(states).astype(np.float64) + np.array([[path.log_prob] for path in paths])
        done += [
            (SampledText(path.tokens, float(total), True), score(float(total), length, config.length_penalty))
            for path, total in zip(paths, totals[:, end], strict=True)
            if total > -np.inf
        ]
        done = sorted(done, key=lambda one: -one[1])[: config.width]
        totals[:, end] = -np.inf
        best = np.argsort(-totals, axis=None, kind="stable")[: config.width]
        grown = [divmod(int(place), totals.shape[1]) for place in best if totals.flat[place] > -np.inf]
        parents, states = paths, model.advance_many([states[row] for row, _ in grown], [token for _, token in grown])
        paths = [SampledText((*parents[row].tokens, token), float(totals[row, token]), False) for row, token in grown]
        hope = max((score(path.log_prob, config.longest, config.length_penalty) for path in paths), default=-np.inf)
        if not paths or (len(done) == config.width and hope <= done[-1][1]):
            return done
    done += [(path, score(path.log_prob, config.longest, config.length_penalty)) for path in paths]
    return sorted(done, key=lambda one: -one[1])[: config.width]


def score(log_prob: float, tokens: int, length_penalty: float) -> float:
    """The length-normalised score above, of a text of that many tokens (END included) and log probability (nats)."""
    return float(log_prob / ((5 + tokens) / 6) ** length_penalty)


def log_prob_many(model: LanguageModel, states: Sequence[State], texts: Sequence[Sequence[int]]) -> NDArray[np.float64]:
    """(B,) nats: the log probability of each text of tokens after its state."""
    totals = np.zeros(len(texts))
    for first in range(0, len(texts), _AT_ONCE):
        alive = [place for place in range(first, min(first + _AT_ONCE, len(texts))) if len(texts[place])]
        here = [states[place] for place in alive]
        step = 0
        while alive:
            tokens = [texts[place][step] for place in alive]
            totals[alive] += model.log_probs_many(here)[np.arange(len(alive)), tokens]
            step += 1
            going = [row for row, place in enumerate(alive) if len(texts[place]) > step]
            here = model.advance_many([here[row] for row in going], [tokens[row] for row in going])
            alive = [alive[row] for row in going]
    return totals

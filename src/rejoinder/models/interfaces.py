"""What a rung is: the interfaces behind which every step of the ladder stands.

A rung is fitted by `fit`, which is a constructor, so an unfitted model cannot exist; it is saved to a directory and loaded
from one. What it can do beyond that stands in `LADDER` (see `rejoinder.models`): predict the next token (`LanguageModel`),
propose whole replies (`ReplySource`), order candidate replies (`ReplyRanker`).

Explained in docs/tour/08-do-i-need-neural-nets.md.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from rejoinder.corpus import Corpus
from rejoinder.post import Post, Suggestion
from rejoinder.text.calls import HERE, CallRunner
from rejoinder.text.shards import Shards

if TYPE_CHECKING:  # a tokenizer takes a while to load, and not every command needs one
    from rejoinder.text.tokenizer import AnyTokenizer
    from rejoinder.text.vectors import WordVectors

Cases = Sequence[tuple[str, str]]  # what was asked, and what somebody answered
LogProbs = NDArray[np.float32]  # (V,) natural logarithms; their exponentials sum to 1
Scores = NDArray[np.float64]  # (C,) one for each candidate, higher is better
State = Any  # what a language model knows of the text so far: a value, never changed in place
Progress = Callable[[str, int, int | None], None]  # what is being done, how much is done, of how much (None: unknown)


def silent(_: str, __: int, ___: int | None) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True)
class Job:
    """What a fit may use besides its corpus."""

    workdir: Path  # for checkpoints and scratch files; gone when the fit has ended
    progress: Progress = silent
    parts: Mapping[str, Suggester] = field(default_factory=dict)  # the fitted rungs this one is made of
    checkpoints: Path | None = None  # where a long fit may leave what it needs to go on after it was stopped
    logs: Path | None = None  # where it may write figures for TensorBoard
    runner: CallRunner = HERE  # who does what can be done in several processes, or on several machines
    shards: Shards | None = None  # of the train part

    def shards_of(self, corpus: Corpus) -> Shards:
        """The train part in shards, which those who count map over."""
        self.workdir.mkdir(parents=True, exist_ok=True)
        return self.shards or Shards(lambda: corpus.threads("train"), self.workdir, self.runner, posts=corpus.count("train"))


@dataclass(frozen=True)
class Training:
    """What a fit leaves besides its model."""

    dev: tuple[tuple[int, float], ...] = ()  # figures on dev as training went on: the step, bits per byte
    spent: tuple[Path, ...] = ()  # checkpoints that it has ended with, of no use once its model is kept


class Suggester(Protocol):
    """What every rung of the ladder offers: it is fitted, saved and loaded."""

    config: Any  # the rung's frozen dataclass of settings
    Config: ClassVar[type]
    training: Training = Training()  # of a model that `fit` has just made; of a loaded one nothing is known

    @classmethod
    def fit(cls, corpus: Corpus, config: Any, *, rng: np.random.Generator, job: Job) -> Self:
        """Learn from `corpus`: parameters from train; early stops, weights and thresholds from dev."""

    def save(self, directory: Path) -> None:
        """Write the model into an empty directory."""

    @classmethod
    def load(cls, directory: Path, parts: Mapping[str, Suggester]) -> Self:
        """Read what `save` wrote."""


class LanguageModel(Suggester, ABC):
    """A rung that predicts the next token, over a vocabulary of V. The first three methods say how; the others have defaults."""

    tokenizer: AnyTokenizer
    reads_cases: ClassVar[bool] = False
    told: ClassVar[str] = ""  # what `start_reply` says beside posts and cases: a text that says it again answers nothing

    @abstractmethod
    def start(self, context: Sequence[Post]) -> State:
        """The state before the first token of a post that answers `context` (nothing, if empty)."""

    @abstractmethod
    def advance(self, state: State, token: int) -> State:
        """The state after one more token; `state` itself is not changed."""

    @abstractmethod
    def log_probs(self, state: State) -> LogProbs:
        """(V,) float32: the natural logarithm of each token's probability of coming next."""

    def start_reply(self, context: Sequence[Post], cases: Cases = ()) -> State:
        """The state before the first token of a reply that is to be made to `context`, which some read in a way of their own.

        Those whose `reads_cases` is true read `cases`, too. What comes of it may say these again: whoever shows it must look.
        """
        return self.start(context)

    def ahead(self, state: State, made: int) -> State:
        """`state`, of whose tokens the last `made` were made by a decoder looking ahead: no cache takes them for written.

        What follows is as likely as it was without a cache of them; 0 makes them count. `state` itself where nothing changes.
        """
        return state

    def top(self, state: State, k: int, prefix: bytes = b"") -> list[tuple[int, float]]:
        """The `k` best tokens whose bytes begin with `prefix`, best first, with their log probability (nats).

        Ties are broken by the smaller id; tokens of probability 0 are never among them.
        """
        tokens = self.tokenizer.starting_with(prefix) if prefix else np.arange(self.tokenizer.vocabulary)
        return best(tokens, self.log_probs(state)[tokens], k)

    def advance_many(self, states: Sequence[State], tokens: Sequence[int]) -> list[State]:
        """`advance` for B states at once."""
        return [self.advance(state, token) for state, token in zip(states, tokens, strict=True)]

    def log_probs_many(self, states: Sequence[State]) -> NDArray[np.float32]:
        """(B, V) float32: `log_probs` for B states at once."""
        return np.array([self.log_probs(state) for state in states], np.float32).reshape(-1, self.tokenizer.vocabulary)

    def score_tokens(self, state: State, tokens: Sequence[int]) -> NDArray[np.float32]:
        """(N,) float32, nats: the log probability of each of `tokens`, the first after `state`, the next after the first."""
        rows = self.rows_before(state, tokens)
        return np.array([row[token] for row, token in zip(rows, tokens, strict=True)], np.float32)

    def read_on(self, state: State, tokens: Sequence[int]) -> State:
        """The state after several tokens."""
        for token in tokens:
            state = self.advance(state, token)
        return state

    def rows_before(self, state: State, tokens: Sequence[int]) -> Iterator[LogProbs]:
        """(V,) float32, nats: what may come before each of `tokens`, the first after `state`, the next after the first."""
        for token in tokens:
            yield self.log_probs(state)
            state = self.advance(state, token)


class Recalled(NamedTuple):
    """What came next at places of the text so far that were like the present one."""

    tokens: NDArray[np.int64]  # (N,) with repeats
    shares: NDArray[np.float32]  # (N,) their sum is 1, or there are none
    certainty: float  # nats; -inf if there is nothing to recall


NOTHING = Recalled(np.empty(0, np.int64), np.empty(0, np.float32), -np.inf)


class Recalling(LanguageModel):
    """A rung that remembers where in a text it was in a state like this one."""

    @abstractmethod
    def recall(self, state: State) -> Recalled:
        """What came next there."""

    @abstractmethod
    def score_recall(
        self, state: State, tokens: Sequence[int]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """(N,) float32, nats, each: what `score_tokens` says; what `recall` gives each token, -inf if nothing; its certainty."""


class Counting(LanguageModel):
    """A rung that can say how well it knows what was written before."""

    @abstractmethod
    def seen(self, state: State) -> int:
        """How many tokens the longest context has that was met before."""

    def score_seen(self, state: State, tokens: Sequence[int]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """(N,) float32, nats: what `score_tokens` says; (N,) int64: what `seen` says before each token."""
        known, lengths = state, np.empty(len(tokens), np.int64)
        for place, token in enumerate(tokens):
            lengths[place] = self.seen(known)
            known = self.advance(known, token)
        return self.score_tokens(state, tokens), lengths


class Personal(Counting):
    """Counts of what one person wrote, which know how often they were right."""

    @abstractmethod
    def likeliest(self, state: State) -> tuple[int, float]:
        """The token that came next most often, and how often such a one was right; (-1, 0) where too little is known."""


class ReplySource(Suggester, Protocol):
    """A rung that can propose whole replies."""

    def propose(self, context: Sequence[Post], k: int) -> list[Suggestion]:
        """At most `k` replies to the last post of `context`, best first; `[]` is a legal answer."""


@runtime_checkable
class AskedBefore(Protocol):
    """A source that can tell whether what its replies answered was like what is asked now."""

    def asked_before(self, context: Sequence[Post], replies: Sequence[int]) -> Mapping[int, float]:
        """The share, in [0, 1], of what the last post of `context` says that stood in what each reply answered; none for 0."""


@runtime_checkable
class Meanings(Protocol):
    """A source that knows by vectors what words, and whole replies, mean."""

    def word_vectors(self, words: Sequence[str]) -> NDArray[np.float32]:
        """(N, D) float32 of length 1, or 0 for a word that is not known."""

    def reply_vectors(self, replies: Sequence[str]) -> NDArray[np.float32]:
        """(C, D) float32 of length 1, or 0 for a reply without a word that means something."""


class ReplyRanker(Suggester, Protocol):
    """A rung that can order candidate replies."""

    def score_replies(self, context: Sequence[Post], candidates: Sequence[str]) -> Scores:
        """(C,) float64: how well each candidate answers the last post of `context`; higher is better."""


class Embedding(Suggester, Protocol):
    """A rung that knows words by vectors."""

    @property
    def words(self) -> WordVectors:
        """The words and their vectors."""


def best(tokens: NDArray[np.int64], log_probs: NDArray[np.floating[Any]], k: int) -> list[tuple[int, float]]:
    """The `k` best of `tokens` by their log probability, best first, ties by id; none of probability 0.

    Args:
        tokens: (N,) int64, distinct.
        log_probs: (N,) floats, one a token.
        k: how many at most.
    """
    if k <= 0 or not len(tokens):
        return []
    if k < len(tokens):
        threshold = np.partition(log_probs, len(tokens) - k)[len(tokens) - k]
        near = np.flatnonzero(log_probs >= threshold)
        tokens, log_probs = tokens[near], log_probs[near]
    order = np.lexsort((tokens, -log_probs))[:k]
    order = order[log_probs[order] > -np.inf]
    return list(zip(tokens[order].tolist(), log_probs[order].tolist(), strict=True))

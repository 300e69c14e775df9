"""The unigram rung: the next token is whatever is frequent, whatever was written before.

    p(w) = (c(w) + a) / (N + a V')

c(w) how often w occurs in train, N their sum, a the pseudo-count (Lidstone 1920), V' the tokens that can come next: all but
the separators POST and REPLY, which only begin posts and have probability 0. It knows no context; that is what the next
rung up adds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from rejoinder.config import Checked, PositiveFloat
from rejoinder.corpus import Corpus
from rejoinder.models.directory import load_array, load_config, save_array, save_config
from rejoinder.models.interfaces import Job, LanguageModel, LogProbs, State, Suggester
from rejoinder.post import Post
from rejoinder.text.tensors import TOKENIZER_FILE, count_tokens, open_tokenizer, open_tokens, token_shares
from rejoinder.text.tokenizer import AnyTokenizer


@dataclass(frozen=True)
class UnigramConfig(Checked, of="unigram"):
    """Settings of the unigram rung."""

    pseudo_count: PositiveFloat = 0.5  # a, added to every count


class Unigram(LanguageModel):
    """Token frequencies as a language model; its state is empty."""

    Config: ClassVar[type] = UnigramConfig

    def __init__(self, config: UnigramConfig, tokenizer: AnyTokenizer, counts: NDArray[np.int64]) -> None:
        """Use `fit` or `load`. `counts` is (V,) int64."""
        self.config = config
        self.tokenizer = tokenizer
        self._counts = counts
        shares = token_shares(counts, config.pseudo_count, never=(tokenizer.post, tokenizer.reply))
        with np.errstate(divide="ignore"):  # the logarithm of 0 is -inf, as it should be
            self._log_probs = np.log(shares).astype(np.float32)
        self._log_probs.setflags(write=False)

    @classmethod
    def fit(cls, corpus: Corpus, config: UnigramConfig, *, rng: np.random.Generator, job: Job) -> Self:
        """Count the train part's tokens."""
        tokenizer = open_tokenizer(corpus.tokens)
        return cls(config, tokenizer, count_tokens(open_tokens(corpus.tokens, "train"), tokenizer.vocabulary))

    def save(self, directory: Path) -> None:
        """Write the settings, the counts of the tokens, and the tokenizer."""
        save_config(directory, "unigram", self.config)
        save_array(directory, "counts", self._counts)
        self.tokenizer.save(directory / TOKENIZER_FILE)

    @classmethod
    def load(cls, directory: Path, parts: Mapping[str, Suggester] = {}) -> Self:
        """Read what `save` wrote, memory-mapped."""
        return cls(load_config(directory, "unigram", UnigramConfig), open_tokenizer(directory), load_array(directory, "counts"))

    def start(self, context: Sequence[Post]) -> State:
        """The one state there is: what was written before changes nothing."""
        return ()

    def advance(self, state: State, token: int) -> State:
        """The same state again: no token changes what comes next."""
        return ()

    def log_probs(self, state: State) -> LogProbs:
        """(V,) float32, nats, read only: the same for every state."""
        return self._log_probs

    def advance_many(self, states: Sequence[State], tokens: Sequence[int]) -> list[State]:
        """Nothing is remembered."""
        return [()] * len(states)

    def log_probs_many(self, states: Sequence[State]) -> NDArray[np.float32]:
        """(B, V) float32, nats: a row for each state, all alike."""
        return np.tile(self._log_probs, (len(states), 1))

    def score_tokens(self, state: State, tokens: Sequence[int]) -> NDArray[np.float32]:
        """(N,) float32, nats: read off, not walked to."""
        return self._log_probs[np.asarray(tokens, np.int64)]

"""The LSTM rung: a cell that reads one token after the other and remembers what it needs, as far back as it learned to.

The arithmetic stands in `rejoinder.models.lstm.cell`. It is trained with Keras (`train`) and run with ONNX Runtime (`running`),
so that using it imports no TensorFlow. What was answered is read before the first word, so a reply knows its post.

It cannot say where a word came from, and it forgets no post without being fitted again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from rejoinder.corpus import Corpus
from rejoinder.errors import DamagedModel
from rejoinder.models.directory import load_config, save_config
from rejoinder.models.interfaces import Job, LogProbs, Recalled, Recalling, Suggester
from rejoinder.models.lstm.cell import CellStep, sequence
from rejoinder.models.lstm.config import LSTMConfig
from rejoinder.models.lstm.graph import build_graphs
from rejoinder.models.lstm.runtime import Decoder, as_kept, load_graphs, load_weights, save_weights, weights_of
from rejoinder.models.lstm.stack import AnyWeights, StackWeights, stack_sequence, weights_from
from rejoinder.models.lstm.stack_graph import build_stack_graphs
from rejoinder.models.lstm.stack_runtime import StackDecoder, StackState
from rejoinder.models.lstm.storage import Arrays
from rejoinder.post import Post
from rejoinder.text.tensors import TOKENIZER_FILE, context_tokens, open_tokenizer
from rejoinder.text.tokenizer import AnyTokenizer

AnyState = Any  # of the decoder of the cell there is: `CellState`, or `StackState` of a stack


class LSTM(Recalling):
    """A trained cell, ready to run; its state is `CellState`, or `StackState` where it is a stack."""

    Config: ClassVar[type] = LSTMConfig

    def __init__(self, config: LSTMConfig, tokenizer: AnyTokenizer, arrays: Arrays, graphs: Mapping[str, bytes]) -> None:
        """Use `fit`, `from_weights` or `load`.

        Raises:
            DamagedModel: they do not belong together.
        """
        self.config = config
        self.tokenizer = tokenizer
        self._arrays = arrays  # as they lie on disk: in 8 bits a quarter of what `weights` would hold
        weights = self.weights
        if len(weights.bias) != tokenizer.vocabulary:
            raise DamagedModel(
                f"the weights are for {len(weights.bias):,} tokens, the tokenizer has {tokenizer.vocabulary:,}; "
                "fit again: rejoinder fit lstm"
            )
        never = (tokenizer.post, tokenizer.reply)
        self._decoder: Decoder | StackDecoder
        if isinstance(weights, StackWeights):
            self._decoder = StackDecoder(weights, graphs, never, config)
        else:
            self._decoder = Decoder(weights, graphs, never, config.recall)

    @property
    def weights(self) -> AnyWeights:
        """The weights, unpacked anew where they are kept in 8 bits."""
        return weights_of(self._arrays)

    @classmethod
    def fit(cls, corpus: Corpus, config: LSTMConfig, *, rng: np.random.Generator, job: Job) -> Self:
        """Train on the train part, stop by the dev part.

        Raises:
            MissingExtra: what training needs is not installed.
        """
        from rejoinder.models.lstm.train import train

        weights, training = train(corpus, config, rng=rng, job=job)
        model = cls.from_weights(config, open_tokenizer(corpus.tokens), weights)
        model.training = training
        return model

    @classmethod
    def from_weights(cls, config: LSTMConfig, tokenizer: AnyTokenizer, weights: AnyWeights) -> Self:
        """The model of these weights, rounded as they are to be kept: what is saved is what runs.

        Raises:
            MissingExtra: the package `onnx` is not installed.
        """
        if isinstance(weights, StackWeights):
            graphs = build_stack_graphs(weights, eight_bits=config.eight_bit_products)
        else:
            graphs = build_graphs(weights)
        return cls(config, tokenizer, as_kept(weights, config), graphs)

    def save(self, directory: Path) -> None:
        """Write the weights once and the graphs beside them."""
        save_config(directory, "lstm", self.config)
        self.tokenizer.save(directory / TOKENIZER_FILE)
        save_weights(directory, self._arrays, self._decoder.graphs)

    @classmethod
    def load(cls, directory: Path, parts: Mapping[str, Suggester] = {}) -> Self:
        """Read what `save` wrote.

        Raises:
            DamagedModel: it is another rung's, not whole, or does not belong together.
        """
        config = load_config(directory, "lstm", LSTMConfig)
        tokenizer, arrays = open_tokenizer(directory), load_weights(directory)
        try:
            return cls(config, tokenizer, arrays, load_graphs(directory))
        except DamagedModel as error:
            raise DamagedModel(f"{directory}: {error}") from error

    def start(self, context: Sequence[Post]) -> AnyState:
        """The memory after the end of what is answered and the separator that begins a post."""
        return self._decoder.start_after(context_tokens(context, self.tokenizer, self.config.context))

    def advance(self, state: AnyState, token: int) -> AnyState:
        """The memory after one more token."""
        return self._decoder.advance([state], [token])[0]

    def ahead(self, state: AnyState, made: int) -> AnyState:
        """The memory that does not recall its last `made` places."""
        return (
            state
            if isinstance(state, StackState) or made == state.past.made
            else replace(state, past=replace(state.past, made=made))
        )

    def log_probs(self, state: AnyState) -> LogProbs:
        """(V,) float32, nats, read only; asking again costs nothing."""
        return self._decoder.log_probs(state)

    def advance_many(self, states: Sequence[AnyState], tokens: Sequence[int]) -> list[AnyState]:
        """`advance` for B memories, in one pass over the weights."""
        return self._decoder.advance(states, tokens)

    def log_probs_many(self, states: Sequence[AnyState]) -> NDArray[np.float32]:
        """(B, V) float32, nats, in one pass over the weights."""
        return self._decoder.log_probs_many(states) if states else np.empty((0, self._decoder.vocabulary), np.float32)

    def score_tokens(self, state: AnyState, tokens: Sequence[int]) -> NDArray[np.float32]:
        """(N,) float32, nats: a whole text at once, several times as fast as token by token."""
        return self._decoder.score(state, tokens)

    def recall(self, state: AnyState) -> Recalled:
        """What came next in this text, and in what it answers, where the output was like the present one."""
        return self._decoder.recall(state, self.config.sharpness)

    def score_recall(
        self, state: AnyState, tokens: Sequence[int]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """(N,) float32, nats, each: what `score_tokens` says; what `recall` gives each token, -inf if nothing; its certainty."""
        return self._decoder.score_recall(state, tokens, self.config.sharpness)

    def look(self, tokens: Sequence[int]) -> list[list[CellStep]]:
        """For each of `tokens`, what happens in every layer, the lowest first; from an empty memory, in NumPy, slowly."""
        weights = weights_from({name: np.asarray(array, np.float32) for name, array in self.weights.arrays().items()})
        if isinstance(weights, StackWeights):
            return stack_sequence(weights, tokens, self.config.reach)[0]
        return list(sequence(weights, tokens))

"""Running a stack (`rejoinder.models.lstm.stack`) as `rejoinder.models.lstm.runtime` runs a plain cell.

What a text has put out so far lies in blocks that texts which begin alike share; one token more costs its own key and value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rejoinder.models.interfaces import NOTHING, LogProbs, Recalled
from rejoinder.models.lstm.config import LSTMConfig
from rejoinder.models.lstm.graph import MEMORY, OUTPUT
from rejoinder.models.lstm.recall import Past
from rejoinder.models.lstm.runtime import AT_ONCE, fixed, joined, open_graph
from rejoinder.models.lstm.stack import StackWeights, look_back
from rejoinder.models.lstm.stack_graph import stack_graph_weights

Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False, slots=True)
class StackState:
    """What the stack holds after some text: a value. Two are equal if their numbers are, to the bit."""

    r: Array  # (L, E) projected outputs, read only
    c: Array  # (L, H) cells, read only
    stream: Array  # (E,) what left the highest layer of cells, read only
    query: Array  # (A,) what is looked for from here, read only
    key: Array  # (A,) of the next place, read only
    past: Past  # (., 2A) key and value of each place
    said: list[LogProbs] = field(default_factory=list, repr=False)  # the answer once it was asked for; no part of the value

    def __eq__(self, other: object) -> bool:
        """Whether the other memory holds the same."""
        return isinstance(other, StackState) and self._value() == other._value()

    def __hash__(self) -> int:
        """Equal memories have equal hashes."""
        return hash(self._value())

    def _value(self) -> tuple[bytes, ...]:
        arrays = (self.r, self.c, self.stream, self.query, self.key)
        return (*(array.tobytes() for array in arrays), self.past.value())


class StackDecoder:
    """Weights and graphs, opened. One serves any number of texts and threads: it holds no text itself."""

    def __init__(self, weights: StackWeights, graphs: Mapping[str, bytes], never: Sequence[int], config: LSTMConfig) -> None:
        """Open the graphs with these weights, as `Decoder` does.

        Raises:
            DamagedModel: a graph is none, or of other shapes.
        """
        self.graphs = dict(graphs)
        self.vocabulary, self.size = weights.embedding.shape
        self._head = 0 if weights.attention is None else weights.attention.key.shape[1]
        self._reach = config.reach
        arrays = stack_graph_weights(weights, never, eight_bits=config.eight_bit_products)
        self._memory, self._output = (open_graph(name, self.graphs[name], arrays[name]) for name in (MEMORY, OUTPUT))
        layers = len(weights.layers)
        self._r, self._c = fixed(np.zeros((layers, self.size), np.float32)), fixed(np.zeros((layers, weights.hidden), np.float32))

    def start_after(self, tokens: Sequence[int]) -> StackState:
        """The memory after `tokens`, from an empty one.

        Raises:
            ValueError: there are no tokens: nothing can be said before the first.
        """
        head = fixed(np.zeros(self._head, np.float32))
        empty = StackState(self._r, self._c, fixed(np.zeros(self.size, np.float32)), head, head, Past(2 * self._head))
        return self.follow(empty, tokens)[1]

    def follow(self, state: StackState, tokens: Sequence[int]) -> tuple[Array, StackState]:
        """(N, E) float32: what leaves the highest layer of cells at each of N tokens; and the memory after them."""
        if not len(tokens):
            return np.empty((0, self.size), np.float32), state
        stream, head, r, c = self._run_memory(np.array([tokens], np.int64), state.r[:, None], state.c[:, None])
        past = self._past(state, head[0], tokens)
        return stream[0], self._state(stream[0, -1], head[0, -1], r[:, 0], c[:, 0], past)

    def advance(self, states: Sequence[StackState], tokens: Sequence[int]) -> list[StackState]:
        """The memories of B texts after one more token each."""
        if not states:
            return []
        r, c = np.stack([state.r for state in states], axis=1), np.stack([state.c for state in states], axis=1)
        stream, head, r, c = self._run_memory(np.array(tokens, np.int64)[:, None], r, c)
        return [
            self._state(stream[row, 0], head[row, 0], r[:, row], c[:, row], self._past(state, head[row], [token]))
            for row, (state, token) in enumerate(zip(states, tokens, strict=True))
        ]

    def log_probs(self, state: StackState) -> LogProbs:
        """(V,) float32, nats, read only; the memory keeps it, so that asking again costs nothing."""
        if not state.said:
            state.said[:] = [fixed(self.log_probs_many([state])[0])]
        return state.said[0]

    def log_probs_many(self, states: Sequence[StackState]) -> Array:
        """(B, V) float32, nats, for each of B memories, which keep nothing of it."""
        found = np.stack([self._found(state) for state in states])
        log_probs: Array = self._run_output(np.stack([state.stream for state in states]), found)
        return log_probs

    def score(self, state: StackState, tokens: Sequence[int]) -> Array:
        """(N,) float32, nats: the log probability of each of `tokens`, the first after `state`, the next after the first."""
        return joined(list(self._scores(state, tokens)))

    def recall(self, state: StackState, sharpness: float) -> Recalled:
        """Nothing: what is recalled is in what is said."""
        return NOTHING

    def score_recall(self, state: StackState, tokens: Sequence[int], sharpness: float) -> tuple[Array, Array, Array]:
        """(N,) float32, nats, each: what `score` says; -inf twice, since nothing is recalled apart from that."""
        nothing = np.full(len(tokens), -np.inf, np.float32)
        return self.score(state, tokens), nothing, nothing

    def _scores(self, state: StackState, tokens: Sequence[int]) -> Iterator[Array]:
        """Some tokens at a time."""
        for first in range(0, len(tokens), AT_ONCE):
            some = np.asarray(tokens[first : first + AT_ONCE], np.int64)
            stream, head, r, c = self._run_memory(some[None], state.r[:, None], state.c[:, None])
            before = np.concatenate([state.stream[None], stream[0, :-1]])
            asked = np.concatenate([state.query[None], head[0, :-1, : self._head]])
            behind = state.past.outputs[-self._reach :]
            rows = np.concatenate([behind, self._rows(state, head[0])])
            log_probs = self._run_output(before, self._found_along(asked, rows, len(behind)))
            yield log_probs[np.arange(len(some)), some]
            past = self._past(state, head[0], some.tolist())
            state = self._state(stream[0, -1], head[0, -1], r[:, 0], c[:, 0], past)

    def _found(self, state: StackState) -> Array:
        """(A,) what looking back from a state finds."""
        if not self._head:
            return state.query
        rows = state.past.outputs[-self._reach :]
        return np.asarray(look_back(state.query, rows[:, : self._head], rows[:, self._head :]), np.float32)

    def _found_along(self, asked: Array, rows: Array, behind: int) -> Array:
        """(N, A) what looking back finds from N places in a row; the first has `behind` of the (M, 2A) rows behind it."""
        if not self._head:
            return asked
        last = behind + np.arange(len(asked))[:, None]  # places that the n-th sees end before that one
        place = np.arange(len(rows))[None]
        likeness = asked @ rows[:, : self._head].T / np.float32(np.sqrt(self._head))
        likeness = np.where((place < last) & (place >= last - self._reach), likeness, -np.inf)
        shares = np.exp(likeness - likeness.max(axis=1, keepdims=True))
        return np.asarray(shares @ rows[:, self._head :] / shares.sum(axis=1, keepdims=True), np.float32)

    def _rows(self, state: StackState, head: Array) -> Array:
        """(N, 2A) key and value of N new places, whose (N, 3A) queries, next keys and values `head` holds."""
        keys = np.concatenate([state.key[None], head[:-1, self._head : 2 * self._head]])
        return np.concatenate([keys, head[:, 2 * self._head :]], axis=1)

    def _past(self, state: StackState, head: Array, tokens: Sequence[int]) -> Past:
        return state.past.after(self._rows(state, head), np.asarray(tokens, np.int64), self._reach)

    def _state(self, stream: Array, head: Array, r: Array, c: Array, past: Past) -> StackState:
        size = self._head
        return StackState(fixed(r), fixed(c), fixed(stream), fixed(head[:size]), fixed(head[size : 2 * size]), past)

    def _run_memory(self, tokens: NDArray[np.int64], r: Array, c: Array) -> tuple[Array, Array, Array, Array]:
        """(B, T, E) stream, (B, T, 3A) head, (L, B, E) r, (L, B, H) c."""
        stream, r, c, *head = self._memory.run(None, {"tokens": tokens, "r": r, "c": c})
        return stream, head[0] if head else np.empty((*tokens.shape, 0), np.float32), r, c

    def _run_output(self, stream: Array, found: Array) -> Any:
        """(N, V) float32, nats."""
        return self._output.run(None, {"stream": stream, **({"found": found} if self._head else {})})[0]

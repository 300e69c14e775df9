"""Running a trained memory cell: ONNX Runtime and NumPy, neither TensorFlow nor Keras.

A directory holds the weights once, and two small graphs without them (see `rejoinder.models.lstm.graph`):

    weights.safetensors    float16, float32 or in 8 bits (see `storage`), by the names of `Weights.arrays`
    memory.onnx            tokens and memory -> outputs and memory
    output.onnx            outputs -> log probabilities
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rejoinder.errors import DamagedModel
from rejoinder.files import write_atomically
from rejoinder.models.interfaces import NOTHING, LogProbs, Recalled
from rejoinder.models.lstm.cell import CellWeights
from rejoinder.models.lstm.config import LSTMConfig
from rejoinder.models.lstm.graph import MEMORY, OUTPUT, graph_weights
from rejoinder.models.lstm.recall import Past, score
from rejoinder.models.lstm.stack import AnyWeights, weights_from
from rejoinder.models.lstm.storage import Arrays, packed, unpacked

WEIGHTS_FILE = "weights.safetensors"
_THREADS = 1  # one reads weights of this size as fast as memory gives them; more would keep a core awake for each keystroke
AT_ONCE = 256  # tokens whose whole distributions are held at a time
_AGAIN = "fit again: rejoinder fit lstm"


@dataclass(frozen=True, eq=False, slots=True)
class CellState:
    """What the cell holds after some text: a value. Two are equal if their numbers are, to the bit."""

    h: NDArray[np.float32]  # (L, H) outputs, read only
    c: NDArray[np.float32]  # (L, H) cells, read only
    past: Past  # what it can recall
    said: list[LogProbs] = field(default_factory=list, repr=False)  # the answer once it was asked for; no part of the value

    def __eq__(self, other: object) -> bool:
        """Whether the other memory holds the same."""
        return isinstance(other, CellState) and self._value() == other._value()

    def __hash__(self) -> int:
        """Equal memories have equal hashes."""
        return hash(self._value())

    def _value(self) -> tuple[tuple[int, ...], bytes, bytes, bytes]:
        return self.h.shape, self.h.tobytes(), self.c.tobytes(), self.past.value()


class Decoder:
    """Weights and graphs, opened. One serves any number of texts and threads: it holds no text itself."""

    def __init__(self, weights: CellWeights, graphs: Mapping[str, bytes], never: Sequence[int], reach: int = 0) -> None:
        """Open the graphs with these weights.

        Args:
            weights: of any floating type; they are computed with in float32.
            graphs: what `build_graphs` gave for weights of these shapes.
            never: tokens that can never come.
            reach: tokens that can be recalled.

        Raises:
            DamagedModel: a graph is none, or of other shapes.
        """
        self.graphs = dict(graphs)
        self.vocabulary = len(weights.bias)
        arrays = graph_weights(weights, never)
        self._memory, self._output = (open_graph(name, self.graphs[name], arrays[name]) for name in (MEMORY, OUTPUT))
        self._able = np.ones(self.vocabulary, dtype=bool)  # (V,) to be recalled
        self._able[list(never)] = False
        self._reach = reach
        empty = np.zeros((len(weights.layers), weights.hidden), np.float32)
        self._empty = CellState(fixed(empty), fixed(empty), Past(weights.hidden))

    def start_after(self, tokens: Sequence[int]) -> CellState:
        """The memory after `tokens`, from an empty one."""
        return self.follow(self._empty, tokens)[1]

    def follow(self, state: CellState, tokens: Sequence[int]) -> tuple[NDArray[np.float32], CellState]:
        """(N, H) float32: what the highest layer puts out at each of N tokens; and the memory after them."""
        if not len(tokens):
            return np.empty((0, state.h.shape[1]), np.float32), state
        outputs, h, c = self._run_memory(np.array([tokens], np.int64), state.h[:, None], state.c[:, None])
        before = np.concatenate([state.h[-1:], outputs[0, :-1]])
        return outputs[0], CellState(fixed(h[:, 0]), fixed(c[:, 0]), self._past(state, before, np.asarray(tokens, np.int64)))

    def advance(self, states: Sequence[CellState], tokens: Sequence[int]) -> list[CellState]:
        """The memories of B texts after one more token each."""
        if not states:
            return []
        h, c = np.stack([state.h for state in states], axis=1), np.stack([state.c for state in states], axis=1)  # (L, B, H)
        _, h, c = self._run_memory(np.array(tokens, np.int64)[:, None], h, c)
        return [
            CellState(fixed(h[:, row]), fixed(c[:, row]), self._past(state, state.h[-1:], np.array([token], np.int64)))
            for row, (state, token) in enumerate(zip(states, tokens, strict=True))
        ]

    def log_probs(self, state: CellState) -> LogProbs:
        """(V,) float32, nats, read only; the memory keeps it, so that asking again costs nothing."""
        if not state.said:
            state.said[:] = [fixed(self._run_output(state.h[-1:])[0])]
        return state.said[0]

    def log_probs_many(self, states: Sequence[CellState]) -> NDArray[np.float32]:
        """(B, V) float32, nats, for each of B memories, which keep nothing of it."""
        return self._run_output(np.stack([state.h[-1] for state in states]))

    def score(self, state: CellState, tokens: Sequence[int]) -> NDArray[np.float32]:
        """(N,) float32, nats: the log probability of each of `tokens`, the first after `state`, the next after the first."""
        return joined([self._said(before, some) for before, some in self._before(state, tokens)])

    def recall(self, state: CellState, sharpness: float) -> Recalled:
        """What came next at places of the text so far where the output was like the present one."""
        return state.past.recall(state.h[-1], sharpness, self._reach) if self._reach else NOTHING

    def score_recall(
        self, state: CellState, tokens: Sequence[int], sharpness: float
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """(N,) float32, nats, each: what `score` says of `tokens`; what recall gives them; how certain that is. In one pass."""
        blocks = list(self._before(state, tokens))
        outputs = np.concatenate([state.h[:0, :], *(before for before, _ in blocks)])
        read = np.asarray(tokens, np.int64)
        able = self._able[read] & (self._reach > 0)
        recalled, certainty = score(state.past, outputs, read, able, (sharpness, max(self._reach, 1)))
        return joined([self._said(*block) for block in blocks]), recalled, certainty

    def _before(self, state: CellState, tokens: Sequence[int]) -> Iterator[tuple[NDArray[np.float32], NDArray[np.int64]]]:
        """Some of `tokens` at a time: (n, H) float32, what the highest layer puts out before each; (n,) the tokens."""
        h, c, before = state.h[:, None], state.c[:, None], state.h[-1:]
        for first in range(0, len(tokens), AT_ONCE):
            some = np.asarray(tokens[first : first + AT_ONCE], np.int64)
            outputs, h, c = self._run_memory(some[None], h, c)
            yield np.concatenate([before, outputs[0, :-1]]), some
            before = outputs[0, -1:]

    def _said(self, before: NDArray[np.float32], tokens: NDArray[np.int64]) -> NDArray[np.float32]:
        """(n,) float32, nats: of the distributions after n outputs, what each gives its token."""
        found: NDArray[np.float32] = self._run_output(before)[np.arange(len(tokens)), tokens]
        return found

    def _past(self, state: CellState, outputs: NDArray[np.float32], tokens: NDArray[np.int64]) -> Past:
        """What can be recalled after `tokens`, before each of which the highest layer put out a row of `outputs`."""
        able = self._able[tokens]
        return state.past.after(outputs[able], tokens[able], self._reach) if self._reach and able.any() else state.past

    def _run_memory(self, tokens: NDArray[np.int64], h: NDArray[np.float32], c: NDArray[np.float32]) -> Any:
        """(B, T, H) outputs, (L, B, H) h and c."""
        return self._memory.run(None, {"tokens": tokens, "h": h, "c": c})

    def _run_output(self, outputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """(N, V) float32, nats."""
        log_probs: NDArray[np.float32] = self._output.run(None, {"outputs": outputs})[0]
        return log_probs


def joined(parts: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """One after the other; nothing, of no parts."""
    return np.concatenate([np.empty(0, np.float32), *parts])


def as_kept(weights: AnyWeights, config: LSTMConfig) -> Arrays:
    """The weights as `config` says that they are kept: as they are, in half precision, or in 8 bits."""
    arrays = weights.arrays()
    if config.eight_bits:
        return packed(arrays)
    return {name: array.astype(np.float16) for name, array in arrays.items()} if config.half else arrays


def weights_of(arrays: Arrays) -> AnyWeights:
    """The weights that are kept so; those in 8 bits in float32.

    Raises:
        DamagedModel: the arrays do not belong together.
    """
    return weights_from(unpacked(arrays))


def save_weights(directory: Path, arrays: Arrays, graphs: Mapping[str, bytes]) -> None:
    """Write weights, as they are kept, and graphs."""
    from safetensors.numpy import save

    write_atomically(directory / WEIGHTS_FILE, save({k: np.ascontiguousarray(v) for k, v in arrays.items()}))
    for name, graph in graphs.items():
        write_atomically(directory / f"{name}.onnx", graph)


def load_weights(directory: Path) -> Arrays:
    """The weights that `save_weights` wrote, as they are kept.

    Raises:
        DamagedModel: they are not there, or cut short.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    file = directory / WEIGHTS_FILE
    try:
        arrays: Arrays = load_file(file)
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        raise DamagedModel(f"{file} is missing or damaged ({error}); {_AGAIN}") from error
    for name, array in arrays.items():
        if array.dtype not in (np.float16, np.float32, np.int8):
            raise DamagedModel(f"{file}: the array {name} is {array.dtype}, not float16, float32 or int8; {_AGAIN}")
        if array.dtype != np.int8 and not np.isfinite(array).all():
            raise DamagedModel(f"{file} is damaged (what is in {name} is no number); {_AGAIN}")
    return arrays


def load_graphs(directory: Path) -> dict[str, bytes]:
    """The graphs that `save_weights` wrote.

    Raises:
        DamagedModel: one is not there.
    """
    try:
        return {name: (directory / f"{name}.onnx").read_bytes() for name in (MEMORY, OUTPUT)}
    except OSError as error:
        raise DamagedModel(f"{directory}: a graph is missing ({error}); {_AGAIN}") from error


def open_graph(name: str, graph: bytes, arrays: Mapping[str, NDArray[np.float32]]) -> Any:
    """A session over `graph`; what it does not pack for itself it keeps alive."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = _THREADS
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 4  # what goes wrong is raised; nothing is printed beside it
    options.add_external_initializers(list(arrays), [onnxruntime.OrtValue.ortvalue_from_numpy(a) for a in arrays.values()])
    try:
        return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the library's errors share no class but this
        raise DamagedModel(f"the graph {name}.onnx does not fit its weights ({str(error)[:200]}); {_AGAIN}") from error


def fixed(array: NDArray[np.float32]) -> NDArray[np.float32]:
    """A read-only copy, which keeps nothing else alive."""
    array = array.copy()
    array.setflags(write=False)
    return array

"""Running the net: ONNX Runtime and NumPy. What it has read of a text is a value; texts with the same past share it.

A state holds the keys and values of what was read: a long past in blocks, and a tail of the last few tokens, one array each.
Once the tail has `_BLOCK` tokens they are one block more, at the same places of a text by whatever road it is read. States that
branch off share all but their last tokens, and one step is made for a batch of them. The graph takes a past in one piece: those
that were asked for last are kept so, beside the blocks, which are few where the pasts of a draft are many. The past is bounded:
beyond `reach` tokens the oldest blocks are let go, but for the first few tokens, which attention rests on (Xiao et al. 2024,
"attention sinks").
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rejoinder.errors import DamagedModel
from rejoinder.models.pretrained.gguf_file import NetShape
from rejoinder.models.pretrained.graph import NET, OUTPUT, angles
from rejoinder.models.pretrained.weights import embedding, let_go

Floats = NDArray[np.float32]
_BLOCK = 32  # tokens of a block, and of the longest tail
_IN_ONE_PIECE = 12  # blocks of pasts that are kept as the graph takes them, besides the last one
_AT_ONCE = 64  # tokens read in one run; 256 are read no faster, and take more memory
_ROWS = 16  # tokens whose whole distributions are held at a time; 64 are made no faster, and take 19 MB more
_TAKEN = 256  # rows of the embedding after which the memory of their file is given back
_SINKS = 4  # tokens from the start that are never let go
_HIDDEN = -1e9  # added to the score of what must not be seen
_AGAIN = "fit it again: rejoinder model add"


@dataclass(frozen=True, eq=False, slots=True)
class Block:
    """Keys and values of n tokens in a row, read only; two are the same where they are one object."""

    keys: Floats  # (L, G, h, n)
    values: Floats  # (L, G, n, h)

    @property
    def size(self) -> int:
        """How many tokens, n."""
        return int(self.keys.shape[-1])


Past = tuple[Block, ...]


@dataclass(frozen=True, eq=False, slots=True)
class NetState:
    """What was read of a text: a value. Two are equal if their numbers are, to the bit."""

    past: Past
    tail: tuple[Floats, ...]  # of each token (R, h): keys and values of every layer
    position: int  # tokens that were read
    hidden: Floats  # (D,) what the last layer says, read only

    def __eq__(self, other: object) -> bool:
        """Whether the other one holds the same."""
        return isinstance(other, NetState) and self._value() == other._value()

    def __hash__(self) -> int:
        """Equal ones have equal hashes."""
        return hash(self._value())

    def _value(self) -> tuple[int, bytes, bytes]:
        arrays = (*(array for block in self.past for array in (block.keys, block.values)), *self.tail)
        return self.position, self.hidden.tobytes(), b"".join(array.tobytes() for array in arrays)


class Net:
    """Weights and graphs, opened. One serves any number of texts and threads: it holds no text itself."""

    def __init__(
        self, shape: NetShape, arrays: Mapping[str, NDArray[Any]], graphs: Mapping[str, bytes], reach: int, threads: int
    ) -> None:
        """Open the graphs.

        Args:
            shape: of the net.
            arrays: its weights (see `rejoinder.models.pretrained.weights`).
            graphs: what `build_graphs` gave for them.
            reach: tokens that are looked back at, about.
            threads: that a run may use.

        Raises:
            DamagedModel: a graph is none, or of other shapes.
        """
        self.shape, self._reach, self._arrays = shape, reach, arrays
        self._rows = embedding(arrays, shape.width)
        output = {name: array for name, array in arrays.items() if name.startswith("output.")}
        inside = {name: array for name, array in arrays.items() if name.startswith(("layer", "norm"))}
        self._batches = not any(name.endswith(".W") for name in arrays)  # a row of floats is not the same in company, to the bit
        self._net = _open(NET, graphs[NET], {**inside, **angles(shape)}, threads)
        self._output = _open(OUTPUT, graphs[OUTPUT], output, threads)
        self.empty = NetState((), (), 0, _fixed(np.zeros(shape.width, np.float32)))
        self._pasts: OrderedDict[Past, dict[str, Floats]] = OrderedDict()  # in one piece each, as inputs of the graph
        self._lock, self._taken = Lock(), 0
        self._shrinking = _shrinking()

    def follow(self, state: NetState, rows: Sequence[int]) -> NetState:
        """The state after more tokens; `rows`: theirs in the embedding."""
        found = state
        for _, after in self._read(state, rows):
            found = after
        return found

    def score(self, state: NetState, rows: Sequence[int]) -> Iterator[Floats]:
        """(n, V) float32, nats, a few at a time: what comes before each of `rows`, the first after `state`."""
        before = state.hidden[None]
        for hidden, _ in self._read(state, rows):
            before = np.concatenate([before, hidden])
            for first in range(0, len(hidden), _ROWS):
                yield self._run_output(before[first : min(first + _ROWS, len(hidden))])
            before = before[-1:]

    def advance(self, states: Sequence[NetState], rows: Sequence[int]) -> list[NetState]:
        """The states of B texts after one more token each; those that share a past and are as long go in one run."""
        groups: dict[Any, list[int]] = {}
        for place, state in enumerate(states):
            alike = (state.past, len(state.tail)) if self._batches else place
            groups.setdefault(alike, []).append(place)
        found: dict[int, NetState] = {}
        for places in groups.values():
            some = [states[place] for place in places]
            hidden, read = self._run(some, np.array([[rows[place]] for place in places], np.int64))
            for number, place in enumerate(places):
                found[place] = self._after(some[number], hidden[number], read[number])
        return [found[place] for place in range(len(states))]

    def log_probs(self, state: NetState) -> Floats:
        """(V,) float32, nats."""
        found: Floats = self._run_output(state.hidden[None])[0]
        return found

    def log_probs_many(self, states: Sequence[NetState]) -> Floats:
        """(B, V) float32, nats, for each of B states."""
        rows = np.stack([state.hidden for state in states])
        return self._run_output(rows) if self._batches else np.concatenate([self._run_output(row[None]) for row in rows])

    def _read(self, state: NetState, rows: Sequence[int]) -> Iterator[tuple[Floats, NetState]]:
        """Some of `rows` at a time: (n, D) what is said after each of them; and the state after them."""
        first = 0
        while first < len(rows):
            size = _AT_ONCE - state.position % _BLOCK  # up to where a tail is full, so that it is cut at the same places
            some = np.asarray(rows[first : first + size], np.int64)
            hidden, read = self._run([state], some[None])
            before, state = state, self._after(state, hidden[0], read[0])
            if first and before.past is not state.past:
                self._forget(before.past)  # nobody else has it
            yield hidden[0], state
            first += size

    def _forget(self, past: Past) -> None:
        with self._lock:
            self._pasts.pop(past, None)

    def _run(self, states: Sequence[NetState], rows: NDArray[np.int64]) -> tuple[Floats, Floats]:
        """(B, T, D) what is said after each of (B, T) tokens, of texts with one past and as many after it; (B, R, T, h) read."""
        s, (batch, count), before = self.shape, rows.shape, len(states[0].tail)
        tail = np.empty((batch, 2 * s.layers * s.shared, before, s.head), np.float32)
        for row, state in enumerate(states if before else ()):
            np.stack(state.tail, axis=1, out=tail[row])
        positions = np.minimum(np.add.outer([state.position for state in states], np.arange(count)), s.longest - 1)
        mask = np.triu(np.full((count, before + count), _HIDDEN, np.float32), before + 1)
        mask = np.tile(mask, (1, 1, s.heads // s.shared, 1))
        feeds = {"x": self._embedded(rows), "tail": tail, "positions": positions, "mask": mask, **self._inputs(states[0].past)}
        hidden, read = self._net.run(None, feeds, self._shrinking if count > _BLOCK else None)
        return hidden, read

    def _embedded(self, rows: NDArray[np.int64]) -> Floats:
        """(B, T, D) what tokens are read as. Rows lie here and there in the file, and each brings its neighbours into memory."""
        self._taken += rows.size
        found = self._rows.take(rows)
        if self._taken > _TAKEN:
            self._taken = 0
            let_go(self._arrays)
        return found

    def _after(self, state: NetState, hidden: Floats, read: Floats) -> NetState:
        """The state after T tokens, (T, D) and (R, T, h): full blocks join the past."""
        position = state.position + len(hidden)
        tail = (*state.tail, *(_fixed(read[:, place]) for place in range(read.shape[1])))
        past = state.past
        while len(tail) >= _BLOCK:
            past, tail = self._joined(past, np.stack(tail[:_BLOCK], axis=1)), tail[_BLOCK:]
        return NetState(past, tail, position, _fixed(hidden[-1]))

    def _joined(self, past: Past, read: Floats) -> Past:
        """A past with (R, n, h) more, without the oldest blocks where it grows too long."""
        s = self.shape
        by_layer = read.reshape(s.layers, 2, s.shared, -1, s.head)
        past = (*past, Block(_fixed(by_layer[:, 0].swapaxes(-1, -2)), _fixed(by_layer[:, 1])))
        if sum(block.size for block in past) <= self._reach + _AT_ONCE:
            return past
        first = past[0]
        sinks = Block(_fixed(first.keys[..., :_SINKS]), _fixed(first.values[:, :, :_SINKS]))
        return sinks, *past[1:][-max(self._reach // _BLOCK, 1) :]

    def _inputs(self, past: Past) -> dict[str, Floats]:
        """A past as the graph takes it, of each layer keys (G, h, P) and values (G, P, h): as it lies, or laid so."""
        with self._lock:
            if past in self._pasts:
                self._pasts.move_to_end(past)
                return self._pasts[past]
        s, size = self.shape, sum(block.size for block in past)
        keys = np.empty((s.layers, s.shared, s.head, size), np.float32)
        values = np.empty((s.layers, s.shared, size, s.head), np.float32)
        if past:
            np.concatenate([block.keys for block in past], axis=3, out=keys)
            np.concatenate([block.values for block in past], axis=2, out=values)
        found = {f"past.k.{number}": keys[number] for number in range(s.layers)}
        found |= {f"past.v.{number}": values[number] for number in range(s.layers)}
        with self._lock:
            self._pasts[past] = found
            while len(self._pasts) > 1 and sum(map(len, self._pasts)) > _IN_ONE_PIECE:
                self._pasts.popitem(last=False)
        return found

    def _run_output(self, hidden: Floats) -> Floats:
        """(N, V) float32, nats."""
        found: Floats = self._output.run(None, {"hidden": hidden[None]})[0][0]
        return found


def _open(name: str, graph: bytes, arrays: Mapping[str, NDArray[Any]], threads: int) -> Any:
    """A session over `graph`; what it does not pack for itself it keeps alive."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 4  # what goes wrong is raised; nothing is printed beside it
    options.add_session_config_entry("session.force_spinning_stop", "1")  # no core is kept awake between keystrokes
    options.add_external_initializers(list(arrays), [onnxruntime.OrtValue.ortvalue_from_numpy(a) for a in arrays.values()])
    try:
        return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the library's errors share no class but this
        raise DamagedModel(f"the graph {name}.onnx does not fit its weights ({str(error)[:200]}); {_AGAIN}") from error


def _shrinking() -> Any:
    """How a run is made after which the runtime gives back what only such a long one needs."""
    import onnxruntime

    options = onnxruntime.RunOptions()
    options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    options.log_severity_level = 4
    return options


def _fixed(array: Floats) -> Floats:
    """A read-only copy, which keeps nothing else alive."""
    array = array.copy(order="C")
    array.setflags(write=False)
    return array

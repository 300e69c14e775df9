"""Running the net: ONNX Runtime and NumPy. What it has read of a text is a value; texts with the same past share it.

A state holds the keys and values of what was read: a long past in one piece, and a tail of the last few tokens, one array each.
Once the tail has `_BLOCK` tokens they join the past, at the same places of a text by whatever road it is read. States that branch
off share all but their last tokens, and one step is made for a batch of them. The past is bounded: beyond `reach` tokens the
oldest are let go in blocks, but for the first few, which attention rests on (Xiao et al. 2024, "attention sinks").
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rejoinder.errors import DamagedModel
from rejoinder.models.pretrained.gguf_file import NetShape
from rejoinder.models.pretrained.graph import NET, OUTPUT, angles
from rejoinder.models.pretrained.weights import embedding

Floats = NDArray[np.float32]
_BLOCK = 32  # tokens of the longest tail
_AT_ONCE = 64  # tokens read in one run; 256 are read no faster, and take more memory
_ROWS = 64  # tokens whose whole distributions are held at a time
_SINKS = 4  # tokens from the start that are never let go
_HIDDEN = -1e9  # added to the score of what must not be seen
_AGAIN = "fit it again: rejoinder model add"


@dataclass(frozen=True, eq=False)
class KeysValues:
    """Keys and values of P tokens, as the graph takes them; read only."""

    keys: tuple[Floats, ...]  # of each layer (G, h, P)
    values: tuple[Floats, ...]  # of each layer (G, P, h)

    @property
    def size(self) -> int:
        """How many tokens, P."""
        return int(self.keys[0].shape[2])

    @property
    def feeds(self) -> dict[str, Floats]:
        """The inputs of the graph."""
        found = {f"past.k.{number}": keys for number, keys in enumerate(self.keys)}
        return found | {f"past.v.{number}": values for number, values in enumerate(self.values)}


@dataclass(frozen=True, eq=False, slots=True)
class NetState:
    """What was read of a text: a value. Two are equal if their numbers are, to the bit."""

    past: KeysValues
    tail: tuple[Floats, ...]  # of each token (R, h): keys and values of every layer
    position: int  # tokens that were read
    hidden: Floats  # (D,) what the last layer says, read only
    said: list[Floats] = field(default_factory=list, repr=False)  # log probabilities once they were asked for; no part of it

    def __eq__(self, other: object) -> bool:
        """Whether the other one holds the same."""
        return isinstance(other, NetState) and self._value() == other._value()

    def __hash__(self) -> int:
        """Equal ones have equal hashes."""
        return hash(self._value())

    def _value(self) -> tuple[int, bytes, bytes]:
        arrays = (*self.past.keys, *self.past.values, *self.tail)
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
        self.shape, self._reach = shape, reach
        self._rows = embedding(arrays, shape.width)
        output = {name: array for name, array in arrays.items() if name.startswith("output.")}
        inside = {name: array for name, array in arrays.items() if name.startswith(("layer", "norm"))}
        self._batches = not any(name.endswith(".W") for name in arrays)  # a row of floats is not the same in company, to the bit
        self._net = _open(NET, graphs[NET], {**inside, **angles(shape)}, threads)
        self._output = _open(OUTPUT, graphs[OUTPUT], output, threads)
        s = shape
        keys, values = (np.empty(size, np.float32) for size in ((s.shared, s.head, 0), (s.shared, 0, s.head)))
        empty = KeysValues((keys,) * s.layers, (values,) * s.layers)
        self.empty = NetState(empty, (), 0, _fixed(np.zeros(s.width, np.float32)))

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
        groups: dict[tuple[int, ...], list[int]] = {}
        for place, state in enumerate(states):
            alike = (id(state.past), len(state.tail)) if self._batches else (place,)
            groups.setdefault(alike, []).append(place)
        found: dict[int, NetState] = {}
        for places in groups.values():
            some = [states[place] for place in places]
            hidden, read = self._run(some, np.array([[rows[place]] for place in places], np.int64))
            for number, place in enumerate(places):
                found[place] = self._after(some[number], hidden[number], read[number])
        return [found[place] for place in range(len(states))]

    def log_probs(self, state: NetState) -> Floats:
        """(V,) float32, nats, read only; the state keeps it, so that asking again costs nothing."""
        if not state.said:
            state.said[:] = [_fixed(self._run_output(state.hidden[None])[0])]
        return state.said[0]

    def log_probs_many(self, states: Sequence[NetState]) -> Floats:
        """(B, V) float32, nats, for each of B states, which keep nothing of it."""
        rows = np.stack([state.hidden for state in states])
        return self._run_output(rows) if self._batches else np.concatenate([self._run_output(row[None]) for row in rows])

    def _read(self, state: NetState, rows: Sequence[int]) -> Iterator[tuple[Floats, NetState]]:
        """Some of `rows` at a time: (n, D) what is said after each of them; and the state after them."""
        first = 0
        while first < len(rows):
            size = _AT_ONCE - state.position % _BLOCK  # up to where a tail is full, so that it is cut at the same places
            some = np.asarray(rows[first : first + size], np.int64)
            hidden, read = self._run([state], some[None])
            state = self._after(state, hidden[0], read[0])
            yield hidden[0], state
            first += size

    def _run(self, states: Sequence[NetState], rows: NDArray[np.int64]) -> tuple[Floats, Floats]:
        """(B, T, D) what is said after each of (B, T) tokens, of texts with one past and as many after it; (B, R, T, h) read."""
        s, (batch, count), before = self.shape, rows.shape, len(states[0].tail)
        tail = np.empty((batch, 2 * s.layers * s.shared, before, s.head), np.float32)
        for row, state in enumerate(states if before else ()):
            np.stack(state.tail, axis=1, out=tail[row])
        positions = np.minimum(np.add.outer([state.position for state in states], np.arange(count)), s.longest - 1)
        mask = np.triu(np.full((count, before + count), _HIDDEN, np.float32), before + 1)
        mask = np.tile(mask, (1, 1, s.heads // s.shared, 1))
        feeds = {"x": self._rows.take(rows), "tail": tail, "positions": positions, "mask": mask, **states[0].past.feeds}
        hidden, read = self._net.run(None, feeds)
        return hidden, read

    def _after(self, state: NetState, hidden: Floats, read: Floats) -> NetState:
        """The state after T tokens, (T, D) and (R, T, h): full blocks join the past."""
        position = state.position + len(hidden)
        tail = (*state.tail, *(_fixed(read[:, place]) for place in range(read.shape[1])))
        past, full = state.past, len(tail) - position % _BLOCK
        if full:
            past, tail = self._joined(past, np.stack(tail[:full], axis=1)), tail[full:]
        return NetState(past, tail, position, _fixed(hidden[-1]))

    def _joined(self, past: KeysValues, read: Floats) -> KeysValues:
        """A past with (R, n, h) more, without the oldest where it grows too long."""
        by_layer = read.reshape(self.shape.layers, 2, self.shape.shared, *read.shape[1:])
        size = past.size + read.shape[1]
        gone = -(-max(size - self._reach, 0) // _BLOCK) * _BLOCK if size > self._reach + _AT_ONCE else 0
        keys, values = [], []
        for old_keys, old_values, (more_keys, more_values) in zip(past.keys, past.values, by_layer, strict=True):
            pieces = [old_keys, more_keys.transpose(0, 2, 1)]
            keys.append(_without(np.concatenate(pieces, axis=2), gone, 2))
            values.append(_without(np.concatenate([old_values, more_values], axis=1), gone, 1))
        return KeysValues(tuple(keys), tuple(values))

    def _run_output(self, hidden: Floats) -> Floats:
        """(N, V) float32, nats."""
        found: Floats = self._output.run(None, {"hidden": hidden[None]})[0][0]
        return found


def _without(array: Floats, gone: int, axis: int) -> Floats:
    """A read-only array without so many of its oldest tokens, after the first few."""
    if gone:
        array = np.delete(array, np.s_[_SINKS : _SINKS + gone], axis)
    array = np.ascontiguousarray(array)
    array.setflags(write=False)
    return array


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


def _fixed(array: Floats) -> Floats:
    """A read-only copy, which keeps nothing else alive."""
    array = array.copy()
    array.setflags(write=False)
    return array

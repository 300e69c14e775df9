"""The stack as two ONNX graphs without its weights, as `rejoinder.models.lstm.graph` has them for the plain cell.

    memory   tokens (B, T) int64, r (L, B, E), c (L, B, H)   ->  stream (B, T, E), head (B, T, 3A), r and c after them
    output   stream (N, E), found (N, A)                     ->  log_probs (N, V) nats

`stream` is what leaves the highest layer of cells; `head` holds the query, the key of the next place and the value of each token.
Looking back lies between the two graphs, since the places of each text are its own; it is needed only where the next token is
asked for. Where there is no head, neither `head` nor `found` is there.

With products in 8 bits the matrices stay as they lie on disk, and what they are multiplied with is rounded to 8 bits, too
(`MatMulNBits` of ONNX Runtime): a third of the time of one row, and about half a percent of a product's spread as error.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rejoinder.errors import missing_extra
from rejoinder.models.lstm.graph import DOMAIN, MEMORY, OUTPUT, Arrays, Shape, make_file
from rejoinder.models.lstm.stack import EPSILON, StackWeights
from rejoinder.models.lstm.storage import SCALE, packed

_BLOCKS = (128, 64, 32, 16)  # inputs that share a scale when they are rounded: as many as divide a matrix
_ZERO = 128  # where 0 lies in what has no sign
_WHOLE_NUMBERS = 4  # how ONNX Runtime is told to multiply in whole numbers


def stack_graph_weights(weights: StackWeights, never: Sequence[int], *, eight_bits: bool) -> dict[str, dict[str, NDArray[Any]]]:
    """The arrays that each graph is opened with, by name; the bias of the tokens that can `never` come is -inf."""
    arrays = _whole_weights(weights, never)
    return {name: _in_8_bits(held) for name, held in arrays.items()} if eight_bits else arrays


def _in_8_bits(arrays: Arrays) -> dict[str, NDArray[Any]]:
    """Matrices as `MatMulNBits` wants them: NAME (N, K / block, block) uint8 around 128, NAME.scale (N, K / block) float32."""
    wanted: dict[str, NDArray[Any]] = {}
    for name, array in arrays.items():
        rows = array if name == "embedding" else array.T  # (N, K): a row for each output
        block = next((size for size in _BLOCKS if array.ndim == 2 and rows.shape[1] % size == 0), 0)
        if not block:
            wanted[name] = array
            continue
        stored = packed({name: array})
        whole = stored[name] if name == "embedding" else stored[name].T
        wanted[name] = (whole.astype(np.int16) + _ZERO).astype(np.uint8).reshape(len(rows), -1, block)
        wanted[name + SCALE] = np.repeat(stored[name + SCALE][:, None], rows.shape[1] // block, axis=1)
    return {name: np.ascontiguousarray(array) for name, array in wanted.items()}


def _whole_weights(weights: StackWeights, never: Sequence[int]) -> dict[str, dict[str, NDArray[Any]]]:
    named = {name: np.ascontiguousarray(array, np.float32) for name, array in weights.arrays().items()}
    named["bias"] = named["bias"].copy()
    named["bias"][list(never)] = -np.inf
    memory = {name: array for name, array in named.items() if name == "embedding" or name.startswith("layer")}
    output = {name: array for name, array in named.items() if name in ("embedding", "bias", "projection")}
    if weights.attention is not None:
        memory["attention.head"] = np.concatenate([named[f"attention.{name}"] for name in ("query", "key", "value")], axis=1)
        output["attention.out"] = named["attention.out"]
    if weights.feedforward is not None:
        output |= {name: named[name] for name in ("feedforward.widen", "feedforward.narrow")}
    return {MEMORY: memory, OUTPUT: output}


def build_stack_graphs(weights: StackWeights, *, eight_bits: bool = False) -> dict[str, bytes]:
    """The two graphs for weights of these shapes, as the contents of .onnx files.

    Raises:
        MissingExtra: the package `onnx` is not installed.
    """
    try:
        import onnx  # noqa: F401
    except ImportError as error:
        raise missing_extra("making the graphs of the rung `lstm`", "train") from error
    arrays = stack_graph_weights(weights, (), eight_bits=eight_bits)
    return {MEMORY: _memory(weights, arrays[MEMORY]), OUTPUT: _output(weights, arrays[OUTPUT])}


class _Nodes:
    """Nodes in the making, each by its operator, inputs and one output."""

    def __init__(self, arrays: Arrays) -> None:
        self.arrays = arrays
        self.all: list[Any] = []

    def add(self, operator: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        """One more node; the name of its output."""
        from onnx.helper import make_node

        self.all.append(make_node(operator, list(inputs), [output], **attributes))
        return output

    def product(self, x: str, matrix: str, output: str) -> str:
        """`x` times a matrix of the weights."""
        array = self.arrays[matrix]
        if array.ndim == 2:
            return self.add("MatMul", [x, matrix], output)
        outputs, blocks, block = array.shape
        sizes = {"K": blocks * block, "N": outputs, "bits": 8, "block_size": block, "accuracy_level": _WHOLE_NUMBERS}
        return self.add("MatMulNBits", [x, matrix, matrix + SCALE], output, domain=DOMAIN, **sizes)

    def read(self, tokens: str, output: str) -> str:
        """The vectors of tokens."""
        array = self.arrays["embedding"]
        if array.ndim == 2:
            return self.add("Gather", ["embedding", tokens], output)
        from onnx import TensorProto

        found = self.add("Gather", ["embedding", tokens], "read.whole")  # (B, T, blocks, block)
        whole = self.add("Sub", [self.add("Cast", [found], "read.wide", to=TensorProto.FLOAT), "zero"], "read.centred")
        scale = self.add(
            "Unsqueeze", [self.add("Gather", ["embedding" + SCALE, tokens], "read.scale"), "last_axis"], "read.scales"
        )
        return self.add("Reshape", [self.add("Mul", [whole, scale], "read.blocks"), "vector"], output)

    def normed(self, x: str, output: str) -> str:
        """`x` at a root mean square of 1."""
        square = self.add("Mul", [x, x], f"{output}.square")
        mean = self.add("ReduceMean", [square], f"{output}.mean", axes=[-1])
        root = self.add("Sqrt", [self.add("Add", [mean, "epsilon"], f"{output}.sum")], f"{output}.root")
        return self.add("Div", [x, root], output)


def _memory(weights: StackWeights, arrays: Arrays) -> bytes:
    layers, size, hidden = len(weights.layers), weights.embedding.shape[1], weights.hidden
    nodes = _Nodes(arrays)
    read = nodes.add("Transpose", [nodes.read("tokens", "read")], "first", perm=[1, 0, 2])  # (T, B, E)
    x = nodes.normed(read, "x0")
    for number in range(layers):
        x = _cells(nodes, x, number)
    nodes.add("Transpose", [x], "stream", perm=[1, 0, 2])
    for name in ("r_new", "c_new"):
        nodes.add("Concat", [f"{name}{number}" for number in range(layers)], name, axis=0)
    inputs: dict[str, Shape] = {"tokens": ["B", "T"], "r": [layers, "B", size], "c": [layers, "B", hidden]}
    outputs: dict[str, Shape] = {"stream": ["B", "T", size], "r_new": [layers, "B", size], "c_new": [layers, "B", hidden]}
    if weights.attention is not None:
        nodes.product(nodes.normed("stream", "asking"), "attention.head", "head")
        outputs["head"] = ["B", "T", 3 * weights.attention.key.shape[1]]
    return make_file(nodes.all, inputs, outputs, arrays, _constants(layers, size))


def _cells(nodes: _Nodes, x: str, number: int) -> str:
    """One layer of cells over (T, B, E) `x`: what it adds, added."""
    from onnx.helper import make_node

    product = nodes.product(nodes.normed(x, f"n{number}"), f"layer{number}.input", f"xW{number}")
    entering = nodes.add("Add", [product, f"layer{number}.bias"], f"entering{number}")
    for name in ("r", "c"):
        nodes.add("Gather", [name, f"number{number}"], f"{name}{number}", axis=0)  # (B, E), (B, H)
    outputs = [f"r_last{number}", f"c_last{number}", f"out{number}"]
    nodes.all.append(
        make_node("Scan", [f"r{number}", f"c{number}", entering], outputs, num_scan_inputs=1, body=_step(number, nodes.arrays))
    )
    for name in ("r", "c"):
        nodes.add("Unsqueeze", [f"{name}_last{number}", "first_axis"], f"{name}_new{number}")
    return nodes.add("Add", [x, f"out{number}"], f"x{number + 1}")


def _step(number: int, arrays: Arrays) -> Any:
    """The body of the loop over tokens: r (B, E), c (B, H), what enters (B, 4H) -> r, c, and r once more to be put together."""
    from onnx import TensorProto
    from onnx.helper import make_graph, make_node, make_tensor_type_proto, make_value_info

    nodes = _Nodes(arrays)
    z = nodes.add("Add", ["entering", nodes.product("r", f"layer{number}.recurrent", "back")], "z")
    nodes.all.append(make_node("Split", [z], ["zi", "zf", "zo", "zg"], axis=-1))
    i, f, o = (nodes.add("Sigmoid", [f"z{gate}"], gate) for gate in "ifo")
    kept = nodes.add("Mul", [f, "c"], "kept")
    nodes.add("Add", [kept, nodes.add("Mul", [i, nodes.add("Tanh", ["zg"], "g")], "come")], "c_next")
    shown = nodes.add("Mul", [o, nodes.add("Tanh", ["c_next"], "seen")], "shown")
    nodes.product(shown, f"layer{number}.projection", "r_next")
    nodes.add("Identity", ["r_next"], "r_out")
    kind = make_tensor_type_proto(TensorProto.FLOAT, None)
    values = {name: make_value_info(name, kind) for name in ("r", "c", "entering", "r_next", "c_next", "r_out")}
    return make_graph(
        nodes.all, "step", [values[n] for n in ("r", "c", "entering")], [values[n] for n in ("r_next", "c_next", "r_out")]
    )


def _output(weights: StackWeights, arrays: Arrays) -> bytes:
    size, x, nodes = weights.embedding.shape[1], "stream", _Nodes(arrays)
    inputs: dict[str, Shape] = {"stream": ["N", size]}
    if weights.attention is not None:
        inputs["found"] = ["N", weights.attention.out.shape[0]]
        x = nodes.add("Add", [x, nodes.product("found", "attention.out", "recalled")], "x1")
    if weights.feedforward is not None:
        wide = nodes.add("Relu", [nodes.product(nodes.normed(x, "n1"), "feedforward.widen", "wide")], "half")
        square = nodes.add("Mul", [wide, wide], "square")
        x = nodes.add("Add", [x, nodes.product(square, "feedforward.narrow", "narrow")], "x2")
    shown = nodes.product(nodes.normed(x, "n2"), "projection", "shown")
    if arrays["embedding"].ndim == 2:
        nodes.add("Gemm", [shown, "embedding", "bias"], "logits", transB=1)
    else:
        nodes.add("Add", [nodes.product(shown, "embedding", "alike"), "bias"], "logits")
    nodes.add("LogSoftmax", ["logits"], "log_probs", axis=-1)
    return make_file(nodes.all, inputs, {"log_probs": ["N", len(weights.bias)]}, arrays, _constants(0, size))


def _constants(layers: int, size: int) -> dict[str, NDArray[Any]]:
    """Small numbers that the nodes name."""
    epsilon = {"epsilon": np.array([EPSILON], np.float32)}
    if not layers:
        return epsilon
    numbers = {f"number{number}": np.array(number, np.int64) for number in range(layers)}
    axes = {"first_axis": np.array([0], np.int64), "last_axis": np.array([-1], np.int64)}
    return {**epsilon, **numbers, **axes, "zero": np.array([_ZERO], np.float32), "vector": np.array([0, 0, size], np.int64)}

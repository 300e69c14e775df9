"""The stack as two ONNX graphs without its weights, as `rejoinder.models.lstm.graph` has them for the plain cell.

    memory   tokens (B, T) int64, r (L, B, E), c (L, B, H)   ->  stream (B, T, E), head (B, T, 3A), r and c after them
    output   stream (N, E), found (N, A)                     ->  log_probs (N, V) nats

`stream` is what leaves the highest layer of cells; `head` holds the query, the key of the next place and the value of each token.
Looking back lies between the two graphs, since the places of each text are its own; it is needed only where the next token is
asked for. Where there is no head, neither `head` nor `found` is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rejoinder.errors import missing_extra
from rejoinder.models.lstm.graph import MEMORY, OUTPUT, Arrays, Shape, make_file
from rejoinder.models.lstm.stack import EPSILON, StackWeights


def stack_graph_weights(weights: StackWeights, never: Sequence[int]) -> dict[str, dict[str, NDArray[np.float32]]]:
    """The arrays that each graph is opened with, by name; the bias of the tokens that can `never` come is -inf."""
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


def build_stack_graphs(weights: StackWeights) -> dict[str, bytes]:
    """The two graphs for weights of these shapes, as the contents of .onnx files.

    Raises:
        MissingExtra: the package `onnx` is not installed.
    """
    try:
        import onnx  # noqa: F401
    except ImportError as error:
        raise missing_extra("making the graphs of the rung `lstm`", "train") from error
    arrays = stack_graph_weights(weights, ())
    return {MEMORY: _memory(weights, arrays[MEMORY]), OUTPUT: _output(weights, arrays[OUTPUT])}


class _Nodes:
    """Nodes in the making, each by its operator, inputs and one output."""

    def __init__(self) -> None:
        self.all: list[Any] = []

    def add(self, operator: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        """One more node; the name of its output."""
        from onnx.helper import make_node

        self.all.append(make_node(operator, list(inputs), [output], **attributes))
        return output

    def normed(self, x: str, output: str) -> str:
        """`x` at a root mean square of 1."""
        square = self.add("Mul", [x, x], f"{output}.square")
        mean = self.add("ReduceMean", [square], f"{output}.mean", axes=[-1])
        root = self.add("Sqrt", [self.add("Add", [mean, "epsilon"], f"{output}.sum")], f"{output}.root")
        return self.add("Div", [x, root], output)


def _memory(weights: StackWeights, arrays: Arrays) -> bytes:
    layers, size, hidden = len(weights.layers), weights.embedding.shape[1], weights.hidden
    nodes = _Nodes()
    read = nodes.add("Transpose", [nodes.add("Gather", ["embedding", "tokens"], "read")], "first", perm=[1, 0, 2])  # (T, B, E)
    x = nodes.normed(read, "x0")
    for number in range(layers):
        x = _cells(nodes, x, number)
    nodes.add("Transpose", [x], "stream", perm=[1, 0, 2])
    for name in ("r_new", "c_new"):
        nodes.add("Concat", [f"{name}{number}" for number in range(layers)], name, axis=0)
    inputs: dict[str, Shape] = {"tokens": ["B", "T"], "r": [layers, "B", size], "c": [layers, "B", hidden]}
    outputs: dict[str, Shape] = {"stream": ["B", "T", size], "r_new": [layers, "B", size], "c_new": [layers, "B", hidden]}
    if weights.attention is not None:
        nodes.add("MatMul", [nodes.normed("stream", "asking"), "attention.head"], "head")
        outputs["head"] = ["B", "T", arrays["attention.head"].shape[1]]
    return make_file(nodes.all, inputs, outputs, arrays, _constants(layers))


def _cells(nodes: _Nodes, x: str, number: int) -> str:
    """One layer of cells over (T, B, E) `x`: what it adds, added."""
    from onnx.helper import make_node

    product = nodes.add("MatMul", [nodes.normed(x, f"n{number}"), f"layer{number}.input"], f"xW{number}")
    entering = nodes.add("Add", [product, f"layer{number}.bias"], f"entering{number}")
    for name in ("r", "c"):
        nodes.add("Gather", [name, f"number{number}"], f"{name}{number}", axis=0)  # (B, E), (B, H)
    outputs = [f"r_last{number}", f"c_last{number}", f"out{number}"]
    nodes.all.append(
        make_node("Scan", [f"r{number}", f"c{number}", entering], outputs, num_scan_inputs=1, body=_step(f"layer{number}"))
    )
    for name in ("r", "c"):
        nodes.add("Unsqueeze", [f"{name}_last{number}", "first_axis"], f"{name}_new{number}")
    return nodes.add("Add", [x, f"out{number}"], f"x{number + 1}")


def _step(layer: str) -> Any:
    """The body of the loop over tokens: r (B, E), c (B, H), what enters (B, 4H) -> r, c, and r once more to be put together."""
    from onnx import TensorProto
    from onnx.helper import make_graph, make_node, make_tensor_type_proto, make_value_info

    nodes = _Nodes()
    z = nodes.add("Add", ["entering", nodes.add("MatMul", ["r", f"{layer}.recurrent"], "back")], "z")
    nodes.all.append(make_node("Split", [z], ["zi", "zf", "zo", "zg"], axis=-1))
    i, f, o = (nodes.add("Sigmoid", [f"z{gate}"], gate) for gate in "ifo")
    kept = nodes.add("Mul", [f, "c"], "kept")
    nodes.add("Add", [kept, nodes.add("Mul", [i, nodes.add("Tanh", ["zg"], "g")], "come")], "c_next")
    shown = nodes.add("Mul", [o, nodes.add("Tanh", ["c_next"], "seen")], "shown")
    nodes.add("MatMul", [shown, f"{layer}.projection"], "r_next")
    nodes.add("Identity", ["r_next"], "r_out")
    kind = make_tensor_type_proto(TensorProto.FLOAT, None)
    values = {name: make_value_info(name, kind) for name in ("r", "c", "entering", "r_next", "c_next", "r_out")}
    return make_graph(
        nodes.all, "step", [values[n] for n in ("r", "c", "entering")], [values[n] for n in ("r_next", "c_next", "r_out")]
    )


def _output(weights: StackWeights, arrays: Arrays) -> bytes:
    size, x, nodes = weights.embedding.shape[1], "stream", _Nodes()
    inputs: dict[str, Shape] = {"stream": ["N", size]}
    if weights.attention is not None:
        inputs["found"] = ["N", weights.attention.out.shape[0]]
        x = nodes.add("Add", [x, nodes.add("MatMul", ["found", "attention.out"], "recalled")], "x1")
    if weights.feedforward is not None:
        wide = nodes.add("Relu", [nodes.add("MatMul", [nodes.normed(x, "n1"), "feedforward.widen"], "wide")], "half")
        square = nodes.add("Mul", [wide, wide], "square")
        x = nodes.add("Add", [x, nodes.add("MatMul", [square, "feedforward.narrow"], "narrow")], "x2")
    shown = nodes.add("MatMul", [nodes.normed(x, "n2"), "projection"], "shown")
    nodes.add("LogSoftmax", [nodes.add("Gemm", [shown, "embedding", "bias"], "logits", transB=1)], "log_probs", axis=-1)
    return make_file(nodes.all, inputs, {"log_probs": ["N", len(weights.bias)]}, arrays, _constants(0))


def _constants(layers: int) -> dict[str, NDArray[Any]]:
    """Small numbers that the nodes name."""
    numbers = {f"number{number}": np.array(number, np.int64) for number in range(layers)}
    return {"epsilon": np.array([EPSILON], np.float32), **({"first_axis": np.array([0], np.int64)} if layers else {}), **numbers}

"""The memory cell as two ONNX graphs, without its weights: those lie beside them once, and are handed in when a graph is opened.

    memory   tokens (B, T) int64, h (L, B, H), c (L, B, H)  ->  outputs (B, T, H), h (L, B, H), c (L, B, H)
    output   outputs (N, H)                                 ->  log_probs (N, V) nats

All but the tokens are float32. One decoding step is `memory` with T = 1, which is as fast as a graph made for one token; so there
is one copy of the weights in memory, and a text scored at once gives what its tokens give one by one. They are two graphs since
a search advances far more often than it asks what comes next.

Building needs the package `onnx`; opening does not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rejoinder.errors import missing_extra
from rejoinder.models.lstm.cell import CellWeights, Floats

MEMORY = "memory"
OUTPUT = "output"
_OPSET, _IR = 17, 8  # the LSTM operator has been the same since opset 14; old enough for every runtime we allow
DOMAIN = "com.microsoft"  # of ONNX Runtime's own operators
_OUTSIDE = "weights"  # where a graph believes its weights to be; no such file is ever opened

Arrays = Mapping[str, NDArray[Any]]
Shape = Sequence[int | str]  # a name where the size is free


def graph_weights(weights: CellWeights, never: Sequence[int]) -> dict[str, dict[str, NDArray[np.float32]]]:
    """The arrays that each graph is opened with, by name, as the operators want them.

    Args:
        weights: of any floating type.
        never: tokens that can never come; their bias is -inf, so that the softmax gives them 0.
    """
    embedding, bias = np.asarray(weights.embedding, np.float32), np.array(weights.bias, np.float32)
    bias[list(never)] = -np.inf
    memory, output = {"embedding": embedding}, {"embedding": embedding, "bias": bias}
    for number, layer in enumerate(weights.layers):
        memory[f"layer{number}.W"] = _gates(layer.input).T[None]  # (1, 4H, D)
        memory[f"layer{number}.R"] = _gates(layer.recurrent).T[None]  # (1, 4H, H)
        gates = _gates(layer.bias)
        memory[f"layer{number}.B"] = np.concatenate([gates, np.zeros_like(gates)])[None]  # (1, 8H): of x W, of h U
    if weights.projection is not None:
        output["projection"] = np.asarray(weights.projection, np.float32)  # (H, E)
    return {
        name: {key: np.ascontiguousarray(array) for key, array in arrays.items()}
        for name, arrays in ((MEMORY, memory), (OUTPUT, output))
    }


def build_graphs(weights: CellWeights) -> dict[str, bytes]:
    """The two graphs for weights of these shapes, as the contents of .onnx files.

    Raises:
        MissingExtra: the package `onnx` is not installed.
    """
    try:
        import onnx  # noqa: F401
    except ImportError as error:
        raise missing_extra("making the graphs of the rung `lstm`", "train") from error
    arrays = graph_weights(weights, ())
    return {
        MEMORY: _memory(len(weights.layers), weights.hidden, arrays[MEMORY]),
        OUTPUT: _output(weights.hidden, len(weights.bias), arrays[OUTPUT]),
    }


def _memory(layers: int, hidden: int, arrays: Arrays) -> bytes:
    from onnx.helper import make_node as node

    rows = {name: [f"{name}{number}" for number in range(layers)] for name in ("h", "c", "h_new", "c_new")}
    nodes = [node("Gather", ["embedding", "tokens"], ["read"]), node("Transpose", ["read"], ["x0"], perm=[1, 0, 2])]  # (T, B, E)
    if layers == 1:
        rows = {"h": ["h"], "c": ["c"], "h_new": ["h_new"], "c_new": ["c_new"]}
    else:
        nodes += [node("Split", [name], rows[name], axis=0) for name in ("h", "c")]  # (1, B, H) each
    for number in range(layers):
        weights = [f"layer{number}.{part}" for part in "WRB"]
        before, after = [rows[name][number] for name in ("h", "c")], [rows[name][number] for name in ("h_new", "c_new")]
        y = f"y{number}"  # (T, 1, B, H)
        nodes.append(node("LSTM", [f"x{number}", *weights, "", *before], [y, *after], hidden_size=hidden))
        nodes.append(node("Squeeze", [y, "directions"], [f"x{number + 1}"]))  # (T, B, H)
    nodes.append(node("Transpose", [f"x{layers}"], ["outputs"], perm=[1, 0, 2]))
    if layers > 1:
        nodes += [node("Concat", rows[name], [name], axis=0) for name in ("h_new", "c_new")]
    state: Shape = [layers, "B", hidden]
    inputs: dict[str, Shape] = {"tokens": ["B", "T"], "h": state, "c": state}
    return make_file(
        nodes, inputs, {"outputs": ["B", "T", hidden], "h_new": state, "c_new": state}, arrays, {"directions": np.array([1])}
    )


def _output(hidden: int, vocabulary: int, arrays: Arrays) -> bytes:
    from onnx.helper import make_node as node

    shown = "shown" if "projection" in arrays else "outputs"  # (N, E)
    nodes = [node("MatMul", ["outputs", "projection"], [shown])] if "projection" in arrays else []
    nodes.append(node("Gemm", [shown, "embedding", "bias"], ["logits"], transB=1))
    nodes.append(node("LogSoftmax", ["logits"], ["log_probs"], axis=-1))
    return make_file(nodes, {"outputs": ["N", hidden]}, {"log_probs": ["N", vocabulary]}, arrays, {})


def make_file(
    nodes: Sequence[Any],
    inputs: Mapping[str, Shape],
    outputs: Mapping[str, Shape],
    arrays: Arrays,
    constants: Mapping[str, NDArray[Any]],
) -> bytes:
    """A graph as the content of a file: the `arrays` are named and sized, the small `constants` lie inside."""
    from onnx import TensorProto, helper, numpy_helper

    def value(name: str, shape: Shape) -> Any:
        return helper.make_tensor_value_info(name, TensorProto.INT64 if name == "tokens" else TensorProto.FLOAT, shape)

    initializers = [_outside(name, array) for name, array in arrays.items()]
    initializers += [numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph(
        nodes, "lstm", [value(*each) for each in inputs.items()], [value(*each) for each in outputs.items()], initializers
    )
    opsets = [helper.make_opsetid("", _OPSET)]
    if any(array.dtype == np.uint8 for array in arrays.values()):
        opsets.append(helper.make_opsetid(DOMAIN, 1))
    model = helper.make_model(graph, opset_imports=opsets, ir_version=_IR, producer_name="rejoinder")
    return bytes(model.SerializeToString(deterministic=True))


def _outside(name: str, array: NDArray[Any]) -> Any:
    """A weight that is named and sized in the graph, and lies elsewhere."""
    from onnx import StringStringEntryProto, TensorProto
    from onnx.helper import np_dtype_to_tensor_dtype

    return TensorProto(
        name=name,
        data_type=np_dtype_to_tensor_dtype(array.dtype),
        dims=array.shape,
        data_location=TensorProto.EXTERNAL,
        external_data=[StringStringEntryProto(key="location", value=_OUTSIDE)],
    )


def _gates(array: Floats) -> NDArray[np.float32]:
    """The last axis from our order of the gates (i, f, g, o) to that of ONNX (i, o, f, c)."""
    i, f, g, o = np.split(np.asarray(array, np.float32), 4, axis=-1)
    return np.concatenate([i, o, f, g], axis=-1)

"""A BERT encoder as one ONNX graph, without its weights: tokens in, one vector of length 1 out.

    x = norm(word + place + kind)                             of each of T tokens
    x = norm(x + softmax(q k' / sqrt(h)) v Wo)                q, k, v = x Wq, x Wk, x Wv, by heads, with biases
    x = norm(x + gelu(x W1) W2)                               for each of L layers
    vector = mean of x over the tokens, divided by its length

Source: Devlin et al. 2019 (BERT), Reimers & Gurevych 2019 (the mean). Building needs the package `onnx`; opening does not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rejoinder.errors import SourceError, missing_extra

_OPSET, _IR = 17, 8
_MS = "com.microsoft"
_OUTSIDE = "weights"  # where a graph believes its weights to be; no such file is ever opened
_EMBEDDINGS = {"word": "word_embeddings", "place": "position_embeddings", "kind": "token_type_embeddings"}
_PARTS = {  # of a layer: ours -> the name in the file, rows, columns
    "q": ("attention.self.query", "width", "width"),
    "k": ("attention.self.key", "width", "width"),
    "v": ("attention.self.value", "width", "width"),
    "o": ("attention.output.dense", "width", "width"),
    "in": ("intermediate.dense", "inner", "width"),
    "out": ("output.dense", "width", "inner"),
}
_NORMS = {"first": "attention.output.LayerNorm", "second": "output.LayerNorm"}

Arrays = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True)
class EncoderShape:
    """The sizes of an encoder."""

    layers: int
    width: int  # D
    inner: int
    heads: int
    vocabulary: int
    longest: int  # tokens
    kinds: int
    epsilon: float


def encoder_arrays(found: Mapping[str, NDArray[Any]], s: EncoderShape) -> dict[str, NDArray[np.float32]]:
    """The weights by our names, as the graph takes them, out of those of a file.

    Raises:
        SourceError: one is missing, or of another shape than the settings say.
    """
    before = "bert." if any(name.startswith("bert.") for name in found) else ""
    sizes = {"width": s.width, "inner": s.inner}

    def take(name: str, *shape: int) -> NDArray[np.float32]:
        array = found.get(before + name)
        if array is None:
            raise SourceError(f"the weight {name} is missing; a BERT encoder was expected")
        if array.shape != shape:
            raise SourceError(f"the weight {name} is of {array.shape}, where config.json says {shape}")
        return np.ascontiguousarray(array, np.float32)

    rows = {"word": s.vocabulary, "place": s.longest, "kind": s.kinds}
    arrays = {ours: take(f"embeddings.{name}.weight", rows[ours], s.width) for ours, name in _EMBEDDINGS.items()}
    norms = {"norm": "embeddings.LayerNorm"}
    for layer in range(s.layers):
        at = f"encoder.layer.{layer}"
        for ours, (name, out, into) in _PARTS.items():
            weight = take(f"{at}.{name}.weight", sizes[out], sizes[into])
            arrays[f"{layer}.{ours}"] = np.ascontiguousarray(weight.T)
            arrays[f"{layer}.{ours}.bias"] = take(f"{at}.{name}.bias", sizes[out])
        norms |= {f"{layer}.{ours}": f"{at}.{name}" for ours, name in _NORMS.items()}
    for ours, name in norms.items():
        arrays[f"{ours}.scale"], arrays[f"{ours}.shift"] = (take(f"{name}.{part}", s.width) for part in ("weight", "bias"))
    arrays["kind"] = arrays["kind"][:1]  # all of a text is of the first kind
    return arrays


def build_encoder(s: EncoderShape, arrays: Arrays) -> bytes:
    """The graph for arrays of these shapes, as the contents of a .onnx file: tokens (1, T) int64 -> vector (1, D).

    Raises:
        MissingExtra: the package `onnx` is not installed.
    """
    try:
        from onnx import TensorProto, helper, numpy_helper
    except ImportError as error:
        raise missing_extra("making the graph of a sentence encoder", "pretrained") from error
    nodes, constants = _nodes(s)
    inputs = [helper.make_tensor_value_info("tokens", TensorProto.INT64, [1, "T"])]
    outputs = [helper.make_tensor_value_info("vector", TensorProto.FLOAT, [1, s.width])]
    initializers = [_outside(name, array) for name, array in arrays.items()]
    initializers += [numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "sentence", inputs, outputs, initializers)
    opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(_MS, 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=_IR, producer_name="rejoinder")
    return bytes(model.SerializeToString(deterministic=True))


def _nodes(s: EncoderShape) -> tuple[list[Any], dict[str, NDArray[Any]]]:
    """The nodes, and their constants."""
    from onnx.helper import make_node

    nodes: list[Any] = []
    head = s.width // s.heads
    constants: dict[str, NDArray[Any]] = {
        "by_heads": np.array([1, -1, s.heads, head]),
        "flat": np.array([1, -1, s.width]),
        "scale": np.array(head**-0.5, np.float32),
        "zero": np.array([0]),
        "one": np.array([1]),
        "two": np.array([2]),
    }

    def node(kind: str, inputs: Sequence[str], output: str, domain: str = "", **attributes: Any) -> str:
        nodes.append(make_node(kind, list(inputs), [output], domain=domain, **attributes))
        return output

    def linear(x: str, name: str) -> str:
        return node("Add", [node("MatMul", [x, name], f"{name}.product"), f"{name}.bias"], f"{name}.y")

    def norm(x: str, name: str) -> str:
        return node("LayerNormalization", [x, f"{name}.scale", f"{name}.shift"], f"{name}.y", axis=-1, epsilon=s.epsilon)

    def heads(x: str, name: str, order: Sequence[int]) -> str:
        apart = node("Reshape", [x, "by_heads"], f"{name}.apart")
        return node("Transpose", [apart], f"{name}.heads", perm=list(order))

    length = node("Slice", [node("Shape", ["tokens"], "shape"), "one", "two"], "T")
    places = node("Slice", ["place", "zero", length], "places")
    read = node("Add", [node("Gather", ["word", "tokens"], "words"), places], "placed")
    x = norm(node("Add", [read, "kind"], "read"), "norm")
    for layer in range(s.layers):
        at = f"{layer}."
        q, k, v = (linear(x, f"{at}{part}") for part in "qkv")
        q = node("Mul", [heads(q, f"{at}q", (0, 2, 1, 3)), "scale"], f"{at}q.scaled")
        scores = node("MatMul", [q, heads(k, f"{at}k", (0, 2, 3, 1))], f"{at}scores")
        shares = node("Softmax", [scores], f"{at}shares", axis=-1)
        seen = node("MatMul", [shares, heads(v, f"{at}v", (0, 2, 1, 3))], f"{at}seen")
        seen = node("Reshape", [node("Transpose", [seen], f"{at}seen.tokens", perm=[0, 2, 1, 3]), "flat"], f"{at}seen.flat")
        x = norm(node("Add", [x, linear(seen, f"{at}o")], f"{at}attended"), f"{at}first")
        lit = node("Gelu", [linear(x, f"{at}in")], f"{at}lit", _MS)
        x = norm(node("Add", [x, linear(lit, f"{at}out")], f"{at}worked"), f"{at}second")
    mean = node("ReduceMean", [x], "mean", axes=[1], keepdims=0)
    node("LpNormalization", [mean], "vector", axis=-1, p=2)
    return nodes, constants


def _outside(name: str, array: NDArray[np.float32]) -> Any:
    """A weight that is named and sized in the graph, and lies elsewhere."""
    from onnx import StringStringEntryProto, TensorProto

    return TensorProto(
        name=name,
        data_type=TensorProto.FLOAT,
        dims=array.shape,
        data_location=TensorProto.EXTERNAL,
        external_data=[StringStringEntryProto(key="location", value=_OUTSIDE)],
    )

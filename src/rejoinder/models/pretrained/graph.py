"""The net as two ONNX graphs, without its weights: those lie beside them once, and are handed in when a graph is opened.

    net      x (B, T, D), what was read before, positions (B, T), mask (1, 1, g T, S + T)  ->  hidden (B, T, D), read (B, R, T, h)
    output   hidden (N, D)                                                                ->  log_probs (N, V) nats

For each of L layers (Touvron et al. 2023, "LLaMA"; norms by Zhang & Sennrich 2019, angles by Su et al. 2021, shared heads by
Ainslie et al. 2023, gates by Shazeer 2020):

    n = x / sqrt(mean(x^2) + e) * w               q, k, v = n Wq, n Wk, n Wv        q and k turned by their positions
    x = x + softmax(q K' / sqrt(h)) V Wo          n' as n, of this x
    x = x + (silu(n' Wg) * n' Wu) Wd              silu(a) = a / (1 + exp(-a))

G heads of keys and values each serve g heads of queries. What was read before comes in two pieces: `past`, which all of a batch
share and which is handed in as it lies (keys (G, h, P) and values (G, P, h) of each layer), and `tail` (B, R, S, h), the last
few tokens of each, R = 2 L G; `mask` hides from a token what comes after it. `read` are the new keys and values.

Building needs the package `onnx`; opening does not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rejoinder.errors import missing_extra
from rejoinder.models.pretrained.gguf_file import NetShape
from rejoinder.models.pretrained.quantisation import Weight

NET, OUTPUT = "net", "output"
_OPSET, _IR = 17, 8  # old enough for every runtime we allow
_OUTSIDE = "weights"  # where a graph believes its weights to be; no such file is ever opened
_MS = "com.microsoft"

Arrays = Mapping[str, NDArray[Any]]
Shape = Sequence[int | str]  # a name where the size is free


def matrix_arrays(name: str, weight: Weight) -> dict[str, NDArray[Any]]:
    """A matrix as the arrays that a graph is opened with."""
    if weight.bits == 32:
        return {f"{name}.W": weight.numbers}
    found: dict[str, NDArray[Any] | None] = {f"{name}.B": weight.numbers, f"{name}.d": weight.scales, f"{name}.c": weight.offsets}
    return {key: array for key, array in found.items() if array is not None}


def angles(shape: NetShape) -> dict[str, NDArray[np.float32]]:
    """(positions, h / 2) float32, cosines and sines by which queries and keys are turned; a query is divided by sqrt(h), too."""
    steps = shape.base ** (-np.arange(0, shape.head, 2) / shape.head)
    turned = np.arange(shape.longest)[:, None] * steps
    cos, sin = np.cos(turned), np.sin(turned)
    scale = shape.head**-0.5
    found = {"cos.q": cos * scale, "sin.q": sin * scale, "cos.k": cos, "sin.k": sin}
    return {name: array.astype(np.float32) for name, array in found.items()}


def build_graphs(shape: NetShape, arrays: Arrays, vocabulary: int) -> dict[str, bytes]:
    """The two graphs for arrays of these shapes, as the contents of .onnx files.

    Args:
        shape: of the net.
        arrays: its weights by the names of `rejoinder.models.pretrained.weights`.
        vocabulary: V, rows of the output matrix.

    Raises:
        MissingExtra: the package `onnx` is not installed.
    """
    try:
        import onnx  # noqa: F401
    except ImportError as error:
        raise missing_extra("making the graphs of the rung `pretrained`", "pretrained") from error
    return {NET: _Builder(shape, arrays).net(), OUTPUT: _Builder(shape, arrays).output(vocabulary)}


class _Builder:
    """Nodes of one graph, and the weights that they name."""

    def __init__(self, shape: NetShape, arrays: Arrays) -> None:
        self.shape, self.arrays = shape, {**arrays, **angles(shape)}
        self.nodes: list[Any] = []
        self.constants: dict[str, NDArray[np.int64]] = {}
        self.used: list[str] = []

    def node(self, kind: str, inputs: Sequence[str], output: str, domain: str = "", **attributes: Any) -> str:
        """One node more; the name of what it puts out."""
        from onnx.helper import make_node

        self.used += [name for name in inputs if name in self.arrays and name not in self.used]
        self.nodes.append(make_node(kind, list(inputs), [output], domain=domain, **attributes))
        return output

    def whole(self, *numbers: int) -> str:
        """A constant list of whole numbers."""
        name = "n" + "_".join(map(str, numbers)).replace("-", "m")
        self.constants[name] = np.array(numbers, np.int64)
        return name

    def matrix(self, x: str, name: str, columns: int) -> str:
        """`x` times the matrix of that name, which may lie there in several parts."""
        parts = [f"{name}.{place}" for place in range(3)]
        parts = [part for part in parts if f"{part}.W" in self.arrays or f"{part}.B" in self.arrays]
        found = [self.product(x, part, columns) for part in parts]
        y = found[0] if len(found) == 1 else self.node("Concat", found, f"{name}.joined", axis=-1)
        return self.node("Add", [y, f"{name}.bias"], f"{name}.biased") if f"{name}.bias" in self.arrays else y

    def product(self, x: str, name: str, columns: int) -> str:
        """`x` times one matrix."""
        if f"{name}.W" in self.arrays:
            return self.node("MatMul", [x, f"{name}.W"], f"{name}.y")
        rows, blocks, packed = self.arrays[f"{name}.B"].shape
        bits = 8 * packed * blocks // columns
        how = {"K": columns, "N": rows, "bits": bits, "block_size": columns // blocks, "accuracy_level": 4}
        y = self.node("MatMulNBits", [x, f"{name}.B", f"{name}.d"], f"{name}.y", _MS, **how)
        if f"{name}.c" not in self.arrays:
            return y
        apart = self.node("Reshape", [x, self.whole(0, 0, blocks, columns // blocks)], f"{name}.apart")
        sums = self.node("ReduceSum", [apart, self.whole(-1)], f"{name}.sums", keepdims=0)
        return self.node("Add", [y, self.node("MatMul", [sums, f"{name}.c"], f"{name}.rest")], f"{name}.all")

    def norm(self, x: str, name: str) -> str:
        """RMS norm."""
        return self.node(
            "SimplifiedLayerNormalization", [x, name], f"{name}.y", axis=-1, epsilon=self.shape.epsilon, stash_type=1
        )

    def split(self, x: str, sizes: Sequence[int], axis: int, name: str) -> list[str]:
        """Pieces of `x` along an axis."""
        from onnx.helper import make_node

        names = [f"{name}.{place}" for place in range(len(sizes))]
        self.nodes.append(make_node("Split", [x, self.whole(*sizes)], names, axis=axis))
        return names

    def turned(self, x: str, heads: int, which: str, name: str) -> str:
        """(B, heads, T, h): queries or keys apart by heads, turned by their positions."""
        apart = self.node("Reshape", [x, self.whole(0, 0, heads, self.shape.head)], f"{name}.apart")
        first = self.node("Transpose", [apart], f"{name}.heads", perm=[0, 2, 1, 3])
        inputs = [first, "positions", f"cos.{which}", f"sin.{which}"]
        return self.node("RotaryEmbedding", inputs, f"{name}.turned", _MS, interleaved=int(not self.shape.halves))

    def attention(self, number: int, n: str, tail: tuple[str, str]) -> tuple[str, str, str]:
        """(B, T, D) what layer `number` takes from what was read; and its new keys and values, (B, G, T, h)."""
        s, at = self.shape, f"layer{number}"
        own, shared = s.heads * s.head, s.shared * s.head
        q, k, v = self.split(self.matrix(n, f"{at}.qkv", s.width), (own, shared, shared), -1, f"{at}.qkv.split")
        q, k = self.turned(q, s.heads, "q", f"{at}.q"), self.turned(k, s.shared, "k", f"{at}.k")
        v = self.node("Reshape", [v, self.whole(0, 0, s.shared, s.head)], f"{at}.v.apart")
        v = self.node("Transpose", [v], f"{at}.v", perm=[0, 2, 1, 3])
        rows = self.node("Reshape", [q, self.whole(0, s.shared, -1, s.head)], f"{at}.rows")  # (B, G, g T, h)
        near_k = self.node("Concat", [tail[0], k], f"{at}.near.k", axis=2)
        near_v = self.node("Concat", [tail[1], v], f"{at}.near.v", axis=2)
        across = self.node("Transpose", [near_k], f"{at}.near.across", perm=[0, 1, 3, 2])
        near = self.node("Add", [self.node("MatMul", [rows, across], f"{at}.near.raw"), "mask"], f"{at}.near.scores")
        far = self.node("MatMul", [rows, f"past.k.{number}"], f"{at}.far.scores")  # (B, G, g T, P)
        scores = self.node("Concat", [far, near], f"{at}.scores", axis=-1)
        shares = self.node("Softmax", [scores], f"{at}.shares", axis=-1)
        far_part = self.node("Slice", [shares, self.whole(0), "past.size", self.whole(-1)], f"{at}.far.shares")
        near_part = self.node("Slice", [shares, "past.size", self.whole(2**31 - 1), self.whole(-1)], f"{at}.near.shares")
        seen = self.node("MatMul", [far_part, f"past.v.{number}"], f"{at}.far.seen")
        seen = self.node("Add", [seen, self.node("MatMul", [near_part, near_v], f"{at}.near.seen")], f"{at}.seen")
        seen = self.node("Reshape", [seen, "by_heads"], f"{at}.seen.heads")
        seen = self.node("Transpose", [seen], f"{at}.seen.tokens", perm=[0, 2, 1, 3])
        flat = self.node("Reshape", [seen, self.whole(0, 0, own)], f"{at}.seen.flat")
        return self.matrix(flat, f"{at}.o", own), k, v

    def net(self) -> bytes:
        """Tokens in, hidden numbers out."""
        s = self.shape
        rows = 2 * s.layers * s.shared
        x = "x"
        self.node("Shape", ["past.k.0"], "past.shape")
        self.node("Slice", ["past.shape", self.whole(2), self.whole(3)], "past.size")
        self.node("Shape", ["x"], "x.shape")
        self.node("Slice", ["x.shape", self.whole(1), self.whole(2)], "T")
        self.node("Concat", [self.whole(0, s.heads), "T", self.whole(s.head)], "by_heads", axis=0)
        tails = self.split("tail", [s.shared] * (2 * s.layers), 1, "tail.split")
        read: list[str] = []
        for number in range(s.layers):
            at = f"layer{number}"
            taken, k, v = self.attention(number, self.norm(x, f"{at}.norm"), (tails[2 * number], tails[2 * number + 1]))
            read += [k, v]
            x = self.node("Add", [x, taken], f"{at}.x")
            both = self.matrix(self.norm(x, f"{at}.inner.norm"), f"{at}.up", s.width)
            gate, up = self.split(both, (s.inner, s.inner), -1, f"{at}.up.split")
            lit = self.node("QuickGelu", [gate], f"{at}.lit", _MS, alpha=1.0)
            gated = self.node("Mul", [lit, up], f"{at}.gated")
            x = self.node("Add", [x, self.matrix(gated, f"{at}.down", s.inner)], f"{at}.out")
        self.node("Identity", [self.norm(x, "norm")], "hidden")
        self.node("Concat", read, "read", axis=1)
        past: dict[str, Shape] = {}
        for number in range(s.layers):
            past |= {f"past.k.{number}": [s.shared, s.head, "P"], f"past.v.{number}": [s.shared, "P", s.head]}
        group = s.heads // s.shared
        inputs: dict[str, Shape] = {
            "x": ["B", "T", s.width],
            **past,
            "tail": ["B", rows, "S", s.head],
            "positions": ["B", "T"],
            "mask": [1, 1, f"{group}T", "S+T"],
        }
        return self._file(inputs, {"hidden": ["B", "T", s.width], "read": ["B", rows, "T", s.head]})

    def output(self, vocabulary: int) -> bytes:
        """Hidden numbers in, log probabilities out."""
        logits = self.matrix("hidden", "output", self.shape.width)
        self.node("LogSoftmax", [logits], "log_probs", axis=-1)
        return self._file({"hidden": [1, "N", self.shape.width]}, {"log_probs": [1, "N", vocabulary]})

    def _file(self, inputs: Mapping[str, Shape], outputs: Mapping[str, Shape]) -> bytes:
        from onnx import TensorProto, helper, numpy_helper

        def value(name: str, shape: Shape) -> Any:
            kind = TensorProto.INT64 if name == "positions" else TensorProto.FLOAT
            return helper.make_tensor_value_info(name, kind, shape)

        initializers = [_outside(name, self.arrays[name]) for name in self.used]
        initializers += [numpy_helper.from_array(array, name) for name, array in self.constants.items()]
        ends = [value(*each) for each in inputs.items()], [value(*each) for each in outputs.items()]
        graph = helper.make_graph(self.nodes, "pretrained", *ends, initializers)
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(_MS, 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=_IR, producer_name="rejoinder")
        return bytes(model.SerializeToString(deterministic=True))


def _outside(name: str, array: NDArray[Any]) -> Any:
    """A weight that is named and sized in the graph, and lies elsewhere."""
    from onnx import StringStringEntryProto, TensorProto

    return TensorProto(
        name=name,
        data_type=TensorProto.UINT8 if array.dtype == np.uint8 else TensorProto.FLOAT,
        dims=array.shape,
        data_location=TensorProto.EXTERNAL,
        external_data=[StringStringEntryProto(key="location", value=_OUTSIDE)],
    )

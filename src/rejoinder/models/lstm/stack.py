"""A deeper cell, spelled out in NumPy: projected layers that add to what they read, a head that looks back, a feed-forward layer.

A stream of vectors x (E,) runs through all parts; each reads it at a root mean square of 1, n(x), and adds to it:

    x = n(E_token)
    x += r'      r' = h' P                  for each of L layers of cells: h' is the output, r' what comes back at the next token
    x += sum over i of a_i v_i O            a = softmax_i(q . k_i / sqrt A)
    x += max(0, n(x) W1)^2 W2
    p(w) = softmax_w(E_w . (n(x) Q) + bias_w)

The cells are those of `rejoinder.models.lstm.cell`, with n(x) for x, gates in the order i, f, o, g, and a projection of their
outputs (Sak, Senior & Beaufays 2014). RMS norm: Zhang & Sennrich 2019. One head and a feed-forward layer on an LSTM: Merity 2019.
The squared rectifier: So et al. 2021.

The head is a recall that is learned. Its places are the tokens of the passage so far, the present one included: the key k_i is
made of the stream one token before (what the text was like when token i came), the value v_i of the stream at i (what came). So
it can find where the text was last like now, and say what came then. The first place of a passage has the key 0.

T tokens, V vocabulary, E size of a token's vector, H cells of a layer, A size of the head. Slow and plain on purpose.

Explained in docs/tour/04-a-memory-cell.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np

from rejoinder.errors import DamagedModel
from rejoinder.models.lstm.cell import CellStep, CellWeights, Floats, sigmoid

EPSILON = 1e-6  # added to the mean square, so that zeros stay zeros
_AGAIN = "fit again: rejoinder fit lstm"


class ProjectedLayer(NamedTuple):
    """The weights of one layer of cells."""

    input: Floats  # W (E, 4H)
    recurrent: Floats  # U (E, 4H)
    projection: Floats  # P (H, E)
    bias: Floats  # b (4H,)


class Attention(NamedTuple):
    """The weights of the head."""

    query: Floats  # (E, A)
    key: Floats  # (E, A)
    value: Floats  # (E, A)
    out: Floats  # O (A, E)


class FeedForward(NamedTuple):
    """The weights of the feed-forward layer, F wide."""

    widen: Floats  # W1 (E, F)
    narrow: Floats  # W2 (F, E)


@dataclass(frozen=True)
class StackWeights:
    """All weights of the model."""

    embedding: Floats  # E (V, E)
    layers: tuple[ProjectedLayer, ...]  # L of them
    attention: Attention | None
    feedforward: FeedForward | None
    projection: Floats  # Q (E, E)
    bias: Floats  # (V,)

    @property
    def hidden(self) -> int:
        """Cells of a layer, H."""
        return len(self.layers[0].projection)

    def arrays(self) -> dict[str, Floats]:
        """The weights by name: `embedding`, `layer0.input`, `attention.key` and so on."""
        named = {"embedding": self.embedding, "projection": self.projection, "bias": self.bias}
        for number, layer in enumerate(self.layers):
            named |= {f"layer{number}.{name}": array for name, array in layer._asdict().items()}
        for part, weights in (("attention", self.attention), ("feedforward", self.feedforward)):
            named |= {f"{part}.{name}": array for name, array in (weights._asdict() if weights else {}).items()}
        return named

    @classmethod
    def from_arrays(cls, named: Mapping[str, Floats]) -> Self:
        """The weights from what `arrays` gave.

        Raises:
            DamagedModel: an array is missing or of the wrong shape.
        """

        def part(kind: Any, name: str) -> Any:
            fields = kind._fields
            return kind(*(named[f"{name}.{field}"] for field in fields)) if f"{name}.{fields[0]}" in named else None

        layers: list[ProjectedLayer] = []
        try:
            while (layer := part(ProjectedLayer, f"layer{len(layers)}")) is not None:
                layers.append(layer)
            attention, feedforward = part(Attention, "attention"), part(FeedForward, "feedforward")
            weights = cls(named["embedding"], tuple(layers), attention, feedforward, named["projection"], named["bias"])
        except KeyError as error:
            raise DamagedModel(f"the array {error} is missing; {_AGAIN}") from None
        weights._check_shapes()
        return weights

    def _check_shapes(self) -> None:
        if not self.layers or self.embedding.ndim != 2 or self.layers[0].projection.ndim != 2:
            raise DamagedModel(f"the weights hold no layer; {_AGAIN}")
        (vocabulary, size), hidden = self.embedding.shape, self.hidden
        expected: dict[str, tuple[int, ...]] = {"bias": (vocabulary,), "projection": (size, size)}
        for number in range(len(self.layers)):
            shapes: list[tuple[int, ...]] = [(size, 4 * hidden), (size, 4 * hidden), (hidden, size), (4 * hidden,)]
            expected |= {f"layer{number}.{name}": shape for name, shape in zip(ProjectedLayer._fields, shapes, strict=True)}
        if self.attention is not None:
            head = self.attention.query.shape[-1]
            shapes = [(size, head), (size, head), (size, head), (head, size)]
            expected |= {f"attention.{name}": shape for name, shape in zip(Attention._fields, shapes, strict=True)}
        if self.feedforward is not None:
            wide = self.feedforward.widen.shape[-1]
            expected |= {"feedforward.widen": (size, wide), "feedforward.narrow": (wide, size)}
        for name, array in self.arrays().items():
            if name in expected and array.shape != expected[name]:
                raise DamagedModel(f"the array {name} is {array.shape}, not {expected[name]}; {_AGAIN}")


def normed(x: Floats) -> Floats:
    """`x` at a root mean square of 1 along its last axis."""
    return np.asarray(x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + EPSILON))


def projected_step(x: Floats, r: Floats, c: Floats, layer: ProjectedLayer) -> CellStep:
    """One layer, one token: `x` (E,) at a root mean square of 1, the output before, projected, `r` (E,), the cell `c` (H,)."""
    z = x @ layer.input + r @ layer.recurrent + layer.bias  # (4H,)
    z_i, z_f, z_o, z_g = np.split(z, 4)  # (H,) each
    i, f, g, o = sigmoid(z_i), sigmoid(z_f), np.tanh(z_g), sigmoid(z_o)
    c = f * c + i * g  # (H,)
    return CellStep(i, f, g, o, c, o * np.tanh(c))


def look_back(query: Floats, keys: Floats, values: Floats) -> Floats:
    """(A,): the values at the places of a text, (N, A), each in the share that the likeness of its key (N, A) has."""
    likeness = keys @ query / np.sqrt(len(query))  # (N,)
    shares = np.exp(likeness - likeness.max())
    return np.asarray(shares @ values / shares.sum())


def stack_sequence(weights: StackWeights, tokens: Sequence[int], reach: int) -> tuple[list[list[CellStep]], Floats]:
    """All of it over T tokens of one passage: what happened in each layer at each token; (T, E) what guesses the next one."""
    size, kind = weights.embedding.shape[1], weights.embedding.dtype
    memory = [(np.zeros(size, kind), np.zeros(weights.hidden, kind))] * len(weights.layers)
    head, steps, shown = weights.attention, list[list[CellStep]](), list[Floats]()
    keys, values = ([np.zeros(head.key.shape[1], kind)], list[Floats]()) if head else ([], [])
    for token in tokens:
        x, done, after = normed(weights.embedding[token]), list[CellStep](), list[tuple[Floats, Floats]]()
        for layer, (r, c) in zip(weights.layers, memory, strict=True):
            done.append(projected_step(normed(x), r, c, layer))
            after.append((done[-1].h @ layer.projection, done[-1].c))
            x = x + after[-1][0]
        memory = after
        if head:
            values.append(normed(x) @ head.value)
            found = look_back(normed(x) @ head.query, np.array(keys[-reach:]), np.array(values[-reach:]))
            keys.append(normed(x) @ head.key)  # of the next place
            x = x + found @ head.out
        if weights.feedforward:
            x = x + np.maximum(normed(x) @ weights.feedforward.widen, 0) ** 2 @ weights.feedforward.narrow
        steps.append(done)
        shown.append(normed(x) @ weights.projection)
    return steps, np.array(shown)


AnyWeights = CellWeights | StackWeights


def weights_from(named: Mapping[str, Floats]) -> AnyWeights:
    """The weights of a plain cell or of a stack, from what `arrays` gave.

    Raises:
        DamagedModel: an array is missing or of the wrong shape.
    """
    return (StackWeights if "layer0.projection" in named else CellWeights).from_arrays(named)

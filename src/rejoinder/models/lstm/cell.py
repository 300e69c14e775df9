"""The memory cell, spelled out in NumPy: the reference that training and running must agree with.

    z = x W + h U + b                     four gates at once, in the order i, f, g, o
    i = sigmoid(z_i)                      what may come in
    f = sigmoid(z_f)                      what is kept
    g = tanh(z_g)                         what would come in
    o = sigmoid(z_o)                      what is shown
    c' = f * c + i * g                    the cell: added to, not multiplied over, so that it can remember for long
    h' = o * tanh(c')                     the output

Hochreiter & Schmidhuber 1997, with the forget gate of Gers, Schmidhuber & Cummins 1999. Several layers stand on each other: the
output of one is the input of the next. The next token's probabilities are a softmax over the same vectors that the tokens
come in by (Press & Wolf 2017, Inan, Khosravi & Socher 2017):

    p(w) = softmax_w(E_w . (h P) + bias_w)

T tokens, V vocabulary, E size of a token's vector, H size of the cell, L layers. It is slow and plain on purpose.

Explained in docs/tour/04-a-memory-cell.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from rejoinder.errors import DamagedModel

Floats = NDArray[np.floating[Any]]


class Layer(NamedTuple):
    """The weights of one layer; D is E in the first and H in the others."""

    input: Floats  # W (D, 4H)
    recurrent: Floats  # U (H, 4H)
    bias: Floats  # b (4H,)


class CellStep(NamedTuple):
    """Everything that happens in a cell at one token."""

    i: Floats  # (H,) input gate, 0 to 1
    f: Floats  # (H,) forget gate, 0 to 1
    g: Floats  # (H,) candidate, -1 to 1
    o: Floats  # (H,) output gate, 0 to 1
    c: Floats  # (H,) the cell after this token
    h: Floats  # (H,) the output, -1 to 1


@dataclass(frozen=True)
class CellWeights:
    """All weights of the model, as named arrays."""

    embedding: Floats  # E (V, E)
    layers: tuple[Layer, ...]  # L of them
    projection: Floats | None  # P (H, E); None where H = E and nothing stands between
    bias: Floats  # (V,)

    @property
    def hidden(self) -> int:
        """The size of a layer, H."""
        return len(self.layers[0].recurrent)

    def arrays(self) -> dict[str, Floats]:
        """The weights by name: `embedding`, `bias`, `projection` if there is one, `layer0.input` and so on."""
        named = {"embedding": self.embedding, "bias": self.bias}
        if self.projection is not None:
            named["projection"] = self.projection
        for number, layer in enumerate(self.layers):
            named |= {f"layer{number}.{name}": array for name, array in layer._asdict().items()}
        return named

    @classmethod
    def from_arrays(cls, named: Mapping[str, Floats]) -> Self:
        """The weights from what `arrays` gave.

        Raises:
            DamagedModel: an array is missing or of the wrong shape.
        """
        layers: list[Layer] = []
        try:
            while f"layer{len(layers)}.input" in named:
                layers.append(Layer(*(named[f"layer{len(layers)}.{name}"] for name in Layer._fields)))
            weights = cls(named["embedding"], tuple(layers), named.get("projection"), named["bias"])
        except KeyError as error:
            raise DamagedModel(f"the array {error} is missing; fit again: rejoinder fit lstm") from None
        weights._check_shapes()
        return weights

    def _check_shapes(self) -> None:
        if not self.layers or self.embedding.ndim != 2 or self.layers[0].recurrent.ndim != 2:
            raise DamagedModel("the weights hold no layer; fit again: rejoinder fit lstm")
        (vocabulary, size), hidden = self.embedding.shape, self.hidden
        expected = {"bias": (vocabulary,), "projection": (hidden, size)}
        for number in range(len(self.layers)):
            inputs = hidden if number else size
            expected[f"layer{number}.input"] = (inputs, 4 * hidden)
            expected[f"layer{number}.recurrent"] = (hidden, 4 * hidden)
            expected[f"layer{number}.bias"] = (4 * hidden,)
        if self.projection is None and size != hidden:
            raise DamagedModel("the array 'projection' is missing; fit again: rejoinder fit lstm")
        for name, array in self.arrays().items():
            if name in expected and array.shape != expected[name]:
                raise DamagedModel(f"the array {name} is {array.shape}, not {expected[name]}; fit again: rejoinder fit lstm")


def step(x: Floats, h: Floats, c: Floats, layer: Layer) -> CellStep:
    """One layer, one token: `x` (D,), `h` (H,), `c` (H,)."""
    z = x @ layer.input + h @ layer.recurrent + layer.bias  # (4H,)
    z_i, z_f, z_g, z_o = np.split(z, 4)  # (H,) each
    i, f, g, o = sigmoid(z_i), sigmoid(z_f), np.tanh(z_g), sigmoid(z_o)
    c = f * c + i * g  # (H,)
    return CellStep(i, f, g, o, c, o * np.tanh(c))


def sequence(weights: CellWeights, tokens: Sequence[int]) -> Iterator[list[CellStep]]:
    """All layers over T tokens from an empty memory: for each token, what happened in each layer, the lowest first."""
    nothing = np.zeros(weights.hidden, dtype=weights.embedding.dtype)
    memory = [(nothing, nothing)] * len(weights.layers)
    for token in tokens:
        x = weights.embedding[token]  # (E,)
        steps: list[CellStep] = []
        for layer, (h, c) in zip(weights.layers, memory, strict=True):
            steps.append(step(x, h, c, layer))
            x = steps[-1].h  # (H,)
        memory = [(done.h, done.c) for done in steps]
        yield steps


def log_probs(weights: CellWeights, h: Floats, never: Sequence[int] = ()) -> Floats:
    """(V,) nats: the softmax over the output `h` (H,) of the highest layer; the tokens that can `never` come have -inf."""
    shown = h if weights.projection is None else h @ weights.projection  # (E,)
    logits = weights.embedding @ shown + weights.bias  # (V,)
    logits[list(never)] = -np.inf
    return np.asarray(logits - logits.max() - np.log(np.exp(logits - logits.max()).sum()))


def sigmoid(z: Floats) -> Floats:
    """1 / (1 + e^-z), without overflow."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * z)))

"""The model as Keras trains it: the cell of `rejoinder.models.lstm.cell` for B lanes and T tokens at once, on any Keras backend.

What the input adds to the gates, x W, is worked out for all tokens in one product; only h U waits for the token before. Under a
mixed policy products are in bfloat16; the cell itself, the weights and the sums stay in float32. The memory is a pair of
variables, so that a window goes on where the one before it ended; its gradient stops there (truncated backpropagation through
time, Williams & Peng 1990).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from rejoinder.models.lstm.cell import Floats, Layer, Weights
from rejoinder.models.lstm.config import LSTMConfig

Tensor = Any
_NEVER = -1e9  # nats: the logit of what can never come; a finite one keeps gradients finite


class Memory(keras.layers.Layer):  # type: ignore[misc]
    """One layer of memory cells that remembers from window to window."""

    def __init__(self, config: LSTMConfig, seed: Any, **options: Any) -> None:
        """`seed`: a Keras seed generator, for the dropout of weights."""
        super().__init__(**options)
        self.hidden, self.lanes = config.hidden, config.batch
        self.drop = keras.layers.Dropout(config.weight_drop, seed=seed, dtype=self.dtype_policy) if config.weight_drop else None

    def build(self, shape: Sequence[int]) -> None:
        """Make the weights for inputs (B, T, D); the forget gate begins open, so that memory lasts until it learns otherwise."""
        size = self.hidden
        self.input_weights = self.add_weight(name="input", shape=(shape[-1], 4 * size), initializer="glorot_uniform")
        self.recurrent_weights = self.add_weight(name="recurrent", shape=(size, 4 * size), initializer="orthogonal")
        self.bias = self.add_weight(name="bias", shape=(4 * size,), initializer=_open_forget_gate, autocast=False)
        memory = {"shape": (self.lanes, size), "initializer": "zeros", "trainable": False, "autocast": False}
        self.h, self.c = self.add_weight(name="h", **memory), self.add_weight(name="c", **memory)

    def call(self, x: Tensor, keep: Tensor, training: bool = False) -> Tensor:
        """(B, T, D), (B, T) -> (B, T, H): the output at every token; where `keep` is 0 the memory is emptied first."""
        added = ops.transpose(ops.matmul(x, self.input_weights), (1, 0, 2))  # (T, B, 4H): x W
        kept = ops.expand_dims(ops.transpose(ops.cast(keep, "float32")), -1)  # (T, B, 1)
        recurrent = ops.convert_to_tensor(self.recurrent_weights)
        if self.drop is not None:
            recurrent = self.drop(recurrent, training=training)
        recurrent, bias = ops.cast(recurrent, self.compute_dtype), ops.convert_to_tensor(self.bias)

        def step(memory: tuple[Tensor, Tensor], now: tuple[Tensor, Tensor]) -> tuple[tuple[Tensor, Tensor], Tensor]:
            (h, c), (entering, keeping) = memory, now
            h, c = h * keeping, c * keeping
            back = ops.matmul(ops.cast(h, self.compute_dtype), recurrent)
            i, f, g, o = ops.split(ops.cast(entering + back, "float32") + bias, 4, axis=-1)
            c = ops.sigmoid(f) * c + ops.sigmoid(i) * ops.tanh(g)
            h = ops.sigmoid(o) * ops.tanh(c)
            return (h, c), ops.cast(h, self.compute_dtype)

        (h, c), out = _along(step, (ops.convert_to_tensor(self.h), ops.convert_to_tensor(self.c)), (added, kept))
        self.h.assign(ops.stop_gradient(h))
        self.c.assign(ops.stop_gradient(c))
        return ops.transpose(out, (1, 0, 2))


class Network(keras.Model):  # type: ignore[misc]
    """Tokens in, logits of the next token out, with one matrix for the vectors of both."""

    def __init__(self, config: LSTMConfig, vocabulary: int, never: Sequence[int], seed: int) -> None:
        """`vocabulary` V; `never` the tokens that can never come next."""
        super().__init__(dtype="mixed_bfloat16" if config.mixed else "float32")
        self.settings, self.vocabulary = config, vocabulary
        self.mask = np.zeros(vocabulary, dtype=np.float32)
        self.mask[list(never)] = _NEVER
        self.seeds = keras.random.SeedGenerator(seed)
        self.memories = [Memory(config, self.seeds, dtype=self.dtype_policy) for _ in range(config.layers)]
        self.input_drop = self._locked(config.input_dropout, config.embedding)
        self.output_drop = self._locked(config.output_dropout, config.hidden)

    def _locked(self, share: float, size: int) -> Any:
        shape = (self.settings.batch, 1, size)
        return keras.layers.Dropout(share, noise_shape=shape, seed=self.seeds, dtype=self.dtype_policy) if share else None

    def build(self, shape: Any = None) -> None:
        """Make the weights."""
        size, hidden = self.settings.embedding, self.settings.hidden
        around_zero = keras.initializers.RandomUniform(-0.1, 0.1, seed=self.seeds)
        self.embedding = self.add_weight(
            name="embedding", shape=(self.vocabulary, size), initializer=around_zero, autocast=False
        )
        self.bias = self.add_weight(name="output_bias", shape=(self.vocabulary,), initializer="zeros", autocast=False)
        self.projection = self.add_weight(name="projection", shape=(hidden, size)) if hidden != size else None
        for number, memory in enumerate(self.memories):
            memory.build((None, None, hidden if number else size))
        self.built = True

    def call(self, inputs: dict[str, Tensor], training: bool = False) -> Tensor:
        """(B, T) `tokens`, (B, T) `keep` -> (B, T, V) float32 logits."""
        x = ops.cast(ops.take(self.embedding, inputs["tokens"], axis=0), self.compute_dtype)
        x = self.input_drop(x, training=training) if self.input_drop else x
        for memory in self.memories:
            x = memory(x, inputs["keep"], training=training)
            x = self.output_drop(x, training=training) if self.output_drop else x
        if self.projection is not None:
            x = ops.matmul(x, self.projection)
        flat = ops.reshape(x, (-1, self.settings.embedding))
        vectors = ops.cast(self.embedding, self.compute_dtype)
        logits = ops.cast(ops.matmul(flat, ops.transpose(vectors)), "float32") + (ops.convert_to_tensor(self.bias) + self.mask)
        return ops.reshape(logits, (self.settings.batch, -1, self.vocabulary))

    def forget(self) -> None:
        """Empty the memory of all lanes."""
        self.remember([(np.zeros(m.h.shape, np.float32), np.zeros(m.c.shape, np.float32)) for m in self.memories])

    def remembered(self) -> list[tuple[Floats, Floats]]:
        """A copy of the memory: (B, H) h and (B, H) c of each layer."""
        return [(np.array(ops.convert_to_numpy(m.h)), np.array(ops.convert_to_numpy(m.c))) for m in self.memories]

    def remember(self, memory: Sequence[tuple[Floats, Floats]]) -> None:
        """Put back what `remembered` gave."""
        for layer, (h, c) in zip(self.memories, memory, strict=True):
            layer.h.assign(h)
            layer.c.assign(c)

    def weights_now(self) -> Weights:
        """The weights as they are, float32."""
        layers = tuple(Layer(*map(_numpy, (m.input_weights, m.recurrent_weights, m.bias))) for m in self.memories)
        projection = _numpy(self.projection) if self.projection is not None else None
        return Weights(_numpy(self.embedding), layers, projection, _numpy(self.bias))

    def set_weights_to(self, weights: Weights) -> None:
        """Take over `weights`."""
        self.embedding.assign(weights.embedding)
        self.bias.assign(weights.bias)
        if self.projection is not None:
            self.projection.assign(weights.projection)
        for memory, layer in zip(self.memories, weights.layers, strict=True):
            memory.input_weights.assign(layer.input)
            memory.recurrent_weights.assign(layer.recurrent)
            memory.bias.assign(layer.bias)


def _along(step: Callable[..., Any], memory: tuple[Tensor, Tensor], inputs: tuple[Tensor, Tensor]) -> tuple[Any, Tensor]:
    """Run `step` over the first axis of `inputs`: (memory, input) -> (memory, output), the outputs put together.

    XLA compiles a loop well and 64 copies of a step slowly; TensorFlow and PyTorch run the copies faster than a loop.
    """
    if keras.backend.backend() == "jax":
        return ops.scan(step, memory, inputs)  # type: ignore[no-any-return]
    outputs = []
    for now in zip(*(ops.unstack(x, axis=0) for x in inputs), strict=True):
        memory, output = step(memory, now)
        outputs.append(output)
    return memory, ops.stack(outputs, axis=0)


def _open_forget_gate(shape: Sequence[int], dtype: Any = None) -> Tensor:
    """(4H,) zeros, and ones for the forget gate (Gers, Schmidhuber & Cummins 1999)."""
    size = shape[0] // 4
    return ops.cast(ops.concatenate([ops.zeros((size,)), ops.ones((size,)), ops.zeros((2 * size,))]), dtype or "float32")


def _numpy(variable: Any) -> Floats:
    return np.asarray(ops.convert_to_numpy(variable), dtype=np.float32)

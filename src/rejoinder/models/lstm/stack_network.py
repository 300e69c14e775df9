"""The stack of `rejoinder.models.lstm.stack` as Keras trains it: projected cells, a head that looks back, a feed-forward layer.

Inside it time comes first: (T, B, E). What a window needs of those before it (outputs, cells, keys and values) are variables;
their gradients stop there.

The gradient of a projected cell is spelled out: so that of each of its weights is one product over all T x B tokens, instead of T
small ones that are added up. PyTorch works out its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from rejoinder.models.lstm.config import LSTMConfig
from rejoinder.models.lstm.network import CellNetwork, Tensor
from rejoinder.models.lstm.stack import EPSILON, Attention, FeedForward, ProjectedLayer, StackWeights

_UNSEEN = -1e9  # nats: the logit of a place that is not looked at; a finite one keeps gradients finite


class ProjectedCells(keras.layers.Layer):  # type: ignore[misc]
    """One layer of cells whose outputs are projected; it remembers from window to window."""

    def __init__(self, config: LSTMConfig, seed: Any, **options: Any) -> None:
        """`seed`: a Keras seed generator, for the first weights and the dropout of weights."""
        super().__init__(**options)
        self.size, self.hidden, self.lanes, self.seeds = config.embedding, config.hidden, config.batch, seed
        self.drop = config.weight_drop

    def build(self, shape: Any = None) -> None:
        """Make the weights; the forget gate begins open."""
        size, hidden = self.size, self.hidden
        spread = keras.initializers.GlorotUniform(self.seeds)
        self.input_weights = self.add_weight(name="input", shape=(size, 4 * hidden), initializer=spread)
        self.recurrent_weights = self.add_weight(name="recurrent", shape=(size, 4 * hidden), initializer=spread)
        self.projection = self.add_weight(name="projection", shape=(hidden, size), initializer=spread)
        self.bias = self.add_weight(name="bias", shape=(4 * hidden,), initializer=_open_forget_gate)
        memory = {"initializer": "zeros", "trainable": False, "autocast": False}
        self.h = self.add_weight(name="h", shape=(self.lanes, size), **memory)
        self.c = self.add_weight(name="c", shape=(self.lanes, hidden), **memory)
        self.built = True

    def call(self, x: Tensor, kept: Tensor, training: bool = False) -> Tensor:
        """(T, B, E), (T, B, 1) -> (T, B, E)."""
        kept = ops.cast(kept, "float32")  # Keras hands it over in the dtype of x
        added = ops.matmul(x, self.input_weights) + ops.convert_to_tensor(self.bias)
        recurrent, projection = ops.convert_to_tensor(self.recurrent_weights), ops.convert_to_tensor(self.projection)
        if training and self.drop:
            recurrent = keras.random.dropout(recurrent, self.drop, seed=self.seeds)
        h, c = ops.convert_to_tensor(self.h), ops.convert_to_tensor(self.c)
        if keras.backend.backend() == "torch":
            (out, c), _ = projected_cells(added, kept, recurrent, projection, h, c)
        else:
            out, c = ops.custom_gradient(projected_cells)(added, kept, recurrent, projection, h, c)
        self.h.assign(ops.stop_gradient(ops.cast(out[-1], "float32")))
        self.c.assign(ops.stop_gradient(c))
        return out


def projected_cells(added: Tensor, kept: Tensor, recurrent: Tensor, projection: Tensor, h: Tensor, c: Tensor) -> Any:
    """(T, B, 4H) x W + b, (T, B, 1), (E, 4H) U, (H, E) P, (B, E), (B, H) -> (T, B, E) outputs, (B, H) cells; their gradient."""
    kind, hidden = added.dtype, c.shape[-1]

    def forward(memory: Any, now: Any) -> Any:
        (h, c), (entering, keeping) = memory, now
        h, c = h * ops.cast(keeping, kind), c * keeping
        z = ops.cast(entering + ops.matmul(h, recurrent), "float32")
        i, f, o = ops.split(ops.sigmoid(z[:, : 3 * hidden]), 3, axis=-1)
        g = ops.tanh(z[:, 3 * hidden :])
        new = f * c + i * g
        shown = ops.tanh(new)
        u = ops.cast(o * shown, kind)
        out = ops.matmul(u, projection)
        return (out, new), (out, h, c, i, f, o, g, shown, u)

    (_, c_last), (outs, *seen) = _along(forward, (ops.cast(h, kind), c), (_rows(added), _rows(kept)))

    def backward(memory: Any, now: Any) -> Any:
        (dh, dc), (dout, keeping, c, i, f, o, g, shown) = memory, now
        dout = dout + dh
        du = ops.cast(ops.matmul(dout, ops.transpose(projection)), "float32")
        dc = dc + du * o * (1 - shown * shown)
        gates = [dc * g * i * (1 - i), dc * c * f * (1 - f), du * shown * o * (1 - o), dc * i * (1 - g * g)]
        dz = ops.cast(ops.concatenate(gates, axis=-1), kind)
        dh = ops.matmul(dz, ops.transpose(recurrent)) * ops.cast(keeping, kind)
        return (dh, dc * f * keeping), (dz, dout)

    def gradient(*upstream: Tensor, **_: Any) -> Any:
        """Of the outputs alone: nothing is learned through the cells that the next window begins with."""
        before, *rest, u = seen
        wanted = upstream[0][0] if isinstance(upstream[0], tuple) else upstream[0]  # JAX hands over one tuple, TensorFlow each
        (dh, dc), (dz, dout) = _along(
            backward, (ops.zeros_like(h, kind), ops.zeros_like(c)), (_rows(wanted), _rows(kept), *rest), backwards=True
        )
        dz, dout = _stacked(dz), _stacked(dout)
        return dz, ops.zeros_like(kept), _product(before, dz), _product(u, dout), ops.cast(dh, h.dtype), dc

    return (_stacked(outs), c_last), gradient


class LookBack(keras.layers.Layer):  # type: ignore[misc]
    """A head that looks back over the last places of the passage: what came where the output was like the present one."""

    def __init__(self, config: LSTMConfig, seed: Any, **options: Any) -> None:
        """`seed`: a Keras seed generator, for the first weights."""
        super().__init__(**options)
        self.size, self.head, self.reach = config.embedding, config.attention, config.reach
        self.lanes, self.seeds = config.batch, seed

    def build(self, shape: Any = None) -> None:
        """Make the weights and the places that are remembered."""
        spread = keras.initializers.GlorotUniform(self.seeds)
        for name in ("query", "key", "value"):
            setattr(self, name, self.add_weight(name=name, shape=(self.size, self.head), initializer=spread))
        self.out = self.add_weight(name="out", shape=(self.head, self.size), initializer=spread)
        memory = {"initializer": "zeros", "trainable": False, "autocast": False}
        self.keys = self.add_weight(name="keys", shape=(self.lanes, self.reach, self.head), **memory)
        self.values = self.add_weight(name="values", shape=(self.lanes, self.reach, self.head), **memory)
        self.live = self.add_weight(name="live", shape=(self.lanes, self.reach), **memory)  # 1: of the present passage
        self.next_key = self.add_weight(name="next_key", shape=(self.lanes, self.head), **memory)
        self.built = True

    def call(self, x: Tensor, kept: Tensor) -> Tensor:
        """(T, B, E), (T, B, 1) -> (T, B, E)."""
        time, kind, kept = x.shape[0], self.compute_dtype, ops.cast(kept, "float32")
        query, key, value = (ops.transpose(ops.matmul(x, w), (1, 0, 2)) for w in (self.query, self.key, self.value))  # (B, T, A)
        first = ops.cast(ops.expand_dims(ops.convert_to_tensor(self.next_key), 1), kind)
        keep = ops.transpose(kept[:, :, 0])  # (B, T)
        key = ops.concatenate([first, key], axis=1)  # the key of a place is made of what was there before it
        key, next_key = key[:, :time] * ops.cast(ops.expand_dims(keep, -1), kind), key[:, time]
        keys = ops.concatenate([ops.cast(self.keys, kind), key], axis=1)  # (B, R+T, A)
        values = ops.concatenate([ops.cast(self.values, kind), value], axis=1)
        begun = ops.cumsum(1 - keep, axis=1)  # (B, T) passages that have begun in this window
        of = ops.concatenate([ops.convert_to_tensor(self.live) - 1, begun], axis=1)  # (B, R+T) -1: of none that can be seen
        near = np.arange(self.reach + time)[None] - self.reach - np.arange(time)[:, None]  # (T, R+T) place less present place
        near = ((near <= 0) & (near > -self.reach)).astype("float32")
        seen = ops.cast(ops.equal(ops.expand_dims(begun, 2), ops.expand_dims(of, 1)), "float32") * near
        likeness = ops.cast(ops.matmul(query, ops.transpose(keys, (0, 2, 1))), "float32") * self.head**-0.5
        shares = ops.softmax(likeness + (1 - seen) * _UNSEEN, axis=-1)
        found = ops.matmul(ops.cast(shares, kind), values)  # (B, T, A)
        self._remember(keys, values, ops.cast(ops.equal(of, begun[:, -1:]), "float32"), next_key)
        return ops.matmul(ops.transpose(found, (1, 0, 2)), self.out)

    def _remember(self, keys: Tensor, values: Tensor, live: Tensor, next_key: Tensor) -> None:
        for variable, tensor in ((self.keys, keys), (self.values, values), (self.live, live)):
            variable.assign(ops.stop_gradient(ops.cast(tensor[:, -self.reach :], "float32")))
        self.next_key.assign(ops.stop_gradient(ops.cast(next_key, "float32")))


class StackNetwork(CellNetwork):
    """Tokens in, what is compared with the tokens' vectors out."""

    def _make_layers(self) -> None:
        config, policy = self.settings, self.dtype_policy
        self.memories = [ProjectedCells(config, self.seeds, dtype=policy) for _ in range(config.layers)]
        self.back = LookBack(config, self.seeds, dtype=policy) if config.attention else None

    def _build_layers(self) -> None:
        size, wide = self.settings.embedding, self.settings.feedforward
        spread = keras.initializers.GlorotUniform(self.seeds)
        for memory in self.memories:
            memory.build((None, None, size))
        if self.back:
            self.back.build()
        if wide:
            self.widen = self.add_weight(name="widen", shape=(size, wide), initializer=spread)
            self.narrow = self.add_weight(name="narrow", shape=(wide, size), initializer=spread)
        self.projection = self.add_weight(name="projection", shape=(size, size), initializer=spread)

    def call(self, inputs: dict[str, Tensor], training: bool = False) -> Tensor:
        """(B, T) `tokens`, (B, T) `keep` -> (B, T, E): what is compared with the tokens' vectors to guess the next one."""
        config = self.settings
        left_out = (config.input_dropout, config.output_dropout) if training else (0.0, 0.0)
        kept = ops.expand_dims(ops.transpose(ops.cast(inputs["keep"], "float32")), -1)  # (T, B, 1)
        x = ops.take(self.embedding, ops.transpose(inputs["tokens"]), axis=0)  # (T, B, E)
        x = ops.cast(self._locked_dropout(_normed(x), left_out[0]), self.compute_dtype)
        for memory in self.memories:
            x = x + self._locked_dropout(memory(_normed(x), kept, training=training), left_out[1])
        if self.back:
            x = x + self._locked_dropout(self.back(_normed(x), kept), left_out[1])
        if config.feedforward:
            wide = ops.square(ops.relu(ops.matmul(_normed(x), self.widen)))
            x = x + self._locked_dropout(ops.matmul(wide, self.narrow), left_out[1])
        x = self._locked_dropout(_normed(x), left_out[1])
        return ops.transpose(ops.matmul(x, self.projection), (1, 0, 2))

    def _locked_dropout(self, x: Tensor, share: float) -> Tensor:
        """(T, B, D) `x` with that share of its columns at 0, the same ones for all tokens of a lane."""
        one_for_all_tokens = (1, self.settings.batch, x.shape[-1])
        return keras.random.dropout(x, share, noise_shape=one_for_all_tokens, seed=self.seeds) if share else x

    def memory(self) -> list[Any]:
        """The variables that go on from window to window."""
        back = self.back
        cells = [variable for layer in self.memories for variable in (layer.h, layer.c)]
        return cells + ([back.keys, back.values, back.live, back.next_key] if back else [])

    def weights_of(self, read: Callable[[Any], Any]) -> StackWeights:
        """The weights, each variable read by `read`."""
        layers = tuple(
            ProjectedLayer(*map(read, (m.input_weights, m.recurrent_weights, m.projection, m.bias))) for m in self.memories
        )
        back = Attention(*map(read, (self.back.query, self.back.key, self.back.value, self.back.out))) if self.back else None
        wide = FeedForward(read(self.widen), read(self.narrow)) if self.settings.feedforward else None
        return StackWeights(read(self.embedding), layers, back, wide, read(self.projection), read(self.bias))


def _normed(x: Tensor) -> Tensor:
    """`x` at a root mean square of 1 along the last axis."""
    wide = ops.cast(x, "float32")
    return ops.cast(wide * ops.rsqrt(ops.mean(wide * wide, axis=-1, keepdims=True) + EPSILON), x.dtype)


def _open_forget_gate(shape: Any, dtype: Any = None) -> Tensor:
    """(4H,) zeros, and ones for the forget gate, the second of i, f, o, g."""
    size = shape[0] // 4
    return ops.cast(np.repeat([0.0, 1.0, 0.0, 0.0], size), dtype or "float32")


def _along(step: Callable[..., Any], memory: Any, inputs: Any, *, backwards: bool = False) -> Any:
    """Run `step` over rows of `inputs`: (memory, row of each) -> (memory, outputs); rows of each output.

    XLA compiles a loop well and 64 copies of a step slowly; TensorFlow and PyTorch run the copies faster than a loop.
    """
    if keras.backend.backend() == "jax":
        return ops.scan(step, memory, tuple(inputs), reverse=backwards)
    outputs = []
    for now in reversed(list(zip(*inputs, strict=True))) if backwards else zip(*inputs, strict=True):
        memory, output = step(memory, now)
        outputs.append(output)
    return memory, tuple(list(rows) for rows in zip(*(reversed(outputs) if backwards else outputs), strict=True))


def _rows(x: Tensor) -> Any:
    return x if keras.backend.backend() == "jax" else ops.unstack(x, axis=0)


def _stacked(rows: Any) -> Tensor:
    return ops.stack(rows, axis=0) if isinstance(rows, list) else rows


def _product(left: Any, right: Tensor) -> Tensor:
    """(T, B, M), (T, B, N) -> (M, N): summed over all tokens."""
    left = _stacked(left)
    left, right = ops.reshape(left, (-1, left.shape[-1])), ops.reshape(right, (-1, right.shape[-1]))
    return ops.matmul(ops.transpose(left), right)

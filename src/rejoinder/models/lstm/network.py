"""The model as Keras trains it: the cell of `rejoinder.models.lstm.cell` for B lanes and T tokens at once, on any Keras backend.

What the input adds to the gates, x W, is worked out for all tokens in one product; only h U waits for the token before. Under a
mixed policy products are in bfloat16; the cell itself, the weights and the sums stay in float32. The memory is a pair of
variables, so that a window goes on where the one before it ended; its gradient stops there (truncated backpropagation through
time, Williams & Peng 1990).

Most of the time would go into the softmax over V tokens. So most passes work with an estimate of its sum: exact over the most
frequent tokens, and over the others from a uniform sample, drawn anew at each step (after Jean et al. 2015):

    sum_w e^l(w)  ~  sum over the frequent + e^l(target) if it is rare + (others / drawn) sum over the drawn, the target left out

The last passes, and every measurement, use the whole sum.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from rejoinder.models.lstm.cell import CellWeights, Floats, Layer
from rejoinder.models.lstm.config import LSTMConfig
from rejoinder.models.lstm.stack import AnyWeights

Tensor = Any
_TRIED = 1024  # rows and columns of matrices that are multiplied to see how fast that is
_NEVER = -1e9  # nats: the logit of what can never come; a finite one keeps gradients finite


class MemoryLayer(keras.layers.Layer):  # type: ignore[misc]
    """One layer of memory cells that remembers from window to window."""

    def __init__(self, config: LSTMConfig, seed: Any, **options: Any) -> None:
        """`seed`: a Keras seed generator, for the dropout of weights."""
        super().__init__(**options)
        self.hidden, self.lanes, self.drop, self.seeds = config.hidden, config.batch, config.weight_drop, seed

    def build(self, shape: tuple[Any, ...]) -> None:
        """Make the weights for inputs (B, T, D); the forget gate begins open, so that memory lasts until it learns otherwise."""
        size = self.hidden
        spread, turned = keras.initializers.GlorotUniform(self.seeds), keras.initializers.Orthogonal(seed=self.seeds)
        self.input_weights = self.add_weight(name="input", shape=(shape[-1], 4 * size), initializer=spread)
        self.recurrent_weights = self.add_weight(name="recurrent", shape=(size, 4 * size), initializer=turned)
        self.bias = self.add_weight(name="bias", shape=(4 * size,), initializer=_open_forget_gate, autocast=False)
        memory = {"shape": (self.lanes, size), "initializer": "zeros", "trainable": False, "autocast": False}
        self.h, self.c = self.add_weight(name="h", **memory), self.add_weight(name="c", **memory)

    def call(self, x: Tensor, keep: Tensor, training: bool = False) -> Tensor:
        """(B, T, D), (B, T) -> (B, T, H): the output at every token; where `keep` is 0 the memory is emptied first."""
        added = ops.transpose(ops.matmul(x, self.input_weights), (1, 0, 2))  # (T, B, 4H): x W
        kept = ops.expand_dims(ops.transpose(ops.cast(keep, "float32")), -1)  # (T, B, 1)
        recurrent, bias = ops.convert_to_tensor(self.recurrent_weights), ops.convert_to_tensor(self.bias)
        if training and self.drop:
            recurrent = keras.random.dropout(recurrent, self.drop, seed=self.seeds)

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


class CellNetwork(keras.Model):  # type: ignore[misc]
    """Tokens in, logits of the next token out, with one matrix for the vectors of both."""

    def __init__(self, config: LSTMConfig, counts: NDArray[np.int64], never: Sequence[int], seed: int) -> None:
        """`counts` (V,) how often each token occurs in train; `never` the tokens that can never come next."""
        super().__init__(dtype="mixed_bfloat16" if config.mixed else "float32")
        vocabulary = len(counts)
        self.settings, self.vocabulary = config, vocabulary
        self.ranked = np.lexsort((np.arange(vocabulary), -counts)).astype(np.int32)  # (V,) the most frequent first
        self.rank = np.argsort(self.ranked).astype(np.int32)  # (V,) the place of each token there
        self.sampled = config.drawn > 0 and config.frequent + config.drawn < vocabulary
        self.mask = np.zeros(vocabulary, dtype=np.float32)
        self.mask[list(never)] = _NEVER
        self.seeds = keras.random.SeedGenerator(seed)
        self._make_layers()

    def _make_layers(self) -> None:
        config = self.settings
        self.memories = [MemoryLayer(config, self.seeds, dtype=self.dtype_policy) for _ in range(config.layers)]

    def build(self, shape: Any = None) -> None:
        """Make the weights: embedding, bias, and those of the layers."""
        size = self.settings.embedding
        around_zero = keras.initializers.RandomUniform(-0.1, 0.1, seed=self.seeds)
        self.embedding = self.add_weight(name="embedding", shape=(self.vocabulary, size), initializer=around_zero, autocast=False)
        self.bias = self.add_weight(name="output_bias", shape=(self.vocabulary,), initializer="zeros", autocast=False)
        self._build_layers()
        self.built = True

    def _build_layers(self) -> None:
        """A projection where the sizes differ, and the weights of each layer."""
        size, hidden = self.settings.embedding, self.settings.hidden
        self.projection = (
            self.add_weight(name="projection", shape=(hidden, size), initializer=keras.initializers.GlorotUniform(self.seeds))
            if hidden != size
            else None
        )
        for number, memory in enumerate(self.memories):
            memory.build((None, None, hidden if number else size))

    def call(self, inputs: dict[str, Tensor], training: bool = False) -> Tensor:
        """(B, T) `tokens`, (B, T) `keep` -> (B, T, E): what is compared with the tokens' vectors to guess the next one."""
        x = ops.cast(ops.take(self.embedding, inputs["tokens"], axis=0), self.compute_dtype)
        x = self._locked_dropout(x, self.settings.input_dropout if training else 0.0)
        for memory in self.memories:
            x = memory(x, inputs["keep"], training=training)
            x = self._locked_dropout(x, self.settings.output_dropout if training else 0.0)
        return x if self.projection is None else ops.matmul(x, self.projection)

    def logits(self, shown: Tensor) -> Tensor:
        """(N, E) -> (N, V) float32."""
        vectors = ops.cast(self.embedding, self.compute_dtype)
        return ops.cast(ops.matmul(shown, ops.transpose(vectors)), "float32") + ops.add(self.bias, self.mask)

    def compute_loss(
        self,
        x: Any = None,
        y: Tensor = None,
        y_pred: Tensor = None,
        sample_weight: Tensor = None,
        training: bool = True,
    ) -> Tensor:
        """The weighted mean, in nats, of what each target in `y` (B, T) costs; the weights have the mean 1."""
        shown = ops.reshape(y_pred, (-1, self.settings.embedding))
        targets, weights = ops.reshape(y, (-1,)), ops.reshape(sample_weight, (-1,))
        if training and self.sampled:
            nats = self._estimated(shown, targets)
        else:
            nats = keras.losses.sparse_categorical_crossentropy(targets, self.logits(shown), from_logits=True)
        return ops.mean(ops.cast(nats, "float32") * ops.cast(weights, "float32"))

    def _estimated(self, shown: Tensor, targets: Tensor) -> Tensor:
        """(N,) nats: the loss of each target with the estimated sum."""
        frequent, drawn = self.settings.frequent, self.settings.drawn
        others = self.vocabulary - frequent
        draw = ops.cast(keras.random.uniform((drawn,), seed=self.seeds) * others, "int32")
        ids = ops.concatenate([self.ranked[:frequent], ops.take(self.ranked[frequent:], draw)])  # (C,)
        bias = ops.add(self.bias, self.mask)
        vectors = ops.cast(ops.take(self.embedding, ids, axis=0), self.compute_dtype)
        logits = ops.cast(ops.matmul(shown, ops.transpose(vectors)), "float32") + ops.take(bias, ids)
        wanted = ops.cast(ops.take(self.embedding, targets, axis=0), self.compute_dtype)
        wanted = ops.sum(ops.cast(shown, "float32") * ops.cast(wanted, "float32"), axis=-1) + ops.take(bias, targets)
        rare = ops.take(self.rank, targets) >= frequent  # (N,)
        share = ops.concatenate([ops.zeros((frequent,)), ops.full((drawn,), float(np.log(others / drawn)))])
        twice = ops.logical_and(ops.expand_dims(targets, 1) == ids, ops.expand_dims(rare, 1))
        total = ops.logsumexp(ops.where(twice, _NEVER, logits + share), axis=-1)
        return ops.where(rare, ops.logaddexp(total, wanted), total) - wanted

    def _locked_dropout(self, x: Tensor, share: float) -> Tensor:
        """(B, T, D) `x` with that share of its columns at 0, the same ones for all tokens of a lane."""
        one_for_all_tokens = (self.settings.batch, 1, x.shape[-1])
        return keras.random.dropout(x, share, noise_shape=one_for_all_tokens, seed=self.seeds) if share else x

    def memory(self) -> list[Any]:
        """The variables that go on from window to window."""
        return [variable for layer in self.memories for variable in (layer.h, layer.c)]

    def forget(self) -> None:
        """Empty the memory of all lanes."""
        self.remember([np.zeros(variable.shape, np.float32) for variable in self.memory()])

    def remembered(self) -> list[Floats]:
        """A copy of the memory."""
        return [numbers(variable) for variable in self.memory()]

    def remember(self, memory: Sequence[Floats]) -> None:
        """Put back what `remembered` gave."""
        for variable, array in zip(self.memory(), memory, strict=True):
            variable.assign(array)

    def weights_of(self, read: Callable[[Any], Any]) -> AnyWeights:
        """The weights, each variable read by `read`."""
        layers = tuple(Layer(*map(read, (m.input_weights, m.recurrent_weights, m.bias))) for m in self.memories)
        projection = read(self.projection) if self.projection is not None else None
        return CellWeights(read(self.embedding), layers, projection, read(self.bias))

    def weights_now(self) -> AnyWeights:
        """The weights as they are, float32."""
        return self.weights_of(numbers)

    def set_weights_to(self, weights: AnyWeights) -> None:
        """Put `weights`, as `arrays` names them, in the place of the network's own."""
        variables: dict[str, Any] = dict(self.weights_of(lambda variable: variable).arrays())
        for name, variable in variables.items():
            variable.assign(weights.arrays()[name])


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


def numbers(variable: Any) -> NDArray[Any]:
    """A copy of what a variable of any backend holds."""
    return np.array(ops.convert_to_numpy(ops.convert_to_tensor(variable)))


def bfloat16_is_faster() -> bool:
    """Whether matrices are multiplied faster in bfloat16 here: both are tried, for a fifth of a second.

    Graphics cards are, and processors with units for it; others take up to twice as long as in float32.
    """
    took = {kind: min(_product_seconds(ops.ones((_TRIED, _TRIED), kind)) for _ in range(5)) for kind in ("float32", "bfloat16")}
    return took["bfloat16"] < took["float32"]


def _product_seconds(matrix: Tensor) -> float:
    began = perf_counter()
    numbers(ops.cast(ops.matmul(matrix, matrix)[0], "float32"))
    return perf_counter() - began

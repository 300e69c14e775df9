"""The dual encoder as Keras trains it, on any Keras backend: the formulas of `rejoinder.models.dual_encoder.encode` for a batch.

A batch of B pairs is told apart: each reply is to be found among the B replies, and each context among the B contexts
(Henderson et al. 2017, in both directions); replies of the same thread are left out, as they may well be answers too. How alike
words and letters are is no matter of training, so those (B, B) products come in; their scales are learned.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from rejoinder.models.dual_encoder.config import DualEncoderConfig
from rejoinder.models.dual_encoder.encode import VIEWS

Tensor = Any
_NEVER = -1e9  # nats
_TINY = 1e-12  # the square of a length


class EncoderNetwork(keras.Model):  # type: ignore[misc]
    """A batch of pairs in, their scores out."""

    def __init__(self, config: DualEncoderConfig, start: dict[str, NDArray[np.float32]], seed: int) -> None:
        """`start`: `vectors`, `maps`, `biases`, `scales` and `earlier` as in `Weights`."""
        super().__init__()
        self.settings, self.size = config, start["vectors"].shape[1]
        self.seeds = keras.random.SeedGenerator(seed)
        self.learned = {name: self.add_weight(name=name, shape=array.shape, initializer="zeros") for name, array in start.items()}
        for name, array in start.items():
            self.learned[name].assign(array)
        self.alone = self.add_weight(name="alone", initializer=keras.initializers.Constant(start["scales"][VIEWS - 1] + 1.0))
        self.built = True

    def call(self, inputs: dict[str, Tensor], training: bool = False) -> Tensor:
        """(B, B) nats: how well each reply (a column) answers each context (a row).

        Args:
            inputs: `rows` (U,) of the vectors of the words that occur; `texts` (3, B, U), how much each counts in the last
                post, the earlier ones, the reply; `alike` (2, 2, B, B): for words and letters, for the last post and
                the earlier ones, their product with each reply.
            training: whether to drop words and numbers.
        """
        scales, shares = ops.exp(self.learned["scales"]), ops.convert_to_tensor(self.learned["earlier"])
        vectors = ops.take(self.learned["vectors"], inputs["rows"], axis=0)
        last, before, replies = (
            self.meaning(ops.matmul(self._fewer(inputs["texts"][part], training), vectors), side, training)
            for part, side in ((0, 0), (1, 0), (2, 1))
        )
        meant = ops.matmul(last + shares[VIEWS - 1] * before, ops.transpose(replies))
        scores = scales[VIEWS - 1] * meant
        for view in range(VIEWS - 1):
            scores = scores + scales[view] * (inputs["alike"][view, 0] + shares[view] * inputs["alike"][view, 1])
        return ops.stack([scores, ops.exp(self.alone) * meant])

    def meaning(self, x: Tensor, side: int, training: bool = False) -> Tensor:
        """(N, D) sums of word vectors -> (N, D) of length 1; side 0 for contexts, 1 for replies."""
        known = ops.cast(ops.sum(x * x, axis=-1, keepdims=True) > _TINY, x.dtype)
        x = _unit(x) * self.size**0.5
        if training and self.settings.dropout:
            x = keras.random.dropout(x, self.settings.dropout, seed=self.seeds)
        return _unit(ops.matmul(x, self.learned["maps"][side]) + self.learned["biases"][side]) * known

    def compute_loss(
        self, x: Any = None, y: Tensor = None, y_pred: Tensor = None, sample_weight: Tensor = None, training: bool = True
    ) -> Tensor:
        """The mean, in nats, of what the right reply and the right context cost; `x["same"]` (B, B) is 1 within a thread."""
        right = ops.diagonal(y_pred, axis1=1, axis2=2)
        scores = y_pred + _NEVER * x["same"]
        return ops.mean((ops.logsumexp(scores, axis=1) + ops.logsumexp(scores, axis=2)) / 2 - right)

    def learned_now(self) -> dict[str, NDArray[np.float32]]:
        """A copy of what is learned, by name."""
        return {name: np.array(ops.convert_to_numpy(weight.value), np.float32) for name, weight in self.learned.items()}

    def _fewer(self, texts: Tensor, training: bool) -> Tensor:
        """(B, U), in training with some words left out."""
        share = self.settings.word_dropout
        return keras.random.dropout(texts, share, seed=self.seeds) if training and share else texts


def _unit(rows: Tensor) -> Tensor:
    return rows / ops.sqrt(ops.sum(rows * rows, axis=-1, keepdims=True) + _TINY)

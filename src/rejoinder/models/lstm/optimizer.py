"""What changes the weights: AdamW (Loshchilov & Hutter 2019), or Muon (Jordan et al. 2024) for the matrices between the layers.

Muon makes all directions of a matrix's momentum equally long, by five steps of Newton and Schulz. Most of their work is products,
which are done in bfloat16 where the network's are. Embedding and biases stay with AdamW. A step of either has about the same
length (Liu et al. 2025), so one rate serves both.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from rejoinder.models.lstm.config import LSTMConfig


class Muon(keras.optimizers.Muon):  # type: ignore[misc]
    """Keras's Muon with its products in `products`, a dtype."""

    products = "float32"

    def zeropower_via_newtonschulz5(self, x: Any, steps: int) -> Any:
        """All directions of `x` at about the same length."""
        return ops.cast(super().zeropower_via_newtonschulz5(ops.cast(x, self.products), steps), x.dtype)


def make_optimizer(config: LSTMConfig) -> Any:
    """The optimiser; its `learning_rate` is to be set before each step."""
    shared: dict[str, Any] = {"global_clipnorm": config.clip, "weight_decay": config.weight_decay}
    if config.average:
        shared |= {"use_ema": True, "ema_momentum": config.average}
    if config.muon:
        optimizer = Muon(config.learning_rate, adam_weight_decay=config.weight_decay, **shared)
        optimizer.products = "bfloat16" if config.mixed else "float32"
    else:
        optimizer = keras.optimizers.AdamW(config.learning_rate, **shared)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    return optimizer

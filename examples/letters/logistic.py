"""Logistic regression by gradient descent, in NumPy: every step can be looked at.

    l = x W + b           x (784,) the pixels, W (784, 10), b (10,)
    p = e^l / sum e^l     how probable each letter is
    loss = -ln p(true letter) + decay/2 |W|^2

Its gradient, by hand: dl = p - [the true letter], dW = x dl + decay W, db = dl. Each step goes against the mean gradient of a
batch, with momentum (Polyak 1964), at a rate that falls to 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from letters.idx import LETTERS, SIDE, Bytes, Ints, Letters
from letters.rungs import Floats, rows, softmax


@dataclass(frozen=True)
class LogisticConfig:
    """Settings of the rung."""

    epochs: int = 30  # passes over the images
    batch: int = 128  # images a step
    rate: float = 0.01  # at the beginning
    momentum: float = 0.9  # the share of the last step that goes on
    decay: float = 1e-3  # of the weights


class Weights(NamedTuple):
    """All that is learned."""

    pixels: Floats  # W (784, 10)
    bias: Floats  # b (10,)


class Logistic:
    """The weights as a model."""

    def __init__(self, weights: Weights) -> None:
        """Use `fit_logistic`."""
        self.weights = weights

    @property
    def size(self) -> int:
        """Of W and b."""
        return sum(array.nbytes for array in self.weights)

    def probs(self, images: Bytes) -> Floats:
        """(N, 10) float32."""
        return softmax(rows(images) @ self.weights.pixels + self.weights.bias)


def fit_logistic(letters: Letters, rng: np.random.Generator, config: LogisticConfig = LogisticConfig()) -> Logistic:
    """Descend from zero, batch by batch, each epoch in another order."""
    x, labels = rows(letters.images), letters.labels
    weights = Weights(np.zeros((SIDE * SIDE, len(LETTERS)), np.float32), np.zeros(len(LETTERS), np.float32))
    speed = Weights(*(np.zeros_like(array) for array in weights))
    batches = -(-len(x) // config.batch)
    for step in range(config.epochs * batches):
        if step % batches == 0:
            order = rng.permutation(len(x))
        drawn = order[step % batches * config.batch :][: config.batch]
        _, slope = loss_and_gradient(weights, x[drawn], labels[drawn], config.decay)
        rate = config.rate * (1 - step / (config.epochs * batches))
        for moved, moving, against in zip(weights, speed, slope, strict=True):
            moving *= config.momentum
            moving -= rate * against
            moved += moving
    return Logistic(weights)


def loss_and_gradient(weights: Weights, x: Floats, labels: Ints, decay: float) -> tuple[float, Weights]:
    """The loss of a batch, nats an image, and its derivatives by the weights: the formulas above.

    Args:
        weights: W and b.
        x: (B, 784), white is 1.
        labels: (B,) the true letters.
        decay: of W; b is left free.
    """
    p = softmax(x @ weights.pixels + weights.bias)
    true = np.arange(len(x)), labels
    loss = float(-np.log(np.maximum(p[true], np.finfo(p.dtype).tiny)).mean() + decay / 2 * (weights.pixels**2).sum())
    p[true] -= 1  # dl, for each image of the batch
    p /= len(x)
    return loss, Weights(x.T @ p + decay * weights.pixels, p.sum(axis=0))

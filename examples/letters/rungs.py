"""The rungs of the letters ladder, from cheap to dear, all the same shape: fit(letters, rng) gives a model.

    nearest_mean   the letter whose mean image is nearest: one picture a letter, no learning by error
    logistic       a weight a pixel and letter, found by gradient descent: logistic.py
    deeper         layers of such weights, one over the other: nets.py
    tricks         convolution, augmentation, dropout and the rest: nets.py

What needs Keras is imported when it is fitted.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from letters.idx import LETTERS, SIDE, Bytes, Letters

Floats = NDArray[np.floating[Any]]


class Model(Protocol):
    """What a rung has learned."""

    @property
    def size(self) -> int:
        """Bytes of the numbers that were learned."""
        ...

    def probs(self, images: Bytes) -> Floats:
        """(N, 10) float32, each row sums to 1: how probable each letter is, for (N, 28, 28) uint8."""
        ...


Fit = Callable[[Letters, np.random.Generator], Model]

LADDER = {
    "nearest_mean": "letters.rungs:fit_nearest_mean",
    "logistic": "letters.logistic:fit_logistic",
    "deeper": "letters.nets:fit_deeper",
    "tricks": "letters.nets:fit_tricks",
}


def rung(name: str) -> Fit:
    """The function that fits the rung `name`.

    Raises:
        KeyError: there is none of that name.
    """
    module, _, function = LADDER[name].partition(":")
    found: Fit = getattr(import_module(module), function)
    return found


class NearestMean:
    """The mean image of each letter; a letter is the less probable the further its mean is."""

    def __init__(self, means: Floats) -> None:
        """`means` is (10, 784) float32, white is 1."""
        self.means = means

    @property
    def size(self) -> int:
        """Ten images."""
        return self.means.nbytes

    def probs(self, images: Bytes) -> Floats:
        """(N, 10) float32: softmax of minus the squared distance |x - m|^2; |x|^2 is the same for all m and left out."""
        return softmax(2 * rows(images) @ self.means.T - (self.means**2).sum(axis=1))


def fit_nearest_mean(letters: Letters, rng: np.random.Generator) -> NearestMean:
    """Add up and divide; nothing is drawn."""
    x = rows(letters.images)
    return NearestMean(np.stack([x[letters.labels == label].mean(axis=0) for label in range(len(LETTERS))]))


def rows(images: Bytes) -> NDArray[np.float32]:
    """(N, 784) float32: each image as one row, white is 1."""
    return images.reshape(len(images), SIDE * SIDE).astype(np.float32) / np.float32(255)


def softmax(logits: Floats) -> Floats:
    """e^l / sum e^l, row by row."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))

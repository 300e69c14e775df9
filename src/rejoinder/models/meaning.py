"""The map by which an encoder makes meanings of sums of word vectors: u(u(x) W + b), where u gives each row length 1."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_AT_ONCE = 4  # rows of a matrix product: always as many, so that each comes out the same in any company; few, for one core
_TINY = 1e-12  # the square of a length


def meanings(x: Floats, weights: Floats, bias: Floats, length: float = 1.0) -> Floats:
    """(N, D) float32 of length 1, or 0 where a row is.

    Args:
        x: (N, D) sums of word vectors.
        weights: (D, D) W.
        bias: (D,) b.
        length: that of a row of x when it meets W.
    """
    y = np.empty_like(x)
    for first in range(0, len(x), _AT_ONCE):
        some = _unit(x[first : first + _AT_ONCE]) * np.float32(length)
        padded = np.zeros((_AT_ONCE, x.shape[1]), np.float32)
        padded[: len(some)] = some
        y[first : first + _AT_ONCE] = (padded @ weights)[: len(some)]
    return np.asarray(_unit(y + bias) * (squares(x) > _TINY)[:, None], np.float32)


def squares(rows: Floats) -> Floats:
    """(N,) float32: the square of each row's length."""
    return np.asarray(np.einsum("nd,nd->n", rows, rows))


def _unit(rows: Floats) -> Floats:
    return np.asarray(rows / np.sqrt(squares(rows) + np.float32(_TINY))[:, None], np.float32)

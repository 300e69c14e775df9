"""Near-duplicates: images so alike that one in training gives away the other in the test.

The distance of two images is the root of the mean squared difference of their pixels, white being 1. Fonts are copied, renamed
and rounded anew; such copies lie below `ALIKE`, where the eye sees no difference either.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from letters.idx import SIDE, Bytes

ALIKE = 0.05  # at most this far apart is a near-duplicate
_AT_A_TIME = 1_000  # rows of distances

Flags = NDArray[np.bool_]


def without_copies(images: Bytes, alike: float = ALIKE) -> Flags:
    """(N,) bool: which of `images` to keep so that no two are near-duplicates; of those alike, the first.

    Args:
        images: (N, 28, 28) uint8.
        alike: the distance up to which two are near-duplicates.
    """
    rows = _rows(images)
    keep = np.ones(len(rows), np.bool_)
    for start in range(0, len(rows), _AT_A_TIME):
        near = _near(rows[start : start + _AT_A_TIME], rows[: start + _AT_A_TIME], alike)
        for place in np.flatnonzero(near.sum(axis=1) > 1):  # alike to itself, and to another
            earlier = near[place, : start + place]
            keep[start + place] = not (earlier & keep[: start + place]).any()
    return keep


def apart_from(images: Bytes, others: Bytes, alike: float = ALIKE) -> Flags:
    """(N,) bool: which of `images` are near-duplicates of none of `others`.

    Args:
        images: (N, 28, 28) uint8.
        others: (M, 28, 28) uint8.
        alike: the distance up to which two are near-duplicates.
    """
    rows, other_rows = _rows(images), _rows(others)
    parts = [~_near(rows[i : i + _AT_A_TIME], other_rows, alike).any(axis=1) for i in range(0, len(rows), _AT_A_TIME)]
    return np.concatenate(parts) if parts else np.zeros(0, np.bool_)


def _rows(images: Bytes) -> NDArray[np.float32]:
    """(N, 784) float32, white is 1."""
    return images.reshape(len(images), SIDE * SIDE).astype(np.float32) / np.float32(255)


def _near(rows: NDArray[np.float32], others: NDArray[np.float32], alike: float) -> Flags:
    """(N, M) bool, by |a - b|^2 = |a|^2 + |b|^2 - 2 a b; the rounding of float32 is far below the limit."""
    squares = (rows**2).sum(axis=1)[:, None] + (others**2).sum(axis=1) - 2 * rows @ others.T
    return np.asarray(squares <= alike**2 * rows.shape[1] + 1e-3)

"""Augmentation: the same letter again, a little turned, slanted, stretched, shifted, bent, thicker or thinner.

A warped image is read from the old one at places x' = A x + s + e(x): A turns, slants and stretches, s shifts, and e bends, a
smooth field drawn on a few points (after Simard, Steinkraus & Platt 2003). Between pixels it is interpolated linearly; beyond
the edge it is black.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from letters.idx import SIDE

Images = NDArray[np.float32]  # (N, 28, 28), white is 1

_POINTS = 4  # each way, on which the bend is drawn
_BORDER = 1  # black pixels around an image


@dataclass(frozen=True)
class Warp:
    """How far an image may be changed; each is drawn anew for each image, evenly between minus and plus."""

    turn: float = 0.15  # radians
    slant: float = 0.2  # columns a row
    stretch: float = 0.12  # share of the size, each way
    shift: float = 1.5  # pixels, each way
    bend: float = 0.8  # pixels, standard deviation
    thick: float = 0.15  # share of the images that grow a pixel's width of white; as many lose it

    def __call__(self, images: Images, rng: np.random.Generator) -> Images:
        """(N, 28, 28) float32: each image changed."""
        return thicken(read_at(images, self._places(len(images), rng)), self.thick, rng)

    def _places(self, count: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """(N, 2, 28, 28): where each pixel is read from. Plain sums: matrix products would fight for Keras' threads."""

        def draw(most: float) -> NDArray[np.float32]:
            return rng.uniform(-most, most, (count, 1, 1)).astype(np.float32)

        middle = (SIDE - 1) / 2
        row, column = np.meshgrid(*2 * [np.arange(SIDE, dtype=np.float32) - middle], indexing="ij")
        angle, slant, tall, wide = draw(self.turn), draw(self.slant), 1 + draw(self.stretch), 1 + draw(self.stretch)
        cos, sin = np.cos(angle), np.sin(angle)
        rows = tall * (cos * row - sin * column) + draw(self.shift)
        columns = wide * ((sin + slant * cos) * row + (cos - slant * sin) * column) + draw(self.shift)
        straight = np.stack([rows, columns], axis=1) + middle
        return np.asarray(straight + self.bend * smooth(count, rng) if self.bend else straight, np.float32)


def smooth(count: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """(N, 2, 28, 28) float32: a field drawn from the normal distribution on 4 x 4 points, interpolated linearly."""
    drawn = rng.standard_normal((count, 2, _POINTS, _POINTS), np.float32)
    at = np.linspace(0, _POINTS - 1, SIDE, dtype=np.float32)
    low = np.minimum(at.astype(np.int64), _POINTS - 2)
    share = at - low
    tall = drawn[:, :, low] * (1 - share)[:, None] + drawn[:, :, low + 1] * share[:, None]
    return np.asarray(tall[..., low] * (1 - share) + tall[..., low + 1] * share)


def read_at(images: Images, places: NDArray[np.floating[Any]]) -> Images:
    """(N, 28, 28) float32: the images read at `places` (N, 2, 28, 28), interpolated between the four pixels around."""
    wide = SIDE + 2 * _BORDER
    pixels = np.pad(images, ((0, 0), (_BORDER, _BORDER), (_BORDER, _BORDER))).ravel()
    inside = np.clip(places + _BORDER, 0, wide - 1.001).astype(np.float32)
    low = inside.astype(np.int32)
    down, right = np.moveaxis(inside - low, 1, 0)
    first = np.arange(len(images), dtype=np.int32)[:, None, None] * wide**2 + low[:, 0] * wide + low[:, 1]
    above = pixels[first] * (1 - right) + pixels[first + 1] * right
    below = pixels[first + wide] * (1 - right) + pixels[first + wide + 1] * right
    return np.asarray(above * (1 - down) + below * down)


def thicken(images: Images, share: float, rng: np.random.Generator) -> Images:
    """(N, 28, 28) float32: a `share` of the images with white grown by a pixel, as many with black grown."""
    drawn, found = rng.random(len(images)), images.copy()
    found[drawn < share] = grow(images[drawn < share])
    found[drawn > 1 - share] = shrink(images[drawn > 1 - share])
    return found


def grow(images: Images) -> Images:
    """(N, 28, 28): each pixel the brightest of itself and its four neighbours."""
    wide = np.pad(images, ((0, 0), (1, 1), (1, 1)), mode="edge")
    around = (wide[:, 1:-1, 1:-1], wide[:, :-2, 1:-1], wide[:, 2:, 1:-1], wide[:, 1:-1, :-2], wide[:, 1:-1, 2:])
    return np.asarray(np.max(around, axis=0))


def shrink(images: Images) -> Images:
    """(N, 28, 28): each pixel the darkest of itself and its four neighbours."""
    return 1 - grow(1 - images)

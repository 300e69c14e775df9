"""Augmentation: the same letter as a display font may draw it: on a badge, in a frame, cut out of a field, hollow, with a shadow.

    framed    the letter is made smaller and set in a shape |x / a|^n + |y / b|^n <= 1, which n takes from a diamond over an
              ellipse to a rectangle: black on the white shape, within its line, white where all beyond the shape is white,
              or black on white
    lined     of the letter only the line around it is left, outside or inside; a second line runs around it; or it throws a
              shadow, alone or beside it

Four ways each, all alike probable.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from letters.idx import SIDE
from letters.warp import Images, grow, read_at, shrink

_MARGIN = 1, 7.5  # pixels between a framed letter and each edge
_HALF = 12, 15.5  # pixels, a and b
_ROUND = 0, 3  # ln n: a diamond, nearly a rectangle
_LINE = 0.8, 2.5  # pixels, how thick a frame is
_DEEP = 3  # pixels, how far a shadow falls


def disguise(images: Images, share: float, rng: np.random.Generator) -> Images:
    """(N, 28, 28) float32: a `share` of the images disguised, half of them framed and half lined."""
    drawn, found = rng.random(len(images)), images.copy()
    for these, way in ((drawn < share / 2, framed), (drawn > 1 - share / 2, lined)):
        if these.any():
            found[these] = way(images[these], rng)
    return found


def framed(images: Images, rng: np.random.Generator) -> Images:
    """(N, 28, 28) float32: each smaller, in a shape."""
    small = _smaller(images, rng)
    shape, within = _shapes(len(images), rng)
    return _one_of([shape * (1 - small), np.maximum(small, shape - within), np.maximum(small * shape, 1 - shape), 1 - small], rng)


def lined(images: Images, rng: np.random.Generator) -> Images:
    """(N, 28, 28) float32: each as a line around it, or with a shadow."""
    thick, thin = grow(images), shrink(images)
    thicker = grow(thick)
    around, far = _one_of([thick, thicker], rng) - images, thicker - thick
    inside = images - _one_of([thin, shrink(thin)], rng)
    fallen = _one_of([_shadow(images), _shadow(images[..., ::-1])[..., ::-1]], rng)
    thrown = _one_of([fallen * (1 - images), np.maximum(images, fallen - thick)], rng)
    return _one_of([around, inside, np.maximum(thin, far), thrown], rng)


def _one_of(ways: list[Images], rng: np.random.Generator) -> Images:
    """(N, 28, 28): of each image one of its `ways`, all alike probable."""
    count = len(ways[0])
    return np.stack(ways)[rng.integers(len(ways), size=count), np.arange(count)]


def _smaller(images: Images, rng: np.random.Generator) -> Images:
    """Each shrunk between four margins, black around it."""
    place = np.arange(SIDE, dtype=np.float32)[None]
    low, high = rng.uniform(*_MARGIN, (2, 2, len(images), 1)).astype(np.float32)
    rows, columns = (place - low) * (SIDE - 1) / (SIDE - 1 - low - high)
    whole = np.zeros_like(images)
    return read_at(images, np.stack([rows[:, :, None] + whole, columns[:, None] + whole], axis=1))


def _shapes(count: int, rng: np.random.Generator) -> tuple[Images, Images]:
    """(N, 28, 28) twice: white shapes on black, and the same without their line."""
    middle = (SIDE - 1) / 2
    from_middle = np.abs(np.arange(SIDE, dtype=np.float32) - middle)
    high, wide = rng.uniform(*_HALF, (2, count, 1, 1)).astype(np.float32)
    power = np.exp(rng.uniform(*_ROUND, (count, 1, 1))).astype(np.float32)
    reached = ((from_middle[:, None] / high) ** power + (from_middle / wide) ** power) ** (1 / power)
    depth = (1 - reached) * np.minimum(high, wide)  # pixels within the edge, about
    line = rng.uniform(*_LINE, (count, 1, 1)).astype(np.float32)
    return _white(depth), _white(depth - line)


def _white(depth: NDArray[np.float32]) -> Images:
    """What lies within the edge, grey on it."""
    return np.asarray(np.clip(depth + 0.5, 0, 1), np.float32)


def _shadow(images: Images) -> Images:
    """(N, 28, 28): what the letters darken, down and to the right of them."""
    fallen = np.zeros_like(images)
    for far in range(1, _DEEP + 1):
        np.maximum(fallen[:, far:, far:], images[:, :-far, :-far], out=fallen[:, far:, far:])
    return fallen

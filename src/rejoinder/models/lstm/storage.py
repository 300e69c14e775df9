"""How the weights of a cell lie on disk: float32, float16, or matrices in 8 bits.

In 8 bits a matrix is whole numbers from -127 to 127 and a scale for each of its outputs: for each row of the token vectors, for
each column of the others.

    NAME          (M, N) int8
    NAME.scale    (M,) or (N,) float32: what a 1 stands for
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rejoinder.errors import DamagedModel
from rejoinder.models.lstm.cell import Floats

Arrays = Mapping[str, NDArray[Any]]
_MOST = 127
SCALE = ".scale"  # after the name of what it is the scale of
_BY_ROW = "embedding"  # all others are by column


def packed(named: Mapping[str, Floats]) -> dict[str, NDArray[Any]]:
    """Matrices in 8 bits and their scales; what is no matrix in half precision."""
    arrays: dict[str, NDArray[Any]] = {}
    for name, array in named.items():
        if array.ndim < 2:
            arrays[name] = array.astype(np.float16)
            continue
        wide = np.asarray(array, np.float32)
        scale = _short(np.abs(wide).max(axis=_along(name)) / np.float32(_MOST))
        arrays[name] = np.rint(wide / _spread(name, scale)).astype(np.int8)
        arrays[name + SCALE] = scale
    return arrays


def unpacked(arrays: Arrays) -> dict[str, Floats]:
    """The weights by name, float32 where they were in 8 bits; those that were not stay as they are.

    Raises:
        DamagedModel: an array is of another kind, or its scale is missing or does not fit.
    """
    named: dict[str, Floats] = {}
    for name, array in arrays.items():
        if name.endswith(SCALE):
            continue
        if array.dtype != np.int8:
            named[name] = array
        elif (scale := arrays.get(name + SCALE)) is None or scale.dtype != np.float32:
            raise DamagedModel(f"the array {name} has no scale; fit again: rejoinder fit lstm")
        elif array.ndim != 2 or scale.shape != (array.shape[1 - _along(name)],):
            raise DamagedModel(f"the array {name} is {array.shape} and its scale {scale.shape}; fit again: rejoinder fit lstm")
        else:
            named[name] = array * _spread(name, scale)
    return named


def _short(scale: NDArray[np.float32]) -> NDArray[np.float32]:
    """The next number of 12 binary digits, 1 for 0: its products with -127 to 127 are exact, so packing again changes nothing."""
    digits, power = np.frexp(np.where(scale > 0, scale, np.float32(1)))
    return np.asarray(np.ldexp(np.ceil(digits * 2**12) / np.float32(2**12), power), np.float32)


def _along(name: str) -> int:
    """The axis over which one scale holds."""
    return 1 if name == _BY_ROW else 0


def _spread(name: str, scale: NDArray[np.float32]) -> NDArray[np.float32]:
    return scale[:, None] if name == _BY_ROW else scale[None]

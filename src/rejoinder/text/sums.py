"""Numbers by key: equal keys made one, their values added."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Values = TypeVar("Values", NDArray[np.int64], NDArray[np.float64])


def add_up(keys: NDArray[np.int64], values: Values) -> tuple[NDArray[np.int64], Values]:
    """(U,) int64, the keys, ascending, each once; (U,) the sums of the (N,) `values` of each, added in the order given."""
    order = np.argsort(keys, kind="stable")
    return add_runs(keys[order], values[order])


def add_runs(keys: NDArray[np.int64], values: Values) -> tuple[NDArray[np.int64], Values]:
    """`add_up` for keys that are sorted."""
    if not len(keys):
        return keys, values
    first = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    return keys[first], np.add.reduceat(values, first)

"""Numbers by key: equal keys made one, their values added."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Values = TypeVar("Values", bound=NDArray[Any])


def add_up(keys: Ints, values: Values) -> tuple[Ints, Values]:
    """(U,) int64, the keys, ascending, each once; (U, ...) the sums of the (N, ...) `values` of each, in the order given."""
    ordered, order = in_order(keys.copy())
    return add_runs(ordered, cast(Values, values[order]))


def add_up_placed(keys: Ints, values: Values) -> tuple[Ints, Values, Ints]:
    """`add_up`, and (N,) int64: for each entry given, which of the U keys it became."""
    ordered, order = in_order(keys.copy())
    first = run_starts(ordered)
    places = np.empty(len(keys), np.int64)
    places[order] = np.repeat(np.arange(len(first)), np.diff(first, append=len(keys)))
    _, sums = add_runs(ordered, cast(Values, values[order]))
    return ordered[first], sums, places


def in_order(keys: Ints) -> tuple[Ints, Ints]:
    """(N,) int64 the keys, ascending; (N,) int64 where each stood, equal ones as they came. The array given is used up.

    Where both fit into 63 bits each key carries its place with it: numbers are sorted many times faster than places.
    """
    bits = len(keys).bit_length()
    largest = max(int(keys.max(initial=0)), -int(keys.min(initial=0)))
    if largest.bit_length() + bits > 63:
        order = np.argsort(keys, kind="stable")
        return keys[order], order
    keys <<= bits
    keys |= np.arange(len(keys))
    keys.sort()
    order = keys & ((1 << bits) - 1)
    keys >>= bits
    return keys, order


def add_runs(keys: Ints, values: Values) -> tuple[Ints, Values]:
    """`add_up` for keys that are sorted."""
    first = run_starts(keys)
    return (keys[first], cast(Values, np.add.reduceat(values, first))) if len(first) else (keys, values)


def each_once(values: NDArray[Any]) -> NDArray[Any]:
    """(U,) the values, ascending, each once: as `numpy.unique`, which hashes and takes up to 60 times as long."""
    ordered = np.sort(values, axis=None)
    new = np.ones(len(ordered), np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=new[1:])
    return ordered[new]


def run_starts(ordered: NDArray[Any]) -> Ints:
    """(U,) int64: where each run of equal ones begins in (N,) sorted keys."""
    return np.flatnonzero(np.concatenate([np.ones(min(len(ordered), 1), bool), ordered[1:] != ordered[:-1]]))


def spans(offsets: Ints, most: int) -> Iterator[tuple[int, int]]:
    """Groups, the g-th of offsets[g + 1] - offsets[g] things, in runs (from, up to) of at most `most` things, or of one group."""
    first, groups = 0, len(offsets) - 1
    while first < groups:
        last = max(int(np.searchsorted(offsets, offsets[first] + most, side="right")) - 1, first + 1)
        yield first, last
        first = last

"""The nearest of N vectors, by inner product: exact up to a million, by an index beyond.

Exact search is one matrix product. The vectors lie on the disk in half precision and are widened at the first search: doing so
for each takes many times as long as the product. Beyond a million, a graph of near neighbours (HNSW, Malkov & Yashunin 2018,
by usearch) finds nearly all of them.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from rejoinder.errors import DamagedModel, ModelError, missing_extra
from rejoinder.models.directory import load_array, save_array

EXACT = 1_000_000  # vectors up to which search is exact
_ROUNDING = 1e-5  # by which a matrix product may be wrong, as a share of the largest or of the query's length
_INDEX = "nearest.usearch"


class Nearest:
    """N vectors of D numbers, searched."""

    def __init__(self, vectors: NDArray[np.float16], index: Any = None) -> None:
        """Use `build` or `load`."""
        self.vectors = vectors  # (N, D) float16
        self._index = index

    @classmethod
    def build(cls, vectors: NDArray[np.floating], exact: int = EXACT) -> Self:
        """Search over (N, D) numbers, kept in half precision; with an index if N is above `exact`.

        Raises:
            MissingExtra: an index is needed and usearch is not installed.
        """
        half = vectors.astype(np.float16, copy=False)
        if len(half) <= exact:
            return cls(half)
        index = _new_index(half.shape[1])
        index.add(np.arange(len(half)), half)
        return cls(half, index)

    def __len__(self) -> int:
        """The number of vectors, N."""
        return len(self.vectors)

    def search(self, query: NDArray[np.float32], k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The places (K,) int64 and inner products (K,) float32 of at most `k` vectors, best first, ties by place.

        Raises:
            ModelError: `query` has not D numbers.
        """
        if query.shape != self.vectors.shape[1:]:
            raise ModelError(f"a vector of {self.vectors.shape[1]} numbers was expected; got {query.shape}")
        k = min(k, len(self))
        if k <= 0 or not query.any():
            return np.empty(0, np.int64), np.empty(0, np.float32)
        if self._index is None:
            places = _near(self._wide, query, k)
        else:
            places = np.asarray(self._index.search(query.astype(np.float16), k).keys, np.int64)
        scores = dots(self.vectors[places].astype(np.float32), query)
        order = np.lexsort((places, -scores))[:k]
        return places[order], scores[order]

    def save(self, directory: Path) -> None:
        """Write vectors and index into `directory`."""
        save_array(directory, "nearest", self.vectors)
        if self._index is not None:
            self._index.save(str(directory / _INDEX))

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read what `save` wrote, memory-mapped.

        Raises:
            DamagedModel: something is missing, or does not fit the rest.
        """
        vectors = load_array(directory, "nearest")
        if vectors.ndim != 2 or vectors.dtype != np.float16:
            raise DamagedModel(f"{directory}: the vectors are {vectors.dtype} of {vectors.ndim} axes; fit again")
        file = directory / _INDEX
        if not file.is_file():
            return cls(vectors)
        index = _new_index(vectors.shape[1])
        try:
            index.view(str(file))
        except Exception as error:  # the library's errors share no class but this
            raise DamagedModel(f"{file} is damaged ({str(error)[:80]}); fit again") from error
        if len(index) != len(vectors):
            raise DamagedModel(f"{file} is of {len(index):,} vectors, not {len(vectors):,}; fit again")
        return cls(vectors, index)

    @cached_property
    def _wide(self) -> NDArray[np.float32]:
        """(N, D) float32: the vectors, to multiply with."""
        return self.vectors.astype(np.float32)


def _near(vectors: NDArray[np.float32], query: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """The places of the `k` best of (N, D) `vectors`, and of those that rounding could put among them."""
    scores = vectors @ query
    threshold = np.partition(scores, len(scores) - k)[len(scores) - k]
    return np.flatnonzero(scores >= threshold - _ROUNDING * max(float(np.abs(scores).max()), float(np.linalg.norm(query))))


def dots(rows: NDArray[np.float32], vector: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N,) float32: the inner product of each row with `vector`, to the bit the same in any company, as by BLAS it is not."""
    return np.asarray(np.einsum("nd,d->n", rows, vector))


def _new_index(size: int) -> Any:
    try:
        from usearch.index import Index
    except ImportError as error:
        raise missing_extra(f"searching more than {EXACT:,} vectors", "train") from error
    return Index(ndim=size, metric="ip", dtype="f16")

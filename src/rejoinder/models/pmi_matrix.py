"""The matrix of PMI in the memory there is: worked out some pairs at a time, and laid out row by row where columns are made.

Pairs are unordered, by their first word and then the second. Read as they come they are the rows' entries from the diagonal on.
Those before it are the same pairs turned round, and stand in another order: they are put into bins of neighbouring rows first,
each of which is then sorted by itself. Explained in `rejoinder.models.pmi_svd`, which factorises it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rejoinder.text.columns import IN_MEMORY, NumberColumn, NumberColumns
from rejoinder.text.cooccurrence import DEFAULT_MEMORY, Cooccurrence
from rejoinder.text.sums import spans

_BYTES_AN_ENTRY = 64  # what working one out takes: its pair and value, and their order
_NARROW = 2**31  # entries from which on their places take 64 bits

Array = NDArray[Any]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def positive_pmi(
    pairs: Cooccurrence,
    vocabulary: int,
    smoothing: float,
    shift: float,
    columns: NumberColumns = IN_MEMORY,
    memory: int = DEFAULT_MEMORY,
) -> Any:
    """(V, V) scipy CSR float32, nats: max(PMI - ln shift, 0) of each pair of words, the context's distribution smoothed.

    Args:
        pairs: unordered pairs with their weights; each is read both ways.
        vocabulary: V.
        smoothing: the power s that the contexts' counts are raised to; 1: not smoothed.
        shift: k, at least 1; 1: not shifted.
        columns: where its arrays are made.
        memory: bytes that may be taken beside them, about.
    """
    from scipy import sparse

    reading = _PairChunks(pairs, vocabulary, max(memory // _BYTES_AN_ENTRY, 1))
    weights = _PmiWeights.of(reading, smoothing, shift)
    halves = _MatrixHalves(reading, columns)
    for first, second, sums in reading.chunks():
        halves.put(first, second, weights.nats(first, second, sums), weights.nats(second, first, sums))
    kind = np.int32 if halves.total < _NARROW else np.int64
    places, values = columns.new(kind, halves.total), columns.new(np.float32, halves.total)
    sizes, written = np.zeros(vocabulary + 1, np.int64), 0
    for begin, end, row, column, value in halves.rows():
        places.write(written, column)
        values.write(written, value)
        sizes[begin + 1 : end + 1] = np.bincount(row - begin, minlength=end - begin)
        written += len(row)
    halves.drop()
    return sparse.csr_matrix((values.done(), places.done(), np.cumsum(sizes).astype(kind)), shape=(vocabulary, vocabulary))


class _PairChunks:
    """Pairs, some at a time."""

    def __init__(self, pairs: Cooccurrence, vocabulary: int, step: int) -> None:
        """At most `step` entries at a time."""
        self._columns = [NumberColumn.over(array) for array in (pairs.first, pairs.second, pairs.sums)]
        self.vocabulary, self.step = vocabulary, step

    def chunks(self) -> Iterator[tuple[NDArray[np.int32], NDArray[np.int32], Floats]]:
        """First words, second words, weights."""
        pairs = len(self._columns[0])
        for begin in range(0, pairs, self.step):
            first, second, sums = (column.read(begin, min(begin + self.step, pairs)) for column in self._columns)
            yield first, second, sums


@dataclass(frozen=True)
class _PmiWeights:
    """What the PMI of a pair is worked out from."""

    log_total: Floats  # (V,) ln of the sum of each row of M
    log_smoothed: Floats  # (V,) ln of the share of each context, smoothed
    log_shift: float

    @classmethod
    def of(cls, reading: _PairChunks, smoothing: float, shift: float) -> _PmiWeights:
        """Add up the rows."""
        size = reading.vocabulary
        total = np.zeros(size)
        for first, second, sums in reading.chunks():
            total += np.bincount(first, sums, size) + np.bincount(second, sums, size)
        smoothed = total**smoothing
        with np.errstate(divide="ignore"):  # a word that never met another has no pairs either
            return cls(np.log(total), np.log(smoothed / smoothed.sum()), float(np.log(shift)))

    def nats(self, word: NDArray[np.int32], context: NDArray[np.int32], sums: Floats) -> NDArray[np.float32]:
        """(N,) the entries of these words and contexts."""
        met = np.log(sums * np.where(word == context, 2, 1))  # both ways a pair of a word with itself is the same entry of M
        found = met - self.log_total[word] - self.log_smoothed[context] - self.log_shift
        return np.asarray(np.maximum(found, 0), np.float32)


class _MatrixHalves:
    """The entries above 0: those from the diagonal on as they come, those before it in bins of neighbouring rows."""

    def __init__(self, reading: _PairChunks, columns: NumberColumns) -> None:
        """Make room."""
        size = reading.vocabulary
        self._after, before = np.zeros(size, np.int64), np.zeros(size, np.int64)
        for first, second, _ in reading.chunks():
            self._after += np.bincount(first, minlength=size)
            before += np.bincount(second[first != second], minlength=size)
        bins = list(spans(np.append(0, np.cumsum(before + self._after)), reading.step))
        self._rows = np.array([begin for begin, _ in bins] + [size])  # (B+1,) where those of each bin begin
        self._begins = np.append(0, np.cumsum(before))[self._rows]  # (B+1,) where its entries do
        self._ends = self._begins[:-1].copy()  # (B,) how far they were written
        kinds = (np.int32, np.int32, np.float32)
        self._before = [columns.new(kind, int(before.sum())) for kind in kinds]  # row, column, value
        self._upper = [columns.new(kind, int(self._after.sum())) for kind in kinds[1:]]  # column, value
        self._after[:] = 0
        self._written = 0

    @property
    def total(self) -> int:
        """How many entries there are."""
        return self._written + int((self._ends - self._begins[:-1]).sum())

    def put(self, first: Array, second: Array, upper: Array, lower: Array) -> None:
        """Entries by their pairs, read this way (`upper`) and turned round (`lower`)."""
        kept = upper > 0
        for column, array in zip(self._upper, (second, upper), strict=True):
            column.write(self._written, array[kept])
        self._after += np.bincount(first[kept], minlength=len(self._after))
        self._written += int(kept.sum())
        kept = (lower > 0) & (first != second)
        entries = [array[kept] for array in (second, first, lower)]
        which = np.searchsorted(self._rows, entries[0], side="right") - 1
        order = np.argsort(which, kind="stable")
        cuts = np.searchsorted(which[order], np.arange(len(self._ends) + 1)).tolist()
        for place in range(len(self._ends)):
            some = order[cuts[place] : cuts[place + 1]]
            for column, array in zip(self._before, entries, strict=True):
                column.write(int(self._ends[place]), array[some])
            self._ends[place] += len(some)

    def rows(self) -> Iterator[tuple[int, int, Array, Array, Array]]:
        """Rows from, up to; their entries' rows, columns and values, row by row, by column."""
        after = np.append(0, np.cumsum(self._after))
        for place, (begin, end) in enumerate(zip(self._rows[:-1].tolist(), self._rows[1:].tolist(), strict=True)):
            lower = [column.read(int(self._begins[place]), int(self._ends[place])) for column in self._before]
            upper = [column.read(int(after[begin]), int(after[end])) for column in self._upper]
            row = np.concatenate([lower[0], np.repeat(np.arange(begin, end, dtype=np.int32), self._after[begin:end])])
            order = np.argsort(row, kind="stable")  # in either half columns ascend, and those of the first are the smaller ones
            column, value = (np.concatenate(both)[order] for both in zip(lower[1:], upper, strict=True))
            yield begin, end, row[order], column, value

    def drop(self) -> None:
        """They are needed no more."""
        _drop([*self._before, *self._upper])


def _drop(columns: Sequence[NumberColumn]) -> None:
    for column in columns:
        column.drop()

"""NumberColumns of numbers, made and read piece by piece: in memory, or in files of which only the piece at hand is in memory.

A memory map would do as well, were it not that every page it has touched counts as this process's memory until it is unmapped.
A column that is done is an array like any other, memory-mapped where it lies in a file (npy).
"""

from __future__ import annotations

import mmap
import os
from io import BytesIO, FileIO
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from rejoinder.files import reserve

Array = NDArray[Any]
_HEADER = 128  # bytes before the numbers: what NumPy writes for one dimension, with room for its length


class NumberColumn:
    """(M,) numbers of one kind, 0 until they are written.

    Several threads may read and write it, each where no other one writes.
    """

    def __init__(self, kind: DTypeLike, length: int, file: Path | None = None) -> None:
        """In memory, or in a new `file`."""
        self.dtype = np.dtype(kind)
        self._length, self._path, self._offset = length, file, _HEADER
        self._file = None if file is None else FileIO(file, "x+")
        self._array: Array = np.zeros(length if file is None else 0, self.dtype)
        if self._file is not None:
            self._file.truncate(_HEADER + length * self.dtype.itemsize)

    @classmethod
    def over(cls, array: Array) -> NumberColumn:
        """What an array holds, read from its file where it is one memory-mapped whole."""
        column = cls(array.dtype, 0)
        column._length, mapped = len(array), in_file(array)
        if mapped is None:
            column._array = array
        else:
            column._file, column._offset = FileIO(str(mapped.filename), "r"), mapped.offset
        return column

    def __len__(self) -> int:
        """M, how many numbers there are."""
        return self._length

    def __del__(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def __getitem__(self, at: int) -> int:
        """The whole number there, 0 <= `at` < M: for searching without mapping what is passed over."""
        if not 0 <= at < self._length:
            raise IndexError(at)
        return int(self.read(at, at + 1)[0])

    def read(self, first: int, last: int) -> Array:
        """Those from `first` up to `last`; not to be changed."""
        if self._file is None:
            return self._array[first:last]
        found = np.empty(last - first, self.dtype)
        view = found.view(np.uint8).data
        at = self._offset + first * self.dtype.itemsize
        while len(view):
            got = os.preadv(self._file.fileno(), [view], at)
            if not got:
                raise EOFError(f"{self._file.name!s} is shorter than it was")
            view, at = view[got:], at + got
        return found

    def write(self, first: int, values: Array) -> None:
        """Put `values` there, from `first` on."""
        if self._file is None:
            self._array[first : first + len(values)] = values
            return
        view = np.ascontiguousarray(values, self.dtype).view(np.uint8).data
        at = self._offset + first * self.dtype.itemsize
        while len(view):
            put = os.pwrite(self._file.fileno(), view, at)
            view, at = view[put:], at + put

    def mapped(self) -> Array:
        """All of a new one at once, to be changed in any order: in memory, or mapped, so that the system may take pages back.

        Raises:
            OSError: there is no room for it on the disk.
        """
        if self._file is None:
            return self._array
        reserve(self._file.fileno(), _HEADER + self._length * self.dtype.itemsize)
        return np.asarray(np.memmap(str(self._path), self.dtype, "r+", _HEADER, (self._length,)))

    def done(self, length: int | None = None) -> Array:
        """The first `length` as an array (all by default); the column is read and written no more."""
        self._length = self._length if length is None else length
        if self._file is None:
            return self._array if self._length == len(self._array) else self._array[: self._length].copy()
        header = BytesIO()
        np.lib.format.write_array_header_1_0(header, {"descr": self.dtype.str, "fortran_order": False, "shape": (self._length,)})
        self._file.truncate(_HEADER + self._length * self.dtype.itemsize)
        self._file.seek(0)
        self._file.write(header.getvalue())
        self._file.close()
        mapped: Array = np.load(str(self._path), mmap_mode="r", allow_pickle=False)
        return np.asarray(mapped)

    def drop(self) -> None:
        """It is needed no more; nor is its file, if it was made here."""
        self._array = self._array[:0]
        if self._file is not None:
            self._file.close()
        if self._path is not None:
            self._path.unlink()


class NumberColumns:
    """Makes columns: in memory, or in a new folder of `directory`, whose owner removes it."""

    def __init__(self, directory: Path | None = None) -> None:
        """Make the folder."""
        self.folder = None if directory is None else Path(mkdtemp(dir=directory))
        self._made = 0

    def new(self, kind: DTypeLike, length: int) -> NumberColumn:
        """A column of `length` numbers."""
        self._made += 1
        return NumberColumn(kind, length, None if self.folder is None else self.folder / f"{self._made}.npy")

    def keep(self, array: Array) -> Array:
        """The same array, in a file where columns are in files."""
        if self.folder is None:
            return array
        column = self.new(array.dtype, len(array))
        column.write(0, array)
        return column.done()


IN_MEMORY = NumberColumns()


def in_file(array: Array) -> np.memmap[Any, Any] | None:
    """The memory map of a whole array in a file, if that is what `array` is or shows."""
    mapped = array if isinstance(array, np.memmap) else array.base
    if not isinstance(mapped, np.memmap) or not isinstance(mapped.base, mmap.mmap) or mapped.filename is None:
        return None
    return mapped if (mapped.dtype, mapped.shape) == (array.dtype, array.shape) else None

"""Images and labels in the format of MNIST: idx files, gzipped or not.

    magic   0, 0, 8 (unsigned bytes), number of dimensions    4 bytes
    sizes   one a dimension                                    4 bytes each, the most significant first
    data    as many bytes as the product of the sizes, and then nothing

The format is described at the foot of MNIST's page (LeCun, Cortes & Burges). Other types of number are not read.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LETTERS = "ABCDEFGHIJ"  # label 0 is A
SIDE = 28  # pixels of an image, each way

Bytes = NDArray[np.uint8]
Ints = NDArray[np.int64]

_UNSIGNED_BYTES = 8
_MOST_DIMENSIONS = 4  # beyond, it is not a file of images
_MOST_BYTES = 2**31  # of data: beyond, the sizes are likelier wrong than meant


class BadData(Exception):
    """A file is not what it should be; the message is one line that says which, and why."""


class Letters(NamedTuple):
    """N images and what they show."""

    images: Bytes  # (N, 28, 28) 0 black to 255 white
    labels: Ints  # (N,) 0 to 9

    def at(self, places: NDArray[np.bool_] | Ints) -> Letters:
        """Those at `places`."""
        return Letters(self.images[places], self.labels[places])

    def __add__(self, other: object) -> Letters:
        """These, and then the others."""
        if not isinstance(other, Letters):
            return NotImplemented
        return Letters(np.concatenate([self.images, other.images]), np.concatenate([self.labels, other.labels]))


def read_idx(file: Path) -> Bytes:
    """The array in `file`, uint8, of the shape that the file states.

    Raises:
        BadData: there is no such file, it is not an idx file of bytes, or it is shorter or longer than it states.
    """
    try:
        data = file.read_bytes()
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
    except FileNotFoundError:
        raise BadData(f"{file}: no such file") from None
    except (OSError, EOFError, zlib.error) as error:
        raise BadData(f"{file}: cannot be read or unpacked: {error}") from None
    if len(data) < 4 or data[:3] != bytes([0, 0, _UNSIGNED_BYTES]) or not 1 <= data[3] <= _MOST_DIMENSIONS:
        raise BadData(
            f"{file}: not an idx file of bytes: it begins with {data[:4].hex(' ') or 'nothing'}, not 00 00 08 and 01 to 04"
        )
    begin = 4 + 4 * data[3]
    if len(data) < begin:
        raise BadData(f"{file}: ends within its header, after {len(data)} of {begin} bytes")
    sizes = struct.unpack(f">{data[3]}I", data[4:begin])
    stated = math.prod(sizes)
    if stated != len(data) - begin or stated > _MOST_BYTES:
        shape = " x ".join(map(str, sizes))
        raise BadData(f"{file}: states {shape} = {stated:,} bytes of data; has {len(data) - begin:,}")
    return np.frombuffer(data, np.uint8, offset=begin).reshape(sizes)


def read_letters(directory: Path) -> Letters:
    """All images of `directory`: its `*images-idx3-ubyte`, `.gz` or not, each with its `*labels-idx1-ubyte`.

    Raises:
        BadData: there are none, one lacks its labels, or images and labels do not belong together.
    """
    files = sorted(directory.glob("*images-idx3-ubyte*"))
    if not files:
        raise BadData(f"{directory}: holds no file named like images-idx3-ubyte.gz")
    parts = [_read_pair(file, file.with_name(file.name.replace("images-idx3", "labels-idx1"))) for file in files]
    return Letters(np.concatenate([part.images for part in parts]), np.concatenate([part.labels for part in parts]))


def write_idx(file: Path, array: Bytes) -> None:
    """Write `array` so that `read_idx` reads it; gzipped if the name ends in .gz, the same bytes each time."""
    data = bytes([0, 0, _UNSIGNED_BYTES, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()
    file.write_bytes(gzip.compress(data, mtime=0) if file.suffix == ".gz" else data)


def _read_pair(image_file: Path, label_file: Path) -> Letters:
    images, labels = read_idx(image_file), read_idx(label_file)
    if images.ndim != 3 or images.shape[1:] != (SIDE, SIDE):
        raise BadData(f"{image_file}: images must be N x {SIDE} x {SIDE}; got {' x '.join(map(str, images.shape))}")
    if labels.shape != images.shape[:1]:
        raise BadData(f"{label_file}: {len(images):,} labels expected, one an image; got {' x '.join(map(str, labels.shape))}")
    if len(labels) and labels.max() >= len(LETTERS):
        raise BadData(f"{label_file}: labels must be 0 to {len(LETTERS) - 1}; got {labels.max()}")
    return Letters(images, labels.astype(np.int64))

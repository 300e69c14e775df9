"""Files as streams of bytes, unpacked on the way: gzip, bzip2, xz, zstd or none of them, told by how the file begins."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rejoinder.errors import SourceError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

UNREADABLE = (EOFError, OSError, zlib.error, zstd.ZstdError, lzma.LZMAError)  # what reading a file that breaks off can raise
PACKINGS = (".gz", ".bz2", ".xz", ".zst", ".zstd")
_WINDOW = 31  # log2 of the largest window: dumps of Reddit are packed with 2 GiB
_BUFFER = 2**18


def _zstd(path: Path) -> Any:
    return zstd.ZstdFile(path, "rb", options={zstd.DecompressionParameter.window_log_max: _WINDOW})


_MAGIC: dict[bytes, Callable[[Path], Any]] = {
    b"\x1f\x8b": gzip.GzipFile,
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\x00": lzma.LZMAFile,
    b"\x28\xb5\x2f\xfd": _zstd,
}


def open_stream(path: Path) -> io.BufferedReader:
    """The bytes of a file, unpacked.

    Raises:
        SourceError: the file cannot be opened.
    """
    try:
        with path.open("rb") as file:
            start = file.read(6)
        opened = next((unpack(path) for magic, unpack in _MAGIC.items() if start.startswith(magic)), None)
        return io.BufferedReader(io.FileIO(path) if opened is None else _Eager(opened), buffer_size=_BUFFER)
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror}") from error


def plain_name(path: Path) -> str:
    """The name of a file in small letters, without the ending that says how it is packed."""
    name = path.name.lower()
    return next((name.removesuffix(ending) for ending in PACKINGS if name.endswith(ending)), name)


class _Eager(io.RawIOBase):
    """A decompressor that hands over what it has: its own `readinto` fills a buffer first, and an error loses all of it."""

    def __init__(self, opened: Any) -> None:
        self._opened = opened

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._opened.read1(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._opened.close()
        super().close()

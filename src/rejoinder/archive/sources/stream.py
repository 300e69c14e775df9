"""Files as streams of bytes, unpacked on the way: gzip, zstd or neither."""

from __future__ import annotations

import gzip
import io
import sys
import zlib
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

UNREADABLE = (EOFError, OSError, zlib.error, zstd.ZstdError)  # what reading a file that breaks off can raise


def open_stream(path: Path, packing: str) -> io.BufferedReader:
    """The bytes of a file packed with `packing` (".gz", ".zst" or "")."""
    opened: Any  # a raw stream of either library
    if packing == ".gz":
        opened = gzip.GzipFile(path, "rb")
    elif packing == ".zst":
        opened = zstd.ZstdFile(path, "rb")
    else:
        opened = io.FileIO(path)
    return io.BufferedReader(_Eager(opened) if packing else opened, buffer_size=2**18)


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

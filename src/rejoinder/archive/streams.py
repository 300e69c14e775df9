"""Files as streams of bytes, unpacked on the way: gzip, bzip2, xz, zstd or none of them, told by how the file begins.

Text in UTF-16, as a Windows shell writes what a program prints, comes as UTF-8.

Packers say how much of what was unpacked must be held (a dictionary, a window), up to gigabytes. Of xz 256 MiB are held.
Reddit's dumps need the 2 GiB that zstd may ask for: these are held where the file is of a size to need them, as no bomb is.
"""

from __future__ import annotations

import bz2
import codecs
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
_WINDOW, _WIDE = 27, 31  # log2 of the largest window that any file, and that a large file may have
_HELD = 2**28  # bytes of a dictionary, or of a wide window
_RATIO = 50  # how many times its own size a file with a wide window may unpack to, beyond `_HELD`; prose packs by less
_BUFFER = 2**18


class _Xz:
    """As `lzma.LZMAFile`, but with a bound for the dictionary."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._unpacker = lzma.LZMADecompressor(memlimit=_HELD)

    def read1(self, size: int) -> bytes:
        while True:
            if self._unpacker.eof:
                rest = (self._unpacker.unused_data or self._file.read(_BUFFER)).lstrip(b"\0")  # another stream, after padding
                if not rest:
                    return b""
                self._unpacker = lzma.LZMADecompressor(memlimit=_HELD)
            else:
                rest = self._file.read(_BUFFER) if self._unpacker.needs_input else b""
                if self._unpacker.needs_input and not rest:
                    raise EOFError("Compressed file ended before the end-of-stream marker was reached")
            if data := self._unpacker.decompress(rest, size):
                return data

    def close(self) -> None:
        self._file.close()


class _Zstd:
    """As `zstd.ZstdFile`, but a window that is wide for a small file is not filled."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            head = file.read(6)
        # RFC 8878, 3.1.1.1.2: after the descriptor the window, unless bit 5 says that there is none; its log2 in the upper 5
        self._wide = len(head) == 6 and not head[4] & 0x20 and head[5] > (_WINDOW - 10) << 3
        self._left = _HELD + _RATIO * path.stat().st_size
        most = _WIDE if self._wide else _WINDOW
        self._file = zstd.ZstdFile(path, "rb", options={zstd.DecompressionParameter.window_log_max: most})

    def read1(self, size: int) -> bytes:
        data = self._file.read1(size)
        self._left -= len(data)
        if self._wide and self._left < 0:
            raise zstd.ZstdError(f"more than {_RATIO} times its size, with a window of more than {_HELD // 2**21} MiB")
        return data

    def close(self) -> None:
        self._file.close()


class _Utf16:
    """Text in UTF-16 as UTF-8."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._decode = codecs.getincrementaldecoder("utf-16")("replace").decode
        self._rest = b""

    def read1(self, size: int) -> bytes:
        data = b"-"
        while data and not self._rest:
            data = self._file.read(_BUFFER)
            self._rest = self._decode(data, not data).encode("utf-8", "replace")
        part, self._rest = self._rest[:size], self._rest[size:]
        return part

    def close(self) -> None:
        self._file.close()


_MAGIC: dict[bytes, Callable[[Path], Any]] = {
    b"\x1f\x8b": gzip.GzipFile,
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\x00": _Xz,
    b"\x28\xb5\x2f\xfd": _Zstd,
    codecs.BOM_UTF16_LE: _Utf16,
    codecs.BOM_UTF16_BE: _Utf16,
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

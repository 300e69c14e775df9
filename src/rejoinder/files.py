"""Writing files so that a crash leaves the old one or the new one, never half of either."""

from __future__ import annotations

import errno
import glob
import gzip
import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from rejoinder.errors import DiskFull, RejoinderError

_FULL_NUMBERS = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)
_FULL = re.compile(
    r"No space left|File too large|quota exceeded|os error (27|28|122)|requested and \d+ written|disk is full", re.I
)


def write_atomically(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Write `data` beside `path`, flush it to the disk, then put it in place in one step."""
    with atomically(path, mode) as file:
        file.write(data)


@contextmanager
def atomically(path: Path, mode: int = 0o644) -> Iterator[BinaryIO]:
    """A file beside `path` to write to, put in its place in one step when all is written, or removed if that fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(mode)
        Path(name).replace(path)
    except OSError as error:
        error.filename = error.filename or str(path)  # a write that fails does not say of what
        raise
    finally:
        Path(name).unlink(missing_ok=True)


def leftovers(path: Path) -> list[Path]:
    """What crashes left of writing `path`; of use only to whoever knows that nobody is writing it now."""
    return [left for left in path.parent.glob(f".{glob.escape(path.name)}.*") if left.is_file() or left.is_symlink()]


@contextmanager
def told_when_full(where: Path) -> Iterator[None]:
    """Have a full disk told in one line, however the libraries that meet it put it.

    Raises:
        DiskFull: what is done within met one.
    """
    try:
        yield
    except RejoinderError:
        raise
    except Exception as error:
        if _FULL.search(str(error)) is None and getattr(error, "errno", None) not in _FULL_NUMBERS:
            raise
        raise DiskFull(
            f"{where}: the disk is full, or files may not grow so large ({error}); free some space there, then run the same "
            "command again"
        ) from error


def reserve(file: int, size: int) -> None:
    """Have room for a file: a full disk that is met within a mapped array ends the process, and nothing can be said of it.

    Raises:
        OSError: there is none.
    """
    try:
        os.posix_fallocate(file, 0, size)
    except AttributeError:  # a system that cannot
        pass
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL):  # or a file system
            raise


def write_json(path: Path, value: Any) -> None:
    """Write `value` as readable JSON, atomically."""
    write_atomically(path, (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode())


def tree_size(directory: Path) -> int:
    """Bytes of all files below `directory`."""
    return sum(file.stat().st_size for file in directory.rglob("*") if file.is_file())


def open_unpacked(path: Path) -> BinaryIO:
    """A file to read as bytes, unpacked on the way if it is a gzip, whatever its name."""
    file = path.open("rb")
    packed = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    if not packed:
        return file
    file.close()
    return cast(BinaryIO, gzip.open(path, "rb"))

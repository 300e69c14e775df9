"""The lock of an open file, which the system holds for its process and lets go when that ends, whatever ends it.

`flock`, and on Windows `msvcrt`, which locks bytes: one far behind the end, so that others may still read what the file says.
"""

from __future__ import annotations

import os
import sys

if sys.platform == "win32":
    import msvcrt

    _PLACE = 2**30  # in the file

    def _lock(handle: int) -> None:
        os.lseek(handle, _PLACE, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def take(handle: int) -> bool:
    """Whether the lock of an open file is had now; nobody is waited for. It ends when the handle is closed."""
    try:
        _lock(handle)
    except (BlockingIOError, PermissionError):
        return False
    return True

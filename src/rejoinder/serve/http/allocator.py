"""What the C library keeps of memory that is no longer used: told once, so that a server that types for days stays small.

Left alone, glibc takes arrays from one heap once it has seen a large one freed, and the heap cannot shrink below whatever came
after them; and each thread gets a heap of its own. Elsewhere these functions do nothing.
"""

from __future__ import annotations

import contextlib
import ctypes

_MMAP_THRESHOLD, _ARENA_MAX = -3, -8  # as malloc.h numbers them
_LARGE = 512 * 1024  # bytes: less than a block of a net's keys, more than a row of probabilities, which comes and goes


def keep_large_arrays_apart() -> None:
    """Have each large array in pages of its own, which go when it does; to be called before threads are started."""
    with contextlib.suppress(OSError, AttributeError, TypeError):
        library = ctypes.CDLL(None)
        library.mallopt(_MMAP_THRESHOLD, _LARGE)
        library.mallopt(_ARENA_MAX, 1)


def give_back() -> None:
    """Give back what was freed, as after models were read."""
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)

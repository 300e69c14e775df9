"""Hashes that stay the same for ever: from bytes to 64 bits, and from 64 bits to 64 that look drawn at random."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

_GOLDEN = 0x9E3779B97F4A7C15  # 2^64 / golden ratio, odd: SplitMix64's step


def hash64(data: bytes) -> int:
    """64 bits of `data`, by BLAKE2b."""
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")


def splitmix64(seeds: NDArray[Any], steps: int | NDArray[np.integer[Any]] = 1) -> NDArray[np.uint64]:
    """uint64: SplitMix64's number after so many steps from each of the 64-bit `seeds` (Steele, Lea & Flood 2014)."""
    with np.errstate(over="ignore"):
        return mix64(seeds.astype(np.uint64) + np.asarray(steps, np.uint64) * np.uint64(_GOLDEN))


def mix64(z: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's finish: every bit of a number comes to bear on all bits of the other, and no two become one."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(z ^ (z >> np.uint64(31)))

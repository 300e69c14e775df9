"""Train, dev and test: which part a thread belongs to.

A whole thread goes to one part, so that no reply is tested whose neighbours were learned from. By default the part is a
hash of the thread's key: it depends on nothing else, so it never changes as the archive grows. With `time` the newest
threads are held out, which is how a model is used: learned yesterday, asked today.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rejoinder.hashing import splitmix64

Method = Literal["hash", "time"]


class Split(IntEnum):
    """The part a thread belongs to."""

    TRAIN = 0
    DEV = 1
    TEST = 2


SHARES = (0.8, 0.9)  # train up to the first, dev up to the second, test above


def hash_split(keys: NDArray[np.int64]) -> NDArray[np.int8]:
    """The `Split` of each thread key.

    Args:
        keys: (N,) int64, thread keys.

    Returns:
        (N,) int8: SplitMix64 (Steele, Lea & Flood 2014) of the key, as a share of 2**64, against `SHARES`.
    """
    return np.digitize(_shares(keys), SHARES).astype(np.int8)


def first_share(keys: NDArray[np.int64], share: float) -> NDArray[np.bool_]:
    """(N,) bool: which of (N,) thread keys are in the first `share` of a part; a larger share holds the smaller ones.

    By a hash of its own, so that it halves train, dev and test alike.
    """
    return _shares(_shares(keys).view(np.int64)) < share


def _shares(keys: NDArray[np.int64]) -> NDArray[np.float64]:
    """(N,) float64 in [0, 1): SplitMix64 of each key."""
    return np.asarray(splitmix64(keys) / 2.0**64)


def time_split(times: NDArray[np.float64], posts: NDArray[np.int64]) -> NDArray[np.int8]:
    """The `Split` of each thread by when it began: the newest tenth of all posts is test, the tenth before it dev.

    Args:
        times: (N,) float64, seconds since 1970; NaN where unknown (such threads go to train).
        posts: (N,) int64, the posts of each thread.

    Returns:
        (N,) int8. Threads that began in the same second share a part.
    """
    order = np.argsort(np.where(np.isnan(times), -np.inf, times), kind="stable")
    before = np.cumsum(posts[order]) - posts[order]
    share = before / max(int(posts.sum()), 1)
    part = np.digitize(share, SHARES).astype(np.int8)
    ordered = times[order]
    for at in range(1, len(part)):
        if ordered[at] == ordered[at - 1] or np.isnan(ordered[at]):
            part[at] = part[at - 1]
    result = np.empty_like(part)
    result[order] = part
    return result

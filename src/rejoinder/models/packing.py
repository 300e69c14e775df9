"""An index in few bytes: for models that are given away.

    packedN.token.npy     (M,) uint16        the tokens, as they stand
    packedN.code.npy      (M,) uint8         which of the values each log probability is
    packedN.value.npy     (<= 256,) float32  these values, nats, best first
    packedN.follow.npy    (M,) uint8         how many n-grams of the next order begin with each; MANY: see below
    packedN.many.npy      (K,) uint32        of those that begin MANY or more, how many, in order
    packedN.backoff.npy   (C, 3) uint8       backoffs of those that begin any, x of 24 bits: least + x (most - least) / (2^24 - 1)
    packedN.range.npy     (2,) float32       least and most

An n-gram of the highest order takes 3 bytes, another 4, and 3 more where something follows. The probabilities are rounded first
and the backoffs worked out afterwards, so that what follows a context sums to one all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rejoinder.errors import DamagedModel, ModelError
from rejoinder.models.directory import load_array, save_array
from rejoinder.models.interpolation import Floats, Grams, prune, suffixes_of, with_backoffs
from rejoinder.models.smoothing import Followers
from rejoinder.text.sums import each_once

VALUES = 256
MANY = 255
TOP_BYTES, BYTES, CONTEXT_BYTES = 3, 4, 3
_FINE = 2**24 - 1
_SAMPLE = 2**18  # probabilities that the values are chosen from, about


def rounded(levels: Sequence[Grams]) -> list[Grams]:
    """The same n-grams above order 1 with at most VALUES different probabilities in each order, and backoffs that fit them."""
    found = list(levels[:1])
    for level in levels[1:]:
        values = _values(level.log_prob)
        middle = (values[1:] + values[:-1]) / 2
        log_prob = values[np.searchsorted(middle, level.log_prob)]
        found.append(Grams(level.parent, level.token, log_prob, level.backoff, level.count))
    return with_backoffs(found, suffixes_of(found))


def within(levels: Sequence[Grams], size: int) -> list[Grams]:
    """The n-grams that matter most, `rounded`, as many as take at most `size` bytes.

    Raises:
        ModelError: tokens alone take more.
    """
    budget = float(size)
    while True:
        found = rounded(prune(levels, [BYTES] * (len(levels) - 1) + [TOP_BYTES], budget))
        took = packed_size(found)
        if took <= size:
            return found
        if not any(len(level.token) for level in found[1:]):
            raise ModelError(f"`kneser_ney.size` is {size:,} bytes, and the tokens alone take {took:,}; set that much at least")
        budget *= 0.99 * size / took


def packed_size(levels: Sequence[Grams]) -> int:
    """About how many bytes `save_packed` writes."""
    contexts = [len(each_once(above.parent)) for above in levels[1:]] + [0]
    above_first = sum(TOP_BYTES * len(level.token) + 4 * VALUES for level in levels[1:])
    first = 6 * len(levels[0].token)  # its probabilities take 4 bytes each
    followed = sum(len(level.token) for level in levels[:-1])
    return first + above_first + (BYTES - TOP_BYTES) * followed + CONTEXT_BYTES * sum(contexts)


def _values(log_prob: Floats) -> Floats:
    """At most VALUES values, ascending: means of equally many, which come so close to all of them that nobody notices."""
    some = np.sort(log_prob[:: max(len(log_prob) // _SAMPLE, 1)])
    parts = [part.mean() for part in np.array_split(some, VALUES) if len(part)]
    return each_once(np.array(parts, dtype=np.float32).astype(np.float64))


def save_packed(directory: Path, index: Sequence[Followers]) -> None:
    """Write an index whose probabilities are `rounded`."""
    for n, level in enumerate(index, start=1):
        values, code = np.unique(level.log_prob, return_inverse=True) if n > 1 else (level.log_prob, None)
        arrays = {"token": level.token, "value": values}
        if code is not None:
            arrays["code"] = code.astype(np.uint8)
        if n < len(index):
            follow = np.diff(index[n].first).astype(np.uint32)
            arrays |= {"follow": np.minimum(follow, MANY).astype(np.uint8), "many": follow[follow >= MANY]}
            arrays |= _packed_backoffs(level.backoff[follow > 0])
        for name, array in arrays.items():
            save_array(directory, f"packed{n}.{name}", array)


def load_packed(directory: Path, order: int) -> list[Followers]:
    """Read what `save_packed` wrote.

    Raises:
        DamagedModel: the arrays are not there, or do not belong together.
    """
    index: list[Followers] = []
    first = np.zeros(1, dtype=np.uint32)
    for n in range(1, order + 1):
        token, value = (np.asarray(load_array(directory, f"packed{n}.{name}")) for name in ("token", "value"))
        if n == 1:
            first = np.array([0, len(token)], dtype=np.uint32)
            log_prob = value
        else:
            log_prob = value[np.asarray(load_array(directory, f"packed{n}.code"))]
        backoff, after = np.empty(0, np.float32), first
        if n < order:
            follow = np.asarray(load_array(directory, f"packed{n}.follow")).astype(np.uint32)
            many = np.asarray(load_array(directory, f"packed{n}.many"))
            if np.count_nonzero(follow == MANY) != len(many):
                raise DamagedModel(f"{directory}: the arrays do not belong together; fit again: rejoinder fit kneser_ney")
            follow[follow == MANY] = many
            backoff = np.zeros(len(token), dtype=np.float32)
            backoff[follow > 0] = _backoffs(directory, n, int(np.count_nonzero(follow)))
            after = np.concatenate([[0], np.cumsum(follow)]).astype(np.uint32)
        index.append(Followers(first, token, log_prob, backoff))
        first = after
    return index


def is_packed(directory: Path) -> bool:
    """Whether `save_packed` wrote there."""
    return (directory / "packed1.token.npy").is_file()


def _packed_backoffs(backoff: NDArray[np.float32]) -> dict[str, NDArray[np.generic]]:
    low, high = (float(backoff.min()), float(backoff.max())) if len(backoff) else (0.0, 0.0)
    share = (backoff.astype(np.float64) - low) / max(high - low, 1e-9)
    whole = np.round(share * _FINE).astype("<u4").view(np.uint8).reshape(-1, 4)[:, :3]
    return {"backoff": whole, "range": np.array([low, high], dtype=np.float32)}


def _backoffs(directory: Path, n: int, contexts: int) -> NDArray[np.float64]:
    packed = np.asarray(load_array(directory, f"packed{n}.backoff"))
    low, high = np.asarray(load_array(directory, f"packed{n}.range")).astype(np.float64)
    if packed.shape != (contexts, 3):
        raise DamagedModel(f"{directory}: the arrays do not belong together; fit again: rejoinder fit kneser_ney")
    whole = np.zeros((contexts, 4), dtype=np.uint8)
    whole[:, :3] = packed
    return np.asarray(low + whole.reshape(-1).view("<u4") / _FINE * max(high - low, 1e-9))

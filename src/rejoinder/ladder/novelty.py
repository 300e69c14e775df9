"""Novel text, and text that repeats what was learned from: forwards, templates, the same post twice.

Repeats flatter models that count, so figures are told for both kinds apart. A post repeats if half of its runs of `RUN` tokens
stand in the train part; a shorter one if a post of the train part has the same tokens.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rejoinder.text.sums import each_once
from rejoinder.text.tensors import TokenArrays

RUN = 10  # tokens; chance seldom makes so many, and forwards are longer
SHARE = 0.5
_PRIME = np.uint64(0x100000001B3)  # of a polynomial hash, modulo 2**64
_CHUNK = 2**22  # tokens hashed at a time


def repeats(posts: Sequence[Sequence[int]], train: TokenArrays) -> NDArray[np.bool_]:
    """(P,) bool: which of P posts, as tokens without POST, REPLY and END, repeat the train part."""
    runs = [_runs(np.asarray(tokens, np.uint64), RUN) for tokens in posts]
    asked = each_once(np.concatenate([*runs, np.empty(0, np.uint64)]))
    found = np.zeros(len(asked), bool)
    for first in range(0, len(train.tokens), _CHUNK):
        chunk = np.asarray(train.tokens[first : first + _CHUNK + RUN - 1], np.uint64)
        found |= np.isin(asked, each_once(_runs(chunk, RUN)), assume_unique=True)
    short = [tuple(map(int, tokens)) for tokens in posts]
    learned = _learned_whole({tokens for tokens, own in zip(short, runs, strict=True) if not len(own)}, train)
    return np.array(
        [
            found[np.searchsorted(asked, own)].mean() >= SHARE if len(own) else tokens in learned
            for tokens, own in zip(short, runs, strict=True)
        ],
        bool,
    )


def _runs(tokens: NDArray[np.uint64], run: int) -> NDArray[np.uint64]:
    """(N - run + 1,) uint64: the hash of each run of tokens."""
    number = max(len(tokens) - run + 1, 0)
    hashes = np.zeros(number, np.uint64)
    with np.errstate(over="ignore"):
        for place in range(run):
            hashes = hashes * _PRIME + tokens[place : place + number] + np.uint64(1)
    return hashes


def _learned_whole(asked: set[tuple[int, ...]], train: TokenArrays) -> set[tuple[int, ...]]:
    """Those of the posts, too short for a run, that were learned from, but for what stands before and after them."""
    lengths = np.diff(train.offsets) - 2
    learned = (
        tuple(train.tokens[train.offsets[place] + 1 : train.offsets[place + 1] - 1].tolist())
        for place in np.flatnonzero(lengths < RUN)
    )
    return {tokens for tokens in learned if tokens in asked}

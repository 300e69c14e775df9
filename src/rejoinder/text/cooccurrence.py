"""How often two words stand near each other: counts within a window, nearer ones counting more, never across posts.

Every pair of places i < j of a text with j - i = d <= window adds the weight of the distance d to the unordered pair of their
words. A piece of the text is counted by sorting its pairs; pieces that do not fit into memory together wait on the disk and are
merged a range of pairs at a time. With whole numbers as weights the result is the same in whatever pieces it was counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rejoinder.text.sums import add_runs, add_up
from rejoinder.text.word_arrays import WordArrays

Ints = NDArray[np.int64]
Doubles = NDArray[np.float64]
Nearness = Literal["linear", "harmonic", "flat"]
DEFAULT_MEMORY = 2**30  # bytes
_BYTES_A_PAIR = 32  # what counting one pair of places takes at its peak: its key, the sorted key, its weight


@dataclass(frozen=True)
class Cooccurrence:
    """M unordered pairs of words, sorted by the first and then the second."""

    first: NDArray[np.int32]  # (M,) the more frequent of the two
    second: NDArray[np.int32]  # (M,) the other one, or the same
    sums: Doubles  # (M,) the weights of all their meetings, added up


def distance_weights(window: int, nearness: Nearness) -> Doubles:
    """(window,) float64: the weight of a pair at the distances 1, 2, ..., in proportion.

    `linear`: window, window - 1, ..., 1, what word2vec's windows of random width come to; `harmonic`: 1/d, as in GloVe;
    `flat`: all alike.
    """
    distance = np.arange(1, window + 1, dtype=np.float64)
    return {"linear": window + 1 - distance, "harmonic": 1 / distance, "flat": np.ones(window)}[nearness]


def count_pairs(arrays: WordArrays, weights: Doubles, memory: int = DEFAULT_MEMORY, workdir: Path | None = None) -> Cooccurrence:
    """The pairs of words of all texts, near each other by `weights` (window,), with about `memory` bytes for the counting.

    Where that is not enough for all pairs at once, they are counted in pieces that lie on the disk (in `workdir`, else among the
    temporary files) until they are merged. Only the result is held whole.
    """
    vocabulary, window = len(arrays.words), len(weights)
    most = max(memory // (_BYTES_A_PAIR * window), 1)
    pieces = (_count(arrays, slice(*piece), weights) for piece in _pieces(arrays.offsets, most))
    with TemporaryDirectory(dir=workdir) as scratch:
        if arrays.offsets[-1] <= most:
            stored = list(pieces)
        else:
            stored = [_on_disk(piece, Path(scratch) / str(number)) for number, piece in enumerate(pieces)]
        merged = [_add_up(part) for part in _ranges(stored, max(memory // _BYTES_A_PAIR, 1))]
        key = np.concatenate([np.empty(0, np.int64), *(key for key, _ in merged)])
        sums = np.concatenate([np.empty(0), *(sums for _, sums in merged)])
    return Cooccurrence((key // vocabulary).astype(np.int32), (key % vocabulary).astype(np.int32), sums)


Piece = tuple[Ints, Doubles]  # (M,) pairs as first * V + second, ascending, each once; (M,) their sums


def _pieces(offsets: Ints, most: int) -> Iterator[tuple[int, int]]:
    """Runs of texts of at most `most` words (one text at least)."""
    first, texts = 0, len(offsets) - 1
    while first < texts:
        last = max(int(np.searchsorted(offsets, offsets[first] + most, side="right")) - 1, first + 1)
        yield first, last
        first = last


def _count(arrays: WordArrays, piece: slice, weights: Doubles) -> Piece:
    """The pairs of the texts `piece`."""
    offsets = arrays.offsets[piece.start : piece.stop + 1]
    places = np.asarray(arrays.places[offsets[0] : offsets[-1]], np.int64)
    text = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))  # which text each word stands in
    window, vocabulary = len(weights), len(arrays.words)
    keys = []
    for distance in range(1, min(window, len(places) - 1) + 1):
        together = text[:-distance] == text[distance:]
        left, right = places[:-distance][together], places[distance:][together]
        pair = np.minimum(left, right) * vocabulary + np.maximum(left, right)
        keys.append(pair * window + (distance - 1))  # the distance comes along, so that one plain sort is enough
    key = np.sort(np.concatenate([np.empty(0, np.int64), *keys]))
    pair, distance_less_1 = np.divmod(key, window)
    return add_runs(pair, weights[distance_less_1])


def _add_up(pieces: Sequence[Piece]) -> Piece:
    """Pieces of the same range made one."""
    if len(pieces) == 1:
        return pieces[0]
    return add_up(np.concatenate([pair for pair, _ in pieces]), np.concatenate([sums for _, sums in pieces]))


def _ranges(pieces: Sequence[Piece], at_a_time: int) -> Iterator[list[Piece]]:
    """Cut the pieces into ranges with the same pairs in all of them, of about `at_a_time` entries together."""
    if not pieces:
        return
    step = max(at_a_time // len(pieces), 1)
    cuts = np.unique(np.concatenate([pair[step::step] for pair, _ in pieces]))
    places = [[0, *np.searchsorted(pair, cuts).tolist(), len(pair)] for pair, _ in pieces]
    for number in range(len(cuts) + 1):
        yield [
            (pair[at[number] : at[number + 1]], sums[at[number] : at[number + 1]])
            for (pair, sums), at in zip(pieces, places, strict=True)
        ]


def _on_disk(piece: Piece, name: Path) -> Piece:
    """The same, memory-mapped from files."""
    files = name.with_suffix(".pairs.npy"), name.with_suffix(".sums.npy")
    for file, array in zip(files, piece, strict=True):
        np.save(file, array)
    return np.load(files[0], mmap_mode="r"), np.load(files[1], mmap_mode="r")

"""How often two words stand near each other: counts within a window, nearer ones counting more, never across posts.

Every pair of places i < j of a text with j - i = d <= window adds the weight of the distance d to the unordered pair of their
words. A piece of the text is counted by sorting its pairs; pieces that do not fit into memory together wait on the disk and are
merged a range of pairs at a time. Weights are added up as whole numbers of units, so the result is the same in whatever pieces it
was counted, and whoever counted them: where the words were read in shards, each shard's pairs are a map of its own.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rejoinder.text.columns import NumberColumn
from rejoinder.text.shards import Arrays, Shards, StoredArrays
from rejoinder.text.sums import add_runs, add_up, spans
from rejoinder.text.word_arrays import WordArrays

Ints = NDArray[np.int64]
Doubles = NDArray[np.float64]
Nearness = Literal["linear", "harmonic", "flat"]
DEFAULT_MEMORY = 2**30  # bytes
_UNITS = 2**24  # of a weight of 1
_DRAWN = 4  # pairs of each piece for each range that pieces are cut into
_BYTES_A_PAIR = 32  # what counting one pair of places takes at its peak: its key, the sorted key, its weight
_BYTES_MERGED = 112  # what merging one pair of a piece takes: it is read, joined to the others, sorted, added up and taken apart


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


def count_pairs(
    arrays: WordArrays,
    weights: Doubles,
    memory: int = DEFAULT_MEMORY,
    workdir: Path | None = None,
    shards: Shards | None = None,
) -> Cooccurrence:
    """The pairs of words of all texts, near each other by `weights` (window,), with about `memory` bytes for the counting.

    Where that is not enough for all pairs at once, they are counted in pieces that lie on the disk (in `workdir`, else among the
    temporary files) until they are merged; given the `shards` that the words were counted in, in as many, and the result lies
    where the shards have their files.
    """
    vocabulary, units = len(arrays.words), np.round(weights * _UNITS).astype(np.int64)
    with TemporaryDirectory(dir=workdir) as scratch:
        if shards is not None and arrays.shards:
            what = {"weights": units.tolist(), "vocabulary": vocabulary, "memory": memory // shards.workers}
            left = shards.map_again(pairs_near, arrays.shards, **what)
            stored = [(part["pairs"], part["sums"]) for part in left]
        else:
            shards, left = Shards.of(()), []
            stored = list(_in_pieces(_Texts(arrays.places, arrays.offsets, vocabulary), units, memory, Path(scratch)))
        merged = (_add_up(part) for part in _ranges(stored, max(memory // _BYTES_MERGED, 1)))
        pieces = ((key // vocabulary, key % vocabulary, sums / _UNITS) for key, sums in merged)
        kinds = {"first": np.int32, "second": np.int32, "sums": np.float64}
        found = shards.collect(kinds, sum(len(pairs) for pairs, _ in stored), pieces)
        shards.drop(left)
    return Cooccurrence(*(found[name] for name in kinds))


def pairs_near(placed: Arrays, weights: Sequence[int], vocabulary: int, memory: int) -> Arrays:
    """The `pairs` (M,) of a shard's `places`, as first * V + second, ascending, and their `sums` (M,), in units."""
    offsets = np.concatenate([[0], np.cumsum(placed["lengths"])])
    with TemporaryDirectory(dir=placed.folder.parent if isinstance(placed, StoredArrays) else None) as scratch:
        texts = _Texts(placed["places"], offsets, vocabulary)
        pieces = list(_in_pieces(texts, np.array(weights, np.int64), memory, Path(scratch)))
        merged = [_add_up(part) for part in _ranges(pieces, max(memory // _BYTES_MERGED, 1))]
    return {name: np.concatenate([_NONE, *(part[at] for part in merged)]) for at, name in enumerate(("pairs", "sums"))}


@dataclass(frozen=True)
class _Texts:
    """Some texts: see `WordArrays`."""

    places: NDArray[np.int32]
    offsets: Ints
    vocabulary: int


Piece = tuple[Ints, Ints]  # (M,) pairs as first * V + second, ascending, each once; (M,) their sums, in units
_NONE = np.empty(0, np.int64)


def _in_pieces(texts: _Texts, weights: Ints, memory: int, scratch: Path) -> Iterator[Piece]:
    """The pairs of some texts, in pieces of the disk where not all fit into memory."""
    most = max(memory // (_BYTES_A_PAIR * len(weights)), 1)
    for number, piece in enumerate(spans(texts.offsets, most)):
        found = _count(texts, slice(*piece), weights)
        yield found if texts.offsets[-1] <= most else _on_disk(found, scratch / str(number))


def _count(texts: _Texts, piece: slice, weights: Ints) -> Piece:
    """The pairs of the texts `piece`."""
    offsets = texts.offsets[piece.start : piece.stop + 1]
    places = NumberColumn.over(texts.places).read(int(offsets[0]), int(offsets[-1])).astype(np.int64)
    text = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))  # which text each word stands in
    window, vocabulary = len(weights), texts.vocabulary
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
    if not pieces:
        return _NONE, _NONE
    return add_up(np.concatenate([pair for pair, _ in pieces]), np.concatenate([sums for _, sums in pieces]))


def _ranges(pieces: Sequence[Piece], at_a_time: int) -> Iterator[list[Piece]]:
    """Cut the pieces into ranges with the same pairs in all of them, of about `at_a_time` entries together.

    Cuts are pairs drawn from all pieces at even distances, so that there are no more of them than ranges are needed.
    """
    drawn = _DRAWN * max(len(pieces), 1)  # for each range
    step = max(at_a_time // drawn, 1)
    sample = sorted(key for pair, _ in pieces for key in _every(NumberColumn.over(pair), step))
    begins = [0] * len(pieces)
    for cut in (*sorted({*sample[drawn - 1 :: drawn]}), None):
        found = [_from(piece, begin, cut) for piece, begin in zip(pieces, begins, strict=True)]
        begins = [begin + len(pair) for begin, (pair, _) in zip(begins, found, strict=True)]
        yield [piece for piece in found if len(piece[0])]


def _every(pairs: NumberColumn, step: int) -> Iterator[int]:
    return (pairs[at] for at in range(step, len(pairs), step))


def _from(piece: Piece, begin: int, cut: int | None) -> Piece:
    """What of a piece stands from `begin` on and is below `cut`, if there is one; its files are opened for that alone."""
    pairs, sums = (NumberColumn.over(array) for array in piece)
    end = len(pairs) if cut is None else bisect_left(range(len(pairs)), cut, begin, key=pairs.__getitem__)
    return pairs.read(begin, end), sums.read(begin, end)


def _on_disk(piece: Piece, name: Path) -> Piece:
    """The same, memory-mapped from files."""
    files = name.with_suffix(".pairs.npy"), name.with_suffix(".sums.npy")
    for file, array in zip(files, piece, strict=True):
        np.save(file, array)
    return np.load(files[0], mmap_mode="r"), np.load(files[1], mmap_mode="r")

"""The words of a corpus as numbers: a vocabulary, and each text as the places of its words in it.

Rare words are left out before anything is counted, so that a window reaches over them (as in word2vec, Mikolov et al. 2013).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rejoinder.errors import ModelError
from rejoinder.text.words import words

_CHUNK = 2**22  # words at a time


@dataclass(frozen=True)
class WordArrays:
    """P texts of N words in all, over V different ones."""

    words: list[str]  # V, the most frequent first
    counts: NDArray[np.int64]  # (V,) how often each occurs
    places: NDArray[np.int32]  # (N,) the texts' words, one text after the other
    offsets: NDArray[np.int64]  # (P+1,) text p is places[offsets[p] : offsets[p + 1]]


def read_words(texts: Iterable[str], rarest: int, most: int, workdir: Path | None = None) -> WordArrays:
    """The words of `texts` that occur `rarest` times or more often, and of those the `most` frequent; ties by first sight.

    The texts pass once; their words wait on the disk (in `workdir`, else among the temporary files) until all are counted.

    Raises:
        ModelError: fewer than two words are left.
    """
    seen: dict[str, int] = {}
    lengths = array("q", [0])
    with TemporaryDirectory(dir=workdir) as scratch:
        raw = Path(scratch) / "words"
        with raw.open("wb") as file:
            for text in texts:
                found = array("i", [seen.setdefault(word, len(seen)) for word in words(text)])
                found.tofile(file)
                lengths.append(len(found))
        offsets = np.cumsum(np.frombuffer(lengths, np.int64))
        read = np.memmap(raw, np.int32, "r") if offsets[-1] else np.empty(0, np.int32)
        counts = sum(
            (np.bincount(read[part], minlength=len(seen)) for part in _chunks(offsets[-1])), np.zeros(len(seen), np.int64)
        )
        order = np.lexsort((np.arange(len(counts)), -counts))[:most]
        order = order[counts[order] >= rarest]
        if len(order) < 2:
            raise ModelError(
                f"of the {offsets[-1]:,} words of the train part {len(order)} occur {rarest} times or more often; "
                "word vectors need many more: import more"
            )
        place = np.full(len(seen), -1, np.int32)
        place[order] = np.arange(len(order))
        pieces = [place[read[part]] for part in _chunks(offsets[-1])]
        ends = np.concatenate([[0], *(piece >= 0 for piece in pieces)]).cumsum()[offsets]
        names = list(seen)
        kept = np.concatenate([piece[piece >= 0] for piece in pieces])
    return WordArrays([names[at] for at in order], counts[order], kept, ends)


def _chunks(size: Any) -> list[slice]:
    return [slice(start, start + _CHUNK) for start in range(0, int(size), _CHUNK)]

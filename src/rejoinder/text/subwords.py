"""Vectors for words never seen, from the letters they are made of.

A word between `<` and `>` is cut into its runs of 3 to 6 letters, as in fastText (Bojanowski et al. 2017), and each run has a
place in a table of fixed size by its hash. fastText learns the table together with the words; here it is made afterwards, from
word vectors that any method may have left: a run's vector is the mean of the vectors of the words that hold it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

SHORTEST, LONGEST = 3, 6  # letters of a run, the marks of beginning and end among them
Floats = NDArray[np.float32]


def letter_ngrams(word: str) -> list[str]:
    """The different runs of 3 to 6 letters of `<word>`, the shorter ones first."""
    marked = f"<{word}>"
    runs = (marked[start : start + n] for n in range(SHORTEST, LONGEST + 1) for start in range(len(marked) - n + 1))
    return list(dict.fromkeys(runs))


@lru_cache(maxsize=2**14)
def places_of(word: str, buckets: int) -> NDArray[np.int64]:
    """(n,) int64, read only: the places in a table of so many buckets that the runs of `word` fall into, each once, ascending."""
    hashes = {crc32(run.encode("utf-8", "surrogatepass")) % buckets for run in letter_ngrams(word)}
    places = np.array(sorted(hashes), np.int64)
    places.flags.writeable = False  # it is remembered
    return places


def subword_vectors(words: Sequence[str], vectors: Floats, buckets: int) -> Floats:
    """(buckets, D) float32: for each bucket the mean of the vectors of the words that fall into it; zeros where none does.

    Every word counts the same: weighed by how often they occur, the few frequent words with a run would speak for all others.

    Args:
        words: V of them.
        vectors: (V, D) float32.
        buckets: how many.
    """
    sums = np.zeros((buckets, vectors.shape[1]), np.float32)
    total = np.zeros(buckets, np.float32)
    for word, vector in zip(words, vectors, strict=True):
        places = places_of(word, buckets)
        sums[places] += vector
        total[places] += 1
    return np.asarray(sums / np.maximum(total, 1)[:, None], np.float32)

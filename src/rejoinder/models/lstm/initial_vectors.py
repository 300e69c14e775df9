"""Word vectors for the tokens to begin with: those made by counting or by skip-gram, in a file of word2vec's format.

A token that is a word, with or without a space before it, begins with the word's vector; all others begin at random. Vectors of
fewer numbers than the cell's fill the first ones of each, of more lend their first ones. They are stretched or shrunk as a whole,
to the spread of the random ones.

Explained in docs/tour/06-bringing-it-all-together.md.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rejoinder.errors import ConfigError
from rejoinder.text.tokenizer import AnyTokenizer
from rejoinder.text.vector_files import read_vectors
from rejoinder.text.words import words

_KNOWN = 0.05  # of the tokens that are words: with fewer known the file is of another language, or another kind


def token_vectors(file: Path, tokenizer: AnyTokenizer) -> NDArray[np.float32]:
    """(V, D) float32: what the file knows of each token; zeros where it is no word, or unknown.

    Raises:
        SourceError: the file cannot be read, or is no file of vectors.
        ConfigError: it knows next to none of the tokens.
    """
    known = read_vectors(file)
    read = [words(piece.decode("utf-8", "replace")) for piece in tokenizer.bytes]
    single = np.array([len(found) == 1 for found in read])
    vectors = np.zeros((len(read), known.size), np.float32)
    vectors[single] = known.of([found[0] for found in read if len(found) == 1])
    share = vectors[single].any(axis=1).mean() if single.any() else 0.0
    if share < _KNOWN:
        raise ConfigError(
            f"`lstm.vectors`: {file} has vectors for {share:.0%} of the tokens that are words; give vectors of the same "
            "language: rejoinder fit pmi_svd && rejoinder inspect vectors --rung pmi_svd --out FILE"
        )
    return vectors


def begun_from(vectors: NDArray[np.float32], random: NDArray[np.float32]) -> NDArray[np.float32]:
    """(V, E) float32: `random` (V, E), with the rows and columns that `vectors` (V, D) has something for."""
    begun = np.array(random)
    known, size = vectors.any(axis=1), min(vectors.shape[1], random.shape[1])
    spread = vectors[known, :size].std() if known.any() else 0.0
    if spread:
        begun[known, :size] = vectors[known, :size] * (random.std() / spread)
    return begun

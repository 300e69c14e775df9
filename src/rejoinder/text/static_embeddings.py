"""Static embeddings in the files of model2vec: a vector for each piece of a tokenizer, as other tools distil them.

    DIRECTORY/tokenizer.json         a tokenizer of Hugging Face `tokenizers`
    DIRECTORY/model.safetensors      embeddings (V, D), of any float type; also mapping (V,), where pieces share rows,
                                     and weights (V,), by which each piece's vector is to be multiplied

A word's vector is the mean of those of its pieces. NumPy alone; nothing of the files is executed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rejoinder.errors import SourceError
from rejoinder.text.vectors import WordVectors

Floats = NDArray[np.float32]
_TOKENIZER, _ARRAYS = "tokenizer.json", "model.safetensors"


def is_static(path: Path) -> bool:
    """Whether a folder holds static embeddings."""
    return (path / _TOKENIZER).is_file() and (path / _ARRAYS).is_file()


def read_static(directory: Path, words: Sequence[str]) -> Floats:
    """(N, D) float32: the vectors of N words; zeros for a word of which no piece is known.

    Raises:
        SourceError: the files cannot be read, or do not fit together.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(directory / _TOKENIZER))
    except Exception as error:  # `tokenizers` raises no class of its own
        raise SourceError(f"{directory / _TOKENIZER} is no tokenizer ({' '.join(str(error).split())[:100]})") from error
    try:
        table = _table(load_file(directory / _ARRAYS))
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        raise SourceError(f"{directory}: the static embeddings cannot be read ({' '.join(str(error).split())[:100]})") from error
    unknown = {tokenizer.token_to_id(piece) for piece in ("[UNK]", "<unk>")}
    found = np.zeros((len(words), table.shape[1]), np.float32)
    for row, coded in enumerate(tokenizer.encode_batch(list(words), add_special_tokens=False)):
        pieces = [piece for piece in coded.ids if piece not in unknown and piece < len(table)]
        if pieces:
            found[row] = table[pieces].mean(axis=0)
    return found


def static_vectors(directory: Path, words: Sequence[str]) -> WordVectors:
    """Those of `words` of which a piece is known, in their order, without counts.

    Raises:
        SourceError: as in `read_static`.
    """
    vectors = read_static(directory, words)
    known = np.flatnonzero(vectors.any(axis=1))
    return WordVectors([words[place] for place in known.tolist()], vectors[known], np.zeros(len(known), np.int64))


def _table(arrays: dict[str, NDArray[Any]]) -> Floats:
    """(V, D) float32: the vector of each piece, weighed.

    Raises:
        ValueError: the arrays do not fit together.
    """
    table = np.asarray(arrays["embeddings"], np.float32)
    if "mapping" in arrays:
        rows = np.asarray(arrays["mapping"], np.int64)
        if rows.ndim != 1 or (len(rows) and not 0 <= rows.min() <= rows.max() < len(table)):
            raise ValueError("`mapping` names rows that are not there")
        table = table[rows]
    if table.ndim != 2 or not table.size or not np.isfinite(table).all():
        raise ValueError(f"`embeddings` of the shape {table.shape} are no table of numbers")
    weights = arrays.get("weights")
    if weights is None:
        return table
    if weights.shape != table.shape[:1]:
        raise ValueError(f"{weights.shape} `weights` do not fit {table.shape} `embeddings`")
    return np.asarray(table * np.asarray(weights, np.float32)[:, None], np.float32)

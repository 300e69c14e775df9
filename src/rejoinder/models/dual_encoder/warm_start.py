"""Where training begins: with a model that needs none.

The maps are the identity without the direction that all replies share, so the meaning of a post is the weighted mean of its
words' vectors (Arora, Liang & Ma 2017). The vectors come from a rung that has some, or are random; or all comes from a
dual encoder fitted elsewhere: places are hashes, so words keep theirs.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from rejoinder.errors import ConfigError, ModelError
from rejoinder.models import LADDER, Can
from rejoinder.models.directory import load_config, read_manifest
from rejoinder.models.dual_encoder.config import DualEncoderConfig
from rejoinder.models.dual_encoder.encode import VIEWS, Encoder, EncoderWeights
from rejoinder.models.dual_encoder.features import Floats, word_places
from rejoinder.models.dual_encoder.training_pairs import REPLY, Pairs, Rarity
from rejoinder.models.interfaces import Embedding, Job
from rejoinder.text.sums import each_once
from rejoinder.text.vectors import WordVectors

_SCALES = (20.0, 12.0, 4.0)  # of words, letters and meaning: near what is learned
_EARLIER = 0.4  # how much earlier posts count
_SAMPLE = 5000  # replies that the common direction is taken from


def first_weights(rarity: Rarity, pairs: Pairs, config: DualEncoderConfig, rng: np.random.Generator, job: Job) -> EncoderWeights:
    """The weights that training begins with.

    Raises:
        ConfigError: `begin` names no dual encoder, or one of other sizes; or the rung named in `models` has no word vectors.
    """
    if config.begin:
        other = _fitted_elsewhere(Path(config.begin).expanduser(), config).single()
        rows = _rows(rarity.vocabulary, config.buckets, other.rows)
        vectors = np.zeros((rows.max() + 1, config.size), np.float32)  # words that are new begin without a meaning
        vectors[: len(other.vectors)] = other.vectors
        return replace(other, words=rarity.words, letters=rarity.letters, rows=rows, vectors=vectors)
    size = config.size
    identity = np.broadcast_to(np.eye(size, dtype=np.float32), (2, size, size)).copy()
    scales, shares = np.log(np.array(_SCALES, np.float32)), np.full(VIEWS, _EARLIER, np.float32)
    rows = _rows(rarity.vocabulary, config.buckets, np.zeros(config.buckets, np.int32))
    vectors = _vectors(rarity.vocabulary, rows, config, rng, job)
    weights = EncoderWeights(
        rarity.words, rarity.letters, rows, vectors, identity, np.zeros((2, size), np.float32), scales, shares
    )
    sample = pairs.words[REPLY].take(np.sort(rng.permutation(len(pairs))[:_SAMPLE]))
    meant = Encoder(weights, config).meaning_of(sample, 1)
    _, _, right = np.linalg.svd(meant.T @ meant, hermitian=True)
    identity -= np.outer(right[0], right[0]).astype(np.float32)
    return weights


def _rows(vocabulary: list[str], buckets: int, rows: NDArray[np.int32]) -> NDArray[np.int32]:
    """(V,) int32: `rows`, and new ones for the places of words that have none; row 0 is of no place."""
    new = each_once(word_places(vocabulary, buckets))
    new = new[rows[new] == 0]
    rows = rows.copy()
    rows[new] = np.arange(len(new)) + rows.max() + 1
    return rows


def _vectors(
    vocabulary: list[str], rows: NDArray[np.int32], config: DualEncoderConfig, rng: np.random.Generator, job: Job
) -> Floats:
    """(R, D) float32 of length 1, zeros for row 0; of two words at one place the more frequent counts."""
    table = np.zeros((rows.max() + 1, config.size), np.float32)
    if not config.models:
        found = rng.standard_normal((len(vocabulary), config.size)).astype(np.float32)
    else:
        found = _word_vectors(config.models[0], job).of(vocabulary)
        if found.shape[1] != config.size:
            raise ConfigError(
                f"`dual_encoder.size` is {config.size}, the vectors of `{config.models[0]}` have {found.shape[1]} numbers; "
                f"set dual_encoder.size={found.shape[1]}"
            )
    lengths = np.linalg.norm(found, axis=1, keepdims=True)
    found = np.divide(found, lengths, out=np.zeros_like(found), where=lengths > 0)
    table[rows[word_places(vocabulary, config.buckets)][::-1]] = found[::-1]
    return table


def _word_vectors(name: str, job: Job) -> WordVectors:
    if Can.EMBED not in LADDER[name].can:
        raise ConfigError(f"`dual_encoder.models` must be a rung with word vectors, pmi_svd or word2vec; got `{name}`")
    return cast(Embedding, job.parts[name]).words


def _fitted_elsewhere(directory: Path, config: DualEncoderConfig) -> EncoderWeights:
    try:
        read_manifest(directory)
        other = load_config(directory, "dual_encoder", DualEncoderConfig)
        if (other.buckets, other.size) != (config.buckets, config.size):
            raise ConfigError(
                f"its vectors have {other.size} numbers in {other.buckets:,} places, these {config.size} in {config.buckets:,}; "
                f"set dual_encoder.size={other.size} and dual_encoder.buckets={other.buckets}"
            )
        return EncoderWeights.load(directory, other)
    except (ModelError, ConfigError) as error:
        raise ConfigError(f"`dual_encoder.begin`: {error}") from error

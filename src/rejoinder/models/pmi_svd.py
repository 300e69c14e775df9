"""The PMI-SVD rung: word vectors by counting and one matrix factorisation, and posts compared by them.

    M[w, c]   how often w and c stand near each other (see `rejoinder.text.cooccurrence`)
    PMI(w, c) = ln( p(w, c) / (p(w) p'(c)) ),    p(w, c) = M[w, c] / sum M,    p'(c) = #(c)^s / sum_c #(c)^s
    P[w, c]   = max(PMI(w, c) - ln k, 0)  ~  U S V^T,  of which the D largest singular values are kept
    vectors   = U S^e

Levy, Goldberg & Dagan 2015: what word2vec does implicitly, with its tricks made explicit: s smooths the distribution of
the contexts, so that rare ones do not get all the weight, k is the number of negatives, e says how much the singular values
count. Nothing is learned step by step, so there is no learning rate to choose. It does not know the order of words in a window.

Explained in docs/tour/05-words-to-vectors.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from rejoinder.config import At, Checked, NonNegativeInt, PositiveInt, Share
from rejoinder.errors import missing_extra
from rejoinder.models.interfaces import Job
from rejoinder.models.pmi_matrix import positive_pmi
from rejoinder.models.similarity import Similarity
from rejoinder.text.columns import NumberColumns
from rejoinder.text.cooccurrence import DEFAULT_MEMORY, Nearness, count_pairs, distance_weights
from rejoinder.text.vectors import WordVectors
from rejoinder.text.word_arrays import WordArrays

_ITERATIONS = 4  # of the power method in the randomized SVD (Halko, Martinsson & Tropp 2011)


@dataclass(frozen=True)
class PMISVDConfig(Checked, of="pmi_svd"):
    """Settings of the PMI-SVD rung."""

    size: PositiveInt = 256  # D, numbers of a vector
    window: PositiveInt = 20  # words to each side at most
    nearness: Nearness = "harmonic"  # how much near words count more than far ones
    rarest: PositiveInt = 5  # words that occur less often are left out
    most: Annotated[int, At(least=2)] = 200_000  # words at most, the most frequent
    smoothing: Share = 0.75  # s
    shift: Annotated[float, At(least=1)] = 1.0  # k
    power: Share = 0.5  # e
    buckets: NonNegativeInt = 32_768  # for the letters of unseen words; 0: these have no vector
    memory: PositiveInt = DEFAULT_MEMORY  # bytes for counting; beyond that, counts wait on the disk


class PMISVD(Similarity):
    """Posts compared by vectors from counts."""

    Config: ClassVar[type] = PMISVDConfig
    name: ClassVar[str] = "pmi_svd"

    @classmethod
    def learn(cls, arrays: WordArrays, config: PMISVDConfig, *, rng: np.random.Generator, job: Job) -> WordVectors:
        """The vectors of the words of `arrays`: their co-occurrence counted, and its PMI factorised."""
        vectors = pmi_vectors(arrays, config, int(rng.integers(2**31)), job)
        return WordVectors(arrays.words, vectors, arrays.counts)


def pmi_vectors(arrays: WordArrays, config: PMISVDConfig, seed: int, job: Job) -> NDArray[np.float32]:
    """(V, D) float32: a vector for each word of `arrays`."""
    weights = distance_weights(config.window, config.nearness)
    pairs = count_pairs(arrays, weights, config.memory, job.workdir, job.shards)
    job.progress("pairs of words counted", len(pairs.sums), None)
    columns = NumberColumns(None if job.shards is None else job.shards.workdir)
    try:
        matrix = positive_pmi(pairs, len(arrays.words), config.smoothing, config.shift, columns, config.memory)
        return factorise(matrix, config.size, config.power, seed)
    except ImportError as error:
        raise missing_extra("fitting pmi_svd", "train") from error


def factorise(matrix: Any, size: int, power: float, seed: int) -> NDArray[np.float32]:
    """(V, D) float32: U S^power of the truncated singular value decomposition; zeros where the matrix has no more to give."""
    from sklearn.utils.extmath import randomized_svd

    kept = min(size, *matrix.shape)
    left, values, _ = randomized_svd(matrix, kept, n_iter=_ITERATIONS, random_state=seed)
    vectors = np.zeros((matrix.shape[0], size), np.float32)
    vectors[:, :kept] = left * values**power
    return vectors

"""PMI-SVD: pointwise mutual information by hand and by a slow table, the factorisation against the whole one."""

from __future__ import annotations

from math import log
from mmap import mmap
from pathlib import Path

import numpy as np
import pytest
from made_words import read_words
from numpy.typing import NDArray

from rejoinder.errors import ConfigError
from rejoinder.models.pmi_matrix import positive_pmi
from rejoinder.models.pmi_svd import PMISVDConfig, factorise
from rejoinder.text.columns import NumberColumns
from rejoinder.text.cooccurrence import Cooccurrence, count_pairs, distance_weights


def pairs(*entries: tuple[int, int, float]) -> Cooccurrence:
    first, second, sums = zip(*entries, strict=True)
    return Cooccurrence(np.array(first, np.int32), np.array(second, np.int32), np.array(sums, np.float64))


def test_pmi_by_hand() -> None:
    # M = [[0, 3, 1], [3, 0, 0], [1, 0, 2]]: a pair of a word with itself (c, c), met once, is met both ways
    # rows 4, 3, 3; sum 10.  PMI(a, b) = ln(3/10 / (4/10 * 3/10)) = ln 2.5;  PMI(c, c) = ln(2/10 / (3/10 * 3/10)) = ln 20/9
    # PMI(a, c) = ln(1/10 / (4/10 * 3/10)) = ln 0.83 < 0: left out
    found = positive_pmi(pairs((0, 1, 3.0), (0, 2, 1.0), (2, 2, 1.0)), 3, 1.0, 1.0)
    expected = [[0, log(2.5), 0], [log(2.5), 0, 0], [0, 0, log(20 / 9)]]
    assert found.dtype == np.float32 and np.allclose(found.toarray(), expected, atol=1e-6)
    assert found.nnz == 3
    # shifted by ln 2: ln 2.5 - ln 2 = ln 1.25
    shifted = positive_pmi(pairs((0, 1, 3.0), (0, 2, 1.0), (2, 2, 1.0)), 3, 1.0, 2.0)
    assert shifted[0, 1] == pytest.approx(log(1.25), abs=1e-6)


def test_smoothing_takes_weight_from_rare_contexts() -> None:
    # rows 4, 3, 1 of M = [[0, 3, 1], [3, 0, 0], [1, 0, 0]]; with s = 0.5: 2, 1.7321, 1, sum 4.7321
    # PMI(a, c) = ln(1/8 / (4/8 * 1/4.7321)) = 0.1681, where 1/8 in place of 1/4.7321 gives ln 2 = 0.6931
    # PMI(c, a) = ln(1/8 / (1/8 * 2/4.7321)) = 0.8612: no longer the same both ways
    found = positive_pmi(pairs((0, 1, 3.0), (0, 2, 1.0)), 3, 0.5, 1.0)
    assert found[0, 2] == pytest.approx(0.1681, abs=1e-4) and found[2, 0] == pytest.approx(0.8612, abs=1e-4)


def slow_pmi(table: NDArray[np.float64], smoothing: float, shift: float) -> NDArray[np.float64]:
    contexts = table.sum(axis=0) ** smoothing
    with np.errstate(divide="ignore"):
        found = np.log((table / table.sum()) / np.outer(table.sum(axis=1) / table.sum(), contexts / contexts.sum()))
    return np.maximum(found - np.log(shift), 0)


def test_pmi_of_a_text_is_that_of_the_whole_table() -> None:
    rng = np.random.default_rng(8)
    arrays = read_words([" ".join(rng.choice(list("abcdefgh"), 9)) for _ in range(30)], 1, 100)
    counted = count_pairs(arrays, distance_weights(3, "linear"))
    table = np.zeros((8, 8))
    np.add.at(table, (counted.first, counted.second), counted.sums)
    table += table.T
    for smoothing, shift in ((0.75, 1.0), (1.0, 1.2)):
        assert np.allclose(positive_pmi(counted, 8, smoothing, shift).toarray(), slow_pmi(table, smoothing, shift), atol=1e-5)


@pytest.mark.parametrize("memory", [64, 900, 2**30])
def test_in_little_memory_and_on_the_disk_the_matrix_is_the_same_to_the_bit(tmp_path: Path, memory: int) -> None:
    from scipy import sparse

    rng = np.random.default_rng(3)
    texts = [" ".join(np.array(list("abcdefghijklmnopqrst"))[rng.zipf(1.4, 30) % 20]) for _ in range(40)]
    arrays = read_words(texts, 1, 100)
    counted, size = count_pairs(arrays, distance_weights(3, "linear")), len(arrays.words)
    # all at once: both directions of every pair, which scipy puts in order
    first, second, sums = counted.first, counted.second, counted.sums
    total = np.bincount(first, sums, size) + np.bincount(second, sums, size)
    smoothed = total**0.75
    log_total, log_smoothed, met = (
        np.log(total),
        np.log(smoothed / smoothed.sum()),
        np.log(sums * np.where(first == second, 2, 1)),
    )
    one, other = (
        np.maximum(met - log_total[word] - log_smoothed[context] - np.log(1.1), 0).astype(np.float32)
        for word, context in ((first, second), (second, first))
    )
    apart = first != second
    rows, columns = np.concatenate([first, second[apart]]), np.concatenate([second, first[apart]])
    values = np.concatenate([one, other[apart]])
    kept = values > 0
    whole = sparse.csr_matrix((values[kept], (rows[kept], columns[kept])), shape=(size, size))
    for where in (None, tmp_path):
        found = positive_pmi(counted, size, 0.75, 1.1, NumberColumns(where), memory)
        assert found.has_sorted_indices and found.nnz > 100
        if memory > 900:  # rows added up in pieces round otherwise
            assert np.array_equal(found.data, whole.data)
        assert np.allclose(found.data, whole.data, rtol=1e-5, atol=1e-6)
        assert np.array_equal(found.indices, whole.indices) and np.array_equal(found.indptr, whole.indptr)


def test_the_matrix_stays_in_its_files(tmp_path: Path) -> None:
    counted = count_pairs(read_words(["a b c a", "b c d"], 1, 100), distance_weights(2, "linear"))
    found = positive_pmi(counted, 4, 1.0, 1.0, NumberColumns(tmp_path))
    for array in (found.data, found.indices):
        while isinstance(array, np.ndarray):
            array = array.base
        assert isinstance(array, mmap)


def test_the_factors_are_those_of_the_whole_decomposition() -> None:
    from scipy import sparse

    rng = np.random.default_rng(2)
    matrix = np.maximum(rng.normal(size=(30, 12)) @ rng.normal(size=(12, 30)), 0).astype(np.float32)
    found = factorise(sparse.csr_matrix(matrix), 6, 0.5, 1)
    left, values, _ = np.linalg.svd(matrix.astype(np.float64))
    expected = left[:, :6] * values[:6] ** 0.5
    assert found.shape == (30, 6) and found.dtype == np.float32
    # a singular vector may point either way: what the vectors say of each other is what must agree
    assert np.allclose(found @ found.T, expected @ expected.T, atol=0.05 * np.abs(expected @ expected.T).max())
    assert np.array_equal(found, factorise(sparse.csr_matrix(matrix), 6, 0.5, 1))


def test_more_numbers_than_words_are_filled_with_zeros() -> None:
    from scipy import sparse

    found = factorise(sparse.csr_matrix(np.eye(3, dtype=np.float32)), 5, 0.5, 1)
    assert found.shape == (3, 5) and not found[:, 3:].any() and np.isfinite(found).all()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("size", 0),
        ("window", 0),
        ("nearness", "near"),
        ("rarest", 0),
        ("most", 1),
        ("smoothing", 1.5),
        ("shift", 0.5),
        ("power", -1),
    ],
)
def test_settings_out_of_range_are_refused(name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=f"pmi_svd.{name}"):
        PMISVDConfig(**{name: value})

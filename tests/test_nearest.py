"""Nearest vectors: products worked by hand, a slow oracle, the same answers from disk, and the index beyond a million."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rejoinder.errors import DamagedModel, MissingExtra, ModelError, UsageError
from rejoinder.models import rung
from rejoinder.models.nearest import Nearest, dots


def array(*rows: list[float]) -> np.ndarray:
    return np.array(rows, np.float32)


def unit(n: int, size: int, seed: int) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(n, size)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def slowly(vectors: np.ndarray, query: np.ndarray, k: int) -> list[int]:
    """Places by the product of the halved vectors with the query, ties by place."""
    scores = dots(vectors.astype(np.float16).astype(np.float32), query)
    return sorted(range(len(vectors)), key=lambda place: (-scores[place], place))[:k]


def test_the_best_inner_products_come_first() -> None:
    # with (2, 1): 1*2 + 0 = 2;  0 + 4*1 = 4;  -1*2 = -2;  0.5*2 + 0.5*1 = 1.5; all of these are halves exactly
    found = Nearest.build(array([1, 0], [0, 4], [-1, 0], [0.5, 0.5]))
    places, scores = found.search(array([2, 1])[0], 3)
    assert places.tolist() == [1, 0, 3] and scores.tolist() == [4, 2, 1.5]
    assert places.dtype == np.int64 and scores.dtype == np.float32
    assert found.search(array([2, 1])[0], 99)[0].tolist() == [1, 0, 3, 2]


def test_ties_go_to_the_first_place() -> None:
    found = Nearest.build(array([1, 0], [2, 0], [1, 0], [2, 0], [1, 0]))
    assert found.search(array([1, 0])[0], 4)[0].tolist() == [1, 3, 0, 2]
    assert found.search(array([1, 0])[0], 3)[0].tolist() == [1, 3, 0]


@pytest.mark.parametrize(("query", "k"), [([0, 0], 3), ([1, 1], 0), ([1, 1], -2)])
def test_nothing_is_near_to_nothing(query: list[float], k: int) -> None:
    places, scores = Nearest.build(array([1, 0], [0, 1])).search(array(query)[0], k)
    assert places.shape == scores.shape == (0,)


def test_among_no_vectors_none_is_found() -> None:
    assert not len(Nearest.build(np.empty((0, 3), np.float32)).search(np.ones(3, np.float32), 5)[0])


def test_a_query_of_another_size_is_refused() -> None:
    with pytest.raises(ModelError, match="2 numbers was expected"):
        Nearest.build(array([1, 0])).search(np.ones(3, np.float32), 1)


@settings(max_examples=30)
@given(n=st.integers(1, 60), k=st.integers(1, 70), seed=st.integers(0, 999), coarse=st.booleans())
def test_search_is_a_sort_of_all(n: int, k: int, seed: int, coarse: bool) -> None:
    vectors, query = unit(n, 5, seed), unit(1, 5, seed + 1)[0]
    if coarse:  # many ties
        vectors, query = np.round(vectors * 2), np.round(query * 3)
    if query.any():
        assert Nearest.build(vectors).search(query, k)[0].tolist() == slowly(vectors, query, k)


def test_the_same_answers_from_disk_to_the_bit_and_not_read_before_they_are_needed(tmp_path: Path) -> None:
    built, query = Nearest.build(unit(300, 24, 1)), unit(1, 24, 2)[0]
    built.save(tmp_path)
    loaded = Nearest.load(tmp_path)
    assert isinstance(loaded.vectors, np.memmap) and len(loaded) == 300
    for one, other in zip(built.search(query, 20), loaded.search(query, 20), strict=True):
        assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize("wrong", [np.zeros((4, 2), np.float32), np.zeros(8, np.float16)])
def test_other_arrays_are_not_taken_for_vectors(wrong: np.ndarray, tmp_path: Path) -> None:
    np.save(tmp_path / "nearest.npy", wrong)
    with pytest.raises(DamagedModel, match="fit again"):
        Nearest.load(tmp_path)


def test_this_module_does_not_stand_in_the_way_of_naming_the_nearest_rung() -> None:
    with pytest.raises(UsageError, match="did you mean `bm25`"):
        rung("bm2")


# --- beyond a million: an index, here from 100 on --------------------------------------------------------------------


def test_the_index_finds_nearly_all_and_scores_them_exactly(tmp_path: Path) -> None:
    pytest.importorskip("usearch")
    vectors = unit(2000, 16, 3)
    exact, built = Nearest.build(vectors), Nearest.build(vectors, exact=100)
    built.save(tmp_path)
    loaded = Nearest.load(tmp_path)
    shared = 0
    for query in unit(20, 16, 4):
        places, scores = exact.search(query, 10)
        known = dict(zip(places.tolist(), scores.tolist(), strict=True))
        found, theirs = loaded.search(query, 10)
        assert len(found) == 10 and np.all(np.diff(theirs) <= 0)
        shared += sum(known.get(place) == score for place, score in zip(found.tolist(), theirs.tolist(), strict=True))
        assert built.search(query, 10)[0].tolist() == found.tolist()
    assert shared >= 190  # of 200


def test_an_index_without_its_library_is_told_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "usearch.index", None)
    with pytest.raises(MissingExtra, match="needs the extra `train`: "):
        Nearest.build(unit(20, 4, 5), exact=10)


@pytest.mark.parametrize("harm", ["cut", "another"])
def test_a_damaged_index_is_told(harm: str, tmp_path: Path) -> None:
    pytest.importorskip("usearch")
    Nearest.build(unit(200, 8, 6), exact=100).save(tmp_path)
    if harm == "cut":
        (tmp_path / "nearest.usearch").write_bytes(b"no index")
    else:
        np.save(tmp_path / "nearest.npy", unit(150, 8, 6).astype(np.float16))
    with pytest.raises(DamagedModel, match=r"nearest\.usearch is"):
        Nearest.load(tmp_path)

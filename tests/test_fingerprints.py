"""Posts told apart by hashes of their words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rejoinder.errors import DamagedModel
from rejoinder.text.fingerprints import Fingerprints, post_hash

POST = "Kettles, I think, are fine.\n\nI boil mine twice."


@pytest.mark.parametrize(
    "same",
    [
        POST.upper(),
        POST.replace("\n\n", " "),
        "kettles i think are fine i boil mine twice",
        f"> quoted from somebody\n\n{POST}",
        f"{POST}\n\nCheers,\nAda",
        f"  {POST}!",
    ],
)
def test_case_space_punctuation_quotes_and_signatures_make_no_difference(same: str) -> None:
    assert post_hash(same) == post_hash(POST)
    assert Fingerprints.of([POST]).holds(same)


@pytest.mark.parametrize("other", ["", "?!", "> quoted", "Kettles, I think, are fine.", POST + " Thrice."])
def test_other_words_make_another_post_and_no_words_none(other: str) -> None:
    assert post_hash(other) != post_hash(POST)
    assert not Fingerprints.of([POST, ""]).holds(other)


@settings(deadline=None)
@given(st.lists(st.text(max_size=12), max_size=12), st.text(max_size=3))
def test_they_hold_what_was_put_in(texts: list[str], other: str) -> None:
    found = Fingerprints.of(texts)
    assert all(found.holds(text) == (post_hash(text) is not None) for text in texts)
    assert found.holds(other) == (post_hash(other) in {post_hash(text) for text in texts} - {None})
    assert found.hashes.dtype == np.uint64 and found.hashes.tolist() == sorted(set(found.hashes.tolist()))


def test_the_hash_is_the_same_everywhere() -> None:
    # the first 8 bytes, little-endian, of BLAKE2b of "kettles" with a digest of 8 bytes
    assert post_hash("Kettles!") == 0x96E43D29C9640FC4


def test_saved_and_loaded_they_are_the_same(tmp_path: Path) -> None:
    Fingerprints.of([POST, "other"]).save(tmp_path / "posts.npy")
    loaded = Fingerprints.load(tmp_path / "posts.npy")
    assert len(loaded) == 2 and loaded.holds(POST) and not loaded.holds("neither")


@pytest.mark.parametrize("array", [None, np.array([2, 1], np.uint64), np.array([1.0]), np.zeros((1, 1), np.uint64)])
def test_a_damaged_file_is_a_clear_error(array: np.ndarray | None, tmp_path: Path) -> None:
    file = tmp_path / "posts.npy"
    file.write_bytes(b"no array") if array is None else np.save(file, array)
    with pytest.raises(DamagedModel, match="make it again"):
        Fingerprints.load(file)

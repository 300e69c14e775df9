"""Posts told apart by hashes of their words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rejoinder.errors import DamagedModel
from rejoinder.post import Post
from rejoinder.text.fingerprints import FEWEST, Fingerprints, post_hash

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


@given(st.lists(st.text(max_size=12), max_size=12), st.text(max_size=3))
def test_they_hold_what_was_put_in(texts: list[str], other: str) -> None:
    found = Fingerprints.of(texts)
    assert all(found.holds(text) == (post_hash(text) is not None) for text in texts)
    assert found.holds(other) == (post_hash(other) in {post_hash(text) for text in texts} - {None})
    assert found.hashes.dtype == np.uint64 and found.hashes.tolist() == sorted(set(found.hashes.tolist()))


def test_the_hash_is_the_same_everywhere() -> None:
    # the first 8 bytes, little-endian, of BLAKE2b of "kettles i think are fine i boil mine twice" with a digest of 8 bytes
    assert post_hash(POST) == 0x6FC1A0DE4D43B95F


def test_a_post_of_few_words_is_nobodys() -> None:
    assert post_hash("one two three four five six seven") is None
    assert not Fingerprints.of(["Thanks a lot!"]).holds("Thanks a lot!")


def posts(numbers: range) -> list[str]:
    return [" ".join(f"w{number}x{place}" for place in range(FEWEST)) for number in numbers]


def test_a_thread_is_known_by_any_of_its_posts() -> None:
    known = Fingerprints.of(posts(range(3)))
    thread = [Post(1, text="Hello there"), Post(2, text=posts(range(2, 3))[0])]
    assert (
        known.has_read(thread) is True
        and known.has_read(thread[:1]) is None
        and not known.has_read([Post(3, text=posts(range(9, 10))[0])])
    )


def test_each_post_takes_two_bytes_and_others_are_hardly_ever_taken_for_one(tmp_path: Path) -> None:
    known = Fingerprints.of(posts(range(20_000)))
    known.save(tmp_path / "posts.npy")
    assert (tmp_path / "posts.npy").stat().st_size < 2.02 * 20_000 + 500
    loaded = Fingerprints.load(tmp_path / "posts.npy")
    assert np.array_equal(loaded.hashes, known.hashes) and all(loaded.holds(text) for text in posts(range(0, 20_000, 100)))
    wrong = sum(loaded.holds(text) for text in posts(range(20_000, 60_000)))
    assert wrong < 20  # 1 in 8,192 of 40,000 is 5, and more than 19 come once in a million


def test_far_apart_hashes_are_kept_too(tmp_path: Path) -> None:
    # differences of 0, 65,534, 65,535, 65,536 and of several such steps
    hashes = np.array([0, 65_534, 131_069, 196_605, 1_000_000, 1_000_001], dtype=np.uint64)
    Fingerprints(hashes, 2_000_000).save(tmp_path / "posts.npy")
    assert Fingerprints.load(tmp_path / "posts.npy").hashes.tolist() == hashes.tolist()


def test_saved_and_loaded_they_are_the_same(tmp_path: Path) -> None:
    Fingerprints.of([POST, *posts(range(1))]).save(tmp_path / "posts.npy")
    loaded = Fingerprints.load(tmp_path / "posts.npy")
    assert len(loaded) == 2 and loaded.holds(POST) and not loaded.holds("neither")


@pytest.mark.parametrize(
    "array",
    [
        None,
        np.array([2, 1], np.uint64),
        np.array([1.0]),
        np.zeros((1, 1), np.uint64),
        np.array([], np.uint64),
        np.array([8, 0, 0, 0, 9], np.uint16),
    ],
)
def test_a_damaged_file_is_a_clear_error(array: np.ndarray | None, tmp_path: Path) -> None:
    file = tmp_path / "posts.npy"
    file.write_bytes(b"no array") if array is None else np.save(file, array)
    with pytest.raises(DamagedModel, match="make it again"):
        Fingerprints.load(file)

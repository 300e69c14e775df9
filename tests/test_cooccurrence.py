"""Words as arrays and how often two stand near each other: by hand, against dictionaries, and in pieces."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_words import read_words

from rejoinder.errors import ModelError
from rejoinder.text.cooccurrence import Cooccurrence, Nearness, count_pairs, distance_weights
from rejoinder.text.word_arrays import WordArrays
from rejoinder.text.words import words

TEXTS = st.lists(st.lists(st.sampled_from("abcde"), max_size=12).map(" ".join), min_size=1, max_size=8)


def arrays(*texts: str) -> WordArrays:
    return read_words(texts, 1, 1000)


def as_dict(arrays: WordArrays, pairs: Cooccurrence) -> dict[tuple[str, str], float]:
    names = arrays.words
    return {(names[a], names[b]): float(s) for a, b, s in zip(pairs.first, pairs.second, pairs.sums.tolist(), strict=True)}


def counted_slowly(texts: list[str], order: list[str], weights: list[float]) -> dict[tuple[str, str], float]:
    found: defaultdict[tuple[str, str], float] = defaultdict(float)
    for text in texts:
        said = [word for word in words(text) if word in order]
        for i, one in enumerate(said):
            for j in range(i + 1, min(i + 1 + len(weights), len(said))):
                pair = sorted((one, said[j]), key=order.index)
                found[pair[0], pair[1]] += weights[j - i - 1]
    return dict(found)


# --- words -----------------------------------------------------------------------------------------------------------


def test_words_are_places_by_frequency_then_first_sight() -> None:
    found = arrays("Tea, tea and milk.", "...", "milk and sugar")
    assert found.words == ["tea", "and", "milk", "sugar"] and found.counts.tolist() == [2, 2, 2, 1]
    assert found.places.tolist() == [0, 0, 1, 2, 2, 1, 3] and found.offsets.tolist() == [0, 4, 4, 7]


def test_rare_words_and_those_above_the_most_are_left_out() -> None:
    texts = ["tea and tea and milk", "sugar and milk", "salt"]
    found = read_words(texts, 2, 1000)
    assert found.words == ["and", "tea", "milk"] and found.places.tolist() == [1, 0, 1, 0, 2, 0, 2]
    assert found.offsets.tolist() == [0, 5, 7, 7]
    assert read_words(texts, 1, 2).words == ["and", "tea"]


@pytest.mark.parametrize("texts", [[], ["", "..."], ["one two three"], ["tea tea tea"]])
def test_too_few_words_are_an_error_that_says_so(texts: list[str]) -> None:
    with pytest.raises(ModelError, match="import more"):
        read_words(texts, 2, 1000)


def test_nothing_is_left_on_the_disk(tmp_path: Path) -> None:
    found = read_words(["tea and milk", "tea"], 1, 10)
    count_pairs(found, distance_weights(2, "linear"), memory=1, workdir=tmp_path)
    assert list(tmp_path.iterdir()) == []


# --- pairs -----------------------------------------------------------------------------------------------------------


def test_pairs_by_hand() -> None:
    # "a b a c", window 2, linear: distance 1 weighs 2, distance 2 weighs 1
    # a b 2, a a 1, b a 2, b c 1, a c 2; then "c b" in another text: 2, and nothing across the two
    found = arrays("a b a c", "c b")
    assert found.words == ["a", "b", "c"]
    assert as_dict(found, count_pairs(found, distance_weights(2, "linear"))) == {
        ("a", "a"): 1,
        ("a", "b"): 4,
        ("a", "c"): 2,
        ("b", "c"): 3,
    }


def test_weights_of_the_distances() -> None:
    assert distance_weights(4, "linear").tolist() == [4, 3, 2, 1]
    assert distance_weights(4, "harmonic").tolist() == [1, 1 / 2, 1 / 3, 1 / 4]
    assert distance_weights(4, "flat").tolist() == [1, 1, 1, 1]


@settings(max_examples=60)
@given(
    texts=TEXTS,
    window=st.integers(1, 6),
    nearness=st.sampled_from(["linear", "harmonic", "flat"]),
    memory=st.sampled_from([1, 400, 2000, 2**30]),
)
def test_pairs_are_those_a_dictionary_counts(texts: list[str], window: int, nearness: Nearness, memory: int) -> None:
    if len(set(" ".join(texts).split())) < 2:
        return
    weights = distance_weights(window, nearness)
    found = arrays(*texts)
    pairs = count_pairs(found, weights, memory)
    slowly = counted_slowly(texts, found.words, weights.tolist())
    counted = as_dict(found, pairs)
    assert counted.keys() == slowly.keys() and all(np.isclose(counted[pair], slowly[pair]) for pair in slowly)
    order = list(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True))
    assert order == sorted(order) and all(first <= second for first, second in order)


def test_counted_in_pieces_they_are_the_same_to_the_last_bit() -> None:
    rng = np.random.default_rng(5)
    texts = [" ".join(rng.choice(list("abcdefghijklmnop"), rng.integers(0, 40))) for _ in range(200)]
    found = arrays(*texts)
    whole = count_pairs(found, distance_weights(5, "linear"))
    for memory in (3_000, 50_000):
        piecewise = count_pairs(found, distance_weights(5, "linear"), memory)
        assert all(np.array_equal(getattr(whole, name), getattr(piecewise, name)) for name in ("first", "second", "sums"))

"""Several counted models as one, and the n-grams that matter least taken away."""

from __future__ import annotations

from itertools import product
from math import exp, log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_kneser_ney import WORDS, arrays

from rejoinder.models.interpolation import Grams, as_index, as_trie, interpolate, prune
from rejoinder.models.kneser_ney import KneserNey, KneserNeyConfig, KneserNeyState
from rejoinder.text.counting import count_ngrams
from rejoinder.text.ngrams import NgramCounts

ORDER = 3
ONE = [["a", "b", "c"], ["a", "b", "d"], ["b", "c", "a", "b"]]
OTHER = [["b", "a", "d", "d"], ["c", "a", "b", "c"], ["d", "c"]]


def counted(texts: list[list[str]]) -> tuple[KneserNey, NgramCounts]:
    counts = count_ngrams(arrays(texts), ORDER, WORDS.vocabulary)
    return KneserNey.from_counts(KneserNeyConfig(order=ORDER), WORDS, counts), counts


def trie(texts: list[list[str]]) -> list[Grams]:
    model, counts = counted(texts)
    return as_trie(model.index, counts)


def model_of(levels: list[Grams]) -> KneserNey:
    return KneserNey(KneserNeyConfig(order=ORDER), WORDS, as_index(levels))


def histories() -> list[tuple[int, ...]]:
    words = range(WORDS.size)
    return [(WORDS.post, *said) for length in range(3) for said in product(words, repeat=length)]


def said(model: KneserNey, history: tuple[int, ...]) -> np.ndarray:
    state = KneserNeyState(())
    for token in history:
        state = model.advance(state, token)
    return np.exp(model.log_probs(state).astype(np.float64))


def test_one_model_interpolated_with_nothing_is_that_model() -> None:
    alone, same = counted(ONE)[0], model_of(interpolate([trie(ONE)], [1.0], 1.0))
    for history in histories():
        np.testing.assert_allclose(said(same, history), said(alone, history), rtol=1e-5)


def test_an_ngram_that_one_holds_has_the_weighted_mean_of_what_both_say() -> None:
    both = model_of(interpolate([trie(ONE), trie(OTHER)], [0.7, 0.3], 1e9))
    one, other = counted(ONE)[0], counted(OTHER)[0]
    a, b, c = (WORDS.encode(word)[0] for word in "abc")
    wanted = 0.7 * said(one, (a, b))[c] + 0.3 * said(other, (a, b))[c]
    assert said(both, (a, b))[c] == pytest.approx(wanted, rel=1e-5)


def test_weights_follow_how_often_each_met_the_context() -> None:
    # "d" was followed by "d" and by END in the other alone, and once by END in the first: with t near 0 the other speaks there
    both = model_of(interpolate([trie([["a", "b"]]), trie([["d", "c"], ["d", "c"]])], [0.5, 0.5], 1e-9))
    other = counted([["d", "c"], ["d", "c"]])[0]
    d, c = WORDS.encode("d")[0], WORDS.encode("c")[0]
    assert said(both, (d,))[c] == pytest.approx(said(other, (d,))[c], rel=1e-4)


@settings(max_examples=8)
@given(
    st.lists(st.lists(st.sampled_from("abcd"), min_size=1, max_size=6), min_size=1, max_size=6),
    st.floats(0.05, 0.95),
    st.floats(1e-6, 10),
    st.floats(0, 1),
)
def test_whatever_is_mixed_and_pruned_sums_to_one(texts: list[list[str]], share: float, follow: float, kept: float) -> None:
    mixed = interpolate([trie(ONE), trie(texts)], [share, 1 - share], follow)
    whole = sum(8 * len(level.token) for level in mixed)
    pruned = prune(mixed, [8] * ORDER, max(kept * whole, 8 * WORDS.vocabulary))
    assert sum(8 * len(level.token) for level in pruned) <= max(kept * whole, 8 * WORDS.vocabulary)
    for levels in (mixed, pruned):
        model = model_of(levels)
        for history in histories():
            assert said(model, history).sum() == pytest.approx(1, abs=1e-4)


def test_what_is_pruned_first_is_what_backing_off_says_as_well() -> None:
    # by hand: after "a" comes "b" with 0.5 where one step back says 0.5 too, "c" with 0.3 where it says 0.1
    def level(parent: list[int], token: list[int], p: list[float], backoff: list[float], count: list[float]) -> Grams:
        return Grams(
            np.array(parent), np.array(token), np.log(np.array(p)), np.array(backoff, dtype=float), np.array(count, dtype=float)
        )

    below = level([0, 0, 0], [0, 1, 2], [0.4, 0.5, 0.1], [log(0.2 / 0.4), 0, 0], [0.4, 0.5, 0.1])
    above = level([0, 0], [1, 2], [0.5, 0.3], [0, 0], [0.2, 0.1])
    kept = prune([below, above], [1, 1], 4)
    assert kept[1].token.tolist() == [2]
    # the backoff of "a" is then (1 - 0.3) / (1 - 0.1)
    assert exp(kept[0].backoff[0]) == pytest.approx(0.7 / 0.9)

"""Maximal marginal relevance, by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rejoinder.engine.diversity import diverse, likeness

TEXTS = ["make is old", "make is very old", "ninja builds fast"]


def test_likeness_by_hand() -> None:
    # {make, is, old} and {make, is, very, old}: 3 in common of 4
    assert likeness(frozenset("make is old".split()), frozenset("make is very old".split())) == pytest.approx(3 / 4)
    assert likeness(frozenset(), frozenset()) == 0


def test_the_second_is_new_rather_than_nearly_as_good() -> None:
    # l = 0.5. First: 0.9. Then "make is very old": 0.5 * 0.8 - 0.5 * 3/4 = 0.025; "ninja builds fast": 0.5 * 0.3 - 0 = 0.15
    assert diverse(TEXTS, [0.9, 0.8, 0.3], 3, 0.5) == [0, 2, 1]
    # l = 0.8: 0.8 * 0.8 - 0.2 * 3/4 = 0.49 against 0.8 * 0.3 = 0.24
    assert diverse(TEXTS, [0.9, 0.8, 0.3], 3, 0.8) == [0, 1, 2]


def test_where_only_being_good_counts_it_is_their_order() -> None:
    assert diverse(TEXTS, [0.1, 0.3, 0.2], 2, 1.0) == [1, 2]


@given(st.lists(st.tuples(st.text("ab ", max_size=6), st.floats(0, 1)), max_size=8), st.integers(0, 9), st.floats(0, 1))
def test_at_most_k_places_each_once(candidates: list[tuple[str, float]], k: int, trade: float) -> None:
    found = diverse([text for text, _ in candidates], [value for _, value in candidates], k, trade)
    assert len(found) == min(k, len(candidates)) == len(set(found))

"""Repeats of what was learned from are told from novel text."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rejoinder.ladder.novelty import RUN, SHARE, repeats
from rejoinder.text.tensors import TokenArrays


def arrays(*posts: list[int]) -> TokenArrays:
    """Token arrays as on disk: POST 998, the tokens, END 999."""
    rows = [[998, *post, 999] for post in posts]
    offsets = np.cumsum([0, *(len(row) for row in rows)])
    return TokenArrays(np.array([t for row in rows for t in row], np.uint16), offsets, np.arange(len(rows)))


TRAIN = arrays(list(range(100)), [7, 8, 9], list(range(300, 330)))


def test_a_post_that_was_learned_from_repeats() -> None:
    assert repeats([list(range(100))], TRAIN).tolist() == [True]
    assert repeats([list(range(20, 60))], TRAIN).tolist() == [True]  # a part of one


def test_a_novel_post_does_not() -> None:
    assert repeats([list(range(400, 440))], TRAIN).tolist() == [False]
    assert repeats([list(range(99, -1, -1))], TRAIN).tolist() == [False]  # the same tokens, in another order


def test_half_of_the_runs_decide() -> None:
    """29 tokens have 20 runs of 10. With 19 of train and 10 new ones, 10 runs are wholly of train: just half of them."""
    assert repeats([[*range(19), *range(500, 510)]], TRAIN).tolist() == [True]
    assert repeats([[*range(18), *range(500, 511)]], TRAIN).tolist() == [False]


def test_short_posts_must_be_the_same() -> None:
    assert repeats([[7, 8, 9], [7, 8], [8, 8, 9]], TRAIN).tolist() == [True, False, False]


def test_nothing_learned_nothing_repeated() -> None:
    assert repeats([[1, 2, 3], list(range(50))], arrays()).tolist() == [False, False]
    assert repeats([], TRAIN).tolist() == []


@given(st.lists(st.integers(0, 3), min_size=RUN, max_size=40), st.lists(st.lists(st.integers(0, 3), max_size=30), max_size=5))
def test_it_is_what_a_slow_reader_finds(post: list[int], train: list[list[int]]) -> None:
    everything = [t for p in train for t in (998, *p, 999)]
    seen = {tuple(everything[i : i + RUN]) for i in range(len(everything) - RUN + 1)}
    runs = [tuple(post[i : i + RUN]) for i in range(len(post) - RUN + 1)]
    share = sum(run in seen for run in runs) / len(runs)
    assert repeats([post], arrays(*train)).tolist() == [share >= SHARE]

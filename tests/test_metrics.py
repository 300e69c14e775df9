"""Figures of merit, by hand."""

from __future__ import annotations

from math import exp, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rejoinder.ladder.metrics import (
    LEVEL,
    Estimate,
    bits_per_byte,
    bootstrap_bits,
    bootstrap_change,
    bootstrap_mean,
    by_thread,
    level_of_each,
    perplexity,
)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_bits_per_byte_by_hand() -> None:
    # 3 bytes at one bit each and 1 byte at five: 8 bits for 4 bytes. Long pieces count for more: not the mean of 1 and 5
    assert bits_per_byte(np.array([3 * log(2), 5 * log(2)]), np.array([3, 1])) == pytest.approx(2.0)


def test_perplexity_by_hand() -> None:
    # tokens of probability 1/2 and 1/8: their geometric mean is 1/4
    assert perplexity(np.array([log(2), log(8)])) == pytest.approx(4.0)
    assert perplexity(np.array([0.0])) == 1.0
    assert perplexity(np.array([3.0])) == pytest.approx(exp(3))


def test_nothing_scored_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one byte"):
        bits_per_byte(np.array([]), np.array([], dtype=np.int64))
    with pytest.raises(ValueError, match="at least one token"):
        perplexity(np.array([]))


def test_sums_over_the_posts_of_a_thread() -> None:
    nats, count = by_thread(np.array([7, 3, 7, 9]), np.array([1.0, 2.0, 4.0, 8.0]), np.ones(4))
    assert nats.tolist() == [2.0, 5.0, 8.0] and count.tolist() == [1.0, 2.0, 1.0]


def test_pieces_that_are_all_alike_have_no_interval() -> None:
    found = bootstrap_bits(np.full(9, 2 * log(2)), np.full(9, 4), rng())
    assert (found.value, found.low, found.high) == pytest.approx((0.5, 0.5, 0.5))
    assert bootstrap_change(np.full(9, 97.0), np.full(9, 100.0), rng()) == Estimate(*[pytest.approx(0.03)] * 3)


def test_the_interval_of_two_pieces_by_hand() -> None:
    # of the four draws two are mixed; the others have both the same piece: a quarter each, so 2.5% and 97.5% lie in them
    found = bootstrap_bits(np.array([1.0, 3.0]) * log(2), np.array([1, 1]), rng())
    assert (found.value, found.low, found.high) == pytest.approx((2.0, 1.0, 3.0))


def test_a_paired_difference_is_surer_than_its_parts() -> None:
    """Pieces differ widely; that one model pays 5% less on each is certain all the same."""
    draws = rng()
    paid = draws.lognormal(size=300)
    other = paid * draws.normal(1.05, 0.01, size=300)
    found = bootstrap_change(paid, other, rng())
    assert 0.04 < found.low < found.value < found.high < 0.06
    alone = bootstrap_bits(paid, np.full(300, 1), rng())
    assert (alone.high - alone.low) / alone.value > 10 * (found.high - found.low)


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    draws, hits = rng(), 0
    for _ in range(200):
        nats = draws.gamma(2.0, 3.0, size=80)
        found = bootstrap_bits(nats, np.full(80, 10), draws, draws=300)
        hits += found.low <= 6.0 / (10 * log(2)) <= found.high
    assert 178 <= hits <= 200  # 95% of 200 is 190


@given(st.integers(1, 40), st.integers(0, 5))
def test_the_value_lies_in_its_interval_and_depends_on_the_seed_alone(pieces: int, seed: int) -> None:
    draws = np.random.default_rng(seed)
    nats, size = draws.gamma(2.0, size=pieces), draws.integers(1, 50, size=pieces)
    first, again = (bootstrap_bits(nats, size, np.random.default_rng(seed), draws=400) for _ in range(2))
    assert first == again and first.low <= first.high
    assert min(nats / size) / log(2) - 1e-9 <= first.low and first.high <= max(nats / size) / log(2) + 1e-9


def test_an_estimate_as_a_person_reads_it() -> None:
    assert str(Estimate(1.81064, 1.8, 1.82)) == "1.8106 (1.8000 to 1.8200)"


def test_several_comparisons_are_corrected_for() -> None:
    """Of 10 pairs of equal models drawn 200 times, one pair at least looks different in 5 of 100 and not in 40 (1 - 0.95^10)."""
    level, several = level_of_each(10), np.random.default_rng(1)
    assert level == pytest.approx(0.995) and level_of_each(1) == level_of_each(0) == LEVEL
    misled = {LEVEL: 0, level: 0}
    for _ in range(200):
        pairs = several.normal(0, 1, (10, 60))
        for one in misled:
            found = [bootstrap_mean(pair, np.ones(60), rng(), one) for pair in pairs]
            misled[one] += any(not each.low <= 0 <= each.high for each in found)
    assert misled[level] <= 30 < 60 <= misled[LEVEL]

"""Learning curves: the law is found again where it is known, and crossings where they are."""

from __future__ import annotations

import numpy as np
import pytest

from rejoinder.ladder.curve import Laws, crossing

SIZES = np.array([1_000.0, 2_000, 4_000, 8_000, 16_000])


def law(a: float, b: float, c: float, *, rises: bool = False, noise: float = 0.0, draws: int = 200) -> Laws:
    values = c + a * SIZES**-b
    drawn = values + noise * np.random.default_rng(0).standard_normal((draws, len(SIZES)))
    return Laws.fit(SIZES, values, drawn, rises=rises)


def test_a_known_law_is_found_again() -> None:
    """m(n) = 1.5 + 20 n^-0.4: at 16,000 posts 1.5 + 20 x 0.02081 = 1.916, at 32,000 1.5 + 20 x 0.01577 = 1.815."""
    found = law(20, 0.4, 1.5)
    assert (found.a[0], found.b[0], found.c[0]) == pytest.approx((20, 0.4, 1.5), rel=0.03)
    assert found.at(np.array([16_000.0, 32_000.0]))[0] == pytest.approx([1.916, 1.815], abs=2e-3)
    assert found.doubling().value == pytest.approx(-0.101, abs=2e-3)


def test_a_rising_law_keeps_below_one() -> None:
    found = law(-8, 0.5, 0.9, rises=True)  # recall 0.9 - 8 / sqrt(n)
    assert (found.a[0], found.c[0]) == pytest.approx((-8, 0.9), rel=0.05)
    assert found.at(np.array([1e12]))[0] <= 1


def test_no_law_falls_below_nothing_or_rises_with_data() -> None:
    worse = Laws.fit(SIZES, np.array([1.0, 1.1, 1.2, 1.3, 1.4]), np.empty((0, 5)), rises=False)
    assert worse.a[0] == 0
    assert worse.c[0] == pytest.approx(1.2)
    steep = Laws.fit(SIZES, 1e4 / SIZES, np.empty((0, 5)), rises=False)
    assert steep.c[0] >= 0


def test_a_crossing_is_where_the_laws_meet() -> None:
    """2 + 0 against 1.5 + 20 n^-0.4, which is 2 where n^0.4 = 40, n = 40^2.5 = 10,119; from 1,000 posts on that is 10.1 times."""
    sizes = SIZES / 16  # up to 1,000
    flat = Laws.fit(sizes, np.full(5, 2.0), np.full((100, 5), 2.0), rises=False)
    values = 1.5 + 20 * sizes**-0.4
    steep = Laws.fit(sizes, values, np.tile(values, (100, 1)), rises=False)
    found = crossing(flat, steep)
    assert found is not None
    assert found.times == pytest.approx(10.1, rel=0.05)
    assert found.low == pytest.approx(found.times)


def test_what_lies_beyond_the_reach_cannot_be_told() -> None:
    near = law(1, 0.5, 1.0)
    far = law(60, 0.2, 0.9)  # ahead one day, not within 16 times
    assert crossing(near, far) is None


def test_who_is_ahead_already_does_not_overtake() -> None:
    assert crossing(law(20, 0.4, 1.5), law(20, 0.4, 1.0)) is None


def test_noise_makes_it_untold() -> None:
    """Two laws that meet within reach, but whose figures are uncertain by more than they differ."""
    assert crossing(law(0.0, 0.4, 1.8, noise=0.3), law(20, 0.4, 1.5, noise=0.3)) is None


def test_three_points_are_too_few() -> None:
    with pytest.raises(ValueError, match="at least 4"):
        Laws.fit(SIZES[:3], np.ones(3), np.ones((1, 3)), rises=False)

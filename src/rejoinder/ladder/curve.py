"""Learning curves: how a figure moves as the data grows, and where one rung would overtake another.

    m(n) = c + a n^-b        n: posts learned from; a power law with a floor (Hestness et al. 2017)

For each b of a grid, a and c are those of least squares, kept where they can be (bits: a, c >= 0; shares: a <= 0, c <= 1). The
law is fitted once to the figures and once to each bootstrap draw of the threads they were measured on, so that what it says of
more data has an interval. It is never carried further than the range it was fitted over: with a curve from 1/16 of the data to
all of it, no further than 16 times more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from rejoinder.ladder.metrics import LEVEL, Estimate

POINTS = 4  # at least, for three unknowns
_EXPONENTS = np.linspace(0.05, 1.5, 59)
_STEPS = 400  # of the grid of sizes that a crossing is looked for on
_SURE = 0.9  # share of the draws that must cross for a crossing to be told

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Laws:
    """The law of a curve, and those of its bootstrap draws: row 0 is the curve's own, D rows follow."""

    a: Floats  # (1 + D,)
    b: Floats  # (1 + D,)
    c: Floats  # (1 + D,)
    rises: bool  # whether more is better
    sizes: Floats  # (S,) where it was measured

    @classmethod
    def fit(cls, sizes: Floats, values: Floats, drawn: Floats, *, rises: bool) -> Self:
        """Fit the law.

        Args:
            sizes: (S,) float64, ascending, at least `POINTS`.
            values: (S,) float64: the figure at each size.
            drawn: (D, S) float64: the figure at each size in each draw.
            rises: whether a higher figure is better.

        Raises:
            ValueError: there are fewer points.
        """
        if len(sizes) < POINTS:
            raise ValueError(f"a learning curve needs at least {POINTS} points; got {len(sizes)}")
        rows = np.concatenate([values[None], drawn])
        rows = rows if not rises else 1 - rows  # then all fall, towards a floor of at least 0
        found = [_least_squares(sizes**-b, rows) for b in _EXPONENTS]
        best = np.argmin([error for _, _, error in found], axis=0)
        draws = np.arange(len(rows))
        a = np.stack([a for a, _, _ in found])[best, draws]
        c = np.stack([c for _, c, _ in found])[best, draws]
        return cls(-a if rises else a, _EXPONENTS[best], 1 - c if rises else c, rises, sizes)

    def at(self, sizes: Floats) -> Floats:
        """(1 + D, N) float64: the figure at (N,) sizes."""
        return np.asarray(self.c[:, None] + self.a[:, None] * sizes[None, :] ** -self.b[:, None])

    @property
    def reach(self) -> float:
        """How many times the largest size it may be carried: as far as it was measured downwards."""
        return float(self.sizes[-1] / self.sizes[0])

    def doubling(self) -> Estimate:
        """What twice the data would change."""
        now, twice = self.at(self.sizes[-1] * np.array([1.0, 2.0])).T
        change = twice - now
        low, high = np.quantile(change[1:], [(1 - LEVEL) / 2, (1 + LEVEL) / 2]) if len(change) > 1 else (change[0], change[0])
        return Estimate(float(change[0]), float(low), float(high))


def _least_squares(x: Floats, rows: Floats) -> tuple[Floats, Floats, Floats]:
    """(R,) a and c >= 0 of rows = c + a x, and the squared error."""
    mean_x, mean = x.mean(), rows.mean(axis=1)
    a = ((rows - mean[:, None]) @ (x - mean_x)) / ((x - mean_x) ** 2).sum()
    c = mean - a * mean_x
    floored = rows @ x / (x @ x)
    a, c = np.where(c < 0, floored, a), np.maximum(c, 0.0)
    a, c = np.where(a < 0, 0.0, a), np.where(a < 0, mean, c)
    return a, c, ((rows - c[:, None] - a[:, None] * x[None]) ** 2).sum(axis=1)


@dataclass(frozen=True)
class Crossing:
    """With how many times more data one rung would overtake another."""

    times: float
    low: float
    high: float | None  # None: beyond the reach of the laws


def crossing(lower: Laws, upper: Laws) -> Crossing | None:
    """Where `upper`, which is behind now, overtakes `lower`; None if that cannot be told, or it is ahead already.

    It can be told if nine draws of ten cross within the reach of both laws. Both must come from the same draws of threads.
    """
    now = float(min(lower.sizes[-1], upper.sizes[-1]))
    times = np.geomspace(1.0, min(lower.reach, upper.reach), _STEPS)
    gain = upper.at(now * times) - lower.at(now * times)
    ahead = gain > 0 if lower.rises else gain < 0
    if ahead[0, 0] or not ahead[0].any():
        return None
    first = np.where(ahead.any(axis=1), times[ahead.argmax(axis=1)], np.inf)
    if np.mean(np.isfinite(first[1:])) < _SURE:
        return None
    low, high = np.quantile(first[1:], [(1 - LEVEL) / 2, (1 + LEVEL) / 2], method="nearest")
    return Crossing(float(first[0]), float(low), float(high) if np.isfinite(high) else None)

"""Two regressions by Newton's method, with ridge: which of several was chosen, and whether a thing is so.

Explained in docs/tour/02-why-we-want-it-to-flow.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import Self

import numpy as np
from numpy.typing import NDArray

_ROUNDS = 50
_STILL = 1e-8  # Newton's method ends when no weight moves by more
_AT_ONCE = 256  # lists at a time
_SHRINK = 1.0  # how strongly the weights of a `Regression` are drawn to saying nothing

Floats = NDArray[np.float64]


def conditional_logit(x: NDArray[np.float32], shrink: float, prior: Floats) -> Floats:
    """(F,) float64: the weights under which the first candidate of each list is likeliest to be chosen (McFadden 1974).

        p(i) = exp(w . x_i) / sum over j of exp(w . x_j)        loss = - sum of ln p(first) + shrink / 2 |w - prior|^2

    Args:
        x: (N, C, F) float32: N lists of C candidates.
        shrink: how strongly weights are drawn to the prior.
        prior: (F,) where they start.
    """
    weights = prior.copy()
    before, gradient, hessian = _choice(x, weights, shrink, prior)
    for _ in range(_ROUNDS):
        step = np.linalg.solve(hessian, gradient)
        for _ in range(_ROUNDS):  # a step too long is halved
            loss, gradient, hessian = _choice(x, weights - step, shrink, prior)
            if loss <= before:
                break
            step /= 2
        weights, before = weights - step, loss
        if np.abs(step).max(initial=0.0) < _STILL:
            break
    return weights


def logistic(x: Floats, y: Floats, mass: Floats, shrink: float, prior: Floats) -> Floats:
    """(F,) float64: the weights w of p(y = 1) = 1 / (1 + exp(-w . x)), drawn to `prior` as above.

    Args:
        x: (N, F) float64.
        y: (N,) 0 or 1.
        mass: (N,) how much each one counts.
        shrink: how strongly weights are drawn to the prior.
        prior: (F,) where they start.
    """
    weights = prior.copy()
    for _ in range(_ROUNDS):
        p = sigmoid(x @ weights)
        gradient = x.T @ (mass * (p - y)) + shrink * (weights - prior)
        hessian = (x * (mass * p * (1 - p))[:, None]).T @ x + shrink * np.eye(len(weights))
        step = np.linalg.solve(hessian, gradient)
        weights = weights - step * min(1.0, 5.0 / max(float(np.abs(step).max(initial=0.0)), 1e-12))
        if np.abs(step).max(initial=0.0) < _STILL:
            break
    return weights


@dataclass(frozen=True)
class Regression:
    """A logistic regression over F standardised features."""

    centre: Floats  # (F,)
    spread: Floats  # (F,)
    weights: Floats  # (F+1,) the last is b

    @classmethod
    def of(cls, x: Floats, y: Floats) -> Self:
        """Of (N, F) features and (N,) 0 or 1."""
        centre, spread = x.mean(axis=0), np.maximum(x.std(axis=0), 1e-6)
        share = (y.sum() + 1) / (len(y) + 2)
        prior = np.concatenate([np.zeros(x.shape[1]), [log(share / (1 - share))]])
        return cls(centre, spread, logistic(_design(x, centre, spread), y, np.ones(len(y)), _SHRINK, prior))

    def __call__(self, x: Floats) -> Floats:
        """(N,) p for (N, F) features."""
        return sigmoid(_design(x, self.centre, self.spread) @ self.weights)


def sigmoid(z: Floats) -> Floats:
    """1 / (1 + e^-z) of each."""
    return np.asarray(1 / (1 + np.exp(-np.clip(z, -500, 500))))


def _design(x: Floats, centre: Floats, spread: Floats) -> Floats:
    """(N, F+1): features of one scale, and a column of ones."""
    return np.concatenate([(x - centre) / spread, np.ones((len(x), 1))], axis=1)


def _choice(x: NDArray[np.float32], weights: Floats, shrink: float, prior: Floats) -> tuple[float, Floats, Floats]:
    """The loss, its gradient (F,) and its second derivatives (F, F)."""
    away = weights - prior
    loss, gradient, hessian = shrink / 2 * float(away @ away), shrink * away, shrink * np.eye(len(weights))
    for start in range(0, len(x), _AT_ONCE):
        some = x[start : start + _AT_ONCE].astype(np.float64)
        z = some @ weights
        z -= z.max(axis=1, keepdims=True)
        p = np.exp(z)
        p /= p.sum(axis=1, keepdims=True)
        mean = (p[:, :, None] * some).sum(axis=1)
        loss -= float(np.log(np.maximum(p[:, 0], 1e-300)).sum())
        gradient = gradient + (mean - some[:, 0]).sum(axis=0)
        flat = some.reshape(-1, some.shape[2])
        hessian = hessian + (flat * p.reshape(-1, 1)).T @ flat - mean.T @ mean
    return loss, gradient, hessian

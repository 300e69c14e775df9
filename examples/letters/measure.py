"""The measure: what a rung learns from and is asked, and the share it gets right with its 95% interval.

No image of a test has a near-duplicate in its training. Of the images given with --data, and of the glyphs drawn from
fonts, all near-duplicates but one are left out before they are dealt. What is learned from besides and is a near-duplicate of
an image of the test is left out, too; the test stays whole. How many were left out is told. What is of the kind that is asked
is learned from twice as often as the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from letters.copies import apart_from, without_copies
from letters.fonts import Glyphs
from letters.idx import Ints, Letters
from letters.rungs import Floats, rung

LEVEL_Z = 1.959964  # standard normal quantile of a 95% interval
DRAWS = 2_000  # bootstrap samples


@dataclass(frozen=True)
class Trial:
    """What is learned from and what is asked."""

    like: Letters  # to learn from, of the kind that is asked
    more: Letters  # and of another
    test: Letters
    left_out: int  # images not learned from, as near-duplicates of the test's

    @property
    def train(self) -> Letters:
        """What a rung is given: what is of the kind that is asked, twice, and the rest."""
        return self.like + self.like + self.more


class Outcome(NamedTuple):
    """What came of a rung's trial."""

    probs: Floats  # (N, 10) float32
    seconds: float  # to fit
    size: int  # bytes


class Share(NamedTuple):
    """A share and its 95% interval."""

    value: float
    low: float
    high: float


def deal(letters: Letters, glyphs: Letters, folds: int, seed: int = 0) -> tuple[list[Trial], list[Ints], Letters]:
    """Cross-validation: each image is asked once, by a model that learned from the other folds and from `glyphs`.

    Args:
        letters: the images to be asked.
        glyphs: extra training images.
        folds: how many.
        seed: how the images are dealt.

    Returns:
        A trial for each fold; which images each asks, places among the distinct ones; and the distinct ones.
    """
    distinct = letters.at(without_copies(letters.images))
    parts = np.array_split(np.random.default_rng(seed).permutation(len(distinct.labels)), folds)
    trials = []
    for part in parts:
        others = np.setdiff1d(np.arange(len(distinct.labels)), part)
        trials.append(_trial(distinct.at(others), glyphs, distinct.at(part)))
    return trials, parts, distinct


def by_family(glyphs: Glyphs, extra: Letters | None, share: float = 0.2, seed: int = 0) -> tuple[Trial, tuple[str, ...]]:
    """A test of the glyphs of families that nothing is learned from.

    Args:
        glyphs: of all families.
        extra: images that are learned from besides; None for none.
        share: of the families that are asked, about.
        seed: which they are.

    Returns:
        The trial, and the family of each image it asks.
    """
    return _hold_out(glyphs, glyphs.families, extra, share, seed)


def by_font(glyphs: Glyphs, extra: Letters | None, share: float = 0.2, seed: int = 0) -> tuple[Trial, tuple[str, ...]]:
    """The same with fonts in place of families: of a font that is asked nothing is learned, of others of its family it may be."""
    return _hold_out(glyphs, glyphs.fonts, extra, share, seed)


def _hold_out(
    glyphs: Glyphs, groups: Sequence[str], extra: Letters | None, share: float, seed: int
) -> tuple[Trial, tuple[str, ...]]:
    """A test of the glyphs of a `share` of the `groups` (N,), and the families it asks."""
    names = sorted(set(groups))
    drawn = np.random.default_rng(seed).permutation(len(names))[: max(1, round(share * len(names)))]
    held_out = {names[place] for place in drawn}
    asked = np.array([group in held_out for group in groups])
    test, others = glyphs.at(np.flatnonzero(asked)), glyphs.at(np.flatnonzero(~asked))
    nothing = test.letters.at(np.zeros(len(test.families), np.bool_))
    return _trial(others.letters, nothing if extra is None else extra, test.letters), test.families


def _trial(like: Letters, more: Letters, test: Letters) -> Trial:
    """Of `like` and of `more` what is no near-duplicate of `test`."""
    near = [~apart_from(letters.images, test.images) for letters in (like, more)]
    return Trial(like.at(~near[0]), more.at(~near[1]), test, sum(int(these.sum()) for these in near))


def try_rung(name: str, trial: Trial, seed: int = 0) -> Outcome:
    """Fit the rung `name` and ask it."""
    fit, began = rung(name), perf_counter()
    model = fit(trial.train, np.random.default_rng(seed))
    seconds = perf_counter() - began
    return Outcome(model.probs(trial.test.images), seconds, model.size)


def wilson(right: NDArray[np.bool_]) -> Share:
    """The share of `right` (N,) with its interval (Wilson 1927), for pieces that have nothing to do with each other."""
    count, share = len(right), float(right.mean())
    middle = (share + LEVEL_Z**2 / (2 * count)) / (1 + LEVEL_Z**2 / count)
    half = LEVEL_Z / (1 + LEVEL_Z**2 / count) * np.sqrt(share * (1 - share) / count + LEVEL_Z**2 / (4 * count**2))
    return Share(share, float(middle - half), float(middle + half))


def bootstrap(right: NDArray[np.bool_], groups: Sequence[str], seed: int = 0) -> Share:
    """The share of `right` (N,) with its interval, whole groups drawn with replacement (Efron 1979)."""
    _, place = np.unique(np.array(groups), return_inverse=True)
    counts, found = np.bincount(place), np.bincount(place, weights=right)
    drawn = np.random.default_rng(seed).integers(len(counts), size=(DRAWS, len(counts)))
    low, high = np.quantile(found[drawn].sum(axis=1) / counts[drawn].sum(axis=1), [0.025, 0.975])
    return Share(float(right.mean()), float(low), float(high))

"""When to speak: what a model's probabilities are worth, and from which on ghost text is shown.

A model's probability p that a ghost text is right is not how often it is right: small letters typed, words added, and what a
search leaves out all bend it. So for each case c of how the caret stands (after how many letters; whether the word goes on)

    P(right) = 1 / (1 + exp(-(a_c + b_c ln(p / (1 - p)) + d (n - 1))))        n words; logistic calibration (Platt 1999)

fitted on dev keystrokes, drawn to a = 0, b = 1, d = 0, which is p itself. Each gate shows what is at least as probable as its
threshold: the lowest one with which, on dev, the first words shown were right as often as the gate promises.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from math import exp, log
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from rejoinder.engine.token_healing import HealedDraft, kinds
from rejoinder.errors import DamagedModel
from rejoinder.files import write_json
from rejoinder.models.regression import logistic

CASES = 6  # letters typed 0, 1, 2, 3 or more; the word is over (one letter typed, or more)
_FILE = "gate.json"
_SHRINK = 10.0  # keystrokes that P = p counts for, about
_EDGE = 1e-6  # probabilities are kept so far from 0 and 1
_FEWEST = 50  # keystrokes shown on dev, so that a threshold is more than luck

Floats = NDArray[np.float64]


class Gate(StrEnum):
    """How sure ghost text must be before it is shown."""

    QUIET = "quiet"
    NORMAL = "normal"
    EAGER = "eager"


PROMISED = {Gate.QUIET: 0.85, Gate.NORMAL: 0.75, Gate.EAGER: 0.6}  # shares of first words shown that are right, on dev


@dataclass(frozen=True)
class Observed:
    """What was seen on N dev keystrokes: for each a ghost text that might have been shown."""

    probability: Floats  # (N,) by the model
    case: NDArray[np.int64]  # (N,)
    words: NDArray[np.int64]  # (N,) of the ghost text
    right: NDArray[np.bool_]  # (N,) whether the person wrote just that
    showable: NDArray[np.bool_]  # (N,) whether it is long enough to be shown


@dataclass(frozen=True)
class Calibration:
    """From a model's probability to how often it is right, and the thresholds of the gates."""

    intercepts: tuple[float, ...] = (0.0,) * CASES  # a
    slopes: tuple[float, ...] = (1.0,) * CASES  # b, above 0
    per_word: float = 0.0  # d
    quiet: float = 0.85
    normal: float = 0.7
    eager: float = 0.5
    keystrokes: int = 0  # fitted on

    def __call__(self, probability: float, case: int, words: int = 1) -> float:
        """How probable it is that a ghost text is right, to which the model gives `probability`."""
        p = min(max(probability, _EDGE), 1 - _EDGE)
        odds = self.intercepts[case] + self.slopes[case] * log(p / (1 - p)) + self.per_word * (words - 1)
        return 1 / (1 + exp(-min(max(odds, -30.0), 30.0)))

    def threshold(self, gate: Gate) -> float:
        """How probable a ghost text must be to be shown."""
        return float(getattr(self, gate))

    def passing(self, seen: Observed, gate: Gate = Gate.NORMAL) -> int:
        """How many of the first words seen the gate would show."""
        first = np.flatnonzero((seen.words == 1) & seen.showable)
        return sum(self(float(seen.probability[i]), int(seen.case[i])) >= self.threshold(gate) for i in first)

    @classmethod
    def fit(cls, seen: Observed) -> Self:
        """Fit on what was seen; a gate that too few keystrokes of dev would pass keeps the threshold it has without."""
        columns = np.arange(CASES) == seen.case[:, None]  # (N, CASES)
        p = np.clip(seen.probability, _EDGE, 1 - _EDGE)
        odds = np.log(p / (1 - p))[:, None]
        x = np.concatenate([columns, columns * odds, (seen.words - 1)[:, None]], axis=1).astype(np.float64)
        prior = np.concatenate([np.zeros(CASES), np.ones(CASES), [0.0]])
        weights = logistic(x, seen.right.astype(np.float64), np.ones(len(x)), _SHRINK, prior)
        a, b, d = weights[:CASES], np.maximum(weights[CASES : 2 * CASES], 0.05), float(weights[-1])
        fitted = cls(tuple(a.tolist()), tuple(b.tolist()), d, keystrokes=int((seen.words == 1).sum()))
        first = np.flatnonzero((seen.words == 1) & seen.showable)
        sure = np.array([fitted(float(seen.probability[i]), int(seen.case[i])) for i in first])
        found = {gate: lowest(sure, seen.right[first], share) for gate, share in PROMISED.items()}
        quiet, normal, eager = (
            round(value, 4) if (value := found[gate]) is not None else fitted.threshold(gate) for gate in PROMISED
        )
        return replace(fitted, quiet=quiet, normal=normal, eager=eager)

    def save(self, directory: Path) -> None:
        """Write it into a model's directory."""
        write_json(directory / _FILE, asdict(self))

    @classmethod
    def load(cls, directory: Path) -> Self:
        """What `save` wrote there; where it wrote nothing, the model is believed, and the gates are narrow.

        Raises:
            DamagedModel: it cannot be read.
        """
        file = directory / _FILE
        if not file.is_file():
            return cls()
        try:
            found = json.loads(file.read_bytes())
            a, b = (tuple(map(float, found.pop(key))) for key in ("intercepts", "slopes"))
            made = cls(intercepts=a, slopes=b, **found)
            made(0.5, CASES - 1, 2)
            if not all(0 <= made.threshold(gate) <= 1 for gate in Gate):
                raise ValueError("a threshold lies outside [0, 1]")
        except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
            raise DamagedModel(f"{file} is damaged ({error}); fit again") from error
        return made


def lowest(sure: Floats, right: NDArray[np.bool_], share: float, fewest: int = _FEWEST) -> float | None:
    """The lowest threshold on (N,) `sure` at and above which that share is `right`; None if too few are."""
    order = np.argsort(-sure, kind="stable")
    precision = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    last = np.append(sure[order][1:] < sure[order][:-1], True)  # equals are shown together
    good = np.flatnonzero((precision >= share) & last & (np.arange(len(order)) + 1 >= fewest))
    return float(sure[order][good[-1]]) if len(good) else None


def case_of(draft: HealedDraft, text: str) -> int:
    """How the caret stands for a next word."""
    letters = draft.letters
    if letters and kinds(text[:1]) != "w":
        return 4 if letters == 1 else 5
    return min(letters, 3)

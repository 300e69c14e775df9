"""When to speak: what a model's probabilities are worth, and which ghost text is worth showing.

A model's probability p that a ghost text is right is not how often it is right: small letters typed, words added, and what a
search leaves out all bend it. So for each case c of how the caret stands (after how many letters; whether the word goes on)

    P(right) = 1 / (1 + exp(-(a_c + b_c ln(p / (1 - p)) + d (n - 1))))        n words; logistic calibration (Platt 1999)

fitted on dev keystrokes, drawn to a = 0, b = 1, d = 0, which is p itself. What a text of n words is expected to save, in
keystrokes, where P_i is how probable it is that its first i words are right, and word i has l_i characters, is

    sum over i of P_i (l_i - 1)  +  P_n (n - 1)  -  (1 - P_n) C

since words that are right are taken with a key each, and all of them with one if all are. C is what a text costs that is not
right to its end: somebody looks at it. Reading a word takes a fixation of 225 to 250 ms (Rayner 1998), a keystroke 240 ms
(Dhakal et al. 2018), so that C is 1; who asked for quiet wants to be disturbed seldom (3), who is eager reads along anyway (1/2).

Most words are followed by a space. Where the model is sure of it (`SPACE`) the answer says so, and who takes all of the text may
have the space with it; it is no part of the text, and neither its floors nor what it is expected to save count it.

Shown is what saves most, if it saves anything, of the texts that are probable enough for where the caret is, after a space or in
a word: their first word and all of them as probable as the gate's floors there. The floors are the lowest with which, on dev, as
many were right as the gate promises: of the suggestions that appear in words, each counted once as a person sees it (see
`rejoinder.engine.replay`), and of those that are there after a space.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum, StrEnum
from math import exp, log
from pathlib import Path
from typing import Any, NamedTuple, Self

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
_FEWEST = 40  # suggestions on dev, so that a floor is more than luck
_GRID = [round(0.94 - 0.02 * step, 2) for step in range(44)]  # floors that are tried, the highest first

Floats = NDArray[np.float64]


class Gate(StrEnum):
    """How sure ghost text must be before it is shown."""

    QUIET = "quiet"
    NORMAL = "normal"
    EAGER = "eager"


class CaretAt(IntEnum):
    """Where the caret is."""

    SPACE = 0  # after white space, or at the beginning
    WORD = 1  # inside a word, or at its end

    @classmethod
    def of(cls, draft: str) -> CaretAt:
        """At the end of a draft."""
        return cls.WORD if draft and not draft[-1].isspace() else cls.SPACE


class Floors(NamedTuple):
    """How probable ghost text must be, as calibrated; or how often it is to be right."""

    first: float  # its first word
    whole: float  # all of it


COST = {Gate.QUIET: 3.0, Gate.NORMAL: 1.0, Gate.EAGER: 0.5}  # C above, keystrokes
SPACE = 0.7  # how sure a space must be, to be put in with what stands before it; on dev 19 in 20 are wanted then
PROMISED = {  # shares of the suggestions, after a space and in a word, on dev
    Gate.QUIET: (Floors(0.84, 0.81), Floors(0.84, 0.81)),
    Gate.NORMAL: (Floors(0.60, 0.53), Floors(0.70, 0.68)),  # all in all two in three
    Gate.EAGER: (Floors(0.48, 0.38), Floors(0.58, 0.52)),
}
_UNKNOWN = {gate: (Floors(p, p),) * 2 for gate, p in ((Gate.QUIET, 0.85), (Gate.NORMAL, 0.7), (Gate.EAGER, 0.5))}


class GhostText(NamedTuple):
    """Text that may be shown in grey at the caret."""

    text: str
    words: int
    probability: float  # by the model: of all of it, and that its last word ends there
    right: bool = False  # on dev, where that is known: the person wrote all of it next
    space: float = 0.0  # how probable it is that a space follows, by the model, where it is right


Rated = tuple[GhostText, float, float]  # how probable it is to be right, and how many keystrokes it is expected to save
Line = Sequence[GhostText]  # each goes on with the one before it; the first is one word


class Keystroke(NamedTuple):
    """A place in a dev post, and what might have been shown there."""

    follows: str  # the character typed there
    place: CaretAt
    lines: Sequence[tuple[int, Line]]  # each with the case of the caret for its first word
    first: bool = False  # the first that was looked at of a run


@dataclass(frozen=True)
class Calibration:
    """From a model's probability to how often it is right, and the floors of the gates."""

    intercepts: tuple[float, ...] = (0.0,) * CASES  # a
    slopes: tuple[float, ...] = (1.0,) * CASES  # b, above 0
    per_word: float = 0.0  # d
    floors: Mapping[Gate, tuple[Floors, ...]] = field(default_factory=lambda: dict(_UNKNOWN))  # by place
    keystrokes: int = 0  # fitted on

    def __call__(self, probability: float, case: int, words: int = 1) -> float:
        """How probable it is that a ghost text is right, to which the model gives `probability`."""
        p = min(max(probability, _EDGE), 1 - _EDGE)
        odds = self.intercepts[case] + self.slopes[case] * log(p / (1 - p)) + self.per_word * (words - 1)
        return 1 / (1 + exp(-min(max(odds, -30.0), 30.0)))

    def savings(self, case: int, line: Iterable[GhostText], gate: Gate) -> Iterator[Rated]:
        """Of texts that go on with each other: each, how probable it is to be right, and what it is expected to save, above."""
        taken, characters, words = 0.0, 0, 0
        for text in line:
            sure = self(text.probability, case, text.words)
            taken += sure * (len(text.text) - characters - (text.words - words))  # a mark that ends it is taken with its word
            characters, words = len(text.text), text.words
            yield text, sure, taken + sure * (text.words - 1) - (1 - sure) * COST[gate]

    @classmethod
    def fit(cls, seen: Sequence[Keystroke]) -> Self:
        """Fit on what was seen; where too few suggestions would be made on dev, floors stay what they are without."""
        fitted = cls.regressed(seen)
        floors: dict[Gate, tuple[Floors, ...]] = {}
        for gate in Gate:
            replayed = _Replayed(fitted, seen, gate)
            space = replayed.lowest(CaretAt.SPACE, (_UNKNOWN[gate][0],) * 2)
            floors[gate] = (space, replayed.lowest(CaretAt.WORD, (space, _UNKNOWN[gate][1])))
        return replace(fitted, floors=floors)

    @classmethod
    def regressed(cls, seen: Sequence[Keystroke]) -> Self:
        """The curves alone."""
        texts = [(case, text) for keystroke in seen for case, line in keystroke.lines[:1] for text in line]
        case = np.array([case for case, _ in texts], np.int64)
        words = np.array([text.words - 1 for _, text in texts], np.float64)
        p = np.clip([text.probability for _, text in texts], _EDGE, 1 - _EDGE)
        columns = np.arange(CASES) == case[:, None]  # (N, CASES)
        x = np.concatenate([columns, columns * np.log(p / (1 - p))[:, None], words[:, None]], axis=1).astype(np.float64)
        prior = np.concatenate([np.zeros(CASES), np.ones(CASES), [0.0]])
        weights = logistic(x, np.array([text.right for _, text in texts], np.float64), np.ones(len(x)), _SHRINK, prior)
        a, b, d = weights[:CASES], np.maximum(weights[CASES : 2 * CASES], 0.05), float(weights[-1])
        return cls(tuple(a.tolist()), tuple(b.tolist()), d, keystrokes=len(seen))

    def save(self, directory: Path) -> None:
        """Write it into a model's directory."""
        write_json(directory / _FILE, {**vars(self), "floors": {str(gate): found for gate, found in self.floors.items()}})

    @staticmethod
    def lies_in(directory: Path) -> bool:
        """Whether `save` wrote one there: a net that was added where there were no posts has none."""
        return (directory / _FILE).is_file()

    @classmethod
    def load(cls, directory: Path) -> Self:
        """What `save` wrote there; where it wrote nothing, the model is believed, and the gates are narrow.

        Raises:
            DamagedModel: it cannot be read.
        """
        if not cls.lies_in(directory):
            return cls()
        file = directory / _FILE
        try:
            found = json.loads(file.read_bytes())
            a, b = (tuple(map(float, found.pop(key))) for key in ("intercepts", "slopes"))
            made = cls(intercepts=a, slopes=b, floors=_floors(found), **found)
            made(0.5, CASES - 1, 2)
        except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
            raise DamagedModel(f"{file} is damaged ({error}); fit again") from error
        return made


def _floors(found: dict[str, Any]) -> dict[Gate, tuple[Floors, ...]]:
    """The floors in what was written, taken out of it; gates fitted before there were places have one number each."""
    written = found.pop("floors", None)
    if written is None:
        written = {gate: [[found[gate]] * 2] * 2 for gate in map(str, Gate)}
        for gate in map(str, Gate):
            del found[gate]
    floors = {gate: tuple(Floors(*map(float, pair)) for pair in written[str(gate)]) for gate in Gate}
    if not all(len(pairs) == len(CaretAt) and all(0 <= p <= 1 for pair in pairs for p in pair) for pairs in floors.values()):
        raise ValueError("a floor lies outside [0, 1]")
    return floors


class _Replayed:
    """Dev keystrokes typed again with one gate, its floors not yet known."""

    def __init__(self, calibration: Calibration, seen: Sequence[Keystroke], gate: Gate) -> None:
        self._promised = PROMISED[gate]
        self._seen = seen
        rated = ([list(calibration.savings(case, line, gate)) for case, line in keystroke.lines] for keystroke in seen)
        self._rated = [[line for line in lines if line[0][1] >= _GRID[-1]] for lines in rated]

    def lowest(self, place: CaretAt, floors: tuple[Floors, Floors]) -> Floors:
        """The lowest floors at a place, the first word's first; those of `floors` where too few suggestions would be made."""
        known, promised = floors[place], self._promised[place]

        def at(floor: Floors) -> tuple[Floors, Floors]:
            return (floor, floors[1]) if place is CaretAt.SPACE else (floors[0], floor)

        def reach(share: Callable[[float], Floors], promised: Floors, grid: Sequence[float]) -> float | None:
            """The lowest of the grid that keeps the promise, found by halving: the lower, the more are wrong."""
            low, high = 0, len(grid) - 1
            while low < high:
                middle = (low + high + 1) // 2
                low, high = (middle, high) if self._told(at(share(grid[middle])), place).keeps(promised) else (low, middle - 1)
            told = self._told(at(share(grid[low])), place) if grid else _Told()
            return grid[low] if told.number >= _FEWEST and told.keeps(promised) else None

        first = reach(lambda p: Floors(p, 1.0), Floors(promised.first, 0.0), _GRID)
        if first is None:
            return known
        whole = reach(lambda p: Floors(first, p), promised, _GRID)
        return Floors(first, 1.0 if whole is None else whole)

    def _told(self, floors: tuple[Floors, Floors], place: CaretAt) -> _Told:
        """How many suggestions would begin at a place, and how many of them would be right."""
        number, first, whole, before = 0, 0, 0, ""
        for keystroke, lines in zip(self._seen, self._rated, strict=True):
            best = choose(lines, floors[keystroke.place]) if lines else None
            text = best[1].text if best is not None else ""
            fresh = keystroke.first or before != text or place is CaretAt.SPACE
            if best is not None and keystroke.place is place and fresh:
                number, first, whole = number + 1, first + best[0].right, whole + best[1].right
            before = text[1:] if text[:1] == keystroke.follows else ""
        return _Told(number, first, whole)


class _Told(NamedTuple):
    """Suggestions made, and how many of them were right: their first word, and all of them."""

    number: int = 0
    first: int = 0
    whole: int = 0

    def keeps(self, promised: Floors) -> bool:
        """Whether as many are right as was promised."""
        return self.first >= promised.first * self.number and self.whole >= promised.whole * self.number


def choose(lines: Iterable[Iterable[Rated]], floors: Floors) -> tuple[GhostText, GhostText] | None:
    """The first word and all of the text that is expected to save most, of those above the floors; None if none saves anything.

    Args:
        lines: texts that go on with each other, how probable each is, and what it is expected to save.
        floors: of the gate at this place.
    """
    best, most = None, 0.0
    for line in lines:
        alone: GhostText | None = None
        for text, sure, saved in line:
            if sure < (floors.first if alone is None else floors.whole):
                break
            alone = alone or text
            if saved > most:
                best, most = (alone, text), saved
    return best


def case_of(draft: HealedDraft, text: str) -> int:
    """How the caret stands for a next word."""
    letters = draft.letters
    if letters and kinds(text[:1]) != "w":
        return 4 if letters == 1 else 5
    return min(letters, 3)

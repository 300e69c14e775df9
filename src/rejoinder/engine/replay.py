"""A text typed again, keystroke by keystroke: what would have been shown, how much of it was right, what it would have saved.

The text is typed character by character and nothing is accepted, so that each keystroke is asked once. What accepting saves is
then worked out under a stated policy: somebody who sees ghost text that is right to its end takes all of it with one key; where
only its first words are right, they take these word by word, a key each, as long as a word saves more than its key. What they
do not take they type. Keystroke savings = 1 - keys pressed / characters of the text.

Explained in docs/tour/03-the-problem-we-are-trying-to-solve.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rejoinder.engine.gate import Gate
from rejoinder.engine.token_healing import HealedDraft, kinds
from rejoinder.engine.typing import TypingSession

POLICY = (
    "Ghost text that is right to its end is taken whole with one key; of other ghost text the words that are right are taken one "
    "by one, a key each, where this saves keys; all else is typed."
)


@dataclass(frozen=True)
class Replay:
    """What happened at each of N keystrokes: before each of N characters the engine was asked."""

    shown: NDArray[np.bool_]  # (N,) whether there was ghost text
    right: NDArray[np.bool_]  # (N,) whether the best next word, shown or not, was the one written
    among: NDArray[np.bool_]  # (N,) whether one of the words offered was
    whole: NDArray[np.bool_]  # (N,) whether ghost text was shown and right to its end
    probability: NDArray[np.float64]  # (N,) calibrated, of the best next word
    letters: NDArray[np.int64]  # (N,) of the word being typed
    keys: int  # pressed under the policy

    @property
    def savings(self) -> float:
        """The share of keystrokes saved, 0 for an empty text."""
        return 1 - self.keys / len(self.shown) if len(self.shown) else 0.0


def replay(session: TypingSession, text: str, gate: Gate = Gate.NORMAL) -> Replay:
    """Type `text` in a session, without a deadline."""
    rows, takes = [], []
    for place in range(len(text)):
        typed = session.suggest(text[:place], gate=gate, deadline=float("inf"))
        follows = text[place:]
        fitting = [starts_so(follows, word.text) for word in typed.words]
        whole = bool(typed.ghost) and starts_so(follows, typed.ghost)
        letters = HealedDraft.of(text[:place]).letters
        rows.append((bool(typed.ghost), fitting[:1] == [True], any(fitting), whole, typed.probability, letters))
        takes.append(taken(follows, typed.ghost, whole=whole))
    columns = np.array(rows, dtype=np.float64).reshape(-1, 6).T
    shown, right, among, everything = (column.astype(np.bool_) for column in columns[:4])
    return Replay(shown, right, among, everything, columns[4], columns[5].astype(np.int64), keys_pressed(takes))


def starts_so(follows: str, said: str) -> bool:
    """Whether what the person wrote begins with what was said, and its last word ends there too."""
    if not follows.startswith(said):
        return False
    rest = kinds(follows[len(said) : len(said) + 2])
    inside = rest[:1] == "w" or rest[:2] == "'w"
    return not (inside and kinds(said[-1:]) == "w")


def seam_fault(draft: str, ghost: str) -> str | None:
    """What is wrong with ghost text as the continuation of a draft, to the letter; None if nothing is."""
    letters = draft[len(draft.rstrip()) :] or draft.split()[-1] if draft.strip() else ""
    faults = {
        "no Unicode text": any("\ud800" <= character <= "\udfff" for character in ghost),
        "a piece of a character": "\ufffd" in ghost,
        "white space other than single spaces": "  " in ghost or any(c.isspace() and c != " " for c in ghost),
        "a doubled space": ghost[:1].isspace() and (not draft or draft[-1].isspace()),
        "a space at the end": ghost[-1:].isspace(),
        "the letters typed, again": len(letters.strip()) > 2 and ghost.startswith(letters),
        "dots": ".." in ghost or "…" in ghost,
    }
    return next((fault for fault, found in faults.items() if ghost and found), None)


def keys_pressed(takes: list[tuple[int, int]]) -> int:
    """How many keys the policy presses, from what it takes at each of N characters: so many characters for so many keys."""
    place = keys = 0
    while place < len(takes):
        characters, cost = takes[place]
        place, keys = place + characters, keys + cost
    return keys


def taken(follows: str, ghost: str, *, whole: bool) -> tuple[int, int]:
    """The characters that come of the policy's next keys, and the keys; 1 and 1 for typing a character."""
    if whole and len(ghost) > 1:
        return len(ghost), 1
    characters = keys = 0
    for end in _word_ends(ghost):
        if not starts_so(follows, ghost[:end]) or end - characters < 2:
            break
        characters, keys = end, keys + 1
    return (characters, keys) if keys else (1, 1)


def _word_ends(ghost: str) -> Iterator[int]:
    """Where the words of a ghost text end."""
    found = kinds(ghost) + " "
    for place in range(1, len(ghost) + 1):
        if found[place - 1] == "w" and found[place] != "w" and not (found[place] == "'" and found[place + 1 : place + 2] == "w"):
            yield place

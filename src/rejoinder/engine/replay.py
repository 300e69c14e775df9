"""A text typed again, keystroke by keystroke: what would have been shown, how much of it was right, what it would have saved.

The text is typed character by character and nothing is accepted, so that each keystroke is asked once. What a person sees are
suggestions: a ghost text counts once, from when it appears until it changes or is typed. It is right if the person wrote all of
it next, and its last word ended there. What accepting saves is worked out under a stated policy: somebody who sees ghost text
that is right to its end takes all of it with one key; where only its first words are right, they take these word by word, a key
each, as long as a word saves more than its key. What they do not take they type. Keystroke savings = 1 - keys pressed /
characters of the text; the net savings also count a stated cost for each suggestion that was seen on the way and not taken.
Where the space is put in as well with what is taken whole, as the engine says, one that is not wanted costs a key.

Explained in docs/tour/03-the-problem-we-are-trying-to-solve.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rejoinder.engine.gate import Gate
from rejoinder.engine.token_healing import HealedDraft, kinds
from rejoinder.engine.typing import Typed, TypingSession

POLICY = (
    "Ghost text that is right to its end is taken whole with one key; of other ghost text the words that are right are taken one "
    "by one, a key each, where this saves keys; all else is typed."
)


@dataclass(frozen=True, slots=True)
class Shown:
    """A suggestion, as a person sees it."""

    place: int  # characters of the text before it, when it appeared
    text: str
    right: bool  # the person wrote all of it next
    first: bool  # they wrote its first word, at least
    after_space: bool  # it appeared after white space, or at the beginning; else inside a word or at its end

    @property
    def words(self) -> int:
        """How many words it has."""
        return sum(1 for _ in _word_ends(self.text))


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
    untaken: int = 0  # suggestions seen on the way under the policy, of which nothing was taken
    spaced_keys: int = 0  # pressed where spaces are put in too
    spaced_untaken: int = 0  # the same for these
    suggestions: tuple[Shown, ...] = ()
    spaced: NDArray[np.bool_] = field(
        default_factory=lambda: np.empty(0, np.bool_)
    )  # (N,) after white space, or at the beginning

    @property
    def savings(self) -> float:
        """The share of keystrokes saved, 0 for an empty text."""
        return 1 - self.keys / len(self.shown) if len(self.shown) else 0.0


def replay(session: TypingSession, text: str, gate: Gate = Gate.NORMAL) -> Replay:
    """Type `text` in a session, without a deadline."""
    return replay_gates(session, text, (gate,))[0]


def replay_gates(session: TypingSession, text: str, gates: Sequence[Gate]) -> list[Replay]:
    """Type `text` once, without a deadline, and ask each of the gates at each keystroke: what the model reads it reads once."""
    typed: list[list[Typed]] = [[] for _ in gates]
    for place in range(len(text)):
        for gate, seen in zip(gates, typed, strict=True):
            seen.append(session.suggest(text[:place], gate=gate, deadline=float("inf")))
    return [_replayed(text, seen) for seen in typed]


def _replayed(text: str, seen: Sequence[Typed]) -> Replay:
    """What came of a text, of what was said before each of its characters."""
    rows, takes, spaced_takes, ghosts = [], [], [], []
    for place, typed in enumerate(seen):
        follows = text[place:]
        fitting = [starts_so(follows, word.text) for word in typed.words]
        whole = bool(typed.ghost) and starts_so(follows, typed.ghost)
        letters = HealedDraft.of(text[:place]).letters
        rows.append((bool(typed.ghost), fitting[:1] == [True], any(fitting), whole, typed.probability, letters))
        takes.append(taken(follows, typed.ghost, whole=whole))
        spaced_takes.append(taken(follows, typed.ghost, whole=whole, space=typed.space))
        ghosts.append(typed.ghost)
    columns = np.array(rows, dtype=np.float64).reshape(-1, 6).T
    shown, right, among, everything = (column.astype(np.bool_) for column in columns[:4])
    fresh = _fresh(text, ghosts)
    pressed = (*press(ghosts, fresh, takes), *press(ghosts, fresh, spaced_takes))
    spaced = np.array([_is_spaced(text[:place]) for place in range(len(text))], np.bool_)
    letters, told = columns[5].astype(np.int64), tuple(suggestions(text, ghosts))
    return Replay(shown, right, among, everything, columns[4], letters, *pressed, told, spaced)


def suggestions(text: str, ghosts: Sequence[str]) -> Iterator[Shown]:
    """What a person sees who types `text`, of the ghost texts before each of its first characters ("" for none)."""
    for place, fresh in enumerate(_fresh(text, ghosts)):
        if fresh:
            ghost, follows = ghosts[place], text[place:]
            first = next(_word_ends(ghost), len(ghost))
            yield Shown(place, ghost, starts_so(follows, ghost), starts_so(follows, ghost[:first]), _is_spaced(text[:place]))


def _fresh(text: str, ghosts: Sequence[str]) -> list[bool]:
    """Which ghost texts are not the one before them, less the character typed."""
    before = ["", *ghosts]
    return [bool(ghost) and before[place] != text[place - 1 : place] + ghost for place, ghost in enumerate(ghosts)]


def _is_spaced(draft: str) -> bool:
    return not draft or draft[-1].isspace()


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


def press(ghosts: Sequence[str], fresh: Sequence[bool], takes: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """How many keys the policy presses, and how many suggestions it sees of which it takes nothing.

    Args:
        ghosts: (N,) before each character what is shown, "" for nothing.
        fresh: (N,) whether that is another suggestion than the one before it, for who takes nothing.
        takes: (N,) there: so many characters for so many keys.
    """
    place = keys = untaken = 0
    typed = False  # the last key was a character of the text
    while place < len(takes):
        characters, cost = takes[place]
        untaken += bool(ghosts[place]) and characters == 1 and (fresh[place] or not typed)
        typed = characters == 1
        place, keys = place + characters, keys + cost
    return keys, untaken


def taken(follows: str, ghost: str, *, whole: bool, space: bool = False) -> tuple[int, int]:
    """The characters that come of the policy's next keys, and the keys; 1 and 1 for typing a character.

    Args:
        follows: what the person writes next.
        ghost: what is shown.
        whole: whether it is right to its end.
        space: whether a space is put in after it.
    """
    if whole and len(ghost) > 1:
        wanted = follows[len(ghost) : len(ghost) + 1] == " "
        return len(ghost) + (space and wanted), 1 + (space and not wanted)
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

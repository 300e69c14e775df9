"""A text typed again: what is right, and how many keys a policy presses."""

from __future__ import annotations

import numpy as np
import pytest
from test_typing import NO_LIMIT, SPARK, session, words
from typists import parrot

from rejoinder.engine.gate import Gate
from rejoinder.engine.replay import Shown, press, replay, replay_gates, seam_fault, starts_so, suggestions, taken


@pytest.mark.parametrize(
    ("follows", "said", "so"),
    [
        ("cat sat", "cat", True),
        ("cats sat", "cat", False),  # the word goes on
        ("cat's", "cat", False),
        ("cat' said", "cat", True),
        ("cat, then", "cat", True),
        (" the cat", " the", True),
        ("dog", "cat", False),
        ("ca", "cat", False),
        ("end. Then", "end.", True),
    ],
)
def test_right_is_a_whole_word(follows: str, said: str, so: bool) -> None:
    assert starts_so(follows, said) is so


def test_keys_under_the_policy_by_hand() -> None:
    """All of " plug and" right: 9 characters for one key. Of " plug but", " plug": 5 for one. "s" saves nothing: typed."""
    assert taken(" plug and more", " plug and", whole=True) == (9, 1)
    assert taken(" plug and more", " plug but", whole=False) == (5, 1)
    assert taken(" plug and a the", " plug and no", whole=False) == (9, 2)
    assert taken("s are", "s", whole=True) == (1, 1)
    assert taken("s are", "", whole=False) == (1, 1)
    assert taken(" plug and more", " plug and", whole=True, space=True) == (10, 1)  # the space comes with it
    assert taken(" plug and, more", " plug and", whole=True, space=True) == (9, 2)  # and is taken away again
    assert taken(" plug and", " plug and", whole=True, space=True) == (9, 2)
    assert taken(" plug and more", " plug but", whole=False, space=True) == (5, 1)  # word by word there is none
    takes = [(1, 1), (9, 1), *[(1, 1)] * 8, (1, 1)]
    assert press([""] * 11, [False] * 11, takes) == (3, 0)  # a letter, a key for nine, a letter


def test_what_was_seen_on_the_way_and_not_taken_by_hand() -> None:
    """ "the cat": a wrong " a" before it, seen on as "a" wrong again; " cat" whole, with one key; what follows is never seen."""
    ghosts = ["a dog", "", "", " cat", "cat", "at", "t"]
    takes = [(1, 1), (1, 1), (1, 1), (4, 1), (3, 1), (2, 1), (1, 1)]
    fresh = [True, False, False, True, False, False, False]
    assert press(ghosts, fresh, takes) == (4, 1)
    late = ["", "", "", " dog", "dog", "", ""]  # typed past with a space: it goes on to be seen, and counts once
    assert press(late, [False, False, False, True, False, False, False], [(1, 1)] * 7) == (7, 1)


def test_a_suggestion_counts_once_until_it_changes_or_is_typed() -> None:
    """Of "the cat sat": " cat" is typed into and stays one; it grows, which is another; "he" is wrong; " sat" is right."""
    text = "the cat sat"
    ghosts = ["", "he", "", " cat", "cat", "at sat", "t sat", " sat", "", "it", "t"]
    assert list(suggestions(text, ghosts)) == [
        Shown(1, "he", right=True, first=True, after_space=False),
        Shown(3, " cat", right=True, first=True, after_space=False),
        Shown(5, "at sat", right=True, first=True, after_space=False),
        Shown(9, "it", right=False, first=False, after_space=False),
        Shown(10, "t", right=True, first=True, after_space=False),
    ]
    assert list(suggestions("a b", ["", "", "bee cat"])) == [Shown(2, "bee cat", right=False, first=False, after_space=True)]
    assert next(suggestions("a bee", ["", "", "bee cat"])).first and Shown(0, " so it's", True, True, True).words == 2


def test_a_text_known_by_heart_takes_few_keys() -> None:
    seen = replay(session(parrot(words(), SPARK)), SPARK)
    assert len(seen.shown) == len(seen.right) == len(seen.probability) == len(SPARK)
    assert seen.right[seen.shown].all() and not seen.whole[~seen.shown].any()
    assert seen.keys < 12 and seen.savings == 1 - seen.keys / len(SPARK)
    assert seen.spaced_keys <= seen.keys and seen.spaced_untaken <= seen.untaken
    assert seen.letters[:7].tolist() == [0, 1, 2, 3, 4, 5, 0]  # before each character of "Check t"
    assert (seen.among >= seen.right).all()


def test_gates_asked_side_by_side_answer_as_each_alone() -> None:
    text = f"{SPARK} and a word nobody said. {SPARK}"
    together = replay_gates(session(parrot(words(), SPARK)), text, tuple(Gate))
    for gate, seen in zip(Gate, together, strict=True):
        alone = replay(session(parrot(words(), SPARK)), text, gate)
        assert seen.suggestions == alone.suggestions and seen.keys == alone.keys and seen.untaken == alone.untaken
        assert (seen.spaced_keys, seen.spaced_untaken) == (alone.spaced_keys, alone.spaced_untaken)
        assert (seen.probability == alone.probability).all()


def test_a_text_not_known_costs_what_it_is_long() -> None:
    other = "zyx wvu tsr"
    seen = replay(session(parrot(words(), SPARK), NO_LIMIT), other, Gate.QUIET)
    assert seen.keys == len(other) and seen.savings == 0.0 and not seen.shown[1:].any()
    assert replay(session(parrot(words(), SPARK)), "").savings == 0.0
    assert replay(session(parrot(words(), SPARK)), "").shown.dtype == np.bool_


@pytest.mark.parametrize(
    ("draft", "ghost", "fault"),
    [
        ("the ", "cat", None),
        ("the", " cat", None),
        ("the ", " cat", "a doubled space"),
        ("", " cat", "a doubled space"),
        ("the", "the", "the letters typed, again"),
        ("a", " cat ", "a space at the end"),
        ("a", " cat...", "dots"),
        ("a", " c\n", "white space other than single spaces"),
        ("a", "\ufffd", "a piece of a character"),
        ("the ", "", None),
    ],
)
def test_faults_at_the_seam_are_found(draft: str, ghost: str, fault: str | None) -> None:
    assert seam_fault(draft, ghost) == fault

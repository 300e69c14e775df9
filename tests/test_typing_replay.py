"""A text typed again: what is right, and how many keys a policy presses."""

from __future__ import annotations

import numpy as np
import pytest
from test_typing import NO_LIMIT, SPARK, session, words
from typists import parrot

from rejoinder.engine.gate import Gate
from rejoinder.engine.replay import keys_pressed, replay, seam_fault, starts_so, taken


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
    assert keys_pressed([(1, 1), (9, 1), *[(1, 1)] * 8, (1, 1)]) == 3  # a letter, a key for nine, a letter


def test_a_text_known_by_heart_takes_few_keys() -> None:
    seen = replay(session(parrot(words(), SPARK)), SPARK)
    assert len(seen.shown) == len(seen.right) == len(seen.probability) == len(SPARK)
    assert seen.right[seen.shown].all() and not seen.whole[~seen.shown].any()
    assert seen.keys < 12 and seen.savings == 1 - seen.keys / len(SPARK)
    assert seen.letters[:7].tolist() == [0, 1, 2, 3, 4, 5, 0]  # before each character of "Check t"
    assert (seen.among >= seen.right).all()


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

"""How far replies lean on the talk they come from."""

from __future__ import annotations

import pytest

from rejoinder.models.standing import leaning


@pytest.mark.parametrize(
    ("text", "points", "speaks"),
    [
        ("Check the plug and the filter.", 0.0, 0.0),
        ("Exactly this, they said it.", 4 / 5, 0.0),  # all but "said"
        ("You’re assuming that it runs.", 3 / 5, 1.0),  # you're, that, it
        ("In my experience with an engine of that age you wait.", 2 / 11, 0.0),  # "you" is the tenth word
        ("One two three four five six seven your", 1 / 8, 1.0),
        ("Das ist ein Motor.", 0.0, 0.0),
        ("https://example.org/that", 0.0, 0.0),
        ("", 0.0, 0.0),
    ],
)
def test_by_hand(text: str, points: float, speaks: float) -> None:
    assert leaning(text) == (pytest.approx(points), speaks)

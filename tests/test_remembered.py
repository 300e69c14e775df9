"""What is worked out of texts once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rejoinder.models.bags import Bags, read
from rejoinder.models.remembered import Remembered


def test_a_text_is_worked_out_once_as_long_as_there_is_room() -> None:
    asked: list[Sequence[str]] = []

    def length(texts: Sequence[str]) -> list[int]:
        asked.append(texts)
        return [len(text) for text in texts]

    lengths = Remembered(length, most=3)
    assert lengths.of(["a", "bb", "a"]) == [1, 2, 1] and lengths.of([]) == []
    assert lengths.of(["bb", "ccc"]) == [2, 3] and lengths.of(["ccc"]) == [3]
    assert asked == [["a", "bb"], ["ccc"]]
    assert lengths.of(["a", "dddd"]) == [1, 4]  # there is no room for a fourth: the others are let go of
    assert lengths.of(["a", "dddd", "eeeee", "f", "gg"]) == [1, 4, 5, 1, 2]  # more at once than there is room for
    assert asked[2:] == [["dddd"], ["a", "eeeee", "f", "gg"]]


@given(st.lists(st.text("ab ", max_size=12), max_size=5), st.sampled_from([None, 1]))
def test_bags_made_one_by_one_are_those_made_at_once(texts: list[str], letters: int | None) -> None:
    said = read(texts)
    joined, whole = Bags.join([Bags.of([some], letters) for some in said]), Bags.of(said, letters)
    for name, array in vars(whole).items():
        assert np.array_equal(getattr(joined, name), array), name

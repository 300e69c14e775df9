"""What has no white space for thousands of characters: a key, a page of Chinese. It costs what it is long."""

from __future__ import annotations

import re
from collections.abc import Callable
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rejoinder.engine.filters import unfit
from rejoinder.engine.manners import is_prose
from rejoinder.engine.token_healing import HealedDraft
from rejoinder.text.words import EMAIL, begun

MIXED = st.text("ab\u65e5 \t\n\x1c\x85.@-[]()t", max_size=30)


@pytest.mark.parametrize("letter", ["a", "日"])
@pytest.mark.parametrize("end", [" ", "\n"])
@pytest.mark.parametrize("reads", [HealedDraft.of, is_prose, lambda text: unfit(text, None)])
def test_a_long_word_costs_in_proportion_to_its_length(reads: Callable[[str], object], letter: str, end: str) -> None:
    def seconds(letters: int) -> float:
        began = process_time()
        for _ in range(5):
            reads(letter * letters + end)
        return process_time() - began

    small = min(seconds(1_000) for _ in range(5))
    assert any(seconds(8_000) < 24 * small for _ in range(3))


@given(MIXED)
def test_a_draft_is_cut_before_its_last_word_and_the_space_before_it(draft: str) -> None:
    by_search = re.search(r"[^\S\x1c-\x1f]?(?:\S|[\x1c-\x1f])*\Z", draft)
    assert by_search is not None
    assert HealedDraft.of(draft) == HealedDraft(draft[: by_search.start()], draft[by_search.start() :])


@given(MIXED)
def test_what_is_begun_is_what_no_white_space_follows(text: str) -> None:
    by_search = re.search(r"\S*\Z", text)
    assert by_search is not None and begun(text) == by_search[0]


@given(st.text("aé.+-_@ [](t)", max_size=24))
def test_addresses_are_found_where_they_begin(text: str) -> None:
    by_trying = re.compile(EMAIL.pattern.removeprefix(r"(?<![\w.+-])"), re.IGNORECASE)
    assert by_trying.pattern != EMAIL.pattern
    assert [match.span() for match in EMAIL.finditer(text)] == [match.span() for match in by_trying.finditer(text)]

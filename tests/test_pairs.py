"""Which pairs are fit to rank, and how negatives are drawn."""

from __future__ import annotations

import numpy as np
import pytest

from rejoinder.models.pairs import answers_comment, clean_pairs, draw_negatives, drawn
from rejoinder.post import Kind, Pair, Post

STORY = Post(1, Kind.STORY, "", title="A story with words")


def pair(reply: str, *context: Post) -> Pair:
    return Pair(context or (STORY,), Post(9, Kind.COMMENT, reply, parent=1))


def test_quotes_leave_both_sides() -> None:
    above = Post(2, Kind.COMMENT, "> what the story said\nI doubt it", parent=1)
    (found,) = clean_pairs([pair("> I doubt it\nWhy so?", STORY, above)])
    assert found.reply.text == "Why so?" and [post.body for post in found.context] == ["A story with words", "I doubt it"]


@pytest.mark.parametrize(
    ("reply", "kept"),
    [
        ("", False),
        ("> only what somebody else wrote", False),
        ("https://example.org/a", False),
        ("See https://example.org/a for more", False),  # 3 words beside one link, fewer than 8
        ("one two three four five six seven https://example.org", False),  # 7
        ("one two three four five six seven eight https://example.org", True),  # 8
        ("one two three four five six seven eight www.a.org www.b.org", False),  # 8 for two
        ("Yes", True),
    ],
)
def test_replies_that_are_mostly_links_or_nothing_are_left_out(reply: str, kept: bool) -> None:
    assert len(list(clean_pairs([pair(reply)]))) == kept


def test_a_context_without_own_words_is_left_out() -> None:
    quote = Post(2, Kind.COMMENT, "> only a quote", parent=1)
    assert list(clean_pairs([pair("Indeed", STORY, quote)])) == []


def test_what_is_answered_tells_the_kind() -> None:
    assert not answers_comment(pair("Yes").context)
    assert answers_comment(pair("Yes", STORY, Post(2, Kind.COMMENT, "So?", parent=1)).context)


def test_negatives_are_different_ones_from_other_threads() -> None:
    threads = np.array([5, 3, 5, 8, 3, 3, 9])
    drawn = draw_negatives(threads, 4, np.random.default_rng(0))
    assert drawn.shape == (7, 4)
    for row, places in enumerate(drawn):
        assert len(set(places.tolist())) == 4 and threads[row] not in threads[places]
    # thread 3 has three of the seven, so its rows get all four others
    assert sorted(drawn[1].tolist()) == [0, 2, 3, 6]


def test_every_other_reply_is_drawn_about_equally_often() -> None:
    threads = np.repeat(np.arange(5), 2)
    rng = np.random.default_rng(0)
    counts = sum(np.bincount(draw_negatives(threads, 3, rng)[0], minlength=10) for _ in range(2000))
    assert counts[:2].tolist() == [0, 0]  # its own thread
    assert all(abs(count - 750) < 100 for count in counts[2:])  # 2000 * 3 / 8


def test_too_few_others_are_refused() -> None:
    with pytest.raises(ValueError, match="5 replies from other threads were wanted; there are 4"):
        draw_negatives(np.array([5, 3, 5, 8, 3, 3, 9]), 5, np.random.default_rng(0))


def test_some_are_drawn_without_holding_all() -> None:
    numbers = list(range(1000, 1050))
    expected = [numbers[place] for place in sorted(np.random.default_rng(3).permutation(50)[:7])]
    assert drawn(lambda: iter(numbers), 7, np.random.default_rng(3)) == expected
    assert drawn(lambda: iter(numbers), 80, np.random.default_rng(3)) == numbers
    assert drawn(lambda: iter([]), 7, np.random.default_rng(3)) == []

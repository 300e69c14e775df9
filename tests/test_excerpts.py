"""So much of a long text as is read: its end, whose beginning stays where it is while a draft grows."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rejoinder.post import Kind, Post
from rejoinder.serve.http.excerpts import end_of, nearest_posts

TEXTS = st.lists(st.text("ab ", max_size=9), max_size=200).map("".join)


@given(TEXTS, st.integers(1, 300))
def test_the_end_of_a_text_begins_with_a_word_and_is_no_longer(text: str, most: int) -> None:
    end = end_of(text, most)
    assert text.endswith(end) and len(end) <= most
    assert end == text if len(text) <= most else end[:1] in ("", " ") or " " not in end


def test_the_beginning_stays_while_a_draft_grows() -> None:
    """At most 10,000 characters, in strides of 4,096: of 12,000 to 14,095 it begins at the first blank from the 4,096th on."""
    text = "a" * 4_095 + " " + "word " * 4_000
    begins = {len(text[:size]) - len(end_of(text[:size], 10_000)) for size in range(12_000, 14_096)}
    assert begins == {4_100}  # "word " five letters from 4,096 on: its blank is the 4,100th
    assert {len(text[:size]) - len(end_of(text[:size], 10_000)) for size in (10_000, 14_097)} - begins


def test_of_what_is_answered_the_nearest_are_read_and_the_root() -> None:
    """Posts of 40 letters, 100 in all: the last two fit, and the root stands before them; a last one that is too long is cut."""
    posts = [Post(number, Kind.COMMENT, f"{number} " * 20, title="Root" if number == 1 else "") for number in range(1, 6)]
    assert [post.id for post in nearest_posts(posts, 100)] == [1, 4, 5]
    assert nearest_posts(posts, 1_000) == tuple(posts) and nearest_posts([], 9) == ()
    long = nearest_posts([posts[0], Post(2, text="so long " * 100)], 50)
    assert [post.id for post in long] == [1, 2] and len(long[1].text) <= 50 and long[0].title == "Root"

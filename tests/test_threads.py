"""Parent links to threads: worked by hand, and against a slow oracle of dictionaries and a breadth-first walk."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rejoinder.archive import settling, threads
from rejoinder.archive.threads import NONE, Links, NewArray, find_threads
from rejoinder.post import Kind, Post, Thread

PROPERTY = settings(max_examples=60, derandomize=True, database=None)


class Said(NamedTuple):
    """What one post says of its place."""

    id: int
    parent: int | None = None
    story: int | None = None
    opens: bool = False


def found(posts: Iterable[Said], new: NewArray = np.empty) -> dict[int, tuple[int, bool]]:
    """What `find_threads` finds: id -> key, whether on a circle."""
    posts = list(posts)

    def column(values: Iterable[int | None]) -> np.ndarray:
        return np.array([NONE if value is None else value for value in values], dtype=np.int64)

    links = Links(
        column(post.id for post in posts),
        column(post.parent for post in posts),
        column(post.story for post in posts),
        np.array([post.opens for post in posts], dtype=bool),
    )
    there = find_threads(links, new)
    assert there.key.shape == there.circular.shape == (len(posts),)
    return {post.id: (int(k), bool(c)) for post, k, c in zip(posts, there.key, there.circular, strict=True)}


def keys(posts: Iterable[Said]) -> dict[int, int]:
    return {number: key for number, (key, _) in found(posts).items()}


def circular(posts: Iterable[Said]) -> set[int]:
    return {number for number, (_, on_circle) in found(posts).items() if on_circle}


# --- worked by hand ------------------------------------------------------------------------------------------------


def test_a_story_and_all_below_it_are_one_thread_under_its_id() -> None:
    # 1 opens; 5 and 3 answer it; 4 answers 5; the other story 2 stands alone
    posts = [Said(1, opens=True), Said(5, 1), Said(3, 1), Said(4, 5), Said(2, opens=True)]
    assert keys(posts) == {1: 1, 5: 1, 3: 1, 4: 1, 2: 2}


def test_a_comment_alone_is_a_thread_of_its_own() -> None:
    assert keys([Said(7)]) == {7: 7}


def test_no_posts_make_no_threads() -> None:
    assert keys([]) == {}


def test_the_key_of_orphans_is_the_parent_that_is_not_here() -> None:
    assert keys([Said(11, 5), Said(12, 5), Said(13, 12)]) == {11: 5, 12: 5, 13: 5}


def test_the_key_is_the_topmost_ancestor_and_not_the_smallest_id() -> None:
    assert keys([Said(9), Said(3, 9), Said(2, 3)]) == {9: 9, 3: 9, 2: 9}


def test_a_story_field_names_the_key_also_of_those_above_and_below() -> None:
    # only 21 says that the story is 90; 20 above it and 22 below it belong there too, though 20 is the topmost here
    assert keys([Said(20), Said(21, 20, story=90), Said(22, 21)]) == {20: 90, 21: 90, 22: 90}


def test_comments_of_one_story_that_is_not_here_share_its_key() -> None:
    assert keys([Said(5, 4, story=3), Said(8, 7, story=3), Said(9, 8)]) == {5: 3, 8: 3, 9: 3}


def test_a_parent_and_a_story_that_are_the_same_absent_id_join() -> None:
    assert keys([Said(10, story=7), Said(11, 7)]) == {10: 7, 11: 7}


def test_an_opening_post_goes_before_a_smaller_topmost_id() -> None:
    # 4 has two lines up: by parent to 2 (not here), by story to 3. What a story field names is the key.
    assert keys([Said(3, opens=True), Said(4, 2, story=3)]) == {3: 3, 4: 3}


def test_two_stories_that_are_linked_take_the_smaller_id() -> None:
    assert keys([Said(1, opens=True), Said(2, opens=True), Said(5, 2, story=1)]) == {1: 1, 2: 1, 5: 1}


def test_a_story_with_a_parent_does_not_open_a_thread() -> None:
    # 2 is of a kind that opens threads, yet it answers 8: the top is 8
    assert keys([Said(2, 8, opens=True), Said(3, 2)]) == {2: 8, 3: 8}


def test_a_circle_is_a_thread_under_its_smallest_id() -> None:
    posts = [Said(6, 4), Said(4, 5), Said(5, 6)]
    assert keys(posts) == {4: 4, 5: 4, 6: 4}
    assert circular(posts) == {4, 5, 6}


def test_what_hangs_below_a_circle_is_in_its_thread_but_not_on_it() -> None:
    posts = [Said(4, 5), Said(5, 4), Said(6, 5), Said(3, 6)]
    assert keys(posts) == {4: 3, 5: 3, 6: 3, 3: 3}  # no top, no story: the smallest id of all
    assert circular(posts) == {4, 5}


def test_a_circle_with_a_story_takes_the_storys_key() -> None:
    assert keys([Said(4, 5, story=9), Said(5, 4)]) == {4: 9, 5: 9}


def test_a_post_that_is_its_own_parent_is_on_a_circle() -> None:
    posts = [Said(5, 5), Said(7, 5), Said(8)]
    assert keys(posts) == {5: 5, 7: 5, 8: 8}
    assert circular(posts) == {5}


def test_a_story_that_names_itself_is_no_circle() -> None:
    assert found([Said(5, story=5, opens=True), Said(6, 5, story=5)]) == {5: (5, False), 6: (5, False)}


def test_the_largest_ids_do_not_overflow() -> None:
    top = 2**63 - 1
    assert keys([Said(top, top - 1), Said(top - 2, story=top)]) == {top: top, top - 2: top}


# --- the oracle ----------------------------------------------------------------------------------------------------


def slow(posts: Sequence[Said]) -> dict[int, tuple[int, bool]]:
    """The same, one post and one link at a time, as the module's docstring words it."""
    by_id = {post.id: post for post in posts}
    linked: dict[int, set[int]] = {}
    for post in posts:
        linked.setdefault(post.id, set())
        for other in (post.parent, post.story):
            if other is not None:
                linked[post.id].add(other)
                linked.setdefault(other, set()).add(post.id)

    def reached(start: int) -> set[int]:
        seen, queue = {start}, deque([start])
        while queue:
            for other in linked[queue.popleft()] - seen:
                seen.add(other)
                queue.append(other)
        return seen

    def key(thread: set[int]) -> int:
        here = [by_id[number] for number in thread if number in by_id]
        named = {post.story for post in here if post.story is not None}
        named |= {post.id for post in here if post.opens and post.parent is None}
        tops = {number for number in thread if number not in by_id or by_id[number].parent is None}
        return min(named or tops or thread)

    def comes_back(start: int) -> bool:
        at, seen = by_id[start].parent, set()
        while at in by_id and at not in seen and at != start:
            seen.add(at)
            at = by_id[at].parent
        return at == start

    return {post.id: (key(reached(post.id)), comes_back(post.id)) for post in posts}


def test_the_oracle_gives_what_was_worked_by_hand() -> None:
    posts = [Said(1, opens=True), Said(5, 1), Said(11, 9), Said(20, 21), Said(21, 20, story=90), Said(22, 21)]
    assert slow(posts) == {1: (1, False), 5: (1, False), 11: (9, False), 20: (90, True), 21: (90, True), 22: (90, False)}


@st.composite
def archives(draw: st.DrawFn) -> list[Said]:
    """Few ids and many links, so that chains, circles, joins and absent parents all occur; no post is its own parent."""
    ids = draw(st.lists(st.integers(1, 25), unique=True, max_size=20))
    link = st.one_of(st.none(), st.integers(1, 30))
    rare = st.one_of(st.none(), st.none(), st.none(), st.integers(1, 30))
    posts = [Said(number, draw(link), draw(rare), draw(st.booleans())) for number in ids]
    return [post._replace(parent=None) if post.parent == post.id else post for post in posts]


@PROPERTY
@given(archives())
def test_threads_are_those_of_the_slow_oracle(posts: list[Said]) -> None:
    assert found(posts) == slow(posts)


@PROPERTY
@given(archives(), st.integers(1, 7))
def test_threads_are_the_same_in_files_and_however_few_are_worked_on_at_a_time(posts: list[Said], at_once: int) -> None:
    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as directory:
        patch.setattr(threads, "_AT_ONCE", at_once)
        patch.setattr(settling, "_IN_MEMORY", -1 if posts else 0)  # an empty file cannot be mapped, and an empty array needs none
        assert found(posts, settling._mapped(Path(directory))) == slow(posts)
        assert not list(Path(directory).iterdir())


@PROPERTY
@given(archives(), st.randoms(use_true_random=False))
def test_the_order_of_the_posts_does_not_matter(posts: list[Said], rng: random.Random) -> None:
    shuffled = rng.sample(posts, len(posts))
    assert found(shuffled) == found(posts)


# --- depth and size ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["as written", "reversed", "shuffled"])
def test_a_chain_5_000_deep_is_one_thread(order: str) -> None:
    ids = list(range(1, 5_001))
    if order == "reversed":
        ids.reverse()
    elif order == "shuffled":
        random.Random(0).shuffle(ids)
    posts = [Said(ids[0], opens=True), *(Said(below, above) for above, below in pairwise(ids))]
    assert found(posts) == dict.fromkeys(ids, (ids[0], False))


def test_a_circle_of_5_000_is_found_whole() -> None:
    posts = [Said(number, number % 5_000 + 1) for number in range(1, 5_001)]
    assert found([*posts, Said(6_000, 17)]) == {**dict.fromkeys(range(1, 5001), (1, True)), 6_000: (1, False)}


def test_the_cost_of_a_chain_is_about_that_of_its_length() -> None:
    def seconds(depth: int) -> float:
        ids = random.Random(0).sample(range(1, depth + 1), depth)
        posts = [Said(below, above) for above, below in pairwise(ids)]
        began = process_time()
        keys(posts)
        return process_time() - began

    small = min(seconds(5_000) for _ in range(3))
    assert any(seconds(40_000) < 32 * small for _ in range(3))  # 8 times the posts; the square would be 64 times


# --- a thread in hand ----------------------------------------------------------------------------------------------


def said(number: int, parent: int | None = None, text: str = "words", title: str = "") -> Post:
    return Post(number, Kind.STORY if title else Kind.COMMENT, text, title, parent)


def test_the_context_of_a_post_runs_from_the_root_to_its_parent() -> None:
    posts = [said(1, None, "", "Title"), said(2, 1), said(3, 2), said(4, 2), said(5, 3)]
    assert [post.id for post in Thread(1, posts).context(posts[4])] == [1, 2, 3]


def test_the_context_of_a_root_is_empty() -> None:
    assert Thread(1, [said(1)]).context(said(1)) == ()


def test_a_limit_keeps_the_nearest_of_the_context() -> None:
    posts = [said(1), *(said(number, number - 1) for number in range(2, 8))]
    assert [post.id for post in Thread(1, posts).context(posts[6], limit=2)] == [5, 6]


def test_posts_without_words_are_passed_over_in_the_context() -> None:
    posts = [said(1), said(2, 1, text=""), said(3, 2), said(4, 3)]
    assert [post.id for post in Thread(1, posts).context(posts[3], limit=2)] == [1, 3]


def test_the_context_of_an_orphan_ends_where_the_archive_does() -> None:
    posts = [said(3, 2), said(4, 3)]
    assert [post.id for post in Thread(2, posts).context(posts[1])] == [3]


def test_a_circle_ends_the_context() -> None:
    posts = [said(1, 3), said(2, 1), said(3, 2), said(4, 4)]
    thread = Thread(1, posts)
    assert [[above.id for above in thread.context(post)] for post in posts] == [[2, 3], [3, 1], [1, 2], []]


def test_the_context_of_a_thread_5_000_deep_is_its_opening_and_the_nearest_200() -> None:
    posts = [said(1), *(said(number, number - 1) for number in range(2, 5_001))]
    thread = Thread(1, posts)
    assert [post.id for post in thread.context(posts[-1])] == [1, *range(4_800, 5_000)]
    assert [post.id for post in thread.context(posts[-1], limit=5_000)] == list(range(1, 5_000))


def test_a_pair_is_a_reply_with_words_to_a_post_with_words() -> None:
    posts = [
        said(1, None, "", "Title"),
        said(2, 1),  # answers 1
        said(3, 1, text=""),  # has no words
        said(4, 3),  # what it answers has none
        said(5, 9),  # what it answers is not here
        said(6, 6),  # answers itself
        said(7, 2),  # answers 2, below 1
    ]
    pairs = [([post.id for post in pair.context], pair.reply.id) for pair in Thread(1, posts).pairs()]
    assert pairs == [([1], 2), ([1, 2], 7)]

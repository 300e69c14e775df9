"""Threads as streams of tokens, and the windows that training reads."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from conftest import make_corpus
from hypothesis import given
from hypothesis import strategies as st

from rejoinder.post import Kind, Post
from rejoinder.text.streams import Stream, Windows, write_stream
from rejoinder.text.tensors import open_tokenizer


def passages(posts: list[Post], directory: Path, context: int = 100) -> list[list[tuple[str, bool]]]:
    """For each passage, the words of each post in it and whether they count."""
    corpus = make_corpus(directory, posts, everything=True)
    tokenizer = open_tokenizer(corpus.tokens)
    stream = write_stream(corpus, tokenizer, "train", context, directory / "streams")
    found = []
    for first, last in zip(stream.offsets[:-1], stream.offsets[1:], strict=True):
        ends = [first, *(np.flatnonzero(stream.tokens[first:last] == tokenizer.end) + first + 1)]
        found.append(
            [(tokenizer.decode(stream.tokens[a:b].tolist()), bool(stream.scored[a + 1 : b].all())) for a, b in pairwise(ends)]
        )
    return found


def reply(number: int, parent: int | None, text: str) -> Post:
    return Post(number, Kind.STORY if parent is None else Kind.COMMENT, text, parent=parent)


def test_a_passage_follows_a_discussion_down_and_another_begins_where_it_branches(tmp_path: Path) -> None:
    # Q ── A ── B
    #  └── C
    posts = [reply(1, None, "Q"), reply(2, 1, "A"), reply(3, 2, "B"), reply(4, 1, "C")]
    assert passages(posts, tmp_path) == [[("Q", True), ("A", True), ("B", True)], [("Q", False), ("C", True)]]


def test_a_branch_repeats_no_more_of_what_it_answers_than_asked(tmp_path: Path) -> None:
    posts = [reply(1, None, "one two three four five six"), reply(2, 1, "A"), reply(3, 1, "B")]
    long, short = passages(posts, tmp_path, context=3)
    assert long[0] == ("one two three four five six", True)
    assert short[0][0] in "four five six" and not short[0][1] and short[1:] == [("B", True)]  # the end of it


def test_links_that_run_in_a_circle_or_leave_the_archive_end(tmp_path: Path) -> None:
    posts = [reply(1, 2, "A"), reply(2, 1, "B"), reply(3, 3, "C"), reply(4, 999, "D")]
    counted = [words for passage in passages(posts, tmp_path) for words, counts in passage if counts]
    assert sorted(counted) == ["A", "B", "C", "D"]


def test_separators_that_begin_posts_are_given_not_guessed(tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path, [reply(1, None, "Q"), reply(2, 1, "A")], everything=True)
    tokenizer = open_tokenizer(corpus.tokens)
    stream = write_stream(corpus, tokenizer, "train", 10, tmp_path / "streams")
    q, a = tokenizer.encode("Q"), tokenizer.encode("A")
    assert stream.tokens.tolist() == [tokenizer.post, *q, tokenizer.end, tokenizer.reply, *a, tokenizer.end]
    assert stream.scored.tolist() == [False, *[True] * (len(q) + 1), False, *[True] * (len(a) + 1)]


def test_a_corpus_may_say_how_often_its_threads_are_read(tmp_path: Path) -> None:
    corpus = make_corpus(
        tmp_path, [reply(1, None, "Q"), reply(2, 1, "A"), reply(3, 1, "B"), reply(4, None, "C")], everything=True
    )
    tokenizer = open_tokenizer(corpus.tokens)
    assert write_stream(corpus, tokenizer, "train", 10, tmp_path / "once").times is None
    threads = [(thread, 3.0 if thread.posts[0].id == 1 else 0.5) for thread in corpus.threads("train")]
    corpus.threads_and_passes = lambda part: iter(threads)  # type: ignore[method-assign]
    stream = write_stream(corpus, tokenizer, "train", 10, tmp_path / "often")
    assert stream.times is not None and sorted(stream.times.tolist()) == [0.5, 3.0, 3.0]  # Q A, Q B; C


@st.composite
def streams(draw: st.DrawFn) -> Stream:
    """Passages of different lengths; each token is its own place, so that a target can be checked."""
    lengths = draw(st.lists(st.integers(2, 9), min_size=1, max_size=30))
    offsets, size = np.cumsum([0, *lengths]), sum(lengths)
    scored = np.array(draw(st.lists(st.booleans(), min_size=size, max_size=size)))
    scored[offsets[:-1]] = False  # a separator
    return Stream(np.arange(size, dtype=np.uint16), scored, offsets)


@given(streams(), st.integers(1, 40), st.integers(1, 40), st.integers(0, 2))
def test_each_epoch_counts_every_token_once_after_the_one_before_it(stream: Stream, batch: int, steps: int, epoch: int) -> None:
    windows = Windows(stream, batch, steps, seed=7)
    counted: list[int] = []
    for step in range(epoch * windows.epoch, (epoch + 1) * windows.epoch):
        window = windows[step]
        counts = window.weights > 0
        assert window.tokens.shape == window.targets.shape == (batch, steps)
        assert np.array_equal(window.targets[counts], window.tokens[counts] + 1)
        assert np.array_equal(window.keep == 0, np.isin(window.tokens, stream.offsets[:-1]))
        counted += window.targets[counts].tolist()
    assert sorted(counted) == np.flatnonzero(stream.scored).tolist()


def test_windows_are_a_function_of_the_step_alone_and_epochs_differ() -> None:
    stream = Stream(np.arange(600, dtype=np.uint16), np.ones(600, dtype=bool), np.arange(0, 601, 6))
    one, other = Windows(stream, 4, 10, seed=3), Windows(stream, 4, 10, seed=3)
    steps = [1, 40, 2, 17, 16]
    for step in steps:
        assert np.array_equal(one[step].tokens, other[step].tokens)
    assert np.array_equal(one[1].tokens, Windows(stream, 4, 10, seed=3)[1].tokens)
    assert not np.array_equal(one[0].tokens, one[one.epoch].tokens)
    assert np.array_equal(Windows(stream, 4, 10, None)[0].tokens, Windows(stream, 4, 10, None)[one.epoch].tokens)


def test_an_epoch_lays_each_passage_as_often_as_it_was_told_in_another_order() -> None:
    """Passage d is the tokens 6d to 6d + 5. Of those that are to be read half the time every one comes in one of two epochs."""
    times = np.repeat([3.0, 0.5, 0.0, 1.25], 25)
    stream = Stream(np.arange(600, dtype=np.uint16), np.ones(600, dtype=bool), np.arange(0, 601, 6), times)
    windows = Windows(stream, 4, 10, seed=3)
    laid = []
    for epoch in range(4):
        ends = windows._order(epoch)[1]
        assert abs(ends[-1] - windows.size) <= 6 * 25  # near what it should be
        steps = range(epoch * windows.epoch, (epoch + 1) * windows.epoch)
        counted = np.concatenate([windows[step].targets[windows[step].weights > 0] for step in steps])
        laid.append(np.bincount(counted[counted % 6 == 3] // 6, minlength=100))
    read = np.array(laid)
    assert abs(read[:, :25].sum() - 300) <= 60 and not read[:, 50:75].any()  # what is too much for an epoch is left out
    order = np.array([np.bincount(windows._order(epoch)[0], minlength=100) for epoch in range(4)])
    assert (
        (order[:, :25] == 3).all() and (order[0] + order[1])[25:50].tolist() == [1] * 25 and (order.sum(axis=0)[75:] == 5).all()
    )
    assert windows._order(0)[0].tolist() != windows._order(1)[0].tolist()


def test_a_lane_goes_on_where_its_last_window_ended() -> None:
    stream = Stream(np.arange(100, dtype=np.uint16), np.ones(100, dtype=bool), np.array([0, 100]))
    windows = Windows(stream, 2, 7, None)
    assert windows[0].tokens[:, -1].tolist() == [6, 56] and windows[1].tokens[:, 0].tolist() == [7, 57]


@pytest.mark.parametrize("part", ["train", "dev"])
def test_an_empty_part_gives_an_empty_stream(part: str, tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path, [reply(1, None, "Q")], everything=True)
    if part == "dev":
        assert not len(write_stream(corpus, open_tokenizer(corpus.tokens), "dev", 10, tmp_path / "s").tokens)

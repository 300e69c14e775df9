"""Counting by maps over shards and merges: however the threads are cut, and whoever maps them, what comes of it is the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rejoinder.corpus import sampled
from rejoinder.post import Kind, Post, State, Thread
from rejoinder.scale.processes import Processes
from rejoinder.text import ownership
from rejoinder.text.calls import Call, CallRunner, InThisProcess, Told, perform
from rejoinder.text.ownership import RUN
from rejoinder.text.phrases import Phrases
from rejoinder.text.shards import Arrays, Shards, StoredArrays, cut, read_shard, rows_by_key, write_shard
from rejoinder.text.words import words

ALPHABET = "one two three four five six".split()
TEXTS = st.lists(st.sampled_from(ALPHABET), max_size=24).map(" ".join)
POSTS = st.lists(st.tuples(TEXTS, st.sampled_from([None, b"x", b"y"])), max_size=12)
LONG = " ".join(ALPHABET[int(at)] for at in np.random.default_rng(1).integers(0, 6, 60))
OWN = " ".join(f"word{letter}" for letter in "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz")
SAID = [
    (LONG, None),
    (LONG[:150], b"x"),
    (f"so {LONG[40:]}", b"y"),
    (LONG.upper(), None),
    ("", b"x"),
    (LONG[80:], b"x"),
    (OWN, b"z"),
]


def threads_of(said: Sequence[tuple[str, bytes | None]]) -> list[Thread]:
    """Two posts a thread."""
    posts = [Post(number, text=text, author=author) for number, (text, author) in enumerate(said, start=1)]
    return [Thread(posts[first].id, tuple(posts[first : first + 2])) for first in range(0, len(posts), 2)]


def kept_slowly(threads: Sequence[Thread]) -> set[tuple[str, ...]]:
    """The runs that are kept: one writer's at even places of a post, and at odd ones beside a shared one."""
    writers: defaultdict[tuple[str, ...], set[object]] = defaultdict(set)
    first: dict[tuple[str, ...], object] = {}
    kept: set[tuple[str, ...]] = set()
    posts = [(post, words(post.text)) for thread in threads for post in thread.posts]
    spans = {post.id: [tuple(said[at : at + RUN]) for at in range(len(said) - RUN + 1)] for post, said in posts}
    for post, said in posts:
        first.setdefault(tuple(said), post.author or post.id)
        for run in spans[post.id]:
            writers[run].add(post.author or first[tuple(said)])
    for runs in spans.values():
        shared = [len(writers[run]) > 1 for run in runs]
        kept |= {run for at, run in enumerate(runs) if not shared[at] and (at % 2 == 0 or any(shared[at - 1 : at + 2]))}
    return kept


def bits(found: Phrases) -> tuple[bytes, int, bytes]:
    assert found.lexicon is not None
    return found.array.tobytes(), found.runs, found.lexicon.hashes.tobytes()


@settings(max_examples=50)
@given(POSTS, st.integers(1, 400))
def test_phrases_are_the_same_however_the_threads_are_cut(said: list[tuple[str, bytes | None]], size: int) -> None:
    threads = threads_of(said)
    whole = Phrases.build(post for thread in threads for post in thread.posts)
    assert bits(Phrases.count(Shards(lambda: threads, size=size))) == bits(whole)
    assert whole.runs == len(kept_slowly(threads))


class AnyOrder:
    """Does calls backwards, each twice, as a cluster may."""

    count = threads = 4

    def run(self, calls: Sequence[Call], told: Told = lambda done, total: None) -> None:
        for call in [*calls[::-1], *calls]:
            perform(call)


@pytest.mark.parametrize("runner", [InThisProcess(), AnyOrder(), Processes(2)], ids=lambda runner: type(runner).__name__)
def test_phrases_are_the_same_whoever_counts(tmp_path: Path, runner: CallRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = bits(Phrases.build(post for thread in threads_of(SAID) for post in thread.posts))
    monkeypatch.setattr(ownership, "AT_A_TIME", 3)
    found = Phrases.count(Shards(lambda: threads_of(SAID), tmp_path, runner, size=1))
    assert bits(found) == whole and found.runs > 10


def test_a_text_is_its_first_senders_in_whatever_shard_it_is_sent_again() -> None:
    """The second sender is not known, so all of it stays the first one's."""
    threads = threads_of([(OWN, b"x"), ("", None), (OWN, None)])
    assert Phrases.count(Shards(lambda: threads, size=1)).runs == len(kept_slowly(threads)) > 10


def test_a_filter_made_in_parts_is_the_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = np.random.default_rng(0).integers(0, 2**63, 500).astype(np.uint64)
    whole = Phrases.of(runs, 8_003)
    for part, at_once in ((1, 500), (100, 7), (1_001, 1)):
        monkeypatch.setattr("rejoinder.text.phrases._PART", part)
        monkeypatch.setattr("rejoinder.text.phrases._AT_ONCE", at_once)
        assert np.array_equal(Phrases.of(runs, 8_003).array, whole.array)
    marked = np.unpackbits(whole.array)
    assert 3_900 < marked.sum() < 4_100  # 8,008 (1 - e^(-5500 / 8008)) = 3,979


# --- the shards ----------------------------------------------------------------------------------------------------------


def test_threads_are_cut_whole_and_none_is_lost() -> None:
    threads = threads_of([("four" * at, None) for at in range(9)])  # 4, 20, 36, 52, 32 characters, in two posts each
    assert [[thread.key for thread in some] for some in cut(threads, 50)] == [[1, 3, 5], [7], [9]]
    assert [len(some) for some in cut(threads, 1)] == [1] * 5 and list(cut([], 1)) == [[]]


def test_no_more_posts_are_held_than_asked_for_and_all_where_they_are_few() -> None:
    threads = [Thread(key, (Post(key), Post(key + 1))) for key in range(0, 2_000, 2)]
    assert sampled(iter(threads), 2_000) == threads
    some = [thread.key for thread in sampled(iter(threads), 500)]
    assert 2 * len(some) <= 500 < 8 * len(some) and some == sorted(some)
    assert {key for key in some if key < 1_000} <= {thread.key for thread in sampled(iter(threads[:500]), 500)}


POST = st.builds(
    Post,
    id=st.integers(-(2**63), 2**63 - 1),
    kind=st.sampled_from(Kind),
    text=st.text(st.characters()),
    title=st.text(max_size=9),
    parent=st.none() | st.integers(0, 9),
    time=st.none() | st.integers(),
    author=st.none() | st.binary(max_size=16),
    score=st.none() | st.integers(),
    state=st.sampled_from(State),
    solved=st.none() | st.booleans(),
)


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 2**63 - 1), st.lists(POST, max_size=3)), max_size=3))
def test_threads_pass_through_a_file_as_they_are(
    tmp_path_factory: pytest.TempPathFactory, made: list[tuple[int, list[Post]]]
) -> None:
    file = tmp_path_factory.getbasetemp() / "shard.jsonl"
    threads = [Thread(key, tuple(posts)) for key, posts in made]
    write_shard(file, threads)
    assert list(read_shard(file)) == threads
    assert [type(post.kind) for thread in read_shard(file) for post in thread.posts] == [Kind] * sum(len(p) for _, p in made)


@settings(max_examples=50)
@given(st.lists(st.lists(st.integers(0, 2**64 - 1)), max_size=4), st.integers(1, 9))
def test_rows_come_by_key_and_then_by_shard(made: list[list[int]], at_a_time: int) -> None:
    left = [{"key": np.sort(np.array(keys, np.uint64)), "from": np.full(len(keys), number)} for number, keys in enumerate(made)]
    rows = [
        pair
        for keys, whose, shard in rows_by_key(left, ("key", "from"), at_a_time)
        for pair in zip(keys.tolist(), whose.tolist(), strict=True)
    ]
    assert rows == sorted((key, number) for number, keys in enumerate(made) for key in keys)


def lengths(threads: Iterable[Thread], more: int) -> Arrays:
    return {"length": np.array([len(post.text) + more for thread in threads for post in thread.posts])}


def test_what_a_map_left_is_dropped_and_only_maps_of_ours_are_called(tmp_path: Path) -> None:
    whole = Shards(lambda: threads_of(SAID), tmp_path, size=1)
    left = whole.map(lengths, more=1)
    assert [arrays["length"].tolist() for arrays in left] == [
        [len(text) + 1 for text, _ in SAID[at : at + 2]] for at in (0, 2, 4, 6)
    ]
    assert all(isinstance(arrays, StoredArrays) and list(arrays) == ["length"] for arrays in left)
    whole.drop(left)
    assert not list(tmp_path.iterdir())
    with pytest.raises(ValueError, match="none of ours"):
        Shards(lambda: threads_of(SAID), tmp_path, AnyOrder()).map(lengths, more=1)

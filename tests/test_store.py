"""The archive: what goes in, what changes, what is gone for good, and what other processes see meanwhile."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rejoinder.archive.authors import author_hasher
from rejoinder.archive.batches import batches
from rejoinder.archive.info import read_info
from rejoinder.archive.places import origin, place, places
from rejoinder.archive.reader import ArchiveCorpus, fingerprint
from rejoinder.archive.schema import APPLICATION_ID, MIGRATIONS, check_ours
from rejoinder.archive.source import Gone, Hasher, Item, Record, Skipped, Source
from rejoinder.archive.sources.hackernews import SOURCE as HACKER_NEWS
from rejoinder.archive.sources.hackernews import read_record
from rejoinder.archive.split import Split, hash_split
from rejoinder.archive.store import Archive, Counts
from rejoinder.archive.threads import NONE, Links, find_threads
from rejoinder.errors import ArchiveBusy, ArchiveError, SourceError, UnknownPost, UsageError
from rejoinder.post import LONGEST_CONTEXT, Kind, Origin, Post, State, Thread

PROPERTY = settings(max_examples=25, derandomize=True, database=None)


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with Archive.open(tmp_path / "archive.db", create=True) as made:
        yield made


def in_memory() -> Archive:
    """An archive that no other connection sees: as good as a file where only the contents matter, and faster."""
    return Archive.open(Path(":memory:"), create=True)


def story(number: int, **more: Any) -> Post:
    return Post(number, Kind.STORY, **{"title": f"Title {number}", **more})


def reply(number: int, parent: int | None = None, text: str = "words", **more: Any) -> Post:
    return Post(number, Kind.COMMENT, text, parent=parent, **more)


def contents(archive: Archive) -> list[Post]:
    return list(archive.posts("1 ORDER BY id"))


def placed(archive: Archive) -> dict[int, tuple[int, int, int]]:
    """id -> key of its thread, part, whether on a circle."""
    return {number: (key, part, circle) for number, key, part, circle in archive.query("SELECT * FROM place")}


def figures(counts: Counts) -> tuple[int, int, int, int, int]:
    return counts.lines, counts.new, counts.updated, counts.unchanged, counts.skipped


def raw_bytes(path: Path) -> bytes:
    """All the bytes of the archive's files: the file itself and what SQLite keeps beside it."""
    return b"".join(file.read_bytes() for file in sorted(path.parent.glob(f"{path.name}*")))


# --- taking in -----------------------------------------------------------------------------------------------------


def test_every_field_of_a_post_comes_back(archive: Archive) -> None:
    post = Post(2**62, Kind.STORY, "é > \U0001f600\n\n  code", "T", 5, 6, -7, b"\x00\xff", "https://e.org", -8)
    archive.add([post])
    assert contents(archive) == [post._replace(thread=6)]


def test_the_second_time_nothing_changes(archive: Archive) -> None:
    items = [story(1), reply(2, 1), reply(3, 99), Post(4, parent=2, state=State.DEAD), Skipped("bad", "x:5")]
    assert figures(archive.add(items)) == (5, 4, 0, 0, 1)
    before = contents(archive), placed(archive), archive.meta("revision")
    assert figures(archive.add(items)) == (5, 0, 0, 4, 1)
    assert (contents(archive), placed(archive), archive.meta("revision")) == before


def test_skipped_items_are_counted_by_reason_with_the_first_place_of_each(archive: Archive) -> None:
    counts = archive.add(
        [Skipped("no id", "f:1"), reply(1), Skipped("not JSON", "f:3"), Skipped("no id", "f:4"), Gone(9, "item/9")]
    )
    assert counts.reasons == {"no id": 2, "not JSON": 1, "deleted, or no such item": 1}
    assert counts.examples == {"no id": "f:1", "not JSON": "f:3", "deleted, or no such item": "item/9"}
    assert figures(counts) == (5, 1, 0, 0, 4)


def test_nothing_is_no_error(archive: Archive) -> None:
    assert figures(archive.add([])) == (0, 0, 0, 0, 0)


def test_counts_may_go_on_from_file_to_file(archive: Archive) -> None:
    counts = archive.add([reply(1), Skipped("bad", "a:2")])
    archive.add([reply(1), reply(2), Skipped("bad", "b:3")], counts)
    assert figures(counts) == (5, 2, 0, 1, 2)
    assert counts.examples == {"bad": "a:2"}


def test_progress_is_told_after_every_batch(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rejoinder.archive.store.BATCH", 4)
    told: list[int] = []
    archive.add(map(reply, range(1, 11)), progress=told.append)
    assert told == [4, 8, 10]


def test_a_transaction_is_bounded_by_its_text_as_well_as_by_its_posts(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rejoinder.archive.store.BATCH_SIZE", 1_000)
    seen: list[int] = []
    archive.add((Post(number, text="a" * 300) for number in range(1, 11)), progress=seen.append)
    assert seen == [4, 8, 10]  # 4 times 300 is the first to go beyond 1,000


def test_a_source_that_breaks_off_loses_nothing_that_came_before(archive: Archive) -> None:
    def source() -> Iterator[Item]:
        yield from (story(1), reply(2, 1), Skipped("bad", "x"))
        raise SourceError("breaks off")

    counts = Counts()
    with pytest.raises(SourceError, match="breaks off"):
        archive.add(source(), counts)
    assert figures(counts) == (3, 2, 0, 0, 1)
    assert {number: key for number, (key, _, _) in placed(archive).items()} == {1: 1, 2: 1}


def test_foreign_text_is_only_ever_a_value(archive: Archive) -> None:
    text = "'); DROP TABLE post; --\x00\" OR 1=1"
    archive.add([reply(1, text=text, url=text, title=text)])
    assert contents(archive) == [reply(1, text=text, url=text, title=text, thread=1)]


# --- the same id again ---------------------------------------------------------------------------------------------


def test_what_an_update_says_is_taken_and_what_it_does_not_say_stays(archive: Archive) -> None:
    archive.add([Post(1, Kind.COMMENT, "old", "", 5, 6, 100, b"author", "https://e.org", 3)])
    assert figures(archive.add([Post(1, Kind.COMMENT, "new", "", None, 7, None, None, None, 4)])) == (1, 0, 1, 0, 0)
    assert contents(archive) == [Post(1, Kind.COMMENT, "new", "", 5, 7, 100, b"author", "https://e.org", 4, thread=7)]


def test_an_update_without_words_leaves_the_words(archive: Archive) -> None:
    archive.add([story(1, text="said")])
    assert figures(archive.add([Post(1, Kind.STORY)])) == (1, 0, 0, 1, 0)
    assert archive.post(1).body == "Title 1\n\nsaid"


def test_the_same_id_twice_in_one_import_is_an_update(archive: Archive) -> None:
    assert figures(archive.add([reply(1, text="a"), reply(1, text="b"), reply(1, text="b")])) == (3, 1, 1, 1, 0)
    assert archive.post(1).text == "b"


@pytest.mark.parametrize("gone", [Post(2, parent=1, state=State.DELETED), Gone(2, "item/2")], ids=["deleted", "gone"])
def test_what_was_deleted_stays_deleted(archive: Archive, gone: Item) -> None:
    archive.add([story(1), reply(2, 1, "a secret", time=5, author=b"a", url="https://e.org", score=1)])
    assert figures(archive.add([gone])) == (1, 0, 1, 0, 0)
    deleted = Post(2, parent=1, time=5, state=State.DELETED, thread=1)
    assert contents(archive)[1] == deleted
    assert figures(archive.add([reply(2, 1, "a secret", time=5), gone])) == (2, 0, 0, 2, 0)
    assert contents(archive)[1] == deleted


def test_a_dead_post_loses_its_words_until_it_comes_back(archive: Archive) -> None:
    archive.add([reply(1, text="spam?")])
    archive.add([Post(1, state=State.DEAD)])
    assert contents(archive)[0].text == ""
    archive.add([reply(1, text="no spam")])
    assert archive.post(1).text == "no spam"


def test_a_deleted_story_is_still_a_story(archive: Archive) -> None:
    archive.add([story(1), reply(2, 1)])
    archive.add([Gone(1, "item/1")])
    assert [post.kind for post in contents(archive)] == [Kind.STORY, Kind.COMMENT]


SECRET = "xylophonequartz"


@pytest.mark.parametrize("size", [1, 40, 3_000])  # in a page, in a page that is full, in pages of its own
@pytest.mark.parametrize(
    "after",
    [
        Post(500, parent=1, state=State.DELETED),
        Gone(500, "x"),
        Post(500, state=State.DEAD),
        Post(500, Kind.COMMENT, "n", "n", url="n"),
    ],
    ids=["deleted", "gone", "dead", "edited"],
)
def test_words_that_were_deleted_are_gone_from_the_bytes_of_the_file(tmp_path: Path, after: Item, size: int) -> None:
    path = tmp_path / "archive.db"
    others = [reply(number, 1, f"something else {number}") for number in range(1, 1_000) if number != 500]
    with Archive.open(path, create=True) as archive:
        archive.add([reply(500, 1, f"{SECRET} " * size, title=SECRET, url=SECRET, author=SECRET.encode()), *others])
    assert SECRET.encode() in raw_bytes(path)
    with Archive.open(path) as archive:
        archive.add([after, Post(500, author=b"another")])
    assert SECRET.encode() not in raw_bytes(path)


# --- counts, against a slow oracle ---------------------------------------------------------------------------------


def slow_merge(old: Post, new: Post) -> Post:
    """What is known of a post after an update, field by field."""
    state = State.DELETED if old.state is State.DELETED else new.state
    merged = new._replace(
        text=new.text or old.text,
        title=new.title or old.title,
        **{
            name: getattr(old, name)
            for name in ("parent", "story", "time", "author", "url", "score", "solved", "answer")
            if getattr(new, name) is None
        },
        state=state,
    )
    if new.parent is None and old.parent is not None and new.kind is Kind.STORY:
        merged = merged._replace(kind=old.kind, title=old.title, story=old.story)
    elif new.parent is not None and old.parent is None and old.kind is Kind.STORY:
        merged = merged._replace(title=new.title)
    if state is not State.LIVE:
        merged = merged._replace(text="", title="", author=None, url=None, score=None, solved=None, answer=None)
    return merged


SMALL = st.one_of(st.none(), st.integers(1, 12))


@st.composite
def posts(draw: st.DrawFn) -> Post:
    """Posts as `read_record` makes them: those that are gone have no words."""
    kind, state = (
        draw(st.sampled_from(Kind)),
        draw(st.sampled_from([State.LIVE, State.LIVE, State.LIVE, State.DEAD, State.DELETED])),
    )
    number, parent, above, time = draw(st.integers(1, 10)), draw(SMALL), draw(st.one_of(st.none(), SMALL)), draw(SMALL)
    if state is not State.LIVE:
        return Post(number, kind, parent=parent, story=above, time=time, state=state)
    text, author = draw(st.sampled_from(["", "a", "b"])), draw(st.sampled_from([None, b"x", b"y"]))
    title, score, solved = draw(st.sampled_from(["", "T"])), draw(SMALL), draw(st.sampled_from([None, None, True, False]))
    return Post(number, kind, text, title, parent, above, time, author, None, score, solved=solved)


ITEMS = st.one_of(
    posts(),
    posts(),
    posts(),
    st.builds(Skipped, st.sampled_from(["no id", "not JSON"]), st.just("x")),
    st.builds(Gone, st.integers(1, 12), st.just("x")),
)


@PROPERTY
@given(st.lists(st.lists(ITEMS, max_size=8), max_size=4))
def test_counts_add_up_and_the_contents_are_what_was_said_last(batches: list[list[Item]]) -> None:
    known: dict[int, Post] = {}
    with in_memory() as archive:
        for batch in batches:
            new = updated = unchanged = skipped = 0
            for item in batch:
                old = None if isinstance(item, Skipped) else known.get(item.id)
                if isinstance(item, Skipped) or (isinstance(item, Gone) and old is None):
                    skipped += 1
                    continue
                said = Post(item.id, old.kind, state=State.DELETED) if isinstance(item, Gone) and old else item
                assert isinstance(said, Post)
                known[said.id] = said if old is None else slow_merge(old, said)
                new += old is None
                updated += old is not None and known[said.id] != old
                unchanged += known[said.id] == old
            assert figures(archive.add(batch)) == (len(batch), new, updated, unchanged, skipped)
        assert [post._replace(thread=None) for post in contents(archive)] == [known[number] for number in sorted(known)]


@PROPERTY
@given(st.lists(posts(), unique_by=lambda post: post.id))
def test_any_posts_a_second_time_change_nothing(items: list[Post]) -> None:
    with in_memory() as archive:
        archive.add(items)
        before = contents(archive), placed(archive), archive.meta("revision")
        assert figures(archive.add(reversed(items))) == (len(items), 0, 0, len(items), 0)
        assert (contents(archive), placed(archive), archive.meta("revision")) == before


# --- threads and parts ---------------------------------------------------------------------------------------------


def at_once(posts: Iterable[Post]) -> dict[int, tuple[int, int, int]]:
    """The places of all these posts, found in one go and from nothing but the posts (see test_threads for that)."""
    rows = list(posts)
    numbers = [
        np.array([NONE if value is None else value for value in column], dtype=np.int64)
        for column in ([post.id for post in rows], [post.parent for post in rows], [post.story for post in rows])
    ]
    opens = np.array([post.kind in (Kind.STORY, Kind.JOB, Kind.POLL) for post in rows], dtype=bool)
    threads = find_threads(Links(*numbers, opens))
    columns = threads.key.tolist(), hash_split(threads.key).tolist(), threads.circular.tolist()
    return {post.id: (key, part, int(circle)) for post, key, part, circle in zip(rows, *columns, strict=True)}


@PROPERTY
@given(st.lists(posts(), unique_by=lambda post: post.id), st.randoms(use_true_random=False))
def test_threads_do_not_depend_on_the_order_or_the_batches_of_the_import(items: list[Post], rng: random.Random) -> None:
    shuffled = rng.sample(items, len(items))
    with in_memory() as archive:
        while shuffled:
            size = rng.randint(1, len(shuffled))
            archive.add(shuffled[:size])
            del shuffled[:size]
        assert placed(archive) == at_once(items)


@PROPERTY
@given(st.lists(st.lists(ITEMS, min_size=1, max_size=6), max_size=5))
def test_threads_are_those_of_the_present_posts_however_they_came_to_be(batches: list[list[Item]]) -> None:
    """Also where an update gives a post another parent, story or type, and so cuts a thread in two."""
    with in_memory() as archive:
        for batch in batches:
            before = placed(archive)
            counts = archive.add(batch)
            after = placed(archive)
            assert after == at_once(contents(archive))
            moved = [number for number in before if before[number][0] != after[number][0]]
            assert counts.moved == len(moved)
            assert counts.resplit == sum(before[number][1] != after[number][1] for number in moved)
            assert sorted(counts.circular) == [n for n in sorted(after) if after[n][2] and not before.get(n, (0, 0, 0))[2]]


# SplitMix64 of 19, 29 and 23 as a share of 2**64 (see test_split): 0.735 and 0.732 are train, 0.910 is test
JOINS = [pytest.param(19, 29, 0, id="of the same part"), pytest.param(19, 23, 2, id="of two parts")]


@pytest.mark.parametrize(("first", "second", "resplit"), JOINS)
def test_an_import_that_joins_two_threads_counts_what_moved(archive: Archive, first: int, second: int, resplit: int) -> None:
    # orphans: 120 below the absent `first`; 130 and 131 below the absent `second`; then `second` comes, and answers 120
    archive.add([reply(120, first), reply(130, second), reply(131, 130)])
    assert archive.meta("resplit_at") is None
    counts = archive.add([reply(second, 120)])
    assert {key for key, _, _ in placed(archive).values()} == {first}
    assert (counts.new, counts.moved, counts.resplit) == (1, 2, resplit)  # 130 and 131; `second` itself was not here
    assert archive.meta("resplit_at") == (archive.meta("revision") if resplit else None)


def test_a_post_that_turns_out_to_open_no_thread_gives_another_key(archive: Archive) -> None:
    # 4 answers 3 and names the story 5: of what opens or is named, 3 is the smaller, until it is said to be a comment
    archive.add([story(3), reply(4, 3, story=5)])
    assert {key for key, _, _ in placed(archive).values()} == {3}
    assert archive.add([reply(3)]).moved == 2
    assert {key for key, _, _ in placed(archive).values()} == {5}


def test_a_reply_to_what_is_here_moves_nothing(archive: Archive) -> None:
    archive.add([story(1), reply(2, 1)])
    counts = archive.add([reply(3, 2), story(4)])
    assert (counts.moved, counts.resplit, counts.circular) == (0, 0, [])


def test_a_missing_parent_that_comes_later_moves_nothing(archive: Archive) -> None:
    archive.add([reply(5, 1), reply(6, 5)])
    counts = archive.add([story(1)])
    assert counts.moved == 0
    assert {key for key, _, _ in placed(archive).values()} == {1}


# --- orphans, circles, depth ---------------------------------------------------------------------------------------


def test_orphans_and_circles_are_counted_and_kept(archive: Archive) -> None:
    counts = archive.add(
        [
            story(1),
            reply(2, 1),
            reply(3, 99),  # orphans: 3 and 4
            reply(4, 98),
            reply(5, 6),  # a circle of 5 and 6, with 7 below it
            reply(6, 5),
            reply(7, 6),
        ]
    )
    info = read_info(archive)
    assert (info.posts, info.orphans, info.circular, info.threads) == (7, 2, 2, 4)
    assert sorted(counts.circular) == [5, 6]
    assert sum(part["posts"] for part in info.parts.values()) == 7
    assert sum(part["threads"] for part in info.parts.values()) == 4


def test_a_post_that_is_its_own_parent_is_kept_and_counted(archive: Archive) -> None:
    counts = archive.add([reply(5, 5), reply(6, 5)])
    assert counts.circular == [5]
    info = read_info(archive)
    assert (info.circular, info.orphans, info.pairs) == (1, 0, 1)  # 6 answers 5; 5 answers nobody
    assert [post.id for post in archive.path_to(6)] == [5, 6]


def test_a_circle_that_is_closed_later_is_counted_then(archive: Archive) -> None:
    assert archive.add([reply(5, 6), reply(7, 5)]).circular == []
    assert sorted(archive.add([reply(6, 7)]).circular) == [5, 6, 7]
    assert archive.add([reply(8, 7)]).circular == []


def test_a_path_ends_where_a_circle_closes(archive: Archive) -> None:
    archive.add([reply(5, 7), reply(6, 5), reply(7, 6), reply(8, 7)])
    assert [post.id for post in archive.path_to(8)] == [5, 6, 7, 8]


def test_a_path_ends_where_the_archive_does_and_passes_over_what_has_no_words(archive: Archive) -> None:
    archive.add([reply(2, 1), Post(3, parent=2, state=State.DELETED), reply(4, 3)])
    assert [post.id for post in archive.path_to(4)] == [2, 4]


def test_a_thread_5_000_deep_is_one_thread_and_one_path(archive: Archive) -> None:
    chain = [story(1), *(reply(number, number - 1) for number in range(2, 5_001))]
    random.Random(0).shuffle(chain)
    for start in range(0, 5_000, 1_250):  # four imports, each of links all over the chain
        archive.add(chain[start : start + 1_250])
    assert {key for key, _, _ in placed(archive).values()} == {1}
    assert [post.id for post in archive.path_to(5_000)] == list(range(1, 5_001))
    thread = Thread(1, contents(archive))
    deepest = archive.post(5_000)
    assert [post.id for post in thread.context(deepest, limit=5_000)] == list(range(1, 5_000))
    assert [post.id for post in thread.context(deepest)] == [
        1,
        *range(4_800, 5_000),
    ]  # what a chat of years asks for else: n * n / 2
    assert sum(len(pair.context) for pair in thread.pairs()) < 5_000 * (LONGEST_CONTEXT + 1)


@pytest.mark.parametrize("number", [9, 0, -1, 2**63, 10**30])
def test_a_post_that_is_not_here_is_said(archive: Archive, number: int) -> None:
    with pytest.raises(UnknownPost, match=f"no post {number} in the archive"):
        archive.post(number)


@pytest.mark.parametrize(("state", "word"), [(State.DELETED, "deleted"), (State.DEAD, "dead")])
def test_a_post_that_is_gone_is_said_to_be(archive: Archive, state: State, word: str) -> None:
    archive.add([Post(1, state=state)])
    with pytest.raises(UnknownPost, match=f"post 1 was {word} at its source"):
        archive.path_to(1)


# --- what there is -------------------------------------------------------------------------------------------------


def test_the_figures_of_an_archive_were_worked_by_hand(archive: Archive) -> None:
    archive.add(
        [
            Post(1, Kind.STORY, "", "A title here", time=86_400, author=b"a"),  # 1970-01-02; titles are no text
            Post(2, Kind.COMMENT, "one two three", parent=1, time=172_800, author=b"b"),  # pair with an opening post; 3 words
            Post(3, Kind.COMMENT, "four five\n\nsix", parent=2, author=b"b"),  # pair; 3 words; no date
            Post(4, Kind.COMMENT, "> one\nseven", parent=3, time=259_200, author=b"c"),  # pair; 3 words, the sign counted
            Post(5, Kind.COMMENT, "eight", parent=50, time=0),  # orphan; 1 word
            Post(6, Kind.COMMENT, parent=2, state=State.DELETED),  # no date
            Post(7, Kind.COMMENT, "nine", parent=6, time=0),  # its parent has no words: no pair; 1 word
            Post(8, Kind.JOB, "", "Hiring", time=0, state=State.LIVE),
            Post(9, Kind.COMMENT, parent=1, time=0, state=State.DEAD),
        ]
    )
    info = asdict(read_info(archive))
    parts = info.pop("parts")
    assert info.pop("bytes") > 0
    assert info == {
        "forum": "hn",
        "sources": {"hn": 9},
        "posts": 9,
        "kinds": {"comment": 7, "job": 1, "story": 1},
        "dead": 1,
        "deleted": 1,
        "threads": 3,  # 1 with all below it, 50 with 5, 8
        "unsettled": 0,
        "pairs": 3,
        "pairs_to_opening_posts": 1,
        "words": 3 + 3 + 3 + 1 + 1,
        "authors": 3,
        "first": "1970-01-01",
        "last": "1970-01-04",
        "undated": 2,
        "orphans": 1,
        "circular": 0,
        "split": "hash",
    }
    assert sum(part["threads"] for part in parts.values()) == 3
    assert sum(part["posts"] for part in parts.values()) == 9


def test_an_empty_archive_has_figures_too(archive: Archive) -> None:
    for method in ("hash", "time"):
        info = read_info(archive, method)  # type: ignore[arg-type]
        assert (info.posts, info.words, info.threads, info.first, info.last) == (0, 0, 0, None, None)
        assert info.parts == {part.name.lower(): {"threads": 0, "posts": 0} for part in Split}


# --- many places -----------------------------------------------------------------------------------------------------

MAIL = Hasher(b"key", "mail")


class Mail(Source):
    name, what, marks, link = "mail", "mail", "none", "https://mail.example/{id}"

    def recognises(self, path: Path) -> bool:
        return False

    def read(self, path: Path, hasher: Hasher) -> Iterator[Item]:
        yield Record("a@b/c d", "a question", title="Q", time=5, author="x").post(hasher, "")
        yield Record("e@f", "an answer", parent="a@b/c d", time=6, link="https://else.where/1").post(hasher, "")


def test_an_archive_holds_any_number_of_places_and_knows_where_each_post_can_be_read(archive: Archive) -> None:
    hn, mail = place(archive, "hn"), place(archive, "mail", Mail())
    archive.add([Post(7, Kind.STORY, "words", time=3)], at=hn)
    counts = archive.add(Mail().read(Path(), MAIL), at=mail)
    question, answer = MAIL.number("a@b/c d"), MAIL.number("e@f")
    assert (counts.new, counts.skipped) == (2, 0)
    assert origin(archive, 7) == Origin("hn", "7", "https://news.ycombinator.com/item?id=7", 3)
    assert origin(archive, question) == Origin("mail", "a@b/c d", "https://mail.example/a@b/c%20d", 5, MAIL("x"))
    assert origin(archive, answer) == Origin("mail", "e@f", "https://else.where/1", 6)
    assert origin(archive, 8) is None
    assert [post.id for post in archive.path_to(answer)] == [question, answer]
    assert [found.name for found in places(archive)] == ["hn", "mail"]
    assert read_info(archive).sources == {"hn": 1, "mail": 2}
    assert archive.add(Mail().read(Path(), MAIL), at=mail).unchanged == 2


def test_the_same_ids_of_two_places_are_two_posts(archive: Archive) -> None:
    for name in ("one", "two"):
        hasher = Hasher(b"key", name)
        post = Record("1", f"words of {name}").post(hasher, "")
        assert archive.add([post], at=place(archive, name, Mail())).new == 1


def test_a_post_whose_number_another_has_is_refused_and_counted(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Hasher, "number", lambda self, own: 7)
    hn, mail = place(archive, "hn"), place(archive, "mail", Mail())
    archive.add([Post(7, text="here first")], at=hn)
    for _ in range(2):  # the same in one import and in the next
        counts = archive.add([Record("a", "one").post(MAIL, ""), Record("b", "another").post(MAIL, "")], at=mail)
        assert (counts.lines, counts.new, counts.reasons) == (2, 0, {"its number is that of another post": 2})
    archive.add([Gone(7, "there")], at=mail)
    assert archive.post(7).text == "here first"


def test_two_posts_of_one_import_with_one_number_are_not_one(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Hasher, "number", lambda self, own: 7)
    posts = [Record(own, f"words of {own}").post(MAIL, "") for own in ("a", "b", "a")]
    counts = archive.add(posts, at=place(archive, "mail", Mail()))
    assert (counts.new, counts.unchanged, counts.skipped) == (1, 1, 1)
    assert archive.post(7).text == "words of a"


def test_a_number_is_the_same_in_every_home_and_fits_63_bits() -> None:
    digest = hashlib.blake2b(b"4 mail e@f", digest_size=8).digest()  # one that moves would make every archive's posts others
    assert MAIL.number("e@f") == Hasher(b"other key", "mail").number("e@f") == int.from_bytes(digest, "big") // 2
    assert all(0 < Hasher(b"", "s").number(str(own)) < 2**63 for own in range(1_000))


def test_only_hacker_news_items_go_to_a_place_with_their_numbers(archive: Archive) -> None:
    place(archive, "hn")
    with pytest.raises(UsageError, match=r"the source `hn` of .* holds hn items; give this another name: --source NAME"):
        place(archive, "hn", Mail())


def test_rows_that_are_dropped_after_their_archive_was_closed_are_dropped_quietly(tmp_path: Path) -> None:
    archive = Archive.open(tmp_path / "archive.db", create=True)
    rows = archive.query("SELECT 1 UNION ALL SELECT 2")
    assert next(rows) == (1,)
    archive.close()
    rows.close()  # type: ignore[attr-defined] # as the interpreter does when nobody holds them any more


def test_an_archive_that_is_removed_while_it_is_opened_is_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "is_file", lambda self: True)  # as it was when it was looked at
    with pytest.raises(ArchiveError):
        Archive.open(tmp_path / "archive.db")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["a?b.db", "a#b%20c.db", "ä ö.db", os.fsdecode(b"\xff.db")])
def test_an_archive_may_be_called_anything(name: str, tmp_path: Path) -> None:
    with Archive.open(tmp_path / name, create=True) as archive:
        archive.add([Post(1, text="a")])
    with Archive.open(tmp_path / name) as archive:
        assert archive.post(1).text == "a"
    assert (tmp_path / name).is_file()


@pytest.mark.parametrize("version", range(1, len(MIGRATIONS)))
@pytest.mark.parametrize("name", ["hn", "lists", None])
def test_an_archive_of_an_earlier_version_is_brought_along_with_the_same_words(
    tmp_path: Path, name: str | None, version: int
) -> None:
    posts = [
        Post(10, Kind.STORY, "> quoted\n  code", "T", None, None, 5, b"0" * 16, "https://e.org", 3, thread=10),
        Post(11, Kind.COMMENT, "an answer\n\nin two", "", 10, 10, 6, thread=10),
        Post(12, Kind.COMMENT, parent=11, state=State.DELETED, thread=10),
    ]
    path, fresh = tmp_path / "archive.db", tmp_path / "fresh.db"
    with closing(sqlite3.connect(path)) as old:
        old.executescript(MIGRATIONS[0] + f"; PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 1")
        rows = [(p.id, p.kind.value, *p[2:10], p.state.value) for p in posts]
        old.executemany(f"INSERT INTO post VALUES ({','.join('?' * 11)})", rows)
        old.executemany("INSERT INTO place VALUES (?, 10, ?, 0)", [(p.id, int(hash_split(np.array([10]))[0])) for p in posts])
        if name:
            old.execute("INSERT INTO meta VALUES ('forum', ?)", (name,))
        for step in MIGRATIONS[1:version]:
            old.executescript(step)
        old.execute(f"PRAGMA user_version = {version}")
        old.commit()
    with Archive.open(fresh, create=True) as new:
        place(new, name or "hn", hashed=False)
        new.add(posts)
        wanted, parts = sorted(new.posts("1")), fingerprint(new, "hash")
    with Archive.open(path) as brought:
        assert sorted(brought.posts("1")) == wanted == posts
        assert fingerprint(brought, "hash") == parts
        (found,) = places(brought)
        assert (found.name, found.hashed, found.url("10")) == (
            name or "hn",
            False,
            "https://news.ycombinator.com/item?id=10" if name != "lists" else None,
        )
        assert brought.add(posts).unchanged == 3


# --- what was solved ------------------------------------------------------------------------------------------------


ASKED = Post(1, Kind.STORY, "How?", author=b"asker", answer=3, solved=True)
TWO_ANSWERS = [reply(2, 1, "so"), reply(3, 1, "or so")]


@pytest.mark.parametrize("items", [[ASKED, *TWO_ANSWERS], [*TWO_ANSWERS, ASKED]], ids=["question first", "answers first"])
def test_an_answer_that_its_question_names_was_accepted_whichever_came_first(archive: Archive, items: list[Post]) -> None:
    for item in items:  # as from files of their own
        archive.add([item])
    assert {post.id: post.solved for post in contents(archive)} == {1: True, 2: None, 3: True}
    thread = Thread(1, contents(archive))
    assert thread.solved and thread.opening is not None and thread.opening.author == b"asker"
    assert [(pair.reply.id, pair.reply.solved, pair.context[0].solved) for pair in thread.pairs()] == [
        (2, None, True),
        (3, True, True),
    ]


def test_the_one_that_was_accepted_may_change(archive: Archive) -> None:
    archive.add([ASKED, *TWO_ANSWERS])
    assert archive.add([ASKED._replace(answer=2)]).updated == 1
    assert {post.id: post.solved for post in contents(archive)} == {1: True, 2: True, 3: None}
    archive.add([reply(2, 1, "so")._replace(solved=False), ASKED._replace(answer=3)])
    assert {post.id: post.solved for post in contents(archive)} == {1: True, 2: False, 3: True}


def test_a_thread_is_solved_by_a_reply_or_by_what_its_place_says_and_else_nobody_knows() -> None:
    opening = Post(1, Kind.STORY, "How?", thread=1)
    assert Thread(1, [opening, reply(2, 1)]).solved is None
    assert Thread(1, [opening, reply(2, 1)._replace(solved=False)]).solved is None
    assert Thread(1, [opening, reply(2, 1)._replace(solved=True)]).solved is True
    assert Thread(1, [opening._replace(solved=False)]).solved is False
    assert Thread(1, [reply(2, 1)]).solved is None and Thread(1, [reply(2, 1)]).opening is None


def test_only_what_is_known_to_be_solved_changes_a_fingerprint(tmp_path: Path) -> None:
    prints = []
    for number, opening in enumerate([Post(1, Kind.STORY, "How?"), Post(1, Kind.STORY, "How?", solved=False)]):
        with Archive.open(tmp_path / f"{number}.db", create=True) as archive:
            archive.add([opening])
            prints.append(fingerprint(archive, "hash"))
    digest = hashlib.blake2b(digest_size=16)  # as in the archives of earlier versions: nothing is fitted anew for this
    digest.update(f"{hash_split(np.array([1]))[0]} 1 1 None 4\0How?\0".encode())
    assert prints[0] == digest.hexdigest() != prints[1]


# --- what is no archive --------------------------------------------------------------------------------------------


def test_there_is_no_archive_until_one_is_made(tmp_path: Path) -> None:
    path = tmp_path / "home" / "archive.db"
    with pytest.raises(ArchiveError, match="no archive at"):
        Archive.open(path)
    assert not path.parent.exists()
    Archive.open(path, create=True).close()
    Archive.open(path).close()


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "archive.db"
    path.write_text("Dear reader, this is a letter. " * 100)
    for create in (False, True):
        with pytest.raises(ArchiveError, match="is it a rejoinder archive"):
            Archive.open(path, create=create)
    assert path.read_text() == "Dear reader, this is a letter. " * 100


def other_database(path: Path, *statements: str) -> bytes:
    db = sqlite3.connect(path)
    for statement in statements:
        db.execute(statement)
    db.commit()
    db.close()
    return path.read_bytes()


def test_another_programs_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "archive.db"
    before = other_database(
        path, "CREATE TABLE post (id INTEGER PRIMARY KEY, text TEXT)", "INSERT INTO post VALUES (1, 'theirs')"
    )
    for create in (False, True):
        with pytest.raises(ArchiveError, match="a SQLite database, but not a rejoinder archive"):
            Archive.open(path, create=create)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["archive.db"]


def test_an_archive_of_a_newer_rejoinder_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "archive.db"
    with Archive.open(path, create=True) as archive:
        archive.add([reply(1)])
    before = other_database(path, "PRAGMA user_version = 999")
    with pytest.raises(ArchiveError, match=r"schema version 999; this rejoinder knows up to \d+: upgrade rejoinder"):
        Archive.open(path)
    assert path.read_bytes() == before


def test_a_damaged_archive_is_said_to_be(tmp_path: Path) -> None:
    path = tmp_path / "archive.db"
    with Archive.open(path, create=True) as archive:
        archive.add(reply(number, 1) for number in range(1, 2_000))
    data = path.read_bytes()
    path.write_bytes(data[:4096] + b"\xff" * (len(data) - 4096))
    with pytest.raises(ArchiveError, match=r"the archive .*malformed"), Archive.open(path) as archive:
        contents(archive)


# --- authors -------------------------------------------------------------------------------------------------------


def test_no_name_of_an_author_is_in_the_bytes_of_an_archive(tmp_path: Path) -> None:
    path, hasher = tmp_path / "archive.db", author_hasher(tmp_path / "author.key")
    names = [f"Quagga_{number}_zebra" for number in range(20)]
    with Archive.open(path, create=True) as archive:
        archive.add(read_record({"id": at, "by": names[at % 20], "text": "hello"}, "", hasher) for at in range(1, 500))
        assert read_info(archive).authors == 20
        while_open = raw_bytes(path)
    for data in (while_open, raw_bytes(path)):
        assert b"hello" in data
        assert b"quagga" not in data.lower()


def test_the_key_is_a_file_that_only_its_owner_reads(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        author_hasher(tmp_path / "author.key")
    finally:
        os.umask(before)
    assert [file.name for file in tmp_path.iterdir()] == ["author.key"]
    assert (tmp_path / "author.key").stat().st_mode & 0o777 == 0o600


def test_a_name_has_one_hash_to_a_key(tmp_path: Path) -> None:
    first, again, other = (author_hasher(tmp_path / name) for name in ("a.key", "a.key", "b.key"))
    assert first("Ada") == again("Ada") != first("ada")
    assert first("Ada") != other("Ada")
    assert len(first("Ada")) == 16


def test_a_key_that_is_not_whole_is_refused(tmp_path: Path) -> None:
    (tmp_path / "author.key").write_bytes(b"short")
    with pytest.raises(ArchiveError, match="the author key must be 32 bytes; got 5"):
        author_hasher(tmp_path / "author.key")


def test_those_who_start_at_once_agree_on_one_key(tmp_path: Path) -> None:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for round_ in range(20):
            start = threading.Barrier(8)

            def hashed(at: int, start: threading.Barrier = start, round_: int = round_) -> bytes:
                start.wait()
                return author_hasher(tmp_path / f"{round_}.key")("Ada")

            with ThreadPoolExecutor(8) as pool:
                assert len(set(pool.map(hashed, range(8)))) == 1
    finally:
        sys.setswitchinterval(interval)


# --- other processes -----------------------------------------------------------------------------------------------

CHILD = """
import sys
from pathlib import Path
from time import sleep
from rejoinder.archive import store
from rejoinder.archive.authors import author_hasher
from rejoinder.archive.sources.hackernews import SOURCE as HACKER_NEWS
from rejoinder.post import Kind, Post

def say_and_wait(word):
    print(word, flush=True)
    return sys.stdin.readline().strip()

path = Path(sys.argv[1])
with store.Archive.open(path, create=True) as archive:
"""
HOLD = (
    CHILD
    + """
    with archive.writing() as db:
        db.execute("UPDATE post SET text = 'changed'")
        if say_and_wait("holding") == "soon":
            sleep(0.3)
"""
)
IMPORT = (
    CHILD
    + """
    store.BATCH = 200
    items = HACKER_NEWS.read(Path(sys.argv[2]), author_hasher(path.parent / "author.key"))
    archive.add(items, progress=lambda lines: say_and_wait(lines) if sys.argv[3] == "wait" else print(lines, flush=True))
"""
)
LINES = 2_000


def child(code: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)


def hear(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def tell(process: subprocess.Popen[str], word: str = "") -> None:
    assert process.stdin is not None
    process.stdin.write(f"{word}\n")
    process.stdin.flush()


@pytest.fixture(scope="module")
def dump(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2,000 lines, ten batches of the child's: threads of 50, links that run ahead to later lines, some bad lines."""
    rng = random.Random(0)
    path = tmp_path_factory.mktemp("dump") / "dump.jsonl"
    rows: list[object] = []
    for number in range(1, LINES + 1):
        root = number - number % 50 + 1
        record = {"id": number, "by": f"author{number % 30}", "text": f"words of {number}", "time": number}
        rows.append(
            record if number == root else {**record, "parent": rng.choice([root, root + rng.randrange(50), 10**6 + number])}
        )
    rng.shuffle(rows)
    rows[5:2000:400] = [7] * len(rows[5:2000:400])
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def state(path: Path) -> tuple[Any, ...]:
    """All that an archive says; that it is whole is checked too."""
    with Archive.open(path) as archive:
        assert list(archive.query("PRAGMA integrity_check")) == [("ok",)]
        assert list(archive.query("SELECT * FROM unsettled")) == []
        info = asdict(read_info(archive))
        del info["bytes"]
        return info, contents(archive), placed(archive)


def add_dump(path: Path, dump: Path) -> Counts:
    with Archive.open(path, create=True) as archive:
        return archive.add(HACKER_NEWS.read(dump, author_hasher(path.parent / "author.key")))


def test_a_reader_goes_on_while_another_process_imports(tmp_path: Path, dump: Path) -> None:
    path = tmp_path / "archive.db"
    count = "SELECT count(*) FROM post"
    with child(IMPORT, path, dump, "wait") as writer:
        assert hear(writer) == "200"
        with Archive.open(path) as reader:
            still = reader.view()
            first = next(still.query(count))
            seen = [next(reader.query(count))[0]]
            for batch in range(2, LINES // 200 + 1):
                tell(writer)
                assert hear(writer) == str(200 * batch)
                seen.append(next(reader.query(count))[0])
            assert next(still.query(count)) == first  # a view does not move
        tell(writer)
        assert writer.wait() == 0
    assert seen == sorted(set(seen))  # more with every batch
    assert all(200 * batch - 5 <= posts <= 200 * batch for batch, posts in enumerate(seen, start=1))  # five lines are bad


def test_a_view_leaves_its_archive_free_to_write(tmp_path: Path) -> None:
    with Archive.open(tmp_path / "archive.db", create=True) as archive:
        archive.add([reply(1, text="before")])
        corpus = ArchiveCorpus(archive, tmp_path, everything=True)
        archive.add([reply(2, text="after")])
        assert [post.text for post in corpus.posts("train")] == ["before"]
        assert [post.text for post in ArchiveCorpus(archive, tmp_path, everything=True).posts("train")] == ["before", "after"]


def test_a_reader_does_not_see_what_another_process_has_not_finished(tmp_path: Path) -> None:
    path = tmp_path / "archive.db"
    with Archive.open(path, create=True) as archive:
        archive.add([reply(1, text="before")])
        with child(HOLD, path) as writer:
            assert hear(writer) == "holding"
            with Archive.open(path) as second:
                assert archive.post(1).text == second.post(1).text == "before"
            tell(writer)
            assert writer.wait() == 0
        assert archive.post(1).text == "changed"


def test_a_second_writer_is_told_in_one_line_that_the_archive_is_busy(tmp_path: Path) -> None:
    path = tmp_path / "archive.db"
    Archive.open(path, create=True).close()
    with child(HOLD, path) as writer:
        assert hear(writer) == "holding"
        with Archive.open(path, busy_seconds=0.05) as archive:
            with pytest.raises(ArchiveBusy, match="is being written by another process; try again when it has ended"):
                archive.add([reply(1)])
            assert contents(archive) == []
            tell(writer)
            assert writer.wait() == 0
            assert archive.add([reply(1)]).new == 1  # the same connection, later


def test_a_second_writer_waits_for_its_turn(tmp_path: Path) -> None:
    path = tmp_path / "archive.db"
    with Archive.open(path, create=True, busy_seconds=60) as archive:
        archive.add([reply(1, text="before")])
        with child(HOLD, path) as writer:
            assert hear(writer) == "holding"
            tell(writer, "soon")  # it goes on holding for a while
            assert archive.add([reply(2)]).new == 1
            assert writer.wait() == 0
        assert [post.text for post in contents(archive)] == ["changed", "words"]


@pytest.mark.parametrize("batches", [1, 10])
def test_an_import_killed_half_way_leaves_an_archive_that_opens_and_can_be_finished(
    tmp_path: Path, dump: Path, batches: int
) -> None:
    path, whole = tmp_path / "archive.db", tmp_path / "whole.db"
    with child(IMPORT, path, dump, "wait") as writer:
        for batch in range(1, batches + 1):
            assert hear(writer) == str(200 * batch)
            if batch < batches:
                tell(writer)
        writer.send_signal(signal.SIGKILL)
        assert writer.wait() == -signal.SIGKILL
    with Archive.open(path) as archive:
        assert list(archive.query("PRAGMA integrity_check")) == [("ok",)]
        there = read_info(archive).posts
        assert 200 * batches - 5 <= there <= 200 * batches
    counts = add_dump(path, dump)
    assert (counts.unchanged, counts.new, counts.updated) == (there, LINES - 5 - there, 0)
    add_dump(whole, dump)
    assert state(path) == state(whole)


def test_an_import_killed_at_any_moment_can_be_finished(tmp_path: Path, dump: Path) -> None:
    path, whole = tmp_path / "archive.db", tmp_path / "whole.db"
    for batch in (3, 8):  # the same archive, killed twice somewhere after that batch, perhaps within the next
        with child(IMPORT, path, dump, "go") as writer:
            while int(hear(writer)) < 200 * batch:
                pass
            writer.send_signal(signal.SIGKILL)
    add_dump(path, dump)
    add_dump(whole, dump)
    assert state(path) == state(whole)


def test_a_transaction_that_is_killed_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "archive.db"
    with Archive.open(path, create=True) as archive:
        archive.add(reply(number, text="before " * 100) for number in range(1, 3_000))
    with child(HOLD, path) as writer:
        assert hear(writer) == "holding"
        writer.send_signal(signal.SIGKILL)
    with Archive.open(path) as archive:
        assert {text for (text,) in archive.query("SELECT DISTINCT text FROM post")} == {"before " * 100}
        assert archive.add([reply(1)]).updated == 1


def test_who_opens_a_new_archive_waits_for_whoever_is_making_it(tmp_path: Path) -> None:
    """SQLite itself fails at once when a file that is being written is to keep a log."""
    file = tmp_path / "archive.db"
    other = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    other.execute("PRAGMA user_version = 0")
    done = threading.Timer(0.2, lambda: other.execute("ROLLBACK"))
    done.start()
    with Archive.open(file, create=True, busy_seconds=60) as archive:
        assert archive.is_empty
    done.join()
    other.close()


def test_who_opens_an_archive_that_stays_locked_is_told(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "archive.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    other.execute("PRAGMA user_version = 0")
    with pytest.raises(ArchiveBusy, match="is being written by another process"):
        Archive.open(tmp_path / "archive.db", create=True, busy_seconds=0.05)
    other.close()


@pytest.mark.parametrize("looks", [1, 2])
def test_an_archive_that_is_made_while_it_is_looked_at_is_not_taken_for_a_stranger(tmp_path: Path, looks: int) -> None:
    class Overtaken(sqlite3.Connection):
        """A connection that sees the file change after its first so many looks."""

        left = looks

        def execute(self, *given: Any) -> sqlite3.Cursor:
            if self.left == 0:
                Archive.open(tmp_path / "archive.db", create=True).close()
            self.left -= 1
            return super().execute(*given)

    with closing(sqlite3.connect(tmp_path / "archive.db", factory=Overtaken)) as db:
        assert check_ours(db, "archive.db") in (0, len(MIGRATIONS))


def test_a_first_import_makes_the_indexes_last_and_so_does_whoever_comes_after_one_that_was_killed(tmp_path: Path) -> None:
    def indexes(archive: Archive) -> set[str]:
        return {name for (name,) in archive.query("SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = 'post'")}

    def killed() -> Iterator[Post]:
        yield Post(1, text="one")
        raise KeyboardInterrupt

    with Archive.open(tmp_path / "a.db", create=True) as archive:
        whole = indexes(archive)
        assert len(whole) == 4
        with pytest.raises(KeyboardInterrupt):
            archive.add_batches(batches(killed(), 1, 2**20))
        assert not archive.is_empty and indexes(archive) == set()
        assert next(archive.replies_to(1, 1), None) is None  # whoever reads meanwhile finds what there is
        archive.settle()
        assert indexes(archive) == whole
        archive.add([Post(2, Kind.COMMENT, "two", parent=1)])
        assert indexes(archive) == whole and [post.id for post in archive.replies_to(1, 9)] == [2]

"""One record of any Hacker News source to a post, or to the reason why it cannot be one."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rejoinder.archive.source import Skipped
from rejoinder.archive.sources.hackernews import COLUMNS, read_record
from rejoinder.archive.values import LONGEST_TEXT, BadValue, seconds, solved
from rejoinder.post import Kind, Post, State

PROPERTY = settings(max_examples=100, derandomize=True, database=None)
FIRST = 1_160_418_111  # 2006-10-09 18:21:51 UTC: 13,430 days (36 years, 9 leap days, 281 days of 2006) and 66,111 seconds


def hashed(name: str) -> bytes:
    return hashlib.blake2b(name.encode("utf-8", "replace"), digest_size=16).digest()


def read(record: object) -> Post:
    post = read_record(record, "here", hashed)
    assert isinstance(post, Post)
    return post


def reason(record: object) -> str:
    skipped = read_record(record, "here", hashed)
    assert isinstance(skipped, Skipped)
    assert skipped.where == "here"
    return skipped.reason


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A local time that is not UTC, for this process."""
    with monkeypatch.context() as changed:
        changed.setenv("TZ", "XYZ+11")
        time.tzset()
        yield
    time.tzset()


# --- every column --------------------------------------------------------------------------------------------------


def test_a_story_is_read_whole() -> None:
    record = {
        "id": 8863,
        "type": "story",
        "by": "somebody",
        "time": FIRST,
        "title": "A &amp; B",
        "text": "one<p>two",
        "url": "https://e.org/?a=1&amp;b=2",
        "score": 111,
        "kids": [9224, 8917],
        "descendants": 71,
    }
    expected = Post(8863, Kind.STORY, "one\n\ntwo", "A & B", None, None, FIRST, hashed("somebody"), "https://e.org/?a=1&b=2", 111)
    assert read(record) == expected


def test_a_comment_is_read_whole() -> None:
    record = {"id": 12, "type": "comment", "by": "b", "time": 5, "text": "yes", "parent": 11, "story": 10, "dead": False}
    assert read(record) == Post(12, Kind.COMMENT, "yes", "", 11, 10, 5, hashed("b"))


@pytest.mark.parametrize("kind", list(Kind))
def test_every_type_of_the_api_is_known(kind: Kind) -> None:
    assert read({"id": 1, "type": kind.value}).kind is kind


def test_a_poll_option_answers_its_poll() -> None:
    assert read({"id": 2, "type": "pollopt", "poll": 1, "text": "A"}).parent == 1


def test_a_comment_does_not_answer_the_poll_it_names() -> None:
    assert read({"id": 2, "type": "comment", "poll": 1}).parent is None


def test_the_other_names_of_public_dumps_say_the_same() -> None:
    assert read({"id": 1, "author": "b", "timestamp": FIRST}) == read({"id": 1, "by": "b", "time": FIRST})


def test_the_names_of_the_api_go_before_the_other_names() -> None:
    assert read({"id": 1, "by": "b", "author": "c", "time": 1, "timestamp": 2}) == read({"id": 1, "by": "b", "time": 1})


def test_columns_that_are_not_known_are_ignored() -> None:
    record = {"id": 1, "text": "a", "ranking": 4, "": None, "words": "none", "state": 2, "thread": 7, "own_text": object()}
    assert read(record) == read({"id": 1, "text": "a"})


def test_columns_that_only_repeat_the_parents_are_not_looked_at() -> None:
    record = {"id": 1, "text": "a", "kids": "nonsense", "parts": -1, "descendants": float("nan")}
    assert read(record) == read({"id": 1, "text": "a"})


def test_a_record_of_nothing_but_an_id_is_a_post() -> None:
    assert read({"id": 1}) == Post(1)


# --- the types of other stores -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "kind"), list(enumerate(["story", "comment", "poll", "pollopt", "job"], start=1)))
def test_the_numbers_of_the_clickhouse_dump_are_types(number: int, kind: str) -> None:
    assert read({"id": 1, "type": number}).kind is Kind(kind)


def test_a_title_without_a_parent_makes_a_story_where_no_type_is_given() -> None:
    assert read({"id": 1, "title": "T"}).kind is Kind.STORY
    assert read({"id": 1, "title": "T", "parent": 2}).kind is Kind.COMMENT
    assert read({"id": 1, "type": "", "text": "t"}).kind is Kind.COMMENT


def test_numbers_may_be_written_as_text() -> None:
    record = {"id": "12", "parent": "11", "story": "10", "time": "5", "score": "-3"}
    assert read(record) == Post(12, parent=11, story=10, time=5, score=-3)


def test_numbers_may_be_whole_floats() -> None:
    assert read({"id": 12.0, "parent": 11.0, "time": 5.0, "score": 3.0}) == Post(12, parent=11, time=5, score=3)


@pytest.mark.parametrize("written", ["9/10/2006", "32.1.2006", "2006/13/01", "1.2.3", "9.10.2006 soon"])
def test_what_may_be_one_day_or_another_is_none(written: str) -> None:
    with pytest.raises(BadValue, match="not a date"):
        seconds(written)


@pytest.mark.parametrize(
    ("written", "day"),
    [
        ("20061009", 13_430),
        ("Oct 9, 2006 12:00 AM", 13_430),
        ("19991231", 10_956),
        ("9.10.2006", 13_430),
        ("2006/10/09", 13_430),
        ("20061309", None),
        ("17000000", None),
    ],
)
def test_a_day_in_eight_digits_is_no_number_of_seconds(written: str, day: int | None) -> None:
    assert seconds(written) == (int(written) if day is None else day * 86_400)


@pytest.mark.parametrize("none", [None, "", 0, "0", 0.0, float("nan"), "NaN", "nan", "\\N", "NULL", "null", " ", "None"])
def test_dumps_have_many_ways_to_say_that_there_is_no_parent(none: Any) -> None:
    assert read({"id": 1, "parent": none, "story": none}) == Post(1)


@pytest.mark.parametrize(
    "moment",
    [
        FIRST,
        float(FIRST),
        str(FIRST),
        f"{FIRST}.0",
        f"{FIRST}.999",
        FIRST * 10**3,  # milliseconds, as chats write
        FIRST * 10**6,
        FIRST * 10**9,
        str(FIRST * 10**3),
        FIRST * 1e6,
        "Mon, 09 Oct 2006 18:21:51 +0000",  # as mail writes
        "Mon, 9 Oct 2006 13:21:51 -0500 (EST)",
        "9 Oct 2006 18:21:51 GMT",
        "Oct 9, 2006 6:21:51 PM",
        "Mon, 9 Oct 2006 6:21:51\u202fp.m.",
        "2006-10-09 06:21:51 PM",
        "20061009182151",
        "2006/10/9 18:21:51",
        "9.10.2006, 18:21:51",
        "09.10.2006 06:21:51 PM",
        "2006-10-09T13:21:51-05",
        "20061009T182151Z",
        "2006-10-09T18:21:51Z",
        "2006-10-09T18:21:51.000+00:00",
        "2006-10-09T20:21:51+02:00",
        "2006-10-09 18:21:51",
        "2006-10-09 18:21:51 UTC",
        "2006-10-09 18:21:51.000000 UTC",
        datetime(2006, 10, 9, 18, 21, 51),  # as DuckDB gives a TIMESTAMP
        datetime(2006, 10, 9, 18, 21, 51, tzinfo=UTC),
        datetime(2006, 10, 9, 13, 21, 51, tzinfo=timezone(timedelta(hours=-5))),
    ],
    ids=str,
)
def test_a_time_may_be_written_in_many_ways(moment: object) -> None:
    assert read({"id": 1, "time": moment}).time == FIRST
    assert read({"id": 1, "timestamp": moment}).time == FIRST


@pytest.mark.parametrize("moment", [datetime(2006, 10, 9, 18, 21, 51), "2006-10-09 18:21:51"], ids=str)
def test_a_time_without_a_zone_is_utc_wherever_it_is_read(moment: object, elsewhere: None) -> None:
    assert read({"id": 1, "time": moment}).time == FIRST


def test_a_day_is_its_first_second() -> None:
    assert read({"id": 1, "time": date(1970, 1, 2)}).time == read({"id": 1, "time": "1970-01-02"}).time == 86_400


@pytest.mark.parametrize("none", [None, ""])
def test_no_time_is_no_time(none: object) -> None:
    assert read({"id": 1, "time": none}).time is None


# --- posts that are gone -------------------------------------------------------------------------------------------

LINKED = {"id": 3, "type": "comment", "parent": 2, "story": 1, "time": 9}
SAID = {"text": "said", "title": "titled", "by": "b", "url": "https://e.org", "score": 4}


@pytest.mark.parametrize(
    ("word", "is_solved"),
    [
        *((word, True) for word in ("closed", "Solved", " RESOLVED ", "completed", True, 1, "1", "yes", "answered")),
        *((word, False) for word in ("open", "OPENED", "new", "pending reminder", "not_planned", False, 0, "false", "snoozed")),
        *((word, None) for word in ("spam", "merged", "", None, 4, 1.0, [], {}, "sent", "closed by the cat")),
    ],
)
def test_whether_something_is_solved_is_said_in_the_words_of_many_places(word: object, is_solved: bool | None) -> None:
    assert solved(word) is is_solved


@pytest.mark.parametrize(("flag", "state"), [("deleted", State.DELETED), ("dead", State.DEAD)])
def test_a_post_that_is_gone_keeps_its_links_and_loses_its_words(flag: str, state: State) -> None:
    assert read({**LINKED, **SAID, flag: True}) == Post(3, Kind.COMMENT, parent=2, story=1, time=9, state=state)


def test_deleted_goes_before_dead() -> None:
    assert read({"id": 1, "deleted": True, "dead": True}).state is State.DELETED


@pytest.mark.parametrize("value", [True, 1, "1", "true", "True", "t"])
def test_a_flag_may_be_set_in_many_ways(value: object) -> None:
    assert read({"id": 1, "dead": value}).state is State.DEAD


@pytest.mark.parametrize("value", [False, 0, "0", "false", "False", "f", "", None])
def test_a_flag_may_be_unset_in_many_ways(value: object) -> None:
    assert read({"id": 1, "dead": value, "deleted": value}).state is State.LIVE


# --- records that are skipped, and why -----------------------------------------------------------------------------


@pytest.mark.parametrize("record", [None, 5, "text", [{"id": 1}], True])
def test_what_is_no_object_is_no_record(record: object) -> None:
    assert reason(record) == "not a record (a JSON object)"


@pytest.mark.parametrize("number", [None, "", 0, float("nan"), "\\N", "NULL"])
def test_a_record_without_an_id_is_skipped(number: object) -> None:
    assert reason({"id": number, "text": "a"}) == "no id"


NO_NUMBERS = ["abc", "1e3", 1.5, "1.5", float("inf"), [1], {"a": 1}, b"1", True]
OUT_OF_RANGE = [-1, 2**63, 2**64, "-5", 1e300, "9" * 30]


@pytest.mark.parametrize("number", NO_NUMBERS)
def test_an_id_that_is_no_whole_number_is_skipped(number: object) -> None:
    assert reason({"id": number}) == "id is not a number"


@pytest.mark.parametrize("number", OUT_OF_RANGE)
def test_an_id_that_no_archive_can_hold_is_skipped(number: object) -> None:
    assert reason({"id": number}) == "id is out of range"


@pytest.mark.parametrize("number", NO_NUMBERS + OUT_OF_RANGE)
@pytest.mark.parametrize("name", ["parent", "story"])
def test_a_link_that_leads_nowhere_costs_the_link_and_not_the_post(name: str, number: object) -> None:
    assert read({"id": 1, "text": "a", name: number}) == Post(1, text="a")


def test_the_largest_id_is_taken() -> None:
    assert read({"id": 2**63 - 1}).id == 2**63 - 1


@pytest.mark.parametrize("kind", ["user", "Story", 0, 6, [], {}])
def test_an_unknown_type_is_skipped(kind: object) -> None:
    assert reason({"id": 1, "type": kind}) == "unknown type of item"


@pytest.mark.parametrize("name", ["text", "title"])
@pytest.mark.parametrize("value", [5, True, ["a"], {"a": 1}, b"a"])
def test_text_that_is_no_text_is_skipped(name: str, value: object) -> None:
    assert reason({"id": 1, name: value}) == f"{name} is not text"


@pytest.mark.parametrize("value", [5, True, ["a"], {"a": 1}, b"a"])
def test_an_address_that_is_no_text_costs_the_address(value: object) -> None:
    assert read({"id": 1, "text": "a", "url": value}) == Post(1, text="a")


def test_text_of_any_length_but_the_longest_is_taken() -> None:
    assert len(read({"id": 1, "text": "a" * LONGEST_TEXT}).text) == LONGEST_TEXT
    assert reason({"id": 1, "text": "a" * (LONGEST_TEXT + 1)}) == f"text is longer than {LONGEST_TEXT:,} characters"


@pytest.mark.parametrize(
    "moment",
    ["yesterday", "2006-13-01", float("nan"), [], {}, "12:00", 10**30, -(10**21), 1e300, "9" * 30, "9" * 5000, "x" * 999],
)
def test_a_time_that_is_no_date_costs_the_time_and_not_the_post(moment: object) -> None:
    assert read({"id": 1, "text": "a", "time": moment}) == Post(1, text="a")


@pytest.mark.parametrize("score", ["many", [], {}, float("nan"), float("inf"), ""])
def test_a_score_that_is_no_number_is_left_out(score: object) -> None:
    assert read({"id": 1, "score": score}).score is None


# --- words and names -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["text", "title", "url"])
def test_a_lone_surrogate_becomes_the_replacement_character(name: str) -> None:
    assert getattr(read({"id": 1, name: "a\ud83d b \udc00"}), name) == "a\ufffd b \ufffd"


def test_a_title_is_one_line_of_plain_characters() -> None:
    assert read({"id": 1, "title": " A\n&lt;b&gt;\t\u2028 &quot;C&quot;\x1b[2J "}).title == 'A <b> "C"[2J'


def test_an_author_is_a_hash_and_nothing_else() -> None:
    post = read({"id": 1, "by": "Zebra", "text": "a"})
    assert post.author == hashed("Zebra")
    assert "Zebra" not in repr(post)


@pytest.mark.parametrize("name", [None, "", 5, ["a"], True])
def test_a_name_that_is_none_has_no_hash(name: object) -> None:
    assert read({"id": 1, "by": name}).author is None


def test_a_name_with_a_lone_surrogate_has_a_hash() -> None:
    assert read({"id": 1, "by": "a\ud800"}).author is not None


# --- whatever comes ------------------------------------------------------------------------------------------------

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(1, 50),
    st.sampled_from([2**63, 2**64 - 1, -(2**63) - 1, 10**30]),
    st.floats(),
    st.text(max_size=10),
    st.sampled_from([kind.value for kind in Kind]),
    st.text(st.sampled_from("0123456789.e-+:T Z"), max_size=25),
    st.datetimes(timezones=st.sampled_from([None, UTC, timezone(timedelta(hours=23)), timezone(timedelta(hours=-23))])),
    st.binary(max_size=5),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=2), st.none(), max_size=2),
)


@PROPERTY
@given(st.dictionaries(st.sampled_from(COLUMNS), VALUES), st.one_of(st.just(1), VALUES))
@example({"score": 2**63}, 1)
@example({"score": 1e20}, 1)
@example({"time": 1e300}, 1)
def test_any_record_is_a_post_an_archive_can_hold_or_is_skipped(record: dict[str, Any], number: object) -> None:
    item = read_record({**record, "id": number}, "here", hashed)
    if isinstance(item, Skipped):
        assert item.reason
    else:
        numbers = (item.id, item.parent, item.story, item.time, item.score)
        assert all(value is None or (type(value) is int and -(2**63) <= value < 2**63) for value in numbers)
        assert item.id > 0
        f"{item.text}{item.title}{item.url}".encode()

"""Reading from the API, against a real server on loopback that can misbehave on demand."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import pairwise
from math import ceil, log2
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hn_server import (
    PATIENCE,
    Fault,
    HackerNewsServer,
    forum,
    hang_up,
    huge,
    moment,
    page,
    silence,
    slow,
    status,
    value,
)
from hypothesis import given

from rejoinder.archive import fetch as fetching
from rejoinder.archive import hackernews_api
from rejoinder.archive.authors import author_hasher
from rejoinder.archive.fetch import Wanted, fetch, remaining
from rejoinder.archive.hackernews_api import LARGEST_ANSWER, ApiConfig, HackerNewsApi
from rejoinder.archive.store import Archive, Counts
from rejoinder.errors import SourceError, UnknownPost
from rejoinder.post import State

# 1 is a story; 2 and 3 answer it; 4 and 5 answer 2; 6 answers 4; 7 answers 3
TREE = forum({1: None, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 3})
FOR_GOOD = {
    "429": (status(429, Retry_After="0"), "status 429"),
    "500": (status(500), "status 500"),
    "a web page": (page(), "not JSON"),
    "silence": (silence(), "no answer in time"),
    "hang-up": (hang_up(), "no answer"),
}

Read = Callable[..., Counts]


@pytest.fixture(autouse=True)
def plain_http(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Loopback is asked directly, whatever the machine's settings; no certificates are read, which takes longer than a test."""
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def server() -> Iterator[HackerNewsServer]:
    with HackerNewsServer(TREE) as started:
        yield started


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with Archive.open(tmp_path / "archive.db", create=True) as opened:
        yield opened


@pytest.fixture
def read(server: HackerNewsServer, archive: Archive) -> Read:
    """Fetch into `archive` from `server`, with short pauses; a fetch that never ends fails."""

    def run(
        wanted: Wanted,
        counts: Counts | None = None,
        url: str | None = None,
        progress: Callable[[int, int], None] = lambda done, left: None,
        **config: float,
    ) -> Counts:
        counts = Counts() if counts is None else counts
        chosen = ApiConfig(url or server.url, **{"timeout": 10.0, "attempts": 3, "pause": 0.01, **config})  # type: ignore[arg-type]

        async def session() -> None:
            async with HackerNewsApi(chosen, author_hasher(archive.path.with_name("author.key"))) as api:
                await fetch(archive, api, wanted, counts, progress)

        asyncio.run(asyncio.wait_for(session(), PATIENCE))
        return counts

    return run


def ids(archive: Archive) -> set[int]:
    return {number for (number,) in archive.query("SELECT id FROM post")}


def since(number: int) -> datetime:
    return datetime.fromtimestamp(moment(number), UTC)


def lose_patience(server: HackerNewsServer) -> None:
    """From the 21st request for an item on, say 418: who asks over and over is stopped here, not by the clock."""
    for name in (f"item/{number}.json" for number in server.items):
        server.fault(name, Fault(), times=20)
        server.fault(name, status(418))


# --- what is read ----------------------------------------------------------------------------------------------------


def test_an_item_brings_all_above_and_all_below_it(read: Read, archive: Archive) -> None:
    read(Wanted(items=[4]))
    assert ids(archive) == {1, 2, 4, 6}  # 2 and 1 above, 6 below; 5, 3 and 7 stand beside


def test_a_story_brings_every_reply(read: Read, archive: Archive) -> None:
    read(Wanted(items=[1]))
    assert ids(archive) == {1, 2, 3, 4, 5, 6, 7}


def test_each_item_of_a_tree_is_asked_for_once(read: Read, server: HackerNewsServer) -> None:
    read(Wanted(items=[1]))
    assert server.items_asked == dict.fromkeys(range(1, 8), 1)


def test_what_an_item_says_is_what_the_archive_holds(read: Read, archive: Archive) -> None:
    read(Wanted(items=[2]))
    post = archive.post(2)
    assert (post.text, post.parent, post.time, post.thread) == ("Words of comment 2.", 1, moment(2), 1)


def test_no_name_reaches_the_disk(read: Read, archive: Archive) -> None:
    read(Wanted(items=[1]))
    for file in archive.path.parent.iterdir():
        assert b"writer" not in file.read_bytes()


def test_the_top_stories_come_with_their_replies_and_no_others(read: Read, server: HackerNewsServer, archive: Archive) -> None:
    server.items = forum({10: None, 11: 10, 12: 11, 20: None, 21: 20, 30: None, 31: 30})
    server.top = [20, 10, 30]
    read(Wanted(top=2))
    assert ids(archive) == {20, 21, 10, 11, 12}


def test_updates_bring_what_changed_and_what_stands_above_it(read: Read, server: HackerNewsServer, archive: Archive) -> None:
    server.changed = [4]
    read(Wanted(updates=True))
    assert ids(archive) == {1, 2, 4}


def test_counts_add_up_whatever_the_api_says(read: Read, server: HackerNewsServer) -> None:
    server.items[1]["kids"] = [2, 3, 8]  # type: ignore[index]  # 8 is null
    server.fault("item/3.json", value([3]))
    server.fault("item/4.json", value({"id": 40, "type": "comment"}))
    counts = read(Wanted(items=[1]))
    assert (counts.lines, counts.new, counts.skipped) == (6, 3, 3)  # 1, 2, 5 new; 8, 3, 4 skipped; of 6 and 7 nobody spoke
    assert sum(counts.reasons.values()) == counts.skipped


# --- since a date ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [1, 2, 11, 20])
def test_since_reads_from_that_moment_on_and_nothing_older(
    read: Read, server: HackerNewsServer, archive: Archive, first: int
) -> None:
    server.items = forum(dict.fromkeys(range(1, 21)))
    read(Wanted(since=since(first)))
    assert ids(archive) == set(range(first, 21))


def test_since_the_future_reads_nothing(read: Read, archive: Archive) -> None:
    assert read(Wanted(since=since(8))).lines == 0


@pytest.mark.parametrize(
    "nulls",
    [range(11, 14), range(15, 17), range(13, 18), range(1, 15), range(18, 21)],
    ids=["where the search begins", "at the date", "around the date", "all before", "the newest"],
)
def test_since_finds_its_way_past_null_items(read: Read, server: HackerNewsServer, archive: Archive, nulls: range) -> None:
    server.items = {**forum(dict.fromkeys(range(1, 21))), **dict.fromkeys(nulls)}
    read(Wanted(since=since(15)))
    assert ids(archive) == set(range(15, 21)) - set(nulls)


def test_since_misses_nothing_behind_more_null_items_than_are_stepped_over(
    read: Read, server: HackerNewsServer, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "_STEP_OVER", 3)
    server.items = {**forum(dict.fromkeys(range(1, 31))), **dict.fromkeys(range(12, 24))}  # the search begins at 16
    read(Wanted(since=since(28)))
    assert ids(archive) >= {28, 29, 30}


def test_since_finds_its_way_past_items_without_a_time(read: Read, server: HackerNewsServer, archive: Archive) -> None:
    server.items = forum(dict.fromkeys(range(1, 21)))
    for number in range(10, 14):
        del server.items[number]["time"]  # type: ignore[union-attr]
    read(Wanted(since=since(18)))
    assert ids(archive) == {18, 19, 20}


def test_the_search_for_a_date_asks_for_few_items(read: Read, server: HackerNewsServer) -> None:
    server.items = forum(dict.fromkeys(range(1, 1001)))
    read(Wanted(since=since(991)))
    assert server.items_asked.total() <= 10 + ceil(log2(1001))


def test_since_completes_the_path_above_a_new_reply(read: Read, server: HackerNewsServer, archive: Archive) -> None:
    server.items = forum({1: None, 2: 1, 3: 1, 4: 2, 5: None, 6: 4, 7: 5})
    read(Wanted(since=since(6)))
    assert ids(archive) == {6, 7, 4, 2, 1, 5}  # 4, 2, 1 above 6; 5 above 7; 3 is neither new nor above


def test_a_range_is_read_whole_over_several_rounds(
    read: Read, server: HackerNewsServer, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "ROUND", 7)
    server.items = forum(dict.fromkeys(range(1, 31)))
    read(Wanted(since=since(3)))
    assert ids(archive) == set(range(3, 31))


@pytest.mark.parametrize("wanted", [Wanted(items=range(1, 61)), Wanted(since=datetime.fromtimestamp(0, UTC))])
def test_a_round_ends_once_it_holds_so_much_text(
    wanted: Wanted, read: Read, server: HackerNewsServer, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hackernews_api, "BATCH_SIZE", 10_000)
    server.items = forum(dict.fromkeys(range(1, 61)))
    for item in server.items.values():
        assert item is not None
        item["text"] = "word " * 600
    done = [0]
    counts = read(wanted, progress=lambda so_far, left: done.append(so_far), concurrency=3)
    assert max(after - before for before, after in pairwise(done)) <= 4 + 2  # four make 12,000; two more were on their way
    assert ids(archive) == set(range(1, 61)) and counts.new == counts.lines == 60
    looked_at = 20 if wanted.since else 0  # for the first id of that date
    assert server.requests.total() <= 60 + looked_at  # nothing is read again


def test_an_item_inside_a_range_does_not_hide_the_rest_of_the_range(
    read: Read, server: HackerNewsServer, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "ROUND", 7)
    server.items = forum(dict.fromkeys(range(1, 31)))
    server.changed = [25]  # what changed lately mostly is what is new
    read(Wanted(since=since(3), updates=True))
    assert ids(archive) == set(range(3, 31))


# --- manners ---------------------------------------------------------------------------------------------------------


def test_no_more_requests_run_at_once_than_allowed_and_as_many(read: Read, server: HackerNewsServer) -> None:
    server.items = forum({1: None, **dict.fromkeys(range(2, 26), 1)})
    for number in range(2, 26):
        server.fault(f"item/{number}.json", slow(0.005))
    counts = read(Wanted(items=[1]), concurrency=3)
    assert (counts.new, server.most_at_once) == (25, 3)


def test_requests_run_side_by_side(read: Read, server: HackerNewsServer) -> None:
    server.items = forum(dict.fromkeys(range(1, 9)))
    server.hold_until(5)  # nobody is answered before five wait: one at a time would never end
    assert read(Wanted(items=range(1, 9)), concurrency=5).new == 8


@pytest.mark.parametrize("problem", FOR_GOOD)
def test_a_request_that_fails_twice_is_tried_a_third_time(read: Read, server: HackerNewsServer, problem: str) -> None:
    server.fault("item/6.json", FOR_GOOD[problem][0], times=2)
    counts = read(Wanted(items=[6]), timeout=0.4 if problem == "silence" else 10.0)
    assert (counts.new, server.requests["item/6.json"]) == (4, 3)


def test_pauses_between_attempts_double(read: Read, server: HackerNewsServer) -> None:
    server.fault("item/6.json", status(503), times=3)
    read(Wanted(items=[6]), attempts=4, pause=0.02)
    gaps = [after - before for before, after in pairwise(server.arrivals["item/6.json"])]
    assert [gap >= least for gap, least in zip(gaps, (0.02, 0.04, 0.08), strict=True)] == [True, True, True]


def test_the_pause_a_server_asks_for_is_kept(read: Read, server: HackerNewsServer) -> None:
    server.fault("item/6.json", status(429, Retry_After="0.15"), times=1)
    read(Wanted(items=[6]), pause=0.0)
    first, second = server.arrivals["item/6.json"]
    assert second - first >= 0.15


@pytest.mark.parametrize("asked", ["soon", "Wed, 21 Oct 2026 07:28:00 GMT", "-5", "nan", ""])
def test_a_pause_that_cannot_be_read_is_no_reason_to_stop(read: Read, server: HackerNewsServer, asked: str) -> None:
    server.fault("item/6.json", status(429, Retry_After=asked), times=1)
    assert read(Wanted(items=[6])).new == 4


# --- an API that fails -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("problem", FOR_GOOD)
def test_an_api_that_fails_for_good_gives_one_line_that_names_the_address(
    read: Read, server: HackerNewsServer, problem: str
) -> None:
    fault, words = FOR_GOOD[problem]
    server.fault("item/1.json", fault)
    with pytest.raises(SourceError) as caught:
        read(Wanted(items=[1]), timeout=0.1 if problem == "silence" else 10.0)
    line = str(caught.value)
    assert f"{server.url}/item/1.json: " in line and words in line and "\n" not in line


@pytest.mark.parametrize("problem", ["429", "hang-up"])
def test_a_request_is_tried_no_more_often_than_allowed(read: Read, server: HackerNewsServer, problem: str) -> None:
    server.fault("item/1.json", FOR_GOOD[problem][0])
    with pytest.raises(SourceError):
        read(Wanted(items=[1]), attempts=2)
    assert server.requests["item/1.json"] == 2


def test_a_hang_up_is_told_with_its_reason(read: Read, server: HackerNewsServer) -> None:
    server.fault("item/1.json", hang_up())
    with pytest.raises(SourceError, match=r"no answer \(.*[Dd]isconnected.*\)"):
        read(Wanted(items=[1]))


def test_an_answer_too_large_is_cut_off_with_one_line(read: Read, server: HackerNewsServer) -> None:
    server.fault("item/1.json", huge(LARGEST_ANSWER // 2**20 + 1))
    with pytest.raises(SourceError, match=r"/item/1\.json: an answer of more than \d+ MiB was cut off"):
        read(Wanted(items=[1]))


def test_a_wrong_address_is_asked_once_and_named(read: Read, server: HackerNewsServer) -> None:
    with pytest.raises(SourceError, match=r"/v9/topstories\.json: status 404; is --api right\?"):
        read(Wanted(top=3), url=server.url.replace("/v0", "/v9"))
    assert server.requests.total() == 1


def test_an_address_where_nobody_listens_gives_one_line(read: Read, server: HackerNewsServer) -> None:
    with HackerNewsServer({}) as gone:
        url = gone.url
    with pytest.raises(SourceError, match=r"/item/1\.json: no answer \(.+\)"):
        read(Wanted(items=[1]), url=url)


@pytest.mark.parametrize("url", ["nonsense", "http://[::1", "http://127.0.0.1:99999", "ftp://127.0.0.1/", "http://"])
def test_an_address_that_is_none_gives_one_line(read: Read, url: str) -> None:
    with pytest.raises(SourceError) as caught:
        read(Wanted(items=[1]), url=url)
    assert url.rstrip("/") in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "answer", "wanted"),
    [
        ("topstories.json", {"error": "no"}, Wanted(top=1)),
        ("topstories.json", ["1"], Wanted(top=1)),
        ("topstories.json", None, Wanted(top=1)),
        ("updates.json", {"profiles": []}, Wanted(updates=True)),
        ("updates.json", "nothing", Wanted(updates=True)),
        ("maxitem.json", "10", Wanted(since=datetime(2026, 1, 1, tzinfo=UTC))),
        ("maxitem.json", None, Wanted(since=datetime(2026, 1, 1, tzinfo=UTC))),
        ("maxitem.json", True, Wanted(since=datetime(2026, 1, 1, tzinfo=UTC))),
    ],
)
def test_a_list_that_is_no_list_of_ids_gives_one_line_that_names_the_address(
    read: Read, server: HackerNewsServer, name: str, answer: object, wanted: Wanted
) -> None:
    server.fault(name, value(answer))
    with pytest.raises(SourceError, match=f"{server.url}/{name}: expected "):
        read(wanted)


def test_an_error_cannot_carry_escapes_from_the_api(read: Read, server: HackerNewsServer) -> None:
    server.fault("item/1.json", page("text/html\x1b]0;owned\x07"))
    with pytest.raises(SourceError) as caught:
        read(Wanted(items=[1]), attempts=1)
    assert "\x1b" not in str(caught.value) and "\x07" not in str(caught.value)


def test_an_api_that_went_silent_is_given_up_after_a_few_requests(read: Read, server: HackerNewsServer) -> None:
    server.items = forum(dict.fromkeys(range(1, 61)))
    for number in range(1, 61):
        server.fault(f"item/{number}.json", silence())
    with pytest.raises(SourceError, match="no answer in time"):
        read(Wanted(items=range(1, 61)), concurrency=4, attempts=2, timeout=0.05)
    assert server.requests.total() <= 3 * 4 * 2  # 60 items are left, but a few failures have said enough


def test_one_bad_item_does_not_keep_the_others_away_one_request_at_a_time(
    read: Read, server: HackerNewsServer, archive: Archive
) -> None:
    server.fault("item/7.json", status(500))
    with pytest.raises(SourceError, match=r"/item/7\.json: status 500"):
        read(Wanted(items=[1]), concurrency=1, attempts=2)
    assert ids(archive) == {1, 2, 3, 4, 5, 6}


def test_the_error_told_is_that_of_an_item_that_was_asked_for(read: Read, server: HackerNewsServer) -> None:
    server.items = forum(dict.fromkeys(range(1, 31)))
    for number in range(1, 31):
        server.fault(f"item/{number}.json", status(500))
    with pytest.raises(SourceError, match="status 500"):
        read(Wanted(items=range(1, 31)), concurrency=2, attempts=1)


# --- going on --------------------------------------------------------------------------------------------------------


def test_what_was_read_before_a_failure_is_kept(read: Read, server: HackerNewsServer, archive: Archive) -> None:
    server.fault("item/2.json", status(500))
    with pytest.raises(SourceError):
        read(Wanted(items=[1]))
    assert ids(archive) == {1, 3, 7}  # all but 2 and what is below it


def test_a_failure_says_how_many_items_are_left(read: Read, server: HackerNewsServer, archive: Archive) -> None:
    server.fault("item/2.json", status(500))
    server.fault("item/3.json", status(500))
    with pytest.raises(SourceError, match=r"; 2 items are left: .+ goes on from here"):
        read(Wanted(items=[1]))
    assert remaining(archive) == 2


def test_counts_of_a_fetch_that_failed_are_of_what_was_kept(read: Read, server: HackerNewsServer) -> None:
    server.fault("item/2.json", status(500))
    counts = Counts()
    with pytest.raises(SourceError):
        read(Wanted(items=[1]), counts)
    assert (counts.lines, counts.new) == (3, 3)


def test_a_fetch_of_nothing_new_goes_on_without_reading_again_what_is_here(
    read: Read, server: HackerNewsServer, archive: Archive
) -> None:
    server.fault("item/2.json", status(500))
    with pytest.raises(SourceError):
        read(Wanted(items=[1]))
    server.mend()
    read(Wanted())
    assert ids(archive) == set(TREE)
    assert server.items_asked == {2: 1, 4: 1, 5: 1, 6: 1}


def as_told(error: SourceError, wanted: Wanted) -> Wanted:
    """What the error says to run: the same again, unless it names the command without options."""
    return Wanted() if "`rejoinder fetch hn`" in str(error) else wanted


def test_what_the_error_says_to_run_reads_nothing_again(read: Read, server: HackerNewsServer, archive: Archive) -> None:
    server.fault("item/2.json", status(500))
    with pytest.raises(SourceError) as caught:
        read(Wanted(items=[1]))
    server.mend()
    read(as_told(caught.value, Wanted(items=[1])))
    assert ids(archive) == set(TREE)
    assert server.items_asked == {2: 1, 4: 1, 5: 1, 6: 1}


def test_after_one_item_of_a_date_failed_the_error_says_how_to_read_only_that(
    read: Read, server: HackerNewsServer, archive: Archive
) -> None:
    server.items = forum(dict.fromkeys(range(1, 21)))
    server.fault("item/17.json", status(500))
    with pytest.raises(SourceError) as caught:
        read(Wanted(since=since(1)))
    server.mend()
    read(as_told(caught.value, Wanted(since=since(1))))
    assert ids(archive) == set(range(1, 21))
    assert server.items_asked.total() <= 1 + ceil(log2(21))  # 17, and perhaps the search for the date


def test_after_the_api_went_down_the_error_says_how_to_go_on_with_the_rest_of_a_date(
    read: Read, server: HackerNewsServer, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "ROUND", 10)
    server.items = forum(dict.fromkeys(range(1, 41)))
    for number in range(22, 41):
        server.fault(f"item/{number}.json", status(500))
    with pytest.raises(SourceError) as caught:  # the search for the date of 1 asks for 21, 11, 6, 3, 2 and 1
        read(Wanted(since=since(1)), concurrency=4, attempts=1)
    server.mend()
    read(as_told(caught.value, Wanted(since=since(1))))
    assert ids(archive) == set(range(1, 41))
    assert {number for number in server.items_asked if number < 21} <= {1, 2, 3, 6, 11}


def test_the_same_since_goes_on_in_a_range_that_was_left_half_way(
    read: Read, server: HackerNewsServer, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop_after_20(done: int, left: int) -> None:
        if done == 20:
            raise InterruptedError

    monkeypatch.setattr(fetching, "ROUND", 10)
    server.items = forum(dict.fromkeys(range(1, 41)))
    with pytest.raises(InterruptedError):  # the search for the date of 1 asks for 21, 11, 6, 3, 2 and 1
        read(Wanted(since=since(1)), progress=stop_after_20)
    assert remaining(archive) == 20
    server.mend()
    read(Wanted(since=since(1)))
    assert ids(archive) == set(range(1, 41))
    assert {number for number in server.items_asked if number < 21} <= {1, 2, 3, 6, 11}


def test_nothing_is_left_after_a_whole_fetch(read: Read, archive: Archive) -> None:
    read(Wanted(items=[1]))
    assert remaining(archive) == 0


def test_the_same_fetch_again_changes_nothing(read: Read, archive: Archive) -> None:
    read(Wanted(items=[1]))
    revision = archive.meta("revision")
    again = read(Wanted(items=[1]))
    assert (again.lines, again.unchanged, archive.meta("revision")) == (7, 7, revision)


def test_an_item_that_changed_is_an_update(read: Read, server: HackerNewsServer, archive: Archive) -> None:
    read(Wanted(items=[1]))
    server.items[6]["text"] = "Other words."  # type: ignore[index]
    again = read(Wanted(items=[1]))
    assert (again.updated, again.unchanged, archive.post(6).text) == (1, 6, "Other words.")


def test_a_fetch_killed_half_way_is_taken_up_where_it_was(server: HackerNewsServer, tmp_path: Path) -> None:
    server.fault("item/6.json", silence())  # the last of four rounds: 1; 2, 3; 4, 5, 7; 6
    home = tmp_path / "home"
    command = [sys.executable, "-m", "rejoinder", "fetch", "hn", "--api", server.url, "--timeout", "600", "--home", str(home)]
    with subprocess.Popen([*command, "--item", "1"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as first:
        server.wait_for("item/6.json")
        first.kill()  # SIGKILL
    server.mend()
    second = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    with Archive.open(home / "archive.db") as archive:
        assert ids(archive) == set(TREE)
        assert all(post.thread == 1 for post in archive.posts("1"))
    assert server.items_asked == {6: 1}
    assert second.stderr == "going on with 1 items left from the last fetch\n"


# --- null, foreign and odd items -------------------------------------------------------------------------------------


def test_a_null_item_that_is_here_is_marked_deleted_and_its_words_are_gone(
    read: Read, server: HackerNewsServer, archive: Archive
) -> None:
    server.items[4]["text"] = "A most peculiar sentence."  # type: ignore[index]
    read(Wanted(items=[1]))
    server.items[4] = None
    counts = read(Wanted(items=[4]))
    assert counts.updated == 1
    (post,) = archive.posts("id = 4")
    assert (post.state, post.text, post.author, post.parent) == (State.DELETED, "", None, 2)
    archive.close()
    assert all(b"peculiar" not in file.read_bytes() for file in archive.path.parent.iterdir())


def test_replies_to_a_deleted_item_stay_in_their_thread(read: Read, server: HackerNewsServer, archive: Archive) -> None:
    read(Wanted(items=[1]))
    server.items[4] = None
    read(Wanted(items=[4]))
    assert [post.id for post in archive.path_to(6)] == [1, 2, 6]


def test_a_null_item_that_was_never_here_is_counted_as_skipped(read: Read, archive: Archive) -> None:
    counts = read(Wanted(items=[99]))
    assert (counts.lines, counts.reasons, counts.examples) == (
        1,
        {"deleted, or no such item": 1},
        {"deleted, or no such item": "item/99.json"},
    )
    with pytest.raises(UnknownPost):
        archive.post(99)


def test_another_item_than_the_one_asked_for_is_not_taken_in(read: Read, server: HackerNewsServer, archive: Archive) -> None:
    server.fault("item/3.json", value({"id": 33, "type": "comment", "text": "I am not 3.", "kids": [34]}))
    counts = read(Wanted(items=[1]))
    assert counts.reasons == {"another item than the one asked for": 1}
    assert ids(archive) == {1, 2, 4, 5, 6}


@pytest.mark.parametrize("answer", [[], 7, "words", True, [{"id": 3}], {}, {"id": 3, "type": "song"}, {"id": "three"}])
def test_an_answer_that_is_no_item_costs_one_item(read: Read, server: HackerNewsServer, archive: Archive, answer: object) -> None:
    server.fault("item/3.json", value(answer))
    counts = read(Wanted(items=[1]))
    assert (counts.skipped, ids(archive)) == (1, {1, 2, 4, 5, 6})


@pytest.mark.parametrize("kids", ["23", 5, {"2": 3}, [None, "2", 2.5, -1, 0, True]])
def test_kids_that_are_no_ids_are_passed_over(read: Read, server: HackerNewsServer, archive: Archive, kids: object) -> None:
    server.items = forum({1: None})
    server.items[1]["kids"] = kids  # type: ignore[index]
    assert (read(Wanted(items=[1])).new, ids(archive)) == (1, {1})


def test_an_id_too_large_for_the_archive_costs_one_item(read: Read, server: HackerNewsServer, archive: Archive) -> None:
    server.items = forum({1: None, 2: 1})
    server.items[1]["kids"] = [2**64, 2]  # type: ignore[index]
    read(Wanted(items=[1]))
    assert ids(archive) == {1, 2}


@pytest.mark.parametrize("kids", [{1: [1]}, {1: [2], 2: [1]}, {1: [2], 2: [3], 3: [1, 2, 3]}], ids=["1", "2", "3"])
def test_kids_that_run_in_a_circle_end(
    read: Read, server: HackerNewsServer, archive: Archive, kids: dict[int, list[int]]
) -> None:
    server.items = forum({1: None, **{number: 1 for number in kids if number > 1}})
    for number, named in kids.items():
        server.items[number]["kids"] = named  # type: ignore[index]
    lose_patience(server)
    read(Wanted(items=[1]))
    assert ids(archive) == set(kids)


def test_parents_that_run_in_a_circle_end(read: Read, server: HackerNewsServer, archive: Archive) -> None:
    server.items = forum({1: 3, 2: 1, 3: 2})
    for item in server.items.values():
        assert item is not None
        del item["kids"]
    counts = read(Wanted(items=[3]))
    assert (ids(archive), sorted(counts.circular)) == ({1, 2, 3}, [1, 2, 3])


def test_an_item_that_is_its_own_parent_ends(read: Read, server: HackerNewsServer, archive: Archive) -> None:
    server.items = forum({1: 1})
    del server.items[1]["kids"]  # type: ignore[union-attr]
    assert (read(Wanted(items=[1])).new, ids(archive)) == (1, {1})


@pytest.mark.parametrize("key", ["time", "score", "parent"])
def test_a_number_too_large_for_the_archive_costs_one_item_at_most(
    read: Read, server: HackerNewsServer, archive: Archive, key: str
) -> None:
    server.items[5][key] = 2**70  # type: ignore[index]
    read(Wanted(items=[1]))
    assert ids(archive) >= {1, 2, 3, 4, 6, 7}


def test_a_lone_surrogate_in_an_item_is_replaced(read: Read, server: HackerNewsServer, archive: Archive) -> None:
    server.items[7]["text"] = "half \ud83d a character"  # type: ignore[index]
    server.items[7]["by"] = "\udc00"  # type: ignore[index]
    read(Wanted(items=[7]))
    assert archive.post(7).text == "half \ufffd a character"


def test_progress_ends_with_nothing_left(read: Read) -> None:
    seen: list[tuple[int, int]] = []
    read(Wanted(items=[1]), progress=lambda done, left: seen.append((done, left)))
    assert seen == [(1, 2), (3, 3), (6, 1), (7, 0)]  # 1; 2, 3; 4, 5, 7; 6


# --- ranges ----------------------------------------------------------------------------------------------------------


def interrupted(read: Read, server: HackerNewsServer, first: int, lost: range) -> None:
    """A fetch since item `first` that ends where a whole round of items cannot be had."""
    for number in lost:
        server.fault(f"item/{number}.json", status(418))
    with pytest.raises(SourceError):
        read(Wanted(since=since(first)))
    server.mend()


@pytest.mark.parametrize("then", [5, 21, 36, 60, 95])
def test_a_range_that_was_interrupted_is_read_to_its_end_whatever_date_is_asked_for_next(
    read: Read, server: HackerNewsServer, archive: Archive, monkeypatch: pytest.MonkeyPatch, then: int
) -> None:
    monkeypatch.setattr(fetching, "ROUND", 10)
    server.items = forum(dict.fromkeys(range(1, 101)))
    del server.items[100]
    interrupted(read, server, 20, range(36, 50))
    server.items = forum(dict.fromkeys(range(1, 101)))
    counts = read(Wanted(since=since(then)))
    assert ids(archive) == set(range(min(then, 20), 101))
    assert counts.lines == len(range(36, 101)) + len(range(then, 20))  # none twice
    assert remaining(archive) == 0


def test_asked_for_again_after_the_end_a_range_is_read_anew(read: Read, server: HackerNewsServer) -> None:
    server.items = forum(dict.fromkeys(range(1, 21)))
    interrupted(read, server, 5, range(7, 10))
    read(Wanted(since=since(5)))
    assert read(Wanted(since=since(5))).lines == 16


def test_the_range_that_an_earlier_version_noted_is_gone_on_with(read: Read, server: HackerNewsServer, archive: Archive) -> None:
    server.items = forum(dict.fromkeys(range(1, 21)))
    with archive.writing():
        archive.set_meta("range", "7 15")
    assert remaining(archive) == 9
    read(Wanted())
    assert ids(archive) == set(range(7, 16))


SPANS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=5)


@given(SPANS, SPANS)
def test_spans_are_sets_of_ids(one: list[tuple[int, int]], other: list[tuple[int, int]]) -> None:
    def members(spans: list[tuple[int, int]]) -> set[int]:
        return {number for first, last in spans for number in range(first, last + 1)}

    together, rest = fetching.union(one, other), fetching.without(fetching.union(one, []), other)
    assert members(together) == members(one) | members(other)
    assert members(rest) == members(one) - members(other)
    for spans in (together, rest):
        assert all(first <= last for first, last in spans)
        assert all(last < first for (_, last), (first, _) in pairwise(spans))

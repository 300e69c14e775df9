"""Cases: what an archive knows of how a reply did, and the case as a person sees it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from math import log1p
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import pytest
from conftest import make_corpus
from hypothesis import given, settings
from hypothesis import strategies as st

from rejoinder.archive.cases import case_of
from rejoinder.archive.places import place
from rejoinder.archive.store import Archive
from rejoinder.cli.layout import days_ago
from rejoinder.engine.diversity import apart
from rejoinder.engine.replier import Replier, ReplyConfig
from rejoinder.models.canned import Canned, CannedConfig, courtesy
from rejoinder.models.solved import FEATURES, Mark, Solved, _Talk, replies_of
from rejoinder.post import Case, Kind, Origin, Post, Suggestion, Thread

QUESTION = (Post(1, Kind.STORY, "Why does the engine stall ?"),)
ASKER, HELPER, OTHER = b"asker", b"helper", b"other"


class Forum:
    """A corpus of one thread."""

    def __init__(self, *posts: Post) -> None:
        self.thread = Thread(posts[0].id, posts)

    def threads(self, part: str) -> Iterator[Any]:
        return iter([self.thread] if part == "train" else [])


def marks(*posts: Post) -> dict[int, Mark]:
    found = Solved.of(Forum(*posts))  # type: ignore[arg-type]
    return {post: found.of_post(post)[1] for post in found.posts.tolist()}


def opening(**more: Any) -> Post:
    return Post(1, Kind.STORY, title="The build fails", text="It stops at step 3.", time=1, author=ASKER, **more)


def said(number: int, text: str, author: bytes | None, parent: int = 1, **more: Any) -> Post:
    return Post(number, text=text, parent=parent, time=number, author=author, **more)


# --- what is known -----------------------------------------------------------------------------------------------------


def test_the_askers_thanks_count_for_the_reply_they_are_given_to() -> None:
    found = marks(
        opening(),
        said(2, "Clean the cache first.", HELPER),
        said(3, "Or use the newer compiler.", OTHER),
        said(4, "Thanks, that worked.", ASKER, parent=2),
    )
    assert found == {2: Mark.THANKED, 3: Mark(0)}  # the asker's own is no answer


@pytest.mark.parametrize(
    ("text", "thanked"),
    [
        ("Thanks, that solved it!", True),
        ("Thanks, but it still stops there.", False),
        ("Thanks. Where is the cache?", False),
        ("I have no cache.", False),
    ],
)
def test_thanks_that_go_on_asking_are_none(text: str, thanked: bool) -> None:
    found = marks(opening(), said(2, "Clean the cache first.", HELPER), said(3, text, ASKER))  # a flat thread: right after it
    assert (Mark.THANKED in found[2]) is thanked


def test_thanks_of_others_are_none_and_where_nobody_is_known_whoever_answers_is_heard() -> None:
    assert marks(opening(), said(2, "Clean the cache.", HELPER), said(3, "Thanks, that worked.", OTHER, parent=2))[2] == Mark(0)
    nobody = opening()._replace(author=None)
    assert marks(nobody, said(2, "Clean the cache.", HELPER), said(3, "Thanks, that worked.", OTHER, parent=2))[2] == Mark(0)
    found = marks(nobody, said(2, "Clean the cache.", None), said(3, "Thanks, that worked.", None, parent=2))
    assert found[2] == Mark.PRAISED and found[2].said == ("somebody gave thanks for it",)
    beside = marks(nobody, said(2, "Clean the cache.", None), said(3, "Thanks, that worked.", None))
    assert beside[2] == Mark(0)  # said to the question, to whom it is not known


WORDS = "thanks that worked but still the rest of the longer words here".split()


@st.composite
def threads(draw: st.DrawFn) -> Thread:
    """A few posts that answer and quote each other, out of order and from nowhere."""
    posts: list[Post] = []
    for number in range(draw(st.integers(1, 9))):
        line = st.lists(st.sampled_from(WORDS), min_size=1, max_size=6).map(" ".join)
        quoted = [post.text.partition("\n")[0] for post in posts] or [""]
        lines = [*draw(st.lists(st.sampled_from(quoted).map("> {}".format), max_size=1)), *draw(st.lists(line, max_size=2))]
        parent = draw(st.sampled_from([*range(number), 99])) if number else None
        more = {"time": draw(st.sampled_from([None, 1, 2])), "author": draw(st.sampled_from([None, ASKER, HELPER, OTHER]))}
        score = draw(st.sampled_from([None, 0, 1, 1, 5]))
        posts.append(Post(number, Kind.COMMENT, "\n".join(lines), parent=parent, score=score, **more))  # type: ignore[arg-type]
    return Thread(0, tuple(posts))


@settings(max_examples=200)
@given(threads())
def test_what_a_thread_says_of_a_reply_is_what_one_finds_who_reads_on_from_each(thread: Thread) -> None:
    order = sorted(thread.posts, key=lambda post: (post.time or 0, post.id))
    by_id = {post.id: post for post in order}

    def asker_next(later: Sequence[Post], reply: Post, asker: bytes | None) -> Post | None:
        to = [post for post in later if post.parent == reply.id]
        if asker is None:
            return to[0] if to and reply.author is None else None
        for post in later:
            if post.author == asker and post.parent in (reply.id, reply.parent):
                return post
            if post.parent == reply.parent:
                break
        return next((post for post in to if post.author == asker), None)

    talk = _Talk(thread.posts)
    for at, reply in enumerate(order):
        if reply.parent not in by_id or reply.parent is None:
            continue
        asked = by_id[reply.parent]
        assert talk.asker_next(reply, asked) == asker_next(order[at + 1 :], reply, asked.author)
        others = [log1p(other.score or 0) for other in order if other.parent == reply.parent and other is not reply]
        assert talk.best_beside(reply) == max(others, default=0.0)
        lines = [(post.author, line[1:].strip()) for post in order for line in post.text.split("\n") if line.startswith(">")]
        assert talk.is_quoted(reply) == any(len(q) > 20 and q in reply.text and who != reply.author for who, q in lines)


def test_a_thread_of_many_posts_costs_in_proportion_to_them() -> None:
    """A chat is one: each answers and quotes the one before, or all answer the first."""

    def seconds(number: int) -> float:
        chain = [
            said(n, f"> {n - 1} said something of that length\n{n} said something of that length", b"%d" % n, n - 1)
            for n in range(2, number)
        ]
        flat = [post._replace(parent=1, text=post.text.replace(">", "")) for post in chain]
        began = process_time()
        for posts in (chain, flat):
            list(replies_of(Thread(1, (opening(), *posts))))
        return process_time() - began

    small = min(seconds(250) for _ in range(5))
    assert any(seconds(2_000) < 24 * small for _ in range(3))


def test_accepted_and_closed() -> None:
    accepted = marks(opening(solved=True), said(2, "Clean the cache.", HELPER, solved=True), said(3, "Use another.", OTHER))
    assert accepted == {2: Mark.ACCEPTED, 3: Mark(0)}  # which one solved it is known
    closed = marks(opening(solved=True), said(2, "Clean the cache.", HELPER))
    assert closed[2] == Mark.CLOSED and closed[2].said == ("the thread was closed as solved",)
    assert (Mark.CLOSED | Mark.ACCEPTED).said[0] == "accepted as the answer"


def forum(threads: int = 120) -> Iterator[Post]:
    """In each thread a helper's long answer is accepted, and a question back is not."""
    for number in range(1, threads + 1):
        root = 10 * number
        yield Post(root, Kind.STORY, f"Fault {number}", "It stops.", time=root, author=ASKER)
        yield said(root + 1, "Did you turn it off?", OTHER, root)
        yield said(root + 2, f"Clean the cache of step {number} and start it again.", HELPER, root, solved=True)


def test_the_model_learns_from_what_was_accepted_and_says_by_what(tmp_path: Path) -> None:
    found = Solved.of(make_corpus(tmp_path, forum()))
    assert found.facts["target"] == "accepted" and {*found.facts["weights"]} == {*FEATURES}
    assert found.facts["weights"]["asks"] < 0 < found.facts["weights"]["trusted"]
    good = [found.of_post(post)[0] for post in found.posts.tolist() if post % 10 == 2]
    bad = [found.of_post(post)[0] for post in found.posts.tolist() if post % 10 == 1]
    assert good and bad and min(good) == 1.0 and max(bad) < 0.2  # what was accepted is known to be
    assert found.of_post(-5) == (pytest.approx(found.usual), Mark(0))
    (tmp_path / "kept").mkdir()
    found.save(tmp_path / "kept")
    again = Solved.load(tmp_path / "kept")
    assert np.array_equal(again.likely, found.likely) and again.facts == found.facts


def test_where_nothing_is_known_nothing_is_said(tmp_path: Path) -> None:
    posts = (post._replace(solved=None, author=None) for post in forum())
    found = Solved.of(make_corpus(tmp_path, posts))
    assert found.facts == {"target": "", "weights": {}} and {*found.likely.tolist()} == {0.5}


def test_a_case_is_what_was_asked_when_and_whether_the_reply_was_accepted(tmp_path: Path) -> None:
    with Archive.open(tmp_path / "archive.db", create=True) as archive:
        place(archive, "help")
        long = said(4, "It stops " * 100, OTHER, parent=2)
        archive.add([opening(answer=2), said(2, "Clean the cache.", HELPER), said(3, "Use another.", OTHER), long])
        archive.add([said(5, "Where ?", HELPER, parent=4), said(6, "Lost.", HELPER, parent=99)])
        found = {number: case_of(archive, number) for number in (2, 3, 5, 6, 7)}
    accepted, other, deep = (found[number].case for number in (2, 3, 5))  # type: ignore[union-attr]
    assert accepted == Case("The build fails\n\nIt stops at step 3.", 1, "The build fails", ("accepted as the answer",))
    assert other is not None and other.solved == () and found[3] is not None and found[3].author == OTHER
    assert deep is not None and deep.asked_at == 4 and len(deep.asked) <= 600 and deep.asked.endswith(" …")
    assert found[6] is not None and found[6].case is None and found[7] is None


# --- as a person sees it -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("people", "order"),
    [
        ([], []),
        (["a", "a", "b"], [0, 2, 1]),
        (["a", "a", "a"], [0]),
        ([None, None, None], [0, 1, 2]),
        (["a", "b", "b", "a", "c"], [0, 1, 3, 2, 4]),
    ],
)
def test_nobody_has_two_in_a_row(people: list[str | None], order: list[int]) -> None:
    assert apart(people) == order


class Listed:
    """A source that proposes a fixed list."""

    def __init__(self, *suggestions: Suggestion) -> None:
        self.suggestions = list(suggestions)

    def propose(self, context: Sequence[Post], k: int) -> list[Suggestion]:
        return self.suggestions[:k]


def test_the_same_person_is_told_by_number_alone() -> None:
    texts = ("check the filter now", "look at valve nine", "replace an old hose", "burn it down quickly")
    people = {10: HELPER, 11: HELPER, 12: OTHER, 13: HELPER}
    source = Listed(*(Suggestion(text, 0.0, "listed", post=10 + n, thread=9) for n, text in enumerate(texts)))

    def told(number: int) -> Origin:
        return Origin("forum", str(number), None, 5, people[number], Case("It stalls.", 4, "Engines"))

    found = Replier({"listed": source}, None, told).reply(QUESTION, 4)  # type: ignore[dict-item]
    assert [(one.post, one.case.same_person_as) for one in found if one.case] == [(10, None), (12, None), (11, 1)]
    assert all(HELPER not in repr(one).encode() for one in found)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Thanks!", "thanks"),
        ("Thank you very much for the help", "thanks"),
        ("Hello everyone", "greeting"),
        ("Good morning", "greeting"),
        ("Thanks, but why does it stall?", ""),
        ("Thanks for the filter", ""),
        ("Good engine", ""),
        ("", ""),
    ],
)
def test_what_is_only_a_courtesy(text: str, kind: str) -> None:
    assert courtesy(text) == kind


def test_a_courtesy_gets_a_canned_reply_or_none() -> None:
    thanks = (Post(1, text="Thank you so much!"),)
    listed: dict[str, Any] = {"listed": Listed(Suggestion("thank goodness for engines", 0.0, "listed", post=5, thread=3))}
    assert Replier(listed, None).reply(thanks) == []
    canned = Canned(CannedConfig(), [("No problem!", -1.0)])
    assert [one.text for one in Replier({**listed, "canned": canned}, None).reply(thanks)] == ["No problem!"]
    greeted = Replier({"canned": canned}, None, config=ReplyConfig()).reply((Post(1, text="hi all"),))
    assert [one.text for one in greeted] == ["Hello!"]


def test_old_replies_say_so() -> None:
    now = datetime(2026, 6, 1, tzinfo=UTC)
    assert days_ago(None) == "" and days_ago(int(datetime(2025, 5, 1, tzinfo=UTC).timestamp()), now) == "2025-05-01"
    assert days_ago(int(datetime(2015, 5, 1, tzinfo=UTC).timestamp()), now) == "2015-05-01 (11 years ago)"

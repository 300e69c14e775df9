"""Replies: proposed, ordered, filtered, with where they come from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from conftest import ENGINE
from hypothesis import given
from hypothesis import strategies as st

from rejoinder.archive.reader import ArchiveCorpus
from rejoinder.engine.filters import Repetition, unfit
from rejoinder.engine.replier import Replier, ReplyConfig
from rejoinder.errors import ConfigError, UsageError
from rejoinder.models.bm25 import BM25, BM25Config
from rejoinder.models.canned import Canned, CannedConfig
from rejoinder.models.interfaces import Job
from rejoinder.post import Kind, Origin, Post, Suggestion

QUESTION = (Post(1, Kind.STORY, "Why does the engine stall ?"),)


class Listed:
    """A source that proposes a fixed list: what the filters see is what the test says."""

    def __init__(self, *suggestions: Suggestion) -> None:
        self.suggestions = list(suggestions)

    def propose(self, context: Sequence[Post], k: int) -> list[Suggestion]:
        return self.suggestions[:k]


class Both(Listed):
    """A source that ranks, too: longer is better."""

    def score_replies(self, context: Sequence[Post], candidates: Sequence[str]) -> np.ndarray:
        return Longest().score_replies(context, candidates)


class Longest:
    """A ranker to whom longer is better."""

    def score_replies(self, context: Sequence[Post], candidates: Sequence[str]) -> np.ndarray:
        return np.array([float(len(text)) for text in candidates])


def shown(*texts: str, context: Sequence[Post] = QUESTION, **settings: int | None) -> list[str]:
    source = Listed(*(Suggestion(text, 0.0, "listed") for text in texts))
    config = ReplyConfig(**settings)  # type: ignore[arg-type]
    return [reply.text for reply in Replier({"listed": source}, None, config=config).reply(context)]  # type: ignore[dict-item]


def here(number: int) -> Origin:
    """Where every post of these tests comes from."""
    return Origin("hn", str(number), f"https://news.ycombinator.com/item?id={number}", 1_160_418_111)


@pytest.fixture(scope="module")
def replier(toy: ArchiveCorpus, tmp_path_factory: pytest.TempPathFactory) -> Replier:
    job = Job(tmp_path_factory.mktemp("work"))
    rng = np.random.default_rng(0)
    bm25 = BM25.fit(toy, BM25Config(), rng=rng, job=job)
    return Replier({"canned": Canned.fit(toy, CannedConfig(), rng=rng, job=job), "bm25": bm25}, bm25, here)


def test_replies_carry_score_rung_and_the_post_they_come_from(replier: Replier, toy: ArchiveCorpus) -> None:
    posts = {post.id: post for post in toy.posts("train")}
    first = replier.reply(QUESTION)[0]
    assert first.rung == "bm25" and first.post in posts
    assert first.text == posts[first.post].own_text and ENGINE[1] in first.text
    assert first.url == f"https://news.ycombinator.com/item?id={first.post}"
    assert first.title == ENGINE[0] and first.score > 0


def test_what_was_retrieved_stands_before_what_is_said_to_anything(replier: Replier) -> None:
    rungs = [reply.rung for reply in replier.reply(QUESTION, k=10)]
    assert rungs == sorted(rungs) and set(rungs) == {"bm25", "canned"}
    assert all(reply.post is None and reply.url is None for reply in replier.reply(QUESTION, k=10) if reply.rung == "canned")


@pytest.mark.parametrize("k", [1, 2, 50])
def test_never_more_than_k(k: int, replier: Replier) -> None:
    assert 1 <= len(replier.reply(QUESTION, k)) <= k


def test_no_near_duplicates(replier: Replier) -> None:
    """The toy archive answers every engine question alike but for a number: one of them is enough."""
    assert sum("spark plug" in reply.text for reply in replier.reply(QUESTION, k=10)) == 1


def test_none_from_the_thread_being_answered(replier: Replier, toy: ArchiveCorpus) -> None:
    for thread in list(toy.threads("train"))[:20]:
        for post in thread.posts:
            replies = replier.reply((*thread.context(post), post), k=10)
            assert all(reply.thread != thread.key for reply in replies)


def test_a_retrieved_reply_counts_for_itself_and_for_what_it_answered() -> None:
    near = Suggestion("short words here", 30.0, "a", post=5, thread=9)
    far = Suggestion("rather longer words over here", 1.0, "a", post=6, thread=9)
    said = Suggestion("something that is said to anything at all, however long", 99.0, "b")
    both = Both(far, near)
    found = Replier({"a": both, "b": Listed(said)}, both).reply(QUESTION)  # type: ignore[dict-item, arg-type]
    # near 30 + 16 characters, far 1 + 29; what comes from no post stands last
    assert [(reply.text, reply.score) for reply in found] == [
        (near.text, 46.0),
        (far.text, 30.0),
        (said.text, float(len(said.text))),
    ]
    # a third source found something, on a scale of its own: the ranker alone orders
    other = Listed(Suggestion("another word or two", 0.5, "c", post=7, thread=8))
    found = Replier({"a": both, "c": other}, both).reply(QUESTION)  # type: ignore[dict-item, arg-type]
    assert [(reply.post, reply.score) for reply in found] == [(6, 29.0), (7, 19.0), (5, 16.0)]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("write to me at jane.doe@example.com please", "an e-mail address"),
        ("write to jane [at] example.com", "an e-mail address"),
        ("https://example.org/a/b", "only a link"),
        ("see https://example.org/a", "only a link"),
        ("www.example.org", "only a link"),
        ("", "no words"),
        ("!!! … ---", "no words"),
        ("word " * 201, "too long"),
        ("SEEKING WORK | Remote | Anything | Engines of all kinds", "an advertisement"),
        ("see https://example.org/a for how it is done", None),
        ("cat a | grep b | sort", None),
        ("at 5@home", None),
        ("日本語", None),
    ],
)
def test_what_is_unfit_to_show(text: str, reason: str | None) -> None:
    assert unfit(text, 200) == reason


def test_none_repeats_the_context() -> None:
    assert shown("why does the engine stall", "Because it is cold") == ["Because it is cold"]
    assert shown("Why does the engine stall? I would check the fuel filter before anything else, then the plug") != []


def test_none_says_again_what_another_says() -> None:
    assert shown("check the fuel filter first", "Check the fuel filter, first!", "Thanks", "thanks.") == [
        "check the fuel filter first",
        "Thanks",
    ]


def test_silence_is_a_legal_answer() -> None:
    assert shown("https://example.org") == []


def test_any_length_with_longest_off() -> None:
    assert shown("word " * 300, longest=None) == ["word " * 300]


@pytest.mark.parametrize("context", [(), (Post(1, text=""),), (Post(1, text=" \n "),)])
def test_nothing_to_reply_to_is_a_clear_error(context: tuple[Post, ...]) -> None:
    with pytest.raises(UsageError, match="nothing to reply to"):
        shown("a reply", context=context)


def test_no_sources_and_no_k_are_clear_errors() -> None:
    with pytest.raises(UsageError, match="rejoinder fit"):
        Replier({}, None)
    with pytest.raises(ConfigError, match="`k` must be at least 1; got 0"):
        ReplyConfig(k=0)


@given(st.lists(st.text(max_size=60), max_size=12), st.text(min_size=1, max_size=60))
def test_whatever_the_texts_no_two_shown_are_equal_and_none_is_unfit(texts: list[str], asked: str) -> None:
    context = (Post(1, Kind.STORY, asked + " x"),)
    found = shown(*texts, context=context, k=5)
    assert len(found) <= 5 and len({text.casefold() for text in found}) == len(found)
    assert all(unfit(text, 200) is None and text in texts for text in found)


def test_repetition_remembers_only_what_it_let_through() -> None:
    repetition = Repetition(QUESTION)
    assert repetition("check the spark plug") is None
    assert repetition("check the spark plug") == "says the same as another"
    assert repetition("why does the engine stall") == "repeats the context"


def test_an_answer_does_not_depend_on_the_questions_before(replier: Replier) -> None:
    first = replier.reply(QUESTION)
    replier.reply((Post(2, Kind.STORY, "cold bread dough"),))
    assert replier.reply(QUESTION) == first


@pytest.mark.real_data
def test_replies_to_real_test_posts_never_come_from_their_own_thread(real_data: Path, tmp_path: Path) -> None:
    from rejoinder.archive.reader import held_out
    from rejoinder.archive.source import Hasher
    from rejoinder.archive.sources.hackernews import SOURCE as HACKER_NEWS
    from rejoinder.archive.store import Archive

    with Archive.open(tmp_path / "archive.db", create=True) as archive:
        archive.add(HACKER_NEWS.read(real_data / "hn.jsonl.gz", Hasher()))
    with Archive.open(tmp_path / "archive.db") as archive:
        corpus = ArchiveCorpus(archive, tmp_path / "tokens", everything=True)  # the hardest case: the thread itself is indexed
        model = BM25.fit(corpus, BM25Config(), rng=np.random.default_rng(0), job=Job(tmp_path / "work"))
    with Archive.open(tmp_path / "archive.db") as archive:
        threads = list(held_out(archive))
    replier = Replier({"bm25": model}, model)
    asked = [(thread, post) for thread in threads for post in thread.posts if post.body][::40]
    for thread, post in asked:
        assert all(reply.thread != thread.key for reply in replier.reply((*thread.context(post), post)))

"""The trigger: the judge, the regression and the threshold by hand; and silence where nothing is known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import log
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pytest
from conftest import make_corpus, toy_posts

from rejoinder.engine.replier import Replier, ReplyConfig
from rejoinder.errors import ConfigError, DamagedModel, ModelError
from rejoinder.models.bm25 import BM25, BM25Config
from rejoinder.models.interfaces import Job
from rejoinder.models.judge import Judge, Likeness, likeness
from rejoinder.models.trigger import (
    Candidate,
    Trigger,
    TriggerConfig,
    as_a_person,
    beside,
    calibration_error,
    candidates,
    features,
)
from rejoinder.post import Kind, Post, Suggestion
from rejoinder.text.words import words

ENGINE_POST = (Post(1, Kind.STORY, "Why does the engine7 stall at lights7 ?"),)
BREAD_POST = (Post(1, Kind.STORY, "Why does the engine3 stall ?"),)


def many_topics(threads: int = 1400, topics: int = 25) -> Iterator[Post]:
    """Two topics are too few to be on one of them by merit."""
    for number in range(1, threads + 1):
        topic, root = number % topics, 10 * number
        yield Post(root, Kind.STORY, f"Why does the engine{topic} stall at lights{topic} ? Number {number} .", time=number)
        yield Post(
            root + 1, Kind.COMMENT, f"Check the plug{topic} and the filter{topic} . Day {number} .", parent=root, time=number
        )


# --- parts -----------------------------------------------------------------------------------------------------------


def known(unseen: float, **idf: float) -> Likeness:
    """Words with their idf."""
    codes = sorted((crc32(word.encode()), value) for word, value in idf.items())
    return Likeness(np.array([code for code, _ in codes], np.uint32), np.array([*(v for _, v in codes), unseen], np.float32))


def test_the_judge_compares_with_replies_at_random() -> None:
    # idf: fuel ln 4, the 0. "fuel the" and "fuel" are the same but for a word that weighs nothing: cosine 1.
    # of 20 replies drawn, one says fuel: the 95th percentile of [0 x 19, 1] lies between 0 and 1 (0.05 here)
    words = known(log(5), fuel=log(4), the=0.0, plug=log(4))
    judge = Judge(words, ["plug"] * 19 + ["fuel"])
    assert judge.on_topic(["fuel the", "plug", "", "unseen words"], ["the fuel"]).tolist() == [True, False, False, False]
    assert judge.on_topic(["fuel"], ["nothing alike", "fuel"]).tolist() == [True]  # the most like of the answers counts
    assert Judge(words, ["fuel"] * 20).on_topic(["fuel"], ["fuel"]).tolist() == [False]  # no more like than chance


def test_the_first_word_in_common_is_no_evidence() -> None:
    """A pyramid scheme has nothing to do with pyramids, however rare a word that is: of two words the lesser counts."""
    words = known(1.0, pyramid=9.0, scheme=5.0, is_=0.1)
    one, other, both = (words.vector(text) for text in ("a pyramid scheme", "the great pyramid", "no pyramid , no scheme"))
    assert likeness(one, other) == 0.0
    # lengths sqrt(1 + 81 + 25) and sqrt((1 + ln 2)^2 + 81 + 25); 81 is left out, 25 stays
    assert likeness(one, both) == pytest.approx(25 / np.sqrt(107 * (106 + (1 + log(2)) ** 2)), rel=1e-5)
    assert likeness(one, both) == likeness(both, one) and likeness({}, one) == 0.0


def test_rarely_seen_words_count_as_new_ones() -> None:
    # of three texts two say fuel: ln(4 / 3); one says plug, as if none did but for one: ln(4 / 2)
    found = Likeness.of(["fuel", "fuel plug", "bread"])
    assert found.codes.tolist() == [crc32(b"fuel")] and found.idf.tolist() == pytest.approx([log(4 / 3), log(2)])


@pytest.mark.parametrize("texts", [[], ["a lone reply"]])
def test_a_word_that_nobody_said_is_as_rare_as_can_be_however_few_texts_there_are(texts: list[str]) -> None:
    with np.errstate(all="raise"):
        assert Likeness.of(texts).rarity(["fuel"]) == {"fuel": 1.0}


def test_a_person_is_told_from_the_judge_and_more() -> None:
    # log-odds 0 -> -4.86, 0.95 / (1 + e^4.86); ln 3 -> -4.86 + 0.84 ln 3 = -3.93717
    assert as_a_person(np.array([0.5, 0.75]), np.zeros((2, 6))) == pytest.approx(0.95 / (1 + np.exp([4.86, 3.93717])), rel=1e-4)
    # all of what is asked stood there: +2.95; all words point: -2.73; it says "you": -0.5; two rare words are asked: +1.14; all
    # of it is taken up: +3.53; all replies are of one mind: +2.73
    seen = as_a_person(np.full(6, 0.5), np.diag([1.0, 1, 1, 2, 1, 1]))
    assert seen == pytest.approx(0.95 / (1 + np.exp([1.91, 7.59, 5.36, 3.72, 1.33, 2.13])))
    p = np.linspace(0, 1, 11)
    told = as_a_person(p, np.zeros((11, 6)))
    assert (np.diff(told) > 0).all() and told[[0, -1]] == pytest.approx([0, 0.95], abs=1e-6)


def test_what_a_person_sees_besides() -> None:
    class Knows:
        def asked_before(self, context: Sequence[Post], replies: Sequence[int]) -> dict[int, float]:
            assert list(replies) == [7, 8]
            return {8: 0.3}

    class Means:
        def word_vectors(self, words: Sequence[str]) -> Any:
            return np.zeros((len(words), 1), np.float32)

        def reply_vectors(self, replies: Sequence[str]) -> Any:
            return np.array([[1.0], [0.5], [0.0]], np.float32)

    sources: dict[str, Any] = {"bm25": Knows(), "pair_encoder": Means(), "canned": object()}
    replies = (
        ("a plug", 7, {"pair_encoder": 0.2}),
        ("that engine7 is yours", 8, {"pair_encoder": 0.3}),
        ("to anybody", None, {}),
    )
    found = [Candidate(Suggestion(text, 0.0, "x", post), by) for text, post, by in replies]
    u = beside(found, sources, ENGINE_POST, known(1.0))
    # of four words one points, and "yours" is said to somebody
    assert u[:, :3] == pytest.approx(np.array([[0, 0, 0], [0.3, 1 / 4, 1], [0, 0, 0]]))
    # all words are as rare as can be, of which one is said again; beside the best two the one that each is less like
    asked = len({*words(ENGINE_POST[0].own_text)})
    assert u[:, 3:] == pytest.approx(
        np.array([[np.sqrt(asked), 0, 0.5], [np.sqrt(asked), np.sqrt(1 / (asked + 1.2)), 0.25], [np.sqrt(asked), 0, 0]])
    )
    assert beside([], {}, ENGINE_POST, known(1.0)).shape == (0, 6)


def test_calibration_error_by_hand() -> None:
    # ten bins of one: |0 - 0| five times, |1 - 0| five times
    assert calibration_error(np.array([0.0] * 5 + [1.0] * 5), np.zeros(10)) == pytest.approx(0.5)
    assert calibration_error(np.array([0.0] * 5 + [1.0] * 5), np.array([0.0] * 5 + [1.0] * 5)) == 0


def test_a_reply_that_two_sources_propose_is_one_candidate(monkeypatch: pytest.MonkeyPatch) -> None:
    class Source:
        def __init__(self, *scores: tuple[int, float]) -> None:
            self.found = [Suggestion(f"reply {post}", score, "x", post) for post, score in scores]

        def propose(self, context: Sequence[Post], k: int) -> list[Suggestion]:
            return self.found[:k]

        def score_replies(self, context: Sequence[Post], texts: Sequence[str]) -> Any:
            return np.array([4.0])  # what it gives the post itself

    sources: dict[str, Any] = {"bm25": Source((7, 2.0), (8, 1.0)), "pmi_svd": Source((8, 3.0))}
    found = candidates(sources, ENGINE_POST, 5)
    assert [(one.suggestion.post, dict(one.by)) for one in found] == [(7, {"bm25": 0.5}), (8, {"bm25": 0.25, "pmi_svd": 0.75})]


def test_more_than_twenty_words_count_as_twenty() -> None:
    # one source: proposed it 1, gave it 0.5; ranked 2; proposed by one; nothing in common, 0 and ln 1; ln(1 + 3), ln(1 + 20)
    two = [Candidate(Suggestion(text, 0.0, "x"), {"bm25": 0.5}) for text in ("not so sure", "word " * 50)]
    found = features(two, np.array([2.0, 2.0]), ["bm25"], ENGINE_POST, known(1.0))
    assert found == pytest.approx(np.array([[1, 0.5, 2, 1, 0, 0, log(4)], [1, 0.5, 2, 1, 0, 0, log(21)]]))


def test_of_words_in_common_the_first_is_not_seen() -> None:
    texts = ("the great pyramid", "no pyramid , no scheme", "the pyramid scheme again", "bread")
    found = [Candidate(Suggestion(text, 0.0, "x", title="a scheme again"), {}) for text in texts]
    x = features(found, np.zeros(4), ["bm25"], (Post(1, Kind.STORY, "a pyramid scheme again"),), known(1.0))
    assert x[:, -2] == pytest.approx([0, log(2), log(3), 0])
    assert x[:, -3] == pytest.approx([2 / np.sqrt(12)] * 4)  # three of four words, of which one is left out


@pytest.mark.parametrize("settings", [{"precision": 0.0}, {"precision": 1.5}, {"contexts": 0}])
def test_settings_out_of_range(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="`trigger"):
        TriggerConfig(**settings)


# --- whole -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trigger(tmp_path_factory: pytest.TempPathFactory) -> Trigger:
    """Fitted on topics that never mix."""
    directory = tmp_path_factory.mktemp("trigger")
    corpus = make_corpus(directory, many_topics())
    rng = np.random.default_rng(0)
    bm25 = BM25.fit(corpus, BM25Config(), rng=rng, job=Job(directory / "bm25"))
    return Trigger.fit(corpus, TriggerConfig(precision=0.5), rng=rng, job=Job(directory, parts={"bm25": bm25}))


def test_what_it_says_is_probable_and_in_order(trigger: Trigger) -> None:
    assert trigger.knows and 0 < trigger.figures["precision"] <= 1 and 0 < trigger.figures["coverage"] <= 1
    scores = [suggestion.score for suggestion in trigger.propose(ENGINE_POST, 10)]
    assert scores == sorted(scores, reverse=True) and min(scores) >= 0 and max(scores) <= 1
    likely, unlikely = (trigger.propose(context, 1) for context in (ENGINE_POST, (Post(1, text="the stall at the harbour"),)))
    assert "plug7" in likely[0].text and likely[0].score > unlikely[0].score


def test_it_is_silent_where_it_does_not_know(trigger: Trigger) -> None:
    far = (Post(1, text="the at ?"),)
    assert trigger.propose(far, 5)
    assert Replier.trusting(trigger, config=ReplyConfig(threshold=1.0)).reply(far) == []
    assert Replier.trusting(trigger, config=ReplyConfig(threshold=0.0)).reply(far)


def test_a_replier_that_trusts_shows_no_two_alike(trigger: Trigger) -> None:
    replier = Replier.trusting(trigger, config=ReplyConfig(threshold=0.0))
    assert replier.trusts and replier.threshold == 0
    scores = [round(reply.score, 2) for reply in replier.reply(ENGINE_POST)]  # of equally good ones the newer is first
    assert scores == sorted(scores, reverse=True)
    assert sum("plug7" in reply.text for reply in replier.reply(ENGINE_POST)) == 1
    assert replier.reply((Post(1, text="日本語のテキスト"),)) == []


def test_saved_and_loaded_it_says_the_same(trigger: Trigger, tmp_path: Path) -> None:
    trigger.save(tmp_path / "saved")
    parts: dict[str, Any] = dict(trigger.sources)
    loaded = Trigger.load(tmp_path / "saved", parts)
    assert loaded.propose(BREAD_POST, 9) == trigger.propose(BREAD_POST, 9) and loaded.threshold == trigger.threshold
    with pytest.raises(DamagedModel, match="other sources"):
        Trigger.load(tmp_path / "saved", {**parts, "pmi_svd": parts["bm25"]})
    with pytest.raises(ModelError, match="needs rungs that propose"):
        Trigger.load(tmp_path / "saved", {})


def test_with_few_dev_posts_it_knows_nothing_and_holds_nothing_back(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    corpus = make_corpus(tmp_path, toy_posts(30))
    rng = np.random.default_rng(0)
    bm25 = BM25.fit(corpus, BM25Config(), rng=rng, job=Job(tmp_path / "bm25"))
    found = Trigger.fit(corpus, TriggerConfig(), rng=rng, job=Job(tmp_path, parts={"bm25": bm25}))
    assert not found.knows and "nothing is held back" in caplog.text
    found.save(tmp_path / "saved")
    assert not Trigger.load(tmp_path / "saved", {"bm25": bm25}).knows
    with pytest.raises(ModelError, match="learned nothing"):
        found.propose(ENGINE_POST, 3)

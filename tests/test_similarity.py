"""Text similarity: weighted means worked by hand, a slow oracle, the common direction, and what is near to what."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from rejoinder.corpus import ByThread, Part
from rejoinder.errors import DamagedModel
from rejoinder.models import similarity
from rejoinder.models.interfaces import Job
from rejoinder.models.similarity import PostVectors, Similarity
from rejoinder.post import Kind, Post, Thread
from rejoinder.text.vectors import WordVectors
from rejoinder.text.word_arrays import WordArrays
from rejoinder.text.words import words


def known(rows: dict[str, Sequence[float]], counts: Sequence[int], buckets: int = 0) -> WordVectors:
    found = WordVectors(list(rows), np.array(list(rows.values()), np.float32), np.array(counts, np.int64))
    return found.with_subwords(buckets)


def drawn(size: int = 6, buckets: int = 300) -> WordVectors:
    names = ["dough", "bread", "flour", "oven", "engine", "spark", "fuel", "the", "of"]
    rng = np.random.default_rng(2)
    rows = {name: rng.normal(size=size).tolist() for name in names}
    return known(rows, [9, 8, 7, 6, 5, 4, 3, 300, 200], buckets)


TEXTS = [
    "The dough and the bread", "engine of the spark", "fuel", "", "doughy breads, unknown wörter", "ofen of the of", "日本 🍞",
]  # fmt: skip


# --- a post as a vector ----------------------------------------------------------------------------------------------


def test_frequent_words_count_less(monkeypatch: pytest.MonkeyPatch) -> None:
    # p(a) = 1/4 and p(the) = 3/4; with a = 1/4 they weigh 0.25 / 0.5 = 1/2 and 0.25 / 1 = 1/4
    # "a the the": (1/2 (4, 0) + 2 * 1/4 (0, 4)) / 3 = (2, 2) / 3, of length 1: (0.7071, 0.7071)
    # "a the":     (1/2 (4, 0) + 1/4 (0, 4)) / 2     = (2, 1) / 2, of length 1: (0.8944, 0.4472)
    monkeypatch.setattr(similarity, "COMMON", 0.25)
    posts = PostVectors(known({"the": [0, 4], "a": [4, 0]}, [3, 1]))
    assert posts.of(["a the the", "A the!", "the", "who"]) == pytest.approx(
        np.array([[0.70711, 0.70711], [0.89443, 0.44721], [0, 1], [0, 0]]), abs=1e-5
    )


def test_what_all_have_in_common_is_taken_out(monkeypatch: pytest.MonkeyPatch) -> None:
    # (2, 1) / 2 of "a the", as above, without what it has of (0, 1), is (1, 0)
    monkeypatch.setattr(similarity, "COMMON", 0.25)
    posts = PostVectors(known({"the": [0, 4], "a": [4, 0]}, [3, 1]), np.array([0, 1], np.float32))
    assert posts.of(["a the"]) == pytest.approx(np.array([[1, 0]]), abs=1e-6)


def test_what_rounding_leaves_is_nothing() -> None:
    vector = np.random.default_rng(4).normal(size=50)
    posts = PostVectors(known({"a": vector.tolist(), "b": (1e-3 * vector).tolist()}, [1, 5]))
    alone = PostVectors(posts.words, posts.of(["a"])[0])
    assert not alone.of(["a", "b", "a b a", "b " * 99]).any()


def test_words_without_counts_weigh_alike() -> None:
    posts = PostVectors(known({"a": [3, 0], "b": [0, 3]}, [0, 0]))
    assert posts.of(["a b"]) == pytest.approx(np.array([[0.5**0.5, 0.5**0.5]]))


def slowly(vectors: WordVectors, direction: np.ndarray, text: str) -> np.ndarray:
    """One word after the other."""
    total = np.zeros(vectors.size)
    for word in words(text):
        place = vectors.place(word)
        share = 0 if place is None else vectors.counts[place] / vectors.counts.sum()
        total += similarity.COMMON / (similarity.COMMON + share) * vectors.of([word])[0]
    total /= max(len(words(text)), 1)
    total -= (total @ direction) * direction
    return total / max(np.linalg.norm(total), 1e-9)


@pytest.mark.parametrize("at_once", [1, 4, 100])
def test_many_posts_at_once_are_those_one_by_one(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(similarity, "_AT_ONCE", at_once)
    direction = np.array([0.6, 0, 0, 0.8, 0, 0], np.float32)
    posts = PostVectors(drawn(), direction)
    found = posts.of(TEXTS)
    assert found.dtype == np.float32 and found.shape == (len(TEXTS), 6)
    for text, row in zip(TEXTS, found, strict=True):
        assert row == pytest.approx(slowly(drawn(), direction, text), abs=1e-5)
        assert posts.of([text])[0].tobytes() == row.tobytes()
    assert not found[3].any() and not found[6].any()  # no words; no word that has a vector
    assert found[4].any()  # words that were never seen, by their letters
    assert posts.of([]).shape == (0, 6)


def test_the_common_direction_is_the_first_singular_vector() -> None:
    posts = PostVectors(drawn())
    found = posts.without_common_direction(TEXTS, np.random.default_rng(0))
    first = np.linalg.svd(posts.of(TEXTS))[2][0]
    assert abs(found.direction @ first) == pytest.approx(1, abs=1e-5)
    assert found.of(TEXTS) @ found.direction == pytest.approx(np.zeros(len(TEXTS)), abs=1e-5)


def test_a_long_post_is_read_to_its_first_two_thousand_words() -> None:
    posts = PostVectors(drawn())
    assert np.array_equal(posts.of(["dough " * 2000 + "engine " * 20_000]), posts.of(["dough " * 2000]))


# --- the rung --------------------------------------------------------------------------------------------------------

THREADS = [
    Thread(1, [Post(1, Kind.STORY, title="Bread dough"), Post(2, text="Flour.", parent=1), Post(3, text="Oven.", parent=1)]),
    Thread(4, [Post(4, Kind.STORY, title="Engine of the spark"), Post(5, text="Fuel.", parent=4), Post(6, text="Of.", parent=5)]),
]


class Few(ByThread):
    """Two threads, both in train."""

    tokens = Path()

    def fingerprint(self) -> str:
        return ""

    def threads(self, part: Part) -> Iterator[Thread]:
        return iter(THREADS if part == "train" else ())


@dataclass(frozen=True)
class DrawnConfig:
    size: int = 6
    rarest: int = 1
    most: int = 100
    buckets: int = 0


class Drawn(Similarity):
    """Word vectors at random."""

    Config: ClassVar[type] = DrawnConfig
    name: ClassVar[str] = "drawn"

    @classmethod
    def learn(cls, arrays: WordArrays, config: DrawnConfig, *, rng: np.random.Generator, job: Job) -> WordVectors:
        return drawn(config.size)


@pytest.fixture
def rung(tmp_path: Path) -> Any:
    return Drawn.fit(Few(), DrawnConfig(), rng=np.random.default_rng(0), job=Job(tmp_path))


def test_replies_to_the_post_most_like_it_come_first(rung: Drawn) -> None:
    found = rung.propose((Post(9, Kind.STORY, "dough, bread!"),), 2)
    assert [(s.text, s.post, s.thread, s.title, s.rung) for s in found] == [
        ("Flour.", 2, 1, "Bread dough", "drawn"), ("Oven.", 3, 1, "Bread dough", "drawn"),
    ]  # fmt: skip
    assert [s.score for s in found] == pytest.approx([1, 1], abs=2e-3)  # in half precision
    assert rung.propose((Post(9, Kind.STORY, "engine spark"),), 1)[0].text == "Fuel."


def test_the_last_post_is_what_is_answered_without_what_it_quotes(rung: Drawn) -> None:
    root, last = Post(8, Kind.STORY, "engine spark fuel"), Post(9, text="> engine spark\ndough bread", parent=8)
    assert rung.propose((root, last), 2) == rung.propose((Post(9, text="dough bread", parent=8),), 2)


def test_what_points_elsewhere_is_not_proposed(rung: Drawn) -> None:
    titles = ["Bread dough", "Engine of the spark", "Fuel."]  # what was answered
    cosines = rung.posts.of(titles) @ rung.posts.of(["dough bread"])[0]
    assert cosines[1] > 0 > cosines[2]
    assert [s.title for s in rung.propose((Post(9, Kind.STORY, "dough bread"),), 99)] == [titles[0], titles[0], titles[1]]


@pytest.mark.parametrize("context", [(), (Post(1, text=""),), (Post(1, text="日本 🍞"),), (Post(1, text="> dough"),)])
def test_where_no_word_is_known_nothing_is_proposed_and_all_are_alike(context: tuple[Post, ...], rung: Drawn) -> None:
    assert rung.propose(context, 3) == []
    scores = rung.score_replies(context, ["dough", "", "engine"])
    assert scores.tolist() == [0, 0, 0] and scores.dtype == np.float64


def test_a_candidate_scores_its_cosine_with_the_last_post(rung: Drawn) -> None:
    last = Post(9, text="dough bread")
    candidates = ["dough bread", "flour", "engine spark", "", "日本"]
    one, *others = rung.posts.of(["dough bread", *candidates[1:]])
    expected = [float(one @ one), *(float(one @ other) for other in others)]
    scores = rung.score_replies((last,), candidates)
    assert scores == pytest.approx(np.array(expected), abs=1e-6) and scores[0] == pytest.approx(1) and scores[3] == scores[4] == 0


def test_the_title_of_the_thread_counts_a_little(rung: Drawn) -> None:
    last = Post(9, text="dough", parent=8)
    own, title, candidate = rung.posts.of(["dough", "engine", "engine fuel"])
    both = own + similarity.TITLE * title
    expected = float(both @ candidate / np.linalg.norm(both))
    root = Post(8, Kind.STORY, "its text does not", title="engine")
    assert rung.score_replies((root, Post(7, text="nor what lies between"), last), ["engine fuel"])[0] == pytest.approx(expected)
    assert expected > rung.score_replies((last,), ["engine fuel"])[0]


def test_from_disk_it_is_the_same_and_mapped_not_built(rung: Drawn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rung.save(tmp_path / "saved")
    monkeypatch.setattr(PostVectors, "without_common_direction", None)
    monkeypatch.setattr(similarity.Nearest, "build", None)
    loaded = Drawn.load(tmp_path / "saved")
    context = (Post(8, Kind.STORY, title="bread"), Post(9, text="doughs of the engine", parent=8))
    assert loaded.propose(context, 4) == rung.propose(context, 4)
    assert loaded.score_replies(context, TEXTS).tobytes() == rung.score_replies(context, TEXTS).tobytes()
    assert isinstance(loaded.words.vectors, np.memmap)


def test_vectors_of_another_size_or_replies_of_another_archive_are_told(rung: Drawn, tmp_path: Path) -> None:
    rung.save(tmp_path / "size")
    drawn(5).save(tmp_path / "size" / "words")
    rung.save(tmp_path / "number")
    np.save(tmp_path / "number" / "nearest.npy", np.zeros((2, 6), np.float16))  # of three answered posts
    for harmed in ("size", "number"):
        with pytest.raises(DamagedModel, match="fit again: rejoinder fit drawn"):
            Drawn.load(tmp_path / harmed)

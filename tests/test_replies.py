"""The replies a rung may propose: which are kept, word for word, and what stands beside each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from rejoinder.archive.reader import ArchiveCorpus
from rejoinder.corpus import ByThread, Part
from rejoinder.errors import DamagedModel, ModelError
from rejoinder.models.replies import Replies, nearest_answers, short
from rejoinder.post import Kind, Post, State, Suggestion, Thread

BREAD = Thread(
    1,
    [
        Post(1, Kind.STORY, "It is cold here.", title="How long must dough rest?"),
        Post(2, text="Until it doubles.", parent=1),
        Post(3, text="> Until it doubles.\nTwice as long in winter 🍞", parent=2),
        Post(4, text="Overnight.", parent=1),
        Post(5, text="> Overnight.", parent=4),  # nothing of its own
        Post(6, text="?!", parent=4),  # no words
        Post(7, text="", parent=4, state=State.DELETED),
        Post(8, text="To a deleted post.", parent=7),  # what it answers has no words
        Post(9, text="To a post that is not here.", parent=99),
    ],
)
ENGINE = Thread(20, [Post(20, Kind.STORY, title="Stalls"), Post(21, text="Spark plug.", parent=20)])


class Known(ByThread):
    """A corpus of these threads, all in train."""

    tokens = Path()

    def __init__(self, *threads: Thread) -> None:
        self._threads = threads

    def fingerprint(self) -> str:
        return ""

    def threads(self, part: Part) -> Iterator[Thread]:
        return iter(self._threads if part == "train" else ())


def test_replies_with_words_of_their_own_are_kept_those_to_one_post_together() -> None:
    replies, parents, said = Replies.build(Known(BREAD, ENGINE))
    assert replies.posts.tolist() == [2, 4, 3, 21] and replies.threads.tolist() == [1, 1, 1, 20]
    assert replies.answered.tolist() == [0, 0, 1, 2] and len(replies) == 4 and replies.parents == 3
    assert parents == ["How long must dough rest?\n\nIt is cold here.", "Until it doubles.", "Stalls"]
    assert said == ["Until it doubles.", "Overnight.", "Twice as long in winter 🍞", "Spark plug."]
    assert [list(replies.to(answered)) for answered in range(3)] == [[0, 1], [2], [3]]


def test_a_reply_is_proposed_as_it_was_written_with_what_it_answers() -> None:
    replies, _, _ = Replies.build(Known(BREAD, ENGINE))
    assert replies.suggestion(2, 0.5, "who") == Suggestion(
        "Twice as long in winter 🍞", 0.5, "who", post=3, thread=1, title="Until it doubles."
    )
    assert replies.suggestion(0, 0.25, "who").title == "How long must dough rest?"


def test_replies_of_dev_and_test_are_never_among_them(toy: ArchiveCorpus) -> None:
    replies, _, _ = Replies.build(toy)
    train = {post.id for post in toy.posts("train")}
    dev = {post.id for post in toy.posts("dev")}
    assert dev and set(replies.posts.tolist()) <= train and not set(replies.posts.tolist()) & dev


def test_the_nearest_posts_give_their_replies_until_there_are_enough() -> None:
    replies, _, _ = Replies.build(Known(BREAD, ENGINE))
    found = nearest_answers(replies, [2, 0, 1], [0.9, 0.5, 0.25], 3, "who")
    assert [(s.post, s.score, s.rung) for s in found] == [(21, 0.9, "who"), (2, 0.5, "who"), (4, 0.5, "who")]
    assert len(nearest_answers(replies, [2, 0, 1], [0.9, 0.5, 0.25], 99, "who")) == 4
    many = Thread(1, [Post(1, Kind.STORY, "Popular"), *(Post(n, text=f"Yes, {n}", parent=1) for n in range(2, 9))])
    replies, _, _ = Replies.build(Known(many, ENGINE))
    assert [s.post for s in nearest_answers(replies, [0, 1], [0.9, 0.5], 9, "who")] == [2, 3, 21]  # two of seven
    assert nearest_answers(replies, [], [], 3, "who") == [] == nearest_answers(replies, [0], [1.0], 0, "who")


@pytest.mark.parametrize("threads", [(), (Thread(1, [Post(1, Kind.STORY, "Alone"), Post(2, text="!", parent=1)]),)])
def test_where_nothing_was_answered_there_is_nothing_to_propose(threads: tuple[Thread, ...]) -> None:
    with pytest.raises(ModelError, match="no reply whose parent is in the archive"):
        Replies.build(Known(*threads))


@pytest.mark.parametrize(
    ("title", "text", "expected"),
    [
        ("A title", "and a text", "A title"),
        ("", "> quoted\nmy   own\n\n  words", "my own words"),
        ("", "word " * 18, ("word " * 18).strip()),  # 89 characters
        ("", "word " * 19, "word " * 16 + "word…"),  # 94: cut at 89, back to the end of a word
    ],
)
def test_what_is_answered_stands_in_one_line(title: str, text: str, expected: str) -> None:
    assert short(Post(1, Kind.STORY if title else Kind.COMMENT, text, title)) == expected and len(expected) <= 90


# --- on disk ---------------------------------------------------------------------------------------------------------


def test_all_are_the_same_from_disk_and_mapped_not_read(tmp_path: Path) -> None:
    odd = Thread(3, [Post(30, text="ἀρχή \x00 \U0010ffff"), Post(31, text="日本 a\ud800b ﷽", parent=30)])
    built, _, _ = Replies.build(Known(BREAD, odd))
    built.save(tmp_path)
    loaded = Replies.load(tmp_path)
    assert isinstance(loaded.texts, np.memmap) and isinstance(loaded.offsets, np.memmap)
    for place in range(len(built)):
        assert loaded.suggestion(place, 1.0, "who") == built.suggestion(place, 1.0, "who")
    assert loaded.suggestion(3, 1.0, "who").text == "日本 a?b ﷽"  # half of a character cannot be written


@pytest.mark.parametrize("name", ["posts", "threads", "answered", "offsets", "texts"])
@pytest.mark.parametrize("harm", ["missing", "short", "long"])
def test_replies_that_do_not_fit_together_are_told(name: str, harm: str, tmp_path: Path) -> None:
    Replies.build(Known(BREAD))[0].save(tmp_path)
    file = tmp_path / (f"replies.{name}" if name == "texts" else f"replies.{name}.npy")
    if harm == "missing":
        file.unlink()
    elif name == "texts":
        file.write_bytes(file.read_bytes()[:-1] if harm == "short" else file.read_bytes() + b"!")
    else:
        array = np.load(file)
        np.save(file, array[:-1] if harm == "short" else np.append(array, array[-1]))
    with pytest.raises(DamagedModel, match="again"):
        Replies.load(tmp_path)


@pytest.mark.parametrize(
    ("name", "array"), [("answered", [1, 0, 0]), ("offsets", [0, 9, 5, 9, 20, 40, 77]), ("posts", [0.5, 1, 2])]
)
def test_numbers_that_cannot_be_are_told(name: str, array: list[float], tmp_path: Path) -> None:
    replies = Replies.build(Known(BREAD))[0]
    replies.save(tmp_path)
    np.save(tmp_path / f"replies.{name}.npy", np.array([*array[:-1], len(replies.texts)] if name == "offsets" else array))
    with pytest.raises(DamagedModel, match="do not fit together"):
        Replies.load(tmp_path)

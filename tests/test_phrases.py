"""The copy check: nothing copied is missed, what two wrote is nobody's, and how often it cries wolf."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rejoinder.errors import DamagedModel
from rejoinder.post import Post
from rejoinder.text import ownership
from rejoinder.text.ownership import RUN
from rejoinder.text.phrases import COPIED, HASHES, Phrases
from rejoinder.text.words import words

ALPHABET = "one two three four five six".split()
TEXTS = st.lists(st.sampled_from(ALPHABET), max_size=30).map(" ".join)
NOVEL = "a heron stood in the reeds beside our boat until the last ferry had gone home"


def post(number: int, text: str, author: bytes | None = None) -> Post:
    return Post(number, text=text, author=author)


def runs(text: str) -> list[tuple[str, ...]]:
    found = words(text)
    return [tuple(found[start : start + RUN]) for start in range(len(found) - RUN + 1)]


def slow_copies(posts: list[Post], text: str) -> bool:
    """Whether eight words of `text` stand in a post, and a run of seven in them is one author's alone."""
    writers: dict[tuple[str, ...], set[object]] = {}
    for one in posts:
        for run in runs(one.own_text):
            writers.setdefault(run, set()).add(one.author or one.id)
    eights = {a + b[-1:] for one in posts for a, b in pairwise(runs(one.own_text))}
    said = runs(text)
    return any(a + b[-1:] in eights and 1 in (len(writers[a]), len(writers[b])) for a, b in pairwise(said))


@given(st.lists(st.tuples(TEXTS, st.sampled_from([None, b"x", b"y"])), max_size=6), TEXTS)
def test_no_copy_is_missed(written: list[tuple[str, bytes | None]], text: str) -> None:
    """Six words make copies by chance; the oracle counts them slowly."""
    posts = [post(number, *one) for number, one in enumerate(written)]
    phrases = Phrases.build(posts)
    windows = [found[start : start + COPIED] for one in posts for found in [words(one.text)] for start in range(len(found) - RUN)]
    for said in (text, *(" ".join(window) for window in windows)):
        if slow_copies(posts, said):
            assert phrases.copied(said)


@pytest.mark.parametrize("start", range(10))
def test_eight_words_are_found_wherever_they_begin(start: int) -> None:
    seventeen = f"{NOVEL} again"
    phrases = Phrases.build([post(1, seventeen)])
    copy = " ".join(seventeen.split()[start : start + COPIED])
    assert phrases.copied(f"as he said {copy} and then went")
    assert phrases.copied(copy.upper().replace(" ", ", "))


def test_the_span_says_which_words() -> None:
    phrases = Phrases.build([post(1, NOVEL)])
    assert phrases.copied(NOVEL) == [(0, 15)]  # 16 words: the last even run begins at the ninth
    first = " ".join(NOVEL.split()[:9])
    assert phrases.copied(f"we all know that {first} or so") == [(4, 13)]
    assert phrases.copied(f"{first} ; something else altogether , then {first}") == [(0, 9), (13, 22)]


# of "a heron stood in the reeds beside our boat until the last ferry had gone home" the even runs are kept
BEFORE = [
    ("I saw that", " a heron flew away", " a heron flew away"),  # no run of seven
    ("I saw that", " soon a heron stood in the reeds beside our boat", " soon"),
    ("I saw that", " soon, a heron stood in the reeds beside us", " soon,"),
    ("I saw that", " a heron stood in the reeds beside our boat", ""),  # it begins with the first word
    ("a heron stood in the", " reeds beside our boat", ""),  # it began in the draft
    ("a heron stood in the reeds bes", "ide our boat", ""),
    ("a heron stood in the reeds beside us, and", " then", " then"),  # what the draft copies is the writer's own affair
    (NOVEL, ", and so on", ", and so on"),
    ("", " well a heron stood in the reeds beside our boat", " well"),
    ("", "", ""),
]


@pytest.mark.parametrize(("draft", "text", "kept"), BEFORE)
def test_a_continuation_ends_before_what_it_copies(draft: str, text: str, kept: str) -> None:
    assert Phrases.build([post(1, NOVEL)]).before_copy(draft, text) == kept


@given(TEXTS, TEXTS, TEXTS)
def test_what_is_left_copies_nothing_and_is_a_beginning(written: str, draft: str, text: str) -> None:
    phrases = Phrases.build([post(1, written)])
    kept = phrases.before_copy(draft, f" {text}")
    assert f" {text}".startswith(kept)
    new = len(words(draft))
    assert all(last <= new for _, last in phrases.copied(draft + kept))


def test_six_words_are_no_copy() -> None:
    phrases = Phrases.build([post(1, NOVEL)])
    assert phrases.copied(" ".join(NOVEL.split()[:6])) == [] == phrases.copied("")


def test_what_two_authors_wrote_is_nobodys() -> None:
    assert Phrases.build([post(1, NOVEL), post(2, f"Well: {NOVEL}!")]).copied(NOVEL) == []
    assert Phrases.build([post(1, NOVEL, b"me"), post(2, NOVEL, b"you")]).copied(NOVEL) == []


def test_what_one_author_wrote_twice_is_still_theirs() -> None:
    assert Phrases.build([post(1, NOVEL, b"me"), post(2, NOVEL, b"me")]).copied(NOVEL)


def test_what_an_unknown_author_sent_twice_is_one_authors() -> None:
    assert Phrases.build([post(1, NOVEL), post(2, NOVEL.upper() + "!")]).copied(NOVEL)


def test_a_run_between_two_that_are_nobodys_is_found() -> None:
    """The even run of these eight words was written by another too, the odd one was not."""
    eight = " ".join(NOVEL.split()[:8])
    shared = " ".join(NOVEL.split()[:7])
    assert Phrases.build([post(1, eight), post(2, shared)]).copied(eight)


def test_quotes_are_not_the_posts_own_words() -> None:
    assert Phrases.build([post(1, f"> {NOVEL}\n\nI agree.")]).copied(NOVEL) == []


def test_how_often_it_cries_wolf() -> None:
    """(1 - e^(-11/16))^11 = 0.00046: of 200,000 runs that nobody wrote about 92, give or take 10."""
    rng = np.random.default_rng(5)
    names = [f"w{number}" for number in range(5_000)]
    written = [" ".join(names[i] for i in rng.integers(5_000, size=200)) for _ in range(400)]
    phrases = Phrases.build(post(number, text) for number, text in enumerate(written))
    assert phrases.runs == 400 * 97  # 194 runs in 200 words, every other one
    assert 15.9 < 8 * len(phrases.array) / phrases.runs < 16.1
    other = " ".join(names[i] for i in rng.integers(5_000, size=200_000))
    assert 40 < len(phrases.copied(other)) < 160


def test_saved_and_loaded_it_is_the_same(tmp_path: Path) -> None:
    phrases = Phrases.build([post(1, NOVEL)])
    phrases.save(tmp_path)
    loaded = Phrases.load(tmp_path)
    assert loaded is not None
    assert (loaded.runs, loaded.hashes) == (phrases.runs, HASHES) and np.array_equal(loaded.array, phrases.array)
    assert loaded.copied(NOVEL) == phrases.copied(NOVEL)


def test_where_there_is_none_there_is_none(tmp_path: Path) -> None:
    assert Phrases.load(tmp_path) is None


@pytest.mark.parametrize("damage", ["{", "{}", '{"run": 5, "hashes": 11, "runs": 3}'])
def test_a_damaged_one_is_refused(tmp_path: Path, damage: str) -> None:
    Phrases.build([post(1, NOVEL)]).save(tmp_path)
    (tmp_path / "phrases.json").write_text(damage)
    with pytest.raises(DamagedModel, match="fit again"):
        Phrases.load(tmp_path)


def test_a_missing_array_is_told(tmp_path: Path) -> None:
    Phrases.build([post(1, NOVEL)]).save(tmp_path)
    (tmp_path / "phrases.npy").unlink()
    with pytest.raises(DamagedModel, match="fit again"):
        Phrases.load(tmp_path)


def test_of_no_posts_nothing_is_a_copy() -> None:
    phrases = Phrases.build([])
    assert phrases.runs == 0 and phrases.copied(NOVEL) == []


def test_what_was_read_beside_it_is_known_too() -> None:
    ours, theirs = (" ".join(f"{side}{letter}" for letter in "abcdefghij") for side in ("our", "their"))
    own = Phrases.build([post(1, ours, b"x"), post(2, "a hill here", b"x"), post(3, "the hill there", b"y")])
    other = Phrases.build([post(1, theirs, b"x"), post(2, "a dale here", b"x"), post(3, "the dale there", b"y")])
    both = replace(own, beside=other)
    assert own.copied(theirs) == [] and both.copied(theirs) == other.copied(theirs) != []
    assert both.copied(ours) == own.copied(ours) != []
    assert [both.knows(word) for word in ("hill", "dale", "vale")] == [True, True, False]


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 2))))
def test_a_run_is_ones_own_if_no_other_has_it(found: list[tuple[int, int]]) -> None:
    runs = np.array([run for run, _ in found], np.uint64) * np.uint64(0x2492492492492492)  # from 0 up to the largest number
    writers: dict[int, set[int]] = {}
    for run, writer in found:
        writers.setdefault(run, set()).add(writer)
    keys, owner = ownership._owned(runs, np.array([writer for _, writer in found], np.uint64))
    told = {int(key) // 0x2492492492492492: int(one) for key, one in zip(keys, owner, strict=True)}
    assert told == {run: min(some) if len(some) == 1 else ownership.SEVERAL for run, some in writers.items()}
    assert keys.tolist() == sorted(keys.tolist())

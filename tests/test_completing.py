"""Continuations of a draft, also in mid-word."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from conftest import make_corpus
from hypothesis import given, settings
from hypothesis import strategies as st

from rejoinder.archive.reader import ArchiveCorpus
from rejoinder.engine.completion import complete, exact_words
from rejoinder.home.workspace import Workspace
from rejoinder.models import Can
from rejoinder.models.interfaces import Job
from rejoinder.models.kneser_ney import KneserNey
from rejoinder.models.markov import Markov, MarkovConfig
from rejoinder.post import Kind, Post, Query


@pytest.fixture(scope="module")
def markov(toy: ArchiveCorpus, tmp_path_factory: pytest.TempPathFactory) -> Markov:
    return Markov.fit(toy, MarkovConfig(), rng=np.random.default_rng(0), job=Job(tmp_path_factory.mktemp("w")))


@pytest.mark.parametrize(
    ("draft", "follows"),
    [
        ("Check the spark", " plug"),
        ("Check the spark pl", "ug"),
        ("Check the spark ", "plug"),
        ("The bread dou", "gh"),
        ("Let th", "e"),
    ],
)
def test_the_word_goes_on_where_the_draft_stops(draft: str, follows: str, markov: Markov) -> None:
    assert any(found.text.startswith(follows) for found in complete(markov, Query(draft=draft)))


def test_what_is_added_makes_no_double_space_and_repeats_no_letter(markov: Markov) -> None:
    sentence = "Check the spark plug and the fuel filter"
    for length in range(len(sentence)):
        for found in complete(markov, Query(draft=sentence[:length])):
            joined = sentence[:length] + found.text
            assert "  " not in joined and found.text == found.text.rstrip("\n")


def test_at_most_k_each_beginning_with_another_word(markov: Markov) -> None:
    for k in (1, 2, 5):
        found = complete(markov, Query(draft="The"), k=k)
        firsts = [continuation.text.split()[0].casefold() for continuation in found]
        assert len(found) <= k and len(set(firsts)) == len(firsts)
        scores = [continuation.first for continuation in found]
        assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("words", [1, 2, 5])
def test_at_most_so_many_words_and_one_sentence(words: int, markov: Markov) -> None:
    for found in complete(markov, Query(draft="Check the"), words=words):
        assert 1 <= len(found.text.split()) <= words
        assert not any(end in found.text[:-1] for end in (". ", "? ", "! ", "\n"))


def test_an_empty_draft_begins_a_post(markov: Markov) -> None:
    alone = complete(markov, Query())
    reply = complete(markov, Query((Post(1, Kind.STORY, "Why?"),)))
    assert alone and reply
    assert alone[0].text.split()[0] in ("How", "Why") and reply[0].text.split()[0] in ("Check", "Let", "Thank")


@settings(max_examples=40)
@given(st.text(max_size=30))
def test_any_draft_is_taken(draft: str) -> None:
    model = _any_text_model()
    for found in complete(model, Query(draft=draft)):
        assert found.text and (draft + found.text).startswith(draft)


def test_a_draft_that_is_all_but_impossible_is_taken() -> None:
    """60 bytes that nobody wrote are of probability 0, as numbers go; eight steps for each of 20 words come to their end."""
    space = Workspace.shipped()
    assert space is not None
    counts = dict(space.load_those(Can.PREDICT, ["kneser_ney"]))["kneser_ney"]
    assert isinstance(counts, KneserNey)
    without_cache = KneserNey(replace(counts.config, cache=0), counts.tokenizer, counts.index)
    assert len(complete(without_cache, Query(draft="\x01" * 60), k=20, words=1)) > 1


_MODEL: list[Markov] = []


def _any_text_model() -> Markov:
    if not _MODEL:
        import tempfile

        directory = Path(tempfile.mkdtemp())
        posts = [Post(n, Kind.STORY, f"some words of post {n}, naïve 日本語 🍞") for n in range(1, 40)]
        corpus = make_corpus(directory, posts, 300, everything=True)
        (directory / "w").mkdir()
        _MODEL.append(Markov.fit(corpus, MarkovConfig(), rng=np.random.default_rng(0), job=Job(directory / "w")))
    return _MODEL[0]


def test_the_first_words_are_the_best_an_exhaustive_search_finds(tmp_path: Path) -> None:
    """Every way to spell what follows 'b' in up to three tokens, against the beam: a vocabulary of bytes and few merges."""
    posts = [Post(n, Kind.STORY, text) for n, text in enumerate(["ba be bo", "ba ba bu", "be ba"] * 4, start=1)]
    corpus = make_corpus(tmp_path, posts, 262, everything=True)
    (tmp_path / "w").mkdir()
    model = Markov.fit(corpus, MarkovConfig(), rng=np.random.default_rng(0), job=Job(tmp_path / "w"))
    tokens = model.tokenizer
    likely = [token for token in range(tokens.size) if any(byte in b"abeou " for byte in tokens.bytes[token])]
    best: dict[str, float] = {}
    for sequence in (path for length in (1, 2, 3) for path in product(likely, repeat=length)):
        spelled = tokens.decode_bytes(sequence)
        if not spelled.startswith(b"b") or len(spelled.split()) != 1 or spelled.endswith(b" ") or len(spelled) != 2:
            continue
        state, total = model.start(()), 0.0
        for token in sequence:
            total += float(model.log_probs(state)[token])
            state = model.advance(state, token)
        best[spelled.decode()] = max(best.get(spelled.decode(), -np.inf), total)
    expected = sorted(best, key=lambda word: -best[word])[:2]
    found = ["b" + continuation.text.split()[0] for continuation in complete(model, Query(draft="b"), k=2, words=1)]
    assert found[0] == expected[0] == "ba"


def _markov_of(tmp_path: Path, texts: list[str]) -> Markov:
    posts = [Post(n, Kind.STORY, text) for n, text in enumerate(texts * 8, start=1)]
    corpus = make_corpus(tmp_path, posts, 400, everything=True)
    (tmp_path / "w").mkdir()
    return Markov.fit(corpus, MarkovConfig(), rng=np.random.default_rng(0), job=Job(tmp_path / "w"))


@pytest.mark.parametrize(
    ("words", "left", "cut"),
    [
        (1, " fox", " fox"),
        (2, " fox dim", " fox dim"),
        (3, " fox dim", " fox dim hut"),
        (4, " fox dim hut key", " fox dim hut key"),
    ],
)
def test_a_text_stops_where_a_person_might(words: int, left: str, cut: str, tmp_path: Path) -> None:
    """Posts end after *dim* and *key*, never after *hut*; a measure of so many words counts that all the same."""
    model = _markov_of(tmp_path, ["ant fox dim hut key", "ant fox dim hut key", "ant fox dim"])
    draft = Query(draft="ant")
    assert [found.text for found in complete(model, draft, 1, words)] == [left]
    assert [found.text for found in exact_words(model, draft, 1, words)] == [cut]


def test_a_sentence_does_not_come_back_to_its_long_words(tmp_path: Path) -> None:
    model = _markov_of(tmp_path, ["ant lucky fox lucky fox lucky fox", "ant lucky"])
    (found,) = complete(model, Query(draft="ant lucky"), 1)
    assert found.text == " fox"
    (found,) = exact_words(model, Query(draft="ant lucky"), 1, 2)
    assert found.text == " fox lucky"

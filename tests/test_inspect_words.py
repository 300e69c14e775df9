"""`inspect word`, `analogy`, `map` and `vectors`: what is said of words, where a map puts them, and what is refused."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from conftest import toy_posts
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from rejoinder.archive.places import place
from rejoinder.cli import app
from rejoinder.cli.inspect_words import spelled
from rejoinder.errors import MissingExtra, NotFitted, RejoinderError, SourceError, UsageError
from rejoinder.home.fitting import FitConfig, fit
from rejoinder.home.workspace import Workspace
from rejoinder.inspect import word_map
from rejoinder.inspect.word_map import MOST_WORDS, WordMap, choose, draw, lay_out
from rejoinder.text.vector_files import read_vectors
from rejoinder.text.vectors import WordVectors

PEOPLE = "5 3\nman 3 0 0\nking 1 1 0\nwoman 0 0 2\nqueen 0 1 1\nbread -1 0 -1\n"  # the numbers are worked in test_vectors.py


def topics(words: int = 40, size: int = 8) -> WordVectors:
    """Words of two topics, in turn, each near the axis of its topic."""
    rng = np.random.default_rng(5)
    rows = 0.15 * rng.normal(size=(words, size))
    rows[np.arange(words), np.arange(words) % 2] += 1
    names = [f"{'bread' if n % 2 == 0 else 'engine'}{'abcdefghijklmnopqrst'[n // 2]}" for n in range(words)]
    return WordVectors(names, rows.astype(np.float32), np.arange(words, 0, -1, dtype=np.int64))


# --- the commands ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the toy archive and both kinds of word vectors. Read only."""
    pytest.importorskip("scipy")
    pytest.importorskip("gensim")
    home = tmp_path_factory.mktemp("home")
    space = Workspace(home)
    with space.open_archive(create=True) as archive:
        place(archive, "toy", hashed=False)
        archive.add(toy_posts(30))
    sizes = {"size": 6, "rarest": 1, "buckets": 300}
    failed = fit(
        space, ["pmi_svd", "word2vec"], FitConfig(), {"pmi_svd": sizes, "word2vec": {**sizes, "workers": 1, "epochs": 1}}
    )
    assert failed == {}
    return home


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Vectors made elsewhere."""
    (tmp_path / "people.txt").write_text(PEOPLE)
    return tmp_path / "people.txt"


def run(*options: object) -> Any:
    """Run `inspect` with these options; its error is raised."""
    ran = CliRunner().invoke(app, ["inspect", *map(str, options)])
    if ran.exception is not None:
        raise ran.exception
    return ran


def test_neighbours_come_with_their_cosines(file: Path) -> None:
    lines = run("word", "king", "--k", 2, "--vectors", file).stdout.splitlines()
    assert [line.split() for line in lines] == [["word", "cosine", "seen"], ["man", "0.707", "?"], ["queen", "0.500", "?"]]
    found = json.loads(run("word", "King!", "--k", 1, "--vectors", file, "--json").stdout)
    assert found == {
        "source": "people.txt", "word": "king", "learned": True, "words": [{"word": "man", "cosine": 0.7071, "count": None}],
    }  # fmt: skip


def test_an_analogy_is_b_less_a_and_c(file: Path) -> None:
    found = json.loads(run("analogy", "man", "king", "woman", "--vectors", file, "--json", "-k", 1).stdout)
    assert [found[name] for name in "abc"] == ["man", "king", "woman"]
    assert found["words"] == [{"word": "queen", "cosine": 0.9586, "count": None}]
    assert "queen" in run("analogy", "man", "king", "woman", "--vectors", file).stdout


def test_word2vec_is_asked_first_and_whom_one_names(home: Path) -> None:
    for options, source in (((), "word2vec"), (("--rung", "pmi_svd"), "pmi_svd")):
        found = json.loads(run("word", "dough", "--home", home, "--json", *options).stdout)
        assert found["source"] == source and len(found["words"]) == 10
        known = Workspace(home).load(source).words  # type: ignore[attr-defined]
        assert [(w["word"], w["cosine"]) for w in found["words"]] == [
            (word, pytest.approx(cosine, abs=1e-4)) for word, cosine in known.neighbours("dough", 10)
        ]
        assert all(w["count"] == known.counts[known.place(w["word"])] > 0 for w in found["words"])


def test_a_word_never_seen_is_guessed_from_its_letters_and_that_is_said(home: Path) -> None:
    ran = run("word", "doughs", "--home", home, "--json")
    assert json.loads(ran.stdout)["learned"] is False
    assert "`doughs` was not learned (did you mean `dough`?)" in ran.stderr
    assert "not learned" not in run("word", "dough", "--home", home).stderr


@pytest.mark.parametrize("suffix", [".txt", ".bin"])
def test_vectors_are_written_for_other_tools_and_read_again(suffix: str, home: Path, tmp_path: Path) -> None:
    out = tmp_path / f"out{suffix}"
    ran = run("vectors", "--rung", "pmi_svd", "--home", home, "--out", out, "--json")
    known = Workspace(home).load("pmi_svd").words  # type: ignore[attr-defined]
    assert json.loads(ran.stdout) == {"source": "pmi_svd", "file": str(out), "words": len(known.words), "size": 6}
    found = read_vectors(out)
    assert found.words == known.words and np.array_equal(found.vectors, known.vectors)
    before = run("word", "dough", "--rung", "pmi_svd", "--home", home).stdout
    after = run("word", "dough", "--vectors", out).stdout
    assert [line.split()[:2] for line in before.splitlines()] == [line.split()[:2] for line in after.splitlines()]


@pytest.mark.parametrize(
    ("options", "kind", "said"),
    [
        (["word", "quen"], UsageError, r"no vector for `quen` \(did you mean `queen`"),
        (["analogy", "man", "king", "womam"], UsageError, r"no vector for `womam` \(did you mean `woman`"),
        (["word", "two words"], UsageError, "one word was expected; got `two words`"),
        (["word", "🍞"], UsageError, "one word was expected"),
        (["word", "man", "--rung", "word2vec"], UsageError, "give one of them"),
        (["map", "--out", "map.jpg"], UsageError, r"\.png or \.svg; got map\.jpg"),
        (["map", "quen", "--out", "map.svg"], UsageError, "no vector for `quen`"),
        (["map", "--out", "map.svg", "--top", "401"], UsageError, "room for 400 words; got 401"),
    ],
)
def test_what_cannot_be_answered_is_told_in_a_line(
    options: list[str], kind: type[RejoinderError], said: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(file.parent)
    with pytest.raises(kind, match=said):
        run(*options, "--vectors", file)
    assert not list(file.parent.glob("map.*"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2 3\na 1 2 3\nb 1 2\n", "line 3: expected a word and 3 numbers; got 2"),
        ("3 3\na 1 2 3\nb 1 2 3\n", "promises 3 words, but there are 2"),
        ("a 1 2 3\nb 1 x 3\n", "line 2"),
        ("", "line 1"),
    ],
)
def test_a_file_whose_vectors_do_not_fit_together_is_told(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "wrong.txt").write_text(text)
    with pytest.raises(SourceError, match=said):
        run("word", "a", "--vectors", tmp_path / "wrong.txt")


def test_where_no_vectors_are_it_is_told_how_to_get_them(home: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFitted, match="rejoinder fit pmi_svd"):
        run("word", "dough", "--home", tmp_path)
    with pytest.raises(NotFitted, match="`word2vec` is not fitted"):
        run("word", "dough", "--home", tmp_path, "--rung", "word2vec")
    with pytest.raises(UsageError, match="`bm25` has no word vectors; those that have: pmi_svd, word2vec"):
        run("word", "dough", "--home", home, "--rung", "bm25")
    with pytest.raises(UsageError, match="did you mean `word2vec`"):
        run("word", "dough", "--home", home, "--rung", "word2vek")


def test_a_word_is_looked_up_as_it_is_written_then_as_rejoinder_reads_words() -> None:
    known = WordVectors(["Rust", "rust", "New_York", "don't"], np.eye(4, dtype=np.float32), np.zeros(4, np.int64))
    for text, word in (("Rust", "Rust"), ("RUST", "rust"), ("New_York", "New_York"), ("Don’t", "don't"), ("new", "new")):
        assert spelled(known, text) == word


# --- the map ---------------------------------------------------------------------------------------------------------


def test_the_nearest_of_each_word_that_was_asked_for_come_in_turn() -> None:
    known = topics()
    words, groups = choose(known, ["breada", "enginea"], 8)
    assert words[:2] == ["breada", "enginea"] and len(words) == len(set(words)) == 8
    assert groups == [0, 1, 0, 1, 0, 1, 0, 1]
    for word, group in zip(words, groups, strict=True):
        assert word.startswith(("bread", "engine")[group])
    assert words[2:4] == [known.neighbours("breada", 1)[0][0], known.neighbours("enginea", 1)[0][0]]
    assert choose(known, ["breada", "breada", "enginea"], 2) == (["breada", "enginea"], [0, 1])


def test_where_none_is_asked_for_words_with_company_are_drawn_in_groups() -> None:
    pytest.importorskip("sklearn")
    known = topics()
    alone = known.vectors.copy()
    alone[7] = np.eye(8, dtype=np.float32)[7]  # like no other
    alone[9] = 0  # without a vector
    words, groups = choose(WordVectors(known.words, alone, known.counts), [], 30)
    assert len(words) == 30 and not {known.words[7], known.words[9]} & set(words)
    tops = {topic: {group for word, group in zip(words, groups, strict=True) if word.startswith(topic)} for topic in ("br", "en")}
    assert tops["br"] and tops["en"] and not tops["br"] & tops["en"]


@pytest.mark.parametrize("count", [2, 3, 4, 5, 24])
def test_like_words_lie_near_each_other_within_the_page(count: int) -> None:
    pytest.importorskip("sklearn")
    known = topics()
    words = known.words[:count]
    shown = lay_out(known, words, [n % 2 for n in range(count)], words[:1])
    assert shown.words == tuple(words) and shown.asked == {words[0]}
    assert shown.places.shape == (count, 2) and shown.places.min() >= 0 and shown.places.max() <= 1
    again = lay_out(known, words, [n % 2 for n in range(count)], words[:1])
    assert np.array_equal(again.places, shown.places)
    if count >= 24:
        apart = np.linalg.norm(shown.places[:, None] - shown.places, axis=2)
        same = (np.arange(count)[:, None] - np.arange(count)) % 2 == 0
        assert apart[same].mean() < 0.7 * apart[~same].mean()


@pytest.mark.parametrize(("words", "said"), [([], "at least 2"), (["breada"], "at least 2")])
def test_a_map_of_one_word_is_none(words: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        lay_out(topics(), words, [0] * len(words))


def test_words_without_vectors_make_no_map() -> None:
    empty = WordVectors(["some", "words"], np.zeros((2, 3), np.float32), np.zeros(2, np.int64))
    with pytest.raises(UsageError, match="at least 2 words with vectors; there are 0"):
        choose(empty, [], 10)
    with pytest.raises(UsageError, match=f"room for {MOST_WORDS}"):
        choose(topics(), [], MOST_WORDS + 1)


@settings(max_examples=20)
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), st.integers(8, 120)), min_size=1, max_size=40))
def test_no_word_is_drawn_over_another_or_over_the_edge(words: list[tuple[float, float, int]]) -> None:
    places = np.array([word[:2] for word in words], np.float32)
    boxes = np.array([(width, 12) for _, _, width in words], float)
    (width, height), centres = word_map._spread(places, boxes)
    low, high = centres - boxes / 2, centres + boxes / 2
    assert low.min() >= -0.01 and (high <= np.array([width, height]) + 0.01).all()
    meet = ((high[:, None] > low + 1e-6) & (high > low[:, None] + 1e-6)).all(axis=2)
    assert not meet[~np.eye(len(words), dtype=bool)].any()


def shown_map() -> WordMap:
    places = np.random.default_rng(1).random((6, 2)).astype(np.float32)
    return WordMap(("rust", "$x^$", "日本", "🍞_", "go", "rust&<b>"), places, (0, 0, 1, 1, 2, 99), frozenset({"rust"}))


def test_a_picture_names_every_word(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    draw(shown_map(), "A title", tmp_path / "map.svg")
    said = {text.strip() for text in ElementTree.parse(tmp_path / "map.svg").getroot().itertext() if text.strip()}
    assert {*shown_map().words, "A title"} <= said
    draw(shown_map(), "A title", tmp_path / "again.svg")
    assert (tmp_path / "again.svg").read_bytes() == (tmp_path / "map.svg").read_bytes()


@pytest.mark.parametrize("package", ["matplotlib", "sklearn.manifold"])
def test_what_drawing_needs_is_named(package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra, match="needs the extra `train`: "):
        draw(lay_out(topics(), topics().words[:8], [0] * 8), "", tmp_path / "map.png")


def test_the_command_draws_and_tells_where_words_lie(home: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    ran = run("map", "Dough", "engine", "--top", 7, "--home", home, "--out", tmp_path / "map.png", "--json")
    assert (tmp_path / "map.png").read_bytes().startswith(b"\x89PNG") and "map.png" in ran.stderr
    found = json.loads(ran.stdout)
    assert found["source"] == "word2vec" and [w["word"] for w in found["words"][:2]] == ["dough", "engine"]
    assert len(found["words"]) == 7 and all(0 <= w["x"] <= 1 and 0 <= w["y"] <= 1 for w in found["words"])

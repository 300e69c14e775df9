"""Word vectors: neighbours and analogies worked by hand, unseen words, the directory, and the files of word2vec."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rejoinder.errors import DamagedModel, ModelError, SourceError, UsageError
from rejoinder.text.subwords import letter_ngrams, places_of, subword_vectors
from rejoinder.text.vector_files import read_vectors, write_binary, write_text
from rejoinder.text.vectors import WordVectors

WRITERS = {".txt": write_text, ".bin": write_binary}


def some(words: list[str], rows: list[list[float]], counts: list[int] | None = None) -> WordVectors:
    return WordVectors(words, np.array(rows, np.float32), np.array(counts or [0] * len(words), np.int64))


PEOPLE = some(["man", "king", "woman", "queen", "bread"], [[3, 0, 0], [1, 1, 0], [0, 0, 2], [0, 1, 1], [-1, 0, -1]])


def write(vectors: WordVectors, file: Path) -> Path:
    with file.open("wb") as opened:
        WRITERS[file.suffix](vectors, opened)
    return file


# --- words and their vectors -----------------------------------------------------------------------------------------


def test_neighbours_are_ordered_by_the_cosine() -> None:
    # king . man / (|king| |man|) = 3 / (sqrt 2 * 3) = 0.7071; king . queen = 1 / (sqrt 2 * sqrt 2) = 0.5; king . woman = 0
    found = PEOPLE.neighbours("king", 3)
    assert [word for word, _ in found] == ["man", "queen", "woman"]
    assert [cosine for _, cosine in found] == pytest.approx([0.5**0.5, 0.5, 0], abs=1e-6)
    assert PEOPLE.neighbours("king", 0) == [] and len(PEOPLE.neighbours("king", 99)) == 4


def test_man_is_to_king_as_woman_is_to_queen() -> None:
    # king/|king| - man/|man| + woman/|woman| = (0.707 - 1, 0.707, 1) = (-0.293, 0.707, 1), of length 1.2593
    # . queen/|queen| = (0.707 + 1) / sqrt 2 = 1.2071; / 1.2593 = 0.9586
    [(word, cosine), (other, _)] = PEOPLE.analogy("man", "king", "woman", 2)
    assert word == "queen" and cosine == pytest.approx(0.9586, abs=1e-4) and other == "bread"


def test_ties_go_to_the_more_frequent_word() -> None:
    assert [word for word, _ in some(["a", "b", "c"], [[1], [1], [1]]).neighbours("b", 9)] == ["a", "c"]


def test_a_word_without_a_vector_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UsageError, match=r"no vector for `quen`.*`queen`"):
        PEOPLE.neighbours("quen", 3)
    with pytest.raises(UsageError, match="no vector for `zzz`"):
        PEOPLE.analogy("man", "king", "zzz", 3)


def test_unseen_words_have_zeros_without_subwords() -> None:
    assert PEOPLE.of(["king", "zzz", "queen"]).tolist() == [[1, 1, 0], [0, 0, 0], [0, 1, 1]]
    assert PEOPLE.of([]).shape == (0, 3) and PEOPLE.place("queen") == 3 and PEOPLE.place("zzz") is None


def test_sizes_and_words_must_fit_together() -> None:
    zeros = np.zeros((2, 3), np.float32)
    for words, counts, ngrams in (
        (["a"], [1, 1], None),
        (["a", "b"], [1], None),
        (["a", "a"], [1, 1], None),
        (["a", "b"], [1, 1], np.zeros((5, 4), np.float32)),
        (["a", "b"], [1, 1], np.zeros((0, 3), np.float32)),
    ):
        with pytest.raises(ModelError):
            WordVectors(words, zeros, np.array(counts), ngrams)


# --- letters ---------------------------------------------------------------------------------------------------------


def test_the_runs_of_letters_of_a_word() -> None:
    # <her>: of 3 <he her er>, of 4 <her her>, of 5 <her>; none of 6
    assert letter_ngrams("her") == ["<he", "her", "er>", "<her", "her>", "<her>"]
    assert letter_ngrams("") == [] and letter_ngrams("é") == ["<é>"]
    assert len(places_of("her", 2**20)) == 6 and set(places_of("her", 1).tolist()) == {0}


def test_a_run_has_the_mean_of_the_words_that_hold_it() -> None:
    # "cat" and "cats" share <ca, cat, <cat: ((4, 0) + (0, 4)) / 2 = (2, 2); "at>" is of "cat" alone
    table = subword_vectors(["cat", "cats"], np.array([[4, 0], [0, 4]], np.float32), 2**20)
    whole, alone = (int(places_of(word, 2**20)[0]) for word in ("c", "a"))
    assert not table[[whole, alone]].any()
    shared = set(places_of("cat", 2**20).tolist()) & set(places_of("cats", 2**20).tolist())
    assert len(shared) == 3 and all(table[place].tolist() == [2, 2] for place in shared)
    [rest] = {tuple(table[place].tolist()) for place in places_of("cat", 2**20) if place not in shared}
    assert rest == (4, 0)


def test_unseen_words_lie_near_those_that_share_letters() -> None:
    vectors = some(["engine", "engines", "bread"], [[1, 0], [1, 0.1], [0, 1]], [5, 2, 4]).with_subwords(2**12)
    assert vectors.neighbours("engineer", 3)[-1][0] == "bread"
    assert not vectors.of(["zzz"]).any() and vectors.with_subwords(0).ngrams is None


# --- the directory ---------------------------------------------------------------------------------------------------


def test_saved_and_loaded_they_are_the_same(tmp_path: Path) -> None:
    vectors = PEOPLE.with_subwords(64)
    vectors.save(tmp_path)
    loaded = WordVectors.load(tmp_path)
    assert loaded.words == vectors.words and loaded.counts.tolist() == vectors.counts.tolist()
    assert np.array_equal(loaded.of(["king", "kings", "zz"]), vectors.of(["king", "kings", "zz"]))
    PEOPLE.save(tmp_path / "without")
    assert WordVectors.load(tmp_path / "without").ngrams is None


@pytest.mark.parametrize("harm", ["no words", "other words", "no json", "cut", "wrong size", "wrong type", "objects"])
def test_a_damaged_directory_is_refused(harm: str, tmp_path: Path) -> None:
    PEOPLE.save(tmp_path)
    file = tmp_path / "vectors.npy"
    if harm == "no words":
        (tmp_path / "words.json").unlink()
    elif harm in ("other words", "no json"):
        (tmp_path / "words.json").write_text(json.dumps(["man", 7]) if harm == "other words" else "[")
    elif harm == "cut":
        file.write_bytes(file.read_bytes()[:-3])
    else:
        kind: Any = {"wrong size": np.zeros((4, 3), np.float32), "wrong type": np.zeros((5, 3)), "objects": np.array([{}])}[harm]
        np.save(file, kind, allow_pickle=True)
    with pytest.raises(DamagedModel, match="fit again"):
        WordVectors.load(tmp_path)


# --- files of word2vec -----------------------------------------------------------------------------------------------

WORDS = st.lists(
    st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=9), min_size=1, max_size=6, unique=True
)
NUMBERS = st.floats(width=32, allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize("suffix", WRITERS)
@settings(max_examples=40)
@given(data=st.data())
def test_what_is_written_is_read_again_to_the_last_bit(
    suffix: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    words = data.draw(WORDS)
    size = data.draw(st.integers(1, 4))
    rows = data.draw(st.lists(st.lists(NUMBERS, min_size=size, max_size=size), min_size=len(words), max_size=len(words)))
    vectors = some(words, rows)
    found = read_vectors(write(vectors, tmp_path_factory.mktemp("vectors") / f"v{suffix}"))
    assert found.words == words and found.vectors.tobytes() == vectors.vectors.tobytes() and not found.counts.any()


@pytest.mark.parametrize("suffix", WRITERS)
def test_gensim_reads_ours_and_we_read_gensims(suffix: str, tmp_path: Path) -> None:
    from gensim.models import KeyedVectors

    binary = suffix == ".bin"
    vectors = some(["naïve", "日本", "don't"], np.random.default_rng(1).normal(size=(3, 70)).tolist())
    theirs = KeyedVectors.load_word2vec_format(str(write(vectors, tmp_path / f"ours{suffix}")), binary=binary)
    assert theirs.index_to_key == vectors.words and np.array_equal(theirs.vectors, vectors.vectors)
    theirs.save_word2vec_format(str(tmp_path / f"theirs{suffix}"), binary=binary)
    again = read_vectors(tmp_path / f"theirs{suffix}")
    assert again.words == vectors.words and np.array_equal(again.vectors, vectors.vectors)


def test_binary_files_longer_than_what_is_read_at_a_time(tmp_path: Path) -> None:
    rows = np.random.default_rng(2).normal(size=(3000, 200)).astype(np.float32)  # 2.4 MB
    vectors = WordVectors([f"w{n}" for n in range(3000)], rows, np.zeros(3000, np.int64))
    assert np.array_equal(read_vectors(write(vectors, tmp_path / "v.bin")).vectors, rows)


def test_a_text_file_without_a_header_is_read(tmp_path: Path) -> None:
    (tmp_path / "glove.txt").write_bytes(b"the 1 2.5 -3e-1\nof 0 0 1\n")
    found = read_vectors(tmp_path / "glove.txt")
    assert found.words == ["the", "of"] and found.vectors.tolist() == [[1, 2.5, np.float32(-0.3)], [0, 0, 1]]


ONE = np.array([1, 2], "<f4").tobytes()
BAD = {
    "nothing.txt": (b"", "line 1"),
    "no numbers.txt": (b"hello\n", "line 1"),
    "prose.txt": (b"it was a dark night\n", "line 1: the vector of b'it'"),
    "header only.txt": (b"2 3\n", "promises 2 words, but there are 0"),
    "too few.txt": (b"3 2\na 1 2\nb 1 2\n", "promises 3 words, but there are 2"),
    "too many.txt": (b"1 2\na 1 2\nb 1 2\n", "promises 1 words, but there are 2"),
    "short vector.txt": (b"2 2\na 1 2\nb 1\n", "line 3: expected a word and 2 numbers; got 1"),
    "long vector.txt": (b"2 2\na 1 2 3\nb 1 2 3\n", "line 2: expected a word and 2 numbers; got more, or is `a 1` a word"),
    "hardly any.txt": (b"3 2\na 1 2\nb 1 nan\n\xff 1 2\n", "but for 1 words; passed over: 1 without numbers, 1 not UTF-8"),
    "none.bin": (b"1 2\na " + np.array([1, np.nan], "<f4").tobytes(), "no word vectors but for 0 words"),
    "cut.gz": (gzip.compress(b"2 2\na 1 2\nb 1 2\n")[:-4], "cannot be unpacked"),
    "letters.txt": (b"2 2\na 1 x\nb 1 2\n", "line 2: the vector of b'a' is not made of numbers"),
    "negative.txt": (b"-2 2\n", "line 1: -2 words"),
    "size 0.bin": (b"2 0\n", "line 1: 2 words of 0 numbers"),
    "huge.bin": (b"2 99999999999\na ", "line 1"),
    "no header.bin": (b"\x00\x01\x02", "line 1: expected `words size`"),
    "cut.bin": (b"2 2\na " + ONE + b"b " + ONE[:-1], "word 2 .*ends within its vector"),
    "few.bin": (b"3 2\na " + ONE + b"b " + ONE, "promises 3 words, but there are 2"),
    "many.bin": (b"1 2\na " + ONE + b"b " + ONE, "more follows"),
    "another size.bin": (b"2 1\na " + ONE + b"b " + ONE, "UTF-8|no end|more follows|second"),
    "endless.bin": (b"1 2\n" + b"x" * 5000, "word 1: it has no end"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused_with_its_name_and_the_place(name: str, tmp_path: Path) -> None:
    data, message = BAD[name]
    (tmp_path / name).write_bytes(data)
    with pytest.raises(SourceError, match=message) as caught:
        read_vectors(tmp_path / name)
    assert name in str(caught.value)


ROWS = [b"a", b"a", b"b", b"\xff\xfe", b". . .", b"at name", b"nan", b"c"]  # twice, no UTF-8, words with spaces, no number


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("form", ["header.txt", "glove.txt", "binary.bin"])
def test_what_is_odd_about_single_words_costs_those_words(
    form: str, packed: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    numbers = [[float(place), np.nan if word == b"nan" else 0.5] for place, word in enumerate(ROWS)]
    if form == "binary.bin":
        rows = [(word.replace(b" ", b"_"), np.array(pair, "<f4").tobytes()) for word, pair in zip(ROWS, numbers, strict=True)]
    else:
        rows = [(word, b"%r %r\n" % tuple(pair)) for word, pair in zip(ROWS, numbers, strict=True)]
    text = b"".join(word + b" " + pair for word, pair in rows)
    data = b"" if form == "glove.txt" else b"\xef\xbb\xbf8 2\n"
    file = tmp_path / (form + ".gz" * packed)
    file.write_bytes(gzip.compress(data + text) if packed else data + text)
    found = read_vectors(file)
    spaced = [". . .", "at name"] if form != "binary.bin" else ["._._.", "at_name"]
    assert found.words == ["a", "b", *spaced, "c"]
    assert found.vectors.tolist() == [[0, 0.5], [2, 0.5], [4, 0.5], [5, 0.5], [7, 0.5]]  # the first `a`
    assert "1 there already, 1 not UTF-8, 1 without numbers" in caplog.text


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"no\.txt cannot be read: No such file"):
        read_vectors(tmp_path / "no.txt")


@pytest.mark.parametrize("word", ["", "two words", "a\nb", "no\u00a0break", "\ud800"])
@pytest.mark.parametrize("writer", WRITERS.values())
def test_words_that_the_format_cannot_hold_are_not_written(word: str, writer: Any) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        writer(some([word], [[1.0]]), io.BytesIO())

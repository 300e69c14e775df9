"""Text to tokens and back, without loss."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from conftest import make_corpus, toy_posts
from hypothesis import given, settings
from hypothesis import strategies as st

from rejoinder.archive.reader import ArchiveCorpus
from rejoinder.errors import DamagedModel, ModelError
from rejoinder.models.pretrained import pieces
from rejoinder.models.pretrained.gguf_file import PieceList
from rejoinder.post import Post
from rejoinder.text import tokenizer as tokenizer_module
from rejoinder.text.tensors import count_bigrams, count_tokens, open_tokenizer, open_tokens, token_shares, train_tokenizer
from rejoinder.text.tokenizer import AnyTokenizer, Tokenizer
from rejoinder.text.writers import by_writer, writers_of

TEXTS = ["the cat sat on the mat", "the dog sat", "naïve café", "a > b, <p> &amp;"] * 5
TOKENIZER = Tokenizer.train(TEXTS, 300)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_decode_gives_back_what_was_encoded(text: str) -> None:
    assert TOKENIZER.decode(TOKENIZER.encode(text)) == text


@pytest.mark.parametrize(
    "text", ["<|endoftext|>", "</s>", "[END]", "POST REPLY END", "\u0120\u010a", "\x00\x01", "🍞" * 1000, "\r\n \t"]
)
def test_text_that_looks_like_a_separator_is_text(text: str) -> None:
    tokens = TOKENIZER.encode(text)
    assert max(tokens, default=0) < TOKENIZER.size
    assert not {TOKENIZER.post, TOKENIZER.reply, TOKENIZER.end} & set(tokens)
    assert TOKENIZER.decode(tokens) == text


def test_lone_surrogates_are_read_as_replacement_characters() -> None:
    assert TOKENIZER.decode(TOKENIZER.encode("a\ud800b")) == "a\ufffdb"


def test_many_texts_at_once_are_encoded_as_one_by_one() -> None:
    assert TOKENIZER.encode_many(["", *TEXTS]) == [TOKENIZER.encode(text) for text in ["", *TEXTS]]


ASCII = st.text(st.sampled_from([*map(chr, range(128)), *" 'staonrevmld\n\t " * 4])) | st.text()


@given(st.lists(ASCII))
@settings(max_examples=500)
def test_words_are_encoded_by_themselves_as_the_library_encodes_a_text(texts: list[str]) -> None:
    assert TOKENIZER.encode_many(texts) == [TOKENIZER.encode(text) for text in texts]


@pytest.mark.parametrize("splitting", [*pieces._SPLITTING])
def test_a_tokenizer_that_cuts_otherwise_is_left_to_the_library(splitting: str) -> None:
    alphabet, merged = pieces.byte_alphabet(), [("(", "a"), (".", "c"), (";", "\u010a"), ("\u0120", "\u0120")]
    of_text = [*alphabet, *("".join(pair) for pair in merged)]
    other = pieces.tokenizer_of(PieceList(of_text, np.ones(len(of_text), bool), merged, splitting, (), 0, 0))
    texts = ["f(a) is obj.cat", "x;\n\ny", "a  1", "", "plain words"]
    assert other.encode_many(texts) == [other.encode(text) for text in texts]


def test_only_short_words_are_remembered_and_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokenizer_module, "_REMEMBERED", 3)
    fresh, texts = Tokenizer(TOKENIZER._library), [f"{'x' * 40} the cat sat on the mat"]
    assert fresh.encode_many(texts * 2) == [TOKENIZER.encode(texts[0])] * 2
    assert sorted(fresh._remembered) == [" cat", " sat", " the"]


def test_separators_stand_above_the_pieces_and_for_no_bytes() -> None:
    assert (TOKENIZER.post, TOKENIZER.reply, TOKENIZER.end) == (TOKENIZER.size, TOKENIZER.size + 1, TOKENIZER.size + 2)
    assert TOKENIZER.vocabulary == TOKENIZER.size + 3 == len(TOKENIZER.bytes)
    assert TOKENIZER.decode([TOKENIZER.post, *TOKENIZER.encode("cat"), TOKENIZER.end]) == "cat"


def test_every_byte_is_a_piece_and_no_two_pieces_are_alike() -> None:
    pieces = TOKENIZER.bytes[: TOKENIZER.size]
    assert {bytes([byte]) for byte in range(256)} <= set(pieces)
    assert len(set(pieces)) == len(pieces)


@given(st.binary(max_size=4))
def test_starting_with_finds_what_a_search_through_all_finds(prefix: bytes) -> None:
    slow = {token for token, piece in enumerate(TOKENIZER.bytes) if piece and piece.startswith(prefix)}
    assert set(TOKENIZER.starting_with(prefix).tolist()) == slow


@given(st.sampled_from([b" the cat", b"th", b"\xf0\x9f", b"", b"x"]))
def test_inside_finds_the_pieces_that_begin_a_text_without_filling_it(text: bytes) -> None:
    slow = {token for token, piece in enumerate(TOKENIZER.bytes) if piece and text.startswith(piece) and piece != text}
    assert set(TOKENIZER.inside(text)) == slow


def test_saved_and_loaded_it_is_the_same(tmp_path: Path) -> None:
    TOKENIZER.save(tmp_path / "t.json")
    loaded = Tokenizer.load(tmp_path / "t.json")
    assert loaded.bytes == TOKENIZER.bytes and loaded.fingerprint() == TOKENIZER.fingerprint()


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\xfe", b'{"model": 3}'])
def test_a_damaged_file_is_a_clear_error(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "t.json").write_bytes(content)
    with pytest.raises(DamagedModel, match="fit again"):
        Tokenizer.load(tmp_path / "t.json")


def test_a_vocabulary_below_the_bytes_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 256"):
        Tokenizer.train(["a"], 255)


# --- pieces that one text alone holds ----------------------------------------------------------------------------------


def test_a_word_of_one_text_alone_is_no_piece_however_often_it_stands_there() -> None:
    texts = ["plain words", "more plain words", " zyzzyva" * 50]
    trained = Tokenizer.train(texts, 400)
    assert b" zyzzyva" in trained.bytes
    shared = trained.shared([[text] for text in texts], 2)
    assert not [piece for piece in shared.bytes if len(piece) > 1 and piece in b" zyzzyva"]
    assert b" words" in shared.bytes and set(shared.bytes) < set(trained.bytes)
    again = [*texts, " zyzzyva" * 5]
    assert b" zyzzyva" in Tokenizer.train(again, 400).shared([[text] for text in again], 2).bytes


def test_a_word_of_one_writer_alone_is_no_piece_in_however_many_posts_it_stands() -> None:
    posts = [
        Post(1, text="plain words", author=b"a"),
        Post(2, text="more plain words", author=b"b"),
        *(Post(n, text=f"the {n} zyzzyva" * 20, author=b"a") for n in (3, 4)),  # of one author
        *(Post(n, text=f"{'The' if n > 5 else 'the'} xylograph" * 30) for n in (5, 6)),  # of the same words
    ]
    trained = Tokenizer.train([post.text for post in posts], 400)
    assert {b" zyzzyva", b" xylograph"} <= set(trained.bytes)
    grouped = by_writer(posts)
    assert [len(texts) for texts in grouped] == [3, 1, 2]
    shared = trained.shared(grouped, 2)
    assert not {b" zyzzyva", b" xylograph"} & set(shared.bytes) and b" words" in shared.bytes


def test_posts_without_words_are_nobody_elses() -> None:
    links = [Post(n, text="https://example.org/a") for n in (1, 2)] + [Post(3, text="> quoted")]
    assert by_writer(links) == [["https://example.org/a"]] * 2
    assert len(set(writers_of(links).tolist())) == 2
    assert writers_of([]).tolist() == []


def test_a_piece_that_others_are_made_of_counts_where_they_stand() -> None:
    # " ab" is a token in one text and a part of " abab" in another, so two texts share it; " abab" stands in one alone
    texts = [" ab" * 9, " abab" * 9]
    trained = Tokenizer.train(texts, 300)
    assert {b" ab", b" abab"} <= set(trained.bytes)
    shared = trained.shared([[text] for text in texts], 2)
    assert b" ab" in shared.bytes and b" abab" not in shared.bytes


@given(st.lists(st.text(alphabet="ab ", max_size=12), min_size=1, max_size=6), st.integers(1, 3))
def test_every_piece_left_stands_in_so_many_texts_and_nothing_is_lost(texts: list[str], posts: int) -> None:
    shared = Tokenizer.train(texts, 280).shared([[text] for text in texts], posts)
    for piece in shared.bytes[: shared.size]:
        assert len(piece) == 1 or sum(piece in text.encode() for text in texts) >= posts
    for text in [*texts, "a ba\u00e9 \U0001f35e"]:
        assert shared.decode(shared.encode(text)) == text
    again = Tokenizer.train(texts, 280).shared([[text] for text in texts], posts)
    assert again.fingerprint() == shared.fingerprint() and again.shared([[text] for text in texts], posts) is again


def test_all_pieces_stay_where_one_text_is_enough() -> None:
    assert TOKENIZER.shared([[text] for text in TEXTS], 1).fingerprint() == TOKENIZER.fingerprint()


# --- token arrays ----------------------------------------------------------------------------------------------------


def test_token_arrays_are_the_posts_of_their_part_between_separators(toy: ArchiveCorpus) -> None:
    tokenizer, arrays = open_tokenizer(toy.tokens), open_tokens(toy.tokens, "train")
    posts = list(toy.posts("train"))
    assert arrays.posts.tolist() == [post.id for post in posts]
    assert arrays.tokens.dtype == np.uint16
    for place, post in enumerate(posts):
        begin, *tokens, end = arrays.tokens[arrays.offsets[place] : arrays.offsets[place + 1]].tolist()
        assert (begin, end) == (tokenizer.post if post.parent is None else tokenizer.reply, tokenizer.end)
        assert tokenizer.decode(tokens) == post.own_text


def test_quotes_are_left_out_of_token_arrays(tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path, [Post(n, text="> quoted words\n\nown words", parent=n + 1000) for n in range(1, 40)], 300)
    decoded = open_tokenizer(corpus.tokens).decode(open_tokens(corpus.tokens, "train").tokens.tolist())
    assert "own words" in decoded and "quoted" not in decoded


def test_tokens_come_from_train_alone(tmp_path: Path) -> None:
    """A word that only dev and test posts hold is not a piece, though it is the most frequent of all."""
    everywhere = list(toy_posts())
    train = {post.id for post in make_corpus(tmp_path / "a", everywhere).posts("train")}
    marked = [post if post.id in train else post._replace(text=post.text + " zyzzyva" * 50) for post in everywhere]
    tokenizer = open_tokenizer(make_corpus(tmp_path / "b", marked, vocabulary=2000).tokens)
    assert len(train) < len(everywhere) and b" zyzzyva" not in tokenizer.bytes and b" dough" in tokenizer.bytes


def test_an_empty_train_part_is_a_clear_error(tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path, [])
    with pytest.raises(ModelError, match="no posts with words"):
        open_tokens(corpus.tokens, "train")


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 10_000])
def test_counting_in_chunks_is_counting(chunk: int, toy: ArchiveCorpus, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against dictionaries, whatever the size of the chunks: nothing is lost or doubled where they meet."""
    monkeypatch.setattr("rejoinder.text.tensors._CHUNK", chunk)
    tokenizer, arrays = open_tokenizer(toy.tokens), open_tokens(toy.tokens, "dev")
    tokens = arrays.tokens.tolist()
    single: dict[int, int] = {}
    double: dict[int, int] = {}
    size = tokenizer.vocabulary
    for place, token in enumerate(tokens):
        single[token] = single.get(token, 0) + 1
        if place and tokens[place - 1] != tokenizer.end:
            pair = tokens[place - 1] * size + token
            double[pair] = double.get(pair, 0) + 1
    assert count_tokens(arrays, size).tolist() == [single.get(token, 0) for token in range(size)]
    pairs, counts = count_bigrams(arrays, size, tokenizer.end)
    assert dict(zip(pairs.tolist(), counts.tolist(), strict=True)) == double
    assert pairs.tolist() == sorted(double)


def test_token_shares_by_hand() -> None:
    # counts 3, 1, 0 and one token that never comes; a = 0.5: 3.5, 1.5, 0.5 over 5.5
    shares = token_shares(np.array([3, 1, 0, 9]), 0.5, never=[3])
    assert shares.tolist() == pytest.approx([3.5 / 5.5, 1.5 / 5.5, 0.5 / 5.5, 0.0])


def test_of_a_large_archive_some_posts_teach_the_tokenizer_whatever_else_comes_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus, read = make_corpus(tmp_path, toy_posts()), list[set[str]]()

    def note(texts: Iterable[str], size: int) -> AnyTokenizer:
        read.append(set(texts))
        return tokenizer

    tokenizer = open_tokenizer(corpus.tokens)
    monkeypatch.setattr(Tokenizer, "train", staticmethod(note))
    everything = corpus.count("train") or 0
    for posts in (everything, everything // 2, everything // 8):
        monkeypatch.setattr("rejoinder.text.tensors.LEARNED", posts)
        train_tokenizer(corpus, 400)
    assert read[0] == {post.own_text for post in corpus.posts("train")}
    assert read[0] > read[1] > read[2]  # who is drawn of fewer is drawn of more
    assert 0.3 < len(read[1]) / len(read[0]) < 0.7

"""Static embeddings made elsewhere, in model2vec's files: vectors of pieces by hand, and a rung that takes them in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import make_corpus, toy_posts
from safetensors.numpy import save_file
from tokenizers import Tokenizer
from tokenizers.models import WordPiece

from rejoinder.errors import SourceError
from rejoinder.models.interfaces import Job
from rejoinder.models.word2vec import Word2Vec, Word2VecConfig
from rejoinder.post import Kind, Post
from rejoinder.text.static_embeddings import is_static, read_static

PIECES = ["[UNK]", "engine", "##s", "bread", "the"]


def made(directory: Path, **arrays: Any) -> Path:
    directory.mkdir(exist_ok=True)
    Tokenizer(WordPiece({piece: n for n, piece in enumerate(PIECES)}, unk_token="[UNK]")).save(str(directory / "tokenizer.json"))
    save_file(arrays, directory / "model.safetensors")
    return directory


def test_a_words_vector_is_the_mean_of_its_pieces(tmp_path: Path) -> None:
    table = np.array([[9, 9], [2, 0], [0, 4], [1, 1], [3, 3]], np.float16)
    directory = made(tmp_path / "model", embeddings=table)
    assert is_static(directory) and not is_static(tmp_path)
    # engines = engine, ##s: (2 + 0) / 2, (0 + 4) / 2; of zebra no piece is known
    assert read_static(directory, ["engine", "engines", "zebra"]).tolist() == [[2, 0], [1, 2], [0, 0]]


def test_rows_that_are_shared_and_weights_count(tmp_path: Path) -> None:
    directory = made(
        tmp_path / "model",
        embeddings=np.array([[2.0, 0.0], [0.0, 4.0]], np.float32),
        mapping=np.array([0, 0, 1, 1, 0], np.int64),
        weights=np.array([1.0, 1.0, 0.5, 2.0, 0.25], np.float64),
    )
    assert read_static(directory, ["engine", "bread", "engines", "the"]).tolist() == [[2, 0], [0, 8], [1, 1], [0.5, 0]]


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"other": np.zeros((5, 2), np.float32)}, "embeddings"),
        ({"embeddings": np.zeros(5, np.float32)}, "no table"),
        ({"embeddings": np.full((5, 2), np.nan, np.float32)}, "no table"),
        ({"embeddings": np.zeros((5, 2), np.float32), "mapping": np.array([7])}, "not there"),
        ({"embeddings": np.zeros((5, 2), np.float32), "weights": np.ones(3, np.float32)}, "do not fit"),
    ],
)
def test_files_that_do_not_fit_are_refused(arrays: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=said):
        read_static(made(tmp_path / "model", **arrays), ["engine"])


def test_files_of_another_kind_are_refused(tmp_path: Path) -> None:
    directory = made(tmp_path / "model", embeddings=np.zeros((5, 2), np.float32))
    (directory / "model.safetensors").write_bytes(b"no tensors")
    with pytest.raises(SourceError, match="cannot be read"):
        read_static(directory, ["engine"])
    (directory / "tokenizer.json").write_text("{}")
    with pytest.raises(SourceError, match="no tokenizer"):
        read_static(directory, ["engine"])


def test_the_rung_compares_posts_by_them_and_learns_nothing(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    corpus = make_corpus(tmp_path, toy_posts(60))
    found = sorted({word for post in corpus.posts("train") for word in post.own_text.lower().split() if word.isalnum()})
    pieces = {piece: n for n, piece in enumerate(["[UNK]", *found])}
    directory = tmp_path / "model"
    directory.mkdir()
    Tokenizer(WordPiece(pieces, unk_token="[UNK]")).save(str(directory / "tokenizer.json"))
    save_file({"embeddings": rng.standard_normal((len(pieces), 8)).astype(np.float32)}, directory / "model.safetensors")
    (tmp_path / "work").mkdir()
    config = Word2VecConfig(file=str(directory), rarest=1)
    model = Word2Vec.fit(corpus, config, rng=rng, job=Job(tmp_path / "work"))
    assert model.words.size == 8
    context = (Post(1, Kind.STORY, "Why does the engine stall ?"),)
    scores = model.score_replies(context, ["the engine does stall", "cold bread dough"])
    assert scores[0] > scores[1]

"""A cell that begins from word vectors: words get theirs, all else stays random, and what does not fit is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from test_lstm_training import TINY, V, reading

from rejoinder.errors import ConfigError, SourceError
from rejoinder.models.interfaces import Job
from rejoinder.models.lstm.config import LSTMConfig
from rejoinder.models.lstm.initial_vectors import begun_from, token_vectors
from rejoinder.models.lstm.network import numbers
from rejoinder.models.lstm.train import CellTraining
from rejoinder.text.tokenizer import Tokenizer

FILE = "2 3\nbread 1 0 2\nstone 0 4 0\n"


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.train(["bread and stone, Bread and stone: bread"] * 20, 300)


def test_tokens_that_are_words_have_the_words_vectors(tokenizer: Tokenizer, tmp_path: Path) -> None:
    (tmp_path / "vectors.txt").write_text(FILE)
    vectors = token_vectors(tmp_path / "vectors.txt", tokenizer)
    assert vectors.shape == (tokenizer.vocabulary, 3)
    found = {piece: vectors[token].tolist() for token, piece in enumerate(tokenizer.bytes) if vectors[token].any()}
    assert found[b" bread"] == [1, 0, 2]
    assert found[b" stone"] == [0, 4, 0]
    assert set(found) <= {b"bread", b" bread", b"Bread", b" Bread", b"stone", b" stone"}


def test_vectors_are_brought_to_the_spread_of_the_random_ones() -> None:
    random = np.random.default_rng(0).uniform(-0.1, 0.1, (4, 3)).astype(np.float32)
    shorter = np.array([[0, 0], [3, -3], [0, 0], [1, 1]], np.float32)
    begun = begun_from(shorter, random)
    # the given numbers 3, -3, 1, 1 have the mean 1/2 and the spread sqrt(20/4 - 1/4) = sqrt(4.75)
    assert begun[1, :2] == pytest.approx(random.std() / np.sqrt(4.75) * np.array([3, -3]), rel=1e-5)
    assert (begun[[0, 2]] == random[[0, 2]]).all()
    assert (begun[:, 2] == random[:, 2]).all()
    longer = np.arange(1, 21, dtype=np.float32).reshape(4, 5)
    assert begun_from(longer, random).shape == (4, 3)
    assert (begun_from(np.zeros_like(longer), random) == random).all()


def test_a_run_begins_from_them_and_is_another_run(tmp_path: Path) -> None:
    vectors = np.zeros((V, 4), np.float32)
    vectors[3] = [1, 2, 3, -1]
    given = replace(reading(), vectors=vectors)
    plain, begun = (CellTraining(text, LSTMConfig(**TINY), 5, Job(tmp_path, checkpoints=tmp_path)) for text in (reading(), given))
    before, after = (numbers(one.network.embedding) for one in (plain, begun))
    assert (np.flatnonzero((before != after).any(axis=1)) == [3]).all()
    assert np.corrcoef(after[3, :4], vectors[3])[0, 1] == pytest.approx(1)
    assert plain._name(5) != begun._name(5)  # a checkpoint of one is none of the other


def test_vectors_of_another_language_are_refused(tokenizer: Tokenizer, tmp_path: Path) -> None:
    (tmp_path / "other.txt").write_text("2 2\nбулка 1 0\nкамень 0 1\n")
    with pytest.raises(ConfigError, match="same language"):
        token_vectors(tmp_path / "other.txt", tokenizer)
    with pytest.raises(SourceError):
        token_vectors(tmp_path / "nowhere.txt", tokenizer)

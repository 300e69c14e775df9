"""word2vec: the loss and its gradient written out, and gensim held to the same steps, draw by draw."""

from __future__ import annotations

from bisect import bisect_left
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_words import read_words
from numpy.typing import NDArray

from rejoinder.errors import ConfigError, ModelError, SourceError
from rejoinder.models.interfaces import silent
from rejoinder.models.word2vec import Word2VecConfig, made_elsewhere, train, write_places
from rejoinder.text.word_arrays import WordArrays

Floats = NDArray[np.float64]
TEXTS = ["the dough is cold and the oven is hot", "hot bread and cold dough", "the engine is cold", "and the bread is hot"] * 3


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def loss(v: Floats, u: Floats, label: Floats) -> float:
    """Nats: v (D,) of the word in the window, u (n, D) of the true word and the drawn ones, label (n,) 1 and 0s."""
    return float(-np.log(sigmoid(np.where(label == 1, 1, -1) * (u @ v))).sum())


def gradient(v: Floats, u: Floats, label: Floats) -> tuple[Floats, Floats]:
    """Of the loss, by v (D,) and u (n, D): d/dx of -ln s(x) is s(x) - 1, of -ln s(-x) it is s(x)."""
    slope = sigmoid(u @ v) - label
    return slope @ u, np.outer(slope, v)


class Draws:
    """The random numbers of word2vec's C code: x <- (25214903917 x + 11) mod 2^48, all but the last 16 bits of x."""

    def __init__(self, state: int) -> None:
        self.state = state

    def next(self) -> int:
        found = self.state >> 16
        self.state = (self.state * 25214903917 + 11) % 2**48
        return found


def reference(arrays: WordArrays, config: Word2VecConfig, seed: int) -> Floats:
    """Skip-gram with negative sampling, one step after the other; no subsampling, all texts in one batch."""
    v = (np.random.default_rng(seed).random((len(arrays.words), config.size), np.float32) * 2 - 1) / config.size
    v = v.astype(np.float64)
    u = np.zeros_like(v)
    share = np.cumsum(arrays.counts**0.75) / np.sum(arrays.counts**0.75)
    table = [round(part * (2**31 - 1)) for part in share]
    seeds = np.random.RandomState(seed)
    for epoch in range(config.epochs):
        rate = config.learning_rate - (config.learning_rate - 1e-4) * epoch / config.epochs
        draws = Draws(2**24 * seeds.randint(0, 2**24) + seeds.randint(0, 2**24))
        narrower = [draws.next() % config.window for _ in arrays.places]
        for start, end in zip(arrays.offsets[:-1], arrays.offsets[1:], strict=True):
            for at in range(start, end):
                width = config.window - narrower[at]
                for near in range(max(at - width, start), min(at + width + 1, end)):
                    if near != at:
                        true, word = arrays.places[at], arrays.places[near]
                        drawn = [bisect_left(table, draws.next() % table[-1]) for _ in range(config.negatives)]
                        step(v, u, word, [true, *(other for other in drawn if other != true)], rate)
    return v


def step(v: Floats, u: Floats, word: int, targets: list[int], rate: float) -> None:
    """One step; a target drawn twice is met a second time where the first meeting left it."""
    back = np.zeros_like(v[word])
    for number, target in enumerate(targets):
        by_v, by_u = gradient(v[word], u[[target]], np.array([float(number == 0)]))
        back += by_v
        u[target] -= rate * by_u[0]
    v[word] -= rate * back


def test_the_gradient_is_the_slope_of_the_loss() -> None:
    rng = np.random.default_rng(4)
    v, u, label = rng.normal(size=5), rng.normal(size=(4, 5)), np.array([1.0, 0, 0, 0])
    by_v, by_u = gradient(v, u, label)
    small = 1e-6
    for at in range(5):
        nudge = small * np.eye(5)[at]
        assert (loss(v + nudge, u, label) - loss(v - nudge, u, label)) / (2 * small) == pytest.approx(by_v[at], abs=1e-6)
        for row in range(4):
            there = np.zeros_like(u)
            there[row, at] = small
            assert (loss(v, u + there, label) - loss(v, u - there, label)) / (2 * small) == pytest.approx(by_u[row, at], abs=1e-6)


@pytest.mark.parametrize("window", [1, 3])
def test_the_vectors_are_those_of_the_reference(window: int, tmp_path: Path) -> None:
    arrays = read_words(TEXTS, 1, 1000)
    config = Word2VecConfig(size=6, window=window, negatives=3, subsample=0.0, epochs=25, learning_rate=0.1, workers=1)
    found, expected = train(arrays, config, 11, tmp_path, silent), reference(arrays, config, 11)
    before = reference(arrays, Word2VecConfig(size=6, epochs=1, learning_rate=1e-4), 11)
    assert np.abs(expected - before).max() > 0.5  # something was learned
    assert np.abs(found - expected).max() < 0.03  # gensim looks the sigmoid up in a table of 1,000 values
    assert not list(tmp_path.iterdir())


def test_with_one_worker_two_fits_are_one(tmp_path: Path) -> None:
    arrays = read_words(TEXTS, 1, 1000)
    config = Word2VecConfig(size=8, subsample=0.01, epochs=3, workers=1)
    one, same, other = (train(arrays, config, seed, tmp_path, silent) for seed in (1, 1, 2))
    assert np.array_equal(one, same) and not np.array_equal(one, other)


def test_texts_are_written_as_lines_of_places(tmp_path: Path) -> None:
    arrays = read_words(["tea and tea", "...", "and milk"], 1, 1000)
    write_places(arrays, tmp_path / "texts")
    assert (tmp_path / "texts").read_text() == "0 1 0\n\n1 2\n"


def test_vectors_made_elsewhere_get_the_counts_of_the_train_part(tmp_path: Path) -> None:
    # tea 3, milk 1 of 5 words are in the file: 80%; in the order of their counts, then of the file
    arrays = read_words(["tea milk tea", "sugar tea"], 1, 1000)
    (tmp_path / "v.txt").write_text("4 2\nsalt 1 2\nmilk 3 4\npepper 5 6\ntea 7 8\n")
    found = made_elsewhere(tmp_path / "v.txt", arrays, 3)
    assert found.words == ["tea", "milk", "salt"] and found.counts.tolist() == [3, 1, 0]
    assert found.vectors.tolist() == [[7, 8], [3, 4], [1, 2]]


def test_vectors_made_elsewhere_must_know_the_words(tmp_path: Path) -> None:
    arrays = read_words(["tea milk tea", "sugar tea"], 1, 1000)
    (tmp_path / "v.txt").write_text("2 2\nTea 1 2\nmilk 3 4\n")
    with pytest.raises(ModelError, match="vectors for 20% of the words"):
        made_elsewhere(tmp_path / "v.txt", arrays, 3)
    (tmp_path / "v.txt").write_text("2 2\ntea 1 2\nmilk 3\n")
    with pytest.raises(SourceError, match="line 3: expected a word and 2 numbers"):
        made_elsewhere(tmp_path / "v.txt", arrays, 3)


@pytest.mark.parametrize(
    ("name", "value"),
    [("size", 0), ("window", 0), ("negatives", 0), ("epochs", 0), ("subsample", 1.0), ("learning_rate", 0.0), ("workers", 0)],
)
def test_settings_out_of_range_are_refused(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=f"word2vec.{name}"):
        Word2VecConfig(**{name: value})

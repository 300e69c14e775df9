"""An index in few bytes: rounded, so that it still sums to one, within a size, and read as it was written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from test_interpolation import histories, model_of, said, trie
from test_kneser_ney import WORDS, arrays

from rejoinder.errors import DamagedModel, ModelError
from rejoinder.models.interpolation import as_index
from rejoinder.models.kneser_ney import KneserNey, KneserNeyConfig
from rejoinder.models.packing import VALUES, load_packed, packed_size, rounded, save_packed, within
from rejoinder.text.counting import count_ngrams
from rejoinder.text.tensors import TokenArrays

MANY = [[word for place in range(5) for word in "abcd"[(place * number) % 4 :][:2]] for number in range(1, 40)]


def test_probabilities_are_few_and_still_sum_to_one() -> None:
    levels = rounded(trie(MANY))
    assert all(len(np.unique(level.log_prob)) <= VALUES for level in levels[1:])
    for history in histories():
        assert said(model_of(levels), history).sum() == pytest.approx(1, abs=1e-5)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    index = as_index(rounded(trie(MANY)))
    save_packed(tmp_path, index)
    for ours, read in zip(index, load_packed(tmp_path, len(index)), strict=True):
        assert np.array_equal(ours.first, read.first) and np.array_equal(ours.token, read.token)
        assert np.array_equal(ours.log_prob, read.log_prob)
        np.testing.assert_allclose(read.backoff, ours.backoff, atol=1e-5)


def test_a_context_that_much_follows_is_read(tmp_path: Path) -> None:
    # after the first of 400 words come 300 others: more than a byte can count
    from rejoinder.models.smoothing import Followers

    first = np.concatenate([[0], np.full(400, 300)]).astype(np.uint32)
    low = np.log(np.full(400, 1 / 400, dtype=np.float32))
    below = Followers(np.array([0, 400], np.uint32), np.arange(400, dtype=np.uint16), low, np.full(400, -1, np.float32))
    above = Followers(first, np.arange(300, dtype=np.uint16), np.full(300, -6, np.float32), np.empty(0, np.float32))
    below.backoff[1:] = 0
    save_packed(tmp_path, [below, above])
    assert load_packed(tmp_path, 2)[1].first.tolist() == first.tolist()


def test_a_size_is_kept_and_the_files_are_of_that_size(tmp_path: Path) -> None:
    levels = trie(MANY)
    for size in (packed_size(levels), packed_size(levels) - 40, packed_size(levels) - 90):
        kept = within(levels, size)
        assert packed_size(kept) <= size
    save_packed(tmp_path, as_index(kept))
    assert sum(np.load(file).nbytes for file in tmp_path.iterdir()) <= packed_size(kept)


def test_a_size_that_the_tokens_alone_exceed_is_refused() -> None:
    with pytest.raises(ModelError, match="and the tokens alone take 2,097; set that much at least"):
        within(trie(MANY), 1_000)  # 7 tokens of 7 bytes, and 2 orders of 256 values


@pytest.mark.parametrize("order", [1, 5])
def test_posts_too_few_for_long_ngrams_are_enough_for_a_model_of_a_size(order: int, tmp_path: Path) -> None:
    config = KneserNeyConfig(order=order, size=10_000)
    counts = count_ngrams(arrays([["a"]]), order, WORDS.vocabulary)  # POST, a, END: no four tokens in a row
    model = KneserNey.from_counts(config, WORDS, counts)
    model.save(tmp_path)
    for one in (model, KneserNey.load(tmp_path)):
        assert np.exp(one.log_probs(one.start(()))).sum() == pytest.approx(1, abs=1e-5)


def test_a_model_of_a_size_is_the_same_when_loaded_and_forgets_nothing(tmp_path: Path) -> None:
    model = KneserNey.pruned(KneserNeyConfig(order=3, size=10_000), WORDS, trie(MANY))
    model.save(tmp_path)
    loaded = KneserNey.load(tmp_path)
    for history in histories():
        np.testing.assert_allclose(said(loaded, history), said(model, history), rtol=1e-4)
    nothing = TokenArrays(np.empty(0, np.uint16), np.zeros(1, np.int64), np.empty(0, np.int64))
    with pytest.raises(ModelError, match="keeps no counts"):
        loaded.changed(nothing, nothing)


def test_arrays_that_do_not_belong_together_are_told(tmp_path: Path) -> None:
    save_packed(tmp_path, as_index(rounded(trie(MANY))))
    np.save(tmp_path / "packed1.backoff.npy", np.zeros((1, 3), np.uint8))
    with pytest.raises(DamagedModel, match="belong together"):
        load_packed(tmp_path, 3)

"""The stack: Keras, ONNX Runtime and NumPy agree; its parts by hand; states are values; what is saved is what runs."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("onnx", reason="making the graphs needs the extra `train`")

from test_lstm_training import TINY, V, reading

from rejoinder.errors import DamagedModel
from rejoinder.models.interfaces import Job
from rejoinder.models.lstm.cell import sigmoid
from rejoinder.models.lstm.config import LSTMConfig
from rejoinder.models.lstm.rung import LSTM
from rejoinder.models.lstm.stack import (
    Attention,
    FeedForward,
    ProjectedLayer,
    StackWeights,
    look_back,
    normed,
    projected_step,
    stack_sequence,
    weights_from,
)
from rejoinder.models.lstm.storage import packed, unpacked
from rejoinder.models.lstm.train import CellTraining
from rejoinder.text.tokenizer import Tokenizer

TEXT = "the dough is cold and the engine stalls at the traffic lights again"
SHAPES: list[dict[str, Any]] = [
    {"layers": 2, "attention": 4, "reach": 6, "feedforward": 9},
    {"layers": 1},
    {"layers": 1, "attention": 4, "reach": 100},
    {"layers": 2, "feedforward": 5},
]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.train([TEXT] * 3, 280)


def make(tokenizer: Tokenizer, **shape: Any) -> LSTM:
    """Random weights, large enough that every gate opens and shuts."""
    config = LSTMConfig(**{"residual": True, "embedding": 6, "hidden": 8, "half": False, "context": 20, **shape})
    rng = np.random.default_rng(5)

    def random(*sizes: int) -> Any:
        return rng.normal(0, 0.5 if len(sizes) == 1 else 1.2 * sizes[0] ** -0.5, sizes).astype(np.float32)

    e, gates, a, wide = config.embedding, 4 * config.hidden, config.attention, config.feedforward
    layers = tuple(
        ProjectedLayer(random(e, gates), random(e, gates), random(config.hidden, e), random(gates)) for _ in range(config.layers)
    )
    head = Attention(random(e, a), random(e, a), random(e, a), random(a, e)) if a else None
    forward = FeedForward(random(e, wide), random(wide, e)) if wide else None
    vectors = rng.normal(0, 0.3, (tokenizer.vocabulary, e)).astype(np.float32)
    weights = StackWeights(vectors, layers, head, forward, random(e, e), random(tokenizer.vocabulary))
    return LSTM.from_weights(config, tokenizer, weights)


def spelled_out(model: LSTM, tokens: list[int]) -> np.ndarray:
    """(T, V) nats after each token, by NumPy."""
    assert isinstance(model.weights, StackWeights)
    _, shown = stack_sequence(model.weights, tokens, model.config.reach)
    logits = (shown @ model.weights.embedding.T + model.weights.bias).astype(np.float64)
    logits[:, [model.tokenizer.post, model.tokenizer.reply]] = -np.inf
    return np.asarray(logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)))


# --- by hand ---------------------------------------------------------------------------------------------------------


def test_rms_norm_by_hand() -> None:
    """(3, 4): the mean of 9 and 16 is 12.5, its root 3.5355; 3 / 3.5355 = 0.8485, 4 / 3.5355 = 1.1314. Zeros stay zeros."""
    np.testing.assert_allclose(normed(np.array([3.0, 4.0])), [0.848528, 1.131371], atol=1e-6)
    np.testing.assert_array_equal(normed(np.zeros(4)), np.zeros(4))


def test_looking_back_by_hand() -> None:
    """Two places, keys 0 and (ln 9, 0); the query (sqrt 2, 0) times ln 9, over sqrt 2, is ln 9: the shares are 1/10 and 9/10."""
    keys = np.array([[0.0, 0.0], [np.log(9), 0.0]])
    found = look_back(np.array([np.sqrt(2), 0.0]), keys, np.array([[10.0, 0.0], [0.0, 10.0]]))
    np.testing.assert_allclose(found, [1.0, 9.0])


def test_a_projected_cell_by_hand() -> None:
    """One unit, weights 0, gates by their biases: i = 3/4, f = 1/2, o = 1/4, g = tanh 1; c' = c/2 + 3/4 tanh 1."""
    bias = np.array([np.log(3), 0, -np.log(3), 1])
    layer = ProjectedLayer(np.zeros((2, 4)), np.zeros((2, 4)), np.array([[2.0, -1.0]]), bias)
    step = projected_step(np.ones(2), np.ones(2), np.array([0.4]), layer)
    np.testing.assert_allclose([step.i[0], step.f[0], step.o[0], step.g[0]], [0.75, 0.5, 0.25, np.tanh(1)])
    np.testing.assert_allclose(step.c, 0.2 + 0.75 * np.tanh(1))
    np.testing.assert_allclose(step.h, 0.25 * np.tanh(step.c))
    assert sigmoid(np.array(0.0)) == 0.5


# --- one arithmetic --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_numpy_one_step_and_a_whole_text_agree(tokenizer: Tokenizer, shape: dict[str, Any]) -> None:
    model = make(tokenizer, **shape)
    tokens = tokenizer.encode(TEXT)
    expected = spelled_out(model, [tokenizer.post, *tokens])
    state, slowly = model.start(()), []
    for token, row in zip([*tokens, tokens[0]], expected, strict=True):
        found = model.log_probs(state)
        assert np.allclose(found, row, rtol=1e-5, atol=1e-5)
        assert abs(np.exp(found.astype(np.float64)).sum() - 1) <= 1e-4
        slowly.append(found[token])
        state = model.advance(state, token)
    assert np.abs(model.score_tokens(model.start(()), tokens) - slowly[:-1]).max() <= 1e-5
    whole = model._decoder.start_after([tokenizer.post, *tokens, tokens[0]])
    assert np.abs(whole.r - state.r).max() <= 1e-5 and np.abs(whole.c - state.c).max() <= 1e-5
    assert np.allclose(model.log_probs(whole), model.log_probs(state), atol=1e-5)


def test_products_in_8_bits_come_near_and_one_text_is_as_among_many(tokenizer: Tokenizer, tmp_path: Path) -> None:
    """Sizes that blocks of 16, 32 and 64 divide; the oracle is the same weights, multiplied whole."""
    shape = {"embedding": 48, "hidden": 64, "layers": 2, "attention": 32, "feedforward": 64, "eight_bits": True}
    near = make(tokenizer, **shape, eight_bit_products=True)
    whole = make(tokenizer, **shape)
    tokens = [tokenizer.post, *tokenizer.encode(TEXT)]
    expected = spelled_out(whole, tokens)
    np.testing.assert_allclose(whole.log_probs(whole._decoder.start_after(tokens)), expected[-1], atol=1e-4)
    near.save(tmp_path)
    for model in (near, LSTM.load(tmp_path)):
        states = [model.start(())]
        for token in tokens[1:]:
            states.append(model.advance(states[-1], token))
        found = model.log_probs_many(states)
        able = np.isfinite(found[0])
        off = (found[:, able] - expected[:, able]).std()
        assert 1e-5 < off < 0.03 * expected[:, able].std()  # it is another arithmetic, and not far off
        assert abs(np.exp(found.astype(np.float64)).sum(axis=1) - 1).max() <= 1e-4
        alone = np.stack([model.log_probs(state) for state in states])
        assert np.abs(found[:, able] - alone[:, able]).max() <= 1e-4
        scored = model.score_tokens(states[0], tokens[1:])
        assert np.abs(scored - found[np.arange(len(tokens) - 1), tokens[1:]]).max() <= 0.1


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_keras_agrees_with_numpy_over_windows_and_passages(shape: dict[str, Any], tmp_path: Path) -> None:
    from rejoinder.models.lstm.network import numbers

    config = LSTMConfig(**{**TINY, "residual": True, **shape})
    network = CellTraining(reading(), config, 5, Job(tmp_path)).network
    rng = np.random.default_rng(1)
    for variable in network.trainable_variables:
        variable.assign(rng.normal(0, 0.5, variable.shape).astype(np.float32))
    network.forget()
    tokens, keep = rng.integers(0, V - 2, (3, 15)).astype(np.int32), np.ones((3, 15), np.float32)
    keep[0, 7] = keep[1, 2] = 0
    shown = [numbers(network({"tokens": tokens[:, t : t + 5], "keep": keep[:, t : t + 5]})) for t in (0, 5, 10)]
    found, weights = np.concatenate(shown, axis=1), network.weights_now()
    for lane, cut in enumerate([7, 2, 10]):
        for first, last in pairwise([0, cut, 15]) if lane < 2 else [(0, 15)]:
            _, expected = stack_sequence(weights, tokens[lane, first:last].tolist(), config.reach)
            np.testing.assert_allclose(found[lane, first:last], expected, atol=1e-5, rtol=1e-5)


def test_the_gradient_spelled_out_is_that_of_the_arithmetic() -> None:
    """TensorFlow's own, through every step of the loop, is the oracle; over passages that begin in between."""
    import tensorflow as tf
    from keras import ops

    from rejoinder.models.lstm.stack_network import projected_cells

    rng = np.random.default_rng(3)
    given = [tf.constant(rng.normal(0, 0.6, shape).astype(np.float32)) for shape in ((5, 3, 32), (6, 32), (8, 6), (3, 6), (3, 8))]
    kept = tf.constant(rng.random((5, 3, 1)) > 0.3, tf.float32)
    wanted = tf.constant(rng.normal(size=(5, 3, 6)).astype(np.float32))

    def gradients(cells: Any) -> list[Any]:
        with tf.GradientTape() as tape:
            tape.watch(given)
            loss = tf.reduce_sum(cells(given[0], kept, *given[1:]) * wanted)
        return list(tape.gradient(loss, given))

    by_hand = gradients(lambda *x: ops.custom_gradient(projected_cells)(*x)[0])
    for found, expected in zip(by_hand, gradients(lambda *x: projected_cells(*x)[0][0]), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5, rtol=1e-5)


def test_many_texts_at_once_are_as_each_alone(tokenizer: Tokenizer) -> None:
    model = make(tokenizer, **SHAPES[0])
    texts = [tokenizer.encode(text) for text in ("the dough", "cold", "the engine stalls at the lights")]
    states = [model._decoder.follow(model.start(()), text)[1] for text in texts]
    after = model.advance_many(states, [1, 2, 3])
    for state, token, row, together in zip(states, (1, 2, 3), model.log_probs_many(after), after, strict=True):
        alone = model.advance(state, token)
        assert np.abs(alone.c - together.c).max() <= 1e-6
        able = np.isfinite(row)
        assert np.abs(model.log_probs(alone)[able] - row[able]).max() <= 1e-5


def test_a_state_stays_as_it_was_and_texts_share_what_they_began_with(tokenizer: Tokenizer) -> None:
    model = make(tokenizer, layers=1, attention=4, reach=128)
    state = model._decoder.start_after([tokenizer.post, *range(100)])
    before, said = state._value(), model.log_probs(state).copy()
    one, other = model.advance(state, 5), model.advance(state, 6)
    assert state._value() == before and np.array_equal(model.log_probs(state), said)
    assert one != other and one == model.advance(state, 5)
    assert one.past.blocks[0][0] is other.past.blocks[0][0] is state.past.blocks[0][0]
    assert one.past.newest is not None and other.past.newest is not None and one.past.newest.before is other.past.newest.before


@pytest.mark.parametrize("kept", [{"half": False}, {"half": True}, {"eight_bits": True}], ids=str)
def test_what_is_saved_is_what_runs(tokenizer: Tokenizer, tmp_path: Path, kept: dict[str, bool]) -> None:
    model = make(tokenizer, **kept, **SHAPES[0])
    model.save(tmp_path)
    loaded = LSTM.load(tmp_path)
    tokens = tokenizer.encode(TEXT)
    np.testing.assert_array_equal(loaded.score_tokens(loaded.start(()), tokens), model.score_tokens(model.start(()), tokens))
    assert len(loaded.look(tokens)) == len(tokens)


def test_arrays_that_do_not_belong_together_are_named(tokenizer: Tokenizer) -> None:
    arrays = make(tokenizer, **SHAPES[0]).weights.arrays()
    with pytest.raises(DamagedModel, match=r"'attention.value' is missing"):
        weights_from({name: array for name, array in arrays.items() if name != "attention.value"})
    with pytest.raises(DamagedModel, match=r"feedforward.narrow is \(3, 6\), not \(9, 6\)"):
        weights_from({**arrays, "feedforward.narrow": arrays["feedforward.narrow"][:3]})


def test_matrices_in_8_bits_by_hand() -> None:
    """A column that reaches 127 has the scale 1 and keeps whole numbers; 63.4 becomes 63; the vectors go by rows."""
    named = {"layer0.input": np.array([[127.0, 254.0], [63.4, -1.0]], np.float32), "bias": np.array([0.5], np.float32)}
    arrays = packed(named)
    assert arrays["layer0.input"].tolist() == [[127, 127], [63, 0]] and arrays["layer0.input.scale"].tolist() == [1, 2]
    assert unpacked(arrays)["layer0.input"].tolist() == [[127, 254], [63, 0]] and unpacked(arrays)["bias"].tolist() == [0.5]
    by_row = packed({"embedding": named["layer0.input"]})
    assert by_row["embedding"].tolist()[0] == [64, 127] and by_row["embedding.scale"].shape == (2,)


@given(st.integers(0, 2**32 - 1))
def test_packing_what_was_unpacked_changes_nothing_and_no_weight_moves_by_more_than_half_a_step(seed: int) -> None:
    rng = np.random.default_rng(seed)
    array = rng.normal(0, 10.0 ** rng.integers(-6, 3), (5, 7)).astype(np.float32)
    array[:, 2] = 0
    once = packed({"projection": array})
    back = unpacked(once)
    again = packed(back)
    assert all(np.array_equal(once[name], again[name]) for name in once)
    assert (np.abs(back["projection"] - array) <= 0.501 * once["projection.scale"]).all()


def test_scales_that_do_not_fit_are_named() -> None:
    arrays = packed({"embedding": np.ones((3, 2), np.float32)})
    with pytest.raises(DamagedModel, match="embedding has no scale"):
        unpacked({"embedding": arrays["embedding"]})
    with pytest.raises(DamagedModel, match=r"embedding is \(3, 2\) and its scale \(2,\)"):
        unpacked({**arrays, "embedding.scale": np.ones(2, np.float32)})

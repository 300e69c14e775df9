"""Running a trained memory cell: NumPy, one step at a time and whole texts agree; what is saved is what runs; damage is named."""

from __future__ import annotations

import copy
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx", reason="making the graphs needs the extra `train`")

from rejoinder.errors import DamagedModel, MissingExtra
from rejoinder.models.directory import save_config
from rejoinder.models.lstm import cell
from rejoinder.models.lstm.cell import CellWeights, Layer
from rejoinder.models.lstm.config import LSTMConfig
from rejoinder.models.lstm.rung import LSTM
from rejoinder.models.lstm.runtime import WEIGHTS_FILE, load_weights
from rejoinder.post import Kind, Post
from rejoinder.text.tensors import TOKENIZER_FILE, context_tokens
from rejoinder.text.tokenizer import Tokenizer

TEXT = "the dough is cold and the engine stalls at the traffic lights again"
QUESTION = Post(1, Kind.STORY, "cold dough")
QUOTE = Post(2, Kind.COMMENT, "> cold dough", parent=1)  # nothing of its own
ANSWER = Post(3, Kind.COMMENT, "let it rest", parent=2)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.train([TEXT] * 3, 280)


def make_weights(tokenizer: Tokenizer, size: int = 6, hidden: int = 7, layers: int = 1, *, projected: bool = True) -> CellWeights:
    """Random weights, large enough that every gate opens and shuts."""
    rng = np.random.default_rng(5)

    def random(*shape: int) -> Any:
        return rng.normal(0, 0.7, shape).astype(np.float32)

    stack = [
        Layer(random(hidden if n else size, 4 * hidden), random(hidden, 4 * hidden), random(4 * hidden)) for n in range(layers)
    ]
    return CellWeights(
        random(tokenizer.vocabulary, size),
        tuple(stack),
        random(hidden, size) if projected else None,
        random(tokenizer.vocabulary),
    )


def make(tokenizer: Tokenizer, *, half: bool = False, **shape: Any) -> LSTM:
    return LSTM.from_weights(LSTMConfig(half=half, context=20), tokenizer, make_weights(tokenizer, **shape))


@pytest.fixture(scope="module")
def model(tokenizer: Tokenizer) -> LSTM:
    return make(tokenizer, layers=2)


@pytest.fixture
def saved(model: LSTM, tmp_path: Path) -> Path:
    model.save(tmp_path / "saved")
    return tmp_path / "saved"


def read_on(model: LSTM, tokens: list[int]) -> list[Any]:
    """The state after the beginning of a post, and after each token."""
    states = [model.start(())]
    for token in tokens:
        states.append(model.advance(states[-1], token))
    return states


SHAPES = [
    {"layers": 1},
    {"layers": 2},
    {"layers": 3, "hidden": 33, "size": 20},
    {"layers": 1, "size": 7, "projected": False},
    {"layers": 2, "size": 16, "hidden": 16, "projected": False},
]


# --- one arithmetic --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_numpy_one_step_and_a_whole_text_agree(tokenizer: Tokenizer, shape: dict[str, Any]) -> None:
    model = make(tokenizer, **shape)
    tokens = tokenizer.encode(TEXT)
    states = read_on(model, tokens)
    never = (tokenizer.post, tokenizer.reply)
    steps = model.look([tokenizer.post, *tokens])
    for state, layers in zip(states, steps, strict=True):
        assert np.abs(state.h - np.stack([step.h for step in layers])).max() <= 1e-5
        assert np.abs(state.c - np.stack([step.c for step in layers])).max() <= 1e-5
        expected = cell.log_probs(model.weights, layers[-1].h, never)
        found = model.log_probs(state)
        assert found.dtype == np.float32 and np.flatnonzero(np.isneginf(found)).tolist() == sorted(never)
        assert np.allclose(np.delete(found, never), np.delete(expected, never), rtol=1e-5, atol=1e-5)
        assert abs(np.exp(found.astype(np.float64)).sum() - 1) <= 1e-4
    slowly = [model.log_probs(state)[token] for state, token in zip(states, tokens, strict=False)]
    assert np.abs(model.score_tokens(states[0], tokens) - slowly).max() <= 1e-5
    assert np.abs(model.start((Post(1, Kind.STORY, ""),)).h - model._decoder.start_after([tokenizer.reply]).h).max() == 0


def test_the_gates_are_told_apart(tokenizer: Tokenizer) -> None:
    """One unit, all weights 0, so every gate is its bias: i = s(ln 3) = 3/4, f = s(0) = 1/2, g = tanh(1), o = s(-ln 3) = 1/4."""
    bias = np.array([np.log(3), 0, 1, -np.log(3)], np.float32)
    nothing = np.zeros((1, 4), np.float32)
    letters = np.zeros((tokenizer.vocabulary, 1), np.float32)
    weights = CellWeights(letters, (Layer(nothing, nothing, bias),), None, letters[:, 0])
    model = LSTM.from_weights(LSTMConfig(half=False), tokenizer, weights)
    state = model.start(())
    assert state.c[0, 0] == pytest.approx(0.75 * np.tanh(1), abs=1e-6)
    assert state.h[0, 0] == pytest.approx(0.25 * np.tanh(0.75 * np.tanh(1)), abs=1e-6)
    assert model.advance(state, 0).c[0, 0] == pytest.approx((0.5 * 0.75 + 0.75) * np.tanh(1), abs=1e-6)
    probs = np.exp(model.log_probs(state))  # nothing tells the tokens apart, but two can never come
    assert np.allclose(np.delete(probs, [tokenizer.post, tokenizer.reply]), 1 / (tokenizer.vocabulary - 2))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("many", [1, 2, 5, 9, 17])
def test_many_at_once_are_the_same_to_the_bit(tokenizer: Tokenizer, shape: dict[str, Any], many: int) -> None:
    model = make(tokenizer, **shape)
    states = read_on(model, tokenizer.encode(TEXT))[:many]
    tokens = [(11 * number) % tokenizer.size for number in range(len(states))]
    fresh = copy.deepcopy(states)
    assert np.array_equal(model.log_probs_many(states), np.stack([model.log_probs(state) for state in fresh]))
    assert model.advance_many(states, tokens) == [
        model.advance(state, token) for state, token in zip(states, tokens, strict=True)
    ]


def test_a_long_text_is_scored_in_pieces_as_if_at_once(
    model: LSTM, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = [*tokenizer.encode(TEXT), tokenizer.end] * 3
    state = model.start((QUESTION,))
    whole = model.score_tokens(state, tokens)
    assert len(whole) == len(tokens) and np.isfinite(whole).all()
    monkeypatch.setattr("rejoinder.models.lstm.runtime.AT_ONCE", 4)
    assert np.allclose(model.score_tokens(state, tokens), whole, atol=1e-6)
    assert model.score_tokens(state, []).shape == (0,)
    assert np.isneginf(model.score_tokens(state, [tokenizer.post])).all()


# --- the state is a value --------------------------------------------------------------------------------------------


def test_equal_memories_are_equal_and_nothing_can_change_them(model: LSTM, tokenizer: Tokenizer) -> None:
    one, other = (read_on(model, tokenizer.encode("the dough"))[-1] for _ in range(2))
    assert one == other == copy.deepcopy(one) and hash(one) == hash(other) and one is not other
    assert one != model.advance(one, 0) and one != model.start(()) and one != "the dough"
    for array in (one.h, one.c, model.log_probs(one)):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
    with pytest.raises(AttributeError):
        one.h = other.h  # type: ignore[misc]


def test_asking_again_gives_what_was_said_and_leaves_the_value(model: LSTM) -> None:
    state, other = model.start(()), model.start(())
    said = model.log_probs(state)
    assert model.log_probs(state) is said
    assert state == other and hash(state) == hash(other) and repr(state) == repr(other)
    assert np.array_equal(model.log_probs_many([other, state, other]), np.stack([said] * 3))


# --- what is read before the first word ------------------------------------------------------------------------------


def test_a_context_is_read_from_the_root_to_what_is_answered(tokenizer: Tokenizer) -> None:
    post, reply, end = tokenizer.post, tokenizer.reply, tokenizer.end
    question, answer = tokenizer.encode(QUESTION.text), tokenizer.encode(ANSWER.text)
    whole = [post, *question, end, reply, *answer, end, reply]  # QUOTE says nothing of its own
    context = (QUESTION, QUOTE, ANSWER)
    assert context_tokens(context, tokenizer, 1000) == whole
    for limit in range(len(whole)):
        assert context_tokens(context, tokenizer, limit) == whole[len(whole) - 1 - limit :]
    assert context_tokens((), tokenizer, 1000) == [post]
    assert context_tokens((QUOTE,), tokenizer, 1000) == [reply]


def test_a_context_is_remembered_as_far_as_the_settings_say(model: LSTM, tokenizer: Tokenizer) -> None:
    assert model.start((QUESTION, ANSWER)) == model._decoder.start_after(context_tokens((QUESTION, ANSWER), tokenizer, 20))
    assert model.start((QUESTION, ANSWER)) != model.start((ANSWER,)) != model.start(())


# --- on disk ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("half", [False, True])
def test_what_is_saved_is_what_runs(tokenizer: Tokenizer, tmp_path: Path, half: bool) -> None:
    model = make(tokenizer, half=half, layers=2)
    model.save(tmp_path / "one")
    loaded = LSTM.load(tmp_path / "one", {})
    loaded.save(tmp_path / "two")
    tokens = tokenizer.encode(TEXT)
    assert loaded.config == model.config
    assert np.array_equal(loaded.score_tokens(loaded.start(()), tokens), model.score_tokens(model.start(()), tokens))
    for file in sorted((tmp_path / "one").iterdir()):
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes(), file.name
    kinds = {array.dtype for array in load_weights(tmp_path / "one").values()}
    assert kinds == {np.dtype(np.float16 if half else np.float32)}


def test_the_weights_lie_there_once_and_in_half_the_bytes(tokenizer: Tokenizer, tmp_path: Path) -> None:
    model = make(tokenizer, half=True, size=64, hidden=64, layers=2)
    model.save(tmp_path)
    numbers = sum(array.size for array in model.weights.arrays().values())
    assert 2 * numbers < (tmp_path / WEIGHTS_FILE).stat().st_size < 2 * numbers + 2000
    assert sum(file.stat().st_size for file in tmp_path.glob("*.onnx")) < 4000


def test_neither_tensorflow_nor_keras_nor_onnx_is_needed_to_run(saved: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from rejoinder.models.lstm.rung import LSTM\n"
        "assert not {'onnxruntime', 'safetensors'} & set(sys.modules), 'imported before it was needed'\n"
        f"model = LSTM.load(Path({str(saved)!r}), {{}}); model.top(model.advance(model.start(()), 3), 3)\n"
        "model.save(Path(sys.argv[1]))\n"
        "assert not {'tensorflow', 'keras', 'jax', 'torch', 'onnx'} & set(sys.modules)"
    )
    again = saved.parent / "again"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code, str(again)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_without_onnx_the_extra_is_named(tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingExtra, match="needs the extra `train`: "):
        make(tokenizer)


def _cut(name: str) -> Callable[[Path, Tokenizer], None]:
    def damage(directory: Path, _: Tokenizer) -> None:
        file = directory / name
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])

    return damage


def _remove(name: str) -> Callable[[Path, Tokenizer], None]:
    return lambda directory, _: (directory / name).unlink()


def _from_another(name: str, **shape: Any) -> Callable[[Path, Tokenizer], None]:
    def damage(directory: Path, tokenizer: Tokenizer) -> None:
        make(tokenizer, **shape).save(directory / "other")
        shutil.move(directory / "other" / name, directory / name)

    return damage


def _without_a_bias(directory: Path, _: Tokenizer) -> None:
    from safetensors.numpy import load_file, save_file

    arrays = load_file(directory / WEIGHTS_FILE)
    del arrays["layer1.bias"]
    save_file(arrays, directory / WEIGHTS_FILE)


def _another_kind(directory: Path, _: Tokenizer) -> None:
    from safetensors.numpy import load_file, save_file

    save_file({k: v.astype(np.float64) for k, v in load_file(directory / WEIGHTS_FILE).items()}, directory / WEIGHTS_FILE)


def _another_rung(directory: Path, _: Tokenizer) -> None:
    save_config(directory, "markov", LSTMConfig())


def _another_tokenizer(directory: Path, _: Tokenizer) -> None:
    Tokenizer.train([TEXT], 256).save(directory / TOKENIZER_FILE)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (_cut(WEIGHTS_FILE), "missing or damaged"),
        (_remove(WEIGHTS_FILE), "missing or damaged"),
        (_without_a_bias, "layer1.bias"),
        (_another_kind, "float64"),
        (_cut("memory.onnx"), "memory.onnx"),
        (_cut("output.onnx"), "output.onnx"),
        (_remove("memory.onnx"), "memory.onnx"),
        (_remove("output.onnx"), "output.onnx"),
        (_from_another("memory.onnx", layers=1), "memory.onnx does not fit"),
        (_from_another("memory.onnx", layers=3), "memory.onnx does not fit"),
        (_from_another("memory.onnx", layers=2, hidden=8), "memory.onnx does not fit"),
        (_from_another("output.onnx", layers=2, size=5), "output.onnx does not fit"),
        (_from_another(WEIGHTS_FILE, layers=2, hidden=9), "does not fit"),
        (_another_rung, "holds no `lstm`"),
        (_another_tokenizer, "the tokenizer has 259"),
        (_remove(TOKENIZER_FILE), "tokenizer"),
    ],
)
def test_a_damaged_directory_is_named_in_one_line(
    saved: Path, tokenizer: Tokenizer, damage: Callable[[Path, Tokenizer], None], said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    damage(saved, tokenizer)
    with pytest.raises(DamagedModel, match=said) as caught:
        LSTM.load(saved, {})
    message = str(caught.value)
    assert "\n" not in message and str(saved) in message and "fit " in message and len(message) < 600
    assert capfd.readouterr() == ("", "")

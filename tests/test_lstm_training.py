"""Training the memory cell: the network against its NumPy reference, and runs that are stopped in every way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rejoinder.errors import ConfigError, ModelError
from rejoinder.models.interfaces import Job
from rejoinder.models.lstm.cell import log_probs, sequence
from rejoinder.models.lstm.checkpoint import Checkpoint, Checkpoints
from rejoinder.models.lstm.config import LSTMConfig
from rejoinder.models.lstm.schedule import rate_at
from rejoinder.models.lstm.train import CellTraining, Reading
from rejoinder.text.streams import Stream

V = 23
TINY: dict[str, Any] = {
    "embedding": 6, "hidden": 8, "batch": 3, "steps": 5, "mixed": False, "epochs": 1, "least_steps": 1,
    "input_dropout": 0.0, "output_dropout": 0.0, "drawn": 0, "learning_rate": 0.02, "warmup": 5,
}  # fmt: skip


def reading(seed: int = 0, tokens: int = 900) -> Reading:
    """A text whose next token depends on the last, with a little chance; the last two tokens never come."""
    rng = np.random.default_rng(seed)
    row = [0]
    while len(row) < tokens:
        row.append((3 * row[-1] + 1 + int(rng.random() < 0.2)) % (V - 2))
    offsets = np.arange(0, tokens + 1, 30)
    text = Stream(np.array(row, np.uint16), np.ones(tokens, dtype=bool), offsets)
    return Reading(text, Stream(text.tokens[:300], text.scored[:300], offsets[:11]), np.ones(V, np.int64), (V - 2, V - 1))


def run(directory: Path, **settings: Any) -> CellTraining:
    return CellTraining(reading(), LSTMConfig(**{**TINY, **settings}), 5, Job(directory, checkpoints=directory))


# --- the network against the reference -------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [{}, {"layers": 2}, {"embedding": 8}, {"layers": 3, "embedding": 8}], ids=str)
def test_keras_agrees_with_numpy_and_empties_the_memory_where_a_passage_begins(sizes: dict[str, int], tmp_path: Path) -> None:
    from rejoinder.models.lstm.network import numbers

    network = run(tmp_path, **sizes).network
    network.forget()
    rng = np.random.default_rng(1)
    tokens = rng.integers(0, V - 2, (3, 10)).astype(np.int32)
    keep = np.ones((3, 10), np.float32)
    keep[0, 7] = keep[1, 2] = 0
    shown = [network({"tokens": tokens[:, t : t + 5], "keep": keep[:, t : t + 5]}) for t in (0, 5)]  # two windows
    logits = np.concatenate([numbers(network.logits(x.numpy().reshape(15, -1))).reshape(3, 5, V) for x in shown], axis=1)
    weights = network.weights_now()
    for lane, cut in enumerate([7, 2, 10]):
        for first, last in pairwise([0, cut, 10]):
            steps = list(sequence(weights, tokens[lane, first:last].tolist()))
            for t, layers in enumerate(steps, start=first):
                expected = log_probs(weights, layers[-1].h, (V - 2, V - 1))[: V - 2]
                found = logits[lane, t, : V - 2] - np.log(np.exp(logits[lane, t].astype(np.float64)).sum())
                np.testing.assert_allclose(found, expected, atol=1e-5, rtol=1e-5)


def test_weights_go_out_and_come_back(tmp_path: Path) -> None:
    one, other = run(tmp_path, layers=2), CellTraining(reading(), LSTMConfig(**TINY, layers=2), 6, Job(tmp_path))
    before = one.network.weights_now().arrays()
    assert not np.array_equal(before["embedding"], other.network.weights_now().arrays()["embedding"])
    other.network.set_weights_to(one.network.weights_now())
    for name, array in other.network.weights_now().arrays().items():
        np.testing.assert_array_equal(array, before[name])


def test_the_estimated_sum_comes_near_the_whole_one_as_more_is_drawn(tmp_path: Path) -> None:
    from rejoinder.models.lstm.network import numbers

    rng = np.random.default_rng(2)
    shown, targets = rng.normal(0, 2, (40, 6)).astype(np.float32), rng.integers(0, V - 2, 40).astype(np.int32)
    apart = []
    for drawn in (2, 2000):
        network = run(tmp_path, frequent=5, drawn=drawn).network
        embedding = np.random.default_rng(3).normal(0, 1, (V, 6)).astype(np.float32)
        network.embedding.assign(embedding)
        logits = (shown @ embedding.T)[:, : V - 2].astype(np.float64)
        whole = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(40), targets]
        apart.append(np.abs(numbers(network._estimated(shown, targets)) - whole).mean())
    assert apart[1] < 0.05 < apart[0]


def test_what_can_never_come_is_never_learned_and_what_follows_is(tmp_path: Path) -> None:
    trained = run(tmp_path, least_steps=400, learning_rate=0.05)
    before = trained.dev_bits_per_byte()
    trained.finish()
    assert trained.dev_bits_per_byte() < 0.5 * before  # the chance in the text is 0.72 bits a token
    assert trained.best is not None and trained.best[0] <= trained.dev_bits_per_byte() + 1e-6


def test_measuring_dev_does_not_disturb_the_memory_of_training(tmp_path: Path) -> None:
    trained = run(tmp_path)
    trained._step()
    before = trained.network.remembered()
    assert any(array.any() for array in before)
    trained.dev_bits_per_byte()
    after = trained.network.remembered()
    assert [array.tobytes() for array in before] == [array.tobytes() for array in after]


def test_without_a_dev_part_the_last_weights_are_kept(tmp_path: Path) -> None:
    text = reading()
    trained = CellTraining(Reading(text.train, None, text.bytes, text.never), LSTMConfig(**TINY), 5, Job(tmp_path))
    weights = trained.finish()[0]
    assert trained.best is None and np.array_equal(weights.embedding, trained.network.weights_now().embedding)


def test_training_stops_when_dev_has_not_become_better_for_a_while(tmp_path: Path) -> None:
    trained = run(tmp_path, least_steps=2000, learning_rate=0.3, warmup=0, patience=2)
    trained.finish()
    assert trained.best is not None
    assert trained.step == trained.best[1] + 2 * trained.every < trained.total


def test_figures_are_written_for_tensorboard_when_asked(tmp_path: Path) -> None:
    CellTraining(reading(), LSTMConfig(**TINY), 5, Job(tmp_path, logs=tmp_path / "logs")).finish()
    assert list((tmp_path / "logs").glob("events.out.tfevents.*"))


# --- stopped runs ----------------------------------------------------------------------------------------------------

SCRIPT = """
import json, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_lstm_training import TINY, reading
from rejoinder.models.interfaces import Job
from rejoinder.models.lstm.config import LSTMConfig
from rejoinder.models.lstm.train import CellTraining
from rejoinder.models.lstm.runtime import save_weights
settings, directory = json.loads(sys.argv[2]), Path(sys.argv[3])
def progress(what, done, of):
    print(done, flush=True)
run = CellTraining(reading(), LSTMConfig(**{**TINY, **settings}), 5, Job(directory, progress, checkpoints=directory))
print("from", run.step, flush=True)
save_weights(directory / "done", run.finish()[0].arrays(), {})
"""


def start(directory: Path, **settings: Any) -> subprocess.Popen[str]:
    """A training run in a process of its own, that prints its steps."""
    command = [sys.executable, "-c", SCRIPT, str(Path(__file__).parent), json.dumps(settings), str(directory)]
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def steps(process: subprocess.Popen[str]) -> Iterator[int]:
    assert process.stdout is not None
    for line in process.stdout:
        if line.strip().isdecimal():
            yield int(line)


def trained(directory: Path, **settings: Any) -> tuple[bytes, str]:
    """The weights of a run that goes to its end, and what it printed."""
    process = start(directory, **settings)
    said, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors[-2000:]
    return (directory / "done" / "weights.safetensors").read_bytes(), said


# dropout and the estimated softmax too, so that the state of the chance is part of what must come back
HARD = {
    "deterministic": True, "least_steps": 60, "input_dropout": 0.2, "output_dropout": 0.2, "weight_drop": 0.1, "drawn": 4,
    "frequent": 6, "whole": 0.3, "checkpoint_minutes": 1e-6,
}  # fmt: skip


STACK = {"residual": True, "attention": 4, "reach": 7, "feedforward": 8, "muon": True, "average": 0.9}


@pytest.mark.parametrize(
    ("number", "settings"), [(signal.SIGKILL, HARD), (signal.SIGTERM, HARD), (signal.SIGTERM, {**HARD, **STACK})], ids=str
)
def test_a_run_stopped_at_any_step_and_resumed_ends_with_the_very_weights_of_one_never_stopped(
    number: signal.Signals, settings: dict[str, Any], tmp_path: Path
) -> None:
    straight, _ = trained(tmp_path / "straight", **settings)
    for stop in (17, 45):  # with the estimated sum, and (from 42 on) with the whole one
        process = start(tmp_path / "stopped", **settings)
        for step in steps(process):
            if step >= stop:
                process.send_signal(number)
                break
        _, errors = process.communicate(timeout=60)
        assert process.returncode != 0
        if number == signal.SIGTERM:
            assert "training stopped at step" in errors and "run the same command again" in errors
    resumed, said = trained(tmp_path / "stopped", **settings)
    assert int(said.split()[1]) >= 44  # a step is printed before it is kept
    assert resumed == straight


def test_a_run_without_an_end_goes_on_until_it_is_told_to_end_and_then_reads_what_it_is_told(tmp_path: Path) -> None:
    """The rate stays; told to end over 8 steps, it falls in a line; gone on from after 3 of them, it ends where it was told."""
    open_ended = {"schedule": "constant", "least_steps": 100, "warmup": 4, "patience": 0}
    text, job = reading(), Job(tmp_path, checkpoints=tmp_path)
    once, twice, other = (
        Reading(replace(train, times=np.full(30, times)), text.dev, text.bytes, text.never)
        for train, times in ((text.train, 1.0), (text.train, 2.0), (reading(1).train, 2.0))
    )
    first = CellTraining(once, LSTMConfig(**{**TINY, **open_ended}), 5, job)
    for _ in range(7):
        first._step()
        first.step += 1
    first._save()
    assert first.total == 100 and float(first.network.optimizer.learning_rate.numpy()) == pytest.approx(TINY["learning_rate"])
    ending = CellTraining(twice, LSTMConfig(**{**TINY, **open_ended, "ending": 8}), 5, job)
    assert (ending.step, ending.began, ending.total) == (7, 7, 15)
    rates = []
    for _ in range(3):
        ending._step()
        ending.step += 1
        rates.append(float(ending.network.optimizer.learning_rate.numpy()) / TINY["learning_rate"])
    assert rates == pytest.approx([8 / 8, 7 / 8, 6 / 8])
    ending._save()
    again = CellTraining(twice, LSTMConfig(**{**TINY, **open_ended, "ending": 8}), 5, job)
    assert (again.step, again.began, again.total) == (10, 7, 15)
    elsewhere = CellTraining(other, LSTMConfig(**{**TINY, **open_ended, "ending": 8}), 5, job)
    assert (elsewhere.step, elsewhere.began, elsewhere.total) == (10, 10, 15)
    again.finish()
    assert again.step == 15


def test_the_rate_rises_and_falls() -> None:
    """Warm-up over 4 steps; a cosine over the 8 after them is 1 at first, 1/2 halfway, 0 at the end."""
    config = LSTMConfig(learning_rate=1.0, warmup=4)
    assert [rate_at(step, 12, config) for step in (0, 2, 4, 8, 12)] == pytest.approx([0, 0.5, 1, 0.5, 0])


def test_the_average_of_the_weights_is_measured_beside_them(tmp_path: Path) -> None:
    """By hand: a' = 0.5 a + 0.5 w after each step but the first, where a' = w."""
    averaging = run(tmp_path, average=0.5, layers=1)
    expected = None
    for _ in range(4):
        averaging._step()
        averaging.step += 1
        now = averaging.network.weights_now().embedding
        expected = now if expected is None else 0.5 * expected + 0.5 * now
    figures = averaging._measure()
    averaged = figures["dev bits per byte, averaged"]
    assert averaging.best is not None and averaging.best[0] == min(figures.values()) != max(figures.values())
    with averaging._averaged():
        assert averaging.dev_bits_per_byte() == pytest.approx(averaged)
        assert expected is not None
        np.testing.assert_allclose(averaging.network.weights_now().embedding, expected, atol=1e-6)
    np.testing.assert_array_equal(averaging.network.weights_now().embedding, now)


@pytest.mark.parametrize("muon", [False, True])
def test_a_stack_learns_what_follows(tmp_path: Path, muon: bool) -> None:
    settings: dict[str, Any] = {"residual": True, "attention": 4, "feedforward": 8, "muon": muon}
    trained = run(tmp_path, least_steps=300, learning_rate=0.03, **settings)
    trained.finish()
    assert trained.best is not None and trained.best[0] < 1.2  # the chance in the text is 0.72 bits a token; at first it is 4.4


def test_a_run_with_other_settings_begins_anew(tmp_path: Path) -> None:
    first = run(tmp_path)
    first._step()
    first.step = 1
    first._save()
    assert run(tmp_path).step == 1
    assert run(tmp_path, learning_rate=0.01).step == 0
    assert CellTraining(reading(1), LSTMConfig(**TINY), 5, Job(tmp_path, checkpoints=tmp_path)).step == 0


def test_a_run_leaves_the_checkpoints_of_others_and_says_that_they_are_there(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = run(tmp_path)
    assert not caplog.messages
    first.step = 7
    first._save()
    other = run(tmp_path, learning_rate=0.01)
    (said,) = caplog.messages
    assert str(first.checkpoints.file) in said and "other settings" in said and "begins anew" in said
    _, training = other.finish()
    assert training.spent == (other.checkpoints.file,) and other.checkpoints.file.is_file()
    caplog.clear()
    assert run(tmp_path).step == 7  # as if the other had never been
    assert not caplog.messages


def test_a_checkpoint_by_another_name_is_gone_on_from(tmp_path: Path) -> None:
    Checkpoints(tmp_path, "run").write(Checkpoint({"a": np.arange(3)}, {"step": 1}))
    (tmp_path / "run.safetensors").rename(tmp_path / "latest.safetensors")
    Checkpoints(tmp_path, "another").write(Checkpoint({"a": np.arange(4)}, {"step": 2}))
    found = Checkpoints(tmp_path, "run").read()
    assert found is not None and found.facts == {"step": 1}


def test_the_seconds_of_a_run_hold_every_look_at_dev(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that only looking moves, 10 seconds a look: two looks, the last one after the last step."""
    clock = [0.0]

    def look(self: CellTraining) -> dict[str, float]:
        clock[0] += 10
        return {"dev bits per byte": 1.0}

    monkeypatch.setattr("rejoinder.models.lstm.train.monotonic", lambda: clock[0])
    monkeypatch.setattr(CellTraining, "_step", lambda self: 1.0)
    monkeypatch.setattr(CellTraining, "_measure", look)
    ended = run(tmp_path, epochs=2)
    ended.finish()
    assert ended.seconds == 10.0 * ended.total / ended.every == 20.0


def test_a_damaged_checkpoint_is_no_checkpoint(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    first = run(tmp_path)
    first.step = 1
    first._save()
    (file,) = tmp_path.glob("*.safetensors")
    file.write_bytes(file.read_bytes()[:-10])
    assert run(tmp_path).step == 0
    assert "cannot be read" in caplog.messages[0]


def test_a_loss_that_is_no_number_stops_the_run_and_keeps_the_last_checkpoint(tmp_path: Path) -> None:
    first = run(tmp_path, least_steps=50)
    for _ in range(3):
        first._step()
        first.step += 1
    first._save()
    (file,) = tmp_path.glob("*.safetensors")
    kept = file.read_bytes()
    bad = first.network.weights_now().embedding
    bad[0] = np.nan
    first.network.embedding.assign(bad)
    with pytest.raises(ModelError, match=r"the loss became nan at step 4; the checkpoint before it is kept in .*learning_rate"):
        first.finish()
    assert file.read_bytes() == kept


def test_weights_that_are_no_numbers_are_neither_kept_nor_returned(tmp_path: Path) -> None:
    """An update may bring them in after a loss that was a number."""
    first = run(tmp_path, least_steps=50)
    first._save()
    (file,) = tmp_path.glob("*.safetensors")
    kept = file.read_bytes()
    bad = first.network.weights_now().embedding
    bad[0] = np.nan
    first.network.embedding.assign(bad)
    for keep in (first._save, first._measure, first.finish):
        with pytest.raises(ModelError, match=r"became (no number|nan)"):
            keep()
    assert file.read_bytes() == kept


def test_a_full_disk_keeps_the_last_checkpoint(tmp_path: Path) -> None:
    """The system itself refuses to write more: a process may write files of 100 kB at most."""
    Checkpoints(tmp_path, "run").write(Checkpoint({"a": np.arange(10)}, {"step": 1}))
    script = f"""
import resource, signal
import numpy as np
from pathlib import Path
from rejoinder.models.lstm.checkpoint import Checkpoint, Checkpoints
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
Checkpoints(Path({str(tmp_path)!r}), "run").write(Checkpoint({{"a": np.zeros(10**6)}}))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "the last one is kept; make room and run the same command again" in done.stderr
    found = Checkpoints(tmp_path, "run").read()
    assert found is not None and found.facts == {"step": 1} and found.arrays["a"].tolist() == list(range(10))
    assert [file.name for file in tmp_path.iterdir()] == ["run.safetensors"]  # nothing half-written lies about


# --- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [("hidden", 0), ("hidden", 10**9), ("layers", 0), ("batch", -1), ("input_dropout", 1.0), ("learning_rate", 0.0),
     ("clip", -1.0), ("least_steps", -1), ("epochs", 0), ("whole", 1.0), ("learning_rate", float("nan"))],
)  # fmt: skip
def test_impossible_settings_are_refused(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=f"`lstm.{name}`"):
        LSTMConfig(**{name: value})


def test_sizes_that_are_possible_alone_and_not_together_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"make 2,147,483,648 weights, more than"):
        LSTMConfig(hidden=2**14, embedding=2**14)


def test_without_keras_the_extra_is_named() -> None:
    code = """
import sys
sys.modules["keras"] = None
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_lstm_training import run
run(Path("."))
"""
    done = subprocess.run([sys.executable, "-c", code, str(Path(__file__).parent)], capture_output=True, text=True, check=False)
    assert "MissingExtra: training the rung `lstm` needs the extra `train`: " in done.stderr


def test_a_second_is_not_lost_over_stop_signals_outside_the_main_thread(tmp_path: Path) -> None:
    from threading import Thread

    done: list[float] = []
    thread = Thread(target=lambda: (run(tmp_path).finish(), done.append(time.monotonic())))
    thread.start()
    thread.join(120)
    assert done


def test_products_are_in_the_kind_that_is_faster_here_unless_one_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And in float32 where runs are to be equal; what was begun in one kind goes on in the other."""
    from rejoinder.models.lstm import network, train

    monkeypatch.setattr(train, "_in_one_order", lambda backend: None)  # it is for a process that has computed nothing yet
    assert network.bfloat16_is_faster() in (True, False)
    asked = list[bool]()
    monkeypatch.setattr(network, "bfloat16_is_faster", lambda: bool(asked.append(True)) or len(asked) == 1)
    kinds = []
    for settings in ({"mixed": None}, {"mixed": None}, {"mixed": None, "deterministic": True}, {"mixed": True}):
        kinds.append(run(tmp_path, **settings).network.compute_dtype)
    assert kinds == ["bfloat16", "float32", "float32", "bfloat16"] and len(asked) == 2
    one, other = (run(tmp_path, mixed=kind) for kind in (True, False))
    assert one.checkpoints and other.checkpoints and one.checkpoints.file == other.checkpoints.file

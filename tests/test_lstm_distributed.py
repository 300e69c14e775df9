"""Training the cell in two processes, and on other backends, gives the losses that one process gives."""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rejoinder.errors import ConfigError, ModelError, UsageError
from rejoinder.models.lstm.distributed import COORDINATOR, PROCESS, PROCESSES, Team, join
from rejoinder.text.streams import Batch

pytest.importorskip("keras", reason="training needs the extra `train`")
needs_jax = pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="several processes need the package jax")

STEPS = 20
PATIENCE = 300  # seconds for processes that take a few on an idle machine
CHILD = """
import json, os, signal, sys
from pathlib import Path
import numpy as np
from rejoinder.errors import ModelError
from rejoinder.models.interfaces import Job
from rejoinder.models.lstm.config import LSTMConfig
from rejoinder.models.lstm.stack import weights_from
from rejoinder.models.lstm.train import CellTraining, Reading
from rejoinder.text.streams import Stream

given = json.loads(sys.argv[1])
V, B, T, steps = 23, 4, 6, given["steps"]
rng = np.random.default_rng(given["text"])
row = [0]
while len(row) < B * T * steps:  # the next token depends on the last, with a little chance
    row.append((3 * row[-1] + 1 + int(rng.random() < 0.2)) % (V - 2))
text = Stream(np.array(row, np.uint16), rng.random(len(row)) < 0.9, np.arange(0, len(row) + 1, 40))
dev = Stream(text.tokens[:200], text.scored[:200], text.offsets[:6])
config = LSTMConfig(
    embedding=6, hidden=8, batch=B, steps=T, epochs=1, least_steps=1, learning_rate=0.05, warmup=2, drawn=0,
    input_dropout=0.0, output_dropout=0.0, mixed=False, **given["net"],
)
directory = Path(given["directory"]) if given["directory"] else None
run = CellTraining(Reading(text, dev, np.ones(V, np.int64), (V - 2, V - 1)), config, 5, Job(Path(), checkpoints=directory))
if not run.step:  # the backends draw different numbers, so the weights come from NumPy
    arrays = run.network.weights_now().arrays()
    random = {name: rng.normal(0, 0.3, array.shape).astype(np.float32) for name, array in sorted(arrays.items())}
    run.network.set_weights_to(weights_from(random))
losses, step = [], run._step

def noted():
    losses.append(step())
    if len(losses) == given["stop"]:
        os.kill(os.getpid(), signal.SIGTERM)
    return losses[-1]

run._step = noted
try:
    run.finish()
except ModelError as error:
    assert "training stopped" in str(error), error
print(json.dumps({"losses": losses, "dev": run.best and run.best[0]}))
"""


class Child:
    """One process that trains; `result` waits for what it found."""

    def __init__(self, backend: str, environment: dict[str, str], **given: Any) -> None:
        wanted = {"text": 0, "steps": STEPS, "directory": "", "stop": None, "net": {}, **given}
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("REJOINDER_", "JAX_", "XLA_"))}
        self.process = subprocess.Popen(
            [sys.executable, "-c", CHILD, json.dumps(wanted)],
            env={**kept, "KERAS_BACKEND": backend, "OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "2", **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def result(self) -> dict[str, Any]:
        out, err = self.process.communicate(timeout=PATIENCE)
        assert self.process.returncode == 0, err[-3000:]
        found: dict[str, Any] = json.loads(out.splitlines()[-1])  # gloo writes to stdout, too
        return found

    def error(self) -> str:
        _, err = self.process.communicate(timeout=PATIENCE)
        assert self.process.returncode
        return err

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


def alone(backend: str, net: dict[str, Any]) -> dict[str, Any]:
    """What one process finds."""
    child = Child(backend, {}, net=net)
    try:
        return child.result()
    finally:
        child.end()


def team(given: Sequence[dict[str, Any]], *, fails: bool = False) -> list[Any]:
    """What processes on this machine that train together find, or what they die of."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    shared = {COORDINATOR: address, PROCESSES: str(len(given))}
    children = [Child("jax", {**shared, PROCESS: str(number)}, **one) for number, one in enumerate(given)]
    try:
        return [child.error() if fails else child.result() for child in children]
    finally:
        for child in children:
            child.end()


STACK = {"residual": True, "layers": 2, "attention": 4, "reach": 7, "feedforward": 8, "muon": True, "average": 0.9}


@pytest.fixture(scope="module", params=[{}, STACK], ids=["plain", "stack"])
def net(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Settings of the net that is trained."""
    settings: dict[str, Any] = request.param
    return settings


@pytest.fixture(scope="module")
def curve(net: dict[str, Any]) -> dict[str, Any]:
    """The losses of one process on JAX."""
    found = alone("jax", net)
    assert len(found["losses"]) == STEPS
    assert found["losses"][-1] < 0.9 * found["losses"][0]  # it learns, so that there is something to differ in
    return found


@needs_jax
def test_two_processes_give_the_curve_of_one_even_if_stopped_and_begun_again(
    net: dict[str, Any], curve: dict[str, Any], tmp_path: Path
) -> None:
    homes = [str(tmp_path / "0"), str(tmp_path / "1")]
    begun = team(
        [{"directory": homes[0], "net": net}, {"directory": homes[1], "stop": 8, "net": net}]
    )  # told to stop, one stops the other
    assert [len(found["losses"]) for found in begun] == [8, 8]
    assert list(Path(homes[0]).glob("*.safetensors"))
    assert not Path(homes[1]).exists()  # so the other has to be given where it was
    ended = team([{"directory": home, "net": net} for home in homes])
    for first, last in zip(begun, ended, strict=True):
        np.testing.assert_allclose([*first["losses"], *last["losses"]], curve["losses"], rtol=1e-4)
        assert last["dev"] == pytest.approx(curve["dev"], rel=1e-4)


@needs_jax
def test_processes_that_would_train_on_different_things_say_so() -> None:
    for error in team([{"text": 0}, {"text": 1}], fails=True):
        assert "process 1 of 2 would train on something else than process 0" in error


@needs_jax
@pytest.mark.parametrize("backend", ["tensorflow", "torch"])
def test_every_backend_gives_the_same_losses(backend: str, net: dict[str, Any], curve: dict[str, Any]) -> None:
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"the backend needs the package {backend}, which is not installed")
    found = alone(backend, net)
    np.testing.assert_allclose(found["losses"], curve["losses"], rtol=1e-4)
    assert found["dev"] == pytest.approx(curve["dev"], rel=1e-4)


# --- a team ----------------------------------------------------------------------------------------------------------


def test_every_lane_is_read_by_one_process() -> None:
    window = Batch(*(np.arange(24).reshape(6, 4) + k for k in range(4)))  # type: ignore[arg-type]
    owns = [Team(process, 3, 3).own(window) for process in range(3)]
    for whole, *shares in zip(vars(window).values(), *(vars(own).values() for own in owns), strict=True):
        np.testing.assert_array_equal(np.concatenate(shares), whole)
        assert all(len(share) == 2 for share in shares)


@needs_jax
def test_lanes_that_cannot_be_dealt_out_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jax.experimental.multihost_utils.process_allgather", lambda mine: np.stack([mine, mine]))
    Team(1, 2, 4).agree("00ff", 8)
    with pytest.raises(ConfigError, match=r"^7 lanes .* 4 devices; --set lstm.batch=4$"):
        Team(1, 2, 4).agree("00ff", 7)
    with pytest.raises(ConfigError, match=r"^3 lanes .* 4 devices; import more or start fewer$"):
        Team(1, 2, 4).agree("00ff", 3)


@needs_jax
def test_a_lost_connection_is_told_in_one_line_and_other_errors_are_left_alone() -> None:
    from jax.errors import JaxRuntimeError

    for error in (JaxRuntimeError("UNAVAILABLE: gone\nmore"), ValueError("UNKNOWN: Gloo AllGather failed: closed by peer")):
        with pytest.raises(ModelError, match=r"^process 1 of 2 lost the others") as found, Team(1, 2, 2).together():
            raise error
        assert "more" not in str(found.value)
    with pytest.raises(ValueError, match=r"^another$"), Team(1, 2, 2).together():
        raise ValueError("another")


def test_without_the_variables_there_is_one_process() -> None:
    assert join({}) == join({COORDINATOR: ""}) == Team()
    assert join({COORDINATOR: "here:1", PROCESSES: "1", PROCESS: "0"}) == Team()


@pytest.mark.parametrize(
    ("coordinator", "processes", "process", "said"),
    [
        ("here:1", "", "0", f"{PROCESSES} must be set, too"),
        ("", "2", "0", f"{COORDINATOR} must be set, too"),
        ("here:1", "two", "0", "whole numbers; got two, 0"),
        ("here:1", "2", "2", r"must lie in \[0, "),
        ("here:1", "0", "0", r"must lie in \[0, "),
        ("here", "2", "0", "must be HOST:PORT; got here"),
        ("here:", "2", "0", "must be HOST:PORT; got here:"),
    ],
)
def test_variables_that_do_not_belong_together_are_refused(coordinator: str, processes: str, process: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        join({COORDINATOR: coordinator, PROCESSES: processes, PROCESS: process})


def test_other_backends_train_in_one_process_only() -> None:
    import keras

    if keras.backend.backend() == "jax":
        pytest.skip("these tests run on JAX")
    with pytest.raises(UsageError, match=r"^several processes need JAX; set KERAS_BACKEND=jax"):
        join({COORDINATOR: "here:1", PROCESSES: "2", PROCESS: "0"})

"""Training on several machines: each process reads its own lanes of every window, and all of them hold the same weights.

The loss of a step is a mean over all lanes, so its gradient is the sum of what each process finds. Keras tells JAX which lanes
lie where (`keras.distribution.DataParallel`), and JAX adds up, with gloo between CPUs and NCCL between GPUs. The memory of all
lanes lies everywhere, since it is small; so what one process could save, any other could. docs/several-machines.md says how to
start it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from rejoinder.errors import ConfigError, ModelError, UsageError
from rejoinder.models.lstm.checkpoint import Checkpoint
from rejoinder.text.streams import Batch

COORDINATOR, PROCESSES, PROCESS = "REJOINDER_COORDINATOR", "REJOINDER_PROCESSES", "REJOINDER_PROCESS"
_FACTS = "facts"


@dataclass(frozen=True)
class Team:
    """The processes that train one model together. Most often there is one, and all of this costs nothing."""

    process: int = 0  # which one this is
    processes: int = 1
    devices: int = 1  # of all processes

    @property
    def leads(self) -> bool:
        """Whether this is the process that shows progress and writes logs and checkpoints."""
        return self.process == 0

    def agree(self, run: str, lanes: int) -> None:
        """Make sure that all processes are about to train the same `run`, a hash in hexadecimal digits, and can share its lanes.

        Raises:
            ModelError: they would train on different things.
            ConfigError: the lanes cannot be dealt out equally.
        """
        if self.processes == 1:
            return
        from jax.experimental.multihost_utils import process_allgather

        runs = process_allgather(np.frombuffer(bytes.fromhex(run), np.uint8))  # (P, bytes of a hash)
        others = [str(number) for number, other in enumerate(runs) if not np.array_equal(other, runs[0])]
        if others:
            raise ModelError(
                f"process {', '.join(others)} of {self.processes} would train on something else than process 0: archive, "
                "tokenizer, split, seed and settings must be the same on every machine; copy the home of process 0"
            )
        if lanes % self.devices:
            fits = lanes // self.devices * self.devices
            do = f"--set lstm.batch={fits}" if fits else "import more or start fewer"
            raise ConfigError(f"{lanes} lanes of text cannot be dealt out equally to {self.devices} devices; {do}")

    def own(self, window: Batch) -> Batch:
        """The lanes of this process: (B / processes, T) of (B, T)."""
        each = len(window.tokens) // self.processes
        lanes = slice(self.process * each, (self.process + 1) * each)
        return Batch(window.tokens[lanes], window.keep[lanes], window.targets[lanes], window.weights[lanes])

    def any(self, flag: bool) -> bool:
        """Whether `flag` is set in any process; all must ask."""
        if self.processes == 1:
            return flag
        from jax.experimental.multihost_utils import process_allgather

        return bool(process_allgather(np.array([flag])).any())

    def share(self, checkpoint: Checkpoint | None) -> Checkpoint | None:
        """The checkpoint of the process that leads, in all of them; all must ask."""
        if self.processes == 1:
            return checkpoint
        from jax.experimental.multihost_utils import broadcast_one_to_all
        from safetensors.numpy import load, save

        data = b""
        if checkpoint is not None and self.leads:
            facts = np.frombuffer(json.dumps(checkpoint.facts).encode(), np.uint8)
            data = save({**checkpoint.arrays, _FACTS: facts})
        size = int(broadcast_one_to_all(np.array(len(data))))
        if not size:
            return None
        mine = np.frombuffer(data, np.uint8) if self.leads else np.zeros(size, np.uint8)
        arrays = load(broadcast_one_to_all(mine).tobytes())
        facts = arrays.pop(_FACTS)
        return Checkpoint(arrays, json.loads(facts.tobytes()))

    @contextmanager
    def together(self) -> Iterator[None]:
        """While it lasts, an error of the connection says so in one line.

        Raises:
            ModelError: another process is gone.
        """
        if self.processes == 1:
            yield
            return
        from jax.errors import JaxRuntimeError

        try:
            yield
        except (JaxRuntimeError, ValueError) as error:
            first = str(error).partition("\n")[0]
            if isinstance(error, ValueError) and "Gloo" not in first:  # this, too, is how JAX says that a connection is gone
                raise
            raise ModelError(
                f"process {self.process} of {self.processes} lost the others ({first}); start all of them again: "
                "they go on from the checkpoint of process 0"
            ) from error


def join(environment: Mapping[str, str] = os.environ) -> Team:
    """Join the other processes if the environment names any; before JAX computes anything.

    Raises:
        ConfigError: the variables do not belong together.
        UsageError: Keras runs on another backend, or JAX was in use before.
        ModelError: the others are not there.
    """
    wanted = _wanted(environment)
    if wanted is None:
        return Team()
    coordinator, processes, process = wanted
    import keras

    if keras.backend.backend() != "jax":
        raise UsageError(f"several processes need JAX; set KERAS_BACKEND=jax (it is {keras.backend.backend()})")
    import jax

    if not jax.distributed.is_initialized():
        jax.config.update("jax_cpu_collectives_implementation", "gloo")  # type: ignore[no-untyped-call]
        bind = environment.get("JAX_COORDINATOR_BIND_ADDRESS", coordinator)  # not every address of the machine, as JAX would
        try:
            jax.distributed.initialize(coordinator, processes, process, coordinator_bind_address=bind)
        except RuntimeError as error:
            first = str(error).partition("\n")[0]
            raise ModelError(f"process {process} of {processes} could not join {coordinator}: {first}") from error
        keras.distribution.set_distribution(keras.distribution.DataParallel(auto_shard_dataset=False))
    return Team(process, processes, jax.device_count())


def _wanted(environment: Mapping[str, str]) -> tuple[str, int, int] | None:
    """Coordinator, number of processes, number of this one; None where there is only this one."""
    given = {name: environment[name] for name in (COORDINATOR, PROCESSES, PROCESS) if environment.get(name)}
    if not given:
        return None
    for name in (COORDINATOR, PROCESSES, PROCESS):
        if name not in given:
            raise ConfigError(f"{name} must be set, too: {', '.join(given)} alone is not enough")
    try:
        processes, process = int(given[PROCESSES]), int(given[PROCESS])
    except ValueError:
        raise ConfigError(f"{PROCESSES} and {PROCESS} must be whole numbers; got {given[PROCESSES]}, {given[PROCESS]}") from None
    if not 0 <= process < processes:
        raise ConfigError(f"{PROCESS} must lie in [0, {PROCESSES}), which is {processes}; got {process}")
    host, _, port = given[COORDINATOR].rpartition(":")
    if not host or not port.isdecimal():
        raise ConfigError(f"{COORDINATOR} must be HOST:PORT; got {given[COORDINATOR]}")
    return (given[COORDINATOR], processes, process) if processes > 1 else None

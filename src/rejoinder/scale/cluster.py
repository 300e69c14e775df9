"""Calls by a Ray cluster: its tasks, and nothing else of it. What they read and write lies in a folder that all its machines see.

Where they share none, `rejoinder.scale.stored` has it go by way of a store.
A task whose worker dies is done again by Ray; what a machine takes with it when it goes are the tasks it was doing.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from rejoinder.errors import ModelError, missing_extra
from rejoinder.text.calls import Call, Told, perform

TRIES = 3  # of a call whose worker or machine dies


class Cluster:
    """Does calls on the machines of a Ray cluster, one for each of its processors at a time."""

    def __init__(self, address: str) -> None:
        """Join the cluster at `address` (host:port, or `ray://host:port`).

        Raises:
            MissingExtra: Ray is not installed.
            ModelError: nothing answers there.
        """
        if find_spec("ray") is None:
            raise missing_extra("`--cluster`", "cluster")
        self._ray: Any = import_module("ray")
        try:
            self._ray.init(address=address, log_to_driver=False, logging_level="ERROR", ignore_reinit_error=True)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise ModelError(
                f"no Ray cluster answers at {address} ({str(error).splitlines()[0]}); `ray start` starts one"
            ) from error
        self.threads = os.cpu_count() or 1
        self.count = max(int(self._ray.cluster_resources().get("CPU", 1)), 1)

    def run(self, calls: Sequence[Call], told: Told = lambda done, total: None) -> None:
        """Do all calls.

        Raises:
            ModelError: one failed, or died `TRIES` times.
        """
        task = self._ray.remote(max_retries=TRIES - 1, num_cpus=1)(_perform)
        waiting: list[Any] = [task.remote(json.dumps(asdict(call)), sys.path) for call in calls]
        while waiting:
            ready, waiting = self._ray.wait(waiting)
            try:
                self._ray.get(ready)
            except self._ray.exceptions.RayError as error:
                last = str(error).strip().splitlines()[-1]
                raise ModelError(
                    f"a task of the cluster failed ({last}); do all its machines see this home's folder, or the `--store`?"
                ) from error
            told(len(calls) - len(waiting), len(calls))

    def leave(self) -> None:
        """Leave the cluster."""
        self._ray.shutdown()


def _perform(call: str, path: list[str]) -> None:
    sys.path[:] = [*dict.fromkeys([*path, *sys.path])]  # rejoinder is found where whoever asks finds it
    perform(Call(**json.loads(call)))

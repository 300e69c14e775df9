"""Checkpoints: what a run needs to go on as if it had never stopped, in one safetensors file, written atomically.

A file has the name of its run, so that runs with other settings or on other posts leave each other's alone.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rejoinder.errors import ModelError
from rejoinder.files import write_atomically

Arrays = Mapping[str, NDArray[Any]]
_ENDING = ".safetensors"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Checkpoint:
    """A run at one step: arrays by name, and what is no array."""

    arrays: Arrays
    facts: dict[str, Any] = field(default_factory=dict)  # JSON values


class Checkpoints:
    """The newest checkpoint of one run in a directory, which may hold those of others."""

    def __init__(self, directory: Path, run: str) -> None:
        """`run`: a hash of everything that two runs must share for one to go on from the other."""
        self.file = directory / f"{run}{_ENDING}"
        self.run = run

    def write(self, checkpoint: Checkpoint) -> None:
        """Put `checkpoint` in the place of the last one, which stays whole until this one is.

        Raises:
            ModelError: it could not be written, e.g. since the disk is full; the last one is still there.
        """
        from safetensors.numpy import save

        data = save(dict(checkpoint.arrays), metadata={"run": self.run, "facts": json.dumps(checkpoint.facts)})
        try:
            write_atomically(self.file, data)
        except OSError as error:
            kept = "the last one is kept" if self.file.is_file() else "there is none before it"
            raise ModelError(
                f"checkpoint {self.file}: {error.strerror or error}; {kept}; make room and run the same command again"
            ) from error

    def read(self) -> Checkpoint | None:
        """The last checkpoint of this run, or None; then the log says what lies there and is not gone on from."""
        for file in sorted(self.file.parent.glob(f"*{_ENDING}"), key=lambda file: file != self.file):  # our own first
            found = self._read(file)
            if isinstance(found, Checkpoint):
                return found
            _log.warning("%s %s; it is kept, and this training begins anew", file, found)
        return None

    def _read(self, file: Path) -> Checkpoint | str:
        """The checkpoint in a file, if it is this run's; else what is in its way."""
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(file, framework="np") as opened:
                known = opened.metadata() or {}
                if known.get("run") != self.run:
                    return "is the checkpoint of a run with other settings, or on other posts"
                arrays = {name: np.array(opened.get_tensor(name)) for name in opened.keys()}  # noqa: SIM118 (no mapping)
                return Checkpoint(arrays, json.loads(known["facts"]))
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            return f"cannot be read ({error})"

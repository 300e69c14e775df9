"""Units of work: each is done in a process of its own, and kept under a key, so that nothing is done twice.

HOME/ladder/KEY/task.json      what was asked
HOME/ladder/KEY/done.json      what came of it, written last
HOME/ladder/KEY/model/         of a fit: the model
HOME/ladder/KEY/*.npy          of a measurement: its figures, post by post

A key is a hash of all that the result depends on: the words of the archive, the settings, the seed, the code, the parts.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

from rejoinder.archive.split import Method
from rejoinder.files import write_json
from rejoinder.models.interfaces import Progress, silent

DONE, TASK = "done.json", "task.json"
_AS_GOOD = 0.75  # of the effort that may be made now, at which what was made of less is kept
_GRACE = 10.0  # seconds that a process which is told to stop may take for it
_CODE = ("archive", "text", "models", "engine", "ladder", "climb", "config.py", "corpus.py", "post.py")  # what figures depend on


@dataclass(frozen=True)
class Setup:
    """What all units of a climb have in common."""

    archive: Path  # the archive's file
    root: Path  # where units are kept
    split: Method
    seed: int
    data: str  # hash of the archive's words
    code: str


@dataclass(frozen=True)
class Unit:
    """One thing to do. What its key is made of stands in `what`; `limits` only say how long it may take."""

    setup: Setup
    do: str  # a function of the worker
    what: Mapping[str, Any]
    limits: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The name of its directory."""
        facts = [self.setup.data, self.setup.code, self.setup.split, self.setup.seed, self.do, self.what]
        return hashlib.blake2b(json.dumps(facts, sort_keys=True).encode(), digest_size=12).hexdigest()

    @property
    def place(self) -> Path:
        """Its directory."""
        return self.setup.root / self.key

    @property
    def found(self) -> dict[str, Any] | None:
        """What came of it, if it has been done, and not with much less time than it may take now."""
        try:
            done: dict[str, Any] = json.loads((self.place / DONE).read_bytes())
            took = json.loads((self.place / TASK).read_bytes())["limits"].get("effort", 0.0)
        except (OSError, ValueError):
            return None
        return done if done.get("whole") or took >= _AS_GOOD * self.limits.get("effort", 0.0) else None


def run(unit: Unit, seconds: float | None = None, progress: Progress = silent) -> dict[str, Any]:
    """Do a unit, or take what is kept of it.

    Args:
        unit: what to do.
        seconds: after which it is stopped; None: never.
        progress: told how it goes.

    Returns:
        What came of it, with the `wall_seconds` of its process; or `error`, a line; or `stopped`, if it ran out of time.
    """
    found = unit.found
    if found is not None:
        return found
    shutil.rmtree(unit.place, ignore_errors=True)
    unit.place.mkdir(parents=True)
    setup = {"archive": str(unit.setup.archive), "root": str(unit.setup.root), "split": unit.setup.split, "seed": unit.setup.seed}
    write_json(unit.place / TASK, {"setup": setup, "do": unit.do, "what": unit.what, "limits": unit.limits})
    began = monotonic()
    outcome = _watch(unit.place, seconds, progress)
    wall = round(monotonic() - began, 3)
    if outcome is None:
        try:
            found = {**json.loads((unit.place / DONE).read_bytes()), "wall_seconds": wall}
        except (OSError, ValueError):
            outcome = {"error": _last_line(unit.place / "stderr")}
        else:
            if "error" not in found:
                write_json(unit.place / DONE, found)
                return found
            outcome = found
    shutil.rmtree(unit.place, ignore_errors=True)
    return {**outcome, "wall_seconds": wall}


def _watch(place: Path, seconds: float | None, progress: Progress) -> dict[str, Any] | None:
    """Run the worker on the task in `place`; None if it came to its end."""
    with (place / "stderr").open("wb") as errors:
        child = subprocess.Popen(  # noqa: S603 - our own module, on a file of our own
            [sys.executable, "-m", "rejoinder.climb.worker", str(place / TASK)],
            stdout=subprocess.PIPE,
            stderr=errors,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        )
        try:
            return _listen(child, seconds, progress)
        finally:
            if child.poll() is None:
                child.terminate()
                try:
                    child.wait(_GRACE)
                except subprocess.TimeoutExpired:
                    child.kill()
                    child.wait()
            if child.stdout:
                child.stdout.close()


def _listen(child: subprocess.Popen[bytes], seconds: float | None, progress: Progress) -> dict[str, Any] | None:
    """Pass on what a worker says until it ends, or until its time is up."""
    from select import select

    end = None if seconds is None else monotonic() + seconds
    stream = child.stdout
    assert stream is not None  # noqa: S101 - it was asked for
    while True:
        left = 1.0 if end is None else min(end - monotonic(), 1.0)
        if left <= 0:
            return {"stopped": True}
        if not select([stream], [], [], left)[0]:
            continue
        line = stream.readline()
        if not line:
            child.wait()
            return None
        try:
            what, done, total = json.loads(line)
        except ValueError:
            continue  # some library's own words
        progress(what, done, total)


def _last_line(file: Path) -> str:
    lines = [line for line in file.read_text(errors="replace").splitlines() if line.strip()] if file.is_file() else []
    return lines[-1][:300] if lines else "its process ended without a word; is there enough memory?"


def code_version() -> str:
    """A hash of the code that figures depend on: a change anywhere in it makes all of them anew."""
    base = Path(__file__).resolve().parents[1]
    digest = hashlib.blake2b(digest_size=12)
    for name in _CODE:
        place = base / name
        for file in [place] if place.is_file() else sorted(place.rglob("*.py")):
            digest.update(f"{file.relative_to(base)}\0".encode() + file.read_bytes())
    return digest.hexdigest()

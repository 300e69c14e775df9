"""The task cache: each task is done in a process of its own, and kept under its key, so that nothing is done twice.

HOME/ladder/KEY/task.json      what was asked
HOME/ladder/KEY/done.json      what came of it
HOME/ladder/KEY/model/         of a fit: the model
HOME/ladder/KEY/*.npy          of a measurement: its figures, post by post
HOME/ladder/KEY/manifest.json  hashes of all of these, written last: what is damaged is done anew
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from select import select
from time import monotonic

from rejoinder.climb.tasks import DONE, TASK, Done, Failed, OutOfTime, Task, as_json, read_result, read_task
from rejoinder.errors import DamagedModel
from rejoinder.files import write_atomically
from rejoinder.home.lock import handles
from rejoinder.home.workspace import Workspace
from rejoinder.models import LADDER, OURS
from rejoinder.models.directory import check_hashes, seal
from rejoinder.models.interfaces import Progress, silent

_AS_GOOD = 0.75  # of the effort that may be made now, at which what was made of less is kept
_GRACE = 10.0  # seconds that a process which is told to stop may take for it
_LONGEST_LINE = 2**16  # bytes that a worker may say without an end
_CODE = (
    "archive",
    "text",
    "models",
    "engine",
    "ladder",
    "climb",
    "home",
    "config.py",
    "corpus.py",
    "hashing.py",
    "post.py",
)  # figures depend on
_LIBRARIES = ("numpy", "tokenizers", "tantivy", "onnxruntime", "scipy", "scikit-learn", "gensim", "keras", "tensorflow", "pyppmd")


def kept(task: Task) -> Done | None:
    """What came of a task, if it was done, not with much less effort than may be made now, and lies there as it was written."""
    try:
        done, before = read_result(task.place / DONE), read_task(task.place / TASK)
        check_hashes(task.place)
    except (OSError, ValueError, DamagedModel):
        return None
    then, now = (math.inf if limits.effort is None else limits.effort for limits in (before.limits, task.limits))
    return done if done.whole or then >= _AS_GOOD * now else None


def run(task: Task, seconds: float | None = None, progress: Progress = silent) -> Done | OutOfTime:
    """Do a task, or take what is kept of it.

    Args:
        task: what to do.
        seconds: after which it is stopped; None: never.
        progress: told how it goes.
    """
    found = kept(task)
    if found is not None:
        return found
    shutil.rmtree(task.place, ignore_errors=True)
    task.place.mkdir(parents=True)
    write_atomically(task.place / TASK, as_json(task))
    began = monotonic()
    outcome: Done | OutOfTime = OutOfTime()
    if _work(task.place, seconds, progress):
        try:
            outcome = replace(read_result(task.place / DONE), wall_seconds=round(monotonic() - began, 3))
        except (OSError, ValueError):
            outcome = Failed(key=task.key, error=_last_line(task.place / "stderr"))
    if isinstance(outcome, Failed | OutOfTime):
        shutil.rmtree(task.place, ignore_errors=True)
    else:
        write_atomically(task.place / DONE, as_json(outcome))
        seal(task.place, {})
    return outcome


def _work(place: Path, seconds: float | None, progress: Progress) -> bool:
    """Let a worker do the task in `place`; whether it came to its end. Nothing of it runs on after that."""
    with (place / "stderr").open("wb") as errors:
        child = subprocess.Popen(  # noqa: S603 - our own module, on a file of our own
            [sys.executable, "-m", "rejoinder.climb.worker", str(place / TASK)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            pass_fds=handles(),  # the home is locked for as long as it lives, also where this process is killed
            stderr=errors,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
            start_new_session=True,  # so that what it starts ends with it
        )
        with child:
            try:
                return _listen(child, math.inf if seconds is None else monotonic() + seconds, progress)
            finally:
                _end(child)


def _listen(child: subprocess.Popen[bytes], end: float, progress: Progress) -> bool:
    """Pass on what a worker says; true once it has ended by itself, false if its time was up before, whatever it does."""
    stream = child.stdout
    assert stream is not None  # noqa: S101 - it was asked for
    said, open_still = b"", True
    while child.poll() is None:
        left = min(end - monotonic(), 1.0 if open_still else 0.02)
        if left <= 0:
            return False
        if not select([stream] if open_still else [], [], [], left)[0]:
            continue
        heard = os.read(stream.fileno(), _LONGEST_LINE)
        open_still = bool(heard)
        *lines, said = (said + heard)[-_LONGEST_LINE:].split(b"\n")
        _pass_on(lines, progress)
    return True


def _pass_on(lines: Iterable[bytes], progress: Progress) -> None:
    for line in lines:
        with suppress(ValueError, TypeError):  # some library's own words
            what, done, total = json.loads(line)
            progress(str(what), int(done), total)


def _end(child: subprocess.Popen[bytes]) -> None:
    """End a worker and all it started."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, how)
        with suppress(subprocess.TimeoutExpired):
            child.wait(_GRACE)
            if how == signal.SIGKILL:
                return


def _last_line(file: Path) -> str:
    lines = [line for line in file.read_text(errors="replace").splitlines() if line.strip()] if file.is_file() else []
    return lines[-1][:300] if lines else "its process ended without a word; is there enough memory?"


def code_version() -> str:
    """A hash of the code that figures depend on: a change anywhere in it makes all of them anew.

    That of other packages counts too: those that offer a rung, by their modules, and the libraries that rungs stand on, by their
    versions.
    """
    base = Path(__file__).resolve().parents[1]
    files = [file for name in _CODE for file in ([base / name] if name.endswith(".py") else sorted((base / name).rglob("*.py")))]
    strangers = [LADDER[name].place.partition(":")[0] for name in LADDER if name not in OURS]
    others = {Path(spec.origin) for module in strangers if (spec := find_spec(module)) and spec.origin}
    known = {name: _version(name) for name in _LIBRARIES}
    digest = hashlib.blake2b(json.dumps(known).encode(), digest_size=12)
    for file in sorted(others):
        digest.update(file.read_bytes())
    return f"{_hash(base, files)}-{digest.hexdigest()}"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def package_version() -> str:
    """A hash of the models that came with the package, and of what they have read; empty if none came."""
    space = Workspace.shipped()
    if space is None:
        return ""
    return _hash(space.home, [space.home / "posts.npy", *sorted(space.home.rglob("manifest.json"))])


def _hash(base: Path, files: Iterable[Path]) -> str:
    digest = hashlib.blake2b(digest_size=12)
    for file in files:
        digest.update(f"{file.relative_to(base)}\0".encode() + file.read_bytes())
    return digest.hexdigest()

"""One writer at a time: locks on a home, which say who holds them.

    HOME/models.lock    whoever writes models or takes them away: fit, forget, ladder, arpa import
    HOME/own.lock       whoever changes the text of one's own

The system holds the lock (`rejoinder.home.system_lock`), so that it ends with the process, whatever ends that: there is no stale
one to clear away, and no clock. The file says who is at work: a process number and the name of a command, never what it was
given. It stays when the lock ends, since removing it would let two hold two files of one name. What must end before the lock may
end inherits it (`handles`).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep

from rejoinder.errors import HomeBusy
from rejoinder.home.system_lock import take

MODELS, OWN = "models.lock", "own.lock"
PATIENCE = 60.0  # seconds that a command waits for another
_PAUSE = 0.02  # seconds between two looks

_mine = threading.local()  # the locks that this thread holds: file -> open handle


@contextmanager
def locked(
    home: Path, command: str, name: str = MODELS, *, patience: float = PATIENCE, waiting: Callable[[str], object] | None = None
) -> Iterator[None]:
    """Hold a lock of a home; a thread that holds it already goes on.

    Args:
        home: the folder, made if it is not there.
        command: who is at work, for those that wait.
        name: which lock.
        patience: seconds to wait for whoever holds it.
        waiting: told once, in a line, for whom one waits.

    Raises:
        HomeBusy: another process, or thread, holds it for longer than that.
    """
    file = home.resolve() / name
    held: dict[Path, int] = _mine.__dict__.setdefault("held", {})
    if file in held:
        yield
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _take(handle, file, patience, waiting)
        os.ftruncate(handle, 0)
        os.lseek(handle, 0, os.SEEK_SET)
        os.write(handle, f"{os.getpid()} {command}\n".encode())
        held[file] = handle
        try:
            yield
        finally:
            del held[file]
            with suppress(OSError):
                os.ftruncate(handle, 0)
    finally:
        os.close(handle)


def handles() -> tuple[int, ...]:
    """The handles of the locks that this thread holds; a process that inherits one keeps the lock for as long as it lives."""
    return tuple(_mine.__dict__.get("held", {}).values())


def _take(handle: int, file: Path, patience: float, waiting: Callable[[str], object] | None) -> None:
    ends = monotonic() + patience
    while not take(handle):
        who = _holder(handle)
        if monotonic() >= ends:
            raise HomeBusy(f"{who} is at work in {file.parent}; run the same command again when it has ended")
        if waiting is not None:
            waiting(f"waiting for {who}, which is at work in {file.parent}")
            waiting = None
        sleep(_PAUSE)


def _holder(handle: int) -> str:
    os.lseek(handle, 0, os.SEEK_SET)
    number, _, command = os.read(handle, 200).decode(errors="replace").strip().partition(" ")
    return f"`rejoinder {command}` (process {number})" if command else "another process"

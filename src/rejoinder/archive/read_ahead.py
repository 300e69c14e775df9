"""Reading ahead: a second process reads and parses a file while this one writes to the archive, so that both cores work.

The other process only reads. It is a plain interpreter that loads the source and nothing of the program that started it, which
costs half of what `multiprocessing` would. Should this one die, the other's next write to the pipe fails, and it ends too.
"""

from __future__ import annotations

import gc
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from queue import Queue
from threading import Thread

from rejoinder.archive.batches import Batch, batches
from rejoinder.archive.source import Hasher, Source
from rejoinder.errors import RejoinderError, SourceError

_BATCH = 2_000  # items to a message, at the most
_SIZE = 2 * 2**20  # characters of text to a message, about
_WAITING = 8  # messages read but not yet used; a pipe alone holds less than one, and the reader would stand still
_PROGRAM = """
import sys, json
sys.path[:] = json.loads(sys.argv[1])
from rejoinder.archive.read_ahead import serve
serve(int(sys.argv[2]))
"""

_Message = bytes | RejoinderError | None  # a batch, or None: the file has ended


def read_ahead(source: Source, path: Path, hasher: Hasher) -> Iterator[Batch]:
    """What the source reads from `path`, read by a process of its own.

    Raises:
        RejoinderError: as the source does, after the items before it.
    """
    ours, theirs = Pipe()
    with theirs:
        handle = theirs.fileno()
        command = [sys.executable, "-c", _PROGRAM, json.dumps(sys.path), str(handle)]
        reader = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=[handle])  # noqa: S603 - ourselves
    with suppress(OSError):  # one that has ended already is met when its first message is waited for
        ours.send((source, path, hasher))
    import rejoinder.archive.settling  # noqa: F401 - takes a while to load, while the other process begins

    messages: Queue[_Message] = Queue(_WAITING)
    Thread(target=_receive, args=(ours, messages, path), daemon=True).start()
    try:
        while (message := messages.get()) is not None:
            if isinstance(message, RejoinderError):
                raise message
            yield Batch.from_bytes(message)
    finally:
        reader.terminate()  # has ended already, unless we stop early
        reader.wait()


def _receive(pipe: Connection, messages: Queue[_Message], path: Path) -> None:
    """Move messages from the pipe to the queue, up to the last one."""
    with pipe:
        while True:
            try:
                message: _Message = pipe.recv_bytes() or pipe.recv()
            except (EOFError, OSError):
                message = SourceError(f"{path}: the process that reads it ended early; what it had read is kept")
            messages.put(message)
            if not isinstance(message, bytes):
                return


def serve(handle: int) -> None:
    """In the other process: be told what to read, and send the items in batches, then nothing, and None or the error."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is for the parent to stop
    gc.disable()  # items make no cycles
    end: _Message = None
    with suppress(BrokenPipeError, ConnectionResetError), Connection(handle) as pipe:
        source, path, hasher = pipe.recv()
        try:
            for batch in batches(source.read(path, hasher), _BATCH, _SIZE):
                pipe.send_bytes(batch.to_bytes())
        except RejoinderError as error:
            end = error
        pipe.send_bytes(b"")
        pipe.send(end)

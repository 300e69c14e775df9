"""Reading ahead: a second process reads and parses a file while this one writes to the archive, so that both cores work.

The other process only reads. Should this one die, the other's next write to the pipe fails, and it ends too.
"""

from __future__ import annotations

import gc
import signal
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from queue import Queue
from threading import Thread

from rejoinder.archive.source import Hasher, Item, Source, text_size
from rejoinder.errors import RejoinderError, SourceError

WORTH_IT = 2 * 2**20  # bytes; a smaller file is read before another process has started
_BATCH = 1_000  # items to a message, at the most
_BYTES = 2 * 2**20  # characters of text to a message, about
_WAITING = 8  # messages read but not yet used; a pipe alone holds less than one, and the reader would stand still

_Message = list[Item] | RejoinderError | None  # None: the file has ended


def read_ahead(source: Source, path: Path, hasher: Hasher) -> Iterator[Item]:
    """What the source reads from `path`, read by a process of its own.

    Raises:
        RejoinderError: as the source does, after the items before it.
    """
    context = get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    reader = context.Process(target=_read, args=(theirs, source, path, hasher), daemon=True)
    reader.start()
    theirs.close()
    messages: Queue[_Message] = Queue(_WAITING)
    Thread(target=_receive, args=(ours, messages, path), daemon=True).start()
    try:
        while (message := messages.get()) is not None:
            if isinstance(message, RejoinderError):
                raise message
            yield from message
    finally:
        reader.terminate()  # has ended already, unless we stop early
        reader.join()


def _receive(pipe: Connection, messages: Queue[_Message], path: Path) -> None:
    """Move messages from the pipe to the queue, up to the last one."""
    with pipe:
        while True:
            try:
                message: _Message = pipe.recv()
            except (EOFError, OSError):
                message = SourceError(f"{path}: the process that reads it ended early; what it had read is kept")
            messages.put(message)
            if not isinstance(message, list):
                return


def _read(pipe: Connection, source: Source, path: Path, hasher: Hasher) -> None:
    """In the other process: send the items in batches, then None or the error."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is for the parent to stop
    gc.disable()  # items make no cycles
    batch: list[Item] = []
    size = 0
    end: _Message = None
    with suppress(BrokenPipeError), pipe:
        try:
            for item in source.read(path, hasher):
                batch.append(item)
                size += text_size(item)
                if len(batch) == _BATCH or size > _BYTES:
                    pipe.send(batch)
                    batch, size = [], 0
        except RejoinderError as error:
            end = error
        pipe.send(batch)
        pipe.send(end)

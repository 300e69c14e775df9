"""Reading ahead: other processes read and parse a file while this one writes to the archive, so that all cores work.

One process reads the file, or, where its records can be told apart at a glance, this one cuts it into pieces and several parse
them; their batches are taken in the order of the file. What waits is bounded: pieces by the pipes, batches by the queue.

The other processes only read. Each is a plain interpreter that loads the source and nothing of the program that started it, which
costs half of what `multiprocessing` would. Should this one die, their next read or write of the pipe fails, and they end too.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from itertools import cycle
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from queue import Queue
from threading import Thread

from rejoinder.archive.batches import ItemBatch, batches
from rejoinder.archive.source import Hasher, Item, Piece, Source
from rejoinder.errors import RejoinderError, SourceError

_BATCH = 2_000  # items to a message, at the most
_SIZE = 2 * 2**20  # characters of text to a message, about
_NUMBER = 8  # bytes of the number before a piece
_FOR_EACH = 4 * 2**20  # bytes of a file that are worth a process
_MOST = 6  # processes; what more would read, one could not write
_WAITING = 8  # messages read but not yet used; a pipe alone holds less than one, and the reader would stand still
_PROGRAM = """
import sys, json
sys.path[:] = json.loads(sys.argv[1])
from rejoinder.archive.read_ahead import serve
serve(int(sys.argv[2]))
"""

_Message = ItemBatch | RejoinderError | None  # None: the file, or a piece of it, has ended


class _ReadingProcess:
    """A process of ours that reads, and the pipe to it."""

    def __init__(self, order: tuple[Source, Path, Hasher, bool]) -> None:
        self.pipe, theirs = Pipe()
        with theirs:
            handle = theirs.fileno()
            command = [sys.executable, "-c", _PROGRAM, json.dumps(sys.path), str(handle)]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=[handle])  # noqa: S603 - ourselves
        with suppress(OSError):  # one that has ended already is met when its first message is waited for
            self.pipe.send(order)

    def stop(self) -> None:
        """End the process, which has ended already unless we stop early."""
        self._process.terminate()
        self._process.wait()


_Turn = _ReadingProcess | RejoinderError | None  # whose answer comes next, or how it ended


def read_ahead(source: Source, path: Path, hasher: Hasher) -> Iterator[ItemBatch]:
    """What the source reads from `path`, read by processes of their own: one, or of a file in pieces several.

    Raises:
        RejoinderError: as the source does, after the items before it.
    """
    pieces = source.pieces(path)
    count = 1 if pieces is None else max(1, min(_cores(), _MOST, path.stat().st_size // _FOR_EACH))
    readers = [_ReadingProcess((source, path, hasher, pieces is not None)) for _ in range(count)]
    import rejoinder.archive.settling  # noqa: F401 - takes a while to load, while the other processes begin

    turns: Queue[_Turn] = Queue()
    messages: Queue[_Message] = Queue(_WAITING)
    if pieces is None:
        turns.put(readers[0])
        turns.put(None)
    else:
        Thread(target=_hand_out, args=(pieces, readers, turns, path), daemon=True).start()
    Thread(target=_receive, args=(turns, messages, path), daemon=True).start()
    try:
        while (message := messages.get()) is not None:
            if isinstance(message, RejoinderError):
                raise message
            yield message
    finally:
        for reader in readers:
            reader.stop()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _hand_out(pieces: Iterator[Piece], readers: list[_ReadingProcess], turns: Queue[_Turn], path: Path) -> None:
    """Give the pieces to the readers in turn; `turns` says whose answers come next, and at last how it ended."""
    end: RejoinderError | None = None
    try:
        for piece, reader in zip(pieces, cycle(readers), strict=False):
            reader.pipe.send_bytes(piece.number.to_bytes(_NUMBER) + piece.data)
            turns.put(reader)
    except RejoinderError as error:
        end = error
    except OSError:
        end = _ended_early(path)
    turns.put(end)


def _receive(turns: Queue[_Turn], messages: Queue[_Message], path: Path) -> None:
    """Move messages from the pipes to the queue, in the order of the file, up to the last one."""
    while isinstance(turn := turns.get(), _ReadingProcess):
        while True:
            try:
                message: _Message = turn.pipe.recv()
            except (EOFError, OSError):
                message = _ended_early(path)
            if message is None:
                break
            messages.put(message)
            if isinstance(message, RejoinderError):
                return
    messages.put(turn)


def _ended_early(path: Path) -> SourceError:
    return SourceError(f"{path}: a process that reads it ended early; what it had read is kept")


def serve(handle: int) -> None:
    """In another process: be told what to read, and send the items in batches, then None or the error.

    Of a file in pieces the same for each piece that is sent.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is for the parent to stop
    gc.disable()  # items make no cycles
    with suppress(EOFError, BrokenPipeError, ConnectionResetError), Connection(handle) as pipe:
        source, path, hasher, divided = pipe.recv()
        if not divided:
            _send(pipe, source.read, path, hasher)
        while divided and (data := pipe.recv_bytes()):
            piece = Piece(int.from_bytes(data[:_NUMBER]), data[_NUMBER:])
            _send(pipe, partial(source.read_piece, piece), path, hasher)


def _send(pipe: Connection, read: Callable[[Path, Hasher], Iterator[Item]], path: Path, hasher: Hasher) -> None:
    end: _Message = None
    try:
        for batch in batches(read(path, hasher), _BATCH, _SIZE):
            pipe.send(batch)
    except RejoinderError as error:
        end = error
    pipe.send(end)

"""Calls by processes of this machine, each a plain interpreter of its own. One that dies has its call done again."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from threading import Thread
from time import sleep
from typing import IO

from rejoinder.errors import ModelError
from rejoinder.text.calls import Call, Told, perform

TRIES = 3  # of a call, in as many processes
_POLL = 0.02  # seconds
_PROGRAM = """
import sys, json
sys.path[:] = json.loads(sys.argv[1])
from rejoinder.scale.processes import serve
serve()
"""


@dataclass
class _Running:
    place: int  # of the call among all
    process: subprocess.Popen[str]
    said: IO[str]  # what it wrote to stderr


class Processes:
    """Does so many calls at a time, each in a process."""

    def __init__(self, count: int) -> None:
        """`count` processes at a time."""
        self.count = self.threads = count

    def run(self, calls: Sequence[Call], told: Told = lambda done, total: None) -> None:
        """Do all calls.

        Raises:
            ModelError: one failed `TRIES` times; what its last process said stands in the message.
        """
        waiting, tries, done = list(range(len(calls)))[::-1], [0] * len(calls), 0
        with self._ending() as running:
            while waiting or running:
                while waiting and len(running) < self.count:
                    running.append(_start(waiting[-1], calls[waiting.pop()]))
                sleep(_POLL)
                for one in [one for one in running if one.process.poll() is not None]:
                    running.remove(one)
                    tries[one.place] += 1
                    said = _close(one)
                    if one.process.returncode == 0:
                        done += 1
                        told(done, len(calls))
                    elif tries[one.place] == TRIES:
                        why = said or f"its process ended with status {one.process.returncode}"
                        raise ModelError(
                            f"{calls[one.place].function} failed {TRIES} times ({why}); is there enough memory and disk? "
                            "`--memory` bounds what it takes"
                        )
                    else:
                        waiting.append(one.place)

    @contextmanager
    def _ending(self) -> Iterator[list[_Running]]:
        """What runs; nothing of it is left running afterwards."""
        running: list[_Running] = []
        try:
            yield running
        finally:
            for one in running:
                one.process.kill()
                one.process.wait()
                _close(one)


def _start(place: int, call: Call) -> _Running:
    said = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115 - closed with the rest
    command = [sys.executable, "-c", _PROGRAM, json.dumps(sys.path)]
    process = subprocess.Popen(  # noqa: S603 - ourselves
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said, text=True
    )
    try:
        if process.stdin is not None:
            process.stdin.write(json.dumps(asdict(call)) + "\n")
            process.stdin.flush()
    except OSError:  # it has ended already, which is met when it is looked after
        pass
    return _Running(place, process, said)


def _close(one: _Running) -> str:
    """The last line that it said."""
    try:
        if one.process.stdin is not None:
            one.process.stdin.close()
    except OSError:  # it died before it was told what to do
        pass
    with one.said as said:
        said.seek(0)
        return (said.read().strip().splitlines() or [""])[-1]


def serve() -> None:
    """In the process: be told what to do, and do it; whoever is left alone ends."""
    call = Call(**json.loads(sys.stdin.readline()))
    Thread(target=_end_with_parent, daemon=True).start()
    perform(call)


def _end_with_parent() -> None:
    import os

    sys.stdin.read()
    os._exit(1)

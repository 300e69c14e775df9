"""A second process for everything but keystrokes, so that whatever else is asked, a keystroke never waits for it.

Threads of one process share one interpreter: a chat that is tokenised, a regular expression over a long post, a search, each
holds it for as long as it takes, and whoever types waits. So the server that people reach answers keystrokes itself, and passes
everything else on, over a socket in a folder that only this user can enter, to a server of the same app. That one ends when its
standard input does, so it never outlives the first, and it is started again if it dies. It begins when somebody asks for what it
answers, or opens the page, where that is near: who only types, as in an editor, has the memory of one process.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from pathlib import Path

from starlette.types import ASGIApp, Receive, Scope, Send

from rejoinder import models
from rejoinder.home.workspace import Workspace
from rejoinder.serve.http.config import ServeConfig
from rejoinder.serve.http.failures import Failure, failure
from rejoinder.serve.http.routing import KnownRoutes

HERE = frozenset(
    ("/v1/suggest", "/v1/own", "/v1/switch", "/v1/rungs", "/v1/pair", "/v1/pair/claim", "/health", "/metrics")
)  # what the first process answers itself
_PASSED_ON = (b"content-type", b"accept", b"user-agent")
_PIECE = 65_536  # bytes
_STARTS_WITHIN = 60.0  # seconds: on a machine that is busy with much else
_POLITE = 5  # of `nice`: keystrokes come first


def can_have_backend() -> bool:
    """Whether this system has sockets in folders."""
    return hasattr(socket, "AF_UNIX")


class Backend:
    """The second process, as the first sees it."""

    def __init__(self, space: Workspace, config: ServeConfig) -> None:
        """Ready to start it."""
        self._folder = Path(tempfile.mkdtemp(prefix="rejoinder-"))
        self._socket = self._folder / "backend"
        settings = json.dumps(asdict(replace(config, token=None, host="127.0.0.1")))
        self._command = [sys.executable, "-m", __name__, str(self._socket), str(space.home), settings]
        self.waiting = 0  # requests that were passed on and not yet answered
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def runs(self) -> bool:
        """Whether it was started, and has not died."""
        return self._process is not None and self._process.poll() is None

    def begin(self) -> None:
        """Begin to start it unless it runs; who asks before it listens waits."""
        if not self.runs:
            self._socket.unlink(missing_ok=True)
            self._process = subprocess.Popen(  # noqa: S603 - this very program
                self._command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True
            )

    def close(self, patience: float = 15.0) -> None:
        """Have it end its streams and then itself, and wait for that."""
        if self._process is not None:
            assert self._process.stdin is not None  # noqa: S101 - it was asked for
            self._process.stdin.close()
            try:
                self._process.wait(patience)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    @asynccontextmanager
    async def ask(self, head: bytes, body: bytes = b"") -> AsyncIterator[asyncio.StreamReader]:
        """What it answers, from its head on.

        Raises:
            Failure: it does not answer.
        """
        reader, writer = await self._connect()
        self.waiting += 1
        try:
            writer.write(head + body)
            yield reader
        finally:
            self.waiting -= 1
            writer.transport.abort()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_STARTS_WITHIN):
                while True:
                    self.begin()
                    with contextlib.suppress(OSError):
                        return await asyncio.open_unix_connection(self._socket)
                    await asyncio.sleep(0.02)
        raise Failure(503, "the part of the server that answers this does not start; the server's log says why", code="busy")

    async def get(self, path: str) -> bytes:
        """The body of what it answers to a GET; empty if it does not, or was not started."""
        if not self.runs:
            return b""
        with contextlib.suppress(Failure, OSError, asyncio.IncompleteReadError):
            async with asyncio.timeout(1.0), self.ask(f"GET {path} HTTP/1.0\r\nhost: localhost\r\n\r\n".encode()) as reader:
                await reader.readuntil(b"\r\n\r\n")
                return await reader.read()
        return b""


class Forward:
    """Passes on to the backend what is not answered here. Stands before the routes; a request has come whole."""

    def __init__(self, app: ASGIApp, backend: Backend, known: KnownRoutes) -> None:
        """What has a route among `known` goes to `backend`, but for HERE; the rest to `app`."""
        self._app, self._backend, self._known = app, backend, known

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on and answer."""
        elsewhere = scope["type"] == "http" and scope["path"] not in HERE
        route = self._known.of(scope) if elsewhere else None
        if elsewhere:
            self._backend.begin()
        if route is None:
            await self._app(scope, receive, send)
            return
        scope["route"] = route  # for whoever counts
        try:
            await self._pass_on(scope, receive, send)
        except Failure as error:
            await failure(error.status, str(error), code=error.code)(scope, receive, send)

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = (await receive()).get("body", b"")
        async with self._backend.ask(_head_of(scope, len(body)), body) as reader:
            answering = asyncio.ensure_future(_pass_back(reader, send))
            leaving = asyncio.ensure_future(receive())  # returns when the client hangs up, or has its answer
            try:
                await asyncio.wait((answering, leaving), return_when=asyncio.FIRST_COMPLETED)
                if answering.done():
                    await answering
            finally:
                for task in (answering, leaving):
                    task.cancel()
                await asyncio.gather(answering, leaving, return_exceptions=True)


def _head_of(scope: Scope, size: int) -> bytes:
    """The head of the request, in HTTP/1.0: so the answer ends where the connection does."""
    target = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
    lines = [scope["method"].encode() + b" " + target + b" HTTP/1.0", b"host: localhost", b"content-length: %d" % size]
    lines += [name + b": " + value for name, value in scope["headers"] if name in _PASSED_ON]
    return b"\r\n".join([*lines, b"", b""])


async def _pass_back(reader: asyncio.StreamReader, send: Send) -> None:
    """The answer, as it comes.

    Raises:
        Failure: it does not begin.
    """
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, OSError) as error:
        raise Failure(503, "this could not be answered; try again in a second", code="busy") from error
    first, *lines = head[:-4].split(b"\r\n")
    pairs = [line.split(b": ", 1) for line in lines]
    headers = [(name, value) for name, value in pairs if name.lower() != b"connection"]
    length = next((int(value) for name, value in headers if name.lower() == b"content-length"), None)
    await send({"type": "http.response.start", "status": int(first.split(b" ")[1]), "headers": headers})
    sent = 0
    while piece := await reader.read(_PIECE):
        sent += len(piece)
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    if length is None or sent == length:  # else it broke off, and so does the answer
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def main() -> None:
    """Be the second process: `python -m rejoinder.serve.http.backend SOCKET HOME SETTINGS`."""
    from rejoinder.serve.http.allocator import keep_large_arrays_apart
    from rejoinder.serve.http.app import create_app
    from rejoinder.serve.http.running import run

    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logging.getLogger(models.__name__).addFilter(lambda record: False)  # of plugins the first process tells
    os.nice(_POLITE)
    keep_large_arrays_apart()
    file, home, settings = sys.argv[1:]
    config = ServeConfig(**json.loads(settings))
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(file)
    listening.listen()
    threading.Thread(target=_end_with_input, daemon=True).start()
    run(create_app(Workspace(Path(home)), config, guarded=False), config, listening, lambda: None)


def _end_with_input() -> None:
    sys.stdin.buffer.read()
    signal.raise_signal(signal.SIGTERM)


if __name__ == "__main__":
    main()

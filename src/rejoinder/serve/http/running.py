"""Running the app: a socket, and a server that ends its streams when it is told to stop."""

from __future__ import annotations

import signal
import socket
import sys
from collections.abc import Callable
from types import FrameType

import uvicorn
from fastapi import FastAPI

from rejoinder.errors import UsageError
from rejoinder.serve.http.config import ServeConfig
from rejoinder.serve.http.connection import make_protocol
from rejoinder.serve.http.services import Services

_BACKLOG = 512
_UNREAD = 131_072  # bytes that the kernel keeps for a reader; left alone it keeps up to 4 MB
_TURN = 0.0005  # seconds a thread keeps the interpreter while another wants it: whoever answers must not wait for who searches
_LAST_SECONDS = 10  # for what is under way when the server is told to stop


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there; port 0 takes a free one.

    Raises:
        UsageError: the address cannot be listened at.
    """
    listening: socket.socket | None = None
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _UNREAD)  # its connections have the same
        listening.bind(address)
        listening.listen(_BACKLOG)
        listening.setblocking(False)
    except OSError as error:
        if listening is not None:
            listening.close()
        raise UsageError(f"cannot listen at {host} port {port}: {error.strerror or error}; choose another --port") from error
    return listening


def url_of(listening: socket.socket) -> str:
    """Where a browser on this machine finds the server."""
    host, port = listening.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared with, not bound to
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def run(app: FastAPI, config: ServeConfig, listening: socket.socket, ready: Callable[[], None]) -> None:
    """Answer until told to stop; `ready` is called once it does."""
    settings = uvicorn.Config(
        app,
        http=make_protocol(config),
        ws="none",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=_LAST_SECONDS,
    )
    server = _Server(settings, app.state.services, ready)
    sys.setswitchinterval(_TURN)
    before = {number: signal.signal(number, _ended) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        server.run(sockets=[listening])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _ended(_: int, __: FrameType | None) -> None:
    """Uvicorn raises a signal again when it has obeyed it; by then all is done."""


class _Server(uvicorn.Server):
    """Tells the streams when to end, and the caller when it has begun."""

    def __init__(self, config: uvicorn.Config, services: Services, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._parts, self._ready = services, ready

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._parts.stopping.set()
        super().handle_exit(sig, frame)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()

"""One connection: it has no patience with a peer that falls silent or never reads, and parts politely from one that still sends.

Uvicorn waits for ever for the first request, for the rest of one, and for an answer to be read. It closes a connection on which
a request is still coming, and the kernel then resets it, so that the answer (413, mostly) is lost: here what comes is read and
thrown away for a while first (RFC 9112, 9.6).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from rejoinder.serve.http.config import ServeConfig
from rejoinder.serve.http.failures import failure

_LEAST_READ = 65_536  # bytes that a peer must read in the time of one `patience`, where so much waits for it
_MOST_DISCARDED = 2**30  # bytes thrown away for the sake of a polite end


class _Transport:
    """A transport that, told to close while a request is still coming, lets it come first."""

    def __init__(self, transport: asyncio.Transport, linger: Callable[[], bool]) -> None:
        """`linger`: begins to throw away what comes; False if nothing is coming."""
        self._transport, self._linger, self._closing = transport, linger, False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        return self._closing or self._transport.is_closing()

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            if not self._linger():
                self._transport.close()


class _Connection(H11Protocol):
    """HTTP over a connection that ends within `patience` seconds of the peer doing nothing."""

    limits = ServeConfig()
    _silence: asyncio.TimerHandle | None = None
    _deafness: asyncio.TimerHandle | None = None
    _refused = False
    _discarded: int | None = None  # bytes; None: what comes is a request

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(_Transport(transport, self._linger))  # type: ignore[arg-type]
        if len(self.connections) > self.limits.connections:
            self._answer(503, "too many connections; try again in a second")
            return
        self._silence = self.loop.call_later(self.limits.patience, self._close_if_silent)

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._silence, self._deafness):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._discarded is None:
            super().data_received(data)
            return
        self._discarded += len(data)
        if self._discarded > _MOST_DISCARDED:
            self.transport.abort()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._expect_reading()

    def send_400_response(self, msg: str) -> None:
        self._answer(400, "this is no HTTP request")

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._silence is not None:
            self._silence.cancel()
        if not self.transport.is_closing():
            self._silence = self.loop.call_later(self.timeout_keep_alive + self.limits.patience, self._close_if_silent)

    def _close_if_silent(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self.transport.abort()

    def _answer(self, status: int, message: str) -> None:
        """Say what is wrong before there is a request, and close."""
        said = failure(status, message, headers=[("connection", "close")])
        head = h11.Response(status_code=status, headers=said.raw_headers)
        for event in (head, h11.Data(data=bytes(said.body)), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self._refused = True
        self.transport.close()

    def _linger(self) -> bool:
        """Throw away what comes, for a while; False where nothing is coming, so that what was answered need only be read."""
        if not self._refused and self.conn.their_state not in (h11.SEND_BODY, h11.ERROR):
            self._expect_reading()
            return False
        self._discarded = 0
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._deafness = self.loop.call_later(self.limits.patience, self.transport.abort)
        return True

    def _expect_reading(self) -> None:
        """Hang up on a peer that does not read what waits for it."""
        if self._deafness is not None:
            self._deafness.cancel()
        waiting = self.transport.get_write_buffer_size()
        if waiting:
            self._deafness = self.loop.call_later(self.limits.patience, self._abort_if_deaf, waiting)

    def _abort_if_deaf(self, before: int) -> None:
        if self.transport.get_write_buffer_size() > max(before - _LEAST_READ, 0):
            self.transport.abort()
        else:
            self._expect_reading()


def make_protocol(config: ServeConfig) -> type[H11Protocol]:
    """The same within these limits."""
    return type("LimitedConnection", (_Connection,), {"limits": config})

"""How much may be asked: bytes of a request, seconds for it to arrive, seconds for the answer to begin, bytes of all answers.

A request is read whole before the app sees it, and counted while it is read, whatever its header says. An answer goes out in
pieces, each when the one before it has been read; while large ones wait for their readers, further large ones are refused.
"""

from __future__ import annotations

import asyncio
from time import perf_counter

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rejoinder.serve.http.config import ServeConfig
from rejoinder.serve.http.failures import failure

_PIECE = 65_536  # bytes that are handed over at a time; an answer no larger than this is never refused
ARRIVED = "rejoinder.arrived"  # in the scope: `perf_counter` seconds when the head of the request had come


class RequestLimits:
    """Stands between the guard and the app."""

    def __init__(self, app: ASGIApp, config: ServeConfig) -> None:
        """Let through to `app` what is within the limits of `config`."""
        self._app = app
        self._config = config
        self._held = 0  # bytes of large answers that have not been read yet

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what is too large, or takes too long."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope[ARRIVED] = perf_counter()
        length = Headers(scope=scope).get("content-length", "0")
        if not length.isdecimal() or int(length) > self._config.body:
            await self._too_large(scope, receive, send)
            return
        try:
            async with asyncio.timeout(self._config.patience):
                body = await _read(receive, self._config.body)
        except TimeoutError:
            await failure(408, "the request did not come to its end", headers=[("connection", "close")])(scope, receive, send)
            return
        if body is None:
            await self._too_large(scope, receive, send)
            return
        await self._ask(scope, _again(body, receive), send)

    async def _too_large(self, scope: Scope, receive: Receive, send: Send) -> None:
        told = f"a request may have {self._config.body:,} bytes at most"
        await failure(413, told, headers=[("connection", "close")])(scope, receive, send)

    async def _ask(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Have the app answer; an answer that was not ready in time is refused, one that was begun ends there."""
        start: Message | None = None  # held back until it is known whether there is room for what follows
        begun = refused = False

        async def paced(message: Message) -> None:
            nonlocal start, begun, refused
            if message["type"] == "http.response.start":
                start = message
                return
            size = len(message.get("body", b""))
            if not begun and self._has_no_room(size):
                refused = True
                await failure(503, "too much waits to be read; try again in a second", code="busy")(scope, receive, send)
            if refused:
                return
            if not begun and start is not None:
                begun = True
                await send(start)
            await self._in_pieces(message, size, send)

        try:
            async with asyncio.timeout(self._config.longest):
                await self._app(scope, receive, paced)
        except TimeoutError:
            if not begun:
                await failure(503, f"no answer within {self._config.longest:g} seconds; ask for less")(scope, receive, send)
            else:
                await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _has_no_room(self, size: int) -> bool:
        return size > _PIECE and self._held > 0 and self._held + size > self._config.held

    async def _in_pieces(self, message: Message, size: int, send: Send) -> None:
        """Hand over a part of an answer, a piece at a time."""
        if size <= _PIECE:
            await send(message)
            return
        body, more = message["body"], message.get("more_body", False)
        self._held += size
        try:
            for begin in range(0, size, _PIECE):
                end = begin + _PIECE
                await send({**message, "body": body[begin:end], "more_body": more or end < size})
        finally:
            self._held -= size


async def _read(receive: Receive, most: int) -> bytes | None:
    """The whole body; None if it is larger than `most` bytes."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b""
        part = message.get("body", b"")
        size += len(part)
        if size > most:
            return None
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


def _again(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body that was read, then what comes after it."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay

"""How much may be asked: bytes of a request, seconds for it to arrive, seconds for the answer to begin.

A request is read whole before the app sees it, and counted while it is read, whatever its header says.
"""

from __future__ import annotations

import asyncio
from time import perf_counter

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rejoinder.serve.http.config import ServeConfig
from rejoinder.serve.http.failures import failure

ARRIVED = "rejoinder.arrived"  # in the scope: `perf_counter` seconds when the head of the request had come


class Limits:
    """Stands between the guard and the app."""

    def __init__(self, app: ASGIApp, config: ServeConfig) -> None:
        """Let through to `app` what is within the limits of `config`."""
        self._app = app
        self._config = config

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
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            async with asyncio.timeout(self._config.longest):
                await self._app(scope, receive, watched)
        except TimeoutError:
            if not begun:
                await failure(503, f"no answer within {self._config.longest:g} seconds; ask for less")(scope, receive, send)
            else:
                await send({"type": "http.response.body", "body": b"", "more_body": False})


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

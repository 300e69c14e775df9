"""What stands between the limits and the routes: one spelling for each path and verb, and plain words where there is no route."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rejoinder.serve.http.failures import failure


class Spelling:
    """A slash at the end of a path is passed over, and HEAD is answered as GET, without the body."""

    def __init__(self, app: ASGIApp) -> None:
        """Stand before `app`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on in the one spelling."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["path"]
        if len(path) > 1 and path.endswith("/"):
            scope["path"] = path.rstrip("/") or "/"
            scope["raw_path"] = scope.get("raw_path", path.encode()).rstrip(b"/") or b"/"
        if scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def without_body(message: Message) -> None:
            await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

        asked = {**scope, "method": "GET"}
        try:
            await self._app(asked, receive, without_body)
        finally:
            scope.update({name: asked[name] for name in ("route", "endpoint") if name in asked})  # for whoever counts


class KnownRoutes:
    """The routes of the API, as people are told of them."""

    def __init__(self, routers: Sequence[APIRouter]) -> None:
        """All routes of these."""
        self._routes: list[Any] = [route for router in routers for route in router.routes]

    def of(self, scope: Scope) -> BaseRoute | None:
        """The route that answers, if one does."""
        return next((route for route in self._routes if route.matches(scope)[0] is Match.FULL), None)

    async def nowhere(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Say that there is no such route, and which there are; or which verb the path takes."""
        verbs = sorted(
            verb for route in self._routes if route.matches(scope)[0] is not Match.NONE for verb in route.methods or ()
        )
        if verbs:
            told = f"this path takes {' and '.join(verbs)}"
            await failure(405, told, headers=[("allow", ", ".join(verbs))])(scope, receive, send)
            return
        lines = [f"{'|'.join(sorted(route.methods))} {route.path}" for route in self._routes]
        said = f"there is no such route; routes: {', '.join(lines)}; /openapi.json describes them"
        await failure(404, said, code="not_found")(scope, receive, send)

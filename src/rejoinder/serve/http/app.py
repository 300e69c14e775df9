"""The app: routes, and what stands before them.

metrics  ->  guard (who may ask)  ->  limits (how much)  ->  spelling  ->  routes  ->  a few threads  ->  engine, archive
                                                                     ->  all but keystrokes: a second process of the same app
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from rejoinder import __version__
from rejoinder.home.open_home import OpenHome
from rejoinder.home.pairing import Pairings
from rejoinder.home.workspace import Workspace
from rejoinder.serve.api import browse, own, pairing, suggest, switch
from rejoinder.serve.http.backend import Backend, Forward
from rejoinder.serve.http.config import ServeConfig
from rejoinder.serve.http.failures import add_failures
from rejoinder.serve.http.guard import Guard
from rejoinder.serve.http.limits import RequestLimits
from rejoinder.serve.http.metrics import Metrics, MetricsMiddleware
from rejoinder.serve.http.routing import KnownRoutes, Spelling
from rejoinder.serve.http.services import Services
from rejoinder.serve.http.sessions import Sessions
from rejoinder.serve.http.workers import Workers
from rejoinder.serve.openai import routes as openai_routes

_log = logging.getLogger(__name__)
_LOOK_AGAIN = 1.0  # seconds between looks at whether the home has changed
_DESCRIPTION = "Finishes sentences and proposes replies, from an archive on this machine. It never posts anywhere."


_ROUTERS = (suggest.router, browse.router, own.router, switch.router, pairing.router, openai_routes.router)


def create_app(
    space: Workspace, config: ServeConfig | None = None, backend: Backend | None = None, *, guarded: bool = True
) -> FastAPI:
    """The server of one home. Nothing is loaded before it is asked for; see `Services.opened`.

    Args:
        space: the home.
        config: who may ask, and how much.
        backend: the process that answers all but keystrokes; without one they are answered here.
        guarded: whether to ask who is there; a backend is asked by its own front alone.
    """
    config = config or ServeConfig()
    services = Services(
        config,
        OpenHome(space, lambda told: _log.warning("%s", told)),
        Sessions(config.sessions, config.idle),
        Metrics(),
        Workers(config.quick, config.waiting, "quick"),
        Workers(config.slow, config.waiting, "slow"),
        backend,
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        looking = asyncio.create_task(_look_again(services))
        yield
        services.stopping.set()
        looking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await looking
        services.quick.close()
        services.slow.close()

    app = FastAPI(
        title="rejoinder", version=__version__, description=_DESCRIPTION, lifespan=lifespan, docs_url=None, redoc_url=None
    )
    app.state.services = services
    add_failures(app)
    for router in _ROUTERS:
        app.include_router(router)
    known = KnownRoutes(_ROUTERS)
    app.mount("/", Page(known), name="page")
    if backend is not None:
        app.add_middleware(Forward, backend=backend, known=known)
    app.add_middleware(Spelling)
    app.add_middleware(RequestLimits, config=config)
    if guarded:
        app.add_middleware(Guard, config=config, pairings=Pairings(space.home))
    app.add_middleware(MetricsMiddleware, metrics=services.metrics)
    return app


class Page(StaticFiles):
    """The files of the page; whatever else is asked for is not here."""

    def __init__(self, known: KnownRoutes) -> None:
        """`known`: the routes that people are told of."""
        super().__init__(directory=Path(__file__).parents[1] / "page", html=True)
        self._known = known

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with a file, if there is one."""
        if scope["method"] == "GET" and self._has(self.get_path(scope)):
            await super().__call__(scope, receive, send)
        else:
            await self._known.nowhere({**scope, "root_path": ""}, receive, send)

    def _has(self, path: str) -> bool:
        try:
            return self.lookup_path(path)[1] is not None
        except (OSError, ValueError):  # what no file can be called
            return False


async def _look_again(services: Services) -> None:
    """Let go of what was fitted again or forgotten while the server runs."""
    while True:
        await asyncio.sleep(_LOOK_AGAIN)
        try:
            await services.slow(services.refresh)
        except Exception as error:  # whatever it is, the next look may do better
            _log.warning("could not look at the home again: %s", type(error).__name__)

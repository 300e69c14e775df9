"""The app: routes, and what stands before them.

watch (counts)  ->  guard (who may ask)  ->  limits (how much)  ->  routes  ->  a few threads  ->  engine, archive
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

from rejoinder import __version__
from rejoinder.home.open_home import OpenHome
from rejoinder.home.workspace import Workspace
from rejoinder.serve.api import browse, own, suggest
from rejoinder.serve.http.config import ServeConfig
from rejoinder.serve.http.failures import add_failures
from rejoinder.serve.http.guard import Guard
from rejoinder.serve.http.limits import Limits
from rejoinder.serve.http.metrics import Metrics, MetricsMiddleware
from rejoinder.serve.http.services import Services
from rejoinder.serve.http.sessions import Sessions
from rejoinder.serve.http.workers import Workers
from rejoinder.serve.openai import routes as openai_routes

_log = logging.getLogger(__name__)
_PAGE = Path(__file__).parents[1] / "page"
_LOOK_AGAIN = 5.0  # seconds between looks at whether the home has changed
_DESCRIPTION = "Finishes sentences and proposes replies, from an archive on this machine. It never posts anywhere."


def create_app(space: Workspace, config: ServeConfig | None = None) -> FastAPI:
    """The server of one home. Nothing is loaded before it is asked for; see `Services.opened`."""
    config = config or ServeConfig()
    services = Services(
        config,
        OpenHome(space, lambda told: _log.warning("%s", told)),
        Sessions(config.sessions, config.idle),
        Metrics(),
        Workers(config.quick, config.waiting, "quick"),
        Workers(config.slow, config.waiting, "slow"),
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
    for router in (suggest.router, browse.router, own.router, openai_routes.router):
        app.include_router(router)
    if _PAGE.is_dir():
        app.mount("/", StaticFiles(directory=_PAGE, html=True), name="page")
    app.add_middleware(Limits, config=config)
    app.add_middleware(Guard, config=config)
    app.add_middleware(MetricsMiddleware, metrics=services.metrics)
    return app


async def _look_again(services: Services) -> None:
    """Let go of what was fitted again or forgotten while the server runs."""
    while True:
        await asyncio.sleep(_LOOK_AGAIN)
        try:
            await services.slow(services.refresh)
        except Exception as error:  # whatever it is, the next look may do better
            _log.warning("could not look at the home again: %s", type(error).__name__)

"""What is counted of the requests, for Prometheus and the log: route, status and time, never what was asked.

A defect that comes this far is answered, and logged by its kind and place: its message might hold a draft.
"""

from __future__ import annotations

import logging
import traceback
from time import perf_counter
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rejoinder.serve.http.failures import failure

_log = logging.getLogger(__name__)
TOKENS = b"rejoinder_tokens"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.08, 0.15, 0.3, 0.6, 1.0, 2.5, 10.0)


class Metrics:
    """The counters of one app, in a registry of their own."""

    def __init__(self) -> None:
        """Begin to count: a registry with every counter at zero."""
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "rejoinder_requests", "Requests answered.", ["method", "route", "status"], registry=self._registry
        )
        self.suggest = Histogram(
            "rejoinder_suggest_seconds", "From a keystroke's arrival to its answer.", buckets=_SECONDS, registry=self._registry
        )
        self.shown = Counter("rejoinder_suggest_shown", "Keystrokes answered with ghost text.", registry=self._registry)
        self.cut = Counter("rejoinder_suggest_cut", "Searches that the deadline ended.", registry=self._registry)
        self.superseded = Counter(
            "rejoinder_suggest_superseded", "Keystrokes that a newer one overtook.", registry=self._registry
        )
        self.rung = Counter("rejoinder_suggest_rung", "Which rung answered a keystroke.", ["rung"], registry=self._registry)
        self.tokens = Counter(TOKENS.decode(), "Tokens of completions.", ["model"], registry=self._registry)
        self.sessions = Gauge("rejoinder_sessions", "Drafts whose state is kept.", registry=self._registry)

    def text(self) -> bytes:
        """All of them, as Prometheus reads them."""
        return generate_latest(self._registry)


class MetricsMiddleware:
    """Counts every request with its status and time, whoever answers it."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        """Count what `app` answers."""
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, count, and answer a defect."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = perf_counter(), 0

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        except Exception as error:
            where = "".join(traceback.format_tb(error.__traceback__))
            _log.error("a defect at %s: %s\n%s", _route(scope), type(error).__name__, where)
            if not status:
                status = 500
                await failure(500, "a defect of rejoinder; the server's log says where")(scope, receive, send)
        finally:
            self._metrics.requests.labels(_method(scope), _route(scope), status or 499).inc()  # 499: the client hung up first
            _log.info("%s %s %d %.1f ms", _method(scope), _route(scope), status or 499, 1000 * (perf_counter() - began))


def _route(scope: Scope) -> str:
    """The path as the app declares it, so that there are few, and none says what was asked for."""
    route: Any = scope.get("route")
    return str(getattr(route, "path", None) or "other")


def _method(scope: Scope) -> str:
    """The verb, where it is one that this server knows."""
    return str(scope["method"]) if getattr(scope.get("route"), "methods", None) else "other"

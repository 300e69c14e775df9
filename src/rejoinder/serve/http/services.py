"""What the routes of one app share: its settings, the opened home, the drafts under way, the counters and the worker threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar, cast

from fastapi import Request

from rejoinder.home.open_home import OpenHome
from rejoinder.serve.http.backend import Backend
from rejoinder.serve.http.config import ServeConfig
from rejoinder.serve.http.failures import Failure
from rejoinder.serve.http.metrics import Metrics
from rejoinder.serve.http.sessions import Sessions
from rejoinder.serve.http.workers import Workers

T = TypeVar("T")
_TRIES = 5  # to read a home that is being changed


@dataclass
class Services:
    """One of each; `services_of` finds them for a route."""

    config: ServeConfig
    opened: OpenHome
    sessions: Sessions
    metrics: Metrics
    quick: Workers  # what a keystroke waits for
    slow: Workers  # everything else
    backend: Backend | None = None  # the process that answers all but keystrokes
    generation: int = 0  # how often the home has changed
    stopping: threading.Event = field(default_factory=threading.Event)  # streams end when it is set

    def refresh(self) -> int:
        """See whether the home has changed, and begin anew if so; how often it has changed by now."""
        if self.opened.refresh():
            self.generation += 1
        return self.generation

    def current(self, job: Callable[[], T]) -> T:
        """What `job` answers of the home as it is when it ends: what was forgotten meanwhile is in no answer.

        Raises:
            Failure: the home changes faster than it can be read.
        """
        for _ in range(_TRIES):
            before = self.refresh()
            found = job()
            if self.refresh() == before:
                return found
        raise Failure(503, "what is learned here is being changed; try again in a second", code="busy")

    async def read(self, job: Callable[[], T]) -> T:
        """`current`, by one of the slow threads."""
        return await self.slow(lambda: self.current(job))


def services_of(request: Request) -> Services:
    """Those of the app that was asked."""
    return cast(Services, request.app.state.services)

"""What the routes of one app share: its settings, the opened home, the drafts under way, the counters and the worker threads."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import cast

from fastapi import Request

from rejoinder.home.open_home import OpenHome
from rejoinder.serve.http.backend import Backend
from rejoinder.serve.http.config import ServeConfig
from rejoinder.serve.http.metrics import Metrics
from rejoinder.serve.http.sessions import Sessions
from rejoinder.serve.http.workers import Workers


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

    def refresh(self) -> None:
        """See whether the home has changed, and begin anew if so."""
        if self.opened.refresh():
            self.generation += 1

    def own_changed(self) -> None:
        """What the person wrote is not as it was: the drafts under way begin anew with it."""
        self.opened.forget_own()
        self.generation += 1


def services_of(request: Request) -> Services:
    """Those of the app that was asked."""
    return cast(Services, request.app.state.services)

"""Waiting for what another process does."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep
from typing import Any


def until(
    true: Callable[[], Any],
    seconds: float,
    told: str | Callable[[], str] = "it never came",
    going: Callable[[], bool] = lambda: True,
    pause: float = 0.01,
) -> Any:
    """Wait until something is true, while whatever is waited for is still `going`; what `true` says then."""
    ends = monotonic() + seconds
    while not (found := true()):
        assert going()
        assert monotonic() < ends, told() if callable(told) else told
        sleep(pause)
    return found


def listens(place: Path) -> bool:
    """Whether a socket of this machine takes connections: its file is there a moment before it does."""
    with socket.socket(socket.AF_UNIX) as tried:
        return tried.connect_ex(str(place)) == 0

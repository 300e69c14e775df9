"""Drafts in the making: what the typing engine knows of each, so that one more letter costs one more step.

A session is a name that the client chooses or is given. It is dropped when too many newer ones are in use, or when it has not
been used for a while; a client notices nothing, since everything is read again from the draft it sends.
"""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from time import monotonic
from typing import Any


class Session:
    """One draft. `sequence` is the newest keystroke's; what an older one asked for is no longer wanted."""

    def __init__(self, name: str) -> None:
        """A session that knows nothing yet."""
        self.name = name
        self.turn = asyncio.Lock()  # one keystroke at a time waits for a thread
        self.used = monotonic()
        self._sequence = -1
        self._lock = threading.Lock()  # one thread at a time works on it
        self._about: Hashable = None
        self._typing: Any = None

    def begin(self, sequence: int | None) -> int:
        """The number of a keystroke that has just come, the next if it has none; an older one's counts for nothing."""
        number = self._sequence + 1 if sequence is None else sequence
        self._sequence = max(self._sequence, number)
        self.used = monotonic()
        return number

    def overtaken(self, number: int) -> bool:
        """Whether a newer keystroke has come since."""
        return self._sequence > number

    def work(self, about: Hashable, open_one: Callable[[], Any], ask: Callable[[Any], Any]) -> Any:
        """What `ask` makes of the typing session about `about`: the one there is, if it is about the same, else a new one."""
        with self._lock:
            if self._typing is None or self._about != about:
                self._typing, self._about = open_one(), about
            return ask(self._typing)


class Sessions:
    """The sessions in use, the least lately used first. Asked from one event loop."""

    def __init__(self, most: int, idle: float) -> None:
        """At most `most`, none that has not been used for `idle` seconds."""
        self._most, self._idle = most, idle
        self._by_name: OrderedDict[str, Session] = OrderedDict()

    def __len__(self) -> int:
        """How many there are."""
        return len(self._by_name)

    def get(self, name: str | None) -> Session:
        """The session of that name, a new one if there is none; without a name, a new one with a name nobody can guess."""
        name = name or secrets.token_urlsafe(12)
        found = self._by_name.pop(name, None) or Session(name)
        found.used = monotonic()
        self._by_name[name] = found
        oldest = monotonic() - self._idle
        while len(self._by_name) > self._most or next(iter(self._by_name.values())).used < oldest:
            self._by_name.popitem(last=False)
        return found

    def clear(self) -> None:
        """Drop every draft, so that the next request begins anew."""
        self._by_name.clear()

"""Work that would hold up the event loop is done by a few threads; what would have to wait too long is turned away."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from rejoinder.serve.http.failures import Failure

T = TypeVar("T")


class Workers:
    """A few threads and a queue that is no longer than it should be. Asked from one event loop."""

    def __init__(self, threads: int, waiting: int, name: str) -> None:
        """At most `waiting` jobs wait for one of `threads`."""
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._threads = threads
        self._most = threads + waiting
        self._jobs = 0  # begun and waiting
        self._counting = threading.Lock()

    @property
    def waiting(self) -> int:
        """How many jobs wait."""
        return max(self._jobs - self._threads, 0)

    @property
    def share(self) -> float:
        """The part of the time left that a job may take, so that those that wait have as much."""
        return self._threads / (self._threads + self.waiting)

    async def __call__(self, job: Callable[[], T]) -> T:
        """What `job` returns, done by one of the threads.

        Whoever stops waiting for it does not stop it; what has not begun then never will.

        Raises:
            Failure: too many wait already.
        """
        if self._jobs >= self._most:
            raise Failure(503, "too much to do at the moment; try again in a second", code="busy")
        with self._counting:
            self._jobs += 1
        future = self._pool.submit(job)
        future.add_done_callback(self._done)  # in the thread that did it, before it takes the next
        return await asyncio.wrap_future(future)

    def _done(self, _: Future[T]) -> None:
        with self._counting:
            self._jobs -= 1

    def close(self) -> None:
        """Begin nothing more, and wait for what was begun."""
        self._pool.shutdown(wait=True, cancel_futures=True)

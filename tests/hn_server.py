"""A real HTTP server on loopback that plays the Hacker News API (v0) over a dict of items, with faults on demand.

    with HackerNewsServer(forum({1: None, 2: 1})) as server:
        server.fault("item/2.json", status(500), times=1)
        ...                                   # point the client at server.url
        assert server.requests["item/2.json"] == 2

An item that is not in the dict is answered with `null`, as the real API does.
"""

from __future__ import annotations

import copy
import json
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

Record = dict[str, Any]
PATIENCE = 30.0  # seconds after which a wait inside the server gives up, so that a failing test ends
_CHUNK = b" " * 2**20


@dataclass(frozen=True)
class Fault:
    """What a path does instead of answering as it should; the default answers as it should."""

    status: int = 200
    body: bytes | None = None  # None: the right body
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0  # before the answer
    answers: bool = True  # False: the connection stays open and silent
    hangs_up: bool = False  # the connection is closed without a byte
    megabytes: int = 0  # of spaces before the body


def status(code: int, **headers: str) -> Fault:
    """A status other than 200; `Retry_After="1"` becomes a header."""
    return Fault(code, b'{"error": "no"}', {name.replace("_", "-"): value for name, value in headers.items()})


def value(anything: object) -> Fault:
    """Some other JSON than the right one."""
    return Fault(body=json.dumps(anything).encode())


def page(content_type: str = "text/html; charset=utf-8") -> Fault:
    """A web page with status 200, as a login page or a proxy gives."""
    return Fault(body=b"<!doctype html><title>Sign in</title>", headers={"Content-Type": content_type})


def silence() -> Fault:
    """No answer, ever."""
    return Fault(answers=False)


def hang_up() -> Fault:
    """The connection is closed without an answer."""
    return Fault(hangs_up=True)


def slow(seconds: float) -> Fault:
    """The right answer, late."""
    return Fault(seconds=seconds)


def huge(megabytes: int = 17) -> Fault:
    """The right answer after so many megabytes of white space."""
    return Fault(megabytes=megabytes)


class HackerNewsServer(ThreadingHTTPServer):
    """The server; a context manager that starts and stops it. Its items and faults may be changed while it runs."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self, items: Mapping[int, Record | None], top: list[int] | None = None, changed: list[int] | None = None
    ) -> None:
        """Serve `items`, the ids of the stories at the `top`, and those that `changed` lately."""
        super().__init__(("127.0.0.1", 0), _Handler)
        self.items: dict[int, Record | None] = copy.deepcopy(dict(items))
        self.top = top or []
        self.changed = changed or []
        self.newest: object = None  # None: the largest id of `items`
        self.requests: Counter[str] = Counter()
        self.arrivals: defaultdict[str, list[float]] = defaultdict(list)  # seconds of a clock that only runs forward
        self.most_at_once = 0
        self._faults: dict[str, list[Fault | None]] = {}
        self._always: dict[str, Fault] = {}
        self._at_once = 0
        self._hold_until = 0
        self._changed = threading.Condition()
        self._stopping = threading.Event()

    @property
    def url(self) -> str:
        """What `--api` takes."""
        return f"http://127.0.0.1:{self.server_port}/v0"

    def __enter__(self) -> Self:
        """Start serving, in a thread of its own."""
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Let go of whoever is kept waiting, and stop."""
        self._stopping.set()
        self.shutdown()
        self.server_close()

    def fault(self, name: str, fault: Fault, times: int | None = None) -> None:
        """The next `times` requests for `name` (such as `item/5.json`) meet the fault; None for all of them."""
        if times is None:
            self._always[name] = fault
        else:
            self._faults.setdefault(name, []).extend([fault] * times)

    def mend(self) -> None:
        """No more faults; and forget what was asked so far."""
        self._faults.clear()
        self._always.clear()
        self.requests.clear()
        self.arrivals.clear()

    def hold_until(self, at_once: int) -> None:
        """Answer nobody before so many requests are waiting at once."""
        self._hold_until = at_once

    def wait_for(self, name: str) -> None:
        """Return when `name` has been asked for."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.requests[name], PATIENCE), f"nobody asked for {name}"

    @property
    def items_asked(self) -> Counter[int]:
        """How often each item was asked for."""
        asked = {name: count for name, count in self.requests.items() if name.startswith("item/")}
        return Counter({int(name[len("item/") : -len(".json")]): count for name, count in asked.items()})

    # --- for the handler -----------------------------------------------------------------------------------------

    def arrive(self, name: str) -> Fault:
        """Note a request, and say how it is to be answered."""
        with self._changed:
            self.requests[name] += 1
            self.arrivals[name].append(time.monotonic())
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            self._changed.notify_all()
            if self._hold_until:
                self._changed.wait_for(lambda: self._at_once >= self._hold_until or not self._hold_until, PATIENCE)
                self._hold_until = 0
                self._changed.notify_all()
            queue = self._faults.get(name)
            return (queue.pop(0) if queue else None) or self._always.get(name) or Fault()

    def leave(self) -> None:
        """A request is about to be answered; called before its last byte leaves, so that nobody is counted twice."""
        with self._changed:
            self._at_once -= 1

    def wait_until_stopped(self) -> None:
        """For a connection that stays silent."""
        self._stopping.wait(PATIENCE)

    def answer(self, name: str) -> object:
        """What the API says; KeyError for a path it does not have."""
        if name.startswith("item/"):
            return self.items.get(int(name[len("item/") :].removesuffix(".json")))
        known = {
            "maxitem.json": max(self.items, default=0) if self.newest is None else self.newest,
            "topstories.json": self.top,
            "updates.json": {"items": self.changed, "profiles": ["somebody"]},
        }
        return known[name]

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that left is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: HackerNewsServer

    def do_GET(self) -> None:
        name = self.path.removeprefix("/v0/")
        fault = self.server.arrive(name)
        if fault.seconds:
            time.sleep(fault.seconds)
        if not fault.answers:
            self.server.wait_until_stopped()
        self.server.leave()
        if fault.hangs_up or not fault.answers:
            self.close_connection = True
            return
        code, body = fault.status, fault.body
        if body is None:
            try:
                body = json.dumps(self.server.answer(name)).encode()
            except (KeyError, ValueError):
                code, body = 404, b'{"error": "404 Not Found"}'
        self.send_response(code)
        for header, text in {"Content-Type": "application/json; charset=utf-8", **fault.headers}.items():
            self.send_header(header, text)
        self.send_header("Content-Length", str(len(body) + fault.megabytes * len(_CHUNK)))
        self.end_headers()
        for _ in range(fault.megabytes):
            self.wfile.write(_CHUNK)
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:
        pass


def forum(parents: Mapping[int, int | None]) -> dict[int, Record]:
    """Items from child -> parent: those without a parent are stories, the others comments; times grow with the ids."""
    items: dict[int, Record] = {}
    for number, parent in parents.items():
        item: Record = {"id": number, "by": f"writer{number}", "time": moment(number)}
        if parent is None:
            items[number] = {**item, "type": "story", "title": f"Story number {number}", "score": number}
        else:
            items[number] = {**item, "type": "comment", "text": f"Words of comment {number}.", "parent": parent}
    for number, parent in parents.items():
        if parent in items:
            items[parent].setdefault("kids", []).append(number)
    return items


def moment(number: int) -> int:
    """When `forum` says that an item was posted, in seconds since 1970: a minute after the item before it."""
    return 1_700_000_000 + 60 * number

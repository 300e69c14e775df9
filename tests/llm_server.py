"""A real HTTP server on loopback that plays a language model behind the OpenAI API, with faults on demand.

    with LLMServer() as server:
        server.fault("chat/completions", status(500))
        ...                                     # point the rung at server.url

The model repeats the words of the last post. Its log-probabilities are those of a cache: a word that stood in the text before is
likelier than one that did not, so that texts about the same things go together.
"""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from math import log
from types import TracebackType
from typing import Any, Self

PATIENCE = 30.0  # seconds after which a wait inside the server gives up, so that a failing test ends
WORDS = 1_000  # that the model knows
_TOKEN = re.compile(r"\s*\S+|\s+\Z")


@dataclass(frozen=True)
class Fault:
    """What a path does instead of answering as it should."""

    code: int = 200
    body: bytes | None = None  # None: the right body
    headers: Mapping[str, str] = field(default_factory=dict)
    silent: bool = False  # no answer, ever
    drips: bool = False  # the answer comes byte by byte, for as long as anybody waits


def status(code: int, said: str = "no", **headers: str) -> Fault:
    return Fault(code, json.dumps({"error": {"message": said}}).encode(), headers)


def value(anything: object) -> Fault:
    return Fault(body=json.dumps(anything).encode())


def choice(**fields: object) -> Fault:
    """An answer with one choice."""
    return value({"choices": [fields]})


def tokens(text: str) -> list[str]:
    """Words, each with the white space before it; joined they are the text."""
    return _TOKEN.findall(text)


def nats(text: str) -> list[float | None]:
    """ln((1 + how often the word stood before) / (WORDS + the words before)), and None for the first."""
    seen: Counter[str] = Counter()
    found: list[float | None] = []
    for token in tokens(text):
        word = token.strip().lower()
        found.append(log((1 + seen[word]) / (WORDS + seen.total())) if found else None)
        seen[word] += 1
    return found


class LLMServer(ThreadingHTTPServer):
    """The server; a context manager that starts and stops it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.models = ["toy-1", "toy-2"]
        self.asked: list[tuple[str, dict[str, Any]]] = []  # path and body of each question
        self.headers: list[dict[str, str]] = []
        self.says: str | None = None  # what the model answers, if not the words of the last post
        self.ends = "stop"
        self.faults: dict[str, Fault] = {}
        self.stopping = threading.Event()

    @property
    def url(self) -> str:
        """What `llm.base_url` takes."""
        return f"http://127.0.0.1:{self.server_port}/v1"

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stopping.set()
        self.shutdown()
        self.server_close()

    def fault(self, path: str, fault: Fault) -> None:
        """From now on questions to `path` (such as `models`, or `echo`) meet the fault."""
        self.faults[path] = fault

    def answer(self, path: str, body: Mapping[str, Any]) -> object:
        """What a model behind the API answers; KeyError for a path it does not have."""
        if path == "models":
            return {"object": "list", "data": [{"id": name, "object": "model"} for name in self.models]}
        text = body["messages"][-1]["content"] if path == "chat/completions" else body["prompt"]
        if body.get("echo"):
            logprobs = {"tokens": tokens(text), "token_logprobs": nats(text)}
            return {"choices": [{"text": text, "index": 0, "logprobs": logprobs, "finish_reason": "length"}]}
        last = text.rpartition("Post:\n")[2].partition("\n\nReply:")[0]
        said = f"About {' '.join(last.split())[:80]} I say {body['seed']}." if self.says is None else self.says
        made = {"message": {"role": "assistant", "content": said}} if path == "chat/completions" else {"text": said}
        return {"choices": [{"index": 0, "finish_reason": self.ends, **made}]}

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that left is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: LLMServer

    def do_GET(self) -> None:
        self.meet({})

    def do_POST(self) -> None:
        self.meet(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def meet(self, body: dict[str, Any]) -> None:
        path = self.path.removeprefix("/v1/")
        self.server.asked.append((path, body))
        self.server.headers.append(dict(self.headers))
        fault = self.server.faults.get("echo" if body.get("echo") else path, Fault())
        if fault.silent:
            self.server.stopping.wait(PATIENCE)
            self.close_connection = True
            return
        if fault.drips:
            self.drip()
            return
        code, said = fault.code, fault.body
        if said is None:
            try:
                said = json.dumps(self.server.answer(path, body)).encode()
            except KeyError:
                code, said = 404, b'{"error": {"message": "no such path"}}'
        self.send_response(code)
        for name, text in {"Content-Type": "application/json", **fault.headers}.items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def drip(self) -> None:
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Length", "1000000")
        self.end_headers()
        for _ in range(round(PATIENCE / 0.02)):
            if not self.server.stopping.wait(0.02):
                self.wfile.write(b" ")

    def log_message(self, format: str, *args: object) -> None:
        pass


@cache
def shared() -> LLMServer:
    """A server for tests that change nothing of it; it runs until the process ends."""
    return LLMServer().__enter__()

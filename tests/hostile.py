"""Requests that mean harm, made at random from what servers get wrong; and what every error must look like."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import numpy as np

GETS = (
    "/v1/posts/11",
    "/v1/threads/11",
    "/v1/search?q=a",
    "/v1/rungs",
    "/v1/models",
    "/v1/own",
    "/v1/switch",
    "/v1/pairings",
    "/health",
    "/metrics",
    "/openapi.json",
    "/",
    "/ladder",
    "/v1/ladder",
    "/v1/nothing",
    "/v1/posts/%00",
    "/v1/posts/-1",
    "/../../etc/passwd",
    "/%2e%2e/%2e%2e/etc/passwd",
    "/v1/search?q=%ff%fe",
    "/v1/search?k=1e9&q=(((",
    "/v1//models//",
    "/" + "a" * 3_000,
)
POSTS = (
    "/v1/suggest",
    "/v1/reply",
    "/v1/own",
    "/v1/switch",
    "/v1/pair",
    "/v1/pair/claim",
    "/v1/pairings",
    "/v1/completions",
    "/v1/chat/completions",
    "/v1/embeddings",
    "/v1/inspect/cell",
    "/v1/x",
)
VERBS = ("GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "get", "B\x00D", "")
FIELDS = (
    "draft context session deadline_ms gate blocked sequence own text k generate all layer cells model prompt messages n "
    "temperature top_p stop seed stream max_tokens logprobs echo input encoding_format dimensions stream_options role content"
).split()
VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    2**31,
    2**63,
    -(2**63) - 1,
    1e308,
    -0.0,
    "",
    "a",
    "\x00",
    "\ud83d",
    "é" * 50,
    "a" * 5_000,
    [],
    [[]],
    [1, 2],
    ["a"],
    [""],
    {},
    {"item": 11},
    {"item": -1},
    {"text": "Why does my engine stall ?"},
    {"posts": [{"text": "a"}]},
    "kneser_ney",
    "bm25",
    "Let the",
    [{"role": "user", "content": "Why ?"}],
    [{"role": "user", "content": None}],
    [{"role": "user", "content": [{"type": "image_url"}]}],
    {"include_usage": True},
    "base64",
    "__proto__",
    "../../etc/passwd",
    "'; DROP TABLE post; --",
    "{{7*7}}",
    "<script>",
)
_TO_SUGGEST = b"POST /v1/suggest HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
RAW = (
    b"",
    b"\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00",
    b"GET",
    b"GET /\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\x00" * 200,
    b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n",
    b"GET /health HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\n\r\n",
    b"GET /health HTTP/1.1\r\nHost : localhost\r\n\r\n",
    b"GET /health HTTP/1.1\r\n" + b"A: b\r\n" * 20_000 + b"\r\n",
    _TO_SUGGEST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
    _TO_SUGGEST + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
    _TO_SUGGEST + b"Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n",
    _TO_SUGGEST + b"Content-Length: 99999999999999999999\r\n\r\n",
    b"GET /health HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: a\r\n\r\n",
)

BODIES = (b"[" * 5_000, b"{", b"\xff\xfe", b"nul", b'{"draft": 1e999}', b"[]", b'"a"', b"1", b'{"a": ' * 3_000)


def requests(seed: int) -> Iterator[bytes]:
    """One after the other, without end."""
    rng = np.random.default_rng(seed)
    while True:
        if rng.random() < 0.15:
            raw = RAW[rng.integers(len(RAW))]
            yield raw[: rng.integers(len(raw) + 1)] if rng.random() < 0.3 else raw
            continue
        get = rng.random() < 0.3
        paths = GETS if get else POSTS
        verb = VERBS[rng.integers(len(VERBS))] if rng.random() < 0.1 else "GET" if get else "POST"
        body = b"" if get else body_of(rng)
        kind = "text/plain" if rng.random() < 0.05 else "application/json"
        size = len(body) + (int(rng.integers(-2, 3)) if rng.random() < 0.05 else 0)
        head = f"{verb} {paths[rng.integers(len(paths))]} HTTP/1.{rng.integers(2)}\r\nHost: localhost\r\nConnection: close\r\n"
        yield head.encode() + f"Content-Type: {kind}\r\nContent-Length: {max(size, 0)}\r\n\r\n".encode() + body


def body_of(rng: np.random.Generator) -> bytes:
    """The body of a POST: any fields with any values; now and then no JSON, or JSON that is deep or broken off."""
    chosen = rng.random()
    if chosen < 0.05:
        return (b"[" * 5_000, b"{", b"\xff\xfe", b"nul", b'{"draft": 1e999}', b"[]", b'"a"', b"1", b'{"a": ' * 3_000)[
            rng.integers(9)
        ]
    fields = {FIELDS[place]: VALUES[rng.integers(len(VALUES))] for place in rng.integers(len(FIELDS), size=rng.integers(1, 7))}
    if chosen < 0.7:  # sound, but for that
        fields = {"max_tokens": 3, **{name: VALUES[rng.integers(10, len(VALUES))] for name in ("draft", "prompt")}, **fields}
    body = json.dumps(fields).encode()
    return body[: rng.integers(len(body))] if chosen > 0.97 else body


def answer_to(port: int, sent: bytes) -> bytes:
    """All that the server says until it hangs up; b"" if it resets."""
    with closing(socket.create_connection(("127.0.0.1", port), timeout=30)) as connection:
        said = b""
        try:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            while piece := connection.recv(65_536):
                said += piece
        except (ConnectionResetError, BrokenPipeError):
            pass
    return said


def fault_of(said: bytes) -> str | None:
    """What is wrong with an answer: a status of 500 and above, or an error that is not of the documented shape."""
    if not said:
        return None
    head, _, body = said.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    body = body[
        : next((int(line[15:]) for line in lines if line.lower().startswith(b"content-length:")), None)
    ]  # the first of several
    status = int(lines[0].split(b" ")[1])
    if status >= 500:
        return f"status {status}"
    if status < 400 or not body:
        return None if status < 400 or b"content-length" in head.lower() else f"no body for {status}"
    try:
        error = json.loads(body)["error"]
    except (ValueError, KeyError, TypeError):
        return f"{status} in another shape: {body[:100]!r}"
    return None if set(error) == {"message", "type", "param", "code"} and error["message"] else f"{status}: {error}"

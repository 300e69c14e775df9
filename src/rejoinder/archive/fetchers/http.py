"""Asking a service over HTTP, with manners: one request at a time, pauses between them, longer ones where it asks for them.

Only GET is spoken, to the one host that was named, and for GraphQL, which knows nothing else, questions by POST that can change
nothing. A token is sent to no other host, and never in the clear.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple, Self

import httpx

from rejoinder.errors import SourceError, UsageError

AGENT = "rejoinder (reader)"
LARGEST_ANSWER = 64 * 2**20  # bytes
LONGEST_WAIT = 300.0  # seconds that are waited for a service; whoever asks for more is asked again in the next run
_HERE = ("localhost", "127.0.0.1", "::1")
_RATE_LEFT, _RATE_RESET = "x-ratelimit-remaining", "x-ratelimit-reset"  # as GitHub and Zulip name them


@dataclass(frozen=True)
class Manners:
    """How to ask."""

    pause: float = 1.0  # seconds between two requests
    timeout: float = 30.0  # seconds for one answer
    attempts: int = 5
    backoff: float = 2.0  # seconds before the second attempt; doubled before each further one


@dataclass(frozen=True)
class Access:
    """What a service knows one by."""

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    basic: tuple[str, str] | None = field(default=None, repr=False)  # name and key


NOBODY = Access()


class JsonAnswer(NamedTuple):
    """JSON, and the address of the next page where the service names one."""

    value: Any
    next: str | None


class Reader:
    """A connection to one service; a context manager."""

    def __init__(self, base: str, manners: Manners, access: Access = NOBODY) -> None:
        """Nothing is sent before the first request.

        Raises:
            UsageError: `base` is no address, or a token would go over the wire in the clear.
        """
        try:
            address = httpx.URL(base)
        except httpx.InvalidURL as error:
            raise UsageError(f"{base}: not an address that can be asked ({error})") from error
        if address.scheme not in ("http", "https") or not address.host:
            raise UsageError(f"{base}: not an address that can be asked; give one such as https://forum.example.org")
        if address.scheme == "http" and (access.headers or access.basic) and address.host not in _HERE:
            raise UsageError(f"{base}: a token is only sent over https")
        self.base, self.host = base.rstrip("/"), address.host
        self._manners, self._last = manners, 0.0
        auth = httpx.BasicAuth(*access.basic) if access.basic else None
        headers = {"User-Agent": AGENT, "Accept": "application/json", **access.headers}
        self._client = httpx.Client(timeout=manners.timeout, headers=headers, auth=auth)

    def __enter__(self) -> Self:
        """The connection, in which nothing was sent yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection; the service is not told."""
        self._client.close()

    def pages(self, path: str, **query: object) -> Iterator[Any]:
        """The JSON at a path and at all the pages that follow it, as `Link: <...>; rel="next"` names them."""
        following: str | None = str(httpx.URL(f"{self.base}{path}", params=_given(query)))
        while following:
            answer = self._get(following)
            yield answer.value
            following = answer.next
            if following and httpx.URL(following).host != self.host:
                raise SourceError(f"{self.base}: its next page is elsewhere ({following[:80]}); not asked")

    def get(self, path: str, **query: object) -> Any:
        """The JSON at a path below the base.

        Raises:
            SourceError: the service does not answer, refuses, or asks to wait for long.
        """
        return self._get(str(httpx.URL(f"{self.base}{path}", params=_given(query)))).value

    def question(self, address: str, query: str, **variables: object) -> Any:
        """The data that GraphQL answers to a query, at an address of the same host.

        Raises:
            SourceError: as `get` does; or the service says what is wrong with the question, or that it may not be asked.
            ValueError: it is no query, and might change something; or another host is asked.
        """
        if not query.startswith("query") or "mutation" in query or httpx.URL(address).host != self.host:
            raise ValueError(f"only queries are asked, of {self.host} alone")
        asked = json.dumps({"query": query, "variables": variables}).encode()
        value = self._get(address, asked).value
        data = value.get("data") if isinstance(value, dict) else None
        if not isinstance(data, dict) or not all(found is not None for found in data.values()):
            raise SourceError(f"{address}: {_complaint(value)}")
        return data

    def _get(self, address: str, question: bytes | None = None) -> JsonAnswer:
        wait, problem = self._manners.backoff, ""
        shown = address.partition("?")[0]
        for attempt in range(1, self._manners.attempts + 1):
            time.sleep(max(self._last + self._manners.pause - time.monotonic(), 0.0))
            asked: float | None = None
            try:
                status, headers, body = self._read(address, question)
            except httpx.HTTPError as error:
                problem = "no answer in time" if isinstance(error, httpx.TimeoutException) else f"no answer ({error})"
            else:
                if status == 200:
                    answer = JsonAnswer(_value(body, headers, shown), _next(headers))
                    if question is None or "RATE_LIMITED" not in _error_types(answer.value):
                        return answer
                asked = _asked(headers)
                spent = status == 200 or (status in (403, 429) and headers.get(_RATE_LEFT) == "0")
                if status != 429 and status < 500 and not spent and not (status == 403 and asked is not None):
                    raise SourceError(f"{shown}: {_refused(status, headers)}")
                problem = f"status {status}"
            finally:
                self._last = time.monotonic()
            pause = wait if asked is None else asked
            if pause > LONGEST_WAIT:
                raise SourceError(f"{self.host} asks to wait {pause / 60:,.0f} minutes; the same command goes on from here then")
            if attempt < self._manners.attempts:
                time.sleep(pause)
            wait *= 2
        raise SourceError(f"{shown}: {problem} ({self._manners.attempts} attempts); the same command goes on from here")

    def _read(self, address: str, question: bytes | None) -> tuple[int, httpx.Headers, bytes]:
        body = bytearray()
        verb, kind = ("GET", {}) if question is None else ("POST", {"Content-Type": "application/json"})
        with self._client.stream(verb, address, content=question, headers=kind) as response:
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > LARGEST_ANSWER:
                    raise SourceError(f"{address}: an answer of more than {LARGEST_ANSWER // 2**20} MiB was cut off")
        return response.status_code, response.headers, bytes(body)


def _given(query: Mapping[str, object]) -> dict[str, Any]:
    return {name: value for name, value in query.items() if value is not None}


def _value(body: bytes, headers: httpx.Headers, address: str) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        kind = headers.get("content-type", "of unknown type")
        raise SourceError(f"{address}: an answer that is not JSON ({kind}); is the address right?") from None


def _errors(value: Any) -> list[dict[str, Any]]:
    """What GraphQL says is wrong; it does so under status 200."""
    errors = value.get("errors") if isinstance(value, dict) else None
    return [error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []


def _error_types(value: Any) -> set[str]:
    return {str(error.get("type")) for error in _errors(value)}


def _complaint(value: Any) -> str:
    said = " ".join(str(error.get("message")) for error in _errors(value)) or f"expected data; got {str(value)[:60]!r}"
    return said[:300]


def _next(headers: httpx.Headers) -> str | None:
    for part in headers.get("link", "").split(","):
        target, _, rest = part.partition(";")
        if 'rel="next"' in rest:
            return str(target.strip().strip("<>"))
    return None


def _asked(headers: httpx.Headers) -> float | None:
    """Seconds that the service asks to wait: `Retry-After` in seconds or as a date, or when its rate begins anew."""
    after = headers.get("retry-after", "")
    with suppress(ValueError):
        return max(float(after), 0.0)
    with suppress(ValueError, TypeError):
        return max(parsedate_to_datetime(after).timestamp() - time.time(), 0.0)
    if headers.get(_RATE_LEFT) == "0":
        with suppress(ValueError):
            return max(float(headers.get(_RATE_RESET, "")) - time.time(), 0.0) + 1.0
    return None


def _refused(status: int, headers: httpx.Headers) -> str:
    if 300 <= status < 400:
        return f"it has moved to {headers.get('location', 'elsewhere')[:120]}; give that address"
    why = {401: "it wants a token, or another one", 403: "it does not let one read this", 404: "there is nothing there"}
    return f"status {status}: {why.get(status, 'is the address right?')}"

"""The official Hacker News API (v0), read only: there is no call here, or anywhere, that writes to a forum.

Requests run side by side up to a bound, are tried again with growing pauses, and are limited in time and size. An item the
API answers with `null` is a deleted one.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import httpx

from rejoinder.archive.source import BATCH_SIZE, Gone, Hasher, Item, Skipped, text_size
from rejoinder.archive.sources.hackernews import read_record
from rejoinder.archive.values import LARGEST
from rejoinder.errors import SourceError
from rejoinder.post import Post

OFFICIAL = "https://hacker-news.firebaseio.com/v0"
LARGEST_ANSWER = 16 * 2**20  # bytes
LONGEST_PAUSE = 30.0  # seconds, also where the server asks for more
_FEWEST = 8  # items that must have failed, at the least, before an API is taken to be down
_LARGEST_PORT = 65_535


@dataclass(frozen=True)
class ApiConfig:
    """How to speak to the API."""

    url: str = OFFICIAL
    concurrency: int = 16  # requests at a time
    timeout: float = 10.0  # seconds for one answer
    attempts: int = 4
    pause: float = 0.25  # seconds before the second attempt; doubled before each further one


@dataclass(frozen=True)
class Answer:
    """One item as read: what goes into the archive, and the ids it speaks of."""

    id: int
    item: Item
    parent: int | None = None
    kids: tuple[int, ...] = ()
    time: int | None = None


class HackerNewsApi:
    """An open connection to the API; an async context manager."""

    def __init__(self, config: ApiConfig, hash_author: Hasher) -> None:
        """Nothing is sent before the first request."""
        self.config = config
        self._hash_author = hash_author
        self._failed = 0  # requests in a row that failed
        self._slots = asyncio.Semaphore(config.concurrency)
        try:
            address = httpx.URL(config.url)
        except httpx.InvalidURL as error:
            raise SourceError(f"{config.url}: not an address that can be asked ({error}); is --api right?") from error
        if address.scheme not in ("http", "https") or not address.host or (address.port or 0) > _LARGEST_PORT:
            raise SourceError(f"{config.url}: not an address that can be asked; is --api right?")
        limits = httpx.Limits(max_connections=config.concurrency)
        self._client = httpx.AsyncClient(timeout=config.timeout, limits=limits, headers={"User-Agent": "rejoinder (reader)"})

    async def __aenter__(self) -> Self:
        """The open connection."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connections to the API."""
        await self._client.aclose()

    async def newest(self) -> int:
        """The largest item id there is."""
        value = await self._get("maxitem.json")
        if type(value) is not int:
            raise SourceError(f"{self.config.url}/maxitem.json: expected a number; got {str(value)[:60]!r}; is --api right?")
        return value

    async def top(self, count: int) -> list[int]:
        """The ids of the `count` stories at the top now (the API knows at most 500)."""
        return self._ids(await self._get("topstories.json"), "topstories.json")[:count]

    async def updates(self) -> list[int]:
        """The ids of items that changed lately."""
        value = await self._get("updates.json")
        return self._ids(value.get("items") if isinstance(value, dict) else value, "updates.json")

    async def items(self, ids: Sequence[int]) -> tuple[list[Answer], dict[int, SourceError]]:
        """The items that could be read, and the errors of those that could not.

        Once those that were read hold about `BATCH_SIZE` characters of text, the rest is in neither: it was not asked for.
        """
        turns, size = asyncio.Semaphore(self.config.concurrency), 0

        async def one(number: int) -> Answer | None:
            nonlocal size
            async with turns:
                if size > BATCH_SIZE:
                    return None
                answer = await self.item(number)
                size += text_size(answer.item)
                return answer

        results = await asyncio.gather(*map(one, ids), return_exceptions=True)
        answers: list[Answer] = []
        failures: dict[int, SourceError] = {}
        for number, result in zip(ids, results, strict=True):
            if isinstance(result, Answer):
                answers.append(result)
            elif isinstance(result, SourceError):
                failures[number] = result
            elif result is not None:
                raise result
        return answers, failures

    async def item(self, number: int) -> Answer:
        """What the API has at that number: a post with what answers it, one that is gone, or why it is left out."""
        where = f"item/{number}.json"
        record = await self._get(where)
        if record is None:
            return Answer(number, Gone(number, where))
        item = read_record(record, where, self._hash_author)
        if not isinstance(record, Mapping) or not isinstance(item, Post):
            return Answer(number, item)
        if item.id != number:
            return Answer(number, Skipped("another item than the one asked for", where))
        kids = record.get("kids") or []
        known = tuple(kid for kid in kids if type(kid) is int and 0 < kid <= LARGEST) if isinstance(kids, list) else ()
        return Answer(number, item, item.parent, known, item.time)

    def _ids(self, value: Any, name: str) -> list[int]:
        if not isinstance(value, list) or not all(type(number) is int and 0 < number <= LARGEST for number in value):
            raise SourceError(f"{self.config.url}/{name}: expected a list of ids; got {str(value)[:60]!r}; is --api right?")
        return value

    async def _get(self, name: str) -> Any:
        """The JSON at `name`, tried `attempts` times."""
        address = f"{self.config.url.rstrip('/')}/{name}"
        pause = self.config.pause
        problem = ""
        for attempt in range(1, self.config.attempts + 1):
            wait = pause
            try:
                async with self._slots:
                    if self._failed >= max(self.config.concurrency, _FEWEST) * self.config.attempts:
                        problem = problem or f"not asked any more, since the last {self._failed} requests failed"
                        break
                    self._failed += 1
                    async with asyncio.timeout(self.config.timeout):
                        status, body, headers = await self._read(address)
            except (httpx.HTTPError, TimeoutError) as error:
                problem = (
                    "no answer in time" if isinstance(error, TimeoutError | httpx.TimeoutException) else f"no answer ({error})"
                )
            except (httpx.InvalidURL, ValueError) as error:
                raise SourceError(f"{address}: not an address that can be asked ({error}); is --api right?") from error
            else:
                if status == 200:
                    try:
                        value = json.loads(body)
                        self._failed = 0
                        return value
                    except (ValueError, RecursionError):
                        problem = f"an answer that is not JSON ({headers.get('content-type', 'of unknown type')})"
                elif status == 429 or status >= 500:
                    problem = f"status {status}"
                    wait = _asked_pause(headers, pause)
                else:
                    raise SourceError(f"{address}: status {status}; is --api right?")
            problem = f"{problem} (attempt {attempt} of {self.config.attempts})"
            if attempt < self.config.attempts:
                await asyncio.sleep(min(wait, LONGEST_PAUSE))
                pause *= 2
        raise SourceError(f"{address}: {problem}")

    async def _read(self, address: str) -> tuple[int, bytes, httpx.Headers]:
        body = bytearray()
        async with self._client.stream("GET", address) as response:
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > LARGEST_ANSWER:
                    raise SourceError(f"{address}: an answer of more than {LARGEST_ANSWER // 2**20} MiB was cut off")
        return response.status_code, bytes(body), response.headers


def _asked_pause(headers: httpx.Headers, otherwise: float) -> float:
    """Seconds that the server asks to wait (`Retry-After` in seconds; the form with a date is not used by the API)."""
    try:
        return max(float(headers.get("retry-after", "")), 0.0)
    except ValueError:
        return otherwise

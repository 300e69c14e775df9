"""Pages of a service into the archive, each with the bookmark from which the next run goes on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from rejoinder.archive.places import Place
from rejoinder.archive.source import Hasher, Source
from rejoinder.archive.store import Archive, Counts

Bookmark = dict[str, Any]


class FetchedPage(NamedTuple):
    """An answer as a source reads it: the records to take, none where there are none, and where to go on after them."""

    records: Any
    bookmark: Bookmark
    raw: bytes = b""  # instead of records, where the form is no JSON


class Fetch(NamedTuple):
    """What to read."""

    source: Source  # which reads the pages
    hasher: Hasher
    pages: Callable[[Bookmark], Iterator[FetchedPage]]  # those that follow a bookmark; {} for the first
    scope: str = ""  # tells bookmarks within one place apart


def run(archive: Archive, place: Place, fetch: Fetch, counts: Counts) -> Iterator[int]:
    """Take in page after page; yields how many were.

    Raises:
        SourceError: the service failed; what was read is kept, and the next run goes on from there.
    """
    key = _key(place, fetch.scope)
    bookmark = json.loads(archive.meta(key, "{}"))
    with TemporaryDirectory(prefix="rejoinder-") as scratch:
        for number, page in enumerate(fetch.pages(bookmark), start=1):
            if page.records or page.raw:
                file = Path(scratch) / f"page-{number}.json"
                file.write_bytes(page.raw or json.dumps(page.records).encode())
                archive.add(fetch.source.read(file, fetch.hasher), counts, at=place)
                file.unlink()
            with archive.writing():
                archive.set_meta(key, json.dumps(page.bookmark))
            yield number


def _key(place: Place, scope: str) -> str:
    """Under which an archive keeps the bookmark; `forget --source` takes it away."""
    return f"bookmark {place.number} {scope}"

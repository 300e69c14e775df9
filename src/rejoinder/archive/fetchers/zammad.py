"""Zammad: the tickets one may read, with their articles; of each again when it has changed."""

from __future__ import annotations

from collections.abc import Iterator

from rejoinder.archive.fetchers.http import Reader
from rejoinder.archive.fetchers.run import Bookmark, FetchedPage
from rejoinder.archive.sources.zammad import Zammad
from rejoinder.errors import SourceError

_PER_PAGE = 100


def source(base: str) -> Zammad:
    """The source of that help desk, whose articles have an address."""
    made: Zammad = type("Desk", (Zammad,), {"link": f"{base}/#ticket/zoom/{{id}}"})()
    return made


def tickets(reader: Reader, bookmark: Bookmark) -> Iterator[FetchedPage]:
    """Every ticket that changed since the last run came to its end; one broken off goes on with the page it was at."""
    since, newest, number = bookmark.get("since", ""), bookmark.get("newest", ""), bookmark.get("page", 1)
    while True:
        listed = reader.get("/api/v1/tickets", page=number, per_page=_PER_PAGE, expand="true")
        if not isinstance(listed, list):
            raise SourceError(f"{reader.base}/api/v1/tickets: expected a list of tickets; got {str(listed)[:60]!r}")
        for ticket in listed:
            changed = str(ticket.get("updated_at"))
            if changed > since:
                articles = reader.get(f"/api/v1/ticket_articles/by_ticket/{ticket['id']}")
                newest = max(newest, changed)
                yield FetchedPage({"ticket": ticket, "articles": articles}, {"since": since, "newest": newest, "page": number})
        if len(listed) < _PER_PAGE:
            break
        number += 1
    yield FetchedPage(None, {"since": max(newest, since)})

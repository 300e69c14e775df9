"""FreeScout (and Help Scout, whose form it has): conversations with their threads, as the API gives them (`?embed=threads`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from rejoinder.archive.json_pages import page_records
from rejoinder.archive.peek import peek
from rejoinder.archive.source import Hasher, Item, Skipped, Source
from rejoinder.archive.tickets import Entry, Ticket, items

_PLACES = {"_embedded.threads.body": (), "_embedded.conversations._embedded.threads.body": ("_embedded", "conversations")}


class FreeScout(Source):
    """Conversations."""

    name = "freescout"
    what = "conversations of FreeScout or Help Scout with their threads"
    marks = "a subject, and threads under _embedded"

    def recognises(self, path: Path) -> bool:
        """Whether there are threads."""
        return any(name in peek(path).fields for name in _PLACES)

    def read(self, path: Path, hasher: Hasher) -> Iterator[Item]:
        """The conversations, each from its beginning.

        Raises:
            SourceError: the file cannot be read, or breaks off.
        """
        at = next((place for name, place in _PLACES.items() if name in peek(path).fields), ())
        for row in page_records(path, at):
            if isinstance(row.value, Skipped):
                yield row.value
                continue
            yield from items(partial(_ticket, row.value), hasher, row.where)


SOURCE = FreeScout()


def _ticket(conversation: Mapping[str, Any]) -> Ticket:
    threads = (conversation.get("_embedded") or {}).get("threads") or ()
    entries = [_entry(one) for one in threads if isinstance(one, Mapping)]
    return Ticket(conversation.get("id"), conversation.get("subject"), entries)


def _entry(thread: Mapping[str, Any]) -> Entry:
    get, who = thread.get, thread.get("createdBy") or thread.get("customer") or {}
    return Entry(
        id=get("id"), text=get("body"), markup="html", time=get("createdAt"), author=who.get("email") or who.get("id"),
        agent=get("type") != "customer", private=get("type") == "note" or get("state") == "draft",
        notice=get("type") == "lineitem",
    )  # fmt: skip

"""Freshdesk: tickets with their conversations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from rejoinder.archive.json_pages import page_records
from rejoinder.archive.peek import peek
from rejoinder.archive.source import Hasher, Item, Skipped, Source
from rejoinder.archive.tickets import Entry, Ticket, items


class Freshdesk(Source):
    """Tickets."""

    name = "freshdesk"
    what = "tickets of Freshdesk with their conversations"
    marks = "a ticket with requester_id and description, and conversations"

    def recognises(self, path: Path) -> bool:
        """Whether there is such a ticket."""
        fields = set(peek(path).fields)
        return any(
            {f"{at}requester_id", f"{at}description"} <= fields and "conversations" in {f.split(".")[0] for f in fields}
            for at in ("", "ticket.")
        )

    def read(self, path: Path, hasher: Hasher) -> Iterator[Item]:
        """The tickets, each with its conversation.

        Raises:
            SourceError: the file cannot be read, or breaks off.
        """
        for row in page_records(path):
            if isinstance(row.value, Skipped):
                yield row.value
                continue
            yield from items(partial(_ticket, row.value), hasher, row.where)


SOURCE = Freshdesk()


def _ticket(record: Mapping[str, Any]) -> Ticket:
    inside = record.get("ticket")
    ticket = inside if isinstance(inside, Mapping) else record
    said = record.get("conversations") or ticket.get("conversations") or ()
    entries = [_question(ticket), *(_entry(one) for one in said if isinstance(one, Mapping))]
    return Ticket(ticket.get("id"), ticket.get("subject"), entries)


def _question(ticket: Mapping[str, Any]) -> Entry:
    get = ticket.get
    return Entry(
        id="question", text=get("description") or get("description_text"), markup="html" if get("description") else "plain",
        time=get("created_at"), author=get("requester_id"), agent=False,
    )  # fmt: skip


def _entry(one: Mapping[str, Any]) -> Entry:
    get = one.get
    return Entry(
        id=get("id"), text=get("body") or get("body_text"), markup="html" if get("body") else "plain", time=get("created_at"),
        author=get("user_id"), agent=not get("incoming"), private=get("private"),
    )  # fmt: skip

"""Zendesk: an account's export (a ticket a line, its comments inside), or tickets and comments as the API gives them.

A page of comments alone says nothing of its ticket: such a page is read as a ticket of its own, named by its file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from rejoinder.archive.json_records import json_records
from rejoinder.archive.peek import peek
from rejoinder.archive.source import Hasher, Item, Skipped, Source
from rejoinder.archive.tickets import Entry, Ticket, items

_BODY = ("html_body", "plain_body", "body")


class Zendesk(Source):
    """Tickets."""

    name = "zendesk"
    what = "tickets of Zendesk with their comments"
    marks = "tickets with requester_id and description; comments with author_id and public"

    def recognises(self, path: Path) -> bool:
        """Whether there are such tickets or comments."""
        fields = set(peek(path).fields)
        return any({f"{at}comments.author_id", f"{at}comments.public"} <= fields for at in ("", "tickets.", "ticket.")) or (
            {"tickets.requester_id", "tickets.description"} <= fields
        )

    def read(self, path: Path, hasher: Hasher) -> Iterator[Item]:
        """The tickets, each with its comments.

        Raises:
            SourceError: the file cannot be read, or breaks off.
        """
        fields = peek(path).fields
        at = ("tickets",) if "tickets.id" in fields else ("ticket",) if "ticket.comments.author_id" in fields else ()
        for row in json_records(path, at):
            if isinstance(row.value, Skipped):
                yield row.value
                continue
            yield from items(partial(_ticket, row.value, path.stem), hasher, row.where)


SOURCE = Zendesk()


def _ticket(ticket: Mapping[str, Any], name: str) -> Ticket:
    entries = [_entry(one, ticket) for one in ticket.get("comments") or () if isinstance(one, Mapping)] or [_question(ticket)]
    return Ticket(ticket.get("id") or name, ticket.get("raw_subject") or ticket.get("subject"), entries)


def _question(ticket: Mapping[str, Any]) -> Entry:
    return Entry(
        "question", ticket.get("description"), "plain", ticket.get("created_at"), ticket.get("requester_id"), agent=False
    )


def _entry(comment: Mapping[str, Any], ticket: Mapping[str, Any]) -> Entry:
    get = comment.get
    kind = next((name for name in _BODY if get(name)), "body")
    asked = ticket.get("requester_id") or (ticket.get("requester") or {}).get("id")
    first = (ticket.get("comments") or [{}])[0].get("author_id")
    return Entry(
        id=get("id"), text=get(kind), markup="html" if kind == "html_body" else "plain", time=get("created_at"),
        author=get("author_id"), agent=get("author_id") != (asked or first), private=get("public") is False,
    )  # fmt: skip

"""Zammad: a ticket's articles (`/api/v1/ticket_articles/by_ticket/ID`), or tickets with their articles inside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from rejoinder.archive.json_records import json_records
from rejoinder.archive.peek import peek
from rejoinder.archive.source import Hasher, Item, Skipped, Source
from rejoinder.archive.tickets import Entry, Ticket, grouped, items

_WITHIN = ("articles.", "ticket.articles.")


class Zammad(Source):
    """Tickets."""

    name = "zammad"
    what = "tickets of Zammad with their articles, as its API gives them"
    marks = "articles with ticket_id, sender, internal and body"

    def recognises(self, path: Path) -> bool:
        """Whether there are articles."""
        fields = set(peek(path).fields)
        return any({f"{at}sender", f"{at}internal", f"{at}body"} <= fields for at in ("", *_WITHIN))

    def read(self, path: Path, hasher: Hasher) -> Iterator[Item]:
        """The articles, ticket by ticket.

        Raises:
            SourceError: the file cannot be read, or breaks off.
        """
        for where, found in grouped(json_records(path), lambda article: article.get("ticket_id")):
            values = [row.value for row in found if not isinstance(row.value, Skipped)]
            yield from (row.value for row in found if isinstance(row.value, Skipped))
            if values and "ticket_id" in values[0]:
                yield from items(partial(_ticket, values), hasher, where)
            else:
                for value in values:
                    yield from items(partial(_whole, value), hasher, where)


SOURCE = Zammad()


def _ticket(articles: list[dict[str, Any]]) -> Ticket:
    return Ticket(articles[0]["ticket_id"], articles[0].get("subject"), _entries(articles))


def _whole(record: Mapping[str, Any]) -> Ticket:
    """The ticket of a record that is one, or holds one, with its articles inside."""
    inside = record.get("ticket")
    ticket = inside if isinstance(inside, Mapping) else record
    return Ticket(
        ticket.get("id") or ticket.get("number"), ticket.get("title"), _entries(record.get("articles") or ticket.get("articles"))
    )


def _entries(articles: Any) -> list[Entry]:
    known = {str(one.get("message_id")): one.get("id") for one in articles if isinstance(one, Mapping) and one.get("message_id")}
    return [
        Entry(
            id=one.get("id"),
            text=one.get("body"),
            markup="html" if one.get("content_type") == "text/html" else "plain",
            time=one.get("created_at"),
            author=one.get("from") or one.get("created_by"),
            agent=one.get("sender") == "Agent",
            private=one.get("internal"),
            notice=one.get("sender") == "System",
            answers=known.get(str(one.get("in_reply_to"))),
        )
        for one in articles
        if isinstance(one, Mapping)
    ]

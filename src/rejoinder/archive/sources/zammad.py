"""Zammad: a ticket's articles (`/api/v1/ticket_articles/by_ticket/ID`), or tickets with their articles inside."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rejoinder.archive.mail.message import writer
from rejoinder.archive.tickets import Ticket, TicketEntry, TicketSource

_STATES = {"1": "new", "2": "open", "3": "pending", "4": "closed", "6": "pending"}  # by their ids, as Zammad comes


class Zammad(TicketSource):
    """Tickets: the articles of one follow each other, or lie inside a record."""

    name = "zammad"
    what = "tickets of Zammad with their articles, as its API gives them"
    marks = "articles with ticket_id, sender, internal and body"
    places = {f"{at}sender {at}internal {at}body": "" for at in ("", "articles.", "ticket.articles.")}
    key = "ticket_id"

    def ticket(self, values: list[dict[str, Any]], path: Path) -> Ticket:
        """The ticket of some articles, or of a record with articles inside."""
        if "ticket_id" in values[0]:
            return Ticket(values[0]["ticket_id"], values[0].get("subject"), _entries(values))
        return _whole(values[0])


SOURCE = Zammad()


def _whole(record: Mapping[str, Any]) -> Ticket:
    """The ticket of a record that is one, or holds one, with its articles inside."""
    inside = record.get("ticket")
    ticket = inside if isinstance(inside, Mapping) else record
    return Ticket(
        ticket.get("id") or ticket.get("number"),
        ticket.get("title"),
        _entries(record.get("articles") or ticket.get("articles")),
        status=ticket.get("state") or _STATES.get(str(ticket.get("state_id"))),
    )


def _writer(article: Mapping[str, Any]) -> object:
    """The address of whoever wrote; the agents of a desk share one, and are told apart by their accounts."""
    by, sender = article.get("created_by"), article.get("from")
    if by and (article.get("sender") == "Agent" or not sender):
        return by
    return writer(sender) if isinstance(sender, str) and "@" in sender else sender


def _entries(articles: Any) -> list[TicketEntry]:
    known = {str(one.get("message_id")): one.get("id") for one in articles if isinstance(one, Mapping) and one.get("message_id")}
    return [
        TicketEntry(
            id=one.get("id"),
            text=one.get("body"),
            markup="html" if one.get("content_type") == "text/html" else "plain",
            time=one.get("created_at"),
            author=_writer(one),
            agent=one.get("sender") == "Agent",
            private=one.get("internal"),
            notice=one.get("sender") == "System",
            mail=one.get("type") == "email" or ("type" not in one and bool(one.get("message_id"))),
            answers=known.get(str(one.get("in_reply_to"))),
        )
        for one in articles
        if isinstance(one, Mapping)
    ]

"""Freshdesk: tickets with their conversations."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rejoinder.archive.peek import peek
from rejoinder.archive.tickets import Ticket, TicketEntry, TicketSource

_BY_MAIL = (0, 8)  # sources of what was said: a reply, a forwarded mail
_TICKETS_BY_MAIL = (1, 10)  # and of tickets: mail, mail that an agent began with
_STATUS = {"2": "open", "3": "pending", "4": "resolved", "5": "closed"}


class Freshdesk(TicketSource):
    """Tickets, each whole."""

    name = "freshdesk"
    what = "tickets of Freshdesk with their conversations"
    marks = "a ticket with requester_id and description, and conversations"
    places = {"requester_id description": "", "ticket.requester_id ticket.description": ""}
    whole = True

    def recognises(self, path: Path) -> bool:
        """Whether there is such a ticket, and conversations."""
        return super().recognises(path) and any(name.split(".")[0] == "conversations" for name in peek(path).fields)

    def ticket(self, values: list[dict[str, Any]], path: Path) -> Ticket:
        """A ticket with what was said about it, which may stand beside it."""
        (record,) = values
        inside = record.get("ticket")
        ticket = inside if isinstance(inside, Mapping) else record
        said = record.get("conversations") or ticket.get("conversations") or ()
        entries = [_question(ticket), *(_entry(one) for one in said if isinstance(one, Mapping))]
        return Ticket(ticket.get("id"), ticket.get("subject"), entries, status=_STATUS.get(str(ticket.get("status"))))


SOURCE = Freshdesk()


def _question(ticket: Mapping[str, Any]) -> TicketEntry:
    get = ticket.get
    return TicketEntry(
        id="question", text=get("description") or get("description_text"), markup="html" if get("description") else "plain",
        time=get("created_at"), author=get("requester_id"), agent=False, mail=get("source") in _TICKETS_BY_MAIL,
    )  # fmt: skip


def _entry(one: Mapping[str, Any]) -> TicketEntry:
    get = one.get
    return TicketEntry(
        id=get("id"), text=get("body") or get("body_text"), markup="html" if get("body") else "plain", time=get("created_at"),
        author=get("user_id"), agent=not get("incoming"), private=get("private"),
        mail=get("source") in _BY_MAIL,
    )  # fmt: skip

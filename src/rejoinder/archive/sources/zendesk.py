"""Zendesk: an account's export (a ticket a line, its comments inside), or tickets and comments as the API gives them.

A page of comments alone says nothing of its ticket: such a page is read as a ticket of its own, named by its file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rejoinder.archive.rest import Named
from rejoinder.archive.tickets import Ticket, TicketEntry, TicketSource

_BODY = ("html_body", "plain_body", "body")


class Zendesk(TicketSource):
    """Tickets, each with its comments."""

    name = "zendesk"
    what = "tickets of Zendesk with their comments"
    marks = "tickets with requester_id and description; comments with author_id and public"
    rest = "save the pages that `next_page` leads to, too (100 a page at most)"
    places = {
        "tickets.id tickets.comments.author_id tickets.comments.public": "tickets",
        "tickets.id tickets.requester_id tickets.description": "tickets",
        "ticket.comments.author_id ticket.comments.public": "ticket",
        "ticket.requester_id ticket.submitter_id ticket.description": "ticket",
        "comments.author_id comments.public": "",
        "requester_id submitter_id description": "",
    }

    def named(self, page: Mapping[str, Any]) -> Iterable[Named]:
        """How many comments, or tickets, there are in all pages, or whether there is a next one."""
        here = page.get("comments") or page.get("tickets") or ()
        if "end_of_stream" in page:  # of an incremental export, which always names a next page
            yield Named("", goes_on=page["end_of_stream"] is not True)
        elif "next_page" in page:
            about = str(page["next_page"] or page.get("previous_page")).partition("?")[0]
            yield Named(about, page.get("count"), len(here), goes_on=page["next_page"] is not None)
        elif "has_more" in (page.get("meta") or {}):
            yield Named("", goes_on=page["meta"]["has_more"] is True)

    def ticket(self, values: list[dict[str, Any]], path: Path) -> Ticket:
        """A ticket with its comments, or a page of comments alone."""
        (ticket,) = values
        entries = [_entry(one, ticket) for one in ticket.get("comments") or () if isinstance(one, Mapping)] or [_question(ticket)]
        return Ticket(
            ticket.get("id") or path.stem,
            ticket.get("raw_subject") or ticket.get("subject"),
            entries,
            status=ticket.get("status"),
        )


SOURCE = Zendesk()


def _question(ticket: Mapping[str, Any]) -> TicketEntry:
    return TicketEntry(
        "question", ticket.get("description"), "plain", ticket.get("created_at"), ticket.get("requester_id"), agent=False,
        mail=_by_mail(ticket),
    )  # fmt: skip


def _entry(comment: Mapping[str, Any], ticket: Mapping[str, Any]) -> TicketEntry:
    get = comment.get
    kind = next((name for name in _BODY if get(name)), "body")
    asked = ticket.get("requester_id") or (ticket.get("requester") or {}).get("id")
    first = (ticket.get("comments") or [{}])[0].get("author_id")
    return TicketEntry(
        id=get("id"), text=get(kind), markup="html" if kind == "html_body" else "plain", time=get("created_at"),
        author=get("author_id"), agent=get("author_id") != (asked or first), private=get("public") is False,
        mail=_by_mail(comment),
    )  # fmt: skip


def _by_mail(record: Mapping[str, Any]) -> bool:
    return (record.get("via") or {}).get("channel") == "email"

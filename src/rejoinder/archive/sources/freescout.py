"""FreeScout (and Help Scout, whose form it has): conversations with their threads, as the API gives them (`?embed=threads`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rejoinder.archive.rest import Named
from rejoinder.archive.tickets import Ticket, TicketEntry, TicketSource


class FreeScout(TicketSource):
    """Conversations, each whole."""

    name = "freescout"
    what = "conversations of FreeScout or Help Scout with their threads"
    marks = "a subject, and threads under _embedded"
    rest = "save the next pages too (`?page=2` and so on)"
    places = {
        "_embedded.threads.body": "",
        "_embedded.conversations._embedded.threads.body": "_embedded.conversations",
    }
    whole = True

    def named(self, page: Mapping[str, Any]) -> Iterable[Named]:
        """How many conversations there are in all pages."""
        if "totalElements" in (page.get("page") or {}):
            yield Named("", page["page"]["totalElements"], len(page["_embedded"]["conversations"]))

    def ticket(self, values: list[dict[str, Any]], path: Path) -> Ticket:
        """A conversation with its threads."""
        (conversation,) = values
        threads = (conversation.get("_embedded") or {}).get("threads") or ()
        entries = [_entry(one) for one in threads if isinstance(one, Mapping)]
        return Ticket(conversation.get("id"), conversation.get("subject"), entries, status=conversation.get("status"))


SOURCE = FreeScout()


def _entry(thread: Mapping[str, Any]) -> TicketEntry:
    get, who = thread.get, thread.get("createdBy") or thread.get("customer") or {}
    return TicketEntry(
        id=get("id"), text=get("body"), markup="html", time=get("createdAt"), author=who.get("email") or who.get("id"),
        agent=get("type") != "customer", private=get("type") == "note" or get("state") == "draft",
        notice=get("type") == "lineitem", mail=(get("source") or {}).get("type") in ("email", "emailfwd"),
    )  # fmt: skip

"""Chatwoot: the messages of a conversation, or a list of conversations, as its API gives them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rejoinder.archive.tickets import Ticket, TicketEntry, TicketSource

_FROM_A_CONTACT, _FROM_AN_AGENT = 0, 1  # message types; what is above is a notice


class Chatwoot(TicketSource):
    """Conversations: the messages of one follow each other, or lie inside a record."""

    name = "chatwoot"
    what = "conversations of Chatwoot, as its API gives them"
    marks = "messages with message_type, conversation_id and content"
    places = {
        "payload.message_type payload.content": "payload",
        "data.payload.messages.message_type data.payload.messages.content": "data.payload",
        "message_type content": "",
    }
    key = "conversation_id"

    def ticket(self, values: list[dict[str, Any]], path: Path) -> Ticket:
        """The conversation of some messages, or that of a record with messages inside."""
        messages = [m for value in values for m in value.get("messages") or [value] if isinstance(m, Mapping) and "content" in m]
        return Ticket(
            values[0].get("conversation_id") or values[0].get("id"),
            _subject(messages) if messages else None,
            map(_entry, messages),
            status=values[0].get("status") if "messages" in values[0] else None,  # a message by itself has one of its own
        )


SOURCE = Chatwoot()


def _subject(messages: list[Mapping[str, Any]]) -> object:
    """The subject of the first mail, if the conversation began with one."""
    mail = (messages[0].get("content_attributes") or {}).get("email")
    return mail.get("subject") if isinstance(mail, Mapping) else None


def _entry(message: Mapping[str, Any]) -> TicketEntry:
    get, who = message.get, message.get("sender") or {}
    return TicketEntry(
        id=get("id"),
        text=get("content"),
        markup="markdown-breaks",
        time=get("created_at"),
        author=who.get("email") or who.get("id") or who.get("name"),
        agent=get("message_type") == _FROM_AN_AGENT,
        private=get("private"),
        notice=get("message_type") not in (_FROM_A_CONTACT, _FROM_AN_AGENT),
        mail=get("content_type") == "incoming_email",
        answers=(get("content_attributes") or {}).get("in_reply_to"),
    )

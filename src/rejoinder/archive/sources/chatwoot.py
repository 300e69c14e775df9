"""Chatwoot: the messages of a conversation, or a list of conversations, as its API gives them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from rejoinder.archive.json_records import json_records
from rejoinder.archive.peek import peek
from rejoinder.archive.source import Hasher, Item, Skipped, Source
from rejoinder.archive.tickets import Entry, Ticket, grouped, items

_PLACES = {"payload.message_type": ("payload",), "data.payload.messages.message_type": ("data", "payload"), "message_type": ()}
_FROM_A_CONTACT, _FROM_AN_AGENT = 0, 1  # message types; what is above is a notice


class Chatwoot(Source):
    """Conversations."""

    name = "chatwoot"
    what = "conversations of Chatwoot, as its API gives them"
    marks = "messages with message_type, conversation_id and content"

    def recognises(self, path: Path) -> bool:
        """Whether there are such messages."""
        fields = peek(path).fields
        return any(name in fields and f"{name.removesuffix('message_type')}content" in fields for name in _PLACES)

    def read(self, path: Path, hasher: Hasher) -> Iterator[Item]:
        """The messages, conversation by conversation.

        Raises:
            SourceError: the file cannot be read, or breaks off.
        """
        fields = peek(path).fields
        at = next((place for name, place in _PLACES.items() if name in fields), ())
        for where, found in grouped(json_records(path, at), lambda message: message.get("conversation_id")):
            yield from (row.value for row in found if isinstance(row.value, Skipped))
            values = [row.value for row in found if not isinstance(row.value, Skipped)]
            if values:
                yield from items(partial(_ticket, values), hasher, where)


SOURCE = Chatwoot()


def _ticket(values: list[dict[str, Any]]) -> Ticket:
    """The conversation of some messages, or that of a record with messages inside."""
    messages = [m for value in values for m in value.get("messages") or [value] if isinstance(m, Mapping) and "content" in m]
    return Ticket(_about(values[0]), _subject(messages) if messages else None, map(_entry, messages))


def _about(value: Mapping[str, Any]) -> object:
    return value.get("conversation_id") or value.get("id")


def _subject(messages: list[Mapping[str, Any]]) -> object:
    """The subject of the first mail, if the conversation began with one."""
    mail = (messages[0].get("content_attributes") or {}).get("email")
    return mail.get("subject") if isinstance(mail, Mapping) else None


def _entry(message: Mapping[str, Any]) -> Entry:
    get, who = message.get, message.get("sender") or {}
    return Entry(
        id=get("id"),
        text=get("content"),
        markup="markdown-breaks",
        time=get("created_at"),
        author=who.get("email") or who.get("id") or who.get("name"),
        agent=get("message_type") == _FROM_AN_AGENT,
        private=get("private"),
        notice=get("message_type") not in (_FROM_A_CONTACT, _FROM_AN_AGENT),
        answers=(get("content_attributes") or {}).get("in_reply_to"),
    )

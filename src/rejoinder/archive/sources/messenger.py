"""Messenger: a conversation out of Facebook's "download your information", or of its encrypted chats' own export, in JSON.

The service writes each byte of UTF-8 as a character of its own; that is undone. Messages have no ids and come newest first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rejoinder.archive.chat import TURNS, ContentIds, Turns
from rejoinder.archive.json_pages import picked_records
from rejoinder.archive.json_records import Row
from rejoinder.archive.json_source import JsonSource
from rejoinder.archive.source import Record
from rejoinder.archive.values import optional, seconds

_NOTICES = ("Call", "Subscribe", "Unsubscribe", "Payment")  # types of messages that nobody wrote
_SAYS_NOTHING = re.compile(  # what the service writes in somebody's name
    r"\bsent (?:an attachment|a photo|a video|a link|a sticker|a GIF|a voice message|a location|a live location)\.$"
    r"|^(?:Reacted \S+ to your message|Liked a message|You are now connected on Messenger\.?)\s*$|\bnamed the group\b"
    r"|\bchanged the (?:chat|group) (?:theme|photo|colou?rs?)\b|\bset (?:the|your|his|her|their) (?:nickname|emoji)\b"
)


class Messenger(JsonSource):
    """One conversation."""

    name = "messenger"
    what = "a conversation of Facebook Messenger or Instagram, in JSON"
    marks = "participants, and messages with sender_name and timestamp_ms"
    threading = TURNS
    beside = "autofill_information.json secret_*.json messenger_contacts*.json *_settings.json support_messages.json"
    places = {
        "messages.sender_name messages.timestamp_ms": "messages",
        "participants messages.senderName messages.timestamp": "messages",
    }

    def rows(self, path: Path) -> Iterator[Row]:
        """The messages, the oldest first.

        Raises:
            SourceError: the file cannot be read, is no JSON, or too large.
        """
        return picked_records(path, _oldest_first)

    def begin(self, path: Path) -> tuple[Turns, ContentIds]:
        """The turns of the conversation, and the ids of its messages."""
        return Turns(), ContentIds()

    def within(self, value: Mapping[str, Any], outer: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], str]]:
        """The message, and whose conversation it is of."""
        yield value, str(outer.get("participants"))

    def record(self, part: tuple[Mapping[str, Any], str], known: tuple[Turns, ContentIds]) -> Record | str:
        """The post of a message."""
        (message, chat), (turns, ids) = part, known
        get = message.get
        text, time, author = (
            mended(str(get("content") or get("text") or "")),
            _time(message),
            get("sender_name") or get("senderName"),
        )
        if get("type") in _NOTICES or "call_duration" in message:
            return "a notice of the service"
        if not text or get("is_unsent") or get("isUnsent") or (get("type") != "text" and _SAYS_NOTHING.search(text)):
            return "no words, only what is attached"
        own = ids.of(chat, time, author, text)
        parent, root = turns.answered(chat, own, optional(seconds, time))
        return Record(id=own, text=text, parent=parent, root=root, time=time, author=mended(str(author or "")))


SOURCE = Messenger()


def _oldest_first(whole: Any) -> list[Mapping[str, Any]]:
    messages = [message for message in whole.get("messages") or () if isinstance(message, Mapping)]
    return sorted(messages, key=lambda message: optional(seconds, _time(message)) or 0)


def _time(message: Mapping[str, Any]) -> object:
    return message.get("timestamp_ms") or message.get("timestamp")


def mended(text: str) -> str:
    """Text whose characters are the bytes of UTF-8, put together again; any other text as it is."""
    try:
        return text.encode("latin-1").decode("utf-8")
    except ValueError:
        return text

"""Discord: channels and threads as DiscordChatExporter writes them to JSON.

A reply names the message it answers; all other messages are turns of a conversation, and those of a thread of Discord's own
belong together however long the silence between them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from math import inf
from pathlib import Path
from typing import Any, NamedTuple

from rejoinder.archive.chat import SILENCE, TURNS, Turns
from rejoinder.archive.json_records import Row, oldest_first
from rejoinder.archive.json_source import JsonSource
from rejoinder.archive.peek import peek
from rejoinder.archive.source import Record
from rejoinder.archive.values import optional, seconds

_REPLY = ("Reply", 19, "19")  # of other types some name a message of another channel: what was forwarded, or followed
_WRITTEN = ("Default", "ThreadStarterMessage", 0, "0", *_REPLY)  # types of messages that somebody wrote


class _Channel(NamedTuple):
    id: str
    title: object  # of a thread
    turns: Turns


class Discord(JsonSource):
    """One channel or thread."""

    name = "discord"
    what = "a Discord channel, as DiscordChatExporter writes it to JSON"
    marks = "a guild, a channel, and messages with author and content"
    threading = TURNS
    places = {"guild.id channel.id messages.content": "messages", "guild.id channel.id messages messageCount": "messages"}

    def rows(self, path: Path) -> Iterator[Row]:
        """The messages, the oldest first: the exporter can be told to begin with the newest.

        Raises:
            SourceError: the file cannot be read, or breaks off.
        """
        return oldest_first(super().rows(path), lambda message: optional(seconds, message.get("timestamp")) or 0)

    def begin(self, path: Path) -> _Channel:
        """The channel of the file."""
        fields = peek(path).fields
        thread = "Thread" in str(fields.get("channel.type"))
        return _Channel(
            str(fields.get("channel.id")), fields.get("channel.name") if thread else None, Turns(inf if thread else SILENCE)
        )

    def record(self, part: Mapping[str, Any], known: _Channel) -> Record | str:
        """The post of a message."""
        get, who = part.get, part.get("author") or {}
        if get("type", "Default") not in _WRITTEN:
            return "a notice of the service"
        if not get("content"):
            return "no words, only what is attached"
        own, time = str(part["id"]), optional(seconds, get("timestamp"))
        turn, root = known.turns.answered(known.id, own, time)
        named = (get("reference") or {}).get("messageId") if get("type") in _REPLY else None
        text = _unnamed(str(get("content")), get("mentions"))
        return Record(
            id=own, text=text, markup="discord", title=known.title or "", parent=named or turn,
            root=None if named else root, time=get("timestamp"), author=who.get("id") or who.get("name"),
        )  # fmt: skip


SOURCE = Discord()


def _unnamed(text: str, mentions: object) -> str:
    """The text with Discord's own sign for a mention where the exporter wrote the name of whoever is mentioned."""
    people = [one for one in mentions if isinstance(one, Mapping)] if isinstance(mentions, list) else []
    names = {str(one[name]) for one in people for name in ("nickname", "name") if one.get(name)}
    for name in sorted(names, key=len, reverse=True):
        text = re.sub(rf"@{re.escape(name)}(?!\w)", "<@0>", text)
    return text

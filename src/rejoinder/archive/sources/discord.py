"""Discord: channels and threads as DiscordChatExporter writes them to JSON.

A reply names the message it answers; all other messages are turns of a conversation, and those of a thread of Discord's own
belong together however long the silence between them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from math import inf
from pathlib import Path
from typing import Any

from rejoinder.archive.chat import SILENCE, Turns
from rejoinder.archive.json_records import json_records
from rejoinder.archive.peek import peek
from rejoinder.archive.source import Hasher, Item, Record, Skipped, Source, guarded
from rejoinder.archive.values import optional, seconds

_WRITTEN = ("Default", "Reply", "ThreadStarterMessage", 0, 19)  # types of messages that somebody wrote


class Discord(Source):
    """One channel or thread."""

    name = "discord"
    what = "a Discord channel, as DiscordChatExporter writes it to JSON"
    marks = "a guild, a channel, and messages with author and content"

    def recognises(self, path: Path) -> bool:
        """Whether there is a guild, and messages."""
        fields = set(peek(path).fields)
        return {"guild.id", "channel.id", "messages.content"} <= fields

    def read(self, path: Path, hasher: Hasher) -> Iterator[Item]:
        """The messages, in the file's order.

        Raises:
            SourceError: the file cannot be read, or breaks off.
        """
        fields = peek(path).fields
        thread = "Thread" in str(fields.get("channel.type"))
        place = str(fields.get("channel.id")), fields.get("channel.name") if thread else None
        turns = Turns(inf if thread else SILENCE)
        for row in json_records(path, ("messages",)):
            if isinstance(row.value, Skipped):
                yield row.value
            else:
                yield guarded(partial(_item, row.value, place, turns, hasher, row.where), row.where)


SOURCE = Discord()


def _item(message: Mapping[str, Any], place: tuple[str, object], turns: Turns, hasher: Hasher, where: str) -> Item:
    get, who = message.get, message.get("author") or {}
    if get("type", "Default") not in _WRITTEN:
        return Skipped("a notice of the service", where)
    if not get("content"):
        return Skipped("no words, only what is attached", where)
    own, time = str(message["id"]), optional(seconds, get("timestamp"))
    turn, root = turns.answered(place[0], own, time)
    named = (get("reference") or {}).get("messageId")
    return Record(
        id=own, text=get("content"), markup="discord", title=place[1] or "", parent=named or turn, root=None if named else root,
        time=get("timestamp"), author=who.get("id") or who.get("name"),
    ).post(hasher, where)  # fmt: skip

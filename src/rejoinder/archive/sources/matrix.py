"""Matrix: a room's events, as Element exports them to JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from rejoinder.archive.chat import Turns
from rejoinder.archive.json_records import json_records
from rejoinder.archive.peek import peek
from rejoinder.archive.source import Hasher, Item, Record, Skipped, Source, guarded
from rejoinder.archive.values import optional, seconds
from rejoinder.errors import SourceError
from rejoinder.post import State

_EDITS = 100_000  # remembered at most
_FALLBACK = re.compile(r"\A(?:> ?[^\n]*\n)+\n?")  # an old reply repeats what it answers
_WRITTEN = ("m.text", "m.notice", "m.emote")


class Matrix(Source):
    """One room."""

    name = "matrix"
    what = "a Matrix room, as Element exports it to JSON"
    marks = "messages with event_id and origin_server_ts"

    def recognises(self, path: Path) -> bool:
        """Whether there are events."""
        return {"messages.event_id", "messages.origin_server_ts"} <= set(peek(path).fields)

    def read(self, path: Path, hasher: Hasher) -> Iterator[Item]:
        """The messages as they were last edited, in the file's order.

        Raises:
            SourceError: the file cannot be read, or breaks off.
        """
        edits, turns = _edits(path), Turns()
        for row in json_records(path, ("messages",)):
            if isinstance(row.value, Skipped):
                yield row.value
            else:
                yield guarded(partial(_item, row.value, edits, turns, hasher, row.where), row.where)


SOURCE = Matrix()


def _relation(event: Mapping[str, Any]) -> Mapping[str, Any]:
    content = event.get("content")
    found = content.get("m.relates_to") if isinstance(content, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _edits(path: Path) -> dict[str, Mapping[str, Any]]:
    """The last content of each message that was edited."""
    found: dict[str, Mapping[str, Any]] = {}
    with suppress(SourceError):  # a file that breaks off says so when its messages are read
        for row in json_records(path, ("messages",)):
            event = row.value
            if isinstance(event, Skipped) or _relation(event).get("rel_type") != "m.replace" or len(found) >= _EDITS:
                continue
            new, target = event["content"].get("m.new_content"), _relation(event).get("event_id")
            if isinstance(new, Mapping) and isinstance(target, str):
                found[target] = new
    return found


def _item(event: Mapping[str, Any], edits: Mapping[str, Mapping[str, Any]], turns: Turns, hasher: Hasher, where: str) -> Item:
    get, relation = event.get, _relation(event)
    if get("type") != "m.room.message":
        return Skipped("a notice of the service", where)
    if relation.get("rel_type") == "m.replace":
        return Skipped("an edit, which the message it changes now has", where)
    own, time = str(event["event_id"]), optional(seconds, get("origin_server_ts"))
    content = edits.get(own) or event["content"]
    room = str(get("room_id"))
    if not event["content"]:
        return Record(id=own, time=time, state=State.DELETED).post(hasher, where)
    if content.get("msgtype") not in _WRITTEN:
        return Skipped("no words, only what is attached", where)
    answered = relation.get("m.in_reply_to") if not relation.get("is_falling_back") else None
    named = (answered or {}).get("event_id") or (relation.get("event_id") if relation.get("rel_type") == "m.thread" else None)
    turn, root = turns.answered(room, own, time) if named is None else (named, None)
    body = str(content.get("body") or "")
    return Record(
        id=own, text=_FALLBACK.sub("", body) if answered else body, markup="markdown-breaks", parent=turn, root=root,
        time=get("origin_server_ts"), author=get("sender"),
    ).post(hasher, where)  # fmt: skip

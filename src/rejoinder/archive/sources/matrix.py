"""Matrix: a room's events, as Element exports them to JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from rejoinder.archive.chat import TURNS, Turns
from rejoinder.archive.json_records import json_records
from rejoinder.archive.json_source import JsonSource
from rejoinder.archive.source import Record, Skipped
from rejoinder.archive.values import optional, seconds
from rejoinder.errors import SourceError
from rejoinder.post import State

_EDITS = 100_000  # remembered at most
_FALLBACK = re.compile(r"\A(?:> ?[^\n]*\n)+\n?")  # an old reply repeats what it answers
_WRITTEN = ("m.text", "m.notice", "m.emote")


class _Room(NamedTuple):
    edits: Mapping[str, Mapping[str, Any]]
    turns: Turns


class Matrix(JsonSource):
    """One room: the messages as they were last edited, in the file's order."""

    name = "matrix"
    what = "a Matrix room, as Element exports it to JSON"
    marks = "messages with event_id and origin_server_ts"
    threading = TURNS
    places = {"messages.event_id messages.origin_server_ts": "messages"}

    def begin(self, path: Path) -> _Room:
        """The edits, wherever in the file they are, and the turns."""
        return _Room(_edits(path), Turns())

    def record(self, part: Mapping[str, Any], known: _Room) -> Record | str:
        """The post of a message."""
        get, relation = part.get, _relation(part)
        if get("type") != "m.room.message":
            return "a notice of the service"
        if relation.get("rel_type") == "m.replace":
            return "an edit, which the message it changes now has"
        own, time = str(part["event_id"]), optional(seconds, get("origin_server_ts"))
        content = known.edits.get(own) or part["content"]
        if not part["content"]:
            return Record(id=own, time=time, state=State.DELETED)
        if content.get("msgtype") not in _WRITTEN:
            return "no words, only what is attached"
        answered = relation.get("m.in_reply_to") if not relation.get("is_falling_back") else None
        named = (answered or {}).get("event_id") or (relation.get("event_id") if relation.get("rel_type") == "m.thread" else None)
        turn, root = known.turns.answered(str(get("room_id")), own, time) if named is None else (named, None)
        body = str(content.get("body") or "")
        return Record(
            id=own, text=_FALLBACK.sub("", body) if answered else body, markup="markdown-breaks", parent=turn, root=root,
            time=get("origin_server_ts"), author=get("sender"),
        )  # fmt: skip


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

"""Matrix: a room's events, as Element exports them to JSON, as the API pages them, or one after the other."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from rejoinder.archive.chat import TURNS, Turns
from rejoinder.archive.json_records import Row, oldest_first
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
    what = "a Matrix room, as Element exports it to JSON, or events as the API gives them"
    marks = "messages with event_id and origin_server_ts"
    threading = TURNS
    places = {f"{at}event_id {at}origin_server_ts {at}content": at.strip(".") for at in ("messages.", "chunk.", "")}

    def rows(self, path: Path) -> Iterator[Row]:
        """The events, the oldest first: a page of the API may begin with the newest.

        Raises:
            SourceError: the file cannot be read, or breaks off.
        """
        return oldest_first(super().rows(path), _moment)

    def begin(self, path: Path) -> _Room:
        """The edits, wherever in the file they are, and the turns."""
        return _Room(_edits(super().rows(path)), Turns())

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
        captioned = content.get("filename") not in (None, content.get("body"))  # a picture with words below it
        if content.get("msgtype") not in _WRITTEN and not captioned:
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


def _moment(event: Mapping[str, Any]) -> float:
    time = event.get("origin_server_ts")
    return time if isinstance(time, int | float) else 0.0


def _edits(rows: Iterator[Row]) -> dict[str, Mapping[str, Any]]:
    """The last content of each message that was edited."""
    found: dict[str, tuple[float, Mapping[str, Any]]] = {}
    with suppress(SourceError):  # a file that breaks off says so when its messages are read
        for row in rows:
            event = row.value
            if isinstance(event, Skipped) or _relation(event).get("rel_type") != "m.replace" or len(found) >= _EDITS:
                continue
            new, target = event["content"].get("m.new_content"), _relation(event).get("event_id")
            if (
                isinstance(new, Mapping)
                and isinstance(target, str)
                and (target not in found or _moment(event) >= found[target][0])
            ):
                found[target] = _moment(event), new
    return {target: new for target, (_, new) in found.items()}

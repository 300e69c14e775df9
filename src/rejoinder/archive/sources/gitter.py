"""Gitter: messages of a room, as its API gave them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rejoinder.archive.chat import TURNS, Turns
from rejoinder.archive.json_records import Row, oldest_first
from rejoinder.archive.json_source import JsonSource
from rejoinder.archive.source import Record
from rejoinder.archive.values import optional, seconds


class Gitter(JsonSource):
    """One room."""

    name = "gitter"
    what = "messages of a Gitter room, as its API gave them"
    marks = "messages with sent, fromUser and text"
    threading = TURNS
    places = {"sent text fromUser.id": ""}

    def rows(self, path: Path) -> Iterator[Row]:
        """The messages, the oldest first: pages that were put one after the other begin with the newest page.

        Raises:
            SourceError: the file cannot be read, or breaks off.
        """
        return oldest_first(super().rows(path), lambda message: optional(seconds, message.get("sent")) or 0)

    def begin(self, path: Path) -> Turns:
        """The turns of the room."""
        return Turns()

    def record(self, part: Mapping[str, Any], known: Turns) -> Record | str:
        """The post of a message."""
        get, who = part.get, part.get("fromUser") or {}
        named, own = get("parentId"), str(part["id"])
        turn, root = (named, named) if named else known.answered("", own, optional(seconds, get("sent")))
        return Record(
            id=own, text=get("text"), markup="markdown-breaks", parent=turn, root=root, time=get("sent"), author=who.get("id")
        )


SOURCE = Gitter()

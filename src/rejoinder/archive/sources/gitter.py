"""Gitter: messages of a room, as its API gave them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from rejoinder.archive.chat import Turns
from rejoinder.archive.json_records import json_records
from rejoinder.archive.peek import peek
from rejoinder.archive.source import Hasher, Item, Record, Skipped, Source, guarded
from rejoinder.archive.values import optional, seconds


class Gitter(Source):
    """One room."""

    name = "gitter"
    what = "messages of a Gitter room, as its API gave them"
    marks = "messages with sent, fromUser and text"

    def recognises(self, path: Path) -> bool:
        """Whether there are such messages."""
        return {"sent", "text", "fromUser.id"} <= set(peek(path).fields)

    def read(self, path: Path, hasher: Hasher) -> Iterator[Item]:
        """The messages, in the file's order.

        Raises:
            SourceError: the file cannot be read, or breaks off.
        """
        turns = Turns()
        for row in json_records(path):
            if isinstance(row.value, Skipped):
                yield row.value
            else:
                yield guarded(partial(_item, row.value, turns, hasher, row.where), row.where)


SOURCE = Gitter()


def _item(message: Mapping[str, Any], turns: Turns, hasher: Hasher, where: str) -> Item:
    get, who = message.get, message.get("fromUser") or {}
    named, own = get("parentId"), str(message["id"])
    turn, root = (named, named) if named else turns.answered("", own, optional(seconds, get("sent")))
    return Record(
        id=own, text=get("text"), markup="markdown-breaks", parent=turn, root=root, time=get("sent"), author=who.get("id")
    ).post(hasher, where)

"""Messenger: a conversation out of Facebook's "download your information", in JSON.

The service writes each byte of UTF-8 as a character of its own; that is undone. Messages have no ids and come newest first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from rejoinder.archive.chat import ContentIds, Turns
from rejoinder.archive.json_pages import load_as_far
from rejoinder.archive.peek import peek
from rejoinder.archive.source import Hasher, Item, Record, Skipped, Source, guarded, guarded_all
from rejoinder.archive.values import optional, seconds


class Messenger(Source):
    """One conversation."""

    name = "messenger"
    what = "a conversation of Facebook Messenger or Instagram, in JSON"
    marks = "participants, and messages with sender_name and timestamp_ms"

    def recognises(self, path: Path) -> bool:
        """Whether there are such messages."""
        return {"messages.sender_name", "messages.timestamp_ms"} <= set(peek(path).fields)

    def read(self, path: Path, hasher: Hasher) -> Iterator[Item]:
        """The messages, the oldest first.

        Raises:
            SourceError: the file cannot be read, is no JSON, or too large.
        """
        return guarded_all(_items(path, hasher), path.name)


SOURCE = Messenger()


def _items(path: Path, hasher: Hasher) -> Iterator[Item]:
    whole, error = load_as_far(path)
    rows = [row for row in whole.get("messages") or () if isinstance(row, Mapping)]
    known, chat = (Turns(), ContentIds()), str(whole.get("participants"))
    for number, row in enumerate(sorted(rows, key=lambda row: optional(seconds, row.get("timestamp_ms")) or 0), start=1):
        where = f"{path.name}, message {number}"
        yield guarded(partial(_item, row, chat, known, hasher, where), where)
    if error is not None:
        raise error


def _item(row: Mapping[str, Any], chat: str, known: tuple[Turns, ContentIds], hasher: Hasher, where: str) -> Item:
    get, (turns, ids) = row.get, known
    text = mended(str(get("content") or ""))
    if not text or get("is_unsent"):
        return Skipped("no words, only what is attached", where)
    own = ids.of(chat, get("timestamp_ms"), get("sender_name"), text)
    parent, root = turns.answered(chat, own, optional(seconds, get("timestamp_ms")))
    return Record(
        id=own, text=text, parent=parent, root=root, time=get("timestamp_ms"), author=mended(str(get("sender_name") or ""))
    ).post(hasher, where)


def mended(text: str) -> str:
    """Text whose characters are the bytes of UTF-8, put together again; any other text as it is."""
    try:
        return text.encode("latin-1").decode("utf-8")
    except ValueError:
        return text

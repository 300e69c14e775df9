"""Telegram: an export of Telegram Desktop (one chat, or the whole account), and updates as a bot is given them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from rejoinder.archive.chat import ContentIds, Turns
from rejoinder.archive.json_records import json_records
from rejoinder.archive.peek import peek
from rejoinder.archive.source import Hasher, Item, Record, Skipped, Source, guarded
from rejoinder.archive.values import optional, seconds


class Telegram(Source):
    """Chats."""

    name = "telegram"
    what = "chats exported by Telegram Desktop to JSON, or updates of a bot"
    marks = "messages with date_unixtime (or date), from and text"

    def recognises(self, path: Path) -> bool:
        """Whether there are such messages."""
        return _where(path) is not None

    def read(self, path: Path, hasher: Hasher) -> Iterator[Item]:
        """The messages, chat by chat.

        Raises:
            SourceError: the file cannot be read, or breaks off.
        """
        turns, ids = Turns(), ContentIds()
        for row in json_records(path, _where(path) or ()):
            if isinstance(row.value, Skipped):
                yield row.value
                continue
            chat = str(row.outer.get("id") or row.outer.get("name") or "")
            yield guarded(partial(_item, row.value, chat, (turns, ids), hasher, row.where), row.where)


SOURCE = Telegram()
_PLACES = {
    "messages": ("messages",),
    "chats.list.messages": ("chats", "list", "*", "messages"),
    "result.message": ("result", "*", "message"),
}


def _where(path: Path) -> tuple[str, ...] | None:
    fields = set(peek(path).fields)
    for name, at in _PLACES.items():
        if f"{name}.text" in fields and (
            {f"{name}.date_unixtime", f"{name}.from_id"} & fields or {f"{name}.message_id", f"{name}.chat.id"} <= fields
        ):
            return at
    return None


def _item(message: Mapping[str, Any], chat: str, known: tuple[Turns, ContentIds], hasher: Hasher, where: str) -> Item:
    get, (turns, ids) = message.get, known
    if get("type") == "service":
        return Skipped("a notice of the service", where)
    text = _text(get("text"))
    if not text:
        return Skipped("no words, only what is attached", where)
    who, place = get("from_id") or get("from"), get("chat")
    if isinstance(who, Mapping):
        who = who.get("id")
    chat = str(place.get("id")) if isinstance(place, Mapping) else chat
    moment = get("date_unixtime") or get("date")
    number = get("id") or get("message_id")
    own = f"{chat}/{number}" if number else ids.of(chat, moment, who, text)
    turn, root = turns.answered(chat, own, optional(seconds, moment))
    named = get("reply_to_message_id") or (get("reply_to_message") or {}).get("message_id")
    if get("reply_to_peer_id"):
        named = None  # it answers a message of another chat
    return Record(
        id=own, text=text, parent=f"{chat}/{named}" if named else turn, root=None if named else root, time=moment, author=who
    ).post(hasher, where)


def _text(value: object) -> str:
    """Text that is written as one string, or in pieces of which some are marked."""
    if not isinstance(value, list):
        return value if isinstance(value, str) else ""
    pieces: list[str] = []
    for piece in value:
        said = piece if isinstance(piece, str) else str(piece.get("text") or "")
        kind = "" if isinstance(piece, str) else piece.get("type")
        if kind == "pre":
            said = "\n\n" + "\n".join(f"  {line}" for line in said.strip("\n").split("\n")) + "\n\n"
        elif kind == "blockquote":
            said = "\n" + "\n".join(f"> {line}" for line in said.strip("\n").split("\n")) + "\n"
        elif kind == "text_link" and piece.get("href"):
            said = f"{said} ({piece['href']})"
        pieces.append(said)
    return "".join(pieces)

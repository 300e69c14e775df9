"""Telegram: an export of Telegram Desktop (one chat, or the whole account), and updates as a bot is given them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rejoinder.archive.chat import TURNS, ContentIds, Turns
from rejoinder.archive.json_source import JsonSource
from rejoinder.archive.source import Record
from rejoinder.archive.values import optional, seconds


class Telegram(JsonSource):
    """Messages, chat by chat."""

    name = "telegram"
    what = "chats exported by Telegram Desktop to JSON, or updates of a bot"
    marks = "messages with date_unixtime (or date), from and text"
    threading = TURNS
    places = {
        f"{at}.text {at}.{mark}": place
        for at, place in (
            ("messages", "messages"),
            ("chats.list.messages", "chats.list.*.messages"),
            ("result.message", "result.*.message"),
        )
        for mark in ("date_unixtime", "from_id", f"message_id {at}.chat.id")
    }

    def begin(self, path: Path) -> tuple[Turns, ContentIds]:
        """The turns of the chats, and ids for messages that have none."""
        return Turns(), ContentIds()

    def within(self, value: Mapping[str, Any], outer: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], str]]:
        """The message, and the chat around it."""
        yield value, str(outer.get("id") or outer.get("name") or "")

    def record(self, part: tuple[Mapping[str, Any], str], known: tuple[Turns, ContentIds]) -> Record | str:
        """The post of a message."""
        (message, chat), (turns, ids) = part, known
        get = message.get
        if get("type") == "service":
            return "a notice of the service"
        text = _text(get("text"))
        if not text:
            return "no words, only what is attached"
        who, place = get("from_id") or get("from"), get("chat")
        if isinstance(who, Mapping):
            who = who.get("id")
        chat = str(place.get("id")) if isinstance(place, Mapping) else chat
        time = get("date_unixtime") or get("date")
        number = get("id") or get("message_id")
        own = f"{chat}/{number}" if number else ids.of(chat, time, who, text)
        turn, root = turns.answered(chat, own, optional(seconds, time))
        named = get("reply_to_message_id") or (get("reply_to_message") or {}).get("message_id")
        if not named or get("reply_to_peer_id"):  # which is a message of another chat
            return Record(id=own, text=text, parent=turn, root=root, time=time, author=who)
        return Record(id=own, text=text, parent=f"{chat}/{named}", time=time, author=who)


SOURCE = Telegram()


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

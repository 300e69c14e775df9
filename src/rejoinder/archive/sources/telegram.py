"""Telegram: an export of Telegram Desktop (one chat, or the whole account), and updates as a bot is given them.

In a group with topics a message that answers nobody says that it answers its topic: there it takes its turn.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from rejoinder.archive.chat import TURNS, ContentIds, Turns
from rejoinder.archive.json_records import Row, json_records
from rejoinder.archive.json_source import JsonSource
from rejoinder.archive.markup.html import unmentioned
from rejoinder.archive.source import Record
from rejoinder.archive.values import optional, seconds
from rejoinder.errors import SourceError

_NAME = re.compile(r"(?<![\w/.@])@[A-Za-z]\w{4,31}\b")
_MENTIONS = ("mention", "mention_name")
_LEFT = ("left_chats", "list", "*", "messages")  # of a whole account: chats that one is in no more


class _Chats(NamedTuple):
    turns: Turns
    ids: ContentIds  # for messages that have none
    topics: dict[str, str]  # names by own ids


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
            ("left_chats.list.messages", ".".join(_LEFT)),
            ("result.message", "result.*.message"),
        )
        for mark in ("date_unixtime", "from_id", f"message_id {at}.chat.id")
    } | {"personal_information.user_id contacts.list": "chats.list.*.messages"}  # of an account with very many contacts

    def rows(self, path: Path) -> Iterator[Row]:
        """The messages, chat by chat.

        Raises:
            SourceError: the file cannot be read, or breaks off.
        """
        yield from super().rows(path)
        if (self.at(path) or "").startswith("chats."):
            with suppress(SourceError):  # most have none, and what breaks off has been told
                yield from json_records(path, _LEFT)

    def begin(self, path: Path) -> _Chats:
        """Nothing is known of the chats yet."""
        return _Chats(Turns(), ContentIds(), {})

    def within(self, value: Mapping[str, Any], outer: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], str]]:
        """The message, and the chat around it."""
        yield value, str(outer.get("id") or outer.get("name") or "")

    def record(self, part: tuple[Mapping[str, Any], str], known: _Chats) -> Record | str:
        """The post of a message."""
        message, chat = part
        get = message.get
        if get("type") == "service":
            if get("action") == "topic_created":
                known.topics[f"{chat}/{get('id')}"] = str(get("title") or "")
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
        own = f"{chat}/{number}" if number else known.ids.of(chat, time, who, text)
        named = get("reply_to_message_id") or (get("reply_to_message") or {}).get("message_id")
        answered = f"{chat}/{named}" if named and not get("reply_to_peer_id") else None  # else in another chat
        topic = known.topics.get(answered or "")
        turn, root = known.turns.answered(chat if topic is None else str(answered), own, optional(seconds, time))
        if answered is None or topic is not None:
            return Record(id=own, text=text, title=topic or "", parent=turn, root=root, time=time, author=who)
        return Record(id=own, text=text, parent=answered, time=time, author=who)


SOURCE = Telegram()


def _text(value: object) -> str:
    """Text that is written as one string, or in pieces of which some are marked; without those who are mentioned."""
    if not isinstance(value, list):
        return unmentioned(_NAME.sub("\0", value)) if isinstance(value, str) else ""
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
        elif kind in _MENTIONS:
            said = "\0"
        pieces.append(said)
    return unmentioned("".join(pieces))

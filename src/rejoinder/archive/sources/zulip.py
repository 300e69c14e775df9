"""Zulip: topics as `zulip-archive` keeps them, messages of its API, and the messages of a server's export.

A topic is a thread. A message that quotes another ("said", with a link to it) answers that one, any other the one before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from math import inf
from pathlib import Path
from typing import Any

from rejoinder.archive.chat import Turns
from rejoinder.archive.json_records import json_records
from rejoinder.archive.peek import peek
from rejoinder.archive.source import Hasher, Item, Record, Skipped, Source, guarded

_QUOTED = re.compile(r"/near/(\d{1,19})[\"')]")
_MENTION = re.compile(r"@_?\*\*[^*\n]{1,200}\*\*[:,]?[ ]?")  # of the Markdown that the API gives when asked to
_BY_PATH = {"content", "id", "sender_full_name", "timestamp"}
_CODED = re.compile(r"\.([0-9A-F]{2})")  # as addresses of Zulip write what is no letter


class Zulip(Source):
    """Topics."""

    name = "zulip"
    what = "Zulip topics: zulip-archive, messages of the API, or a server's export"
    marks = "messages with sender_full_name and timestamp, or zerver_message"

    def recognises(self, path: Path) -> bool:
        """Whether there are such messages."""
        fields = set(peek(path).fields)
        listed = fields >= _BY_PATH and "type" not in fields
        return (
            listed
            or "zerver_message.date_sent" in fields
            or {f"messages.{name}" for name in ("sender_full_name", "subject")} <= fields
        )

    def read(self, path: Path, hasher: Hasher) -> Iterator[Item]:
        """The messages, in the file's order.

        Raises:
            SourceError: the file cannot be read, or breaks off.
        """
        fields = peek(path).fields
        at = next((name for name in ("zerver_message", "messages") if f"{name}.id" in fields), "")
        topic = _CODED.sub(lambda found: chr(int(found[1], 16)), path.name.partition(".json")[0]).replace("-", " ")
        turns = Turns(inf)
        for row in json_records(path, (at,) if at else ()):
            if isinstance(row.value, Skipped):
                yield row.value
            else:
                yield guarded(partial(_item, row.value, topic, turns, hasher, row.where), row.where)


SOURCE = Zulip()


def _item(message: Mapping[str, Any], topic: str, turns: Turns, hasher: Hasher, where: str) -> Item:
    get, own = message.get, str(message["id"])
    if message.get("type") == 2:  # of an export: a topic was marked as resolved
        return Skipped("a notice of the service", where)
    title = str(get("subject") if "subject" in message else topic)
    stream = get("stream_id") or get("recipient") or get("recipient_id") or ""
    turn, root = turns.answered(f"{stream}/{title}", own, None)
    written = get("content") if "sender" in message or get("content_type") == "text/x-markdown" else None
    quoted = _QUOTED.search(str(get("content")))
    return Record(
        id=own, text=_MENTION.sub("", str(written)) if written else get("content"),
        markup="markdown-breaks" if written else "html", title=title.strip("\a"),
        parent=quoted[1] if quoted and turn else turn, root=root, time=get("timestamp") or get("date_sent"),
        author=get("sender_id") or get("sender") or get("sender_full_name"),
    ).post(hasher, where)  # fmt: skip

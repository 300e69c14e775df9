"""Zulip: topics as `zulip-archive` keeps them, messages of its API, and a file of messages of a server's export.

A topic is a thread. A message that quotes another ("said", with a link to it) answers that one, any other the one before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from math import inf
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

from rejoinder.archive.chat import Turns
from rejoinder.archive.json_source import JsonSource
from rejoinder.archive.peek import peek
from rejoinder.archive.rest import Named
from rejoinder.archive.source import Record

_QUOTED = re.compile(r"/near/(\d{1,19})[\"')]")
_MENTION = re.compile(r"@_?\*\*[^*\n]{1,200}\*\*[:,]?[ ]?")  # of the Markdown that the API gives when asked to
_CODED = re.compile(r"\.[0-9A-F]{2}")  # as zulip-archive writes a byte that is no letter


class Topic(NamedTuple):
    """What is known of a file before its first message."""

    title: str  # by the name of the file
    turns: Turns


class Zulip(JsonSource):
    """Messages in the order of the file, a thread for each topic."""

    name = "zulip"
    what = "Zulip topics: zulip-archive, messages of the API, or a server's export"
    beside = "realm.json attachment.json analytics.json records.json migration_status.json"
    marks = "messages with sender_full_name and timestamp, or zerver_message"
    rest = "`rejoinder fetch zulip https://HOST --zuliprc FILE`"
    threading = "a topic is a thread; a message that quotes none is taken to answer the one before it"
    places = {
        "zerver_message.date_sent": "zerver_message",
        "messages.sender_full_name messages.subject": "messages",
        "content id sender_full_name timestamp": "",
    }

    def recognises(self, path: Path) -> bool:
        """Whether there are such messages; those of the API have a type, which those of zulip-archive lack."""
        at = self.at(path)
        return at is not None and (at != "" or "type" not in peek(path).fields)

    def named(self, page: Mapping[str, Any]) -> Iterable[Named]:
        """Whether older or newer messages follow on another page."""
        for end in ("found_oldest", "found_newest"):
            if end in page:
                yield Named(end, goes_on=page[end] is not True)

    def begin(self, path: Path) -> Topic:
        """The topic that the file is named by, and the turns of all."""
        name = path.name.partition(".json")[0]
        return Topic(unquote(name.replace(".", "%")) if _CODED.search(name) else name.replace("-", " "), Turns(inf))

    def record(self, part: Mapping[str, Any], known: Topic) -> Record | str:
        """The post of a message."""
        get, own = part.get, str(part["id"])
        if part.get("type") == 2:  # of an export: a topic was marked as resolved
            return "a notice of the service"
        title = str(get("subject") if "subject" in part else known.title)
        stream = get("stream_id") or get("recipient") or get("recipient_id") or ""
        turn, root = known.turns.answered(f"{stream}/{title}", own, None)
        written = get("content") if "sender" in part or get("content_type") == "text/x-markdown" else None
        quoted = _QUOTED.search(str(get("content")))
        return Record(
            id=own, text=_MENTION.sub("", str(written)) if written else get("content"),
            markup="markdown-breaks" if written else "html", title=title.strip("\a"),
            parent=quoted[1] if quoted and turn else turn, root=root, time=get("timestamp") or get("date_sent"),
            author=get("sender_id") or get("sender") or get("sender_full_name"),
        )  # fmt: skip


SOURCE = Zulip()

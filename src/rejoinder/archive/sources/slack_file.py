"""Slack: one file of messages by itself, a day of an export or an answer of its API."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from rejoinder.archive.chat import TURNS, Turns
from rejoinder.archive.peek import peek
from rejoinder.archive.rest import Named
from rejoinder.archive.slack_messages import messages
from rejoinder.archive.source import Hasher, Item, Source


class SlackFile(Source):
    """Messages of one channel."""

    name = "slack-file"
    what = "messages of one Slack channel, in a file of an export or as the API gives them"
    marks = "messages with ts, text and user"
    rest = "save the pages that `next_cursor` leads to, too, and `conversations.replies` of each thread"
    threading = TURNS

    def recognises(self, path: Path) -> bool:
        """Whether there are such messages."""
        fields = set(peek(path).fields)
        return any(
            {f"{at}ts", f"{at}text"} <= fields and ({f"{at}user", f"{at}bot_id", f"{at}type"} & fields)
            for at in ("", "messages.")
        )

    def named(self, page: Mapping[str, Any]) -> Iterable[Named]:
        """Whether an answer of the API has a next page, and how many replies its threads have, which come by themselves."""
        if "has_more" in page:
            yield Named("", goes_on=page["has_more"] is True)
        for message in page.get("messages") or ():
            opens = message.get("thread_ts") in (None, message["ts"])
            yield Named(message["ts"], message.get("reply_count")) if opens else Named(message["thread_ts"], here=1)

    def read(self, path: Path, hasher: Hasher) -> Iterator[Item]:
        """The messages, in the file's order.

        Raises:
            SourceError: the file cannot be read, or breaks off.
        """
        at = ("messages",) if "messages.ts" in peek(path).fields else ()
        return messages(path, path.parent.name if path.stem[:4].isdecimal() else path.stem, Turns(), hasher, at)


SOURCE = SlackFile()

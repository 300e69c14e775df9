"""Chatwoot: the conversations of an account, whatever their status, with their messages; each again when there are new ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rejoinder.archive.fetchers.http import Reader
from rejoinder.archive.fetchers.run import Bookmark, FetchedPage
from rejoinder.archive.sources.chatwoot import SOURCE as SOURCE
from rejoinder.errors import SourceError


def conversations(reader: Reader, account: int, bookmark: Bookmark) -> Iterator[FetchedPage]:
    """Every conversation with activity since the last run came to its end, page by page as the service lists them."""
    since, newest, number = bookmark.get("since", 0), bookmark.get("newest", 0), bookmark.get("page", 1)
    base = f"/api/v1/accounts/{account}/conversations"
    while True:
        answer = reader.get(base, status="all", page=number)
        try:
            listed = answer["data"]["payload"]
        except (KeyError, TypeError) as error:
            raise SourceError(f"{reader.base}{base}: expected conversations; got {str(answer)[:60]!r}") from error
        if not listed:
            break
        for conversation in listed:
            active = conversation.get("last_activity_at") or conversation.get("timestamp") or 0
            if active >= since:
                messages = list(_messages(reader, f"{base}/{conversation['id']}/messages"))
                newest = max(newest, active)
                whole = {**conversation, "messages": messages}
                yield FetchedPage({"data": {"payload": [whole]}}, {"since": since, "newest": newest, "page": number})
        number += 1
    yield FetchedPage(None, {"since": max(newest, since)})


def _messages(reader: Reader, path: str) -> list[dict[str, Any]]:
    """All messages of a conversation: the service gives the newest, then those before one that is named."""
    found: dict[int, dict[str, Any]] = {}
    before = None
    while True:
        page = [one for one in reader.get(path, before=before).get("payload") or [] if type(one.get("id")) is int]
        if not {one["id"] for one in page} - found.keys():
            return [found[number] for number in sorted(found)]
        found.update({one["id"]: one for one in page})
        before = min(found)

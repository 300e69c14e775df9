"""Mastodon: statuses, and what stands above and below one, as the API gives them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rejoinder.archive.json_pages import picked_records
from rejoinder.archive.json_records import Row
from rejoinder.archive.json_source import JsonSource
from rejoinder.archive.source import Record

_PARTS = ("ancestors", "descendants")


class Mastodon(JsonSource):
    """Statuses, alone or with what stands above and below one."""

    name = "mastodon"
    what = "Mastodon statuses and threads, as its API gives them"
    marks = "statuses with in_reply_to_id, account and content"
    places = {f"{at}in_reply_to_id {at}account.acct {at}content": "" for at in ("", *(f"{part}." for part in _PARTS))}

    def rows(self, path: Path) -> Iterator[Row]:
        """The statuses: those above, those below.

        Raises:
            SourceError: the file cannot be read, or breaks off.
        """
        return picked_records(path, _statuses)

    def record(self, part: Mapping[str, Any], known: None) -> Record | str:
        """The post of a status."""
        get, who = part.get, part.get("account") or {}
        if get("reblog"):
            return "a boost of what somebody else wrote"
        return Record(
            id=get("id"), text=get("content"), markup="html", title=get("spoiler_text"), parent=get("in_reply_to_id"),
            time=get("created_at"), author=who.get("acct") or who.get("id"), link=get("url"), score=get("favourites_count"),
        )  # fmt: skip


SOURCE = Mastodon()


def _statuses(value: Any) -> list[Any]:
    """Of a list of statuses, of one status, or of a thread's two parts."""
    if isinstance(value, Mapping) and "content" not in value:
        return [status for part in _PARTS for status in value.get(part) or ()]
    return value if isinstance(value, list) else [value]

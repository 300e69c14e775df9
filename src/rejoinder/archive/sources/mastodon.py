"""Mastodon: statuses, and what stands above and below one, as the API gives them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rejoinder.archive.json_records import json_records
from rejoinder.archive.peek import peek
from rejoinder.archive.source import Hasher, Item, Record, Skipped, Source, guarded


class Mastodon(Source):
    """Statuses."""

    name = "mastodon"
    what = "Mastodon statuses and threads, as its API gives them"
    marks = "statuses with in_reply_to_id, account and content"

    def recognises(self, path: Path) -> bool:
        """Whether there are statuses."""
        fields = set(peek(path).fields)
        return any({f"{at}in_reply_to_id", f"{at}account.acct", f"{at}content"} <= fields for at in ("", *_PARTS))

    def read(self, path: Path, hasher: Hasher) -> Iterator[Item]:
        """The statuses: those above, those below.

        Raises:
            SourceError: the file cannot be read, or breaks off.
        """
        fields = peek(path).fields
        for at in [(part[:-1],) for part in _PARTS if f"{part}content" in fields] or [()]:
            for row in json_records(path, at):
                if isinstance(row.value, Skipped):
                    yield row.value
                else:
                    yield guarded(lambda post=row.value, where=row.where: _item(post, hasher, where), row.where)  # type: ignore[misc]


SOURCE = Mastodon()
_PARTS = ("ancestors.", "descendants.")


def _item(status: Mapping[str, Any], hasher: Hasher, where: str) -> Item:
    get, who = status.get, status.get("account") or {}
    if get("reblog"):
        return Skipped("a boost of what somebody else wrote", where)
    return Record(
        id=get("id"), text=get("content"), markup="html", title=get("spoiler_text"), parent=get("in_reply_to_id"),
        time=get("created_at"), author=who.get("acct") or who.get("id"), link=get("url"), score=get("favourites_count"),
    ).post(hasher, where)  # fmt: skip

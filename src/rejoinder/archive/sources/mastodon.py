"""Mastodon: statuses, and what stands above and below one, as the API gives them; `outbox.json` of an account's archive."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from rejoinder.archive.json_pages import listed, picked_records
from rejoinder.archive.json_records import Row
from rejoinder.archive.json_source import JsonSource
from rejoinder.archive.source import Record

_PARTS = ("ancestors", "descendants")


class Mastodon(JsonSource):
    """Statuses, alone or with what stands above and below one."""

    name = "mastodon"
    what = "Mastodon statuses and threads, as its API gives them, or the outbox of an account's archive"
    beside = "actor.json bookmarks.json likes.json"
    marks = "statuses with in_reply_to_id, account and content, or orderedItems with object"
    places = {
        **{f"{at}in_reply_to_id {at}account.acct {at}content": "" for at in ("", *(f"{part}." for part in _PARTS))},
        "orderedItems.object.content orderedItems.object.published": "orderedItems",
    }

    def rows(self, path: Path) -> Iterator[Row]:
        """The statuses: those above, those below.

        Raises:
            SourceError: the file cannot be read, or breaks off.
        """
        return super().rows(path) if self.at(path) else picked_records(path, _statuses)

    def record(self, part: Mapping[str, Any], known: None) -> Record | str:
        """The post of a status."""
        if "account" not in part:
            return _activity(part)
        get, who = part.get, part.get("account") or {}
        if get("reblog"):
            return "a boost of what somebody else wrote"
        return Record(
            id=get("id"), text=get("content"), markup="html", title=get("spoiler_text"), parent=get("in_reply_to_id"),
            time=get("created_at"), author=who.get("acct") or who.get("id"), link=get("url"), score=get("favourites_count"),
        )  # fmt: skip


SOURCE = Mastodon()


def _activity(activity: Mapping[str, Any]) -> Record | str:
    """The post of what an account did, in the words of ActivityPub, where it wrote something."""
    note = activity.get("object")
    if not isinstance(note, Mapping):
        return "a boost of what somebody else wrote"
    get = note.get
    return Record(
        id=get("id"), text=get("content"), markup="html", title=get("summary"), parent=get("inReplyTo"), time=get("published"),
        author=get("attributedTo"), link=get("url") if isinstance(get("url"), str) else None,
    )  # fmt: skip


def _statuses(value: Any) -> list[Any]:
    """Of a list of statuses, of one status, of a thread's two parts, or of several of these."""
    found: list[Any] = []
    for one in listed(value):
        found += (
            [one]
            if not isinstance(one, Mapping) or "content" in one
            else chain.from_iterable(one.get(part) or () for part in _PARTS)
        )
    return found

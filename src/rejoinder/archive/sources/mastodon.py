"""Mastodon: statuses, and what stands above and below one, as the API gives them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from rejoinder.archive.json_pages import load_as_far
from rejoinder.archive.peek import peek
from rejoinder.archive.source import Hasher, Item, Record, Skipped, Source, guarded, guarded_all


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
        return guarded_all(_items(path, hasher), path.name)


SOURCE = Mastodon()


def _items(path: Path, hasher: Hasher) -> Iterator[Item]:
    value, error = load_as_far(path)
    if isinstance(value, Mapping) and "content" not in value:
        value = [status for part in _PARTS for status in value.get(part[:-1]) or ()]
    for number, status in enumerate(value if isinstance(value, list) else [value], start=1):
        where = f"{path.name}, status {number}"
        yield guarded(partial(_item, status, hasher, where), where)
    if error is not None:
        raise error


_PARTS = ("ancestors.", "descendants.")


def _item(status: Mapping[str, Any], hasher: Hasher, where: str) -> Item:
    get, who = status.get, status.get("account") or {}
    if get("reblog"):
        return Skipped("a boost of what somebody else wrote", where)
    return Record(
        id=get("id"), text=get("content"), markup="html", title=get("spoiler_text"), parent=get("in_reply_to_id"),
        time=get("created_at"), author=who.get("acct") or who.get("id"), link=get("url"), score=get("favourites_count"),
    ).post(hasher, where)  # fmt: skip

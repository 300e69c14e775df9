"""Lobsters: a story with its comments, as `/s/ID.json` gives it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from rejoinder.archive.json_pages import page_records
from rejoinder.archive.peek import peek
from rejoinder.archive.source import Hasher, Item, Record, Skipped, Source, guarded, guarded_all
from rejoinder.archive.values import flag
from rejoinder.post import State


class Lobsters(Source):
    """Stories and comments."""

    name = "lobsters"
    what = "Lobsters stories with their comments"
    marks = "short_id, and title or comment"
    link = "https://lobste.rs/s/{id}"

    def recognises(self, path: Path) -> bool:
        """Whether there is a story with a short_id."""
        return {"short_id", "title", "comments_url"} <= set(peek(path).fields)

    def read(self, path: Path, hasher: Hasher) -> Iterator[Item]:
        """The story, then its comments as they are shown.

        Raises:
            SourceError: the file cannot be read, or breaks off.
        """
        return guarded_all(_items(path, hasher), path.name)


SOURCE = Lobsters()


def _items(path: Path, hasher: Hasher) -> Iterator[Item]:
    for row in page_records(path):
        if isinstance(row.value, Skipped):
            yield row.value
            continue
        story = row.value
        yield guarded(partial(_story, story, hasher, row.where), row.where)
        above: dict[int, str] = {}  # the last comment at each depth: old dumps name no parent
        for comment in story.get("comments") or ():
            yield guarded(partial(_comment, comment, story, above, hasher, row.where), row.where)


def _story(story: Mapping[str, Any], hasher: Hasher, where: str) -> Item:
    get = story.get
    return Record(
        id=get("short_id"), text=get("description") or get("description_plain"), markup="html" if get("description") else "plain",
        title=get("title"), time=get("created_at"), author=get("submitter_name") or _writer(get("submitter_user")),
        url=get("url"), score=get("score"),
    ).post(hasher, where)  # fmt: skip


def _comment(comment: Mapping[str, Any], story: Mapping[str, Any], above: dict[int, str], hasher: Hasher, where: str) -> Item:
    get, own = comment.get, comment["short_id"]
    depth = int(get("depth", get("indent_level", 1) - 1))
    above[depth] = f"c_{own}"
    named = f"c_{get('parent_comment')}" if get("parent_comment") else None
    parent = named or (None if "parent_comment" in comment else above.get(depth - 1)) or story["short_id"]
    gone = State.DELETED if flag(get("is_deleted")) else State.DEAD if flag(get("is_moderated")) else State.LIVE
    return Record(
        id=f"c_{own}", text=get("comment") or get("comment_plain"), markup="html" if get("comment") else "plain", parent=parent,
        root=story["short_id"], time=get("created_at"), author=_writer(get("commenting_user")),
        link=f"https://lobste.rs/c/{own}", score=get("score"), state=gone,
    ).post(hasher, where)  # fmt: skip


def _writer(user: object) -> str | None:
    """A user's name; once it was an object, now it is text."""
    return user.get("username") if isinstance(user, Mapping) else user if isinstance(user, str) else None

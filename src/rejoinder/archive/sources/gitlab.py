"""GitLab: issues and merge requests, and the notes on them, as its REST API gives them.

A page of notes says which issue they belong to by a number only: `noteable_id`, which is that issue's `id`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from rejoinder.archive.json_records import json_records
from rejoinder.archive.peek import peek
from rejoinder.archive.source import Hasher, Item, Record, Skipped, Source, guarded
from rejoinder.archive.values import flag


class GitLab(Source):
    """Issues and notes."""

    name = "gitlab"
    what = "GitLab issues, merge requests and their notes, as its API gives them"
    marks = "records with iid and description, or noteable_type and body"

    def recognises(self, path: Path) -> bool:
        """Whether there are such records."""
        fields = set(peek(path).fields)
        return {"noteable_type", "body"} <= fields or {"iid", "title", "description", "web_url"} <= fields

    def read(self, path: Path, hasher: Hasher) -> Iterator[Item]:
        """The posts, in the file's order.

        Raises:
            SourceError: the file cannot be read, or breaks off.
        """
        for row in json_records(path):
            if isinstance(row.value, Skipped):
                yield row.value
            else:
                yield guarded(partial(_item, row.value, hasher, row.where), row.where)


SOURCE = GitLab()


def _item(post: Mapping[str, Any], hasher: Hasher, where: str) -> Item:
    get = post.get
    if flag(get("system")):
        return Skipped("a notice of the service", where)
    who = get("author") or {}
    note = "noteable_type" in post
    kind = get("noteable_type") if note else "MergeRequest" if "merge_status" in post else "Issue"
    about = f"{kind} {get('noteable_id') if note else get('id')}"
    return Record(
        id=f"note {get('id')}" if note else about,
        text=get("body") if note else get("description"),
        markup="markdown-breaks",
        title=get("title"),
        parent=about if note else None,
        root=about if note else None,
        time=get("created_at"),
        author=who.get("username") or who.get("id"),
        link=None if note else get("web_url"),
    ).post(hasher, where)

"""Lemmy: a post and pages of comments, as its API (v3) gives them. A comment's `path` names all it stands below."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from rejoinder.archive.json_records import json_records
from rejoinder.archive.peek import peek
from rejoinder.archive.source import Hasher, Item, Record, Skipped, Source, guarded
from rejoinder.archive.values import flag
from rejoinder.post import State

_AT = {"comments.comment.path": ("comments",), "posts.post.ap_id": ("posts",), "post_view.post.ap_id": ("post_view",)}


class Lemmy(Source):
    """Posts and comments."""

    name = "lemmy"
    what = "Lemmy posts and comments, as its API gives them"
    marks = "comments with a path, or a post_view"

    def recognises(self, path: Path) -> bool:
        """Whether there are such views."""
        return _where(path) is not None

    def read(self, path: Path, hasher: Hasher) -> Iterator[Item]:
        """The posts, in the file's order.

        Raises:
            SourceError: the file cannot be read, or breaks off.
        """
        for row in json_records(path, _where(path) or ()):
            if isinstance(row.value, Skipped):
                yield row.value
            else:
                yield guarded(partial(_item, row.value, hasher, row.where), row.where)


SOURCE = Lemmy()


def _where(path: Path) -> tuple[str, ...] | None:
    fields = peek(path).fields
    return next((at for name, at in _AT.items() if name in fields), None)


def _item(view: Mapping[str, Any], hasher: Hasher, where: str) -> Item:
    comment, post, who, counts = (view.get(name) or {} for name in ("comment", "post", "creator", "counts"))
    said = comment or post
    gone = State.DELETED if flag(said.get("deleted")) else State.DEAD if flag(said.get("removed")) else State.LIVE
    above = str(comment.get("path", "")).split(".")[-2:-1] if comment else []
    about = f"p{comment.get('post_id') or post.get('id')}"
    return Record(
        id=f"c{comment['id']}" if comment else about,
        text=comment["content"] if comment else post.get("body"),
        markup="markdown-breaks",
        title=post.get("name"),
        parent=(about if above in ([], ["0"]) else f"c{above[0]}") if comment else None,
        root=about if comment else None,
        time=said.get("published"),
        author=who.get("actor_id") or who.get("name"),
        link=said.get("ap_id"),
        url=post.get("url") if not comment else None,
        score=counts.get("score"),
        state=gone,
    ).post(hasher, where)

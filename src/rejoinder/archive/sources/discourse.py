"""Discourse: topics and posts as its API gives them (`/t/ID.json`, `/t/ID/posts.json`, `/posts.json`).

A post that answers none by name answers the topic, and so its opening post. A file holds no address of its forum: name it with
`--source`, above all where posts of two forums come into one home.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from rejoinder.archive.json_pages import load_as_far
from rejoinder.archive.json_records import json_records
from rejoinder.archive.peek import peek
from rejoinder.archive.source import Hasher, Item, Record, Skipped, Source, guarded
from rejoinder.archive.values import flag
from rejoinder.errors import SourceError
from rejoinder.post import State

_AT = {
    "post_stream.posts.post_number": ("post_stream", "posts"),
    "latest_posts.post_number": ("latest_posts",),
    "post_number": (),
}
_NOTICES = (3, "3")  # post types of what nobody wrote: closed, pinned, moved


class Discourse(Source):
    """Posts of topics."""

    name = "discourse"
    what = "topics and posts of a Discourse forum, as its API gives them"
    marks = "posts with post_number, topic_id and cooked or raw"

    def recognises(self, path: Path) -> bool:
        """Whether there are posts with such numbers."""
        return _where(path) is not None

    def read(self, path: Path, hasher: Hasher) -> Iterator[Item]:
        """The posts.

        Raises:
            SourceError: the file cannot be read, or breaks off.
        """
        topic = _topic(path)
        for row in json_records(path, _where(path) or ()):
            if isinstance(row.value, Skipped):
                yield row.value
            else:
                yield guarded(partial(_item, row.value, topic, hasher, row.where), row.where)


SOURCE = Discourse()


def _where(path: Path) -> tuple[str, ...] | None:
    fields = peek(path).fields
    found = next((at for name, at in _AT.items() if name in fields), None)
    words = any(f"{'.'.join((*found, ''))}{name}" in fields for name in ("cooked", "raw")) if found is not None else False
    return found if words else None


def _topic(path: Path) -> Mapping[str, Any]:
    """What the file says of the topic as a whole, which may stand below its posts; nothing, where the file is too large."""
    try:
        whole, _ = load_as_far(path)
    except SourceError:
        return {}
    return whole if isinstance(whole, Mapping) else {}


def _item(post: Mapping[str, Any], topic: Mapping[str, Any], hasher: Hasher, where: str) -> Item:
    get = post.get
    if get("post_type") in _NOTICES:
        return Skipped("a notice of the service", where)
    about, number, answered = get("topic_id") or topic.get("id"), get("post_number"), get("reply_to_post_number")
    opens = str(number) == "1"
    gone = State.DELETED if get("deleted_at") or flag(get("user_deleted")) else State.DEAD if flag(get("hidden")) else State.LIVE
    written = get("raw")
    return Record(
        id=f"{about}/{number}" if number else None,
        text=written or get("cooked"),
        markup="discourse" if written else "html",
        title=get("topic_title") or topic.get("title") or topic.get("fancy_title"),
        parent=None if opens else f"{about}/{answered or 1}",
        root=f"{about}/1",
        time=get("created_at"),
        author=get("username"),
        score=get("like_count"),
        state=gone,
    ).post(hasher, where)

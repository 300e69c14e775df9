"""Lobsters: a story with its comments, as `/s/ID.json` gives it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from rejoinder.archive.json_source import JsonSource
from rejoinder.archive.source import Record
from rejoinder.archive.values import flag
from rejoinder.post import State


class _Shown(NamedTuple):
    story: Mapping[str, Any]
    comment: Any = None
    above: dict[int, str] | None = None  # the last comment at each depth: old dumps name no parent


class Lobsters(JsonSource):
    """A story, then its comments as they are shown."""

    name = "lobsters"
    what = "Lobsters stories with their comments"
    marks = "short_id, and title or comment"
    link = "https://lobste.rs/s/{id}"
    places = {"short_id title comments_url": ""}
    whole = True

    def within(self, value: Mapping[str, Any], outer: Mapping[str, Any]) -> Iterator[_Shown]:
        """The story and its comments."""
        above: dict[int, str] = {}
        yield _Shown(value)
        for comment in value.get("comments") or ():
            yield _Shown(value, comment, above)

    def record(self, part: _Shown, known: None) -> Record | str:
        """The post of the story, or of a comment."""
        return _story(part.story) if part.above is None else _comment(part.comment, part.story["short_id"], part.above)


SOURCE = Lobsters()


def _story(story: Mapping[str, Any]) -> Record:
    get = story.get
    return Record(
        id=get("short_id"), text=get("description") or get("description_plain"), markup="html" if get("description") else "plain",
        title=get("title"), time=get("created_at"), author=get("submitter_name") or _writer(get("submitter_user")),
        url=get("url"), score=get("score"),
    )  # fmt: skip


def _comment(comment: Any, story: str, above: dict[int, str]) -> Record:
    get, own = comment.get, comment["short_id"]
    depth = int(get("depth", get("indent_level", 1) - 1))
    above[depth] = f"c_{own}"
    named = f"c_{get('parent_comment')}" if get("parent_comment") else None
    parent = named or (None if "parent_comment" in comment else above.get(depth - 1)) or story
    gone = State.DELETED if flag(get("is_deleted")) else State.DEAD if flag(get("is_moderated")) else State.LIVE
    return Record(
        id=f"c_{own}", text=get("comment") or get("comment_plain"), markup="html" if get("comment") else "plain", parent=parent,
        root=story, time=get("created_at"), author=_writer(get("commenting_user")), link=f"https://lobste.rs/c/{own}",
        score=get("score"), state=gone,
    )  # fmt: skip


def _writer(user: object) -> str | None:
    """A user's name; once it was an object, now it is text."""
    return user.get("username") if isinstance(user, Mapping) else user if isinstance(user, str) else None

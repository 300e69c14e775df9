"""Mattermost: posts as its API gives them, and its bulk export (JSON Lines).

A reply names what opened its thread; all other posts are turns of a conversation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from rejoinder.archive.chat import TURNS, Turns
from rejoinder.archive.json_pages import load_as_far
from rejoinder.archive.json_records import json_records
from rejoinder.archive.peek import peek
from rejoinder.archive.source import Hasher, Item, Record, Skipped, Source, guarded, guarded_all
from rejoinder.archive.values import optional, seconds
from rejoinder.post import State


class Mattermost(Source):
    """Posts of channels."""

    name = "mattermost"
    what = "Mattermost posts: answers of its API, or its bulk export"
    marks = "order and posts, or lines of type post with channel and message"
    threading = TURNS

    def recognises(self, path: Path) -> bool:
        """Whether there are such posts."""
        found = peek(path)
        bulk = {"post.channel", "post.message"} <= set(found.fields) or '"type":"version"' in found.text[:200].replace(" ", "")
        return bulk or ("order" in found.text[:4_000] and any(name.endswith(".root_id") for name in found.fields))

    def read(self, path: Path, hasher: Hasher) -> Iterator[Item]:
        """The posts, the oldest first where the file is one value.

        Raises:
            SourceError: the file cannot be read, or breaks off.
        """
        return guarded_all(_items(path, hasher), path.name)


SOURCE = Mattermost()


def _items(path: Path, hasher: Hasher) -> Iterator[Item]:
    if any(name.endswith(".root_id") for name in peek(path).fields):
        yield from _page(path, hasher)
        return
    turns = Turns()
    for row in json_records(path):
        if isinstance(row.value, Skipped):
            yield row.value
        elif row.value.get("type") in ("post", "direct_post"):
            yield from _bulk(row.value, turns, hasher, row.where)
        else:
            yield Skipped("a line about a team, a channel or a user", row.where)


def _page(path: Path, hasher: Hasher) -> Iterator[Item]:
    turns = Turns()
    whole, error = load_as_far(path)
    posts = [post for post in (whole.get("posts") or {}).values() if isinstance(post, Mapping)]
    for number, post in enumerate(sorted(posts, key=lambda post: optional(seconds, post.get("create_at")) or 0), start=1):
        where = f"{path.name}, post {number}"
        yield guarded(partial(_item, post, turns, hasher, where), where)
    if error is not None:
        raise error


def _item(post: Mapping[str, Any], turns: Turns, hasher: Hasher, where: str) -> Item:
    get, own = post.get, str(post["id"])
    if str(get("type") or "").startswith("system_"):
        return Skipped("a notice of the service", where)
    time = optional(seconds, get("create_at"))
    parent, root = (get("root_id"), get("root_id")) if get("root_id") else turns.answered(str(get("channel_id")), own, time)
    return Record(
        id=own, text=get("message"), markup="markdown-breaks", parent=parent, root=root, time=get("create_at"),
        author=get("user_id"), state=State.DELETED if get("delete_at") else State.LIVE,
    ).post(hasher, where)  # fmt: skip


def _bulk(line: Mapping[str, Any], turns: Turns, hasher: Hasher, where: str) -> Iterator[Item]:
    """The post of a line, and the replies to it, the oldest first."""
    post = line.get("post") or line.get("direct_post") or {}
    place = "/".join(map(str, (post.get("team"), post.get("channel")))) if "channel" in post else str(post.get("channel_members"))
    own = f"{place}/{post.get('user')}/{post.get('create_at')}"
    yield guarded(
        lambda: _line(post, own, turns.answered(place, own, optional(seconds, post.get("create_at"))), hasher, where), where
    )
    replies = [reply for reply in post.get("replies") or () if isinstance(reply, Mapping)]
    for reply in sorted(replies, key=lambda reply: optional(seconds, reply.get("create_at")) or 0):
        named = f"{place}/{reply.get('user')}/{reply.get('create_at')}"
        yield guarded(partial(_line, reply, named, (own, own), hasher, where), where)


def _line(post: Mapping[str, Any], own: str, above: tuple[str | None, str], hasher: Hasher, where: str) -> Item:
    if str(post.get("type") or "").startswith("system_"):
        return Skipped("a notice of the service", where)
    return Record(
        id=own, text=post.get("message"), markup="markdown-breaks", parent=above[0], root=above[1], time=post.get("create_at"),
        author=post.get("user"),
    ).post(hasher, where)  # fmt: skip

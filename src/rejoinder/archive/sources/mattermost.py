"""Mattermost: posts as its API gives them, and its bulk export (JSON Lines).

A reply names what opened its thread; all other posts are turns of a conversation.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from rejoinder.archive.chat import SILENCE, TURNS, Turns
from rejoinder.archive.json_pages import listed, load_as_far
from rejoinder.archive.json_records import Row, json_records
from rejoinder.archive.peek import peek
from rejoinder.archive.rest import Named
from rejoinder.archive.source import Hasher, Item, Record, Skipped, Source, guarded, guarded_all
from rejoinder.archive.values import optional, seconds, whole
from rejoinder.errors import SourceError
from rejoinder.post import State

_POSTS = ("post", "direct_post")  # types of lines
_BITS, _LATEST = 20, 2**43  # of a writer's number; milliseconds, that both fit in 64 bits


class Mattermost(Source):
    """Posts of channels."""

    name = "mattermost"
    what = "Mattermost posts: answers of its API, or its bulk export"
    marks = "order and posts, or lines of type post with channel and message"
    rest = "save the next pages too (`?page=1&per_page=200` and so on)"
    threading = TURNS

    def recognises(self, path: Path) -> bool:
        """Whether there are such posts."""
        found = peek(path)
        bulk = {"post.channel", "post.message"} <= set(found.fields) or '"type":"version"' in found.text[:200].replace(" ", "")
        return bulk or ("order" in found.text[:4_000] and any(name.endswith(".root_id") for name in found.fields))

    def named(self, page: Mapping[str, Any]) -> Iterable[Named]:
        """Whether older posts follow on a next page."""
        if "prev_post_id" in page:
            yield Named("", goes_on=bool(page["prev_post_id"]))

    def read(self, path: Path, hasher: Hasher) -> Iterator[Item]:
        """The posts, the oldest first where the file holds answers of the API; else in the file's order.

        Raises:
            SourceError: the file cannot be read, or breaks off.
        """
        return guarded_all(_items(path, hasher), path.name)


SOURCE = Mattermost()


def _items(path: Path, hasher: Hasher) -> Iterator[Item]:
    if any(name.endswith(".root_id") for name in peek(path).fields):
        yield from _page(path, hasher)
        return
    before = _Before(json_records(path))
    for row in json_records(path):
        if isinstance(row.value, Skipped):
            yield row.value
        elif row.value.get("type") in _POSTS:
            yield from _bulk(row.value, before, hasher, row.where)
        else:
            yield Skipped("a line about a team, a channel or a user", row.where)


def _page(path: Path, hasher: Hasher) -> Iterator[Item]:
    turns = Turns()
    value, error = load_as_far(path)
    pages = [page for page in listed(value) if isinstance(page, Mapping)]
    posts = [post for page in pages for post in (page.get("posts") or {}).values() if isinstance(post, Mapping)]
    for number, post in enumerate(sorted(posts, key=lambda post: optional(seconds, post.get("create_at")) or 0), start=1):
        where = f"{path.name}, post {number}"
        yield guarded(partial(_item, post, turns, hasher, where), where)
    if error is not None:
        raise error


def _is_notice(post: Mapping[str, Any]) -> bool:
    return str(post.get("type") or "").startswith("system_")


def _item(post: Mapping[str, Any], turns: Turns, hasher: Hasher, where: str) -> Item:
    get, own = post.get, str(post["id"])
    if _is_notice(post):
        return Skipped("a notice of the service", where)
    time = optional(seconds, get("create_at"))
    parent, root = (get("root_id"), get("root_id")) if get("root_id") else turns.answered(str(get("channel_id")), own, time)
    return Record(
        id=own, text=get("message"), markup="markdown-breaks", parent=parent, root=root, time=get("create_at"),
        author=get("user_id"), state=State.DELETED if get("delete_at") else State.LIVE,
    ).post(hasher, where)  # fmt: skip


class _Before:
    """For each post of a bulk export the one before it in its channel: the lines are in the order of ids, which are drawn.

    Of a post no more than its moment and the number of its writer is held, in 8 bytes.
    """

    def __init__(self, rows: Iterator[Row]) -> None:
        """Look through the lines; where they break off, whoever reads them is told."""
        self._writers: dict[str, int] = {}
        self._names: list[str] = []
        self._posts: defaultdict[str, array[int]] = defaultdict(lambda: array("q"))
        with suppress(SourceError):
            for row in rows:
                if isinstance(row.value, dict) and row.value.get("type") in _POSTS:
                    post, place = _post_of(row.value)
                    time = optional(whole, post.get("create_at"))
                    if place and time is not None and abs(time) < _LATEST and not _is_notice(post):
                        self._posts[place].append(time << _BITS | self._number(str(post.get("user"))))
        self._posts = defaultdict(lambda: array("q"), {place: array("q", sorted(found)) for place, found in self._posts.items()})

    def _number(self, name: str) -> int:
        number = self._writers.setdefault(name, len(self._names) % 2**_BITS)
        if number == len(self._names):
            self._names.append(name)
        return number

    def answered(self, place: str, post: Mapping[str, Any]) -> str | None:
        """The id of the post that this one is taken to answer; None: it came after a silence."""
        time, writer = optional(whole, post.get("create_at")), self._writers.get(str(post.get("user")))
        if time is None or writer is None or abs(time) >= _LATEST:
            return None
        found = self._posts[place]
        at = bisect_left(found, time << _BITS | writer) - 1
        if at < 0 or time - (found[at] >> _BITS) > SILENCE * 1_000:
            return None
        return f"{place}/{self._names[found[at] % 2**_BITS]}/{found[at] >> _BITS}"


def _post_of(line: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
    """The post of a line, and the channel or the people it is in; "" where there is none."""
    post = line.get("post") or line.get("direct_post")
    if not isinstance(post, Mapping):
        return {}, ""
    return post, f"{post.get('team')}/{post['channel']}" if "channel" in post else str(post.get("channel_members"))


def _bulk(line: Mapping[str, Any], before: _Before, hasher: Hasher, where: str) -> Iterator[Item]:
    """The post of a line, and the replies to it, the oldest first."""
    post, place = _post_of(line)
    own = f"{place}/{post.get('user')}/{post.get('create_at')}"
    yield guarded(lambda: _line(post, own, (before.answered(place, post), None), hasher, where), where)
    replies = [reply for reply in post.get("replies") or () if isinstance(reply, Mapping)]
    for reply in sorted(replies, key=lambda reply: optional(seconds, reply.get("create_at")) or 0):
        named = f"{place}/{reply.get('user')}/{reply.get('create_at')}"
        yield guarded(partial(_line, reply, named, (own, own), hasher, where), where)


def _line(post: Mapping[str, Any], own: str, above: tuple[str | None, str | None], hasher: Hasher, where: str) -> Item:
    if _is_notice(post):
        return Skipped("a notice of the service", where)
    return Record(
        id=own, text=post.get("message"), markup="markdown-breaks", parent=above[0], root=above[1], time=post.get("create_at"),
        author=post.get("user"),
    ).post(hasher, where)  # fmt: skip

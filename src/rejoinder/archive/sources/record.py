"""One record of any Hacker News source (official API, public dumps) to a Post, or the reason it cannot be one.

Known names: id, type, by (author), time (timestamp), text, dead, deleted, parent, poll, story, url, score, title. The names
kids, parts and descendants say the same as `parent` from the other end and are not needed. Any other name is ignored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from rejoinder.archive.html import clean, to_text, unescape
from rejoinder.post import Kind, Post, State

COLUMNS = (
    "id", "type", "by", "time", "text", "dead", "deleted", "parent", "poll", "kids", "url", "score", "title", "parts",
    "descendants", "timestamp", "author", "story",
)  # fmt: skip
LONGEST_TEXT = 1_000_000  # characters of HTML; the longest real item seen has 181,453
LARGEST_ID = 2**63 - 1
_LATEST = 10**11  # seconds; what is later is no date
_KINDS = {kind.value: kind for kind in Kind}
_NUMBERED = dict(enumerate((Kind.STORY, Kind.COMMENT, Kind.POLL, Kind.POLLOPT, Kind.JOB), start=1))  # ClickHouse's enum

Hasher = Callable[[str], bytes]  # an author's name -> its keyed hash


class Skipped(NamedTuple):
    """A record that is not taken in: the reason (counted), and where it stands."""

    reason: str
    where: str


class Gone(NamedTuple):
    """The source says that an item is no more."""

    id: int
    where: str


Item = Post | Skipped | Gone


class _BadRecord(Exception):
    """Why a record cannot be a post."""


def read_record(record: object, where: str, hash_author: Hasher) -> Post | Skipped:
    """The post in `record`; a name the record does not have leaves that field at None, or empty."""
    if not isinstance(record, Mapping):
        return Skipped("not a record (a JSON object)", where)
    try:
        return _post(record, hash_author)
    except _BadRecord as bad:
        return Skipped(str(bad), where)


def _post(record: Mapping[str, Any], hash_author: Hasher) -> Post:
    get = record.get
    number, parent, story, title = get("id"), get("parent"), get("story"), get("title")
    if type(number) is not int or not 0 < number <= LARGEST_ID:
        number = _id(number, "id")
        if number is None:
            raise _BadRecord("no id")
    if parent is not None:
        parent = _id(parent, "parent")
    if story is not None:
        story = _id(story, "story")
    title = _line(title, "title") if title else ""
    kind = _kind(get("type"), title, parent)
    if parent is None and kind is Kind.POLLOPT:
        parent = _id(get("poll"), "poll")
    moment = get("time")
    if type(moment) is not int or not -_LATEST <= moment <= _LATEST:
        moment = _time(moment if moment is not None else get("timestamp"))
    deleted, dead = get("deleted"), get("dead")
    if (deleted is not None and _flag(deleted)) or (dead is not None and _flag(dead)):
        state = State.DELETED if _flag(deleted) else State.DEAD
        return Post(number, kind, parent=parent, story=story, time=moment, state=state)
    name = get("by")
    name = name if name is not None else get("author")
    author = hash_author(name) if name and isinstance(name, str) else None
    text = to_text(_text(get("text"), "text"))
    url, score = get("url"), get("score")
    if url is not None:
        url = _line(url, "url") or None
    if score is not None:
        score = _score(score)
    return Post(number, kind, text, title, parent, story, moment, author, url, score)


def _id(value: object, name: str) -> int | None:
    """An item id; None for none (some dumps write 0 or an empty string)."""
    if value is None or value == "":
        return None
    try:
        number = int(value)  # type: ignore[call-overload]
    except (TypeError, ValueError, OverflowError):
        raise _BadRecord(f"{name} is not a number") from None
    if isinstance(value, bool) or (not isinstance(value, str) and value != number):
        raise _BadRecord(f"{name} is not a number")
    if not 0 <= number <= LARGEST_ID:
        raise _BadRecord(f"{name} is out of range")
    return number or None


def _kind(value: object, title: str, parent: int | None) -> Kind:
    kind = _KINDS.get(value) if isinstance(value, str) else None
    if kind is not None:
        return kind
    if isinstance(value, int) and value in _NUMBERED:
        return _NUMBERED[value]
    if value is None or value == "":
        return Kind.STORY if title and parent is None else Kind.COMMENT
    raise _BadRecord("unknown type of item")


def _time(value: object) -> int | None:
    if type(value) is int:
        if abs(value) > _LATEST:
            raise _BadRecord("time is out of range")
        return value
    if value is None or value == "":
        return None
    if isinstance(value, datetime):
        return int((value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp())
    try:
        return _time(int(float(value)))  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        pass
    try:
        return _time(datetime.fromisoformat(str(value).replace(" UTC", "+00:00")))
    except ValueError:
        raise _BadRecord("time is not a date") from None


def _line(value: object, name: str) -> str:
    """One line of text: a title, an address."""
    return " ".join(clean(unescape(_text(value, name))).split()) if value else ""


def _text(value: object, name: str) -> str:
    if not value:
        return ""
    if not isinstance(value, str):
        raise _BadRecord(f"{name} is not text")
    if len(value) > LONGEST_TEXT:
        raise _BadRecord(f"{name} is longer than {LONGEST_TEXT:,} characters")
    return value


def _flag(value: object) -> bool:
    return value in (True, 1, "true", "True", "1", "t")


def _score(value: object) -> int | None:
    try:
        score = int(value)  # type: ignore[call-overload]
    except (TypeError, ValueError, OverflowError):
        return None
    return score if abs(score) <= LARGEST_ID else None

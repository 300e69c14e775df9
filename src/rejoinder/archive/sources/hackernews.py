"""Hacker News items: the official API's records, and the public dumps of them (BigQuery, ClickHouse, Hugging Face, Kaggle).

JSON Lines, a JSON array, CSV, TSV or Parquet. Known names: id, type, by (author), time (timestamp), text, dead, deleted,
parent, poll, story, url, score, title. The names kids, parts and descendants say the same as `parent` from the other end and
are not needed. Any other name is ignored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from rejoinder.archive.hackernews_forms import algolia_records, is_algolia, renamed, unpacked
from rejoinder.archive.html import to_text
from rejoinder.archive.json_records import json_lines, json_records, line_pieces, piece_records
from rejoinder.archive.peek import peek
from rejoinder.archive.source import HN, Hasher, Item, Piece, Skipped, Source, named, refused
from rejoinder.archive.streams import plain_name
from rejoinder.archive.tables import rows
from rejoinder.archive.values import LARGEST, BadValue, escaped_line, flag, optional, seconds, text, whole
from rejoinder.errors import SourceError
from rejoinder.post import Kind, Post, State

COLUMNS = (
    "id", "type", "by", "time", "text", "dead", "deleted", "parent", "poll", "kids", "url", "score", "title", "parts",
    "descendants", "timestamp", "author", "story",
)  # fmt: skip
_WORDS = frozenset(("text", "title"))
_BESIDE = frozenset("by type time timestamp parent score kids descendants dead deleted story poll".split())
_ELSEWHERE = frozenset(
    "iid body raw cooked content message messages comments post_stream channel".split()
)  # names HN does not have
_PACKED = frozenset(("item_id", "item_json"))
_KAGGLE = frozenset(("id", "title", "num_points", "author", "created_at"))
_KINDS = {kind.value: kind for kind in Kind}
_NUMBERED = dict(enumerate((Kind.STORY, Kind.COMMENT, Kind.POLL, Kind.POLLOPT, Kind.JOB), start=1))  # ClickHouse's enum
_TIME_LIMIT = 10**11  # seconds

Names = Callable[[str], bytes]  # an author's name -> its keyed hash


class HackerNews(Source):
    """Items as the API gives them."""

    name = HN
    what = "Hacker News items, as its API and its public dumps have them"
    marks = "the fields id and text (or title), and others of by, type, time, parent, score, kids; or Algolia's names"
    link = "https://news.ycombinator.com/item?id={id}"
    notice = (
        "Hacker News asks that no generated or AI-edited text be posted in comments. "
        "These are drafts for you, the reader: to understand a thread, not to post."
    )

    def recognises(self, path: Path) -> bool:
        """Whether the records have an id and words under the names of the API, and none that others have."""
        found = peek(path)
        names = {name for name in found.fields if "." not in name} or set(found.columns)
        if is_algolia(found.fields) or names >= _PACKED or set(found.columns) >= _KAGGLE:
            return True
        return "id" in names and bool(_WORDS & names) and bool(_BESIDE & names) and not _ELSEWHERE & names

    def read(self, path: Path, hasher: Hasher) -> Iterator[Item]:
        """The items of one file, in its order.

        Raises:
            SourceError: the file cannot be read, is not what it claims, or breaks off (after its complete records).
            MissingExtra: Parquet without DuckDB.
        """
        return _items(_records(path), hasher)

    def pieces(self, path: Path) -> Iterator[Piece] | None:
        """Lines of JSON are read each by itself."""
        return line_pieces(path) if _is_lines(path) else None

    def read_piece(self, piece: Piece, path: Path, hasher: Hasher) -> Iterator[Item]:
        """The items of some lines."""
        return _items(piece_records(piece, path.name), hasher)


SOURCE = HackerNews()


def _items(records: Iterable[tuple[str, Mapping[str, Any] | Skipped]], hasher: Hasher) -> Iterator[Item]:
    items = (found if isinstance(found, Skipped) else read_record(found, where, hasher) for where, found in records)
    return (_renumbered(item, hasher) for item in items) if hasher.hashed else items


def _is_lines(path: Path) -> bool:
    found = peek(path)
    if is_algolia(found.fields):
        return False
    return plain_name(path).endswith((".jsonl", ".ndjson")) or (found.json == "{" and _many_lines(found.text))


def _records(path: Path) -> Iterator[tuple[str, Mapping[str, Any] | Skipped]]:
    """Every record with where it stands."""
    found, name = peek(path), plain_name(path)
    if is_algolia(found.fields):
        return algolia_records(path)
    if _is_lines(path):
        return ((row.where, row.value) for row in json_lines(path))
    if found.json or name.endswith(".json"):
        return ((row.where, row.value) for row in json_records(path))
    return ((where, row if isinstance(row, Skipped) else _row(row, where)) for where, row in rows(path, partial(_columns, path)))


def _row(row: Mapping[str, Any], where: str) -> Mapping[str, Any] | Skipped:
    return unpacked(row, where) if "item_json" in row else renamed(row) if "num_points" in row else row


def _many_lines(head: str) -> bool:
    """Whether the first line is a record of its own, and another follows."""
    first, _, rest = head.lstrip().partition("\n")
    return first.rstrip().endswith("}") and rest.lstrip().startswith("{")


def _columns(path: Path, found: Sequence[str]) -> list[str]:
    if set(found) >= _PACKED:
        return sorted(_PACKED)
    columns = [name for name in found if name in COLUMNS or (name in _KAGGLE and set(found) >= _KAGGLE)]
    if "id" not in columns or not _WORDS & set(columns):
        raise SourceError(
            f"{path}: expected the columns id and text (or title), as in Hacker News dumps; "
            f"got {', '.join(found[:12]) or 'none'}. Nothing was taken of it"
        )
    return columns


def _renumbered(item: Item, hasher: Hasher) -> Item:
    """The items of another place in Hacker News' form: their ids are its own business."""
    if not isinstance(item, Post):
        return item
    parent, story = (None if number is None else hasher.number(str(number)) for number in (item.parent, item.story))
    return item._replace(id=hasher.number(str(item.id)), parent=parent, story=story, own=str(item.id))


def read_record(record: object, where: str, hash_author: Names) -> Item:
    """The post in `record`; a name the record does not have leaves that field at None, or empty."""
    if not isinstance(record, Mapping):
        return Skipped("not a record (a JSON object)", where)
    try:
        return _post(record, hash_author)
    except Exception as error:
        return refused(error, where)


def _post(record: Mapping[str, Any], hash_author: Names) -> Post:
    get = record.get
    number, parent, story, title = get("id"), get("parent"), get("story"), get("title")
    if type(number) is not int or not 0 < number <= LARGEST:
        number = named("id", _id, number)
        if number is None:
            raise BadValue("no id")
    if parent is not None:
        parent = optional(_id, parent)
    if story is not None:
        story = optional(_id, story)
    title = named("title", escaped_line, title) if title else ""
    kind = _kind(get("type"), title, parent)
    if parent is None and kind is Kind.POLLOPT:
        parent = optional(_id, get("poll"))
    moment = get("time")
    if type(moment) is not int or not -_TIME_LIMIT <= moment <= _TIME_LIMIT:
        moment = optional(seconds, moment if moment is not None else get("timestamp"))
    deleted, dead = get("deleted"), get("dead")
    if (deleted is not None and flag(deleted)) or (dead is not None and flag(dead)):
        state = State.DELETED if flag(deleted) else State.DEAD
        return Post(number, kind, parent=parent, story=story, time=moment, state=state)
    name = get("by")
    name = name if name is not None else get("author")
    author = hash_author(name) if name and isinstance(name, str) else None
    words = to_text(named("text", text, get("text")))
    url, score = get("url"), get("score")
    if url is not None:
        url = optional(escaped_line, url) or None
    if score is not None:
        score = optional(whole, score)
    return Post(number, kind, words, title, parent, story, moment, author, url, score)


def _id(value: object) -> int | None:
    """An item id; None for none (some dumps write 0 or an empty string)."""
    number = whole(value)
    if number is not None and number < 0:
        raise BadValue("is out of range")
    return number or None


def _kind(value: object, title: str, parent: int | None) -> Kind:
    kind = _KINDS.get(value) if isinstance(value, str) else None
    if kind is not None:
        return kind
    number = optional(whole, value)
    if number in _NUMBERED:
        return _NUMBERED[number]
    if number is None and (value is None or value == ""):
        return Kind.STORY if title and parent is None else Kind.COMMENT
    raise BadValue("unknown type of item")

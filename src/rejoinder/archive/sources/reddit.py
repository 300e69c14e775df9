"""Reddit: rows of its monthly dumps (Pushshift, Arctic Shift), and listings as its API gives them.

Ids carry their kind before them (t3 a submission, t1 a comment), so that one cannot be taken for the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from html import unescape
from pathlib import Path
from typing import Any

from rejoinder.archive.json_pages import load_as_far
from rejoinder.archive.json_records import json_lines, json_records
from rejoinder.archive.peek import peek
from rejoinder.archive.source import Hasher, Item, Record, Skipped, Source, guarded, guarded_all
from rejoinder.post import State

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_GONE = {"[deleted]": State.DELETED, "[removed]": State.DEAD}


class Reddit(Source):
    """Submissions and comments."""

    name = "reddit"
    what = "Reddit submissions and comments: dumps (Pushshift, Arctic Shift), or listings of its API"
    marks = "rows with subreddit and body or selftext; listings of kind t1 or t3"
    link = "https://www.reddit.com/comments/{id}"

    def recognises(self, path: Path) -> bool:
        """Whether there are such rows, or a listing."""
        fields = peek(path).fields
        rows = any({f"{at}subreddit", f"{at}created_utc"} <= set(fields) and _words(fields, at) for at in ("", "data."))
        return rows or (fields.get("kind") == "Listing" and "data.children.kind" in fields)

    def read(self, path: Path, hasher: Hasher) -> Iterator[Item]:
        """The posts, in the file's order.

        Raises:
            SourceError: the file cannot be read, or breaks off.
        """
        return guarded_all(_items(path, hasher), path.name)


SOURCE = Reddit()


def _items(path: Path, hasher: Hasher) -> Iterator[Item]:
    found = peek(path)
    if found.fields.get("kind") == "Listing":
        whole, error = load_as_far(path)
        for number, (thing, shown_whole) in enumerate(_things(whole), start=1):
            where = f"{path.name}, thing {number}"
            yield _thing(thing, hasher, where) if shown_whole else Skipped("comments that were not loaded", where)
        if error is not None:
            raise error
        return
    wrapped = "data.subreddit" in found.fields
    rows = json_records(path, ("data",)) if wrapped else json_lines(path) if found.json == "{" else json_records(path)
    for row in rows:
        yield row.value if isinstance(row.value, Skipped) else _thing(row.value, hasher, row.where)


def _words(fields: Mapping[str, Any], at: str) -> bool:
    return any(f"{at}{name}" in fields for name in ("body", "selftext"))


def _things(value: Any) -> Iterator[tuple[Mapping[str, Any], bool]]:
    """The data of each submission and comment of a listing, or of several, however deep; whether it is there."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, list):
            waiting += reversed(one)
        elif isinstance(one, Mapping) and isinstance(data := one.get("data"), Mapping):
            if one.get("kind") == "Listing":
                waiting.append(data.get("children"))
            elif one.get("kind") in ("t1", "t3"):
                yield data, True
                waiting.append(data.get("replies"))
            elif one.get("kind") == "more":
                yield data, False


def _thing(row: Mapping[str, Any], hasher: Hasher, where: str) -> Item:
    return guarded(partial(_post, row, hasher, where), where)


def _post(row: Mapping[str, Any], hasher: Hasher, where: str) -> Item:
    get = row.get
    comment = "body" in row
    own, text, author = get("id") or str(get("name") or "")[3:], get("body") if comment else get("selftext"), get("author")
    thread = _named(get("link_id"), "t3") if comment else None
    parent = (_named(get("parent_id"), "t1") or thread) if comment else None
    permalink = get("permalink")
    return Record(
        id=f"{'t1' if comment else 't3'}_{own}" if own else None,
        text=unescape(text) if isinstance(text, str) and text not in _GONE else "",
        markup="markdown",
        title=unescape(str(get("title") or "")),
        parent=parent,
        root=thread,
        time=get("created_utc"),
        author=None if author in _GONE else author,
        link=f"https://www.reddit.com{permalink}" if isinstance(permalink, str) and permalink.startswith("/r/") else None,
        url=None if comment or get("is_self") else get("url"),
        score=get("score"),
        state=_GONE.get(str(text), State.LIVE) if comment or not get("title") else State.LIVE,
    ).post(hasher, where)


def _named(value: object, kind: str) -> str | None:
    """An id with its kind before it; a bare number, as some months have it, is written in base 36."""
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        digits = ""
        while value:
            value, digit = divmod(value, 36)
            digits = _DIGITS[digit] + digits
        return f"{kind}_{digits}"
    return value if isinstance(value, str) and value[:3] in ("t1_", "t3_") else None

"""Reddit: rows of its monthly dumps (Pushshift, Arctic Shift), and listings as its API gives them.

Ids carry their kind before them (t3 a submission, t1 a comment), so that one cannot be taken for the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import unescape
from pathlib import Path
from typing import Any

from rejoinder.archive.json_pages import picked_records
from rejoinder.archive.json_records import Row, json_lines, json_records
from rejoinder.archive.json_source import JsonSource
from rejoinder.archive.peek import peek
from rejoinder.archive.source import Record
from rejoinder.post import State

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_GONE = {
    "[deleted]": State.DELETED, "[removed]": State.DEAD, "[ Removed by Reddit ]": State.DEAD, "[ Removed by reddit ]": State.DEAD
}  # fmt: skip


_MORE = "json.data.things.kind"  # of comments that were loaded later


class Reddit(JsonSource):
    """Submissions and comments."""

    name = "reddit"
    what = "Reddit submissions and comments: dumps (Pushshift, Arctic Shift), or listings of its API"
    marks = "rows with subreddit and body or selftext; listings of kind t1 or t3"
    link = "https://www.reddit.com/comments/{id}"
    places = {
        f"{at}subreddit {at}created_utc {at}{words}": at.strip(".") for at in ("", "data.") for words in ("body", "selftext")
    }

    def recognises(self, path: Path) -> bool:
        """Whether there are such rows, or a listing."""
        fields = peek(path).fields
        return super().recognises(path) or (_is_listing(path) and not fields.keys().isdisjoint(("data.children.kind", _MORE)))

    def rows(self, path: Path) -> Iterator[Row]:
        """The rows, or the things of a listing, in the file's order.

        Raises:
            SourceError: the file cannot be read, or breaks off.
        """
        found = peek(path)
        if _is_listing(path):
            return picked_records(path, _things)
        if "data.subreddit" in found.fields:
            return json_records(path, ("data",))
        lines = found.json == "{" and found.text.lstrip().partition("\n")[0].rstrip().endswith("}")
        return json_lines(path) if lines else json_records(path)

    def within(self, value: Mapping[str, Any], outer: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        """The row, and the comments that some tools write inside it, however deep."""
        waiting: list[Any] = [value]
        while waiting:
            one = waiting.pop()
            if isinstance(one, list):
                waiting += reversed(one)
            elif isinstance(one, Mapping):
                yield one
                waiting += [one[name] for name in ("replies", "comments") if isinstance(one.get(name), list)]

    def record(self, part: Mapping[str, Any], known: None) -> Record | str:
        """The post of a row, or of a thing of a listing."""
        return _record(part) if part.get("kind") != "more" else "comments that were not loaded"


SOURCE = Reddit()


def _is_listing(path: Path) -> bool:
    fields = peek(path).fields
    return bool(fields.get("kind") == "Listing" or _MORE in fields)


def _things(value: Any) -> Iterator[Mapping[str, Any]]:
    """The data of each submission and comment of a listing, or of several, however deep; a mark where some were not loaded."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, list):
            waiting += reversed(one)
        elif isinstance(one, Mapping) and isinstance(data := one.get("data"), Mapping):
            if one.get("kind") == "Listing":
                waiting.append(data.get("children"))
            elif one.get("kind") in ("t1", "t3"):
                yield data
                waiting.append(data.get("replies"))
            elif one.get("kind") == "more":
                yield one
        elif isinstance(one, Mapping) and isinstance(one.get("json"), Mapping):
            waiting.append((one["json"].get("data") or {}).get("things"))


def _record(row: Mapping[str, Any]) -> Record:
    get = row.get
    comment = "body" in row
    own, text, author = get("id") or str(get("name") or "")[3:], get("body") if comment else get("selftext"), get("author")
    thread = _named(get("link_id"), "t3") if comment else None
    parent = (_named(get("parent_id"), "t1") or thread) if comment else None
    permalink = get("permalink")
    return Record(
        id=f"{'t1' if comment else 't3'}_{own}" if own else None,
        text=unescape(text) if isinstance(text, str) and text not in _GONE else "",
        markup="reddit",
        title=unescape(str(get("title") or "")),
        parent=parent,
        root=thread,
        time=get("created_utc"),
        author=None if author in _GONE else author,
        link=f"https://www.reddit.com{permalink}" if isinstance(permalink, str) and permalink.startswith("/r/") else None,
        url=unescape(address) if isinstance(address := get("url"), str) and not comment and not get("is_self") else None,
        score=get("score"),
        state=_GONE.get(str(text), State.LIVE) if comment or not get("title") else State.LIVE,
    )


def _named(value: object, kind: str) -> str | None:
    """An id with its kind before it; a bare number, as some months have it, is written in base 36."""
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        digits = ""
        while value:
            value, digit = divmod(value, 36)
            digits = _DIGITS[digit] + digits
        return f"{kind}_{digits}"
    return value if isinstance(value, str) and value[:3] in ("t1_", "t3_") else None

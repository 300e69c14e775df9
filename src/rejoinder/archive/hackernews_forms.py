"""Hacker News items under other names than the API's: Algolia's search and trees, dumps of `item_json`, Kaggle's tables.

Each becomes a record under the names of the official API.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from rejoinder.archive.json_pages import load_as_far
from rejoinder.archive.source import Skipped

_KAGGLE = {"num_points": "score", "created_at": "time", "author": "by"}  # a table's name -> the API's
_AMERICAN = "%m/%d/%Y %H:%M"
_KINDS = ("story", "comment", "job", "poll", "pollopt")


def is_algolia(fields: Mapping[str, Any]) -> bool:
    """Whether the fields of a JSON file's beginning are those of Algolia's answers, or hold one."""
    names = {name.rpartition(".")[2] for name in fields}
    return {"created_at_i", "author"} <= names and bool({"objectID", "parent_id", "children", "story_id"} & names)


def algolia_records(path: Path) -> Iterator[tuple[str, Mapping[str, Any] | Skipped]]:
    """Every item of a tree, or of a page of hits, wherever in the file it lies, with where it stands.

    Raises:
        SourceError: the file cannot be read, or breaks off (after its records).
    """
    value, error = load_as_far(path)
    waiting = [value]
    number = 0
    while waiting:
        found = waiting.pop()
        if isinstance(found, list):
            waiting += [one for one in reversed(found) if isinstance(one, list | dict)]
        elif isinstance(found, dict):
            if "created_at_i" in found and "author" in found:
                number += 1
                yield f"{path.name}, item {number}", _item(found, f"{path.name}, item {number}")
            waiting += [one for name, one in reversed(found.items()) if isinstance(one, list | dict) and not name.startswith("_")]
    if error is not None:
        raise error


def _item(found: Mapping[str, Any], where: str) -> Mapping[str, Any] | Skipped:
    get = found.get
    tags = get("_tags")
    kind = get("type") or next((tag for tag in (tags if isinstance(tags, list) else ()) if tag in _KINDS), None)
    text = get("text") or get("comment_text") or get("story_text")
    if not text and not get("title"):
        return Skipped("no words in it", where)
    return {
        "id": get("objectID") or get("id"), "type": kind, "by": get("author"), "time": get("created_at_i"), "text": text,
        "title": get("title"), "url": get("url"), "score": get("points"), "parent": get("parent_id"), "story": get("story_id"),
    }  # fmt: skip


def unpacked(row: Mapping[str, Any], where: str) -> Mapping[str, Any] | Skipped:
    """The item in a row of (item_id, item_json)."""
    try:
        item = json.loads(str(row["item_json"]))
    except (ValueError, KeyError, RecursionError):
        return Skipped("item_json is not JSON", where)
    return {"id": row.get("item_id"), **item} if isinstance(item, dict) else Skipped("not a record (a JSON object)", where)


def renamed(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of one of Kaggle's tables under the names of the API."""
    record = {_KAGGLE.get(name, name): value for name, value in row.items()}
    with suppress(ValueError, TypeError):
        record["time"] = f"{datetime.strptime(str(record.get('time')), _AMERICAN):%Y-%m-%d %H:%M}"
    return record

"""Any table or JSON, once a person has said which of its fields is what: `--map id=ticket_id,parent=in_reply_to,text=body`.

A name with dots leads into nested JSON (`author=user.name`; a number is a place in a list). A TOML file may say the same, one
line a field. Beside the fields of a post: `markup` names the markup of the texts, `at` where in a JSON file the records lie.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from rejoinder.archive.html import unescape
from rejoinder.archive.json_records import json_lines, json_records
from rejoinder.archive.markup import MARKUPS
from rejoinder.archive.peek import peek
from rejoinder.archive.source import Hasher, Item, Record, Skipped, Source
from rejoinder.archive.tables import rows
from rejoinder.errors import SourceError, UsageError

_FIELDS = ("id", "parent", "root", "text", "title", "time", "author", "link", "url", "score", "solved", "answer")
_ESCAPED = ("html", "bbcode", "mail-html")  # markups whose boards keep titles with entities
_KNOWN = (*_FIELDS, "markup", "at")


def read_map(given: str) -> Mapped:
    """The source that `--map` describes: NAME=FIELD pairs with commas, or a TOML file of them.

    Raises:
        UsageError: it cannot be read, names something unknown, or no id and words.
    """
    pairs = _from_file(Path(given)) if given.endswith(".toml") else _from_text(given)
    for name in pairs:
        if name not in _KNOWN:
            near = get_close_matches(name, _KNOWN, 1)
            raise UsageError(
                f"--map knows no {name!r}{f' (did you mean {near[0]}?)' if near else ''}; known: {', '.join(_KNOWN)}"
            )
    if "id" not in pairs or not {"text", "title"} & set(pairs):
        raise UsageError("--map must say at least where the id and the text are: --map id=...,text=...")
    if pairs.get("markup", "plain") not in MARKUPS:
        raise UsageError(f"markup is one of {', '.join(MARKUPS)}; got {pairs['markup']!r}")
    return Mapped(pairs)


def _from_text(given: str) -> dict[str, str]:
    found = dict(pair.partition("=")[::2] for pair in given.split(",") if pair.strip())
    if not all(name.strip() and field.strip() for name, field in found.items()):
        raise UsageError(f"--map takes NAME=FIELD pairs such as id=ticket_id,text=body, or a .toml file; got {given[:60]!r}")
    return {name.strip(): field.strip() for name, field in found.items()}


def _from_file(file: Path) -> dict[str, str]:
    try:
        return {name: str(field) for name, field in tomllib.loads(file.read_text(encoding="utf-8")).items()}
    except (OSError, ValueError) as error:
        raise UsageError(f"--map {file}: {error}") from error


class Mapped(Source):
    """A table or JSON whose fields a person has named."""

    name = "map"
    what = "any table or JSON, with --map"
    marks = "what --map says"

    def __init__(self, fields: Mapping[str, str]) -> None:
        """`fields`: from the names of a post's parts to those of the file's."""
        self.fields = {name: field for name, field in fields.items() if name in _FIELDS}
        self._markup = fields.get("markup", "plain")
        self._at = tuple(part for part in fields.get("at", "").split(".") if part)

    def recognises(self, path: Path) -> bool:
        """Whether it is a table or JSON at all."""
        return bool(peek(path).json or peek(path).columns)

    def read(self, path: Path, hasher: Hasher) -> Iterator[Item]:
        """The rows or records of the file.

        Raises:
            SourceError: it is neither a table nor JSON, lacks the fields, or breaks off (after its complete records).
        """
        for where, found in self._records(path):
            if isinstance(found, Skipped):
                yield found
                continue
            values: dict[str, Any] = {name: _value(found, field) for name, field in self.fields.items()}
            link = values.pop("link", None)
            if type(values.get("time")) is int:
                values["time"] = str(values["time"])  # a day may be written as a number of eight digits
            if self._markup in _ESCAPED and isinstance(values.get("title"), str):
                values["title"] = unescape(values["title"])
            yield Record(**values, markup=self._markup, link=link if isinstance(link, str) else None).post(hasher, where)

    def _records(self, path: Path) -> Iterator[tuple[str, Mapping[str, Any] | Skipped]]:
        seen = peek(path)
        if not seen.json:
            return rows(path, self._columns)
        several = seen.json == "{" and not self._at and seen.text.lstrip().partition("\n")[0].rstrip().endswith("}")
        found = json_lines(path) if several else json_records(path, self._at)
        return ((row.where, row.value) for row in found)

    def _columns(self, there: Sequence[str]) -> Sequence[str]:
        missing = [field for field in self.fields.values() if field not in there]
        if missing:
            raise SourceError(
                f"no column {', '.join(missing)}, which --map names; there are {', '.join(there[:20]) or 'none'}. "
                "Nothing was taken of it"
            )
        return list(self.fields.values())


def _value(record: Mapping[str, Any], field: str) -> Any:
    """The value at a name with dots; None where there is none."""
    if field in record:
        return record[field]
    here: Any = record
    for part in field.split("."):
        if isinstance(here, Mapping):
            here = here.get(part)
        elif isinstance(here, list) and part.isdecimal() and int(part) < len(here):
            here = here[int(part)]
        else:
            return None
    return here

"""What is cheap to know of a file or a folder, for those who must tell its form: looked at once, remembered for a while."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from rejoinder.archive.streams import UNREADABLE, open_stream, plain_name
from rejoinder.archive.tables import header, parquet_columns
from rejoinder.errors import SourceError

_HEAD = 2**18  # bytes
_NAMES = 20_000  # files of a folder that are listed
_FIELDS = 2_000
_DEEPEST = 64  # levels


@dataclass(frozen=True)
class Peek:
    """The beginning of a file, unpacked, or the names in a folder. A file that cannot be read looks empty."""

    path: Path
    head: bytes = b""

    @property
    def name(self) -> str:
        """The file's name in small letters, without .gz and the like."""
        return plain_name(self.path)

    @cached_property
    def text(self) -> str:
        """The beginning as text."""
        return self.head.decode("utf-8-sig", "replace")

    @cached_property
    def json(self) -> str:
        """How a JSON file begins: "[", "{", or "" for no JSON."""
        return first if (first := self.text.lstrip()[:1]) and first in "[{" else ""

    @cached_property
    def fields(self) -> dict[str, Any]:
        """The fields met at the beginning of a JSON file, each with its first scalar value (None for containers).

        A name has dots for what it lies in; arrays leave no trace: `{"a": [{"b": 1}]}` gives `a` and `a.b`.
        """
        found: dict[str, Any] = {}
        if self.json:
            import ijson

            with suppress(ijson.JSONError, ValueError, RecursionError):  # the beginning ends somewhere inside
                for name, value in _named_values(self.head.removeprefix(b"\xef\xbb\xbf")):
                    if found.get(name) is None:
                        found[name] = value
                    if len(found) >= _FIELDS:
                        break
        return found

    @cached_property
    def columns(self) -> list[str]:
        """The names in the first row of a table; [] for what is none."""
        if self.head.startswith(b"PAR1"):
            return parquet_columns(self.path)
        first = self.text.lstrip("\r\n").partition("\n")[0]
        if self.json or self.text.startswith("<") or "\0" in first or not any(mark in first for mark in ",;\t"):
            return []
        return [name.strip() for name in header(self.path, first)]

    @cached_property
    def names(self) -> list[str]:
        """The files in a folder and below it, as sorted paths from the folder on, with "/"; [] for a file."""
        if not self.path.is_dir():
            return []
        found: list[str] = []
        for at, folders, files in os.walk(self.path):  # which follows no links
            folders.sort()
            found += [(Path(at) / name).relative_to(self.path).as_posix() for name in files]
            if len(found) >= _NAMES:
                break
        return sorted(found)


def peek(path: Path) -> Peek:
    """What can be seen of `path` at a glance."""
    try:
        state = path.stat()
    except OSError:
        return Peek(path)
    return _peek(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=8)
def _peek(path: Path, _: int, __: int) -> Peek:
    head = b""
    if path.is_file():
        with suppress(SourceError, *UNREADABLE), open_stream(path) as file:
            while len(head) < _HEAD and (data := file.read1(_HEAD - len(head))):
                head += data
    return Peek(path, head)


def _named_values(data: bytes) -> Iterator[tuple[str, Any]]:
    """Every named value of some JSON, None for a container, with its name in dots; what lies too deep ends it.

    `ijson.parse` would keep the whole way down to each level: memory that grows with the square of the depth.
    """
    import ijson

    way: list[str] = []  # the name of each level: of a map that of the value that comes, of an array none
    for event, value in ijson.basic_parse(data, multiple_values=True):
        if event == "map_key":
            way[-1] = value
        elif event in ("end_map", "end_array"):
            way.pop()
        else:
            starts = event in ("start_map", "start_array")
            if way and (event != "start_array" or way[-1]) and (name := ".".join(filter(None, way))):
                yield name, None if starts else value
            if starts:
                way.append("")
            if len(way) > _DEEPEST:
                return

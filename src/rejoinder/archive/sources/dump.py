"""Files of Hacker News items: JSON Lines, JSON, CSV and Parquet, plain or compressed with gzip or zstd.

JSON Lines are read by us, line by line, so that one bad line costs one line. A JSON array is read by ijson as a stream. CSV
and Parquet are read by DuckDB (extra `dumps`). The format is what the file's name says; a file that is not what its name
says is refused before anything is written.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO

import ijson
import orjson

from rejoinder.archive.sources.record import Hasher, Item, Skipped, read_record
from rejoinder.archive.sources.stream import UNREADABLE, open_stream
from rejoinder.archive.sources.table import read_table
from rejoinder.errors import SourceError

LONGEST_LINE = 16 * 2**20  # bytes; a longer line is skipped, and never held in memory as a whole
_PATIENCE = 1_000  # a file whose first so many lines are all bad is not JSON Lines
_DEEPEST = 64  # levels of JSON in one another
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_MAGIC = {".gz": b"\x1f\x8b", ".zst": b"\x28\xb5\x2f\xfd", ".parquet": b"PAR1"}
_FORMATS = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet")


def read_dump(path: Path, hash_author: Hasher) -> Iterator[Item]:
    """The items of one file, in its order; nothing is yielded from a file that is not what its name says.

    Raises:
        SourceError: the file cannot be read, is not what it claims, or breaks off (after its complete records).
        MissingExtra: CSV or Parquet without DuckDB.
    """
    kind, packing = _format(path)
    _check_magic(path, kind, packing)
    if kind in (".jsonl", ".ndjson"):
        return _json_lines(path, packing, hash_author)
    if kind == ".json":
        return _json(path, packing, hash_author)
    return read_table(path, kind, packing, hash_author)


def _format(path: Path) -> tuple[str, str]:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    packing = suffixes.pop() if suffixes and suffixes[-1] in (".gz", ".zst") else ""
    kind = suffixes[-1] if suffixes else ""
    if kind not in _FORMATS:
        raise SourceError(
            f"{path}: not a kind of file that is known; expected a name ending in {', '.join(_FORMATS)} (.gz, .zst)"
        )
    return kind, packing


def _check_magic(path: Path, kind: str, packing: str) -> None:
    claim = packing or kind
    try:
        with path.open("rb") as file:
            start = file.read(4)
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror}") from error
    if claim in _MAGIC and not start.startswith(_MAGIC[claim]):
        raise SourceError(f"{path}: named {claim}, but it is not: it begins with {start!r}. Nothing was imported")


def _json_lines(path: Path, packing: str, hash_author: Hasher) -> Iterator[Item]:
    held: list[Item] | None = []  # bad lines, held back until one good line shows that this is JSON Lines
    number = 0
    try:
        with open_stream(path, packing) as file:
            for number, line in _lines(file):
                item = _line(line, f"{path.name}:{number}", hash_author)
                if held is None:
                    yield item
                    continue
                held.append(item)
                if not isinstance(item, Skipped) or item.reason not in _NOT_JSON_LINES:
                    yield from held
                    held = None
                elif len(held) >= _PATIENCE:
                    break
    except UNREADABLE as error:
        raise SourceError(
            f"{path}: breaks off after line {number:,} ({error}); the complete records before it are kept"
        ) from error
    if held:
        raise SourceError(f"{path}: not JSON Lines: none of its first {len(held):,} lines is a JSON object. Nothing was imported")


def _lines(file: BinaryIO) -> Iterator[tuple[int, bytes | None]]:
    """Numbered lines that are not blank; None for one longer than `LONGEST_LINE`."""
    number = 0
    while line := file.readline(LONGEST_LINE):
        number += 1
        if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
            while (rest := file.readline(2**20)) and not rest.endswith(b"\n"):
                pass
            yield number, None
        elif not line.isspace():
            yield number, line


_LONG = f"line longer than {LONGEST_LINE // 2**20} MiB"
_NOT_JSON = "not JSON"
_NOT_UTF8 = "not UTF-8"
_NOT_JSON_LINES = (_NOT_JSON, _NOT_UTF8, _LONG, "not a record (a JSON object)")


def _line(line: bytes | None, where: str, hash_author: Hasher) -> Item:
    if line is None:
        return Skipped(_LONG, where)
    try:
        record = orjson.loads(line)
    except ValueError:  # stricter than the standard library: lone surrogates, NaN and a byte order mark end here
        try:
            record = json.loads(line.decode("utf-8-sig"))
        except UnicodeDecodeError:
            return Skipped(_NOT_UTF8, where)
        except (ValueError, RecursionError):
            return Skipped(_NOT_JSON, where)
    return read_record(record, where, hash_author)


def _json(path: Path, packing: str, hash_author: Hasher) -> Iterator[Item]:
    """A JSON array of items, or one item."""
    number = 0
    try:
        with open_stream(path, packing) as file:
            if file.peek(3).startswith(_BYTE_ORDER_MARK):
                file.read(len(_BYTE_ORDER_MARK))
            many = file.peek(64).lstrip().startswith(b"[")
            # read1 gives what there is: before a break, what comes before it
            events = _shallow(ijson.basic_parse(SimpleNamespace(read=file.read1), use_float=True, multiple_values=not many))
            for record in ijson.items(ijson.parse(events), "item" if many else ""):
                number += 1
                if number == 1 and not isinstance(record, dict):
                    raise SourceError(f"{path}: JSON, but not of items (objects with an id). Nothing was imported")
                yield read_record(record, f"{path.name}, record {number}", hash_author)
    except (ijson.JSONError, UnicodeDecodeError, RecursionError, *UNREADABLE) as error:
        reason = " ".join(str(error).split())[:120]
        if number == 0:
            raise SourceError(f"{path}: not JSON ({reason}). Nothing was imported") from error
        raise SourceError(
            f"{path}: breaks off after record {number:,} ({reason}); the complete records before it are kept"
        ) from error


def _shallow(events: Iterator[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    """The events of a JSON file that nests no deeper than items do: what is built from them costs depth times depth."""
    depth = 0
    for event, value in events:
        depth += event.startswith("start_") - event.startswith("end_")
        if depth > _DEEPEST:
            raise ijson.JSONError(f"nested deeper than {_DEEPEST}")
        yield event, value

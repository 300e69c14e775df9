"""Files of Hacker News items: JSON Lines, JSON, CSV and Parquet, plain or compressed with gzip or zstd.

JSON Lines are read by us, line by line, so that one bad line costs one line. A JSON array is read by ijson as a stream. CSV
and Parquet are read by DuckDB (extra `dumps`). The format is what the file's name says; a file that is not what its name
says is refused before anything is written.
"""

from __future__ import annotations

import gzip
import io
import json
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import ijson
import orjson

from rejoinder.archive.sources.record import COLUMNS, Hasher, Item, Skipped, read_record
from rejoinder.errors import SourceError, missing_extra

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LONGEST_LINE = 16 * 2**20  # bytes; a longer line is skipped, and never held in memory as a whole
_PATIENCE = 1_000  # a file whose first so many lines are all bad is not JSON Lines
_FETCH = 2_000  # rows at a time from DuckDB
_UNREADABLE = (EOFError, OSError, zlib.error, zstd.ZstdError)
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
    return _table(path, kind, packing, hash_author)


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


def _open(path: Path, packing: str) -> BinaryIO:
    opened: Any  # a raw stream of either library
    if packing == ".gz":
        opened = gzip.GzipFile(path, "rb")
    elif packing == ".zst":
        opened = zstd.ZstdFile(path, "rb")
    else:
        opened = io.FileIO(path)
    return io.BufferedReader(opened, buffer_size=2**18)


def _json_lines(path: Path, packing: str, hash_author: Hasher) -> Iterator[Item]:
    held: list[Item] | None = []  # bad lines, held back until one good line shows that this is JSON Lines
    number = 0
    try:
        with _open(path, packing) as file:
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
    except _UNREADABLE as error:
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
        with _open(path, packing) as file:
            many = file.peek(64).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[")  # type: ignore[attr-defined]
            for record in ijson.items(file, "item" if many else "", use_float=True):
                number += 1
                if number == 1 and not isinstance(record, dict):
                    raise SourceError(f"{path}: JSON, but not of items (objects with an id). Nothing was imported")
                yield read_record(record, f"{path.name}, record {number}", hash_author)
    except (ijson.JSONError, UnicodeDecodeError, RecursionError, *_UNREADABLE) as error:
        reason = " ".join(str(error).split())[:120]
        if number == 0:
            raise SourceError(f"{path}: not JSON ({reason}). Nothing was imported") from error
        raise SourceError(
            f"{path}: breaks off after record {number:,} ({reason}); the complete records before it are kept"
        ) from error


def _table(path: Path, kind: str, packing: str, hash_author: Hasher) -> Iterator[Item]:
    """CSV, TSV or Parquet, through DuckDB: only the columns that are known, a batch of rows at a time."""
    try:
        import duckdb
    except ImportError:
        raise missing_extra(f"reading {kind} files", "dumps") from None
    compression = {"": "none", ".gz": "gzip", ".zst": "zstd"}[packing]
    number = 0
    with duckdb.connect(":memory:", config=_SAFE) as db:
        reader = "read_parquet(?)"
        if kind != ".parquet":
            reader = f"read_csv(?, header=true, all_varchar=true, store_rejects=true, compression='{compression}')"
        elif packing:
            raise SourceError(f"{path}: Parquet is compressed within; unpack the outer {packing} first. Nothing was imported")
        try:
            name = str(path).replace("[", "[[]")  # DuckDB would read brackets as a pattern
            found = [row[0] for row in db.execute(f"DESCRIBE SELECT * FROM {reader}", [name]).fetchall()]
            columns = _columns(path, found)
            rows = db.execute(f"SELECT {', '.join(columns)} FROM {reader}", [name])
            while batch := rows.fetchmany(_FETCH):
                for row in batch:
                    number += 1
                    yield read_record(dict(zip(columns, row, strict=True)), f"{path.name}, row {number}", hash_author)
            if kind != ".parquet":
                for line, reason in db.execute("SELECT line, error_type FROM reject_errors ORDER BY line").fetchall():
                    yield Skipped(f"not a row of the table ({str(reason).lower()})", f"{path.name}:{line}")
        except (duckdb.Error, UnicodeDecodeError) as error:
            reason = " ".join(str(error).split())[:160]
            if number == 0:
                raise SourceError(f"{path}: not {kind[1:].upper()} that can be read ({reason}). Nothing was imported") from error
            raise SourceError(
                f"{path}: breaks off after row {number:,} ({reason}); the complete records before it are kept"
            ) from error


_SAFE: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "memory_limit": "400MB",
    "threads": "2",
    "preserve_insertion_order": "true",
}


def _columns(path: Path, found: list[str]) -> list[str]:
    columns = [name for name in found if name in COLUMNS]
    if "id" not in columns or not {"text", "title"} & set(columns):
        raise SourceError(
            f"{path}: expected the columns id and text (or title), as in Hacker News dumps; "
            f"got {', '.join(found[:12]) or 'none'}. Nothing was imported"
        )
    return columns

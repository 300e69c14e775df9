"""CSV, TSV and Parquet, through DuckDB: only the columns that are known, a batch of rows at a time.

DuckDB is told to fetch nothing and to guess nothing. A packed CSV is unpacked into a temporary file first, so that one that
breaks off gives the rows before the break, and says so.
"""

from __future__ import annotations

import glob
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rejoinder.archive.sources.record import COLUMNS, Hasher, Item, Skipped, read_record
from rejoinder.archive.sources.stream import UNREADABLE, open_stream
from rejoinder.errors import SourceError, missing_extra

_FETCH = 2_000  # rows at a time from DuckDB
_SEPARATORS = {".csv": ",", ".tsv": "\t"}
_SAFE: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "memory_limit": "400MB",
    "threads": "2",
    "preserve_insertion_order": "true",
}


def read_table(path: Path, kind: str, packing: str, hash_author: Hasher) -> Iterator[Item]:
    """The items of a table, row by row.

    Raises:
        SourceError: the file cannot be read, lacks the columns, or breaks off (after its complete rows).
        MissingExtra: DuckDB is not installed.
    """
    try:
        import duckdb
    except ImportError:
        raise missing_extra(f"reading {kind} files", "dumps") from None
    if kind == ".parquet" and packing:
        raise SourceError(f"{path}: Parquet is compressed within; unpack the outer {packing} first. Nothing was imported")
    number = 0
    with _unpacked(path, packing) as (file, broken), duckdb.connect(":memory:", config=_SAFE) as db:
        try:
            for number, row in enumerate(_rows(db, path, file, kind), start=1):
                yield read_record(row, f"{path.name}, row {number}", hash_author)
            if kind != ".parquet":
                for line, reason in db.execute("SELECT line, error_type FROM reject_errors ORDER BY line").fetchall():
                    yield Skipped(f"not a row of the table ({str(reason).lower()})", f"{path.name}:{line}")
        except (duckdb.Error, UnicodeDecodeError) as error:
            broken = " ".join(str(error).split())[:160]
            if number == 0:
                raise SourceError(f"{path}: not {kind[1:].upper()} that can be read ({broken}). Nothing was imported") from error
        if broken:
            raise SourceError(f"{path}: breaks off after row {number:,} ({broken}); the complete records before it are kept")


def _rows(db: Any, path: Path, file: Path, kind: str) -> Iterator[dict[str, Any]]:
    reader = "read_parquet(?)"
    if kind != ".parquet":  # the dialect is fixed: a guess could take a quote in a post for one of the table
        dialect = f"""delim='{_SEPARATORS[kind]}', quote='"', escape='"', header=true, all_varchar=true"""
        reader = f"read_csv(?, {dialect}, store_rejects=true)"
    name = glob.escape(str(file))  # DuckDB would read it as a pattern
    described = db.execute(f"DESCRIBE SELECT * FROM {reader}", [name]).fetchall()
    types = {row[0]: str(row[1]) for row in described}
    columns = _columns(path, list(types))
    wanted = (f'epoch("{c}")' if types[c].startswith(("TIMESTAMP", "DATE")) else f'"{c}"' for c in columns)
    found = db.execute(f"SELECT {', '.join(wanted)} FROM {reader}", [name])
    while batch := found.fetchmany(_FETCH):
        for row in batch:
            yield dict(zip(columns, row, strict=True))


@contextmanager
def _unpacked(path: Path, packing: str) -> Iterator[tuple[Path, str]]:
    """The file itself, or a temporary one with its bytes up to the last whole line; and why it breaks off, if it does."""
    if not packing:
        yield path, ""
        return
    with TemporaryDirectory() as directory:
        plain = Path(directory) / "table"
        broken = ""
        with plain.open("wb") as target, open_stream(path, packing) as source:
            try:
                while data := source.read1():  # what there is, up to the break
                    target.write(data)
            except UNREADABLE as error:
                broken = str(error)
        if broken:
            _cut_last_line(plain)
        yield plain, broken


def _cut_last_line(file: Path) -> None:
    with file.open("rb+") as whole:
        at = whole.seek(0, 2)
        while at > 0:
            start = max(at - 65_536, 0)
            whole.seek(start)
            newline = whole.read(at - start).rfind(b"\n")
            if newline >= 0:
                whole.truncate(start + newline + 1)
                return
            at = start
        whole.truncate(0)


def _columns(path: Path, found: list[str]) -> list[str]:
    columns = [name for name in found if name in COLUMNS]
    if "id" not in columns or not {"text", "title"} & set(columns):
        raise SourceError(
            f"{path}: expected the columns id and text (or title), as in Hacker News dumps; "
            f"got {', '.join(found[:12]) or 'none'}. Nothing was imported"
        )
    return columns

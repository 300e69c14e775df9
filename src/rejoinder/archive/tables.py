"""Rows of tables: CSV and TSV by ourselves, Parquet through DuckDB (extra `dumps`), all in memory that does not grow.

TSV is not CSV. Between tabs everything is literal, a quote too; `\\t`, `\\n`, `\\r` and `\\\\` stand for what they name, `\\N`
for nothing. In CSV a cell may hold line breaks between quotes; where a quote is not closed as it should be, so that a cell has
swallowed what follows, that row is a bad one, and the rows it swallowed are read as rows.
"""

from __future__ import annotations

import csv
import glob
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from rejoinder.archive.source import Skipped
from rejoinder.archive.streams import UNREADABLE, open_stream, plain_name
from rejoinder.errors import SourceError, missing_extra

LONGEST_ROW = 16 * 2**20  # bytes
_BYTES = 8 * 2**20  # of rows read from Parquet at a time
_ROWS = 2_000  # and how many of them at the most
_FEWEST_COLUMNS = 3  # of a table in whose cells something that looks like a row is one
_ESCAPE = re.compile(r"\\([tnr\\])")
_ESCAPED = {"t": "\t", "n": "\n", "r": "\r", "\\": "\\"}
_SAFE: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "memory_limit": "400MB",
    "threads": "2",
    "preserve_insertion_order": "true",
}

Cells = dict[str, Any]
Placed = tuple[str, Cells | Skipped]  # where a row stands, and its cells by column
Choice = Callable[[Sequence[str]], Sequence[str]]  # from the columns there are to those that are wanted; may raise SourceError


def all_columns(columns: Sequence[str]) -> Sequence[str]:
    """All the columns there are, for who wants every one."""
    return columns


def rows(path: Path, choose: Choice = all_columns) -> Iterator[Placed]:
    """The rows of a table: Parquet if it begins like it, else TSV or CSV by its first line.

    Raises:
        SourceError: the file cannot be read or breaks off (after its complete rows); whatever `choose` raises.
        MissingExtra: DuckDB is not there to read Parquet.
    """
    with open_stream(path) as file:
        start = file.peek(4)[:4]
    return _parquet(path, choose) if start == b"PAR1" else _text_rows(path, choose)


def header(path: Path, first_line: str) -> list[str]:
    """The names of the columns of a table of text that begins with that line."""
    line = first_line.rstrip("\r\n").removeprefix("\ufeff").replace("\r", " ")  # which no name has
    mark = _separator(path, line)
    return line.split("\t") if mark == "\t" else next(csv.reader([line], delimiter=mark), [])


def _separator(path: Path, line: str) -> str:
    """A tab where the name or the first line says so, else the comma or the semicolon, whichever there are more of."""
    name = plain_name(path)
    if name.endswith((".tsv", ".tab")) or ("\t" in line and not name.endswith(".csv")):
        return "\t"
    return ";" if line.count(";") > line.count(",") else ","


# --- text ----------------------------------------------------------------------------------------------------------


def _text_rows(path: Path, choose: Choice) -> Iterator[Placed]:
    number = 0
    try:
        with open_stream(path) as file:
            lines = _Lines(file)
            first = lines.next()
            columns = header(path, first.decode("utf-8", "replace")) if first else []
            mark = _separator(path, first.decode("utf-8", "replace").strip("\r\n")) if first else ","
            wanted = set(choose(columns))
            places = [(place, name) for place, name in enumerate(columns) if name in wanted]
            read = _tsv_row if mark == "\t" else _csv_row
            while line := lines.next():
                number = lines.number
                if line.isspace():
                    continue
                cells = read(lines, line, mark, len(columns))
                where = f"{path.name}:{number}"
                if isinstance(cells, str):
                    yield where, Skipped(f"not a row of the table ({cells})", where)
                else:
                    yield where, {name: cells[place] for place, name in places}
    except UNREADABLE as error:
        raise SourceError(
            f"{path}: breaks off after line {number:,} ({error}); the complete records before it are kept"
        ) from error


class _Lines:
    """Lines that can be given back; a last line that broke off without its end, in a packed file, is never given."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._given_back: deque[bytes] = deque()
        self.number = 0  # of the line that was given last, from 1

    def next(self) -> bytes:
        """The next line, b"" at the end; one that is too long comes cut off, and the rest of it is passed over."""
        self.number += 1
        if self._given_back:
            return self._given_back.popleft()
        line: bytes = self._file.readline(LONGEST_ROW)
        if len(line) == LONGEST_ROW and not line.endswith(b"\n"):
            while (rest := self._file.readline(2**20)) and not rest.endswith(b"\n"):
                pass
        return line

    def give_back(self, lines: Sequence[bytes]) -> None:
        """Read these lines again before any other."""
        self._given_back.extendleft(reversed(lines))
        self.number -= len(lines)


def _tsv_row(_: _Lines, line: bytes, mark: str, columns: int) -> list[str | None] | str:
    """The cells, or why it is no row."""
    try:
        cells: list[str | None] = list(line.decode("utf-8").rstrip("\r\n").split(mark))
    except UnicodeDecodeError:
        return "not UTF-8"
    if len(cells) != columns:
        return _count(len(cells), columns)
    if b"\\" in line:
        return [None if cell == "\\N" else _ESCAPE.sub(lambda m: _ESCAPED[m[1]], cell or "") for cell in cells]
    return cells


def _count(found: int, columns: int) -> str:
    return "too few cells" if found < columns else "too many cells"


def _csv_row(lines: _Lines, line: bytes, mark: str, columns: int) -> list[str] | str:
    """The cells, or why it is no row; a row goes on in the next line as long as a quote is open."""
    parts, quotes, size = [line], line.count(b'"'), len(line)
    while quotes % 2 and size < LONGEST_ROW and (more := lines.next()):
        parts.append(more)
        quotes += more.count(b'"')
        size += len(more)
    cells = _csv_cells(b"".join(parts), mark, columns) if quotes % 2 == 0 else "a quote that is not closed"
    if len(parts) > 1 and (isinstance(cells, str) or _swallowed(cells, mark, columns)):
        lines.give_back(parts[1:])
        return cells if isinstance(cells, str) else "a cell that swallowed other rows"
    return cells


def _csv_cells(row: bytes, mark: str, columns: int) -> list[str] | str:
    if len(row) >= LONGEST_ROW:
        return f"longer than {LONGEST_ROW // 2**20} MiB"
    csv.field_size_limit(LONGEST_ROW)
    try:
        found = list(csv.reader([row.decode("utf-8")], delimiter=mark, strict=True))
    except UnicodeDecodeError:
        return "not UTF-8"
    except csv.Error:
        return "a quote where none can be"
    if len(found) != 1:
        return "a line break where none can be"
    return found[0] if len(found[0]) == columns else _count(len(found[0]), columns)


def _swallowed(cells: list[str], mark: str, columns: int) -> bool:
    """Whether a cell holds a line that is a row itself: as many cells, the first of them a number as it is in this row."""
    if columns < _FEWEST_COLUMNS or not cells[0].strip().isdigit():
        return False
    for cell in cells:
        for line in cell.split("\n")[1:]:
            if line.count(mark) >= columns - 1 and line.partition(mark)[0].strip('" ').isdigit():
                return True
    return False


# --- Parquet -------------------------------------------------------------------------------------------------------


def _parquet(path: Path, choose: Choice) -> Iterator[Placed]:
    try:
        import duckdb
    except ImportError:
        raise missing_extra("reading .parquet files", "dumps") from None
    number = 0
    with duckdb.connect(":memory:", config=_SAFE) as db:
        try:
            for number, row in enumerate(_parquet_rows(db, path, choose), start=1):
                yield f"{path.name}, row {number}", row
        except (duckdb.Error, UnicodeDecodeError) as error:
            reason = " ".join(str(error).split())[:160]
            if number == 0:
                raise SourceError(f"{path}: not PARQUET that can be read ({reason}). Nothing was taken of it") from error
            raise SourceError(
                f"{path}: breaks off after row {number:,} ({reason}); the complete records before it are kept"
            ) from error


def can_read_parquet() -> bool:
    """Whether DuckDB is there."""
    try:
        import duckdb  # noqa: F401
    except ImportError:
        return False
    return True


def parquet_columns(path: Path) -> list[str]:
    """The names of the columns of a Parquet file; none where DuckDB is missing, or cannot read it."""
    try:
        import duckdb
    except ImportError:
        return []
    with duckdb.connect(":memory:", config=_SAFE) as db:
        try:
            return list(_types(db, path))
        except duckdb.Error:
            return []


def _types(db: Any, path: Path) -> dict[str, str]:
    described = db.execute("DESCRIBE SELECT * FROM read_parquet(?)", [glob.escape(str(path))]).fetchall()
    return {row[0]: str(row[1]) for row in described}


def _parquet_rows(db: Any, path: Path, choose: Choice) -> Iterator[Cells]:
    name = glob.escape(str(path))  # DuckDB would read it as a pattern
    types = _types(db, path)
    columns = list(choose(list(types)))
    quoted = {column: '"' + column.replace('"', '""') + '"' for column in columns}
    wanted = (f"epoch({quoted[c]})" if types[c].startswith(("TIMESTAMP", "DATE")) else quoted[c] for c in columns)
    texts = " + ".join(f"coalesce(strlen({quoted[c]}), 0)" for c in columns if types[c] == "VARCHAR") or "0"
    select = f"SELECT {', '.join(wanted)} FROM read_parquet(?, file_row_number=true)"
    for first, last in _ranges(db, f"SELECT {texts} FROM read_parquet(?)", name):
        found = db.execute(f"{select} WHERE file_row_number BETWEEN ? AND ? ORDER BY file_row_number", [name, first, last])
        while batch := found.fetchmany(_ROWS):
            for row in batch:
                yield dict(zip(columns, row, strict=True))


def _ranges(db: Any, sizes: str, name: str) -> Iterator[tuple[int, int]]:
    """Ranges of rows whose texts take about `_BYTES` together, and at least one row each."""
    cursor = db.cursor().execute(sizes, [name])
    first = at = total = 0
    while batch := cursor.fetchmany(10_000):
        for (size,) in batch:
            if total and total + size > _BYTES:
                yield first, at - 1
                first, total = at, 0
            total += size
            at += 1
    if at > first:
        yield first, at - 1

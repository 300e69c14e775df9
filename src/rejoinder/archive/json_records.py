"""Records out of JSON files of any size: JSON Lines, an array, or an array somewhere inside an object.

Lines are read one by one, so that one bad line costs one line. An array is read record by record out of a buffer, so that one
that cannot be read (a number of thousands of digits) costs one record.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import orjson

from rejoinder.archive.source import Piece, Skipped
from rejoinder.archive.streams import UNREADABLE, open_stream
from rejoinder.errors import SourceError

LONGEST_LINE = 16 * 2**20  # bytes; a longer line or record is skipped, and never held in memory as a whole
_PATIENCE = 1_000  # a file whose first so many records are all bad is not what it was taken for
LARGEST_WHOLE = 64 * 2**20  # bytes of a file that is read as one value
_HELD = 20_000  # records that are put in order at a time
_CHUNK = 2**18  # bytes
_PIECE = 2**20  # bytes
_TAIL = 16  # characters at the end of a buffer that may be half of a word, a number or an escape
_LONG = f"longer than {LONGEST_LINE // 2**20} MiB"
_NOT_JSON = "not JSON"
_NOT_UTF8 = "not UTF-8"
_NO_RECORD = "not a record (a JSON object)"


class Row(NamedTuple):
    """A record, where it stands, and the fields of what encloses it, as far as they came before it."""

    where: str
    value: dict[str, Any] | Skipped
    outer: dict[str, Any]


def json_lines(path: Path) -> Iterator[Row]:
    """The records of a file of JSON Lines; blank lines are passed over.

    Raises:
        SourceError: the file cannot be read, breaks off, or none of its first lines is a JSON object.
    """
    return _once_one_is_good(_json_lines(path), f"{path}: not JSON Lines: none of its first {{:,}} lines is a JSON object")


def json_records(path: Path, at: Sequence[str] = ()) -> Iterator[Row]:
    """The records of the array (or the one record) that lies at the names `at` within the file's value; "*" is any element.

    Several values one after the other are read like the elements of an array.

    Raises:
        SourceError: the file cannot be read, is not JSON, has no object at `at`, or breaks off (after its complete records).
    """
    return _once_one_is_good(_json_records(path, tuple(at)), f"{path}: JSON, but none of its first {{:,}} records is an object")


def load_json(path: Path) -> Any:
    """A small file as one value.

    Raises:
        SourceError: it is not JSON, or too large for that.
    """
    try:
        with open_stream(path) as file:
            data = file.read(LARGEST_WHOLE + 1)
        if len(data) > LARGEST_WHOLE:
            raise SourceError(f"{path}: one JSON value of more than {LARGEST_WHOLE // 2**20} MiB is read only so far")
        return json.loads(data.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError, *UNREADABLE) as error:
        raise SourceError(f"{path}: not JSON ({' '.join(str(error).split())[:120]}). Nothing was taken of it") from error


def _once_one_is_good(rows: Iterator[Row], otherwise: str) -> Iterator[Row]:
    """Bad records are held back until one good one shows that the file is what it was taken for."""
    held: list[Row] = []
    for row in rows:
        held.append(row)
        if not isinstance(row.value, Skipped):
            yield from held
            yield from rows
            return
        if len(held) >= _PATIENCE:
            break
    if held:
        raise SourceError(f"{otherwise.format(len(held))}. Nothing was taken of it")


def oldest_first(rows: Iterator[Row], moment: Callable[[dict[str, Any]], float]) -> Iterator[Row]:
    """The rows of a file that may begin with the newest, so many at a time in the order of their times.

    Raises:
        SourceError: of `rows`, after those before it.
    """
    while True:
        held: list[Row] = []
        try:
            held.extend(islice(rows, _HELD))  # which keeps what came before an error
        except SourceError:
            yield from _sorted(held, moment)
            raise
        yield from _sorted(held, moment)
        if len(held) < _HELD:
            return


def _sorted(rows: list[Row], moment: Callable[[dict[str, Any]], float]) -> list[Row]:
    return sorted(rows, key=lambda row: 0.0 if isinstance(row.value, Skipped) else moment(row.value))


# --- JSON Lines ----------------------------------------------------------------------------------------------------


def _json_lines(path: Path) -> Iterator[Row]:
    number = 0
    try:
        with open_stream(path) as file:
            for number, line in _lines(file):
                where = f"{path.name}:{number}"
                yield Row(where, _line(line, where), {})
    except UNREADABLE as error:
        raise _breaks_off(path, f"line {number:,}", error) from error


def _breaks_off(path: Path, where: str, error: BaseException) -> SourceError:
    return SourceError(f"{path}: breaks off after {where} ({error}); the complete records before it are kept")


def line_pieces(path: Path) -> Iterator[Piece]:
    """A file of JSON Lines in pieces of about `_PIECE` bytes that end with a line.

    Raises:
        SourceError: as of `json_lines`.
    """
    next(json_lines(path), None)  # whether it is what it was taken for
    number, rest, broken, size = 1, b"", None, _PIECE
    with open_stream(path) as file:
        while broken is None and size >= _PIECE:
            some, size = [rest], 0
            try:
                while size < _PIECE and (data := file.read1(_PIECE)):
                    some.append(data)
                    size += len(data)
            except UNREADABLE as error:
                broken, size = error, _PIECE
            found = b"".join(some)
            end = len(found) if size < _PIECE else found.rfind(b"\n") + 1  # at the end of the file a line needs none
            rest = found[end : end + LONGEST_LINE + 1]  # of a longer line only that it is too long is told
            if end:
                yield Piece(number, found[:end])
                number += found.count(b"\n", 0, end)
    if broken is not None:
        raise _breaks_off(path, f"line {number - 1:,}", broken) from broken


def piece_records(piece: Piece, name: str) -> Iterator[tuple[str, dict[str, Any] | Skipped]]:
    """The records in one of the pieces of the file of that name, with where each stands."""
    for number, line in _lines(BytesIO(piece.data), piece.number - 1):
        where = f"{name}:{number}"
        yield where, _line(line, where)


def _lines(file: BinaryIO, number: int = 0) -> Iterator[tuple[int, bytes | None]]:
    """Numbered lines that are not blank, after so many; None for one longer than `LONGEST_LINE`."""
    while line := file.readline(LONGEST_LINE):
        number += 1
        if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
            while (rest := file.readline(2**20)) and not rest.endswith(b"\n"):
                pass
            yield number, None
        elif not line.isspace():
            yield number, line


def _line(line: bytes | None, where: str) -> dict[str, Any] | Skipped:
    if line is None:
        return Skipped(f"line {_LONG}", where)
    try:
        record = orjson.loads(line)
    except ValueError:  # stricter than the standard library: lone surrogates, NaN and a byte order mark end here
        try:
            record = json.loads(line.decode("utf-8-sig"))
        except UnicodeDecodeError:
            return Skipped(_NOT_UTF8, where)
        except (ValueError, RecursionError):
            return Skipped(_NOT_JSON, where)
    return record if isinstance(record, dict) else Skipped(_NO_RECORD, where)


# --- arrays --------------------------------------------------------------------------------------------------------

_SPACE = re.compile(r"[ \t\n\r]*")
_MARK = re.compile(r'["\[\]{},]')  # what matters outside of a string, to find the end of a value
_STRING_MARK = re.compile(r'\\.|"', re.DOTALL)  # and inside of one
_DECODER = json.JSONDecoder(strict=False)
_END = "\0"  # stands for the end of the file
_PAGES = 2  # arrays of records, such as the pages of an API, may lie in one more


class _Broken(Exception):
    """The text ends, or is no JSON, where it is not inside a record."""


class _Bad(NamedTuple):
    """A value that cannot be read."""

    reason: str


def _json_records(path: Path, at: tuple[str, ...]) -> Iterator[Row]:
    number = 0
    try:
        with open_stream(path) as file:
            for value, outer in _Scanner(file).records(at):
                number += 1
                where = f"{path.name}, record {number}"
                reason = value.reason if isinstance(value, _Bad) else _NO_RECORD
                yield Row(where, value if isinstance(value, dict) else Skipped(reason, where), outer)
    except (_Broken, *UNREADABLE) as error:
        if number == 0:
            raise SourceError(f"{path}: not JSON ({error}). Nothing was taken of it") from error
        raise _breaks_off(path, f"record {number:,}", error) from error


class _Scanner:
    """JSON as a stream of text: a buffer, a place in it, and what can be read from there."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._decode = codecs.getincrementaldecoder("utf-8-sig")("surrogateescape").decode
        self._text = ""
        self._at = 0
        self._over = False  # whether the file has been read to its end
        self._arrived = False  # whether there was something where records are looked for

    def records(self, at: tuple[str, ...]) -> Iterator[tuple[Any, dict[str, Any]]]:
        """The records at `at` of each value in the file, with what encloses them."""
        while self._peek() != _END:
            yield from self._walk(at, {})
            if self._peek() in (",", "]", "}"):  # commas between objects without brackets, or brackets that close nothing
                self._at += 1
        if not self._arrived and at:
            raise _Broken(f"nothing at {'.'.join(at)}")

    def _walk(self, at: tuple[str, ...], outer: dict[str, Any], pages: int = _PAGES) -> Iterator[tuple[Any, dict[str, Any]]]:
        """The records at `at` below the value that begins here; ends after that value.

        An array in place of what is looked for is a page of several, up to `pages` of them one in another.
        """
        first = self._peek()
        self._arrived |= not at
        if first == "[" and at and at[0] == "*":
            yield from self._elements(at[1:], outer, _PAGES)
        elif first == "[" and pages:
            yield from self._elements(at, outer, pages - 1)
        elif first == "{" and at and at[0] != "*":
            yield from self._members(at, outer)
        else:
            value = self._value()
            if not at:
                yield value, outer

    def _elements(self, at: tuple[str, ...], outer: dict[str, Any], pages: int) -> Iterator[tuple[Any, dict[str, Any]]]:
        self._at += 1
        while (first := self._peek()) != "]":
            if at or (first == "[" and pages):
                yield from self._walk(at, dict(outer), pages)
            else:
                yield self._value(), outer
            self._separator("]")
        self._at += 1

    def _members(self, at: tuple[str, ...], outer: dict[str, Any]) -> Iterator[tuple[Any, dict[str, Any]]]:
        self._at += 1
        while self._peek() != "}":
            name = self._value()
            if not isinstance(name, str) or self._peek() != ":":
                raise _Broken("a name and a colon were expected")
            self._at += 1
            if name == at[0]:
                yield from self._walk(at[1:], outer)
            else:
                outer[name] = self._value()
            self._separator("}")
        self._at += 1

    def _separator(self, closing: str) -> None:
        mark = self._peek()
        if mark == ",":
            self._at += 1
        elif mark != closing:
            raise _Broken("the file ends inside it" if mark == _END else f"a comma was expected, not {mark!r}")

    def _peek(self) -> str:
        """The next character that is no blank, or `_END`."""
        while True:
            match = _SPACE.match(self._text, self._at)
            self._at = match.end() if match else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._fill():
                return _END

    def _fill(self) -> bool:
        """Read on; False at the end of the file."""
        if not self._over:
            data = self._file.read1(_CHUNK)  # what there is: before a break, what comes before it
            self._over = not data
            self._text = self._text[self._at :] + self._decode(data, self._over)
            self._at = 0
        return not self._over

    def _value(self) -> Any:
        """The value that begins here, or why it is `_Bad`; ends after it."""
        if self._peek() == _END:
            raise _Broken("the file ends inside it")
        wanted = 1  # characters to look at for another try, so that a long value is not tried at every chunk
        while True:
            held = len(self._text) - self._at
            if held >= wanted or self._over:
                try:
                    value, end = _DECODER.raw_decode(self._text, self._at)
                    if end < len(self._text) - _TAIL or self._over or isinstance(value, dict | list | str):
                        self._at = end
                        return value
                except json.JSONDecodeError as error:
                    cut = error.msg.startswith("Unterminated") or error.pos >= len(self._text) - _TAIL
                    if not cut or self._over:
                        return self._pass_over(_NOT_JSON)
                except (ValueError, RecursionError):  # a number too long to read, or nested too deep
                    return self._pass_over(_NOT_JSON)
                wanted = 2 * held
            if held > LONGEST_LINE:
                return self._pass_over(f"record {_LONG}")
            self._fill()

    def _pass_over(self, reason: str) -> _Bad:
        """Find the end of a value that cannot be read, by its brackets and strings alone, without holding it."""
        depth, inside = 0, False
        while True:
            match = (_STRING_MARK if inside else _MARK).search(self._text, self._at)
            if match is None:
                self._at = len(self._text) - (inside and self._text.endswith("\\"))
                if not self._fill():
                    raise _Broken("the file ends inside it")
                continue
            mark = match[0]
            if depth == 0 and not inside and mark in ("]", "}", ","):  # which belong to what encloses it
                self._at = match.start()
                return _Bad(reason)
            self._at = match.end()
            if mark == '"':
                inside = not inside
            elif not inside:
                depth += (mark in ("[", "{")) - (mark in ("]", "}"))
            if depth == 0 and not inside:
                return _Bad(reason)

"""Values as tools write them: whole numbers, ids, times, flags and lines of text, read by one reader for every form.

Each function gives None for "there is nothing" (null, empty, NaN, `\\N`, NULL ...) and raises `BadValue` for what is something,
but not what it should be. `optional` makes of that None too: a bad optional field costs that field, not the record.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

from rejoinder.archive.html import clean, unescape

LARGEST = 2**63 - 1  # what SQLite holds
LONGEST_TEXT = 1_000_000  # characters; the longest real item seen has 181,453
LONGEST_ID = 1_000  # characters
_LONGEST_DATE = 100  # characters
_LATEST = 10**11  # seconds; what is later is milliseconds, or no date
_NOTHING = frozenset(("", "nan", "\\n", "null", "none", "<na>", "n/a", "nat"))
_TRUE = frozenset(("true", "t", "1", "yes", "y"))
_SOLVED = frozenset(("closed", "solved", "resolved", "completed", "answered", *_TRUE))
_UNSOLVED = frozenset(
    (
        "open",
        "opened",
        "reopened",
        "new",
        "active",
        "pending",
        "hold",
        "snoozed",
        "unsolved",
        "not_planned",
        "duplicate",
        "false",
        "f",
        "0",
        "no",
        "n",
    )
)
_UNIT = (1, 10**3, 10**6, 10**9)  # of a second: s, ms, us, ns
_WHOLE = re.compile(r"\s*[+-]?\d{1,40}(?:\.0*)?\s*")
_ZONE = re.compile(r"\s*(?:UTC|GMT|Z)$")
_DAYS = {8: "%Y%m%d", 14: "%Y%m%d%H%M%S"}
_NUMBERED = re.compile(r"(?:(\d{4})/(\d{1,2})/(\d{1,2})|(\d{1,2})\.(\d{1,2})\.(\d{4}))(?!\d),?\s?")
_AFTERNOON = re.compile(r"(?<![\d:])(\d{1,2})((?::\d\d){1,2}(?:\.\d+)?)\s?([AaPp])\.?[Mm]\b\.?")
_SHORT_ZONE = re.compile(r"[+-]\d{2}$")

T = TypeVar("T")


class BadValue(Exception):
    """A value is not what its name says."""


def optional(read: Callable[[object], T | None], value: object) -> T | None:
    """`read(value)`; None where the value cannot be read."""
    try:
        return read(value)
    except BadValue:
        return None


def is_nothing(value: object) -> bool:
    """Whether a value is one of the many ways to write that there is none."""
    if isinstance(value, str):
        return len(value) <= 6 and value.strip().lower() in _NOTHING
    return value is None or (isinstance(value, float) and math.isnan(value))


def whole(value: object) -> int | None:
    """A whole number within 64 bits, however it is written: 1, 1.0, "1", "1.0".

    Raises:
        BadValue: it is no whole number, or out of range.
    """
    if type(value) is int:
        number = value
    elif is_nothing(value):
        return None
    elif isinstance(value, bool) or not isinstance(value, str | float | int):
        raise BadValue("is not a number")
    elif isinstance(value, str):
        if not _WHOLE.fullmatch(value):
            raise BadValue("is not a number")
        number = int(value.partition(".")[0])
    else:
        if not math.isfinite(value) or value != int(value):
            raise BadValue("is not a number")
        number = int(value)
    if not -LARGEST <= number <= LARGEST:
        raise BadValue("is out of range")
    return number


def own_id(value: object) -> str | None:
    """An id of any kind as text: 12, 12.0 and "12" are one; UUIDs, base 36 and Message-IDs stay as they are.

    Raises:
        BadValue: it is neither a number nor text, or longer than any id.
    """
    if isinstance(value, str):
        found = clean(value).strip()
        if len(found) > LONGEST_ID:
            raise BadValue(f"is longer than {LONGEST_ID:,} characters")
        return None if is_nothing(found) else found
    number = whole(value)
    return None if number is None else str(number)


def seconds(value: object) -> int | None:
    """Seconds since 1970 UTC, of a number of s, ms, us or ns (told apart by their size), of ISO 8601 or of RFC 2822.

    A time without a zone is UTC.

    Raises:
        BadValue: it is no time, or beyond all dates.
    """
    if isinstance(value, date):
        moment = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)
        return _checked((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    if is_nothing(value):
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise BadValue("is not a date")
    if not isinstance(value, str):
        return _checked(value)
    if len(value) > _LONGEST_DATE:
        raise BadValue("is not a date")
    written = value.strip()
    for read in (_day, *_READERS) if len(written) in _DAYS else _READERS:
        try:
            return seconds(read(written))
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
    raise BadValue("is not a date")


def _day(text: str) -> datetime:
    """A day of this century or the last in eight digits, or with its time in six more: as seconds it would lie in 1970."""
    if text[:2] not in ("19", "20"):
        raise ValueError
    return datetime.strptime(text, _DAYS[len(text)])


def _mailed(text: str) -> datetime:
    return parsedate_to_datetime(_in_24_hours(text))


def _numbered(text: str) -> datetime:
    """A day as "2024/1/5" or "5.1.2024", and what follows; with "/" and the year last nobody knows which is the month."""
    found = _NUMBERED.match(text)
    if found is None:
        raise ValueError
    year, month, day = found.group(1, 2, 3) if found[1] else found.group(6, 5, 4)
    return _iso(f"{year}-{int(month):02d}-{int(day):02d} {text[found.end() :]}".rstrip())


def _in_24_hours(text: str) -> str:
    """The text with "3:11 PM" as "15:11"."""
    if "m" not in text and "M" not in text:
        return text
    return _AFTERNOON.sub(lambda found: f"{int(found[1]) % 12 + 12 * (found[3] in 'Pp'):02d}{found[2]}", text)


def _iso(text: str) -> datetime:
    text = _ZONE.sub("+00:00", _in_24_hours(text))
    return datetime.fromisoformat(text + ":00" if _SHORT_ZONE.search(text[10:]) else text)


_READERS: tuple[Callable[[str], float | datetime], ...] = (float, _iso, _mailed, _numbered)


def _checked(number: float) -> int:
    for unit in _UNIT:
        if abs(number) <= _LATEST * unit:
            return int(number) if unit == 1 else int(number // unit)
    raise BadValue("is out of range")


def flag(value: object) -> bool:
    """Whether a value says yes."""
    if isinstance(value, str):
        return value.strip().lower() in _TRUE
    return value in (True, 1)


def solved(value: object) -> bool | None:
    """Whether the state of what was asked says that it is solved; None where it says neither, as "spam" or "merged" do."""
    if isinstance(value, str):
        word = value.strip().lower()
        return True if word in _SOLVED else False if word in _UNSOLVED or word.startswith("pending ") else None
    return value == 1 if isinstance(value, bool | int) and value in (0, 1) else None


def text(value: object) -> str:
    """Text, "" for nothing.

    Raises:
        BadValue: it is not text, or longer than any post.
    """
    if not value or (not isinstance(value, str) and is_nothing(value)):
        return ""
    if not isinstance(value, str):
        raise BadValue("is not text")
    if len(value) > LONGEST_TEXT:
        raise BadValue(f"is longer than {LONGEST_TEXT:,} characters")
    return value


def line(value: object) -> str:
    """One line of text: a title, an address."""
    return " ".join(clean(text(value)).split()) if value else ""


def escaped_line(value: object) -> str:
    """One line of HTML without tags, its entities unescaped."""
    return " ".join(clean(unescape(text(value))).split()) if value else ""

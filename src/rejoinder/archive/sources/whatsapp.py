"""WhatsApp: a chat exported to text ("Export chat", without media).

Dates are written as the telephone that exported them writes dates, without a word on the order of day and month: a number
above 12 anywhere in the file decides it, else the day comes first. Times have no zone, and are taken for UTC. Messages have
no ids.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

from rejoinder.archive.chat import TURNS, ContentIds, Turns
from rejoinder.archive.peek import peek
from rejoinder.archive.source import Hasher, Item, Record, Skipped, Source, guarded
from rejoinder.archive.streams import UNREADABLE, open_stream
from rejoinder.archive.values import LONGEST_TEXT
from rejoinder.errors import SourceError

_STAMP = re.compile(
    r"""[\u200e\u200f\ufeff]*\[?(\d{1,4})[/.-](\d{1,2})[/.-](\d{1,4}),?\s+(?:at\s+)?(\d{1,2})[:.](\d\d)(?:[:.](\d\d))?
    (?:\s*([ap])\.?\s?m\.?)?(?:\]|\s-)\s""",
    re.IGNORECASE | re.VERBOSE,
)
_SAID = re.compile(r"([^:\n]{1,80}?):(?:\s|\.$)")
_NOTICES = re.compile(
    r"end-to-end encrypted|created (?:this )?group|\badded you\b|were added|changed (?:the|this|their)|joined using|\bleft$",
    re.IGNORECASE,
)
_LEFT_OUT = re.compile(
    r"[\u200e\s]*[<\[]?(?:media omitted|(?:image|video|audio|sticker|GIF|document) omitted|attached: [^>]*)[>\]]?\s*$",
    re.IGNORECASE,
)
_SIGNAL = re.compile(r"\[\d{4}-\d\d-\d\d(?:, \d\d:\d\d| \d\d:\d\d:\d\d)\] ")  # what writes this is signal-export
_MONTHS = 12


class _Message(NamedTuple):
    stamp: tuple[str | None, ...]
    said: list[str]
    line: int


class WhatsApp(Source):
    """One chat."""

    name = "whatsapp"
    what = "a WhatsApp chat exported to text"
    marks = "lines such as `31/12/20, 23:59 - Name: text`"
    threading = TURNS

    def recognises(self, path: Path) -> bool:
        """Whether the first line with words has a date, a time, and somebody's words or a notice."""
        first = next((line for line in peek(path).text.splitlines() if line.strip()), "")
        found = _STAMP.match(first)
        other = _SIGNAL.match(first)
        return found is not None and other is None and bool(_SAID.match(first[found.end() :]) or _NOTICES.search(first))

    def read(self, path: Path, hasher: Hasher) -> Iterator[Item]:
        """The messages, in the file's order.

        Raises:
            SourceError: the file cannot be read, or breaks off.
        """
        order = _order(path)
        known = Turns(), ContentIds()
        for message in _messages(path):
            where = f"{path.name} line {message.line}"
            yield guarded(partial(_item, message, order, known, hasher, where), where)


SOURCE = WhatsApp()


def _lines(path: Path) -> Iterator[str]:
    try:
        with open_stream(path) as file:
            while line := file.readline(LONGEST_TEXT):
                yield line.decode("utf-8", "replace").rstrip("\r\n")
    except UNREADABLE as error:
        raise SourceError(f"{path}: breaks off: {error}") from error


def _messages(path: Path) -> Iterator[_Message]:
    """Each line that begins with a time, with those below it that do not."""
    current: _Message | None = None
    for number, line in enumerate(_lines(path), start=1):
        found = _STAMP.match(line)
        if found:
            if current is not None:
                yield current
            current = _Message(found.groups(), [line[found.end() :]], number)
        elif current is not None and sum(map(len, current.said)) < LONGEST_TEXT:
            current.said.append(line)
    if current is not None:
        yield current


def _order(path: Path) -> str:
    """In which order the file writes day (d), month (m) and year (y)."""
    first = second = third = 0
    for line in _lines(path):
        if found := _STAMP.match(line):
            one, two, three = (int(number) for number in found.groups()[:3])
            first, second, third = max(first, one), max(second, two), max(third, three)
    if first > 31:  # no month has so many days
        return "ymd" if third > _MONTHS or second <= _MONTHS else "ydm"
    return "mdy" if second > _MONTHS >= first else "dmy"


def _time(stamp: tuple[str | None, ...], order: str) -> int | None:
    numbers = dict(zip(order, (int(text or 0) for text in stamp[:3]), strict=True))
    hour = int(stamp[3] or 0)
    if stamp[6]:
        hour = hour % 12 + (12 if stamp[6].lower() == "p" else 0)
    year = numbers["y"] + (2000 if numbers["y"] < 100 else 0)
    try:
        moment = datetime(year, numbers["m"], numbers["d"], hour, int(stamp[4] or 0), int(stamp[5] or 0), tzinfo=UTC)
    except ValueError:
        return None
    return int(moment.timestamp())


def _item(message: _Message, order: str, known: tuple[Turns, ContentIds], hasher: Hasher, where: str) -> Item:
    turns, ids = known
    found = _SAID.match(message.said[0])
    if found is None or _NOTICES.search(message.said[0][: found.end()]):
        return Skipped("a notice of the service", where)
    text = "\n".join([message.said[0][found.end(1) + 1 :].strip(), *message.said[1:]]).strip()
    if not text or _LEFT_OUT.match(text):
        return Skipped("no words, only what is attached", where)
    time, author = _time(message.stamp, order), found[1].strip("\u200e ~")
    own = ids.of(time or message.stamp, author, text)
    parent, root = turns.answered("", own, time)
    return Record(id=own, text=text, parent=parent, root=root, time=time, author=author).post(hasher, where)

"""Signal: a conversation as `signal-export` writes it, as text (`[2020-01-31, 23:59] Name: text`) or a JSON record a line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from rejoinder.archive.chat import TURNS, ContentIds, Turns
from rejoinder.archive.json_records import json_lines
from rejoinder.archive.peek import peek
from rejoinder.archive.source import Hasher, Item, Record, Skipped, Source
from rejoinder.archive.streams import UNREADABLE, open_stream
from rejoinder.archive.values import LONGEST_TEXT, optional, seconds
from rejoinder.errors import SourceError

STAMP = re.compile(r"\[(\d{4}-\d\d-\d\d)(?:, (\d\d:\d\d)| (\d\d:\d\d:\d\d))\] ([^:\n]{1,80}): ?")
_FURNITURE = re.compile(  # reactions, stickers, attachments, what was deleted
    r"^\(- .*: .* -\)$|^\(\( .* \)\)$|!?\[[^\]\n]*\]\(\.{1,2}/[^)\n]*\)[ ]*|^!\[[^\]]*\]\([^)]*\)\s*$"
    r"|^\(This message was deleted\)$",
    re.MULTILINE,
)
_QUOTE = re.compile(r"^>.*\n?", re.MULTILINE)


class Signal(Source):
    """One conversation."""

    name = "signal"
    what = "a Signal conversation, as signal-export writes it"
    marks = "lines such as `[2020-01-31, 23:59] Name: text`"
    threading = TURNS

    def recognises(self, path: Path) -> bool:
        """Whether the first line with words is of that form, or the records are."""
        return _is_text(path) or {"date", "sender", "body", "reactions"} <= set(peek(path).fields)

    def read(self, path: Path, hasher: Hasher) -> Iterator[Item]:
        """The messages, in the file's order.

        Raises:
            SourceError: the file cannot be read, or breaks off.
        """
        turns, ids = Turns(), ContentIds()
        for where, time, author, text in _text(path) if _is_text(path) else _records(path):
            moment, said = optional(seconds, time), _QUOTE.sub("", text).strip()
            if not said:
                yield Skipped("no words, only what is attached", where)
                continue
            own = ids.of(time if moment is None else moment, author, said)  # the same in both forms, which come side by side
            parent, root = turns.answered("", own, moment)
            yield Record(id=own, text=text, parent=parent, root=root, time=time, author=author).post(hasher, where)


SOURCE = Signal()


def _is_text(path: Path) -> bool:
    return STAMP.match(peek(path).text.lstrip()) is not None


def _records(path: Path) -> Iterator[tuple[str, object, object, str]]:
    for row in json_lines(path):
        said = row.value if isinstance(row.value, dict) else {}
        text = f"{said.get('quote') or ''}{'' if said.get('deleted') else said.get('body') or ''}"
        yield row.where, said.get("date"), said.get("sender"), _FURNITURE.sub("", text).strip()


def _text(path: Path) -> Iterator[tuple[str, object, object, str]]:
    """Each line that begins with a time, with those below it that do not."""
    begun: tuple[str, str, str] | None = None
    said: list[str] = []
    number = 0
    try:
        with open_stream(path) as file:
            while data := file.readline(LONGEST_TEXT):
                number += 1
                line = data.decode("utf-8", "replace").rstrip("\r\n")
                if found := STAMP.match(line):
                    if begun:
                        yield (*begun, _FURNITURE.sub("", "\n".join(said)).strip())
                    begun, said = (
                        (f"{path.name} line {number}", f"{found[1]} {found[2] or found[3]}", found[4]),
                        [line[found.end() :]],
                    )
                elif begun and len(said) < LONGEST_TEXT // 100:
                    said.append(line)
    except UNREADABLE as error:
        raise SourceError(f"{path}: breaks off after line {number:,}: {error}") from error
    if begun:
        yield (*begun, _FURNITURE.sub("", "\n".join(said)).strip())

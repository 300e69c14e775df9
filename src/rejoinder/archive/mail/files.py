"""Files of many mails: where one ends and the next begins.

An mbox has a line "From ADDRESS DATE" before each mail. The blank line that should stand before it is sometimes missing, and
a line of prose may begin with "From " as well. So such a line counts where the next line is a header, and either a blank line
stands before it or it ends in a date.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from rejoinder.archive.streams import UNREADABLE, open_stream
from rejoinder.errors import SourceError

_BEGINS = b"From "
_MARK = b"\xef\xbb\xbf"  # which some editors write at the beginning of a file
_DATED = re.compile(rb"From .*\b(?:[A-Z][a-z]{2},? ).*\d\d?:\d\d")
_HEADER = re.compile(rb"[!-9;-~]{1,76}:(?:[ \t]|\r?$)|>From ")
_BARE_HEADER = re.compile(rb"[!-9;-~]{1,76}:(?!//|:)|>From ")  # a blank after the colon is only a custom
_NAMES = frozenset((b"from", b"to", b"subject", b"date", b"message-id", b"newsgroups", b"received", b"mime-version", b"path"))
LARGEST = 32 * 2**20  # bytes of one mail, attachments and all; the rest of a larger one is passed over


def split_mbox(lines: Iterable[bytes]) -> Iterator[tuple[bytes, int]]:
    """Each mail of an mbox with the number of its first line (from 1), its "From " line included.

    Args:
        lines: the file's lines, with their ends, those too long to be held in pieces.
    """
    mail: list[bytes] = []
    size = first = 0
    blank = True
    held: tuple[bytes, int] | None = None  # a "From " line, until the next line tells whether it begins a mail
    number = 0
    for number, line in enumerate(lines, start=1):
        line = line.removeprefix(_MARK) if number == 1 else line
        if held is not None:
            begins, at = held
            held = None
            if _HEADER.match(line) or (_BARE_HEADER.match(line) and _DATED.match(begins)):
                if mail:
                    yield b"".join(mail), first
                mail, size, first = [begins], len(begins), at
            else:
                mail += [begins] if size < LARGEST else []
                size += len(begins)
        if line.startswith(_BEGINS) and (blank or _DATED.match(line)):
            held = line, number
        elif mail or line.strip():
            first = first if mail else number
            if size < LARGEST:
                mail.append(line[: LARGEST - size])
            size += len(line)
        blank = not line.strip()
    if mail:
        yield b"".join(mail), first


def unescaped(mail: bytes) -> bytes:
    """A mail of an mbox with the ">" taken away that was put before its lines that begin with "From "."""
    return re.sub(rb"(?m)^>(>*From )", rb"\1", mail) if b"\n>From " in mail else mail


def read_whole(path: Path) -> bytes:
    """One mail in a file of its own, up to `LARGEST`.

    Raises:
        SourceError: it cannot be read.
    """
    try:
        with open_stream(path) as file:
            return file.read(LARGEST).removeprefix(_MARK)
    except UNREADABLE as error:
        raise SourceError(f"{path}: cannot be read: {error}") from error


def looks_like_mbox(head: bytes) -> bool:
    """Whether a file begins with a "From " line and the header of a mail."""
    first, _, rest = head.removeprefix(_MARK).lstrip(b"\r\n \t").partition(b"\n")
    return first.startswith(_BEGINS) and (_BARE_HEADER if _DATED.match(first) else _HEADER).match(rest) is not None


def without_frame(mail: bytes) -> bytes:
    """A mail without what Apple Mail puts around it in an .emlx file: its length in bytes before it, a list of facts below."""
    length, _, rest = mail.partition(b"\n")
    return rest[: int(length)] if length.strip().isdigit() and len(length) < 20 else mail


def looks_like_mail(head: bytes) -> bool:
    """Whether a file begins with headers, of which some are those of a mail or a news article."""
    names = set()
    for line in head.removeprefix(_MARK).lstrip(b"\r\n").split(b"\n")[:200]:
        if not line.strip():
            break
        if line[:1] in b" \t":
            continue
        if not _BARE_HEADER.match(line):
            return False
        names.add(line.partition(b":")[0].lower())
    return len(names & _NAMES) >= 2 and bool(names & {b"from", b"message-id", b"path"})

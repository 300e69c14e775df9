"""Text for a terminal: foreign text made visible, lines wrapped, tables laid out. Pure functions of text and a width."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime

_OLD = 2  # years from which on a reply says how old it is
_GAP = "  "  # between two columns of a table
_NARROW = 24  # a last column that would get less than this goes below its row
_NUMBER = re.compile(r"[+\-\u2212±]?[\d.,]+( ?[%\w]{1,3})?|\u2013|\?|")
# invisible, and yet of no category that says so: fillers, joiners of graphemes, selectors of variants (but for those of emoji)
_INVISIBLE = frozenset(map(chr, [0x034F, 0x115F, 0x1160, 0x2800, 0x3164, 0xFFA0, *range(0xFE00, 0xFE0E)]))
_LEAST_COMPLEX = "\u0590"  # from here on there are scripts whose words need joiners inside them


def visible(text: str) -> str:
    """`text` of a post for a terminal: what would turn it round, hide in it or act on it is shown as its number, `<U+202E>`.

    Newlines and tabs stay, and so do the joiners that emoji and some scripts need inside their words.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(f"<U+{ord(c):04X}>" if _hides(text, place) else c for place, c in enumerate(text))


def days_ago(time: int | None, now: datetime | None = None) -> str:
    """The day of a moment in seconds since 1970-01-01 UTC, and from two years on how long ago it was; "" for none."""
    try:
        then = datetime.fromtimestamp(time, UTC) if time is not None else None
    except (ValueError, OverflowError, OSError):
        then = None
    if then is None:
        return ""
    years = ((now or datetime.now(UTC)) - then).days // 365
    return then.date().isoformat() + (f" ({years} years ago)" if years >= _OLD else "")


def _hides(text: str, place: int) -> bool:
    c = text[place]
    if c in "\u200c\u200d" and 0 < place < len(text) - 1:  # the zero-width non-joiner and joiner
        return not all(_is_complex(beside) for beside in (text[place - 1], text[place + 1]))
    return c in _INVISIBLE or "\U000e0100" <= c <= "\U000e01ef" or (unicodedata.category(c)[0] == "C" and c not in "\n\t")


def _is_complex(c: str) -> bool:
    return c >= _LEAST_COMPLEX and unicodedata.category(c)[0] in "LMS"


def _room(text: str) -> int:
    """How many columns of a terminal a text takes."""
    if text.isascii() and text.isprintable():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def wrap(text: str, width: int | None, *, hang: int = 0) -> list[str]:
    """One line as lines of at most `width` columns, none of its words broken; what goes on stands `hang` columns further in.

    A word that is longer than a line has one to itself. Without a width: the line as it is.
    """
    if width is None or _room(text) <= width:
        return [text]
    begin = text[: len(text) - len(text.lstrip(" "))]
    lines, indent = [begin], begin
    for word in re.findall(r"\S+\s*", text):
        if lines[-1].strip() and _room((lines[-1] + word).rstrip()) > width:
            indent = begin + " " * hang
            lines.append(indent)
        lines[-1] += word
    return [line.rstrip() for line in lines]


def layout(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int | None) -> list[str]:
    """A table as text: its head, then an item for each row. No cell is ever cut.

    What does not fit goes below its row: of the last columns as many as must, and they are wrapped there. Numbers stand right.
    """
    cells = [list(columns), *([" ".join(visible(cell).split()) for cell in row] for row in rows)]
    widths = [max(map(_room, column)) for column in zip(*cells, strict=True)]
    right = [all(map(_NUMBER.fullmatch, column[1:])) and any(column[1:]) for column in zip(*cells, strict=True)]
    beside = _fitting(widths, width)
    items: list[str] = []
    for row in cells:
        parts = [
            " " * (room - _room(cell)) + cell if to_right else cell + " " * (room - _room(cell))
            for cell, room, to_right in zip(row, widths, right, strict=True)
        ][:beside]
        line, rest = _GAP.join(parts), row[beside:]
        if len(rest) == 1 and width is not None and width - _room(line) - len(_GAP) >= min(_NARROW, widths[-1]):
            begin = len(line) + len(_GAP)
            first, *more = wrap(rest[0], width - _room(line) - len(_GAP))
            lines = [line + _GAP + first, *(" " * begin + each for each in more)]
        else:
            below = " · ".join(filter(None, rest))
            lines = [line, *(wrap("    " + below, width) if below else ())]
        items.append("\n".join(each.rstrip() for each in lines))
    return items


def _fitting(widths: Sequence[int], width: int | None) -> int:
    """How many columns of these widths stand beside each other in `width`: at least one."""
    if width is None:
        return len(widths)
    return next((n for n in range(len(widths), 1, -1) if sum(widths[:n]) + len(_GAP) * (n - 1) <= width), 1)

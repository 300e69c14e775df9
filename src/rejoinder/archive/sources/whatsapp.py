"""WhatsApp: a chat exported to text ("Export chat", without media).

Dates are written as the telephone that exported them writes dates, in its language and without a word on the order of day and
month: of the orders in which all dates are dates, the one in which the fewest of them go back in time is taken, else the day
comes first. Times have no zone, and are taken for UTC. Messages have no ids.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from rejoinder.archive.chat import TURNS, ContentIds, Turns
from rejoinder.archive.peek import peek
from rejoinder.archive.source import Hasher, Item, Record, Skipped, Source, guarded
from rejoinder.archive.streams import UNREADABLE, open_stream
from rejoinder.archive.values import LONGEST_TEXT
from rejoinder.errors import SourceError

_MORNING = frozenset(("am", "上午", "午前", "오전", "凌晨", "清晨", "早上", "de", "fm", "öö", "πμ", "ص", "sa", "vorm"))
_STAMP = re.compile(
    r"""[\u200e\u200f\u202a\ufeff]*\[?
    (?P<one>\d{1,4})\u200f?(?:[/.-]|[年년])\s?(?P<two>\d{1,2})\u200f?(?:[/.-]|[月월])\s?(?P<three>\d{1,4})[日일.]?(?:\sг\.)?[,،]?\s+
    (?:(?:at|um|klo|kl\.?|às|om|ob|la|o|à)\s+)?                                       # what languages put before a time
    (?P<before>[上下]午|午[前後]|오[전후]|凌晨|清晨|早上|中午|晚上)?\s?
    (?P<hour>\d{1,2})(?:[:.]|\s?h\s?)(?P<minute>\d\d)(?:[:.](?P<second>\d\d))?
    (?:\s?(?P<after>[ap]\.?\s?m\.?|vorm\.?|nachm\.?|d[eu]\.?|[ef]m|ö[ös]|[πμ]\.?\s?μ\.?|[صم]|sa|ch))?(?:\sч\.)?
    (?P<ends>\]|\s[-–]|:)\s""",
    re.IGNORECASE | re.VERBOSE,
)
_AMERICAN = re.compile(r"[1-9]\d?/[1-9]\d?/\d\d, [1-9]\d?:\d\d\s[AP]M")  # as no telephone but an American one writes it
_SAID = re.compile(r"([^:\n]{1,80}?):(?:\s|\.$)")
_NOTICES = re.compile(
    r"end-to-end encrypted|created (?:this )?group|\badded you\b|were added|changed (?:the|this|their)|joined using|\bleft$"
    r"|.{30}.*[\"“«„]",
    re.IGNORECASE,
)
_MARK = "\u200e"  # an iPhone puts it before whatever nobody wrote
_OF_A_FILE = (  # at the end of the words beside it
    re.compile(rf"\s*{_MARK}?<[\w ]{{3,20}}: ?[^<>\n]*>$"),
    re.compile(rf"^{_MARK}?\S[^\n]{{0,100}}\.\w{{2,5}} \([^()\n]{{4,40}}\)(?:\n|$)"),
)
_EDITED = re.compile(
    rf"\s*{_MARK}?<(?:This message was edited|Se editó este mensaje|Diese Nachricht wurde bearbeitet|Mensagem editada|"
    r"Questo messaggio è stato modificato|Ce message a été modifié|Dit bericht is bewerkt)\.?>$"
)
_LEFT_OUT = re.compile(
    rf"""{_MARK}?(?:<[^<>\n]{{2,80}}>|null|[\w -]{{2,40}}\b(?:omitted|omitid[oa]s?|weggelassen|ausgeschlossen|weggelaten|
    omess[oai]|ocultad[oa]|oculta|absente?|omise?s?|pominięto|utelämnad|utelatt|udeladt)|[^\n]{{2,12}}(?:생략|省略))$""",
    re.IGNORECASE | re.VERBOSE,
)
_DELETED = re.compile(
    rf"""{_MARK}?(?:You\sdeleted\sthis\smessage|This\smessage\swas\sdeleted|Eliminaste\seste\smensaje|Se\seliminó\seste\smensaje|
    (?:Este|Esta)\smen\w+\s(?:fue|foi)\s\w+|Diese\sNachricht\swurde\sgelöscht|Du\shast\sdiese\sNachricht\sgelöscht|Mensagem\sapagada|
    Você\sapagou\sesta\smensagem|Ce\smessage\sa\sété\ssupprimé|Vous\savez\ssupprimé\sce\smessage|Hai\seliminato\squesto\smessaggio|
    Questo\smessaggio\sè\sstato\seliminato|Dit\sbericht\sis\sverwijderd|(?:U|Je)\shebt\sdit\sbericht\sverwijderd)\.?$""",
    re.VERBOSE,
)
_MENTION = re.compile(r"@\u2068[^\u2069\n]*\u2069[ ]?|(?<!\w)@\d{7,15}\b[ ]?")
_SIGNAL = re.compile(r"\[\d{4}-\d\d-\d\d(?:, \d\d:\d\d| \d\d:\d\d:\d\d)\] ")  # what writes this is signal-export
_ORDERS = ("dmy", "mdy", "ymd", "ydm")
_FIRST_YEAR = 2009  # of WhatsApp
_BUDDHIST = 543  # years by which Thai telephones are ahead
_LOOKED_AT = 200  # lines, to tell the form


class _Message(NamedTuple):
    stamp: dict[str, str]
    said: list[str]
    line: int


class WhatsApp(Source):
    """One chat."""

    name = "whatsapp"
    what = "a WhatsApp chat exported to text"
    marks = "lines such as `31/12/20, 23:59 - Name: text`"
    threading = TURNS

    def recognises(self, path: Path) -> bool:
        """Whether the first line with words has a date and a time, and it or one soon after somebody's words or a notice."""
        lines = [line for line in peek(path).text.splitlines()[:_LOOKED_AT] if line.strip()]
        if not lines or _SIGNAL.match(lines[0]) or not _STAMP.match(lines[0]):
            return False
        stamped = ((line, found.end()) for line in lines if (found := _STAMP.match(line)))
        return any(_SAID.match(line, end) or _NOTICES.search(line, end) for line, end in stamped)

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


def _lines(path: Path) -> Iterator[tuple[str, re.Match[str] | None]]:
    """Each line, with its time if a message begins with it; all times of a file end in the same way."""
    ends = None
    try:
        with open_stream(path) as file:
            while data := file.readline(LONGEST_TEXT):
                line = data.decode("utf-8", "replace").rstrip("\r\n")
                found = _STAMP.match(line)
                ends = found["ends"] if found and ends is None else ends
                yield line, found if found and found["ends"] == ends else None
    except UNREADABLE as error:
        raise SourceError(f"{path}: breaks off: {error}") from error


def _messages(path: Path) -> Iterator[_Message]:
    """Each line that begins with a time, with those below it that do not."""
    current: _Message | None = None
    for number, (line, found) in enumerate(_lines(path), start=1):
        if found:
            if current is not None:
                yield current
            current = _Message(found.groupdict(""), [line[found.end() :]], number)
        elif current is not None and sum(map(len, current.said)) < LONGEST_TEXT:
            current.said.append(line)
    if current is not None:
        yield current


def _order(path: Path) -> str:
    """In which order the file writes day (d), month (m) and year (y)."""
    days: list[tuple[str, str, str]] = []
    american = False
    for line, found in _lines(path):
        if found:
            american = american or _AMERICAN.match(line, found.start("one")) is not None
            day = found["one"], found["two"], found["three"]
            if days[-1:] != [day]:
                days.append(day)

    def wrong(order: str) -> tuple[int, int]:
        read = [_day(day, order) for day in days]
        there = [day for day in read if day is not None]
        return len(read) - len(there), sum(later < earlier for earlier, later in pairwise(there))

    return min(("mdy", *_ORDERS) if american else _ORDERS, key=wrong)


def _day(numbers: tuple[str, ...], order: str) -> date | None:
    named = dict(zip(order, map(int, numbers), strict=True))
    year = named["y"] + (2000 if named["y"] < 100 else 0)
    year -= _BUDDHIST if year > 2400 else 0
    try:
        return date(year, named["m"], named["d"]) if year >= _FIRST_YEAR else None
    except ValueError:
        return None


def _time(stamp: dict[str, str], order: str) -> int | None:
    day = _day((stamp["one"], stamp["two"], stamp["three"]), order)
    hour, half = int(stamp["hour"]), re.sub(r"[.\s]", "", (stamp["before"] or stamp["after"]).lower())
    if half:
        hour = hour % 12 + (0 if half in _MORNING else 12)
    if day is None or hour > 23:
        return None
    minute, second = int(stamp["minute"]), int(stamp["second"] or 0)
    try:
        return int(datetime(day.year, day.month, day.day, hour, minute, second, tzinfo=UTC).timestamp())
    except ValueError:
        return None


def _item(message: _Message, order: str, known: tuple[Turns, ContentIds], hasher: Hasher, where: str) -> Item:
    turns, ids = known
    found = _SAID.match(message.said[0])
    if found is None or _NOTICES.search(message.said[0][: found.end()]):
        return Skipped("a notice of the service", where)
    text = "\n".join([message.said[0][found.end(1) + 1 :].strip(), *message.said[1:]]).strip()
    if _DELETED.match(text):
        return Skipped("was deleted", where)
    for furniture in _OF_A_FILE:
        text = furniture.sub("", text).strip()
    text = _MENTION.sub("", _EDITED.sub("", text)).strip()
    if not text or _LEFT_OUT.match(text):
        return Skipped("no words, only what is attached", where)
    if text.startswith(_MARK):
        return Skipped("a notice of the service", where)
    time, author = _time(message.stamp, order), found[1].strip(f"{_MARK}\u202a\u202c ~")
    own = ids.of(time or sorted(message.stamp.items()), author, text)
    parent, root = turns.answered("", own, time)
    return Record(id=own, text=text, parent=parent, root=root, time=time, author=author).post(hasher, where)

"""phpBB: the tables of its database as XML (`mysqldump --xml`, phpMyAdmin's export, or its own test form), in any order.

phpBB keeps no parents: a post answers the one it quotes by number, else the opening post of its topic. Texts are BBCode, in
newer boards inside XML of its own, in older ones with a mark in each tag.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from html import unescape
from pathlib import Path
from xml.parsers import expat

from rejoinder.archive.peek import peek
from rejoinder.archive.source import Hasher, Item, Record, Skipped, Source, guarded
from rejoinder.archive.streams import UNREADABLE, open_stream
from rejoinder.archive.values import LONGEST_TEXT, BadValue
from rejoinder.errors import SourceError
from rejoinder.post import State

_QUOTED = re.compile(r"\bpost_id=\"?(\d{1,18})")
_SMILEY = re.compile(r"<!-- s(\S+) --><img[^>]*><!-- s\S+ -->")
_LINK = re.compile(r"<!-- [mwle] --><a [^>]*href=\"([^\"]*)\"[^>]*>.*?</a><!-- [mwle] -->")
_TAG = re.compile(r"<[^<>]*>")
_UID = re.compile(r"(\[[^\[\]]*?):[a-z0-9]{5,10}(?=\])")
_VISIBLE = {"0": State.DEAD, "2": State.DELETED, "3": State.DEAD}
_NO_ENCODING = (LookupError, ValueError)  # what the parser raises of one that it does not know
_CHUNK = 2**18  # bytes
_LARGEST_TOKEN = 16 * 2**20  # bytes of a tag with its attributes, which the parser holds as a whole
_TABLE = re.compile(r"(?:^|_)posts$")
Row = dict[str, str]


class PhpBB(Source):
    """The posts of a board."""

    name = "phpbb"
    what = "the posts of a phpBB board, as an XML dump of its tables"
    marks = "a table ..._posts with post_id and post_text"
    threading = "a post that names none it answers is taken to answer the opening post"

    def recognises(self, path: Path) -> bool:
        """Whether there is such a table."""
        head = peek(path).text
        return head.lstrip("\ufeff \r\n").startswith("<") and "post_text" in head and "post_id" in head

    def read(self, path: Path, hasher: Hasher) -> Iterator[Item]:
        """The posts, in the file's order.

        Raises:
            SourceError: the file cannot be read, is not XML, or breaks off.
        """
        first: dict[str, str] = {}  # topic -> its first post
        for number, row in enumerate(_rows(path), start=1):
            where = f"{path.name}, post {number}"
            yield guarded(partial(_item, row, first, hasher, where), where)


SOURCE = PhpBB()


def _rows(path: Path) -> Iterator[Row]:
    """The rows of the posts' table: of PHPUnit's datasets (columns, then values), or of mysqldump (named fields).

    Raises:
        SourceError: the file cannot be read, is not XML or breaks off, after its complete rows.
    """
    tables = _Tables()
    try:
        with open_stream(path) as file:
            read = 0
            while data := file.read(_CHUNK):
                read += len(data)
                tables.parser.Parse(data)
                yield from tables.taken()
                if read - tables.parser.CurrentByteIndex > _LARGEST_TOKEN:
                    raise SourceError(f"{path}: breaks off: a tag of more than {_LARGEST_TOKEN // 2**20} MiB")
            tables.parser.Parse(b"", True)
    except (expat.ExpatError, BadValue, *_NO_ENCODING, *UNREADABLE) as error:
        yield from tables.taken()
        raise SourceError(f"{path}: breaks off: {error}") from error


class _Tables:
    """The rows of posts' tables that were parsed, of each text no more than tells that it is too long for a post."""

    def __init__(self) -> None:
        self.parser = expat.ParserCreate()
        self.parser.StartElementHandler, self.parser.EndElementHandler = self._start, self._end
        self.parser.CharacterDataHandler, self.parser.EntityDeclHandler = self._data, self._entity
        self._rows: list[Row] = []
        self._table, self._columns = "", list[str]()
        self._fields: Row = {}
        self._values: list[str] = []
        self._name, self._text, self._left = "", list[str](), 0

    def taken(self) -> list[Row]:
        """The rows since the last time."""
        rows, self._rows = self._rows, []
        return rows

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag in ("table", "table_data", "table_structure"):
            self._table, self._columns, self._fields = attributes.get("name", ""), [], {}
        elif tag == "row":
            self._fields, self._values = {}, []
        self._name, self._text, self._left = attributes.get("name", ""), [], LONGEST_TEXT + 1

    def _data(self, data: str) -> None:
        if self._left > 0:
            self._text.append(data[: self._left])
            self._left -= len(data)

    def _end(self, tag: str) -> None:
        text, self._text = "".join(self._text), []
        if tag == "column" and self._name:  # of phpMyAdmin, to which each row is a table
            self._fields[self._name] = text
        elif tag == "column":
            self._columns.append(text)
        elif tag == "table" and self._fields and _TABLE.search(self._table):
            self._rows.append(self._fields)
        elif tag == "field":
            self._fields[self._name] = text
        elif tag in ("value", "null"):
            self._values.append(text)
        elif tag == "row" and _TABLE.search(self._table):
            self._rows.append(self._fields or dict(zip(self._columns, self._values, strict=False)))

    def _entity(self, *_: object) -> None:
        raise BadValue("XML with entities of its own is not read")


def _item(row: Mapping[str, str], first: dict[str, str], hasher: Hasher, where: str) -> Item:
    own, topic, text = row.get("post_id"), row.get("topic_id", ""), row.get("post_text", "")
    if not own:
        return Skipped("no id", where)
    opening = first.setdefault(topic, own) if topic else own
    quoted = _QUOTED.search(text)
    answered = quoted[1] if quoted and quoted[1] != own else opening
    return Record(
        id=own,
        text=bbcode_of(text),
        markup="bbcode",
        title=unescape(row.get("post_subject", "")),
        parent=None if own == opening else answered,
        root=opening,
        time=row.get("post_time"),
        author=row.get("post_username") or row.get("poster_id"),
        state=_VISIBLE.get(row.get("post_visibility", "1"), State.LIVE),
    ).post(hasher, where)


def bbcode_of(text: str) -> str:
    """BBCode as it was typed, out of what phpBB keeps of it."""
    text = _LINK.sub(r"\1", _SMILEY.sub(r"\1", text))
    return _UID.sub(r"\1", unescape(_TAG.sub("", text)))

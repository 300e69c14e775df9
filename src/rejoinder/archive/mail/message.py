"""One mail (RFC 5322, MIME) to what a post needs of it: ids, subject, writer, time, and the text the writer typed.

What archives really hold is read too: headers that were never encoded, character sets that do not exist, addresses in the
disguises of list archives ("ada at example.org (Ada)"), ids that never close. Nothing is fetched, no attachment is looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email import message_from_bytes
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from email.parser import BytesHeaderParser
from email.utils import parsedate_to_datetime
from functools import partial
from typing import NamedTuple

from rejoinder.archive.mail.body import own_words, unflowed
from rejoinder.archive.mail.kept import left_out
from rejoinder.archive.markup import to_text

_FROM_LINE = re.compile(rb">?From [^\n]*\n")
_FROM_DATE = re.compile(rb"From \S+ +(?:at \S+ +)?([A-Z][a-z]{2},? .{10,40})\r?\n")
_BLANK_LINE = re.compile(rb"(?:\A|(?<=\n))\r?\n")
_ID = re.compile(r"<([^<>]+)>|<\s*([^<>\s]+)")  # some never close; in some a line was broken
_OF_A_WRITER = re.compile(r"\bfrom\b[^<>]*<[^<>]*>\s+of\b", re.IGNORECASE)  # as MH says whom it answers, before the id
_BARE_ID = re.compile(r"[^\s<>()\"]+@[^\s<>()\"]+")
_ADDRESS = re.compile(r"[^\s<>()\",;:]+@[^\s<>()\",;:]+")
_DISGUISED = re.compile(r"([\w.+=-]+)\s+(?:at|@|\(at\)|\[at\])\s+([\w-]+(?:\.[\w-]+)+)")
_REPLY = re.compile(r"\s*(?:re|aw|sv|antw|odp|fwd?|wg|tr|rv)(?:\[\d+\]|\(\d+\))?\s*[:：]\s*", re.IGNORECASE)
_LIST_TAG = re.compile(r"\s*\[[^\[\]]{1,60}\]\s*")
_ZONE_NAME = re.compile(r"\s*\([^()]*\)\s*$")
_BLANK = re.compile(r"(?:\s|=20|=A0|=C2=A0)*\Z")
_LONGEST_BODY = 1_000_000  # bytes of a part; what is longer is no letter


class Mail(NamedTuple):
    """One mail."""

    id: str  # without its brackets; "" where there is none
    references: tuple[str, ...]  # the ids it answers, the nearest last
    subject: str  # one line, as it is written
    author: str  # the address where there is one, else the name; "" if neither
    time: int | None  # seconds since 1970-01-01 UTC
    text: str  # plain text; what the writer only quotes begins with ">"
    left_out: str = ""  # why nobody keeps it as a letter


def read_mail(raw: bytes) -> Mail:
    """The mail in `raw`, which may begin with the "From " line of an mbox."""
    begins = _FROM_LINE.match(raw)
    message = _parsed(raw[begins.end() :] if begins else raw)
    if why := left_out(message.keys(), partial(header, message)):
        return Mail("", (), "", "", None, "", why)
    parts = [text for part in _text_parts(message) if (text := _text_of(part))]
    time = _time(header(message, "Date"))
    if time is None and (found := _FROM_DATE.match(raw)):
        time = _time(found[1].decode("latin-1")) or None  # some write the year 1970
    return Mail(
        next(iter(_ids(header(message, "Message-ID"))), ""),
        _answered(message),
        header(message, "Subject"),
        writer(header(message, "From")),
        time,
        own_words("\n\n".join(parts)),
    )


def _parsed(raw: bytes) -> Message:
    """As `message_from_bytes`, but the lines of a body without parts are not looked at one by one: most of its time."""
    blank = _BLANK_LINE.search(raw)
    if blank is None:
        return message_from_bytes(raw)
    message = BytesHeaderParser().parsebytes(raw[: blank.end()])
    if message.get_content_maintype() in ("multipart", "message"):
        return message_from_bytes(raw)
    head = message.get_payload()  # lines that are no headers
    message.set_payload(f"{head}{raw[blank.end() :].decode('ascii', 'surrogateescape')}")
    return message


def without_list_tag(subject: str) -> str:
    """A subject without the "[tag]" that a list puts before it."""
    return subject[found.end() :] if (found := _LIST_TAG.match(subject)) and found.end() < len(subject) else subject


def thread_subject(subject: str) -> tuple[str, bool]:
    """A subject without "Re:", the list's "[tag]" and upper case; and whether it said that it answers something."""
    answers = False
    while True:
        shorter = _LIST_TAG.sub("", subject, count=1) if _LIST_TAG.match(subject) else subject
        replied = _REPLY.match(shorter)
        answers = answers or replied is not None
        shorter = shorter[replied.end() :] if replied else shorter
        if shorter == subject:
            return " ".join(subject.split()).casefold(), answers
        subject = shorter


def header(message: Message, name: str) -> str:
    """A header as one line of text; "" where there is none. Bytes that were never encoded are taken for UTF-8, else Latin-1."""
    try:
        value = message.get(name)
    except (ValueError, LookupError, HeaderParseError):
        return ""
    if value is None:
        return ""
    try:
        pieces = decode_header(value)
    except (HeaderParseError, ValueError, LookupError):
        pieces = [(str(value), None)]
    return " ".join("".join(_decoded_word(piece, charset) for piece, charset in pieces).split())


def writer(sender: str) -> str:
    """Who a From line names, by which they can be told from others: the address in lower case, else the name."""
    found = _ADDRESS.search(sender) or _DISGUISED.search(sender)
    if found is None:
        return sender.strip("\"' ").casefold()
    return ("@".join(found.groups()) if found.re is _DISGUISED else found[0]).strip("'.").casefold()


def decode(data: bytes, charset: str | None) -> str:
    """Bytes as text: by their character set where it is known and true, else UTF-8, else Windows' Latin-1."""
    for name in (charset, "utf-8", "cp1252"):
        try:
            if name:
                name = name.strip("\"' ").lower()
                return data.decode(_WIDER.get(name, name))
        except (LookupError, ValueError):
            continue
    return data.decode("latin-1")


_WIDER = {  # what mailers write that name a character set, which has the same characters and more
    "iso-8859-1": "cp1252", "latin1": "cp1252", "gb2312": "gb18030", "gbk": "gb18030", "shift_jis": "cp932", "euc-kr": "cp949",
    "ks_c_5601-1987": "cp949", "iso-8859-8-i": "iso-8859-8", "iso-8859-9": "cp1254", "big5": "cp950",
}  # fmt: skip


def _decoded_word(piece: bytes | str, charset: str | None) -> str:
    if isinstance(piece, str):  # the parser keeps bytes beyond ASCII as lone surrogates
        piece = piece.encode("ascii", "surrogateescape") if not piece.isascii() and _is_escaped(piece) else piece
    return piece if isinstance(piece, str) else decode(piece, None if charset == "unknown-8bit" else charset)


def _is_escaped(text: str) -> bool:
    return all(character < "\x80" or "\udc80" <= character <= "\udcff" for character in text)


def _ids(value: str) -> list[str]:
    found = ("".join((closed or open_).split()) for closed, open_ in _ID.findall(value))
    return [name for name in found if name] or _BARE_ID.findall(value)


def _answered(message: Message) -> tuple[str, ...]:
    """The ids this mail answers, the nearest last: those it refers to, then the one it says it is in reply to."""
    to = _ids(_OF_A_WRITER.sub(" ", header(message, "In-Reply-To")))[:1]
    return tuple(dict.fromkeys(name for name in (*_ids(header(message, "References")), *to) if name not in to)) + tuple(to)


def _time(value: str) -> int | None:
    for text in (value, _ZONE_NAME.sub("", value)):
        try:
            moment = parsedate_to_datetime(text)
            return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def _text_parts(message: Message) -> Iterator[Message]:
    """The parts that hold what was written: of alternatives the plain one, of mails inside mails none."""
    kind = message.get_content_maintype()
    if kind == "text":
        if message.get_content_disposition() != "attachment":
            yield message
    elif kind == "multipart" and message.is_multipart():
        inside = [part for part in message.get_payload() if isinstance(part, Message)]
        if message.get_content_subtype() == "alternative":
            plain = [part for part in inside if part.get_content_type() == "text/plain" and not _is_blank(part)]
            inside = (plain or inside[-1:])[:1]
        for part in inside:
            yield from _text_parts(part)
    elif not message.is_multipart() and "Content-Type" not in message:
        yield message


def _is_blank(part: Message) -> bool:
    """Whether nothing stands in a part, as some mailers leave the plain one of two."""
    payload = part.get_payload()
    return isinstance(payload, str) and _BLANK.match(payload) is not None


def _text_of(part: Message) -> str:
    data = part.get_payload(decode=True)
    if not isinstance(data, bytes):
        return ""
    text = decode(data[:_LONGEST_BODY], part.get_content_charset()).replace("\r\n", "\n").replace("\r", "\n")
    if part.get_content_subtype() == "html":
        return to_text(text, "html")
    if part.get_content_subtype() not in ("plain", "x-unknown", "enriched"):
        return ""
    if "flowed" in str(part.get("Content-Type", "")).lower() and str(part.get_param("format", "")).lower() == "flowed":
        return unflowed(text, delsp=str(part.get_param("delsp", "")).lower() == "yes")
    return text

"""Mails to posts: what a mail answers is what its headers say, and else the first mail of its subject.

Of the mails it refers to, the nearest that is in the file is what it answers, or else the nearest: mails are not always in the
order in which they were written, so a file's ids are looked for before it is read. A mail that refers to none
answers the first of its subject, if it says "Re:" or has no id either, as in the oldest archives. A mail without an id is
known by its content, so that reading it again finds the same post. Source: J. Zawinski, "message threading" (1997).
"""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from collections.abc import Container, Iterable
from typing import TypeVar

from rejoinder.archive.mail.message import Mail, read_mail, thread_subject, without_list_tag
from rejoinder.archive.source import Hasher, Item, Record, Skipped, guarded

T = TypeVar("T")
_REMEMBERED = 200_000  # subjects, and ids, at most; the ones not met for longest go first
_MOST_IDS = 2_000_000  # looked for in one file or folder: about 60 bytes each
_ID_LINE = re.compile(rb"\nMessage-[Ii][Dd]:[ \t]*(?:\r?\n[ \t]+)?<([^<>\s]{1,500})>")
_OVERLAP = 600  # bytes of a chunk looked at again with the next one


def ids_in(chunks: Iterable[bytes]) -> set[int]:
    """The Message-IDs in the bytes of a file or of many, as hashes of this process."""
    found: set[int] = set()
    rest = b"\n"
    for chunk in chunks:
        data = rest + chunk
        found.update(map(hash, _ID_LINE.findall(data)))
        if len(found) > _MOST_IDS:
            break
        rest = data[-_OVERLAP:]
    return found


class Mailbox:
    """The mails of one file or folder, in its order."""

    def __init__(self, hasher: Hasher, ids: Container[int] = frozenset()) -> None:
        """Nothing is read yet; `ids` are those of `ids_in`, of all mails there are."""
        self._hasher = hasher
        self._ids = ids
        self._first: OrderedDict[str, str] = OrderedDict()  # subject -> the id of its first mail
        self._met: OrderedDict[str, None] = OrderedDict()  # ids

    def item(self, raw: bytes, where: str) -> Item:
        """The post in a mail, or why there is none."""
        return guarded(lambda: self._item(read_mail(raw), where), where)

    def _item(self, mail: Mail, where: str) -> Item:
        if mail.left_out:
            return Skipped(mail.left_out, where)
        if not (mail.id or mail.author or mail.subject):
            return Skipped("no mail: neither From, Subject nor Message-ID", where)
        own = mail.id or _content_id(mail)
        parent = self._nearest(mail, own) or self._by_subject(mail, own)
        _remember(self._met, own, None)
        if not mail.text and not (mail.subject and parent is None):
            return Skipped("no text in it", where)
        record = Record(
            id=own,
            text=mail.text,
            title=without_list_tag(mail.subject),
            parent=parent,
            time=mail.time,
            author=mail.author or None,
        )
        return record.post(self._hasher, where)

    def _nearest(self, mail: Mail, own: str) -> str | None:
        """The id of the nearest mail that this one refers to and that is here, else of the nearest."""
        named = [name for name in reversed(mail.references) if name != own]
        here = (name for name in named if name in self._met or hash(name.encode("latin-1", "replace")) in self._ids)
        return next(here, named[0] if named else None)

    def _by_subject(self, mail: Mail, own: str) -> str | None:
        """The id of the first mail of this subject, if this one answers it; None for an opening one."""
        subject, answers = thread_subject(mail.subject)
        if not subject:
            return None
        first = _remember(self._first, subject, own)
        return first if (answers or not mail.id) and first != own else None


def _remember(known: OrderedDict[str, T], name: str, value: T) -> T:
    """What is known of a name, else `value`, which then is."""
    found = known.setdefault(name, value)
    known.move_to_end(name)
    if len(known) > _REMEMBERED:
        known.popitem(last=False)
    return found


def _content_id(mail: Mail) -> str:
    said = "\0".join((mail.author, mail.subject, str(mail.time), mail.text))
    return f"content-{hashlib.blake2b(said.encode('utf-8', 'replace'), digest_size=12).hexdigest()}"

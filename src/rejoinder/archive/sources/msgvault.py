"""msgvault: its SQLite archive of mail and chats of a dozen services. Only read; nothing is written to it or beside it.

A message answers the one that the archive names, else, where there is none, the one before it in its conversation. The same
mail may lie in two accounts: it is one post, known by its Message-ID.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from functools import partial
from math import inf
from pathlib import Path
from typing import Any

from rejoinder.archive.chat import SILENCE, TURNS, Turns
from rejoinder.archive.mail.body import own_words
from rejoinder.archive.markup import to_text
from rejoinder.archive.source import Hasher, Item, Record, Skipped, Source, guarded
from rejoinder.archive.values import optional, seconds
from rejoinder.errors import SourceError
from rejoinder.post import State

_NEEDED = {
    "messages": {"id", "conversation_id", "source_id", "source_message_id", "rfc822_message_id", "message_type", "sent_at",
                 "sender_id", "subject", "reply_to_message_id", "deleted_at"},
    "message_bodies": {"message_id", "body_text", "body_html"},
    "conversations": {"id", "title"},
    "participants": {"id", "email_address", "phone_number", "display_name"},
}  # fmt: skip
_MAGIC = b"SQLite format 3\0"
_ROWS = """
SELECT m.id, m.conversation_id, m.message_type, coalesce(m.sent_at, m.received_at, m.internal_date), m.subject, c.title,
       coalesce(nullif(m.rfc822_message_id, ''), 'source ' || m.source_id || '/' || m.source_message_id, 'row ' || m.id),
       (SELECT coalesce(nullif(r.rfc822_message_id, ''), 'source ' || r.source_id || '/' || r.source_message_id, 'row ' || r.id)
          FROM messages r WHERE r.id = m.reply_to_message_id),
       coalesce(p.email_address, p.phone_number, p.display_name), m.deleted_at,
       substr(b.body_text, 1, 1000000), substr(b.body_html, 1, 4000000)
  FROM messages m LEFT JOIN message_bodies b ON b.message_id = m.id LEFT JOIN conversations c ON c.id = m.conversation_id
       LEFT JOIN participants p ON p.id = m.sender_id
 ORDER BY m.conversation_id, coalesce(m.sent_at, m.received_at, m.internal_date), m.id"""

_BROKEN = (sqlite3.Error, UnicodeDecodeError)  # the names of a damaged file need not be UTF-8


class Msgvault(Source):
    """A whole archive."""

    name = "msgvault"
    what = "an archive of msgvault (SQLite)"
    marks = "a SQLite file with the tables messages, message_bodies, conversations and participants"
    threading = TURNS

    def recognises(self, path: Path) -> bool:
        """Whether it is a SQLite file with those tables."""
        with path.open("rb") as file:
            if file.read(len(_MAGIC)) != _MAGIC:
                return False
        try:
            with _opened(path) as db:
                return set(_NEEDED) <= {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        except _BROKEN:
            return False

    def read(self, path: Path, hasher: Hasher) -> Iterator[Item]:
        """The messages, conversation by conversation.

        Raises:
            SourceError: the file cannot be read, or its tables are not those that are known.
        """
        try:
            db = _opened(path)
        except _BROKEN as error:
            raise SourceError(f"{path}: cannot be read: {error}") from error
        try:
            _check(db, path)
            chats, mails = Turns(SILENCE), Turns(inf)
            for row in db.execute(_ROWS):
                where = f"{path.name}, message {row[0]}"
                yield guarded(partial(_item, row, chats, mails, hasher, where), where)
        except _BROKEN as error:
            raise SourceError(f"{path}: breaks off: {error}; the messages before were taken") from error
        finally:
            db.close()


SOURCE = Msgvault()


class _ClosingConnection(sqlite3.Connection):
    def __exit__(self, *_: object) -> Any:
        self.close()


def _opened(path: Path) -> sqlite3.Connection:
    """The file, read only; where no log lies beside it, SQLite is told that nobody writes, so that it leaves nothing there."""
    logged = path.with_name(f"{path.name}-wal").exists()
    db = sqlite3.connect(
        f"{path.resolve().as_uri()}?mode=ro{'' if logged else '&immutable=1'}", uri=True, factory=_ClosingConnection
    )
    db.text_factory = lambda data: data.decode("utf-8", "replace")
    return db


def _check(db: sqlite3.Connection, path: Path) -> None:
    for table, columns in _NEEDED.items():
        there = {row[1] for row in db.execute(f"PRAGMA table_info({table})")}
        if missing := sorted(columns - there):
            raise SourceError(
                f"{path}: the table {table} lacks {', '.join(missing)}: not a version that is known. Nothing was taken of it"
            )


def _item(row: tuple[Any, ...], chats: Turns, mails: Turns, hasher: Hasher, where: str) -> Item:
    _, conversation, kind, moment, subject, title, own, named, author, deleted, plain, html = row
    mail = kind == "email"
    text = str(plain or "") or (to_text(str(html), "html") if html else "")
    if deleted:
        return Record(id=own, time=moment, state=State.DELETED).post(hasher, where)
    if not text.strip():
        return Skipped("no words, only what is attached", where)
    turn, root = (mails if mail else chats).answered(str(conversation), own, optional(seconds, moment))
    parent = named or turn
    return Record(
        id=own, text=own_words(text) if mail else text, title=subject or title, parent=parent if parent != own else None,
        root=None if named else root, time=moment, author=author,
    ).post(hasher, where)  # fmt: skip

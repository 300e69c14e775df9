"""What help desks have in common: a ticket, and what was written back and forth about it, each entry answering the one before.

Who asked and who answered are told apart by a word before their name, so that a customer is never taken for an agent of that
name. Private notes are left out: they were not said to the person who asked.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from rejoinder.archive.json_records import Row
from rejoinder.archive.json_source import JsonForm
from rejoinder.archive.source import Hasher, Item, Record, Skipped, guarded_all
from rejoinder.archive.values import flag, optional, seconds
from rejoinder.errors import SourceError

_MAIL = {"plain": "mail", "html": "mail-html", "markdown-breaks": "mail"}  # how to read what was sent by mail


class TicketEntry(NamedTuple):
    """Something that was written in a ticket, value by value as the file has it."""

    id: object
    text: object
    markup: str
    time: object
    author: object
    agent: bool  # whether somebody of the help desk wrote it
    private: object = False
    notice: bool = False  # nobody wrote it
    mail: bool = False  # whether it came or went as a mail, with signatures and what it answers
    answers: object = None  # the id of the entry it answers, where the form says so


class Ticket(NamedTuple):
    """A ticket."""

    id: object
    subject: object
    entries: Iterable[TicketEntry]
    link: str | None = None
    status: object = None  # in the words of its help desk: closed, solved, open


class TicketSource(JsonForm):
    """A help desk's form of JSON. At the least it has `places` and `ticket`."""

    key: ClassVar[str] = ""  # the field by which records that follow each other are of one ticket; none: each is a ticket

    def read(self, path: Path, hasher: Hasher) -> Iterator[Item]:
        """What was written, ticket by ticket.

        Raises:
            SourceError: the file cannot be read, or breaks off.
        """
        for where, found in grouped(self.rows(path), lambda record: record.get(self.key)):
            yield from (row.value for row in found if isinstance(row.value, Skipped))
            values = [row.value for row in found if not isinstance(row.value, Skipped)]
            if values:
                yield from items(partial(self.ticket, values, path), hasher, where)

    @abstractmethod
    def ticket(self, values: list[dict[str, Any]], path: Path) -> Ticket:
        """The ticket of some records (of one, without `key`)."""


def grouped(rows: Iterator[Row], key: Callable[[Mapping[str, Any]], object]) -> Iterator[tuple[str, list[Row]]]:
    """Records that follow each other and have the same key (not None), with where the first of them stands.

    Raises:
        SourceError: of `rows`, after the records before it.
    """
    group: list[Row] = []
    about: object = None
    broken: SourceError | None = None
    while True:
        try:
            row = next(rows, None)
        except SourceError as error:
            row, broken = None, error
        this = key(row.value) if row is not None and isinstance(row.value, dict) else None
        if group and (row is None or this is None or this != about):
            yield group[0].where, group
            group = []
        if row is None:
            break
        group.append(row)
        about = this
    if broken is not None:
        raise broken


def items(make: Callable[[], Ticket], hasher: Hasher, where: str) -> Iterator[Item]:
    """The posts of the ticket that `make` gives, the oldest first, and what is left out; one that cannot be read costs itself."""
    return guarded_all(_items(make, hasher, where), where)


def _items(make: Callable[[], Ticket], hasher: Hasher, where: str) -> Iterator[Item]:
    ticket = make()
    before: str | None = None
    root: str | None = None
    for entry in sorted(ticket.entries, key=lambda entry: optional(seconds, entry.time) or 0):
        if entry.notice:
            yield Skipped("a notice of the service", where)
        elif flag(entry.private):
            yield Skipped("a private note", where)
        elif not entry.text:
            yield Skipped("no words, only what is attached", where)
        else:
            own = f"{ticket.id}/{entry.id}"
            side = "agent" if entry.agent else "customer"
            record = Record(
                id=own,
                text=entry.text,
                markup=_MAIL[entry.markup] if entry.mail else entry.markup,
                title=ticket.subject,
                parent=f"{ticket.id}/{entry.answers}" if entry.answers and before else before,
                root=root,
                time=entry.time,
                author=None if entry.author is None else f"{side} {entry.author}",
                link=ticket.link,
                solved=ticket.status if before is None else None,
            )
            yield record.post(hasher, where)
            before, root = own, root or own

"""One mail or news article in a file of its own: .eml files, articles as a news server gives them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rejoinder.archive.mail.files import looks_like_mail, read_whole, without_frame
from rejoinder.archive.mail.kept import left_out_of_apple
from rejoinder.archive.mail.records import Mailbox
from rejoinder.archive.peek import peek
from rejoinder.archive.source import Hasher, Item, Skipped, Source


class Eml(Source):
    """One mail a file."""

    name = "eml"
    what = "a mail or news article in a file of its own"
    marks = "headers at its beginning (From, Subject, Date, Message-ID), then a blank line"

    def recognises(self, path: Path) -> bool:
        """Whether the file begins with the headers of a mail."""
        return looks_like_mail(without_frame(peek(path).head))

    def read(self, path: Path, hasher: Hasher) -> Iterator[Item]:
        """The mail.

        Raises:
            SourceError: the file cannot be read.
        """
        raw = read_whole(path)
        why = left_out_of_apple(raw)
        yield Skipped(why, path.name) if why else Mailbox(hasher).item(without_frame(raw), path.name)


SOURCE = Eml()

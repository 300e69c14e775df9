"""Mail in mbox files: Mailman's and pipermail's monthly archives, Gmail's Takeout, groups.io, Thunderbird, mutt, news spools.

What the disguises of list archives leave of an address ("ada at example.org") is still told from others. Source: RFC 4155.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

from rejoinder.archive.mail.files import looks_like_mbox, split_mbox, unescaped
from rejoinder.archive.mail.kept import left_out_of_folder
from rejoinder.archive.mail.records import Mailbox, ids_in
from rejoinder.archive.peek import peek
from rejoinder.archive.source import Hasher, Item, Source
from rejoinder.archive.streams import UNREADABLE, open_stream
from rejoinder.errors import SourceError

_CHUNK = 2**20  # bytes
_LONGEST_LINE = 2**20  # bytes; a longer one is read in pieces


class Mbox(Source):
    """One file of many mails."""

    name = "mbox"
    what = "mail in an mbox file, as list archives and mail programs keep it"
    beside = "*.msf *.dat *.plist table_of_contents"  # of Thunderbird and Apple Mail
    marks = "lines that begin with `From ` before the headers of each mail"

    def recognises(self, path: Path) -> bool:
        """Whether the file begins with a "From " line and a header."""
        return looks_like_mbox(peek(path).head)

    def set_aside(self, path: Path) -> bool:
        """Whether it is called as mail programs call what is deleted, drafts and spam; Apple's lie in a folder of that name."""
        return left_out_of_folder((path.parent if path.name == "mbox" else path).stem) != ""

    def read(self, path: Path, hasher: Hasher) -> Iterator[Item]:
        """The mails, in the file's order.

        Raises:
            SourceError: the file cannot be read, or breaks off.
        """
        mailbox = Mailbox(hasher, ids_in(_chunks(path)))
        with open_stream(path) as file:
            mails = split_mbox(iter(partial(file.readline, _LONGEST_LINE), b""))
            while True:
                try:
                    found = next(mails, None)
                except UNREADABLE as error:
                    raise SourceError(f"{path}: breaks off: {error}; the mails before were taken") from error
                if found is None:
                    return
                raw, line = found
                yield mailbox.item(unescaped(raw), f"{path.name} line {line}")


SOURCE = Mbox()


def _chunks(path: Path) -> Iterator[bytes]:
    """The file's bytes, up to where it breaks off."""
    with suppress(*UNREADABLE), open_stream(path) as file:
        while data := file.read(_CHUNK):
            yield data

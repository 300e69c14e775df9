"""Mail in a Maildir: a file for each mail, in folders `cur` and `new`. Source: D. J. Bernstein, "Using maildir format"."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from rejoinder.archive.mail.files import read_whole
from rejoinder.archive.mail.kept import left_out_of_maildir
from rejoinder.archive.mail.records import Mailbox, ids_in
from rejoinder.archive.peek import peek
from rejoinder.archive.source import Hasher, Item, Skipped, Source
from rejoinder.errors import SourceError

_HOLDS_MAIL = ("cur", "new")  # what is in `tmp` has not arrived yet

_HEAD = 2**14  # bytes of a mail in which its id is looked for


class Maildir(Source):
    """A folder of mails, its subfolders included."""

    name = "maildir"
    what = "mail in a Maildir folder"
    marks = "folders `cur` and `new`, with a file for each mail"
    folder = True

    def recognises(self, path: Path) -> bool:
        """Whether there is a `cur` or `new` with mails in it; without `tmp` beside it, a name of the form must say so."""
        names = peek(path).names
        mails = [name for name in names if name.split("/")[-2:-1] and name.split("/")[-2] in _HOLDS_MAIL]
        return any((path / name).parents[1].joinpath("tmp").is_dir() or ":2," in name for name in mails[:50])

    def read(self, path: Path, hasher: Hasher) -> Iterator[Item]:
        """The mails by the time their names begin with; one that cannot be read is counted.

        Raises:
            SourceError: the folder cannot be read.
        """
        try:
            files = sorted(_mails(path), key=lambda file: file.name)
        except OSError as error:
            raise SourceError(f"{path}: cannot be read: {error.strerror}") from error
        mailbox = Mailbox(hasher, ids_in(map(_head, files)))
        for file in files:
            where = file.relative_to(path).as_posix()
            if why := left_out_of_maildir(file.parents[1].relative_to(path).as_posix(), file.name):
                yield Skipped(why, where)
                continue
            try:
                raw = read_whole(file)
            except SourceError:
                yield Skipped("a mail that cannot be read", where)
                continue
            yield mailbox.item(raw, where)


SOURCE = Maildir()


def _mails(path: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(path, onerror=_raise):
        folders.sort()
        if Path(folder).name in _HOLDS_MAIL:
            yield from (Path(folder) / name for name in files if not name.startswith("."))


def _head(file: Path) -> bytes:
    """The beginning of a mail, where its headers are; nothing, if it cannot be read."""
    try:
        with file.open("rb") as opened:
            return b"\n" + opened.read(_HEAD)
    except OSError:
        return b""


def _raise(error: OSError) -> None:
    raise error

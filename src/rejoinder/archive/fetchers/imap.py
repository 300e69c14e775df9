"""IMAP: the mails of some folders. Folders are opened read-only, and mails are peeked at: nothing is marked as read.

A folder's mails have numbers that only grow (UID), as long as its UIDVALIDITY is the same; the last one read is remembered.
Source: RFC 3501.
"""

from __future__ import annotations

import imaplib
import re
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import suppress

from rejoinder.archive.fetchers.run import Bookmark, FetchedPage
from rejoinder.archive.source import Hasher
from rejoinder.archive.sources.mbox import SOURCE as SOURCE
from rejoinder.errors import SourceError

_AT_ONCE = 50  # mails
_TIMEOUT = 60.0  # seconds
_FROM = re.compile(rb"(?m)^(>*From )")


def connect(host: str, port: int, name: str, password: str, *, tls: bool = True) -> imaplib.IMAP4:
    """An open connection.

    Raises:
        SourceError: nobody answers, or does not let one in.
    """
    try:
        opened = imaplib.IMAP4_SSL(host, port, timeout=_TIMEOUT) if tls else imaplib.IMAP4(host, port, timeout=_TIMEOUT)
    except (OSError, imaplib.IMAP4.error) as error:
        raise SourceError(f"{host}:{port}: no answer ({error})") from error
    try:
        opened.login(name, password)
    except (OSError, imaplib.IMAP4.error) as error:
        with suppress(OSError, imaplib.IMAP4.error):
            opened.logout()
        raise SourceError(
            f"{host}: does not let {name} in ({str(error)[:80]}); many services want a password for apps"
        ) from error
    return opened


def close(server: imaplib.IMAP4) -> None:
    """Say good-bye, whether or not the other end is still there."""
    with suppress(OSError, imaplib.IMAP4.error):
        server.logout()


def mails(server: imaplib.IMAP4, folders: Sequence[str], hasher: Hasher, bookmark: Bookmark) -> Iterator[FetchedPage]:
    """What came into each folder since the last run, as mbox; folders are remembered by their hashes.

    Raises:
        SourceError: there is no such folder, or the connection broke.
    """
    try:
        for folder in folders:
            key = f"{hasher.number(folder):x}"
            valid = _open(server, folder)
            kept = bookmark.get(key) or [valid, 0]
            last = kept[1] if kept[0] == valid else 0
            _, found = server.uid("SEARCH", f"UID {last + 1}:* UNDELETED UNDRAFT")
            numbers = sorted(number for number in map(int, (found[0] or b"").split()) if number > last)  # "*" always finds one
            for at in range(0, len(numbers), _AT_ONCE):
                chunk = numbers[at : at + _AT_ONCE]
                _, parts = server.uid("FETCH", ",".join(map(str, chunk)), "(UID BODY.PEEK[])")
                bookmark = {**bookmark, key: [valid, chunk[-1]]}
                yield FetchedPage(None, bookmark, b"".join(_as_mbox(part[1]) for part in parts if isinstance(part, tuple)))
    except (OSError, imaplib.IMAP4.error) as error:
        raise SourceError(f"{server.host}: {str(error)[:120]}; the same command goes on from here") from error


def _open(server: imaplib.IMAP4, folder: str) -> int:
    """The UIDVALIDITY of a folder, opened read-only."""
    quoted = '"' + modified_utf7(folder).replace("\\", "\\\\").replace('"', '\\"') + '"'
    said, _ = server.select(quoted, readonly=True)
    if said != "OK":
        raise SourceError(f"{server.host}: no folder {folder!r} that can be opened")
    _, valid = server.response("UIDVALIDITY")
    return int(valid[0]) if valid and valid[0] else 0


def modified_utf7(folder: str) -> str:
    """A folder's name as IMAP writes it (RFC 3501, 5.1.3); one that is written so already stays."""
    if folder.isascii() and not re.sub(r"&[A-Za-z0-9+,]*-", "", folder).count("&"):
        return folder

    def coded(match: re.Match[str]) -> str:
        data = b64encode(match[0].encode("utf-16-be", "surrogatepass")).decode()
        return f"&{data.rstrip('=').replace('/', ',')}-"

    return re.sub(r"[^\x20-\x7e]+", coded, folder.replace("&", "&-"))


def _as_mbox(mail: bytes) -> bytes:
    return b"From imap Thu Jan  1 00:00:00 1970\n" + _FROM.sub(rb">\1", mail.replace(b"\r\n", b"\n")) + b"\n\n"

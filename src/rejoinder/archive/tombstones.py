"""Tombstones: keyed hashes of the items and authors that were forgotten, by which a later import or fetch knows them.

The key lies beside the archive, and its check in it, kept with the first author: with another key authors would have other
hashes, so that whoever was forgotten could come back, and nobody could be forgotten by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import TYPE_CHECKING

from rejoinder.archive.authors import item_hasher
from rejoinder.archive.source import Gone
from rejoinder.errors import ArchiveError
from rejoinder.post import Post

if TYPE_CHECKING:
    from rejoinder.archive.store import Archive

_AT_ONCE = 500  # marks that one query asks for
KEY_FILE = "author.key"  # beside the archive
_CHECK = "key_check"  # the note of the key's check: the hash of item 0


def marker(archive: Archive) -> Callable[[int], bytes]:
    """The function from an item's id to the keyed hash that stands for it once it is forgotten."""
    return item_hasher(archive.path.with_name(KEY_FILE))


def check_key(archive: Archive, *, keep: bool = False) -> None:
    """See whether the key beside an archive is the one that its authors and tombstones were hashed with.

    Where there is no check yet, `keep` notes that of the key there is; inside `writing`.

    Raises:
        ArchiveError: it is another one, or is gone; no new one is made.
    """
    file, known = archive.path.with_name(KEY_FILE), archive.meta(_CHECK)
    if not file.exists() and (known is not None or next(archive.query("SELECT 1 FROM tombstone LIMIT 1"), None)):
        raise ArchiveError(
            f"{file} is gone, the key with which the authors of this archive were hashed: with another one whoever was forgotten "
            "would come back, and nobody could be forgotten by name; restore it from a backup, or begin anew with another --home"
        )
    if known is None and keep and file.exists():
        archive.set_meta(_CHECK, marker(archive)(0))
    elif known is not None and known != marker(archive)(0):
        raise ArchiveError(
            f"{file} is not the key with which the authors of this archive were hashed: whoever was forgotten would come back, "
            "and nobody could be forgotten by name; restore it from a backup, or begin anew with another --home"
        )


def not_forgotten(archive: Archive, items: list[Post | Gone], skip: Callable[[str, str], None]) -> list[Post | Gone]:
    """The items but for those that were forgotten on request: the item itself, or any post of its author; inside `writing`."""
    authors = {item.author for item in items if isinstance(item, Post) and item.author is not None}
    check_key(archive, keep=bool(authors))
    if next(archive.query("SELECT 1 FROM tombstone LIMIT 1"), None) is None:
        return items
    mark = marker(archive)
    marks = {item.id: mark(item.id) for item in items}
    standing = among(archive, {*marks.values(), *authors})
    if not standing:
        return items
    kept: list[Post | Gone] = []
    for item in items:
        if marks[item.id] in standing or (isinstance(item, Post) and item.author in standing):
            skip("forgotten on request", f"item {item.id}")
        else:
            kept.append(item)
    return kept


def among(archive: Archive, marks: Iterable[bytes]) -> set[bytes]:
    """Which of these marks stand among the tombstones; what it costs does not grow with their number."""
    asked = iter(marks)
    found: set[bytes] = set()
    while some := list(islice(asked, _AT_ONCE)):
        rows = archive.query(f"SELECT mark FROM tombstone WHERE mark IN ({', '.join('?' * len(some))})", some)
        found.update(mark for (mark,) in rows)
    return found

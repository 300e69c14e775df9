"""Tombstones: keyed hashes of the items and authors that were forgotten, by which a later import or fetch knows them.

The key lies beside the archive, and its check in it, kept with the first author: with another key authors would have other
hashes, so that whoever was forgotten could come back, and nobody could be forgotten by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import TYPE_CHECKING

from rejoinder.archive.authors import item_hasher
from rejoinder.errors import ArchiveError

if TYPE_CHECKING:
    from rejoinder.archive.rows import Row
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


def not_forgotten(archive: Archive, rows: list[Row], skip: Callable[[str, str], None]) -> list[bool] | None:
    """Which rows may be taken: not those that were forgotten on request, by themselves or with their author; inside `writing`.

    None: all of them.
    """
    authors = {row[7] for row in rows}
    authors.discard(None)
    check_key(archive, keep=bool(authors))
    if next(archive.query("SELECT 1 FROM tombstone LIMIT 1"), None) is None:
        return None
    mark = marker(archive)
    marks = {row[0]: mark(row[0]) for row in rows}
    standing = among(archive, {*marks.values(), *authors})
    kept = [marks[row[0]] not in standing and row[7] not in standing for row in rows]
    for row, keep in zip(rows, kept, strict=True):
        if not keep:
            skip("forgotten on request", f"item {row[0]}")
    return kept


def among(archive: Archive, marks: Iterable[bytes]) -> set[bytes]:
    """Which of these marks stand among the tombstones; what it costs does not grow with their number."""
    asked = iter(marks)
    found: set[bytes] = set()
    while some := list(islice(asked, _AT_ONCE)):
        rows = archive.query(f"SELECT mark FROM tombstone WHERE mark IN ({', '.join('?' * len(some))})", some)
        found.update(mark for (mark,) in rows)
    return found

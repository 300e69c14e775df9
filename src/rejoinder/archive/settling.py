"""Settling: finding the threads and parts of the posts that were touched, and of all that they are linked with."""

from __future__ import annotations

import os
import sqlite3
from itertools import islice
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rejoinder.archive.schema import make_late_indexes
from rejoinder.archive.split import hash_split
from rejoinder.archive.threads import NONE, Links, NewArray, find_threads
from rejoinder.files import reserve

_NEAR = """
    SELECT thread FROM place WHERE id IN (SELECT id FROM unsettled)
    UNION SELECT thread FROM place JOIN post USING (id) WHERE parent IN (SELECT id FROM unsettled)
    UNION SELECT thread FROM place JOIN post USING (id) WHERE story IN (SELECT id FROM unsettled)
"""
_TOUCHED = f"""
    SELECT id, coalesce(parent, -1), coalesce(story, -1), kind <> 'comment' AND kind <> 'pollopt',
           coalesce(thread, -1), coalesce(split, -1), coalesce(circular, 0)
    FROM post LEFT JOIN place USING (id) WHERE id IN (SELECT id FROM unsettled) OR id IN (
        SELECT id FROM place WHERE split IN (0, 1, 2) AND thread IN ({_NEAR}))
"""
_ALL = "SELECT id, coalesce(parent, -1), coalesce(story, -1), kind <> 'comment' AND kind <> 'pollopt' FROM post"
_DATABASES = "SELECT CAST(file AS BLOB) FROM pragma_database_list WHERE name = 'main'"
_INDEX = "CREATE INDEX place_thread ON place (split, thread)"
_AT_ONCE = 50_000  # rows
_IN_MEMORY = 2**24  # bytes of an array; of a larger one only what is read and written is in memory
_LINKS = [("id", "i8"), ("parent", "i8"), ("story", "i8"), ("opens", "?")]
_PLACE = [("thread", "i8"), ("split", "i1"), ("circular", "?")]


class Settled(NamedTuple):
    """What settling threads changed in the archive."""

    changed: bool  # whether any post has another place
    moved: int  # posts that were here and now belong to another thread
    resplit: int  # of these, posts whose thread is now in another part
    circular: list[int]  # posts found to be their own ancestor


def settle(db: sqlite3.Connection) -> Settled:
    """Place what is in the table `unsettled` (all posts, where none has a place), and empty it; inside a transaction."""
    make_late_indexes(db)  # where a first import has left them out
    if not db.execute("SELECT EXISTS (SELECT 1 FROM place)").fetchone()[0]:
        return _settle_all(db)
    old = np.fromiter(db.execute(_TOUCHED), dtype=np.dtype(_LINKS + _PLACE))
    key, circular = find_threads(Links(*(old[name] for name, _ in _LINKS)))
    split = hash_split(key)
    here = old["thread"] != NONE
    moved = here & (key != old["thread"])
    resplit = here & (split != old["split"])
    change = ~here | moved | (circular != old["circular"])
    _place(db, old["id"][change], key[change], circular[change])
    db.execute("DELETE FROM unsettled")
    new_circles = old["id"][circular & ~old["circular"]].tolist()
    return Settled(bool(change.any()), int(moved.sum()), int(resplit.sum()), new_circles)


def _settle_all(db: sqlite3.Connection) -> Settled:
    new = _mapped(Path(os.fsdecode(db.execute(_DATABASES).fetchone()[0])).parent)
    links = new(db.execute("SELECT count(*) FROM post").fetchone()[0], np.dtype(_LINKS))
    rows = db.execute(_ALL)
    for first in range(0, len(links), _AT_ONCE):
        links[first : first + _AT_ONCE] = np.fromiter(islice(rows, _AT_ONCE), dtype=links.dtype)
    key, circular = find_threads(Links(*(links[name] for name, _ in _LINKS)), new)
    db.execute("DROP INDEX place_thread")  # an index of many is made faster than it grows
    _place(db, links["id"], key, circular)
    db.execute(_INDEX)
    db.execute("DELETE FROM unsettled")
    return Settled(True, 0, 0, links["id"][circular].tolist())


def _mapped(directory: Path) -> NewArray:
    """Makes arrays: large ones in files of `directory`, which have no name and are gone when nobody has the array."""

    def new(length: int, kind: np.dtype[Any]) -> NDArray[Any]:
        if length * kind.itemsize <= _IN_MEMORY:
            return np.empty(length, kind)
        with TemporaryFile(dir=directory) as file:
            reserve(file.fileno(), length * kind.itemsize)
            return np.asarray(np.memmap(file, kind, "w+", shape=(length,)))

    return new


def _place(db: sqlite3.Connection, *columns: NDArray[Any]) -> None:
    """Write places of posts: id, thread, whether on a circle; few at a time are numbers of Python, which are larger."""
    for first in range(0, len(columns[0]), _AT_ONCE):
        number, key, circular = (column[first : first + _AT_ONCE] for column in columns)
        rows = zip(number.tolist(), key.tolist(), hash_split(key).tolist(), circular.astype(np.int8).tolist(), strict=True)
        db.executemany("INSERT OR REPLACE INTO place VALUES (?, ?, ?, ?)", rows)

"""Settling: finding the threads and parts of the posts that were touched, and of all that they are linked with."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rejoinder.archive.split import hash_split
from rejoinder.archive.threads import NONE, Links, find_threads

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
_ALL = "SELECT id, coalesce(parent, -1), coalesce(story, -1), kind <> 'comment' AND kind <> 'pollopt', -1, -1, 0 FROM post"
_INDEX = "CREATE INDEX place_thread ON place (split, thread)"
_AT_ONCE = 50_000  # rows
_TOUCHED_ROW = np.dtype(
    [
        ("id", "i8"),
        ("parent", "i8"),
        ("story", "i8"),
        ("opens", "?"),
        ("thread", "i8"),
        ("split", "i1"),
        ("circular", "?"),
    ]
)


class Settled(NamedTuple):
    """What settling threads changed in the archive."""

    changed: bool  # whether any post has another place
    moved: int  # posts that were here and now belong to another thread
    resplit: int  # of these, posts whose thread is now in another part
    circular: list[int]  # posts found to be their own ancestor


def settle(db: sqlite3.Connection) -> Settled:
    """Place what is in the table `unsettled` (all posts, where none has a place), and empty it; inside a transaction."""
    first = not db.execute("SELECT EXISTS (SELECT 1 FROM place)").fetchone()[0]
    old = np.fromiter(db.execute(_ALL if first else _TOUCHED), dtype=_TOUCHED_ROW)
    key, circular = find_threads(Links(old["id"], old["parent"], old["story"], old["opens"]))
    split = hash_split(key)
    here = old["thread"] != NONE
    moved = here & (key != old["thread"])
    resplit = here & (split != old["split"])
    change = ~here | moved | (circular != old["circular"])
    columns = (old["id"], key, split, circular.astype(np.int8))
    rows = _rows(np.flatnonzero(change), columns)
    if first:  # an index of many is made faster than it grows
        db.execute("DROP INDEX place_thread")
    db.executemany("INSERT OR REPLACE INTO place VALUES (?, ?, ?, ?)", rows)
    if first:
        db.execute(_INDEX)
    db.execute("DELETE FROM unsettled")
    new_circles = old["id"][circular & ~old["circular"]].tolist()
    return Settled(bool(change.any()), int(moved.sum()), int(resplit.sum()), new_circles)


def _rows(places: NDArray[np.int64], columns: Sequence[NDArray[Any]]) -> Iterator[tuple[int, ...]]:
    """What stands at these places of the columns, row by row; few at a time are numbers of Python, five times as large."""
    for first in range(0, len(places), _AT_ONCE):
        some = places[first : first + _AT_ONCE]
        yield from zip(*(column[some].tolist() for column in columns), strict=True)

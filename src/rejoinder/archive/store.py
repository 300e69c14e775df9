"""The archive: one SQLite file that holds every post, its thread and its part.

Why SQLite in WAL mode: readers in other processes go on while one writes; and with `secure_delete` what is erased is gone
from the file. Writes are short transactions of `BATCH` posts, so that a crash loses little and a reader sees progress.
Each batch notes what it touched in `unsettled`, in the same transaction; `settle` then finds the threads of just those
posts, and of all of them where no post has a place yet. A crash in between loses nothing: the next writer settles what is left.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import compress
from operator import itemgetter
from pathlib import Path
from typing import Any, Self

from rejoinder.archive.batches import NOWHERE, ItemBatch, Own, batches
from rejoinder.archive.places import Place, place, places, where_to_look
from rejoinder.archive.rows import COLUMNS, POSTS, UPSERT, WIDTH, Row, merge, to_post, to_row
from rejoinder.archive.schema import check_ours, drop_late_indexes, migrate, use_wal
from rejoinder.archive.source import BATCH_SIZE, HN, Item
from rejoinder.archive.tombstones import not_forgotten
from rejoinder.errors import ArchiveBusy, ArchiveError, RejoinderError, UnknownPost
from rejoinder.post import Kind, Post, State

BATCH = 5_000  # posts to a transaction, at the most
BUSY_SECONDS = 10.0  # how long a writer waits for another

Progress = Callable[[int], None]  # called with the number of items taken in so far

_GONE = "deleted, or no such item"
_SETTLED_BEFORE = "SELECT EXISTS (SELECT 1 FROM place)"
_TO_SETTLE = f"SELECT EXISTS (SELECT 1 FROM unsettled) OR (NOT ({_SETTLED_BEFORE}) AND EXISTS (SELECT 1 FROM post))"

_Owner = tuple[int, str | None]  # a place's number, and a post's id there, if its number is a hash of that
_Owned = tuple[Row, Own]
_Present = dict[int, tuple[Row, _Owner]]  # a post's number -> its row, and whose it is


@dataclass
class Counts:
    """What became of the items of one import or fetch: `lines` = new + updated + unchanged + skipped."""

    lines: int = 0
    new: int = 0
    updated: int = 0
    unchanged: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)  # reason -> where it was first met
    moved: int = 0  # posts that were here and now belong to another thread
    resplit: int = 0  # of these, posts whose thread is now in another part
    lost: Counter[str] = field(default_factory=Counter)  # posts taken without their parent, time or words
    comments: int = 0
    circular: list[int] = field(default_factory=list)  # posts found to be their own ancestor

    @property
    def skipped(self) -> int:
        """Items that were not taken in, for whatever reason."""
        return self.reasons.total()

    @property
    def taken(self) -> int:
        """Items that are in the archive now."""
        return self.new + self.updated + self.unchanged

    def skip(self, reason: str, where: str) -> None:
        """Count one that is not taken in."""
        self.reasons[reason] += 1
        self.examples.setdefault(reason, where)


class Archive:
    """One open archive. Not for use by several threads at once; open one each."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        """Use `Archive.open`."""
        self.path = path
        self._db = connection
        self._views: list[Archive] = []

    @classmethod
    def open(cls, path: Path, *, create: bool = False, busy_seconds: float = BUSY_SECONDS) -> Self:
        """Open the archive at `path`; with `create`, make it if it is not there.

        Raises:
            ArchiveError: there is none, or the file is no archive, is damaged or newer than this rejoinder.
        """
        if create:
            path.parent.mkdir(parents=True, exist_ok=True)
        elif not path.is_file():
            raise ArchiveError(f"no archive at {path}; `rejoinder import FILE` makes one")
        with _errors(path):
            # used by one thread at a time, but not always the same: libraries read our iterators from theirs
            where = path if create else f"{path.absolute().as_uri()}?mode=rw"  # one that is removed just now is not made
            db = sqlite3.connect(where, uri=not create, timeout=busy_seconds, isolation_level=None, check_same_thread=False)
            try:
                check_ours(db, str(path))  # before anything is changed
                use_wal(db, busy_seconds)
                db.execute("PRAGMA synchronous = NORMAL")
                db.execute("PRAGMA secure_delete = ON")
                db.execute("PRAGMA cache_size = -32768")  # KiB
                db.execute("PRAGMA wal_autocheckpoint = 8000")  # pages: indexes change often, copy them into the file seldom
                migrate(db, str(path))
            except BaseException:
                db.close()
                raise
            return cls(path, db)

    def __enter__(self) -> Self:
        """The archive itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the archive, whatever happened in between."""
        self.close()

    def close(self) -> None:
        """Close the connection, and those of its views; the archive object is of no use afterwards."""
        for view in self._views:
            view.close()
        self._db.close()

    # --- reading -------------------------------------------------------------------------------------------------

    def query(self, sql: str, values: Iterable[Any] = ()) -> Iterator[Row]:
        """The rows of a SELECT; what varies comes as bound values."""
        with _errors(self.path):
            for row in self._db.execute(sql, tuple(values)):  # noqa: UP028 - that closes the cursor, which fails after `close`
                yield row

    def view(self) -> Self:
        """The archive as it is at this moment, whatever is written; a connection of its own, which ends with this one's."""
        seen = type(self).open(self.path)
        self._views.append(seen)
        with _errors(self.path):
            seen._db.execute("BEGIN")
            seen._db.execute("SELECT count(*) FROM meta").fetchone()
        return seen

    def posts(self, where: str, values: Iterable[Any] = ()) -> Iterator[Post]:
        """The posts that meet a SQL condition over the columns of `post` and `place`."""
        for row in self.query(f"{POSTS} WHERE {where}", values):
            yield to_post(row)

    def post(self, number: int) -> Post:
        """The post with that id.

        Raises:
            UnknownPost: there is none, or it was deleted.
        """
        found = next(self.posts("id = ?", [number]), None) if abs(number) < 2**63 else None
        if found is None:
            raise UnknownPost(f"no post {number} in the archive {self.path}; {where_to_look(self, number)}")
        if found.state is not State.LIVE:
            raise UnknownPost(f"post {number} was {found.state.name.lower()} at its source; its words are not kept")
        return found

    def replies_to(self, number: int, limit: int) -> Iterator[Post]:
        """The first so many posts with words that answer post `number`, oldest first."""
        here = f"state = {State.LIVE.value} AND (text <> '' OR title <> '')"
        return self.posts(f"parent = ? AND {here} ORDER BY time, id LIMIT ?", [number, limit])

    def thread(self, key: int, limit: int) -> Iterator[Post]:
        """The first so many posts of a thread, oldest first."""
        return self.posts("split IN (0, 1, 2) AND thread = ? ORDER BY time, id LIMIT ?", [key, limit])

    def parent_of(self, number: int) -> int | None:
        """What a post answers; None for nothing, or where the post is not here."""
        row = next(self.query("SELECT parent FROM post WHERE id = ?", [number]), None)
        return None if row is None else row[0]

    @property
    def is_empty(self) -> bool:
        """Whether there is no post."""
        return next(self.query("SELECT 1 FROM post LIMIT 1"), None) is None

    def path_to(self, number: int, most: int | None = None) -> tuple[Post, ...]:
        """The posts with words from the root to post `number`, as far as the archive has them, oldest first.

        With `most`, of a longer path the nearest so many, and the root before them.
        """
        path = [self.post(number)]
        seen = {number}
        parent = path[0].parent
        while parent is not None and parent not in seen:
            if most is not None and len(seen) >= most:
                path += [root for root in self.posts("id = ?", [path[0].thread]) if root.body and root.id not in seen]
                break
            seen.add(parent)
            above = next(self.posts("id = ?", [parent]), None)
            if above is None:
                break
            if above.body:
                path.append(above)
            parent = above.parent
        return tuple(reversed(path))

    def meta(self, key: str, default: Any = None) -> Any:
        """A note kept with the archive."""
        row = next(self.query("SELECT value FROM meta WHERE key = ?", [key]), None)
        return default if row is None else row[0]

    # --- writing -------------------------------------------------------------------------------------------------

    def set_meta(self, key: str, value: Any) -> None:
        """Keep a note; inside `writing`."""
        self._db.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (key, value))

    def execute_many(self, sql: str, rows: Iterable[Iterable[Any]]) -> None:
        """One statement for many rows of values; inside `writing`."""
        self._db.executemany(sql, (tuple(row) for row in rows))

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction: all of it or, if anything is raised, nothing.

        Raises:
            ArchiveBusy: another process has been writing for longer than this connection waits.
        """
        with _errors(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def add(
        self, items: Iterable[Item], counts: Counts | None = None, progress: Progress | None = None, at: Place | None = None
    ) -> Counts:
        """Take in items of one place (the first, if none is given), in batches; the same id again is an update; then settle.

        If `items` raises half-way, what came before is kept and settled, `counts` is filled, and the error goes on.
        """
        return self.add_batches(batches(items, BATCH, BATCH_SIZE), counts, progress, at)

    def add_batches(
        self, some: Iterable[ItemBatch], counts: Counts | None = None, progress: Progress | None = None, at: Place | None = None
    ) -> Counts:
        """As `add`, of items that are in batches; each is a transaction."""
        counts = Counts() if counts is None else counts
        at = at or next(iter(places(self)), None) or place(self, HN)
        if self.is_empty:
            with self.writing() as db:
                if self.is_empty:  # still, now that nobody else writes
                    drop_late_indexes(db)  # until all are settled for the first time
        try:
            for batch in some:
                self._take(batch, at, counts)
                if progress:
                    progress(counts.lines)
        except RejoinderError:
            self.settle(counts)
            raise
        self.settle(counts)
        return counts

    def _take(self, batch: ItemBatch, at: Place, counts: Counts) -> None:
        taken = Counts()
        for reason, where in batch.skipped:
            taken.skip(reason, where)
        if batch.rows:
            with self.writing() as db:
                self._write(db, batch, at, taken)
        counts.lines += len(batch.rows) + len(batch.skipped)
        counts.new += taken.new
        counts.updated += taken.updated
        counts.unchanged += taken.unchanged
        counts.reasons.update(taken.reasons)
        for reason, where in taken.examples.items():
            counts.examples.setdefault(reason, where)
        counts.lost.update({name: lost for name, lost in batch.lost._asdict().items() if lost and name != "comments"})
        counts.comments += batch.lost.comments

    def _write(self, db: sqlite3.Connection, batch: ItemBatch, at: Place, taken: Counts) -> None:
        pairs = list(zip(batch.rows, batch.own or [NOWHERE] * len(batch.rows), strict=True))
        kept = not_forgotten(self, batch.rows, taken.skip)
        if kept is not None:
            pairs = list(compress(pairs, kept))
        for group, present in self._present(db, pairs, at):
            if not present and len({row[0] for row, _ in group}) == len(group):
                self._write_new(db, group, at, taken)
            else:
                self._write_group(db, group, present, at, taken)

    def _write_new(self, db: sqlite3.Connection, pairs: list[_Owned], at: Place, taken: Counts) -> None:
        """Write posts none of which is here, and which have numbers of their own."""
        for row, _ in pairs:
            if row[1] is None:
                taken.skip(_GONE, row[2])
        new = [row for row, _ in pairs if row[1] is not None]
        taken.new += len(new)
        origins = [(row[0], *own) for row, own in pairs if own[0] is not None]
        self._keep(db, new, origins, {number for row in new for number in (row[0], row[4], row[5])}, at)

    def _write_group(self, db: sqlite3.Connection, pairs: list[_Owned], present: _Present, at: Place, taken: Counts) -> None:
        changed: dict[int, Row] = {}
        origins: dict[int, tuple[int, str | None, str | None]] = {}
        touched: set[int | None] = set()
        for said, own in pairs:
            number, gone = said[0], said[1] is None
            old, owner = present.get(number, (None, None))
            if old is not None and owner is not None and owner != (at.number, owner[1] if gone else own[0]):
                taken.skip("its number is that of another post", f"item {number}")
                continue
            if gone:
                if old is None:
                    taken.skip(_GONE, said[2])
                    continue
                row = merge(old, to_row(Post(number, Kind(old[1]), state=State.DELETED)))
            else:
                row = said if old is None else merge(old, said, hashed=own[0] is not None)
                if own[0] is not None and (old is None or row != old):
                    origins[number] = (number, *own)
            if old is None:
                taken.new += 1
            elif row == old:
                taken.unchanged += 1
                continue
            else:
                taken.updated += 1
            if old is None or (old[1], old[4], old[5]) != (row[1], row[4], row[5]):  # kind, parent, story
                touched.update((number, row[4], row[5]))
            changed[number] = row
            present[number] = (row, (at.number, None if gone else own[0]))
        self._keep(db, list(changed.values()), list(origins.values()), touched, at)

    def _keep(
        self, db: sqlite3.Connection, rows: list[Row], origins: list[tuple[Any, ...]], touched: set[int | None], at: Place
    ) -> None:
        if rows:
            db.executemany(UPSERT.format(source=at.number), sorted(rows, key=itemgetter(0)))
            db.executemany("INSERT OR REPLACE INTO origin VALUES (?, ?, ?)", origins)
            if db.execute(_SETTLED_BEFORE).fetchone()[0]:  # else all posts are to be settled, noted or not
                touched.discard(None)
                db.executemany("INSERT OR IGNORE INTO unsettled VALUES (?)", zip(touched))
            self.set_meta("revision", self.meta("revision", 0) + 1)

    def _present(self, db: sqlite3.Connection, pairs: list[_Owned], at: Place) -> Iterator[tuple[list[_Owned], _Present]]:
        """The rows in groups, each with the rows of those that are here, about `BATCH_SIZE` of text, and whose they are."""
        ids = json.dumps([row[0] for row, _ in pairs])
        own, join = ("own", "LEFT JOIN origin USING (id)") if at.hashed else ("NULL", "")
        present, size = _Present(), 0
        here = f"SELECT {COLUMNS}, source, {own} FROM post {join} WHERE id IN (SELECT value FROM json_each(?))"
        for row in db.execute(here, (ids,)):
            present[row[0]] = (row[:WIDTH], row[WIDTH:])
            size += len(row[2])
            if size > BATCH_SIZE:
                yield [one for one in pairs if one[0][0] in present], present
                pairs = [one for one in pairs if one[0][0] not in present]
                present, size = _Present(), 0
        yield pairs, present

    def settle(self, counts: Counts | None = None) -> None:
        """Find the threads and parts of all posts touched since the last time."""
        counts = counts or Counts()
        if not next(self.query(_TO_SETTLE))[0]:
            return
        from rejoinder.archive.settling import settle  # which loads numpy

        with self.writing() as db:
            found = settle(db)
            revision = self.meta("revision", 0) + found.changed
            if found.changed:
                self.set_meta("revision", revision)
            if found.resplit:
                self.set_meta("resplit_at", revision)
        counts.moved += found.moved
        counts.resplit += found.resplit
        counts.circular += found.circular


@contextmanager
def _errors(path: Path) -> Iterator[None]:
    """SQLite's errors in our words."""
    try:
        yield
    except sqlite3.Error as error:
        message = str(error)
        if "locked" in message or "busy" in message:
            raise ArchiveBusy(f"the archive {path} is being written by another process; try again when it has ended") from error
        raise ArchiveError(f"the archive {path}: {message}; is it a rejoinder archive, is the disk full or read-only?") from error

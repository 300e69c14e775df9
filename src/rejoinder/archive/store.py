"""The archive: one SQLite file that holds every post, its thread and its part.

Why SQLite in WAL mode: readers in other processes go on while one writes; and with `secure_delete` what is erased is gone
from the file. Writes are short transactions of `BATCH` posts, so that a crash loses little and a reader sees progress.
Each batch notes what it touched in `unsettled`, in the same transaction; `settle` then finds the threads of just those
posts. A crash in between loses nothing: the next writer settles what is left.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Self

from rejoinder.archive.places import Place, place, places
from rejoinder.archive.rows import COLUMNS, POSTS, UPSERT, WIDTH, Row, merge, to_post, to_row
from rejoinder.archive.schema import check_ours, migrate, use_wal
from rejoinder.archive.source import BATCH_SIZE, HN, Gone, Item, Skipped, text_size
from rejoinder.archive.tombstones import not_forgotten
from rejoinder.errors import ArchiveBusy, ArchiveError, RejoinderError, UnknownPost
from rejoinder.post import Kind, Post, State

BATCH = 5_000  # posts to a transaction, at the most
BUSY_SECONDS = 10.0  # how long a writer waits for another

Progress = Callable[[int], None]  # called with the number of items taken in so far

_Owner = tuple[int, str | None]  # a place's number, and a post's id there, if its number is a hash of that
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

    def look_at(self, post: Post) -> None:
        """Count what a post that is taken has lost on the way."""
        if post.state is not State.LIVE:
            return
        if post.time is None:
            self.lost["time"] += 1
        if not post.text and not post.title:
            self.lost["words"] += 1
        if post.kind is Kind.COMMENT:
            self.comments += 1
            if post.parent is None:
                self.lost["parent"] += 1

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
            db = sqlite3.connect(path, timeout=busy_seconds, isolation_level=None, check_same_thread=False)
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
            raise UnknownPost(f"no post {number} in the archive {self.path}; `rejoinder fetch hn --item {number}` reads it")
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
        counts = Counts() if counts is None else counts
        source, at = iter(items), at or next(iter(places(self)), None) or place(self, HN)
        broken: RejoinderError | None = None
        while broken is None:
            batch: list[Item] = []
            size = 0
            try:
                for item in islice(source, BATCH):
                    batch.append(item)
                    size += text_size(item)
                    if size > BATCH_SIZE:
                        break
            except RejoinderError as error:
                broken = error
            if not batch:
                break
            self._take(batch, at, counts)
            if progress:
                progress(counts.lines)
        self.settle(counts)
        if broken is not None:
            raise broken
        return counts

    def _take(self, batch: list[Item], at: Place, counts: Counts) -> None:
        taken = Counts()
        for item in batch:
            if isinstance(item, Skipped):
                taken.skip(item.reason, item.where)
            elif isinstance(item, Post):
                counts.look_at(item)
        kept = [item for item in batch if not isinstance(item, Skipped)]
        if kept:
            with self.writing() as db:
                self._write(db, kept, at, taken)
        counts.lines += len(batch)
        counts.new += taken.new
        counts.updated += taken.updated
        counts.unchanged += taken.unchanged
        counts.reasons.update(taken.reasons)
        for reason, where in taken.examples.items():
            counts.examples.setdefault(reason, where)

    def _write(self, db: sqlite3.Connection, items: list[Post | Gone], at: Place, taken: Counts) -> None:
        for group, present in self._present(db, not_forgotten(self, items, taken.skip), at):
            self._write_group(db, group, present, at, taken)

    def _write_group(self, db: sqlite3.Connection, items: list[Post | Gone], present: _Present, at: Place, taken: Counts) -> None:
        changed: dict[int, Row] = {}
        origins: dict[int, tuple[int, str, str | None]] = {}
        touched: set[int | None] = set()
        for item in items:
            old, owner = present.get(item.id, (None, None))
            if old is not None and owner is not None and owner != (at.number, item.own if isinstance(item, Post) else owner[1]):
                taken.skip("its number is that of another post", f"item {item.id}")
                continue
            if isinstance(item, Gone):
                if old is None:
                    taken.skip("deleted, or no such item", item.where)
                    continue
                row = merge(old, to_row(Post(item.id, Kind(old[1]), state=State.DELETED)))
            else:
                row = to_row(item) if old is None else merge(old, to_row(item))
                if item.own is not None and (old is None or row != old):
                    origins[item.id] = (item.id, item.own, item.link)
            if old is None:
                taken.new += 1
            elif row == old:
                taken.unchanged += 1
                continue
            else:
                taken.updated += 1
            if old is None or (old[1], old[4], old[5]) != (row[1], row[4], row[5]):  # kind, parent, story
                touched.update((row[0], row[4], row[5]))
            changed[item.id] = row
            present[item.id] = (row, (at.number, item.own if isinstance(item, Post) else None))
        if changed:
            touched.discard(None)
            db.executemany(UPSERT, [(*row, at.number) for _, row in sorted(changed.items())])
            db.executemany("INSERT OR REPLACE INTO origin VALUES (?, ?, ?)", origins.values())
            db.executemany("INSERT OR IGNORE INTO unsettled VALUES (?)", [(i,) for i in touched])
            self.set_meta("revision", self.meta("revision", 0) + 1)

    def _present(
        self, db: sqlite3.Connection, items: list[Post | Gone], at: Place
    ) -> Iterator[tuple[list[Post | Gone], _Present]]:
        """The items in groups, each with the rows of those that are here, about `BATCH_SIZE` of text, and whose they are."""
        ids = json.dumps([item.id for item in items])
        own, join = ("own", "LEFT JOIN origin USING (id)") if at.hashed else ("NULL", "")
        present, size = _Present(), 0
        here = f"SELECT {COLUMNS}, source, {own} FROM post {join} WHERE id IN (SELECT value FROM json_each(?))"
        for row in db.execute(here, (ids,)):
            present[row[0]] = (row[:WIDTH], row[WIDTH:])
            size += len(row[2])
            if size > BATCH_SIZE:
                yield [item for item in items if item.id in present], present
                items = [item for item in items if item.id not in present]
                present, size = _Present(), 0
        yield items, present

    def settle(self, counts: Counts | None = None) -> None:
        """Find the threads and parts of all posts touched since the last time."""
        counts = counts or Counts()
        if next(self.query("SELECT 1 FROM unsettled LIMIT 1"), None) is None:
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

"""The archive's tables, as a list of migrations: the n-th brings version n to version n + 1. Never change one that shipped.

`post` is what the source said; `place` is what follows from it (the post's thread and part), apart, so that a thread that
grows does not rewrite the words of its posts. `solved` is what a source says of an opening post (whether it is solved) or of
a reply (whether it was accepted), `answer` the reply that was accepted, where the opening post says it. `unsettled` holds ids
whose place must be found again; `frontier` the items a fetch has still to read; `tombstone` keyed hashes of items and authors
that were forgotten; `source` the places whose posts these are, `origin` the ids and links that posts have there, where their
numbers are hashes; `meta` notes such as the revision.
"""

from __future__ import annotations

import sqlite3
from time import monotonic, sleep

from rejoinder.errors import ArchiveError

APPLICATION_ID = 0x726A6E64  # "rjnd", so that `file` and we can tell an archive from any other SQLite file
_PAUSE = 0.01  # seconds between two looks at a file that is locked

MIGRATIONS = (
    """
    CREATE TABLE meta (key TEXT PRIMARY KEY, value ANY) WITHOUT ROWID, STRICT;
    CREATE TABLE post (
        id       INTEGER PRIMARY KEY,
        kind     TEXT NOT NULL,
        text     TEXT NOT NULL,
        title    TEXT NOT NULL,
        parent   INTEGER,
        story    INTEGER,
        time     INTEGER,
        author   BLOB,
        url      TEXT,
        score    INTEGER,
        state    INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX post_parent ON post (parent) WHERE parent IS NOT NULL;
    CREATE INDEX post_story ON post (story) WHERE story IS NOT NULL;
    CREATE TABLE place (
        id       INTEGER PRIMARY KEY,
        thread   INTEGER NOT NULL,
        split    INTEGER NOT NULL,
        circular INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX place_thread ON place (split, thread);
    CREATE TABLE unsettled (id INTEGER PRIMARY KEY) STRICT;
    CREATE TABLE tombstone (mark BLOB PRIMARY KEY) STRICT, WITHOUT ROWID;
    CREATE INDEX post_author ON post (author) WHERE author IS NOT NULL;
    CREATE TABLE frontier (id INTEGER PRIMARY KEY, replies INTEGER NOT NULL) STRICT;
    """,
    """
    CREATE TABLE source (
        number   INTEGER PRIMARY KEY,
        name     TEXT NOT NULL UNIQUE,
        form     TEXT NOT NULL,
        link     TEXT,
        notice   TEXT NOT NULL,
        hashed   INTEGER NOT NULL
    ) STRICT;
    ALTER TABLE post ADD COLUMN source INTEGER NOT NULL DEFAULT 1;
    CREATE TABLE origin (id INTEGER PRIMARY KEY, own TEXT NOT NULL, link TEXT) STRICT;
    INSERT INTO source SELECT 1, name, 'hn', CASE name WHEN 'hn' THEN 'https://news.ycombinator.com/item?id={id}' END,
        CASE name WHEN 'hn' THEN 'Hacker News asks that no generated or AI-edited text be posted in comments. '
            || 'These are drafts for you, the reader: to understand a thread, not to post.' ELSE '' END, 0
        FROM (SELECT coalesce((SELECT value FROM meta WHERE key = 'forum'), 'hn') AS name)
        WHERE EXISTS (SELECT 1 FROM post) OR EXISTS (SELECT 1 FROM meta WHERE key = 'forum');
    DELETE FROM meta WHERE key = 'forum'
    """,
    """
    ALTER TABLE post ADD COLUMN solved INTEGER;
    ALTER TABLE post ADD COLUMN answer INTEGER;
    CREATE INDEX post_answer ON post (answer) WHERE answer IS NOT NULL
    """,
)

_LATE = {  # indexes of `post`, as the migrations make them, whose keys come in no order: made faster when the posts are there
    "post_parent": "post (parent) WHERE parent IS NOT NULL",
    "post_story": "post (story) WHERE story IS NOT NULL",
    "post_author": "post (author) WHERE author IS NOT NULL",
    "post_answer": "post (answer) WHERE answer IS NOT NULL",
}


def drop_late_indexes(connection: sqlite3.Connection) -> None:
    """Leave out what finds posts by other than their id, before many come into an archive that has none."""
    for name in _LATE:
        connection.execute(f"DROP INDEX IF EXISTS {name}")


def make_late_indexes(connection: sqlite3.Connection) -> None:
    """Have it again, once they are there."""
    for name, columns in _LATE.items():
        connection.execute(f"CREATE INDEX IF NOT EXISTS {name} ON {columns}")


def use_wal(connection: sqlite3.Connection, patience: float) -> None:
    """Have a file keep a log beside it, so that readers and a writer do not stop each other.

    SQLite does not wait for the file here, as it does elsewhere: of two that make a new archive at once, one would fail.

    Args:
        connection: to the file.
        patience: seconds to wait for another that is writing.

    Raises:
        sqlite3.OperationalError: the file was locked for longer than that.
    """
    ends = monotonic() + patience
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or monotonic() >= ends:
                raise
            sleep(_PAUSE)


def migrate(connection: sqlite3.Connection, where: str) -> None:
    """Bring an archive to the present version, in one transaction; make the tables of a new one.

    Raises:
        ArchiveError: the file is some other SQLite database, or was written by a newer rejoinder.
    """
    version = check_ours(connection, where)
    if version == len(MIGRATIONS):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for step in MIGRATIONS[check_ours(connection, where) :]:  # read again: another process may have been first
            for statement in step.split(";"):
                if statement.strip():
                    connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def check_ours(connection: sqlite3.Connection, where: str) -> int:
    """The version of an archive, 0 for a new file.

    Raises:
        ArchiveError: the file is some other SQLite database, or was written by a newer rejoinder.
    """
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()  # first: whoever makes tables says whose
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if tables and application != APPLICATION_ID:
        raise ArchiveError(f"{where} is a SQLite database, but not a rejoinder archive; choose another --home")
    if version > len(MIGRATIONS):
        raise ArchiveError(
            f"{where} has schema version {version}; this rejoinder knows up to {len(MIGRATIONS)}: upgrade rejoinder"
        )
    return int(version)

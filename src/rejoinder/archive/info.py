"""What an archive holds, in figures."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from rejoinder.archive.places import names
from rejoinder.archive.reader import part_counts
from rejoinder.archive.split import Method
from rejoinder.archive.store import Archive
from rejoinder.post import State

# runs of white space, and one: exact but for code, whose lines begin with spaces
_WORDS = """
    CASE text WHEN '' THEN 0 ELSE 1 + length(text) - length(replace(replace(text, ' ', ''), char(10), ''))
        - length(text) + length(replace(text, char(10) || char(10), char(10))) END
"""
_PAIRS = """
    SELECT count(*), coalesce(sum(parent.kind <> 'comment'), 0) FROM post AS reply JOIN post AS parent ON parent.id = reply.parent
    WHERE reply.text <> '' AND (parent.text <> '' OR parent.title <> '') AND parent.id <> reply.id
"""
_ORPHANS = """
    SELECT count(*) FROM post AS reply WHERE parent IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM post AS parent WHERE parent.id = reply.parent)
"""


_SOURCES = """
    SELECT name, count(post.id) FROM source LEFT JOIN post ON post.source = source.number GROUP BY number ORDER BY number
"""


@dataclass(frozen=True)
class Info:
    """The figures of `rejoinder info`."""

    forum: str  # the names of the places, with commas
    sources: dict[str, int]  # place -> posts
    posts: int
    kinds: dict[str, int]
    dead: int
    deleted: int
    threads: int
    unsettled: int  # posts that an import which was stopped left in no thread yet
    pairs: int  # replies with words whose parent is here and has words
    pairs_to_opening_posts: int
    words: int
    authors: int
    first: str | None  # ISO dates
    last: str | None
    undated: int
    orphans: int  # replies whose parent is not in the archive
    circular: int  # posts whose parents run in a circle
    split: str
    parts: dict[str, dict[str, int]]  # part -> threads, posts
    bytes: int


def read_info(archive: Archive, method: Method = "hash") -> Info:
    """Count what the archive holds."""

    def one(sql: str) -> tuple[int, ...]:
        return next(archive.query(sql))

    posts, words, authors, undated, circular, threads = one(
        f"SELECT count(*), coalesce(sum({_WORDS}), 0), count(DISTINCT author), count(*) - count(time), "
        "(SELECT coalesce(sum(circular), 0) FROM place), (SELECT count(DISTINCT thread) FROM place) FROM post"
    )
    first, last = one("SELECT min(time), max(time) FROM post")
    states: dict[int, int] = dict(archive.query("SELECT state, count(*) FROM post GROUP BY state"))
    pairs, to_opening = one(_PAIRS)
    return Info(
        forum=names(archive),
        sources=dict(archive.query(_SOURCES)),
        posts=posts,
        kinds=dict(archive.query("SELECT kind, count(*) FROM post GROUP BY kind ORDER BY 2 DESC")),
        dead=states.get(State.DEAD, 0),
        deleted=states.get(State.DELETED, 0),
        threads=threads,
        unsettled=posts - one("SELECT count(*) FROM place")[0],
        pairs=pairs,
        pairs_to_opening_posts=to_opening,
        words=words,
        authors=authors,
        first=_date(first),
        last=_date(last),
        undated=undated,
        orphans=one(_ORPHANS)[0],
        circular=circular,
        split=method,
        parts=part_counts(archive, method),
        bytes=archive.path.stat().st_size,
    )


def _date(seconds: int | None) -> str | None:
    if seconds is None:
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC).date().isoformat()
    except (ValueError, OverflowError, OSError):
        return str(seconds)

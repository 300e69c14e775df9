"""The places whose posts an archive holds: any number of them, each under a name, with where its posts can be read.

Hacker News' posts have its own item numbers. Any other place's are numbered by a hash of (place, own id), so that two places
cannot clash; the own ids, and links that no template gives, are kept in `origin`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING
from urllib.parse import quote

from rejoinder.archive.source import HN, Source
from rejoinder.errors import UsageError
from rejoinder.post import Origin

if TYPE_CHECKING:
    from rejoinder.archive.store import Archive

_COLUMNS = "number, name, form, link, notice, hashed"
_SAFE_IN_LINKS = "/:@!$&'()*+,;=~"


@dataclass(frozen=True)
class Place:
    """Where posts come from: a row of the table `source`."""

    number: int
    name: str
    form: str  # the source that read it first
    link: str | None  # where a post can be read, with {id}
    notice: str  # what the place asks of people who write there
    hashed: bool  # whether posts are numbered by hash

    def url(self, own: str) -> str | None:
        """The page of the post with that id, None where the place has none."""
        return self.link.replace("{id}", quote(own, _SAFE_IN_LINKS)) if self.link else None


def places(archive: Archive) -> list[Place]:
    """All places, in the order in which they came."""
    rows = archive.query(f"SELECT {_COLUMNS} FROM source ORDER BY number")
    return [Place(number, name, form, link, notice, bool(hashed)) for number, name, form, link, notice, hashed in rows]


def place(archive: Archive, name: str, source: Source | None = None, *, hashed: bool | None = None) -> Place:
    """The place of that name, made at first use, for what `source` (none: Hacker News' form) reads; `hashed` as in `Hasher`.

    Raises:
        UsageError: the name is empty, or the place has Hacker News' own numbers and `source` is of another form.
    """
    source = source or _hacker_news()
    found = next((known for known in places(archive) if known.name == name), None)
    if found is None:
        if not name.strip() or len(name) > 200:
            raise UsageError(f"--source takes a name; got {name[:20]!r}")
        elsewhere = source.name == HN != name  # another place that writes Hacker News' form
        link, notice = (None, "") if elsewhere else (source.link, source.notice)
        with archive.writing() as db:
            values = (name, source.name, link, notice, name != HN if hashed is None else hashed)
            db.execute("INSERT OR IGNORE INTO source (name, form, link, notice, hashed) VALUES (?, ?, ?, ?, ?)", values)
        return place(archive, name, source)
    if not found.hashed and source.name != found.form:
        raise UsageError(f"the source `{name}` of {archive.path} holds {found.form} items; give this another name: --source NAME")
    return found


def _hacker_news() -> Source:
    from rejoinder.archive.sources.hackernews import SOURCE  # for those alone who bring posts

    return SOURCE


def origin(archive: Archive, number: int) -> Origin | None:
    """Where a post comes from; None for a post that is not here."""
    row = next(
        archive.query(
            "SELECT source, time, author, own, link FROM post LEFT JOIN origin USING (id) WHERE id = ?",
            [number],
        ),
        None,
    )
    if row is None:
        return None
    source, time, author, own, link = row
    found = next((known for known in places(archive) if known.number == source), None)
    own = str(number) if own is None else own
    return Origin(found.name if found else "", own, link or (found.url(own) if found else None), time, author)


def where_to_look(archive: Archive, number: int) -> str:
    """What to do about a number that no post of the archive has: it may be the id that a post has at its place."""
    rows = archive.query(
        "SELECT id, name FROM origin JOIN post USING (id) JOIN source ON number = source WHERE own = ?", [str(number)]
    )
    if meant := [f"post {number} of `{name}` is {known} here" for known, name in islice(rows, 3)]:
        return ", ".join(meant)
    if {known.name for known in places(archive)} == {HN}:
        return f"`rejoinder fetch hn --item {number}` reads it"
    return "`rejoinder import --show N` and `rejoinder reply` show the ids that posts have here"


def notices(archive: Archive) -> str:
    """What the places of the archive ask of people who write there."""
    return " ".join(dict.fromkeys(known.notice for known in places(archive) if known.notice))


def names(archive: Archive) -> str:
    """The places in words."""
    return ", ".join(known.name for known in places(archive)) or HN

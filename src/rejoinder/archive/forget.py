"""Forgetting: posts leave the archive for good, and cannot come back.

Their rows are deleted (with `secure_delete`, so that the bytes are overwritten), the file is written anew, since pages that
split keep copies, the write-ahead log is emptied, and a keyed hash of what was forgotten stays as a tombstone: a later import
or fetch that brings the same item, or any post of the same author, skips it. What answered them becomes an orphan, and threads
are found again.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from rejoinder.archive.mail.message import writer
from rejoinder.archive.places import places, where_to_look
from rejoinder.archive.split import Split
from rejoinder.archive.store import Archive, Counts
from rejoinder.archive.tombstones import among, check_key, marker
from rejoinder.errors import ArchiveBusy, UnknownPost, UsageError
from rejoinder.post import Post


@dataclass(frozen=True)
class Forgotten:
    """What was forgotten, and what that changed for the train part (by thread hash)."""

    gone: tuple[Post, ...]
    left_train: tuple[Post, ...]  # forgotten, or now in another part
    joined_train: tuple[Post, ...]  # now in train, since their thread has another key
    before: int  # the archive's revision before and after
    after: int
    clean: bool  # whether no byte is left: not while another process keeps the write-ahead log alive


def spellings(name: str) -> list[str]:
    """How the forms of archive may have written an author whom a person names so: mail by the address, help desks with a side."""
    bare = re.sub(r"^(?:@|/?u/)", "", name.strip())
    known = [name, bare, *([writer(name)] if "@" in name or " " in bare else []), *([f"user{bare}"] if bare.isdecimal() else [])]
    return [f"{side}{one}" for one in dict.fromkeys(known) for side in ("", "customer ", "agent ")]


def forget(archive: Archive, items: Sequence[int], authors: Collection[bytes] = (), source: str | None = None) -> Forgotten:
    """Erase these items, or all posts of these authors (spellings of one), or all of that place, with its name.

    What was forgotten before may be named again, to finish what was broken off.

    Raises:
        UsageError: none is given, or two are, which might be meant as what they have in common; nothing was erased.
        UnknownPost: an item, every one of the authors or the place was never here; nothing was erased.
        ArchiveError: the key beside the archive is not its own, so that nobody could be found by name; nothing was erased.
    """
    if bool(items) + bool(authors) + (source is not None) != 1:
        raise UsageError("give one of items (--item ID), an author (--author NAME) and a source (--source NAME) to forget")
    check_key(archive)
    mark = marker(archive)
    wanted = _wanted(archive, items, authors) + _of_place(archive, source)
    archive.settle()
    gone = {post.id for post in wanted}
    revision = int(archive.meta("revision", 0))
    threads = {thread for number in gone for (thread,) in archive.query("SELECT thread FROM place WHERE id = ?", [number])}
    before = {post.id: (post, split) for thread in threads for post, split in _with_split(archive, thread)}
    with archive.writing():
        stones = [*(mark(number) for number in gone.union(items)), *authors]
        archive.execute_many("INSERT OR IGNORE INTO tombstone VALUES (?)", ((stone,) for stone in stones))
        check_key(archive, keep=True)
        _erase(archive, gone)
        archive.execute_many(
            "DELETE FROM meta WHERE key LIKE ?", [(f"bookmark {number} %",) for number in _numbers(archive, source)]
        )
        archive.execute_many("DELETE FROM source WHERE name = ?", [(source,)])
        # those that stay in the touched threads are placed anew: a thread may have fallen apart
        archive.execute_many("INSERT OR IGNORE INTO unsettled VALUES (?)", ((number,) for number in set(before) - gone))
        archive.set_meta("revision", revision + 1)
        archive.set_meta("forgot_at", revision + 1)
    archive.settle(Counts())
    clean = _compact(archive)
    after = {number: split for number in before for (split,) in archive.query("SELECT split FROM place WHERE id = ?", [number])}
    left = [post for post, split in before.values() if split == Split.TRAIN and after.get(post.id) != Split.TRAIN]
    joined = [post for post, split in before.values() if split != Split.TRAIN and after.get(post.id) == Split.TRAIN]
    unique = tuple({post.id: post for post in wanted}.values())
    return Forgotten(unique, tuple(left), tuple(joined), revision, int(archive.meta("revision", 0)), clean)


def _wanted(archive: Archive, items: Sequence[int], authors: Collection[bytes]) -> list[Post]:
    """The posts that are meant; those whose tombstone stands already need not be here."""
    found = [post for number in items for post in archive.posts("id = ?", [number])]
    mark = marker(archive)
    marks = among(archive, [*map(mark, items), *authors])
    missing = {number for number in items if mark(number) not in marks} - {post.id for post in found}
    if missing:
        number = min(missing)
        raise UnknownPost(
            f"no post {number} in the archive {archive.path}; nothing was forgotten; {where_to_look(archive, number)}"
        )
    theirs = [post for author in authors for post in archive.posts("author = ?", [author])]
    if authors and not theirs and marks.isdisjoint(authors):
        raise UnknownPost(
            f"no post of that author in the archive {archive.path}; nothing was forgotten. Mail knows an author by the address, "
            "Discord, Slack, Telegram and some others by an id (docs/archives.md, the column `author is`)"
        )
    return found + theirs


def _numbers(archive: Archive, name: str | None) -> list[int]:
    return [known.number for known in places(archive) if known.name == name]


def _of_place(archive: Archive, name: str | None) -> list[Post]:
    """All posts of a place."""
    if name is None:
        return []
    found = next((known for known in places(archive) if known.name == name), None)
    if found is None:
        has = ", ".join(known.name for known in places(archive)) or "no posts"
        raise UnknownPost(f"no source `{name}` in the archive {archive.path}, which has {has}; nothing was forgotten")
    return list(archive.posts("source = ?", [found.number]))


def _erase(archive: Archive, gone: set[int]) -> None:
    """Delete the rows, and note what was linked to them; inside `writing`."""
    linked = "INSERT OR IGNORE INTO unsettled SELECT id FROM post WHERE parent = ? OR story = ?"
    archive.execute_many(linked, ((number, number) for number in gone))
    above = "INSERT OR IGNORE INTO unsettled SELECT parent FROM post WHERE id = ? AND parent IS NOT NULL"
    archive.execute_many(above, ((number,) for number in gone))
    for table in ("post", "place", "origin", "unsettled", "frontier"):
        archive.execute_many(f"DELETE FROM {table} WHERE id = ?", ((number,) for number in gone))


def _compact(archive: Archive) -> bool:
    """Write the file anew without what was erased (pages keep copies when they split), and empty the write-ahead log.

    False if another process is reading, so that the log lives on.
    """
    try:
        list(archive.query("VACUUM"))
        (busy, _, _) = next(archive.query("PRAGMA wal_checkpoint(TRUNCATE)"))
    except ArchiveBusy:
        return False
    return not busy


def _with_split(archive: Archive, thread: int) -> list[tuple[Post, int]]:
    posts = archive.posts("thread = ? AND split IN (0, 1, 2)", [thread])
    splits: dict[int, int] = dict(archive.query("SELECT id, split FROM place WHERE thread = ? AND split IN (0, 1, 2)", [thread]))
    return [(post, int(splits[post.id])) for post in posts]

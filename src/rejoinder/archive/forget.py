"""Forgetting: posts leave the archive for good, and cannot come back.

Their rows are deleted (with `secure_delete`, so that the bytes are overwritten), the write-ahead log is emptied, and a keyed
hash of what was forgotten stays as a tombstone: a later import or fetch that brings the same item, or any post of the same
author, skips it. What answered them becomes an orphan, and threads are found again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rejoinder.archive.split import Split
from rejoinder.archive.store import Archive, Counts
from rejoinder.errors import ArchiveBusy, UnknownPost
from rejoinder.post import Post


@dataclass(frozen=True)
class Forgotten:
    """What was forgotten, and what that changed for the train part (by thread hash)."""

    gone: tuple[Post, ...]
    left_train: tuple[Post, ...]  # forgotten, or now in another part
    joined_train: tuple[Post, ...]  # now in train, since their thread has another key


def forget(archive: Archive, items: Sequence[int], author: bytes | None) -> Forgotten:
    """Erase these items and all posts of that author.

    Raises:
        UnknownPost: an item, or the author, has no post here; nothing was erased.
        ArchiveBusy: a reader keeps the write-ahead log alive; the posts are gone, the log is not yet.
    """
    wanted = [post for number in items for post in archive.posts("id = ?", [number])]
    missing = set(items) - {post.id for post in wanted}
    if missing:
        raise UnknownPost(f"no post {min(missing)} in the archive {archive.path}; nothing was forgotten")
    if author is not None:
        theirs = list(archive.posts("author = ?", [author]))
        if not theirs:
            raise UnknownPost(f"no post of that author in the archive {archive.path}; nothing was forgotten")
        wanted += theirs
    archive.settle()
    gone = {post.id for post in wanted}
    threads = {thread for number in gone for (thread,) in archive.query("SELECT thread FROM place WHERE id = ?", [number])}
    before = {post.id: (post, split) for thread in threads for post, split in _with_split(archive, thread)}
    with archive.writing() as db:
        for number in gone:
            db.execute("INSERT OR IGNORE INTO unsettled SELECT id FROM post WHERE parent = ? OR story = ?", (number, number))
            db.execute("INSERT OR IGNORE INTO unsettled SELECT parent FROM post WHERE id = ? AND parent IS NOT NULL", (number,))
        for number in gone:
            db.execute("DELETE FROM post WHERE id = ?", (number,))
            db.execute("DELETE FROM place WHERE id = ?", (number,))
            db.execute("DELETE FROM unsettled WHERE id = ?", (number,))
            db.execute("DELETE FROM frontier WHERE id = ?", (number,))
        marks = [archive.item_mark(number) for number in items] + ([author] if author is not None else [])
        marks += [archive.item_mark(number) for number in gone.difference(items)]
        archive.execute_many("INSERT OR IGNORE INTO tombstone VALUES (?)", ((mark,) for mark in marks))
        # those that stay in the touched threads are placed anew: a thread may have fallen apart
        archive.execute_many("INSERT OR IGNORE INTO unsettled VALUES (?)", ((number,) for number in set(before) - gone))
        archive.set_meta("revision", archive.meta("revision", 0) + 1)
        archive.set_meta("forgot_at", archive.meta("revision", 0))
    archive.settle(Counts())
    _empty_log(archive)
    after = {number: split for number in before for (split,) in archive.query("SELECT split FROM place WHERE id = ?", [number])}
    left = [post for post, split in before.values() if split == Split.TRAIN and after.get(post.id) != Split.TRAIN]
    joined = [post for post, split in before.values() if split != Split.TRAIN and after.get(post.id) == Split.TRAIN]
    return Forgotten(tuple({post.id: post for post in wanted}.values()), tuple(left), tuple(joined))


def _with_split(archive: Archive, thread: int) -> list[tuple[Post, int]]:
    posts = archive.posts("thread = ? AND split IN (0, 1, 2)", [thread])
    splits: dict[int, int] = dict(archive.query("SELECT id, split FROM place WHERE thread = ? AND split IN (0, 1, 2)", [thread]))
    return [(post, int(splits[post.id])) for post in posts]


def _empty_log(archive: Archive) -> None:
    (busy, _, _) = next(archive.query("PRAGMA wal_checkpoint(TRUNCATE)"))
    if busy:
        raise ArchiveBusy(
            f"the posts are erased from {archive.path}, but another process is reading it and keeps the log alive; "
            "forget them once more when it has ended"
        )

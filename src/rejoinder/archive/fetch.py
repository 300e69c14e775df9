"""Reading from the API into the archive, so that it can stop at any moment and go on later.

What is still to be read lies in the archive: single items in the table `frontier`, and for `--since` ranges of ids as the note
`ranges`, with those that were read since the last fetch that came to its end: asked for again, with whatever date, they are not
read twice and none is lost. Every round reads up to `ROUND` items, stores the posts, then crosses them off.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from rejoinder.archive.hackernews_api import Answer, HackerNewsApi
from rejoinder.archive.places import place
from rejoinder.archive.source import HN
from rejoinder.archive.store import Archive, Counts
from rejoinder.errors import SourceError
from rejoinder.post import Post

ROUND = 500  # items to a round
_STEP_OVER = 64  # neighbours tried where an item has no time

Spans = list[tuple[int, int]]  # first and last ids, both included; ascending, none touching another
Progress = Callable[[int, int], None]  # items read so far, items known to be left


@dataclass(frozen=True)
class Wanted:
    """What to read: these items with all above and below them, the stories at the top, what changed, what is new."""

    items: Sequence[int] = ()
    top: int = 0
    updates: bool = False
    since: datetime | None = None


async def fetch(archive: Archive, api: HackerNewsApi, wanted: Wanted, counts: Counts, progress: Progress) -> None:
    """Read what is left from before and what is `wanted` into the archive.

    Raises:
        SourceError: the API failed; what was read is kept, and the same call goes on from there.
    """
    await _seed(archive, api, wanted)
    failed: dict[int, SourceError] = {}
    while batch := _next_round(archive, failed):
        answers, failures = await api.items(list(batch))
        failed.update(failures)
        archive.add((answer.item for answer in answers), counts, at=place(archive, HN))
        _cross_off(archive, answers, batch)
        progress(counts.lines, remaining(archive))
        if failures and not answers:
            break
    if failed:
        first = min(failed.values(), key=lambda error: "not asked any more" in str(error))  # one that was asked says more
        raise SourceError(f"{first}; {remaining(archive):,} items are left: `rejoinder fetch hn` goes on from here") from first


def remaining(archive: Archive) -> int:
    """How many items are known to be left to read."""
    (singles,) = next(archive.query("SELECT count(*) FROM frontier"))
    return int(singles) + sum(last - first + 1 for first, last in _spans(archive)[0])


async def _seed(archive: Archive, api: HackerNewsApi, wanted: Wanted) -> None:
    ids = [*wanted.items]
    if wanted.top:
        ids += await api.top(wanted.top)
    changed = await api.updates() if wanted.updates else []
    with archive.writing():
        _push(archive, ((number, True) for number in ids))
        _push(archive, ((number, False) for number in changed))
    if wanted.since is not None:
        last = await api.newest()
        first = await _first_since(api, int(wanted.since.timestamp()), last)
        with archive.writing():
            left, read = _spans(archive)
            _keep_spans(archive, union(left, without([(first, last)], read)), read)


async def _first_since(api: HackerNewsApi, moment: int, last: int) -> int:
    """The first id posted at or after `moment`: ids grow with time, so halve the range."""
    low, high = 1, last + 1
    while low < high:
        middle = (low + high) // 2
        at, time = middle, None
        while time is None and at <= min(last, middle + _STEP_OVER):
            time = (await api.item(at)).time
            at += 1
        if time is not None and time < moment:
            low = at
        else:
            high = middle
    return low


def _next_round(archive: Archive, failed: Container[int]) -> dict[int, bool]:
    """Ids to read next, and whether their replies are wanted too; what failed in this run waits for the next."""
    singles = archive.query("SELECT id, replies FROM frontier ORDER BY id DESC")
    batch = {number: bool(replies) for number, replies in islice((row for row in singles if row[0] not in failed), ROUND)}
    for first, last in _spans(archive)[0]:
        batch.update(
            (number, False) for number in range(first, min(first + ROUND - len(batch) - 1, last) + 1) if number not in batch
        )
    return batch


def _cross_off(archive: Archive, answers: list[Answer], batch: dict[int, bool]) -> None:
    read = {answer.id for answer in answers}
    with archive.writing() as db:
        db.executemany("DELETE FROM frontier WHERE id = ?", ((number,) for number in read))
        left, done = _spans(archive)
        tried = [(first, first + _run(first, last, batch) - 1) for first, last in left]
        if any(first <= last for first, last in tried):
            missed = (number for first, last in tried for number in range(first, last + 1) if number not in read)
            _push(archive, ((number, False) for number in missed))
            _keep_spans(archive, without(left, tried), union(done, tried))
        for answer in answers:
            if batch[answer.id]:
                _push(archive, ((kid, True) for kid in answer.kids if kid > answer.id))  # replies are younger: no circles
            if answer.parent is not None and answer.parent not in read and isinstance(answer.item, Post):
                known = next(archive.query("SELECT 1 FROM post WHERE id = ?", [answer.parent]), None)
                if known is None and not any(first <= answer.parent <= last for first, last in left):
                    _push(archive, [(answer.parent, False)])


def _run(first: int, last: int, batch: Container[int]) -> int:
    """How many ids from `first` to `last` were tried one after the other; a batch may hold single ones further up."""
    return next((number for number in range(first, last + 1) if number not in batch), last + 1) - first


def _push(archive: Archive, entries: Iterable[tuple[int, bool]]) -> None:
    with_replies = "INSERT INTO frontier VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET replies = max(replies, excluded.replies)"
    archive.execute_many(with_replies, entries)


def _spans(archive: Archive) -> tuple[Spans, Spans]:
    """What of the ranges is left, and what of them was read since nothing was."""
    kept = json.loads(archive.meta("ranges", '{"left": [], "read": []}'))
    first, last = map(int, str(archive.meta("range", "1 0")).split())  # as an earlier version noted the one there was
    return union([tuple(span) for span in kept["left"]], [(first, last)]), [tuple(span) for span in kept["read"]]


def _keep_spans(archive: Archive, left: Spans, read: Spans) -> None:
    archive.set_meta("ranges", json.dumps({"left": left, "read": read if left else []}))
    archive.set_meta("range", "1 0")


def union(one: Spans, other: Spans) -> Spans:
    """The ids of both."""
    found: Spans = []
    for first, last in sorted(span for span in (*one, *other) if span[0] <= span[1]):
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(last, found[-1][1]))
        else:
            found.append((first, last))
    return found


def without(one: Spans, other: Spans) -> Spans:
    """The ids of one that are not in the other."""
    found = one
    for first, last in other:
        if first <= last:
            found = [piece for a, b in found for piece in ((a, min(b, first - 1)), (max(a, last + 1), b)) if piece[0] <= piece[1]]
    return found

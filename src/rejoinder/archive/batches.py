"""Items in batches, as they pass from the process that reads to the one that writes: rows of plain values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from rejoinder.archive.rows import WIDTH, Row, to_row
from rejoinder.archive.source import Item, Skipped, text_size
from rejoinder.errors import RejoinderError
from rejoinder.post import Kind, Post, State

Own = tuple[str | None, str | None]  # a post's id at its source and a link to it, where it has them
NOWHERE: Own = (None, None)


class Lost(NamedTuple):
    """How many live posts came without something, of how many comments."""

    time: int = 0
    words: int = 0
    parent: int = 0
    comments: int = 0


class ItemBatch(NamedTuple):
    """Some items in their order: rows of posts, and what was skipped.

    A row whose kind is None says that the post is gone; where that was said stands in place of its text.
    """

    rows: list[Row]
    own: list[Own]  # of each row; [] where no post has a number that is a hash
    skipped: list[tuple[str, str]]  # the reason, and where
    lost: Lost


def batches(items: Iterable[Item], most: int, size: int) -> Iterator[ItemBatch]:
    """The items in batches of at most so many, and of about so many characters of text.

    Raises:
        RejoinderError: as `items` do, after the batch of what came before.
    """
    source, broken = iter(items), None
    while broken is None:
        some: list[Item] = []
        held = 0
        try:
            for item in islice(source, most):
                some.append(item)
                held += text_size(item)
                if held > size:
                    break
        except RejoinderError as error:
            broken = error
        if some:
            yield batch(some)
        elif broken is None:
            return
    raise broken


def batch(items: Iterable[Item]) -> ItemBatch:
    """The items as one batch."""
    rows: list[Row] = []
    own: list[Own] = []
    skipped: list[tuple[str, str]] = []
    for item in items:
        if isinstance(item, Post):
            rows.append(to_row(item))
            own.append((item.own, item.link))
        elif isinstance(item, Skipped):
            skipped.append((item.reason, item.where))
        else:
            rows.append((item.id, None, item.where, *[None] * (WIDTH - 3)))
            own.append(NOWHERE)
    return ItemBatch(rows, own if any(one[0] is not None for one in own) else [], skipped, _lost(rows))


def _lost(rows: list[Row]) -> Lost:
    here, comment = State.LIVE.value, Kind.COMMENT.value
    live = [row for row in rows if row[10] == here]
    comments = [row[4] for row in live if row[1] == comment]
    words = sum(not row[2] and not row[3] for row in live)
    return Lost(sum(row[6] is None for row in live), words, comments.count(None), len(comments))

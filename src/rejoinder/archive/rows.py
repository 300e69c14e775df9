"""Posts as rows of the archive's table `post`: what is kept of one, and what is known after an update."""

from __future__ import annotations

from typing import Any

from rejoinder.post import Kind, Post, State

COLUMNS = "id, kind, text, title, parent, story, time, author, url, score, state, solved, answer"
WIDTH = 13  # of them
INSERT = f"INSERT INTO post ({COLUMNS}, source) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,{{source}})"
UPSERT = f"""
    {INSERT} ON CONFLICT (id) DO UPDATE SET kind=excluded.kind, text=excluded.text, title=excluded.title, parent=excluded.parent,
        story=excluded.story, time=excluded.time, author=excluded.author, url=excluded.url, score=excluded.score,
        state=excluded.state, solved=excluded.solved, answer=excluded.answer
"""
# a reply was accepted if it says so, or if the opening post names it, which may stand in another file
POSTS = f"""
    SELECT {COLUMNS}, EXISTS (SELECT 1 FROM post AS asked WHERE asked.answer = post.id), thread
    FROM post LEFT JOIN place USING (id)
"""
Row = tuple[Any, ...]  # the values of COLUMNS


def to_row(post: Post) -> Row:
    """What is kept of a post."""
    return (post[0], post[1]._value_, *post[2:10], post[10]._value_, post[14], post[15])  # `.value` takes ten times as long


def to_post(row: Row) -> Post:
    """The post of a row of `POSTS`."""
    solved = True if row[13] else None if row[11] is None else bool(row[11])
    return Post._make((row[0], Kind(row[1]), *row[2:10], State(row[10]), row[14], None, None, solved, row[12]))


def merge(old: Row, new: Row) -> Row:
    """What is known after an update: what the new record does not say stays; what was deleted stays deleted."""
    state = State.DELETED if old[10] == State.DELETED else new[10]
    links_and_time = [then if now is None else now for then, now in zip(old[4:7], new[4:7], strict=True)]
    if state != State.LIVE:
        return (new[0], new[1], "", "", *links_and_time, None, None, None, int(state), None, None)
    text, title = new[2] or old[2], new[3] or old[3]
    about = [then if now is None else now for then, now in zip(old[7:10], new[7:10], strict=True)]
    outcome = [then if now is None else now for then, now in zip(old[11:], new[11:], strict=True)]
    return (new[0], new[1], text, title, *links_and_time, *about, int(state), *outcome)

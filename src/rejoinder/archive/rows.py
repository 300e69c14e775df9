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
_OPENS = Kind.STORY.value
Row = tuple[Any, ...]  # the values of COLUMNS


def to_row(post: Post) -> Row:
    """What is kept of a post."""
    return (post[0], post[1]._value_, *post[2:10], post[10]._value_, post[14], post[15])  # `.value` takes ten times as long


def to_post(row: Row) -> Post:
    """The post of a row of `POSTS`."""
    solved = True if row[13] else None if row[11] is None else bool(row[11])
    return Post._make((row[0], Kind(row[1]), *row[2:10], State(row[10]), row[14], None, None, solved, row[12]))


def merge(old: Row, new: Row, *, hashed: bool = False) -> Row:
    """What is known after an update: what the new record does not say stays; what was deleted stays deleted.

    A file that begins in the middle of a thread takes its first post for an opening one. What another file says that it answers
    stands, whichever came first; so does, of posts that are numbered by hash, the opening post that was named first.
    """
    state = State.DELETED if old[10] == State.DELETED else new[10]
    parent, story, time = (then if now is None else now for then, now in zip(old[4:7], new[4:7], strict=True))
    kind, title = new[1], new[3] or old[3]
    if new[4] is None is not old[4] and kind == _OPENS:
        kind, title, story = old[1], old[3], old[5]
    elif old[4] is None is not new[4] and old[1] == _OPENS:
        title = new[3]
    elif hashed and old[4] == new[4] and old[5] is not None:
        story = old[5]
    if state != State.LIVE:
        return (new[0], kind, "", "", parent, story, time, None, None, None, int(state), None, None)
    text = new[2] or old[2]
    about = [then if now is None else now for then, now in zip(old[7:10], new[7:10], strict=True)]
    outcome = [then if now is None else now for then, now in zip(old[11:], new[11:], strict=True)]
    return (new[0], kind, text, title, parent, story, time, *about, int(state), *outcome)

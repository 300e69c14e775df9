"""The nouns: Post, Thread, Pair, Query and Suggestion.

A post's text is plain text in which two things are marked, both by how a line begins:

    > quoted from somebody else       a quote: the line begins with ">"
      code, kept to the letter        a line of a code block: it begins with two spaces

so that models can leave out what the writer did not write (`own_text`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import NamedTuple

LONGEST_CONTEXT = 200  # posts; people go deeper only in chats, and no model reads so far back


class Kind(StrEnum):
    """What a post is, in the words of the Hacker News API."""

    STORY = "story"
    COMMENT = "comment"
    JOB = "job"
    POLL = "poll"
    POLLOPT = "pollopt"


class State(IntEnum):
    """Whether a post may be read. Posts that are not live keep their links and lose their words."""

    LIVE = 0
    DEAD = 1  # hidden by moderators or votes; may come back
    DELETED = 2  # by its author; never comes back


class Post(NamedTuple):
    """One post of a discussion: an opening post (title, perhaps text) or a reply to its parent.

    A tuple, since millions of them pass from source to archive.
    """

    id: int
    kind: Kind = Kind.COMMENT
    text: str = ""
    title: str = ""
    parent: int | None = None
    story: int | None = None  # the root's id, where the source says it
    time: int | None = None  # seconds since 1970-01-01 UTC
    author: bytes | None = None  # keyed hash of the name, never the name
    url: str | None = None
    score: int | None = None
    state: State = State.LIVE
    thread: int | None = None  # the thread's key, once the archive knows it
    own: str | None = None  # its id at its source, where `id` is a hash of that
    link: str | None = None  # where to read it, where the source's template does not say it
    solved: bool | None = None  # a reply: was it accepted as the answer? an opening post: is it solved? None: not known
    answer: int | None = None  # of an opening post: the reply that was accepted, where the source says so there

    @property
    def body(self) -> str:
        """Everything the post says: the title (opening posts only) and the text, a blank line between."""
        title = "" if self.kind == Kind.COMMENT else self.title
        return f"{title}\n\n{self.text}" if title and self.text else title or self.text

    @property
    def own_text(self) -> str:
        """`body` without the lines that quote somebody else."""
        return unquoted(self.body)


class Pair(NamedTuple):
    """A reply and what it answers.

    `reply.solved` says whether the reply was accepted as the answer, `context[0].solved` whether the place closed the thread as
    solved; both are None where nothing is known, as in most forms. Who asked is `context[0].author`: a reply of the same author
    (not None) is the asker's own.
    """

    context: tuple[Post, ...]  # from root to parent, oldest first
    reply: Post


@dataclass(frozen=True)
class Thread:
    """All posts that share a key, by id. Links may leave the archive or run in circles; nothing here loops."""

    key: int
    posts: Sequence[Post]
    _by_id: dict[int, Post] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index the posts by id."""
        object.__setattr__(self, "_by_id", {post.id: post for post in self.posts})

    @property
    def opening(self) -> Post | None:
        """The post that opens the thread: its author asked. None where it is not here."""
        return self._by_id.get(self.key)

    @property
    def solved(self) -> bool | None:
        """Whether what was asked was solved: a reply was accepted, or the place closed the thread as solved.

        None: the place does not say. Which replies were accepted, they say themselves: `post.solved`.
        """
        if any(post.solved for post in self.posts):
            return True
        return None if self.opening is None else self.opening.solved

    def context(self, post: Post, limit: int | None = None) -> tuple[Post, ...]:
        """The posts that `post` answers, from root to parent, as far as they are known.

        `limit` keeps only the nearest so many; without one, the nearest `LONGEST_CONTEXT` and the opening post before them: a
        chat may be one thread as deep as it is long. Posts without words (deleted ones) are passed over.
        """
        most = LONGEST_CONTEXT if limit is None else limit
        path: list[Post] = []
        seen = {post.id}
        parent = post.parent
        while parent is not None and parent not in seen and len(path) < most:
            seen.add(parent)
            above = self._by_id.get(parent)
            if above is None:
                break
            if above.body:
                path.append(above)
            parent = above.parent
        root = self.opening
        if limit is None and len(path) == most and root is not None and root.body and root.id not in seen:
            path.append(root)
        return tuple(reversed(path))

    def answered(self, post: Post) -> tuple[Post, ...]:
        """`context`; where nothing of it is here, a parent without words: that `post` answers something is known all the same."""
        return self.context(post) or (() if post.parent is None else (Post(post.parent),))

    def pairs(self, limit: int | None = None) -> Iterator[Pair]:
        """Every reply with words whose parent is here and has words, with its context (the nearest `limit` posts)."""
        for post in self.posts:
            parent = self._by_id.get(post.parent) if post.parent is not None else None
            if parent is not None and parent.id != post.id and parent.body and post.text:
                yield Pair(self.context(post, limit), post)


@dataclass(frozen=True, slots=True)
class Query:
    """What a person asks help with: the posts they answer (oldest first) and the draft so far."""

    context: tuple[Post, ...] = ()
    draft: str = ""


ACCEPTED = "accepted as the answer"  # the surest of what is known of how a reply did


@dataclass(frozen=True, slots=True)
class Case:
    """The case that a reply comes from: what was asked there, and what came of it."""

    asked: str  # what was answered, of a long post the beginning
    asked_at: int | None  # seconds since 1970-01-01 UTC
    opening: str  # what the thread is about, in a line
    solved: tuple[str, ...] = ()  # what is known of how the reply did, in words, the surest first
    same_person_as: int | None = None  # the place, from 1, of the first reply of the list that the same person wrote


class Origin(NamedTuple):
    """Where a post comes from."""

    source: str  # the name under which the archive keeps the place
    own: str  # the post's id there
    url: str | None  # where to read it
    time: int | None  # seconds since 1970-01-01 UTC
    author: bytes | None = None  # keyed hash of the name
    case: Case | None = None  # of a reply: what it answered


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A reply shown to a person, and where it came from."""

    text: str
    score: float  # comparable only within one list, higher is better; the rung says what it is
    rung: str  # who proposed it
    post: int | None = None  # the post it was taken from, None if from none
    thread: int | None = None  # that post's thread
    title: str = ""  # what that post answered, in short
    url: str | None = None  # where to read that post
    source: str = ""  # the place it comes from
    time: int | None = None  # when it was written, seconds since 1970-01-01 UTC
    generated: bool = False  # a model made it, word by word: nobody wrote it
    case: Case | None = None  # what was asked where it was written, and what came of it


def unquoted(text: str) -> str:
    """`text` without its quote lines; blank lines left over are closed up."""
    if ">" not in text:
        return text
    kept: list[str] = []
    for line in text.split("\n"):
        if line.startswith(">") or (not line and (not kept or not kept[-1])):
            continue
        kept.append(line)
    return "\n".join(kept).rstrip("\n")

"""What a source is: a form in which discussion is kept, and how its files become posts.

A source yields items: a `Post`, a `Skipped` record with its reason, or a `Gone` one. Most sources say what a post is in a
`Record`, value by value as the file has them; `Record.post` reads the values, turns markup into plain text, hides the author
and numbers the post. How to add a source stands in `rejoinder.archive.sources`.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeVar

from rejoinder.archive.html import clean
from rejoinder.archive.markup import to_text
from rejoinder.archive.values import BadValue, line, optional, own_id, seconds, solved, text, whole
from rejoinder.errors import RejoinderError
from rejoinder.post import Kind, Post, State

if TYPE_CHECKING:
    from rejoinder.archive.rest import Named

BATCH_SIZE = 2**24  # characters of text that are read, kept or written at a time, about
HN = "hn"  # the source whose posts have the numbers of its own items

T = TypeVar("T")


class Skipped(NamedTuple):
    """A record that is not taken in: the reason (counted), and where it stands."""

    reason: str
    where: str


class Gone(NamedTuple):
    """The source says that an item is no more."""

    id: int
    where: str


Item = Post | Skipped | Gone


class Piece(NamedTuple):
    """Some records of a file that can be read without the others."""

    number: int  # of the first, from 1
    data: bytes


def text_size(item: Item) -> int:
    """About how many characters an item holds: what is read in batches is bounded by it."""
    return len(item.text) if isinstance(item, Post) else 0


def guarded(make: Callable[[], Item], where: str) -> Item:
    """What `make` gives; whatever it raises costs that record."""
    try:
        return make()
    except Exception as error:  # foreign data may break a reader in ways nobody has thought of
        return refused(error, where)


def refused(error: Exception, where: str) -> Skipped:
    """What an error makes of a record."""
    return Skipped(str(error) if isinstance(error, BadValue) else f"cannot be read ({type(error).__name__})", where)


def guarded_all(items: Iterator[Item], where: str) -> Iterator[Item]:
    """`items`; whatever they raise but for errors of ours ends them, and counts as one record that cannot be read.

    Raises:
        RejoinderError: as they do.
    """
    try:
        yield from items
    except RejoinderError:
        raise
    except Exception as error:
        yield refused(error, where)


@dataclass
class Hasher:
    """What hides the authors of one source, and numbers its posts."""

    key: bytes = b""  # of the author hashes
    source: str = HN  # the name under which the archive keeps the source
    hashed: bool | None = None  # whether posts are numbered by hash; None: all but Hacker News' are

    def __post_init__(self) -> None:
        """Remember hashes: names repeat, so a few thousand save most of the work."""
        self._known: dict[str, bytes] = {}
        if self.hashed is None:
            self.hashed = self.source != HN

    def __call__(self, name: str) -> bytes:
        """The keyed hash (16 bytes) of an author's name."""
        value = self._known.get(name)
        if value is None:
            if len(self._known) >= 65_536:
                self._known.clear()
            data = name.encode("utf-8", "replace")
            value = self._known[name] = hashlib.blake2b(data, key=self.key, digest_size=16).digest()
        return value

    def number(self, own: str) -> int:
        """The number of the post with that id at its source: the same in every home, whether the post has been seen or not."""
        data = f"{len(self.source)} {self.source} {own}".encode("utf-8", "replace")
        return (int.from_bytes(hashlib.blake2b(data, digest_size=8).digest()) >> 1) or 1


class Record(NamedTuple):
    """One post as its form says it. Any value may be missing, or written in any way that `rejoinder.archive.values` reads."""

    id: object  # unique within the source: put in the forum, channel or chat where ids are counted anew in each
    text: object = ""
    markup: str = "plain"  # one of `rejoinder.archive.markup.MARKUPS`
    title: object = ""  # of opening posts
    parent: object = None  # the id of what it answers; None: it opens a thread
    root: object = None  # the id of the post that opened the thread, where the form says it
    time: object = None
    author: object = None  # a name or any other id of a person; only a keyed hash of it is kept
    link: str | None = None  # where this post can be read, if the source's template does not say it
    url: object = None  # what an opening post is about
    score: object = None
    state: State = State.LIVE
    solved: object = None  # of an opening post: its state in the words of its place; of a reply: whether it was accepted
    answer: object = None  # of an opening post: the id of the reply that was accepted

    def post(self, hasher: Hasher, where: str) -> Item:
        """The post; whatever is wrong with a record costs that record at the most."""
        return guarded(lambda: self._post(hasher), where)

    def _post(self, hasher: Hasher) -> Post:
        own = named("id", own_id, self.id)
        if own is None:
            raise BadValue("no id")
        above, root, answer = (optional(own_id, value) for value in (self.parent, self.root, self.answer))
        parent = None if above is None else hasher.number(above)
        kind = Kind.STORY if parent is None else Kind.COMMENT
        live = self.state is State.LIVE
        author = optional(own_id, self.author) if live else None
        return Post(
            id=hasher.number(own),
            kind=kind,
            text=to_text(named("text", text, self.text), self.markup) if live else "",
            title=named("title", line, self.title) if live and kind is Kind.STORY else "",
            parent=parent,
            story=None if root is None else hasher.number(root),
            time=optional(seconds, self.time),
            author=None if author is None else hasher(author),
            url=optional(line, self.url) or None if live else None,
            score=optional(whole, self.score) if live else None,
            state=self.state,
            own=own,
            link=clean(self.link) if self.link else None,
            solved=(True if answer else solved(self.solved)) if live else None,
            answer=hasher.number(answer) if answer and live else None,
        )


def named(name: str, read: Callable[[object], T], value: object) -> T:
    """`read(value)`, with the name of the value in what is wrong with it."""
    try:
        return read(value)
    except BadValue as bad:
        raise BadValue(f"{name} {bad}") from None


class Source(ABC):
    """A form of archive. One instance, `SOURCE`, in a module of `rejoinder.archive.sources`, or an entry point."""

    name: ClassVar[str]  # what `--as` takes, and the name of the source in the archive unless `--source` gives another
    what: ClassVar[str]  # in a few words, for people: "mail in mbox files"
    marks: ClassVar[str]  # what it is recognised by, as it ends a sentence: "lines that begin with `From `"
    folder: ClassVar[bool] = False  # whether a whole folder is one archive of this form (`read` then gets the folder)
    link: ClassVar[str | None] = None  # where a post can be read, with {id} for its id at the source
    threading: ClassVar[str] = ""  # how threads come about where posts name no parent, said after an import
    beside: ClassVar[str] = ""  # patterns of the names of files that come along with it and hold no posts, with blanks
    notice: ClassVar[str] = ""  # what the place asks of people who write there, said wherever replies are suggested
    rest: ClassVar[str] = ""  # how to get what a file names that is not in it

    def set_aside(self, path: Path) -> bool:
        """Whether a file that is met in a folder, and was not named itself, holds what nobody keeps: mail in the bin."""
        return False

    def named(self, page: Mapping[str, Any]) -> Iterable[Named]:
        """What a page of JSON says of posts that may not be in it; asked of small files."""
        return ()

    @abstractmethod
    def recognises(self, path: Path) -> bool:
        """Whether the file (or, with `folder`, the folder) is of this form: by content first, by name second.

        Asked of every file there is: see `rejoinder.archive.peek` for what is cheap to look at. Raises nothing.
        """

    @abstractmethod
    def read(self, path: Path, hasher: Hasher) -> Iterator[Item]:
        """The items of the file, in its order, in memory that does not grow with the file.

        Raises:
            SourceError: the file cannot be read, or breaks off (after its complete records).
        """

    def pieces(self, path: Path) -> Iterator[Piece] | None:
        """The file in pieces that `read_piece` reads, each in any process; None where its records say nothing by themselves.

        Raises:
            SourceError: while it is read: the file cannot be read, or breaks off (after its complete records).
        """
        return None

    def read_piece(self, piece: Piece, path: Path, hasher: Hasher) -> Iterator[Item]:
        """The items of one of the `pieces` of a file, as `read` gives them."""
        raise NotImplementedError

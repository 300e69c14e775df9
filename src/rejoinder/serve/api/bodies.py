"""What the native API takes and gives."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from rejoinder.serve.http.fields import LARGEST_ID, PostNumber, Text, Title, Word


class Body(BaseModel):
    """What comes in: an unknown field is an error, since it would be passed over in silence."""

    model_config = ConfigDict(extra="forbid")


class ItemContext(Body):
    """A post of the archive, with its thread."""

    item: PostNumber


class TextContext(Body):
    """One post, pasted."""

    text: Text


class GivenPost(Body):
    """A post that is in no archive."""

    text: Text = ""
    title: Title = ""


class PostsContext(Body):
    """A thread from its root to the post that is answered."""

    posts: Annotated[list[GivenPost], Field(min_length=1, max_length=50)]


def _kind_of_context(value: Any) -> str:
    """Which of the three: by the field that is there."""
    fields = value if isinstance(value, dict) else dict.fromkeys(type(value).model_fields) if isinstance(value, Body) else {}
    return next((f"<{name}>" for name in ("item", "text", "posts") if name in fields), "")


Context = Annotated[
    Annotated[ItemContext, Tag("<item>")] | Annotated[TextContext, Tag("<text>")] | Annotated[PostsContext, Tag("<posts>")],
    Discriminator(
        _kind_of_context,
        custom_error_type="context",
        custom_error_message='give {"item": ID}, {"text": "..."} or {"posts": [...]}',
    ),
]


class SuggestBody(Body):
    """A keystroke."""

    draft: Text  # up to the caret
    after: Text = ""  # what stands after it, to the end of the line at least: only closers and blanks count as the end
    session: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    context: Context | None = None
    gate: Literal["quiet", "normal", "eager"] = "normal"
    deadline_ms: Annotated[int, Field(ge=1, le=1_000)] = 80  # from arrival
    blocked: Annotated[list[Word], Field(max_length=500)] = []
    sequence: Annotated[int, Field(ge=0, le=LARGEST_ID)] | None = None
    own: bool = True  # count in what the person wrote, where that is kept


class WordAnswer(BaseModel):
    """One of the next words: what to insert at the caret."""

    text: str
    probability: float


class SuggestAnswer(BaseModel):
    """What may follow the caret; an empty `ghost` is silence."""

    session: str
    sequence: int
    ghost: str
    space: bool  # a space follows it: who takes all of it may have it put in too
    probability: float
    words: list[WordAnswer]
    rung: str
    cut: bool  # the deadline ended the search
    off: bool  # help is switched off everywhere
    silent: bool  # no ghost text belongs here, not a client's own either: code, another language, inside a line, or off
    superseded: bool  # a newer keystroke of the session had come, so this one was not looked at to its end
    milliseconds: float  # from arrival


class ReplyBody(Body):
    """A post to answer."""

    context: Context
    k: Annotated[int, Field(ge=1, le=50)] = 5
    generate: bool = False  # also what a model makes
    all: bool = False  # also what is not likely to be on topic


class CaseAnswer(BaseModel):
    """What was asked where a reply was written, and what came of it."""

    asked: str
    asked_at: int | None
    opening: str  # what the thread is about
    solved: list[str]  # what is known of how the reply did, the surest first
    same_person_as: int | None  # the place, from 1, of the first reply here that the same person wrote


class ReplyAnswer(BaseModel):
    """A reply, and where it comes from."""

    text: str
    score: float
    rung: str
    post: int | None
    thread: int | None
    title: str
    url: str | None
    source: str  # the place it comes from
    time: int | None
    generated: bool
    case: CaseAnswer | None


class RepliesAnswer(BaseModel):
    """Replies, best first; none is a legal answer."""

    replies: list[ReplyAnswer]
    score: Literal["probability", "of the rung"]
    threshold: float
    notice: str  # what the forum asks of people who write there; to be shown once


class PostAnswer(BaseModel):
    """A post of the archive."""

    id: int
    kind: str
    title: str
    text: str
    parent: int | None
    thread: int | None
    time: int | None
    url: str | None  # where it can be read
    source: str = ""  # the place it comes from
    depth: int = 0


class AroundAnswer(BaseModel):
    """A post, what it answers (from the root on; of a long path the root and the nearest posts) and what answers it."""

    post: PostAnswer
    context: list[PostAnswer]
    replies: list[PostAnswer]
    whole: bool  # `context` was not cut for being long
    notice: str


class ThreadAnswer(BaseModel):
    """The posts of a thread, each followed by its replies, which are one deeper."""

    thread: int
    posts: list[PostAnswer]
    whole: bool  # not cut for being long


class FoundAnswer(BaseModel):
    """A post that was searched for."""

    post: PostAnswer
    opening: str  # the title of its thread
    score: float


class SearchAnswer(BaseModel):
    """What was found, best first."""

    found: list[FoundAnswer]


class CellBody(Body):
    """A text to read."""

    text: Text
    cells: Annotated[int, Field(ge=1, le=256)] = 24
    layer: Annotated[int, Field(ge=0, le=16)] = 0


class CellAnswer(BaseModel):
    """What the memory cell did at each token, and how probable every rung found it."""

    tokens: list[str]
    layer: int
    cells: list[int]  # those whose memory moved most
    values: dict[str, list[list[float]]]  # i, f, g, o, c, h: a row for each token, a number for each of `cells`
    means: dict[str, list[float]]  # of all cells
    probabilities: dict[str, list[float | None]]  # by rung: of each token, after those before it; none for the first
    skipped: int  # tokens at the beginning that were left out, since the text is long


class OwnBody(Body):
    """Text that the person wrote, blank lines between posts."""

    text: Text


class SwitchBody(Body):
    """How the switch for all help while typing is to stand."""

    on: bool


class SwitchAnswer(BaseModel):
    """How it stands."""

    on: bool


class OwnAnswer(BaseModel):
    """All that is remembered."""

    text: str
    words: int

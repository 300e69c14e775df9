"""Tasks and their results: what one process is asked to do for a climb, and what comes of it, as they stand in files.

A task's key is a hash of all that its result depends on: the words of the archive, the settings, the seed, the code, the parts
and, where it looks at them, the models of the package. Its limits only say how much of it may be done.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Discriminator, TypeAdapter

from rejoinder.archive.split import Method
from rejoinder.ladder.report import Kind, Pairs
from rejoinder.models import LADDER

HOME = "home/"  # before the identity of a model that the home was given
DONE, TASK, EXAMPLE_FILE = "done.json", "task.json", "examples.json"


@dataclass(frozen=True)
class Experiment:
    """What all tasks of a climb have in common."""

    archive: Path  # the archive's file
    root: Path  # where tasks are kept
    split: Method
    seed: int
    data: str  # hash of the archive's words
    code: str  # hash of the code that figures depend on
    package: str  # hash of the package's models
    revision: int | None = None  # of the archive, which must stay as it is; None: whatever it is


@dataclass(frozen=True)
class Tokenize:
    """The token arrays of a share of train, and of dev; the tokenizer is learned from the whole train part."""

    share: float
    vocabulary: int
    tokenizer: str | None = None  # the key of the task that learned it; None: learn it
    do: Literal["tokenize"] = "tokenize"


@dataclass(frozen=True)
class Choose:
    """Held-out posts and pairs in the order they are measured in, without the posts that the package's models have read."""

    tokens: str | None  # the key of the whole train part's tokens, to know repeats by
    do: Literal["choose"] = "choose"


@dataclass(frozen=True)
class Fit:
    """Fit a rung on a share of train."""

    rung: str
    share: float
    config: dict[str, Any]
    parts: dict[str, str]  # the rungs it is made of, and the keys of their fits
    tokens: str | None  # the key of that share's tokens, for what predicts text
    do: Literal["fit"] = "fit"


@dataclass(frozen=True)
class MeasureText:
    """What a language model pays for held-out posts; and, in full, what typing them with it is like."""

    rung: str
    model: str | None  # the key of its fit; None: the package's; after `HOME`: that of the home
    posts: str  # the key of the choice
    keystrokes: bool
    do: Literal["measure text"] = "measure text"


@dataclass(frozen=True)
class Compress:
    """What a compressor that has read train pays for held-out posts."""

    posts: str  # the key of the choice
    do: Literal["compress"] = "compress"


@dataclass(frozen=True)
class MeasureReplies:
    """Where a ranker puts the true reply among others, and how long whole replies take."""

    rung: str
    model: str | None
    posts: str  # the key of the choice
    kinds: tuple[Pairs, ...]
    harder: bool  # also among replies of the same thread
    draws: int
    sources: dict[str, str]  # who proposes whole replies, each as `model` is told
    do: Literal["measure replies"] = "measure replies"


@dataclass(frozen=True)
class Compare:
    """What two rungs say of posts on which they differ."""

    kind: Kind
    rungs: tuple[str, str]
    models: tuple[str | None, str | None]
    posts: str  # the key of the choice
    places: tuple[int, ...]  # of posts, or of pairs in the order they are asked about
    pairs: Pairs | None  # of replies, which kind
    draws: int
    do: Literal["compare"] = "compare"


Work = Tokenize | Choose | Fit | MeasureText | Compress | MeasureReplies | Compare


@dataclass(frozen=True)
class Limits:
    """How much may be done."""

    seconds: float | None = None  # None: as long as it takes
    effort: float | None = 0.0  # seconds or passes; what was done with much less is not good enough. None: all there is
    posts: int = 0  # to score, at most
    typed: int = 0  # of these, to type again
    pairs: int = 0  # to rank, at most, of each kind
    config: dict[str, Any] = field(default_factory=dict)  # settings cut short, since there is a budget


@dataclass(frozen=True)
class Task:
    """One thing to do, in a process of its own."""

    experiment: Experiment
    work: Annotated[Work, Discriminator("do")]
    limits: Limits = field(default_factory=Limits)

    @property
    def key(self) -> str:
        """The name of its directory."""
        e = self.experiment
        work = self.work
        looks = isinstance(work, Choose) or None in (getattr(work, "model", ""), *getattr(work, "models", ()))
        looks = looks or (isinstance(work, Fit) and work.rung in LADDER and LADDER[work.rung].given)
        facts = [e.data, e.code, e.split, e.seed, e.package if looks else "", _adapter(Work).dump_python(self.work, mode="json")]
        return hashlib.blake2b(json.dumps(facts, sort_keys=True).encode(), digest_size=12).hexdigest()

    @property
    def place(self) -> Path:
        """The directory that keeps the task's results, named by its key."""
        return self.experiment.root / self.key


@dataclass(frozen=True, kw_only=True)
class Result:
    """What came of a task."""

    key: str  # of the task
    wall_seconds: float = 0.0  # of its process
    whole: bool = False  # it was not cut short


@dataclass(frozen=True, kw_only=True)
class Tokenized(Result):
    """Token arrays, in files."""

    result: Literal["tokenized"] = "tokenized"


@dataclass(frozen=True, kw_only=True)
class Chosen(Result):
    """What is measured on: the files of `HeldOut`, and how many pairs there are."""

    read: int = 0  # posts left out, since the package's models have read them
    pairs: dict[Pairs, int] = field(default_factory=dict)  # 0 where other threads have too few for a list
    result: Literal["chosen"] = "chosen"


@dataclass(frozen=True, kw_only=True)
class FittedModel(Result):
    """A model, in `model/`."""

    rung: str
    parts: dict[str, str]
    config: dict[str, Any]
    fit_seconds: float
    cpu_seconds: float
    peak_bytes: int
    disk_bytes: int
    dev: tuple[tuple[int, float], ...]  # figures on dev as training went on: the step, bits per byte
    result: Literal["fitted"] = "fitted"


@dataclass(frozen=True, kw_only=True)
class Measured(Result):
    """Figures by post, or ranks by pair and draw, in .npy files."""

    load_seconds: float
    milliseconds: list[float]  # of each keystroke, or of each whole reply
    suggestions: int = 0  # ghost texts that appeared, or whole replies
    result: Literal["measured"] = "measured"


@dataclass(frozen=True, kw_only=True)
class Compared(Result):
    """Examples, in `EXAMPLE_FILE`."""

    result: Literal["compared"] = "compared"


@dataclass(frozen=True, kw_only=True)
class Failed(Result):
    """An error, in one line."""

    error: str
    missing_extra: bool = False
    result: Literal["failed"] = "failed"


@dataclass(frozen=True)
class OutOfTime:
    """It ran out of time, and nothing is left of it."""


Done = Tokenized | Chosen | FittedModel | Measured | Compared | Failed


@cache
def _adapter(of: Any) -> TypeAdapter[Any]:
    return TypeAdapter(of)


def read_task(file: Path) -> Task:
    """The task in a file.

    Raises:
        OSError: there is none.
        ValueError: it is no task.
    """
    return _adapter(Task).validate_json(file.read_bytes())  # type: ignore[no-any-return]


def read_result(file: Path) -> Done:
    """The result in a file; raises as `read_task` does."""
    return _adapter(Annotated[Done, Discriminator("result")]).validate_json(file.read_bytes())  # type: ignore[no-any-return]


def as_json(value: Task | Done) -> bytes:
    """How either is kept."""
    of: Any = type(value)
    return _adapter(of).dump_json(value, indent=2) + b"\n"

"""The report of a climb: what `climb` finds out, and what the page, the table and the plots show. One shape, one version.

Written as JSON, and checked against these classes when it is read again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal, Self

from pydantic import TypeAdapter, ValidationError

from rejoinder.errors import UsageError
from rejoinder.files import write_atomically
from rejoinder.ladder.curve import Crossing
from rejoinder.ladder.metrics import Estimate

VERSION: Literal[2] = 2
Kind = Literal["typing", "replies"]  # the two jobs: finishing sentences, finding the reply
Part = Literal["all", "novel", "repeats"]  # of the held-out text
Pairs = Literal["comment", "story"]  # what a reply answers: a comment, or an opening post
State = Literal["measured", "stopped", "failed", "skipped"]
KINDS: tuple[Kind, ...] = ("typing", "replies")
PARTS: tuple[Part, ...] = ("all", "novel", "repeats")
PAIRS: tuple[Pairs, ...] = ("comment", "story")
MAY_HAVE_READ = " (it may have read these very posts)"  # ends what is told of a net that others trained
_OF_THE_DATA = " of the data"


@dataclass(frozen=True)
class Figure(Estimate):
    """A figure, its interval, and what it stands on."""

    number: int | None  # of posts or pairs; None where that was not noted

    @classmethod
    def of(cls, estimate: Estimate, number: int) -> Self:
        """An estimate, and how many it stands on."""
        return cls(estimate.value, estimate.low, estimate.high, number)


@dataclass(frozen=True)
class GatePoint:
    """What a gate at one threshold lets through."""

    threshold: float
    precision: float  # of what is shown, the share that is right
    coverage: float  # of the keystrokes, the share at which something is shown


@dataclass(frozen=True)
class TextFigures:
    """How well a rung predicts text, on one part of it."""

    bits_per_byte: Figure | None = None
    perplexity_per_word: Figure | None = None
    top1: tuple[Figure | None, ...] = ()  # the next word is the first offered, by letters typed: 0, 1, 2, 3
    top3: tuple[Figure | None, ...] = ()  # among the first three
    exact: tuple[Figure | None, ...] = ()  # the next N words are all right, N = 1, 2, ...
    savings: Figure | None = None  # share of the keystrokes
    right: Figure | None = None  # of the ghost texts that appeared, the share that was written next to its end
    gate: tuple[GatePoint, ...] = ()


@dataclass(frozen=True)
class RankFigures:
    """How well a rung finds the true reply among 99 others."""

    recall_1: Figure
    recall_10: Figure
    mrr: Figure


@dataclass(frozen=True)
class ReplyFigures:
    """The same by where the others come from."""

    other_threads: RankFigures
    same_thread: RankFigures | None


@dataclass(frozen=True)
class Percentiles:
    """Of a latency, in milliseconds."""

    p50: float
    p99: float


@dataclass(frozen=True)
class Cost:
    """What a rung costs; one that came with the package cost its time to fit where it was made, and nothing here."""

    fit_seconds: float | None = None
    whole_seconds: float | None = None  # to fit it, and all it is made of
    cpu_seconds: float | None = None
    peak_bytes: int | None = None
    disk_bytes: int | None = None
    load_seconds: float | None = None
    keystroke_ms: Percentiles | None = None
    reply_ms: Percentiles | None = None
    needs: str = ""  # the extra that fitting needs
    thousand: dict[Kind, float] = field(default_factory=dict)  # seconds that 1,000 suggestions which are shown take this machine
    elsewhere: str = ""  # what its training cost where that happened, in words


@dataclass(frozen=True)
class Point:
    """A rung that learned from a share of the data."""

    share: float
    posts: int
    seconds: float  # to fit
    figures: dict[Kind, Figure]


@dataclass(frozen=True)
class Law:
    """c + a n^-b of a rung's learning curve, n posts learned from."""

    kind: Kind
    a: float
    b: float
    c: float
    doubling: Estimate  # what twice the data would change


@dataclass(frozen=True)
class MeasuredRung:
    """All that is known of one rung."""

    name: str
    what: str  # in half a line
    kinds: tuple[Kind, ...]
    neural: bool  # a neural net, or made of one
    shipped: bool  # it came with the package, or another training elsewhere
    parts: tuple[str, ...]  # the rungs it is made of
    state: State
    why: str  # it was not measured to the end
    typing: dict[Part, TextFigures]
    replies: dict[Pairs, ReplyFigures]
    cost: Cost
    curve: tuple[Point, ...] = ()
    law: Law | None = None
    settings: tuple[str, ...] = ()  # those that are not the defaults, as `--set` takes them
    reference: bool = False  # no rung: something everyone knows, to compare with

    def text(self, part: Part = "all") -> TextFigures:
        """What was measured on a part of the text; empty if nothing was."""
        return self.typing.get(part, TextFigures())

    def latency(self, kind: Kind) -> Percentiles | None:
        """Of a keystroke, or of a whole reply."""
        return self.cost.keystroke_ms if kind == "typing" else self.cost.reply_ms


@dataclass(frozen=True)
class StepUp:
    """A rung against the one below it, on the same posts."""

    kind: Kind
    lower: str
    upper: str
    gain: Figure  # share of the bits saved, or recall@1 gained; its interval is of `Report.level`


@dataclass(frozen=True)
class Overtaking:
    """Whether more data would bring one rung above another."""

    kind: Kind
    lower: str
    upper: str
    at: Crossing | None  # None: that cannot be said

    def __str__(self) -> str:
        """A sentence on how much more data it would take, or that these figures do not say."""
        if self.at is None:
            return f"whether more data would bring {self.upper} above {self.lower}: these figures do not say"
        most = f"to {self.at.high:.2g}" if self.at.high is not None else "or more"
        much = f"about {self.at.times:.2g} times more data ({self.at.low:.2g} {most})"
        return f"with {much}, {self.upper} would overtake {self.lower}"


@dataclass(frozen=True)
class Verdict:
    """Whether a neural net is needed for a job, and what to take."""

    neural: bool | None  # None: no difference was found
    headline: str
    rung: str  # the cheapest that is good enough
    best: str
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class LeftOut:
    """What was left out, and why."""

    what: str
    why: str


@dataclass(frozen=True)
class Machine:
    """What the figures of cost were taken on."""

    cpu: str
    cores: int
    memory: int  # bytes
    python: str
    system: str


@dataclass(frozen=True)
class PartSize:
    """How large train, dev or test is."""

    posts: int
    threads: int


@dataclass(frozen=True)
class Scored:
    """How much the figures stand on: what every rung got to."""

    typing_posts: int
    typed_posts: int  # of these, typed again keystroke by keystroke
    typing_bytes: int
    novel_posts: int
    repeat_posts: int
    pairs: dict[Pairs, int]
    draws: int  # lists of candidates for each pair
    left_out: int  # posts that the package's models had read
    threads: dict[Kind, int] = field(default_factory=dict)  # of the posts, and of the pairs that decide


@dataclass(frozen=True)
class Report:
    """One climb of the ladder."""

    version: Literal[2]
    key: str  # of what was asked, and all the answer depends on
    when: str  # ISO 8601
    seconds: float
    budget: float | None
    seed: int
    code: str  # the version of rejoinder
    machine: Machine
    forum: str
    data: str  # hash of the archive's words
    sizes: dict[str, PartSize]  # of train, dev and test
    scored: Scored
    policy: str  # of the ghost text
    margin: float
    rungs: tuple[MeasuredRung, ...]  # from the cheapest up
    steps: tuple[StepUp, ...]
    overtakings: tuple[Overtaking, ...]
    verdicts: dict[Kind, Verdict]
    skipped: tuple[LeftOut, ...]
    level: dict[Kind, float] = field(default_factory=dict)  # of the interval of each step, so that all together hold at 95%
    ties: dict[Kind, tuple[tuple[str, ...], ...]] = field(default_factory=dict)  # what is not told apart, the best group first
    asked: tuple[str, ...] = ()  # what was asked for besides the budget, as it is typed after `rejoinder ladder`

    @property
    def measured(self) -> bool:
        """Whether there is a figure of any rung."""
        return any(rung.typing or rung.replies for rung in self.rungs)

    def of_kind(self, kind: Kind) -> list[MeasuredRung]:
        """The rungs for one job."""
        return [rung for rung in self.rungs if kind in rung.kinds]

    def quality(self, rung: MeasuredRung, kind: Kind) -> Figure | None:
        """What rungs are compared by: bits per byte, or recall@1 where comments are answered; opening posts if there are none."""
        if kind == "typing":
            return rung.text().bits_per_byte
        found = rung.replies.get("comment" if self.scored.pairs.get("comment") else "story")
        return found.other_threads.recall_1 if found else None

    def unfinished(self) -> list[LeftOut]:
        """What failed, was stopped or was left out; what was left out for one reason, together."""
        found = [
            LeftOut(r.name if r.state == "stopped" else f"{r.name} {r.state}", r.why or "no reason was given")
            for r in self.rungs
            if r.kinds and r.state != "measured"
        ]
        for why in dict.fromkeys(left.why for left in self.skipped):
            since = "there was no time left" if why == "the budget" else why
            found.append(LeftOut(f"left out, since {since}", _together(left.what for left in self.skipped if left.why == why)))
        return found


def _together(left_out: Iterable[str]) -> str:
    """What was left out, shares of the data of one rung together."""
    found: dict[str, list[str]] = {}
    for what in left_out:
        name, of, _ = what.partition(_OF_THE_DATA)
        rung, on, share = name.partition(" on ")
        found.setdefault(rung + on if of else what, []).extend([share] if of else [])
    return "; ".join(f"{what}{', '.join(shares)}{_OF_THE_DATA if shares else ''}" for what, shares in found.items())


@cache
def _shape() -> TypeAdapter[Report]:
    return TypeAdapter(Report)


def to_json(report: Report) -> bytes:
    """The report as readable JSON."""
    return _shape().dump_json(report, indent=2) + b"\n"


def from_json(data: bytes) -> Report:
    """Read a report.

    Raises:
        UsageError: it is no report, or one of another version.
    """
    try:
        return _shape().validate_json(data, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        wrong = f"{where}: {first['msg']}" if where != "version" else f"its version is not {VERSION}"
        raise UsageError(f"this ladder report cannot be read ({wrong}); run `rejoinder ladder` again") from error


def write(file: Path, report: Report) -> None:
    """Write `file`, atomically."""
    write_atomically(file, to_json(report))


def read(file: Path) -> Report:
    """The report in `file`.

    Raises:
        UsageError: it is no report, or one of another version.
        OSError: there is none.
    """
    return from_json(file.read_bytes())

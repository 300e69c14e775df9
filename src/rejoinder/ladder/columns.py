"""Which figures stand in which table, and which way is better."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from rejoinder.ladder.formatting import Show, bits, milliseconds, percent, rounded, seconds, size
from rejoinder.ladder.report import KINDS, Figure, Kind, MeasuredRung, Pairs, Part

PART_NAMES: dict[Part, str] = {"all": "all text", "novel": "novel text", "repeats": "near-repeats of training text"}
PAIR_NAMES: dict[Pairs, str] = {"comment": "a comment that answers a comment", "story": "a comment that answers an opening post"}
FEWEST = 10  # posts: what stands on fewer has no column
_LONGEST = 8  # words of ExactMatch@N
Of = Callable[[MeasuredRung], Figure | float | None]


@dataclass(frozen=True)
class Column:
    """A figure of a rung."""

    title: str
    of: Of
    show: Show
    better: str = "lower"  # or higher

    def numbers(self, rungs: Iterable[MeasuredRung]) -> list[int]:
        """On how many posts or pairs its figures stand, where that was noted."""
        found = (value.number for rung in rungs if isinstance(value := self.of(rung), Figure))
        return sorted({number for number in found if number is not None})


def worth_showing(columns: Iterable[Column], rungs: Sequence[MeasuredRung]) -> list[Column]:
    """Those that have a figure, on posts or pairs enough."""
    some = [column for column in columns if any(column.of(rung) is not None for rung in rungs)]
    return [column for column in some if max(column.numbers(rungs), default=FEWEST) >= FEWEST]


def typing_columns() -> list[Column]:
    """What is said of predictive text: on all that was scored, and on its parts."""
    return [
        Column(title if part == "all" else f"{title}, {part}", _in_text(part, name), show, better)
        for title, name, show, better in (
            ("bits per byte", "bits_per_byte", bits, "lower"),
            ("keystrokes saved", "savings", percent, "higher"),
            ("right per suggestion", "right", percent, "higher"),
            ("perplexity per word", "perplexity_per_word", rounded, "lower"),
        )
        for part in PART_NAMES
    ]


def word_columns(part: Part) -> list[Column]:
    """How often the next word is among the first k offered, by how many of its letters are typed."""
    typed = ("no letter", "1 letter", "2 letters", "3 letters")
    return [
        Column(f"top {k}, {letters}", _in_text(part, f"top{k}", n), percent, "higher")
        for k in (1, 3)
        for n, letters in enumerate(typed)
    ]


def exact_columns(part: Part) -> list[Column]:
    """ExactMatch@N: the share of continuations of N words that are what the person wrote next."""
    return [Column(f"{n + 1} word{'s' * (n > 0)}", _in_text(part, "exact", n), percent, "higher") for n in range(_LONGEST)]


def _in_text(part: Part, name: str, nth: int | None = None) -> Of:
    """Where a figure of predictive text is found, or the nth of several."""

    def of(rung: MeasuredRung) -> Figure | None:
        found = getattr(rung.text(part), name)
        if nth is None:
            return found  # type: ignore[no-any-return]
        return found[nth] if nth < len(found) else None

    return of


def reply_columns(pairs: Pairs) -> list[Column]:
    """What is said of ranking replies, on one kind of pairs."""

    def in_replies(variant: str, figure: str) -> Of:
        return lambda rung: getattr(getattr(rung.replies.get(pairs), variant, None), figure, None)

    return [
        Column(f"{title}, {short}", in_replies(variant, figure), bits, "higher")
        for variant, short in (("other_threads", "random"), ("same_thread", "same thread"))
        for title, figure in (("recall@1", "recall_1"), ("recall@10", "recall_10"), ("MRR", "mrr"))
    ]


def cost_columns() -> list[Column]:
    """What a rung costs."""
    return [
        Column("fit", lambda rung: rung.cost.fit_seconds, seconds),
        Column("fit, with its parts", lambda rung: rung.cost.whole_seconds, seconds),
        Column("fit, CPU time", lambda rung: rung.cost.cpu_seconds, seconds),
        Column("peak memory", lambda rung: rung.cost.peak_bytes, size),
        Column("on disk", lambda rung: rung.cost.disk_bytes, size),
        Column("load", lambda rung: rung.cost.load_seconds, seconds),
        *(
            Column(f"{name}, {title}", _waited(kind, slow=slow), milliseconds)
            for kind, name in zip(KINDS, ("keystroke", "reply"), strict=True)
            for title, slow in (("p50", False), ("p99", True))
        ),
        *(
            Column(f"1,000 {many}", _of_a_thousand(kind), seconds)
            for kind, many in zip(KINDS, ("ghost texts", "replies"), strict=True)
        ),
    ]


def _waited(kind: Kind, *, slow: bool) -> Of:
    """The median latency of a kind, or the slowest of a hundred."""

    def of(rung: MeasuredRung) -> float | None:
        times = rung.latency(kind)
        return (times.p99 if slow else times.p50) if times else None

    return of


def _of_a_thousand(kind: Kind) -> Of:
    """Seconds of this machine for 1,000 suggestions that are shown."""
    return lambda rung: rung.cost.thousand.get(kind)

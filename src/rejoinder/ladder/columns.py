"""Which figures stand in which table, and which way is better."""

from __future__ import annotations

from dataclasses import dataclass

from rejoinder.ladder.formatting import Path, Show, bits, milliseconds, percent, rounded, seconds, size

PARTS = {"all": "all text", "novel": "novel text", "repeats": "near-repeats of training text"}
PAIRS = {"comment": "a comment that answers a comment", "story": "a comment that answers an opening post"}
LONGEST = 8  # words of ExactMatch@N


@dataclass(frozen=True)
class Column:
    """A figure of a rung."""

    title: str
    path: Path  # from the rung
    show: Show
    better: str = "lower"  # or higher


def typing_columns() -> list[Column]:
    """What is said of predictive text: on all that was scored, and on its parts."""
    return [
        Column(title if part == "all" else f"{title}, {part}", ("typing", part, key), show, better)
        for title, key, show, better in (
            ("bits per byte", "bits_per_byte", bits, "lower"),
            ("keystrokes saved", "savings", percent, "higher"),
            ("perplexity per word", "perplexity_per_word", rounded, "lower"),
        )
        for part in PARTS
    ]


def word_columns(part: str) -> list[Column]:
    """How often the next word is among the first k offered, by how many of its letters are typed."""
    typed = ("no letter", "1 letter", "2 letters", "3 letters")
    return [
        Column(f"top {k}, {letters}", ("typing", part, f"top{k}", n), percent, "higher")
        for k in (1, 3)
        for n, letters in enumerate(typed)
    ]


def exact_columns(part: str) -> list[Column]:
    """ExactMatch@N: the share of continuations of N words that are what the person wrote next."""
    return [Column(f"{n + 1} word{'s' * (n > 0)}", ("typing", part, "exact", n), percent, "higher") for n in range(LONGEST)]


def reply_columns(pairs: str) -> list[Column]:
    """What is said of ranking replies, on one kind of pairs."""
    at = ("replies", pairs)
    return [
        Column(f"{title}, {short}", (*at, *([negatives] if negatives else []), title), bits, "higher")
        for negatives, short in (("", "random"), ("same_thread", "same thread"))
        for title in ("recall@1", "recall@10", "MRR")
    ]


def cost_columns() -> list[Column]:
    """What a rung costs."""
    return [
        Column("fit", ("cost", "fit_seconds"), seconds),
        Column("fit, CPU time", ("cost", "cpu_seconds"), seconds),
        Column("peak memory", ("cost", "peak_bytes"), size),
        Column("on disk", ("cost", "disk_bytes"), size),
        Column("load", ("cost", "load_seconds"), seconds),
        *(
            Column(f"{name}, {p}", ("cost", key, p), milliseconds)
            for name, key in (("keystroke", "keystroke_ms"), ("reply", "reply_ms"))
            for p in ("p50", "p99")
        ),
    ]

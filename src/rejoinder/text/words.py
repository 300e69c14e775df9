"""Words, for search and comparison: what a reader would call the same word is the same string.

Lower case (casefold), Unicode letters, digits and inner apostrophes; addresses are left out, since they say where, not what.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

ADDRESS = re.compile(r"\b(?:https?://|www\.)\S+", re.IGNORECASE)
EMAIL = re.compile(r"[\w.+-]+\s?(?:@|\[at\]|\(at\))\s?[\w-]+(?:\.[\w-]+)+", re.IGNORECASE)
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
LONGEST = 40  # characters; longer runs are keys and hashes, not words


def words(text: str) -> list[str]:
    """The words of `text`, in order."""
    if "://" in text or "www." in text:
        text = ADDRESS.sub(" ", text)
    found = _WORD.findall(text.casefold().replace("’", "'"))
    return [word for word in found if len(word) <= LONGEST]


def shingles(sequence: list[str], n: int) -> Iterator[tuple[str, ...]]:
    """All runs of `n` neighbouring words; the whole, if it is shorter."""
    if len(sequence) <= n:
        yield tuple(sequence)
        return
    for start in range(len(sequence) - n + 1):
        yield tuple(sequence[start : start + n])

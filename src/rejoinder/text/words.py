"""Words, for search and comparison: what a reader would call the same word is the same string.

Lower case (casefold), Unicode letters, digits and inner apostrophes; addresses are left out, since they say where, not what.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

ADDRESS = re.compile(r"\b(?:https?://|www\.)\S+", re.IGNORECASE)
EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]+\s?(?:@|\[at\]|\(at\))\s?[\w-]+(?:\.[\w-]+)+", re.IGNORECASE)
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
LONGEST = 40  # characters; longer runs are keys and hashes, not words
_SHORT = 4000  # characters of a text whose words are remembered for a while


def words(text: str) -> list[str]:
    """The words of `text`, in order."""
    return list(_remembered(text)) if len(text) <= _SHORT else _read(text)


def begun(text: str) -> str:
    """What stands after the last white space of `text`: a word that is being written, if one is."""
    return text.rsplit(maxsplit=1)[-1] if text[-1:].strip() else ""


def _read(text: str) -> list[str]:
    if "://" in text or "www." in text:
        text = ADDRESS.sub(" ", text)
    found: list[str] = _WORD.findall(text.casefold().replace("’", "'"))
    return found if max(map(len, found), default=0) <= LONGEST else [word for word in found if len(word) <= LONGEST]


@lru_cache(maxsize=1024)
def _remembered(text: str) -> tuple[str, ...]:
    """Several rankers read the same candidates one after the other; this way they are taken apart once."""
    return tuple(_read(text))


def shingles(sequence: list[str], n: int) -> Iterator[tuple[str, ...]]:
    """All runs of `n` neighbouring words; the whole, if it is shorter."""
    if len(sequence) <= n:
        yield tuple(sequence)
        return
    for start in range(len(sequence) - n + 1):
        yield tuple(sequence[start : start + n])

"""Crude words: those that the models of the package never offer, and the coarser ones, whose posts they do not even read.

    2    slurs for peoples, faiths, loves and disabilities; obscenities     their posts are not read, they are never offered
    1    coarse words for the body, for sex and for waste, insults          they are read, and never offered

The words themselves would read badly in a repository, so `crude.txt` holds `rejoinder.hashing.hash64` of each, as hexadecimal,
with its number; a word is added by a line. It is a list of words: what is meant badly in clean words gets past it, and a person
may write whatever they like, since it is only ever asked about what is offered.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from rejoinder.hashing import hash64

_FILE = Path(__file__).with_name("crude.txt")
_COARSE = "2"


@cache
def crude_hashes(*, coarse: bool = False) -> frozenset[int]:
    """`hash64` of every crude word; only of those whose posts are not read, if `coarse`."""
    lines = (line.split() for line in _FILE.read_text(encoding="ascii").splitlines())
    return frozenset(int(word, 16) for word, kind in lines if kind == _COARSE or not coarse)


def is_crude(word: str) -> bool:
    """Whether `word`, as `rejoinder.text.words` reads it, is never to be offered."""
    return hash64(word.casefold().encode("utf-8", "replace")) in crude_hashes()

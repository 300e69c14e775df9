"""Where a draft breaks off, and what may be put there: the letters owed, the shapes a next word may have, whole texts only.

A draft is cut before the word being typed, so that a model may spell this word in its own tokens. What is put at the caret goes
on with the word or ends it and brings the next one: at most one space, a few marks, then letters.

    w  a letter, a digit, or what belongs to the one before (a combining mark, a joiner)      '  an apostrophe
    s  a space      .  what ends a sentence      m  any other mark      x  any other white space, and @, which are never offered

A next word is read as a string of these kinds. Byte-level tokens may hold a piece of a character; nothing is offered that ends in
one, since it would be no text, nor before a combining mark, since it would tear a letter in two.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from rejoinder.text.tokenizer import AnyTokenizer

LONGEST_WORD = 64  # bytes of an unfinished word; a longer one is no word
_LAST_SPACE = re.compile(r".*([^\S\x1c-\x1f])", re.DOTALL)  # found from the end on; the separators are none to the tokenizer
_PLAIN = re.compile(rb" ?[A-Za-z0-9]+")
_FEWEST_REPEATED = 3  # letters; "coco" and "haha" are words
_JOINERS = "\u200c\u200d"


class Shape(IntEnum):
    """What a text at the caret is so far."""

    NEVER = 0  # nothing that may be offered begins so
    BEGUN = 1  # no letter yet, and a space may still come
    SHUT = 2  # no letter yet, and no space may come
    WORD = 3  # a next word, whole if nothing goes on with it
    OPEN = 4  # a next word and an apostrophe
    BROKEN = 5  # it ends inside a character


class TokenStart(IntEnum):
    """How a token begins."""

    NEVER = 0  # with white space other than one space; the separators
    ON = 1  # with a letter
    APOSTROPHE = 2
    MARK = 3
    SPACE = 4  # with one space
    BYTES = 5  # inside a character, or it holds no whole one


_BEGUN = re.compile("[m']{0,3}")
_SHAPES = {
    spaced: {
        Shape.SHUT: re.compile(lead),
        Shape.WORD: re.compile(rf"{lead}w+(?:'w+)*"),
        Shape.OPEN: re.compile(rf"{lead}w+(?:'w+)*'"),
    }
    for spaced, lead in ((False, "[m']{0,3}s?[m'.]{0,3}"), (True, "[m'.]{0,3}"))
}
_AFTER: dict[Shape, tuple[TokenStart, ...]] = {
    Shape.NEVER: (),
    Shape.BEGUN: (TokenStart.ON, TokenStart.APOSTROPHE, TokenStart.MARK, TokenStart.SPACE, TokenStart.BYTES),
    Shape.SHUT: (TokenStart.ON, TokenStart.APOSTROPHE, TokenStart.MARK, TokenStart.BYTES),
    Shape.WORD: (TokenStart.ON, TokenStart.APOSTROPHE, TokenStart.BYTES),
    Shape.OPEN: (TokenStart.ON, TokenStart.BYTES),
    Shape.BROKEN: (TokenStart.BYTES,),
}


@dataclass(frozen=True, slots=True)
class HealedDraft:
    """A draft, cut before the word that is being typed and the space before it."""

    head: str
    owed: str  # the rest of the draft, to be spelled again

    @classmethod
    def of(cls, draft: str) -> HealedDraft:
        """Cut a draft. Its head's tokens and the owed text's are the draft's, and stay so whatever is typed next."""
        space = _LAST_SPACE.match(draft)
        cut = space.start(1) if space else 0
        return cls(draft[:cut], draft[cut:])

    @property
    def too_long(self) -> bool:
        """Whether what is typed is no word: a key, a picture in letters."""
        return len(self.owed) > LONGEST_WORD or len(self.owed.encode("utf-8", "replace")) > LONGEST_WORD

    @property
    def spaced(self) -> bool:
        """Whether the draft already ends in white space, or has not begun: one more space would be a stray one."""
        return not self.owed or self.owed[-1:].isspace()

    @property
    def letters(self) -> int:
        """How many letters of the word are typed."""
        return len(kinds(self.owed)) - len(kinds(self.owed).rstrip("w"))

    def says_again(self, text: str) -> bool:
        """Whether `text` at the caret would repeat what is typed of the word, with the marks that are part of it or without."""
        typed, letters = self.owed.strip(), self.letters
        again = len(typed) >= _FEWEST_REPEATED and text.startswith(typed)
        return again or (letters >= _FEWEST_REPEATED and text.startswith(self.owed[-letters:]))


class TokenTable:
    """The tokens of a vocabulary of V, by how they begin. Immutable."""

    def __init__(self, tokenizer: AnyTokenizer) -> None:
        """Read every token once."""
        self.tokenizer = tokenizer
        self.encode = lru_cache(maxsize=4096)(self._encode)  # of words, the same ones again and again
        self.starting_with = lru_cache(maxsize=256)(tokenizer.starting_with)
        self.of = np.array([_piece(piece) for piece in tokenizer.bytes], dtype=np.uint8)  # (V,)

    @cached_property
    def _after(self) -> dict[Shape, NDArray[np.int64]]:
        return {shape: np.flatnonzero(np.isin(self.of, pieces)) for shape, pieces in _AFTER.items()}

    @cached_property
    def begin_word(self) -> NDArray[np.int64]:
        """(N,) int64: the tokens that may follow a word without going on with it, and bring the next one."""
        return np.flatnonzero(np.isin(self.of, (TokenStart.MARK, TokenStart.SPACE)))

    @cached_property
    def spaces(self) -> NDArray[np.int64]:
        """(N,) int64: the tokens that begin with a space."""
        return np.flatnonzero(self.of == TokenStart.SPACE)

    @cached_property
    def pauses(self) -> NDArray[np.int64]:
        """(N,) int64: the tokens before which a text may be left as it is: marks, new lines, its end."""
        return np.flatnonzero(np.isin(self.of, (TokenStart.MARK, TokenStart.NEVER)))

    def after(self, shape: Shape) -> NDArray[np.int64]:
        """(N,) int64: the tokens that may follow a text of this shape; those that end a `WORD` are all the others."""
        return self._after[shape]

    def spells(self, tokens: tuple[int, ...], text: str) -> bool:
        """Whether `tokens` are the tokenizer's own for `text`: a model has seen no others."""
        return self.encode(text) == tokens

    def _encode(self, text: str) -> tuple[int, ...]:
        return tuple(self.tokenizer.encode(text))


def kinds(text: str) -> str:
    """One kind for each character of `text`, as above."""
    return text.translate(_KINDS)


@lru_cache(maxsize=4096)
def _kind(character: str) -> str:
    if character.isalnum() or character in _JOINERS or unicodedata.category(character).startswith("M"):
        return "w"
    if character.isspace() or character == "@":
        return "s" if character == " " else "x"
    if character in "'’":
        return "'"
    return "." if character in ".!?…" else "m"


class _Kinds(dict[int, str]):
    """The kind of each character, by its number, for `str.translate`; those of ASCII are kept."""

    def __missing__(self, number: int) -> str:
        return _kind(chr(number))


_KINDS = _Kinds({number: _kind(chr(number)) for number in range(128)})


def shape_of(made: bytes, *, spaced: bool) -> Shape:
    """What the bytes `made` at the caret are so far; no space may come where the draft is `spaced` already."""
    try:
        return _shape(made.decode(), spaced)
    except UnicodeDecodeError as error:
        return Shape.BROKEN if error.reason == "unexpected end of data" else Shape.NEVER


@lru_cache(maxsize=4096)
def _shape(text: str, spaced: bool) -> Shape:
    found = kinds(text)
    if not spaced and _BEGUN.fullmatch(found):
        return Shape.BEGUN
    return next((shape for shape, pattern in _SHAPES[spaced].items() if pattern.fullmatch(found)), Shape.NEVER)


def _piece(piece: bytes) -> TokenStart:
    if _PLAIN.fullmatch(piece):  # as most are: a table is made before the first word can be found
        return TokenStart.SPACE if piece[:1] == b" " else TokenStart.ON
    try:
        found = kinds(piece.decode())
    except UnicodeDecodeError as error:
        found = kinds(piece[: error.start].decode())
        if not found.strip("s"):  # no whole character, or a space alone, before the piece of one
            return TokenStart.SPACE if found == "s" else TokenStart.NEVER if found else TokenStart.BYTES
    if not found or found[0] == "x" or found[:2] in ("ss", "sx") or found.endswith(("..", "x")):
        return TokenStart.NEVER
    return {"w": TokenStart.ON, "'": TokenStart.APOSTROPHE, "s": TokenStart.SPACE}.get(found[0], TokenStart.MARK)

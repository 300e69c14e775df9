r"""ARPA files: n-gram models as other tools read and write them.

    \data\            ngram n=how many
    \n-grams:         log10 p <tab> the n words, a space between <tab> log10 backoff
    \end\

POST is `<s>`, END is `</s>`, REPLY is `<reply>`. A byte token is written in the printable alphabet of byte-level BPE, so that no
token holds a space. A word that other tools reserve (such as `<reply>`) is written with round brackets.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from functools import partial
from io import TextIOWrapper
from math import inf, log
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from rejoinder.errors import ModelError, SourceError
from rejoinder.files import open_unpacked
from rejoinder.models.kneser_ney import KneserNey, KneserNeyConfig
from rejoinder.models.smoothing import Followers, best_first
from rejoinder.text.tokenizer import AnyTokenizer, WordTokenizer, byte_alphabet

_LN10 = log(10.0)
_NEVER = -99.0  # log10 of what cannot come, by custom
_UNKNOWN, _UNHEARD = "<unk>", -100.0  # log10 of that word, where a file has none
_SAME = {"<UNK>": _UNKNOWN, "<S>": "<s>", "</S>": "</s>"}
_COUNT = re.compile(r"ngram[ \t]+([1-9])[ \t]*=[ \t]*(\d{1,15})", re.ASCII)
_LONGEST = 2**16  # characters of a line
_RESERVED = {name: f"({name[1:-1]})" for name in ("<s>", "</s>", "<S>", "</S>", "<UNK>", "<reply>")}
_LINES = 50_000  # written at a time


def write_arpa(model: KneserNey, file: TextIO) -> None:
    """Write `model` as an ARPA file, with nine digits."""
    names = names_of(model.tokenizer)
    levels = model.index
    file.write("\\data\\\n" + "".join(f"ngram {n}={len(level.token)}\n" for n, level in enumerate(levels, start=1)))
    grams = names
    for n, level in enumerate(levels, start=1):
        if n > 1:
            grams = [f"{grams[c]} {names[t]}" for c, t in zip(level.contexts().tolist(), level.token.tolist(), strict=True)]
        file.write(f"\n\\{n}-grams:\n")
        log10 = np.maximum(level.log_prob.astype(np.float64) / _LN10, _NEVER).tolist()
        backoff = (level.backoff.astype(np.float64) / _LN10).tolist() or [None] * len(log10)
        for start in range(0, len(grams), _LINES):
            part = slice(start, start + _LINES)
            rows = zip(log10[part], grams[part], backoff[part], strict=True)
            file.writelines(f"{p:.9g}\t{gram}\n" if b is None else f"{p:.9g}\t{gram}\t{b:.9g}\n" for p, gram, b in rows)
    file.write("\n\\end\\\n")


def read_arpa(path: Path, tokenizer: AnyTokenizer | None = None) -> KneserNey:
    """The model in an ARPA file, plain or gzipped; over `tokenizer` if the file is of pieces of bytes, else over its words.

    What tools write differently is read alike: text before the data, blanks and tabs of any number, orders without n-grams,
    `-inf`. Words that the file does not know are its `<unk>`; where it has none, that is added, with kenlm's log10 p of -100.

    Raises:
        SourceError: the file cannot be read, or is not ARPA.
        ModelError: the file is of pieces, of another tokenizer than `tokenizer`.
    """
    try:
        with open_unpacked(path) as file, TextIOWrapper(file, encoding="utf-8-sig") as text:
            sections = list(_sections(path, text))
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise SourceError(f"{path}: cannot be read as ARPA ({error})") from error
    while len(sections) > 1 and not sections[-1]:
        sections.pop()
    if not 1 <= len(sections) <= 8 or not sections[0]:
        held = f"{len(sections)} sections of n-grams" if sections and sections[0] else "no 1-grams"
        raise SourceError(f"{path}: not an ARPA file of order 1 to 8: it has {held}")
    words = [gram for _, gram, _ in sections[0]]
    if not {*byte_alphabet()} <= {*words}:
        if _UNKNOWN not in words:
            words.append(_UNKNOWN)
            sections[0].append((_UNHEARD, _UNKNOWN, 0.0))
        tokenizer = WordTokenizer([word for word in words if word not in ("<s>", "</s>", "<reply>")])
    ids = {} if tokenizer is None else {name: token for token, name in enumerate(names_of(tokenizer))}
    ids |= {word: token for token, word in enumerate(_plain(tokenizer))}
    unknown = next((word for word in words if word not in ids), None)
    if tokenizer is None or unknown is not None:
        raise ModelError(
            f"{path}: not words but the pieces of a tokenizer that is not this home's ({unknown!r} is one); "
            "import it where its tokenizer is, or one of words"
        )
    return KneserNey(KneserNeyConfig(order=len(sections)), tokenizer, _index(path, sections, ids, tokenizer), nested=False)


_Row = tuple[float, str, float]  # log10 p, the words, log10 backoff


def _sections(path: Path, file: TextIO) -> Iterator[list[_Row]]:
    """The n-grams of each order, from 1 on."""
    expected: dict[int, int] | None = None  # how many of each order, from `\\data\\` on
    rows: list[_Row] = []
    n = 0
    lines = enumerate(iter(partial(file.readline, _LONGEST), ""), start=1)
    for number, line in lines:
        line = line.strip(" \t\r\n")
        if expected is None:
            expected = {} if line == "\\data\\" else None
        elif not n and (found := _COUNT.fullmatch(line)):
            expected[int(found[1])] = int(found[2])
        elif line.startswith("\\"):
            if n:
                yield _checked(path, n, rows, expected)
            if line == "\\end\\":
                break
            rows, n = [], n + 1
            if line != f"\\{n}-grams:":
                raise SourceError(f"{path}:{number}: expected the section \\{n}-grams: or \\end\\; got {line[:60]!r}")
        elif line and n:
            rows.append(_row(path, number, line, n))
        elif line:
            raise SourceError(f"{path}:{number}: not a line `ngram n=how many`: {line[:60]!r}")
    else:
        raise SourceError(f"{path}: not a whole ARPA file: it does not end with \\end\\")
    if n != len(expected or ()):
        raise SourceError(f"{path}: announces {len(expected or ())} sections of n-grams, but has {n}")


def _row(path: Path, number: int, line: str, n: int) -> _Row:
    """A line of n-grams: fields with any blanks and tabs between them, the last one left out where it is 0."""
    log10, *fields = (field for field in line.replace("\t", " ").split(" ") if field)
    try:
        p, backoff = float(log10), float(fields[n]) if len(fields) > n else 0.0
        gram = " ".join(_SAME.get(word, word) for word in fields[:n])
        if len(fields) not in (n, n + 1) or not p < inf or not backoff < inf or (p > 0 and gram != "<s>"):
            raise ValueError("no logarithm of a probability")
    except ValueError as error:
        raise SourceError(f"{path}:{number}: not a line of {n}-grams: {line[:60]!r}") from error
    return p, gram, backoff


def _checked(path: Path, n: int, rows: list[_Row], expected: dict[int, int]) -> list[_Row]:
    if expected.get(n) != len(rows):
        raise SourceError(f"{path}: says it has {expected.get(n, 'no')} {n}-grams, but has {len(rows)}")
    if len({gram for _, gram, _ in rows}) != len(rows):
        raise SourceError(f"{path}: some {n}-gram stands there twice")
    return rows


def _index(path: Path, sections: list[list[_Row]], ids: dict[str, int], tokenizer: AnyTokenizer) -> list[Followers]:
    size = tokenizer.vocabulary
    probs = np.full(size, -np.inf)
    backoffs = np.zeros(size)
    for p, gram, backoff in sections[0]:
        probs[ids[gram]] = p * _LN10 if p != _NEVER else -np.inf
        backoffs[ids[gram]] = backoff * _LN10
    probs[[tokenizer.post, tokenizer.reply]] = -np.inf  # whatever the file gives them: they never come next
    kind = np.uint16 if size <= 2**16 else np.uint32
    first = np.array([0, size], dtype=np.uint32)
    index = [Followers(first, np.arange(size).astype(kind), probs.astype(np.float32), backoffs.astype(np.float32))]
    for n, rows in enumerate(sections[1:], start=2):
        try:
            spelled = [[ids[word] for word in gram.split(" ")] for _, gram, _ in rows]
        except KeyError as error:
            raise SourceError(f"{path}: a {n}-gram has the word {error}, which is not among the 1-grams") from None
        tokens = np.array(spelled, dtype=np.int64).reshape(len(rows), n)
        context = _contexts(path, tokens[:, :-1], index, size) if len(rows) else np.empty(0, dtype=np.int64)
        log_prob = np.array([p for p, _, _ in rows]) * _LN10
        by_token = np.lexsort((tokens[:, -1], context)) if len(rows) else np.empty(0, dtype=np.int64)
        first, sorting = best_first(context[by_token], log_prob[by_token].astype(np.float32), len(index[-1].token))
        order = by_token[sorting]
        back = np.array([b for _, _, b in rows])[order] * _LN10 if n < len(sections) else np.empty(0)
        token: NDArray[Any] = tokens[order, -1].astype(kind) if len(rows) else np.empty(0, dtype=kind)
        index.append(Followers(first, token, log_prob[order].astype(np.float32), back.astype(np.float32)))
    return index


def _contexts(path: Path, tokens: NDArray[np.int64], index: list[Followers], size: int) -> NDArray[np.int64]:
    """The place in the index of each row of tokens, followed down from its first."""
    place = tokens[:, 0]
    for n in range(1, tokens.shape[1]):
        level = index[n]
        key = level.contexts() * size + level.token
        sorting = np.argsort(key)
        wanted = place * size + tokens[:, n]
        at = np.minimum(np.searchsorted(key, wanted, sorter=sorting), len(key) - 1)
        if not len(key) or (key[sorting[at]] != wanted).any():
            raise SourceError(f"{path}: some {n + 2}-grams have a context that is not among the {n + 1}-grams")
        place = sorting[at]
    return place


def names_of(tokenizer: AnyTokenizer) -> list[str]:
    """What each token is called in the file."""
    if isinstance(tokenizer, WordTokenizer):
        names = [_RESERVED.get(word, word) for word in tokenizer.words]
    else:
        alphabet = byte_alphabet()
        names = ["".join(alphabet[byte] for byte in piece) for piece in tokenizer.bytes[: tokenizer.size]]
    return [*names, "<s>", "<reply>", "</s>"]


def _plain(tokenizer: AnyTokenizer | None) -> list[str]:
    """The words themselves, whatever they are called in the files that are written here."""
    return list(tokenizer.words) if isinstance(tokenizer, WordTokenizer) else []

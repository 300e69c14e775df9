r"""ARPA files: n-gram models as other tools read and write them.

    \data\            ngram n=how many
    \n-grams:         log10 p <tab> the n words, a space between <tab> log10 backoff
    \end\

POST is `<s>`, END is `</s>`, REPLY is `<reply>`. A byte token is written in the printable alphabet of byte-level BPE, so that no
token holds a space. A word that other tools reserve (`<unk>`, where it is a word like any other) is written with round brackets.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import isfinite, log
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from rejoinder.errors import ModelError, SourceError
from rejoinder.models.kneser_ney import KneserNey, KneserNeyConfig
from rejoinder.models.smoothing import Followers, best_first
from rejoinder.text.tokenizer import AnyTokenizer, WordTokenizer, byte_alphabet

_LN10 = log(10.0)
_NEVER = -99.0  # log10 of what cannot come, by custom
_RESERVED = {name: f"({name[1:-1]})" for name in ("<s>", "</s>", "<unk>", "<S>", "</S>", "<UNK>", "<reply>")}
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
    """The model in an ARPA file; over `tokenizer` if its tokens are those of the file, else over the file's words.

    Raises:
        SourceError: the file cannot be read, or is not ARPA.
        ModelError: the file's words are not those of `tokenizer`.
    """
    try:
        with path.open(encoding="utf-8") as file:
            sections = list(_sections(path, file))
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{path}: cannot be read as ARPA ({error})") from error
    if not 1 <= len(sections) <= 8:
        raise SourceError(f"{path}: not an ARPA file of order 1 to 8: it has {len(sections)} sections of n-grams")
    words = [gram for _, gram, _ in sections[0]]
    if tokenizer is None:
        tokenizer = WordTokenizer([word for word in words if word not in ("<s>", "</s>", "<reply>")])
    ids = {name: token for token, name in enumerate(names_of(tokenizer))} | {word: t for t, word in enumerate(_plain(tokenizer))}
    unknown = next((word for word in words if word not in ids), None)
    if unknown is not None:
        raise ModelError(f"{path}: its word {unknown!r} is no token of the tokenizer; read it without one")
    return KneserNey(KneserNeyConfig(order=len(sections)), tokenizer, _index(path, sections, ids, tokenizer), nested=False)


_Row = tuple[float, str, float]  # log10 p, the words, log10 backoff


def _sections(path: Path, file: TextIO) -> Iterator[list[_Row]]:
    expected: list[int] = []
    rows: list[_Row] | None = None
    section = 0
    ended = False
    for number, line in enumerate(file, start=1):
        line = line.strip("\n\r ")
        if line.startswith("ngram ") and rows is None:
            expected.append(_count(path, number, line))
        elif line.startswith("\\") and line.endswith(("-grams:", "end\\")):
            if rows is not None:
                yield _checked(path, rows, expected)
            ended = line == "\\end\\"
            rows = []
            section += 1
        elif line and rows is not None:
            parts = line.split("\t") if "\t" in line else _spaced(line, section)
            try:
                row = (float(parts[0]), " ".join(parts[1].split(" ")), float(parts[2]) if len(parts) > 2 else 0.0)
                if not (isfinite(row[0]) and isfinite(row[2])) or (row[0] > 0 and parts[1] != "<s>"):
                    raise ValueError("no logarithm of a probability")
                rows.append(row)
            except (ValueError, IndexError) as error:
                raise SourceError(f"{path}:{number}: not a line of n-grams: {line[:60]!r}") from error
    if section - 1 != len(expected) and ended:
        raise SourceError(f"{path}: announces {len(expected)} sections of n-grams, but has {section - 1}")
    if not ended:
        raise SourceError(f"{path}: not a whole ARPA file: it does not end with \\end\\")


def _count(path: Path, number: int, line: str) -> int:
    try:
        return int(line.partition("=")[2])
    except ValueError:
        raise SourceError(f"{path}:{number}: not a line `ngram n=how many`: {line[:60]!r}") from None


def _checked(path: Path, rows: list[_Row], expected: list[int]) -> list[_Row]:
    n = len(rows[0][1].split(" ")) if rows else 0
    if rows and (n > len(expected) or expected[n - 1] != len(rows)):
        raise SourceError(f"{path}: says it has {expected[n - 1 : n]} {n}-grams, but has {len(rows)}")
    if len({gram for _, gram, _ in rows}) != len(rows):
        raise SourceError(f"{path}: some {n}-gram stands there twice")
    return rows


def _spaced(line: str, n: int) -> list[str]:
    """The parts of a line of n-grams without tabs: some tools put spaces between them."""
    first, *rest = re.split(r"[ \t]+", line.strip(" \t"))
    return [first, " ".join(rest[:n]), *rest[n:]]


def _index(path: Path, sections: list[list[_Row]], ids: dict[str, int], tokenizer: AnyTokenizer) -> list[Followers]:
    size = tokenizer.vocabulary
    unseen = {gram: p for p, gram, _ in sections[0]}.get("<unk>", -np.inf)
    probs = np.full(size, unseen * _LN10, dtype=np.float64)
    backoffs = np.zeros(size)
    for p, gram, backoff in sections[0]:
        probs[ids[gram]] = p * _LN10 if p > _NEVER else -np.inf
        backoffs[ids[gram]] = backoff * _LN10
    probs[[tokenizer.post, tokenizer.reply]] = -np.inf  # whatever the file gives them: they never come next
    kind = np.uint16 if size <= 2**16 else np.uint32
    first = np.array([0, size], dtype=np.uint32)
    index = [Followers(first, np.arange(size).astype(kind), probs.astype(np.float32), backoffs.astype(np.float32))]
    for n, rows in enumerate(sections[1:], start=2):
        try:
            spelled = [[ids[word] for word in gram.split(" ")] for _, gram, _ in rows]
            tokens = np.array(spelled, dtype=np.int64).reshape(len(rows), -1)
        except KeyError as error:
            raise SourceError(f"{path}: a {n}-gram has the word {error}, which is not among the 1-grams") from None
        except ValueError:
            raise SourceError(f"{path}: the section of {n}-grams holds others") from None
        if tokens.shape[1] != n and len(rows):
            raise SourceError(f"{path}: the section of {n}-grams holds others")
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


def _plain(tokenizer: AnyTokenizer) -> list[str]:
    """The words themselves: another tool's `<unk>` is that word here."""
    return list(tokenizer.words) if isinstance(tokenizer, WordTokenizer) else []

r"""Word vectors in the files of word2vec, as other tools write and read them.

    V D\n                                 a header: how many words, how many numbers
    word n1 n2 ... nD\n                   text
    word <space> D little-endian float32  binary; some tools end each with \n, some do not

A text file without the header is read, too (as GloVe writes it), and words with spaces in them. Counts are not in these files.
Files are read and written word by word.
"""

from __future__ import annotations

import logging
import re
import zlib
from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from rejoinder.errors import SourceError, UsageError
from rejoinder.files import open_unpacked
from rejoinder.text.vectors import WordVectors

Floats = NDArray[np.float32]
_CHUNK = 2**20  # bytes read at a time
_LONGEST = 2**10  # bytes of a word; more is no word but a file of another kind
_LARGEST = 2**16  # numbers of a vector
_Row = tuple[bytes, Floats]  # word, (D,) its vector
_NUMBERED = re.compile(rb" -?\d+(\.\d*)?\Z")
_log = logging.getLogger(__name__)


def write_text(vectors: WordVectors, file: BinaryIO) -> None:
    """Write words and vectors as text, with nine digits: enough to read the same float32 again.

    Raises:
        UsageError: a word holds white space, which the format cannot tell from the end of a word.
    """
    file.write(_header(vectors))
    for word, vector in zip(vectors.words, vectors.vectors, strict=True):
        file.write(_written(word) + b" " + b" ".join(b"%.9g" % number for number in vector.tolist()) + b"\n")


def write_binary(vectors: WordVectors, file: BinaryIO) -> None:
    """Write words and vectors in the binary format.

    Raises:
        UsageError: a word holds white space, which the format cannot tell from the end of a word.
    """
    file.write(_header(vectors))
    for word, vector in zip(vectors.words, vectors.vectors, strict=True):
        file.write(_written(word) + b" " + vector.astype("<f4").tobytes() + b"\n")


def read_vectors(path: Path) -> WordVectors:
    """The vectors in a file of word2vec, plain or gzipped: binary if its name ends in `.bin` or `.bin.gz`, else text.

    The counts are 0: unknown. Of a word that comes twice the first is taken. Words that are not UTF-8, and those whose vector
    holds what is no number, are passed over, and the log says how many.

    Raises:
        SourceError: the file cannot be read, or not to its end; the message names the line or the word.
    """
    suffixes = [suffix for suffix in path.suffixes if suffix != ".gz"]
    try:
        with open_unpacked(path) as file:
            return _gathered(path, *(_binary if suffixes[-1:] == [".bin"] else _text)(path, file))
    except (EOFError, zlib.error) as error:
        raise SourceError(f"{path} cannot be unpacked: {error}") from error
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror or error}") from error


def _gathered(path: Path, promised: int | None, size: int, rows: Iterator[_Row]) -> WordVectors:
    """The rows of a file, which promised so many of them (None: it said nothing), in one array."""
    words: dict[str, None] = {}
    numbers = bytearray()  # grows with what is there, not with what the header says
    bad: Counter[str] = Counter()
    for raw, vector in rows:
        word = raw.decode("utf-8", "replace")
        if "\ufffd" in word and word.encode() != raw:
            bad["not UTF-8"] += 1
        elif word in words:
            bad["there already"] += 1
        elif not np.isfinite(vector).all():
            bad["without numbers"] += 1
        else:
            words[word] = None
            numbers += vector.tobytes()
    if promised is not None and (there := len(words) + bad.total()) != promised:
        raise SourceError(f"{path}: the first line promises {promised:,} words, but there are {there:,}; is it whole?")
    told = ", ".join(f"{count:,} {why}" for why, count in bad.items())
    if bad.total() > len(words) or not words:
        raise SourceError(
            f"{path} holds no word vectors" + (f" but for {len(words):,} words; passed over: {told}" if bad else "")
        )
    if bad:
        _log.warning("%s: words passed over: %s", path, told)
    vectors = np.frombuffer(numbers, np.float32).reshape(len(words), size)
    return WordVectors(list(words), vectors, np.zeros(len(words), np.int64))


def _text(path: Path, file: BinaryIO) -> tuple[int | None, int, Iterator[_Row]]:
    """How many words the header promises, the size of a vector, the rows."""
    first = file.readline(_LARGEST * 32).removeprefix(BOM_UTF8)
    fields = first.split()
    if len(fields) == 2:
        promised, size = _sizes(path, first)
        return promised, size, _text_rows(path, file, size, b"")
    if len(fields) - 1 not in range(1, _LARGEST + 1):
        raise SourceError(f"{path}, line 1: expected `words size`, or a word and its vector; got {first[:40]!r}")
    return None, len(fields) - 1, _text_rows(path, file, len(fields) - 1, first)


def _text_rows(path: Path, file: BinaryIO, size: int, first: bytes) -> Iterator[_Row]:
    """The rows from here on, after the `first`, if it is one."""
    lines = iter(partial(file.readline, _LONGEST + size * 32), b"")
    for number, line in enumerate(chain([first], lines) if first else lines, start=1 if first else 2):
        word, *numbers = line.rstrip().rsplit(b" ", size)  # white space may be part of a word
        if len(numbers) != size:
            raise SourceError(
                f"{path}, line {number}: expected a word and {size} numbers; got {len(numbers)} after {word[:40]!r}"
            )
        try:
            with np.errstate(over="ignore"):  # too large a number becomes inf, and is refused as that
                vector = np.array([float(text) for text in numbers], np.float32)
        except ValueError as error:
            raise SourceError(f"{path}, line {number}: the vector of {word[:40]!r} is not made of numbers ({error})") from error
        if number == 2 and _NUMBERED.search(word):  # a header that tells the wrong size; further on it is a word
            told = word[:40].decode(errors="replace")
            raise SourceError(f"{path}, line 2: expected a word and {size} numbers; got more, or is `{told}` a word?")
        yield word, vector


def _binary(path: Path, file: BinaryIO) -> tuple[int, int, Iterator[_Row]]:
    """How many words the header promises, the size of a vector, the rows."""
    promised, size = _sizes(path, file.readline(_LONGEST).removeprefix(BOM_UTF8))
    return promised, size, _binary_rows(path, file, size, promised)


def _binary_rows(path: Path, file: BinaryIO, size: int, promised: int) -> Iterator[_Row]:
    data, at, length = b"", 0, 4 * size
    for number in range(1, promised + 1):
        if len(data) - at < _LONGEST + length:
            data, at = data[at:] + file.read(max(_CHUNK, _LONGEST + length)), 0
        while data[at : at + 1] == b"\n":
            at += 1
        if at == len(data):
            return
        end = data.find(b" ", at, at + _LONGEST)
        if end < 0:
            raise SourceError(f"{path}, word {number:,}: it has no end; is the size of a vector, {size}, the right one?")
        if len(data) < end + 1 + length:
            raise SourceError(f"{path}, word {number:,} {data[at:end][:40]!r}: the file ends within its vector")
        vector = np.frombuffer(data, "<f4", size, end + 1).astype(np.float32)
        yield data[at:end], vector
        at = end + 1 + length
    if (data[at:] + file.read(1)).strip(b"\n"):
        raise SourceError(f"{path}: more follows the {promised:,} words that its first line promises")


def _sizes(path: Path, line: bytes) -> tuple[int, int]:
    """How many words and numbers the header says."""
    try:
        words, size = (int(text) for text in line.split())
    except ValueError as error:
        raise SourceError(f"{path}, line 1: expected `words size`, two whole numbers; got {line[:40]!r}") from error
    if words < 1 or not 1 <= size <= _LARGEST:
        raise SourceError(f"{path}, line 1: {words} words of {size} numbers; expected at least one, and up to {_LARGEST} numbers")
    return words, size


def _header(vectors: WordVectors) -> bytes:
    return b"%d %d\n" % (len(vectors.words), vectors.size)


def _written(word: str) -> bytes:
    if word.split() != [word] or not word.isprintable():
        raise UsageError(f"the word {word!r} cannot be written: these files hold no white space within words, and only UTF-8")
    return word.encode("utf-8")

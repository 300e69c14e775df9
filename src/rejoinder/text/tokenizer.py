"""Text to tokens and back, without loss: byte-level BPE, so that bits per byte is fair across rungs.

The pieces are bytes, so any text has tokens and `decode(encode(text)) == text`. Three more ids stand above the BPE vocabulary:

    POST    begins a post that answers nothing
    REPLY   begins a post that answers another
    END     ends a post

They are put in by our code alone: no text, whatever it looks like, encodes to one of them.

Source: Sennrich, Haddow & Birch 2016 (BPE), Radford et al. 2019 (over bytes). The library is Hugging Face `tokenizers`.

Explained in docs/tour/01-what-is-a-tensor.md.
"""

from __future__ import annotations

import hashlib
import json
import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import chain, islice
from operator import itemgetter
from pathlib import Path
from typing import Self
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer as Library
from tokenizers import decoders, models, pre_tokenizers, trainers

from rejoinder.errors import DamagedModel, UsageError
from rejoinder.files import write_atomically, write_json

DEFAULT_SIZE = 8192  # BPE pieces, separators not counted
SMALLEST_SIZE = 256  # one piece for each byte
SEPARATORS = 3
_BATCH = 500  # writers whose texts are looked through at a time
# as the library cuts ASCII
_SPLIT = re.compile(r"'(?:s|t|re|ve|m|ll|d)| ?[A-Za-z]+| ?[0-9]+| ?[^\sA-Za-z0-9]+|\s+(?!\S)|\s+", re.ASCII)
_REMEMBERED = 2**16  # words and the like whose tokens are remembered,
_SHORT = 32  # of at most so many characters


class Vocabulary:
    """V tokens and the bytes they stand for; the last three are the separators, which stand for none. Immutable."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        """`pieces`: the bytes of the tokens below the separators, all different."""
        self.size = len(pieces)
        self.post, self.reply, self.end = range(self.size, self.size + SEPARATORS)
        self.vocabulary = self.size + SEPARATORS
        self.bytes: tuple[bytes, ...] = (*pieces, *[b""] * SEPARATORS)  # V byte strings

    @cached_property
    def _by_bytes(self) -> dict[bytes, int]:
        return {piece: token for token, piece in enumerate(self.bytes[: self.size])}

    @cached_property
    def _sorted(self) -> list[tuple[bytes, int]]:
        return sorted((piece, token) for token, piece in enumerate(self.bytes[: self.size]))

    def decode_bytes(self, tokens: Iterable[int]) -> bytes:
        """The bytes that `tokens` stand for."""
        return b"".join(self.bytes[token] for token in tokens)

    def decode(self, tokens: Iterable[int]) -> str:
        """The text that `tokens` stand for; bytes that are no UTF-8 (a character cut in two) become U+FFFD."""
        return self.decode_bytes(tokens).decode("utf-8", errors="replace")

    def starting_with(self, prefix: bytes) -> NDArray[np.int64]:
        """(N,) int64: the tokens whose bytes begin with `prefix`; for an empty prefix all but the separators."""
        first = bisect_left(self._sorted, (prefix,))
        last = len(self._sorted)
        if prefix.rstrip(b"\xff"):
            last = bisect_left(self._sorted, (_after(prefix),))
        return np.array([token for _, token in self._sorted[first:last]], dtype=np.int64)

    def inside(self, text: bytes) -> list[int]:
        """The tokens whose bytes are a beginning of `text`, but not all of it."""
        starts = (self._by_bytes.get(text[:length]) for length in range(1, len(text)))
        return [token for token in starts if token is not None]


class Tokenizer(Vocabulary):
    """A trained byte-level BPE."""

    def __init__(self, library: Library) -> None:
        """Wrap a trained library tokenizer; see `train` and `load`."""
        self._library = library
        to_byte = {ord(character): byte for byte, character in enumerate(byte_alphabet())}
        pieces = sorted(library.get_vocab().items(), key=itemgetter(1))
        super().__init__([piece.translate(to_byte).encode("latin-1") for piece, _ in pieces])

    @classmethod
    def train(cls, texts: Iterable[str], size: int = DEFAULT_SIZE) -> Self:
        """Learn at most `size` pieces from `texts`: the 256 bytes, then the merges met most often."""
        if size < SMALLEST_SIZE:
            raise ValueError(f"`size` must be at least {SMALLEST_SIZE}, one piece for each byte; got {size}")
        library = Library(models.BPE())
        library.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        library.decoder = decoders.ByteLevel()
        alphabet = byte_alphabet()
        trainer = trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, show_progress=False, min_frequency=2)
        library.train_from_iterator((_encodable(text) for text in texts), trainer)
        return cls(library)

    def shared(self, texts: Sequence[Sequence[str]], posts: int) -> Self:
        """The same tokenizer without the pieces that fewer than `posts` writers wrote.

        A piece stands where it is a token, or a part of one by the merges. What is left out leaves other tokens where it stood,
        so this is repeated until every piece is shared; the single bytes stay. Ids are numbered anew.

        Args:
            texts: what each writer wrote (see `rejoinder.text.writers`).
            posts: how many writers at least.
        """
        found = self
        while True:
            kept = found._spread(texts) >= posts
            kept[[found._by_bytes[bytes([byte])] for byte in range(256)]] = True
            if kept.all():
                return found
            found = found._with(kept)

    def first(self, vocabulary: int) -> Self:
        """The same tokenizer with the pieces that were learned first, so that it has at most `vocabulary` tokens in all."""
        if self.vocabulary <= vocabulary:
            return self
        return self._with(np.arange(self.size) < vocabulary - SEPARATORS)

    def _spread(self, texts: Sequence[Sequence[str]]) -> NDArray[np.int64]:
        """(V - 3,) int64: the number of writers in whose texts each piece stands, as a token or as a part of one."""
        parts = self._parts()
        lengths = np.array([len(inside) for inside in parts])
        starts = np.cumsum(lengths) - lengths
        flat = np.array([part for inside in parts for part in inside])
        spread = np.zeros(self.size, dtype=np.int64)
        for first in range(0, len(texts), _BATCH):
            batch = texts[first : first + _BATCH]
            stands = np.zeros((len(batch), self.size), dtype=bool)
            encoded = iter(self.encode_many([text for wrote in batch for text in wrote]))
            for place, wrote in enumerate(batch):
                for tokens in islice(encoded, len(wrote)):
                    stands[place, tokens] = True
            writer, token = stands.nonzero()
            here = lengths[token]
            within = np.arange(here.sum()) - np.repeat(np.cumsum(here) - here, here)  # 0, 1, .. for each token's parts
            stands[np.repeat(writer, here), flat[np.repeat(starts[token], here) + within]] = True
            spread += stands.sum(axis=0)
        return spread

    def _parts(self) -> list[set[int]]:
        """For each piece: itself, and every piece it is merged from, and they from."""
        made: dict[int, list[int]] = {}
        for left, right in self._merges():
            a, b = self._ids[left], self._ids[right]
            made.setdefault(self._ids[left + right], []).extend((a, b))
        parts: list[set[int]] = [{piece} for piece in range(self.size)]
        for piece in sorted(made, key=lambda piece: len(self.bytes[piece])):  # what it is made from is shorter
            parts[piece].update(*(parts[part] for part in made[piece]))
        return parts

    def _with(self, kept: NDArray[np.bool_]) -> Self:
        """The tokenizer of the `kept` pieces, (V - 3,) bool, and the merges among them."""
        description = json.loads(self._library.to_str())
        pieces = [piece for piece, token in sorted(self._ids.items(), key=itemgetter(1)) if kept[token]]
        ids = {piece: token for token, piece in enumerate(pieces)}
        merges = [[a, b] for a, b in self._merges() if a in ids and b in ids and a + b in ids]
        description["model"] |= {"vocab": ids, "merges": merges}
        return type(self)(Library.from_str(json.dumps(description)))

    @cached_property
    def _ids(self) -> dict[str, int]:
        return dict(self._library.get_vocab())

    def _merges(self) -> list[tuple[str, str]]:
        """The merges in their order, as the library writes pieces."""
        merges = json.loads(self._library.to_str())["model"]["merges"]
        return [tuple(merge.split(" ") if isinstance(merge, str) else merge) for merge in merges]

    @classmethod
    def load(cls, file: Path) -> Self:
        """Read a tokenizer that `save` wrote.

        Raises:
            DamagedModel: the file is not there, or no tokenizer of ours.
        """
        try:
            return cls(Library.from_str(file.read_text(encoding="utf-8")))
        except (OSError, UnicodeDecodeError) as error:
            raise DamagedModel(f"tokenizer {file}: {error}; fit again") from error
        except Exception as error:  # the library raises bare Exception on a file it cannot read
            raise DamagedModel(f"tokenizer {file} is damaged ({str(error)[:80]}); fit again") from error

    def save(self, file: Path) -> None:
        """Write the tokenizer as the library's JSON, atomically."""
        write_atomically(file, self._library.to_str().encode())

    def fingerprint(self) -> str:
        """A hash of the vocabulary and its merges: equal tokenizers give equal tokens."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        return hashlib.blake2b(self._library.to_str().encode(), digest_size=16).hexdigest()

    def encode(self, text: str) -> list[int]:
        """The tokens of `text`, none of them a separator. Lone surrogates are read as U+FFFD."""
        ids: list[int] = self._library.encode(_encodable(text)).ids
        return ids

    def encode_many(self, texts: Sequence[str]) -> list[list[int]]:
        """`encode` of many texts: those of ASCII word by word, as remembered; the others by the library, on all cores."""
        by_words = [self._cuts_as_known and text.isascii() for text in texts]
        others = [_encodable(text) for text, known in zip(texts, by_words, strict=True) if not known]
        encoded = iter(self._library.encode_batch_fast(others))
        return [self._by_words(text) if known else next(encoded).ids for text, known in zip(texts, by_words, strict=True)]

    def _by_words(self, text: str) -> list[int]:
        """`encode` of ASCII: no token runs over the places where the library cuts a text."""
        return list(chain.from_iterable(map(self._remembered.__getitem__, _SPLIT.findall(text))))

    @cached_property
    def _remembered(self) -> _Remembered:
        return _Remembered(self._library)

    @cached_property
    def _cuts_as_known(self) -> bool:
        """Whether the library cuts ASCII as `_SPLIT` does, and does nothing else to a text; that of a net may do otherwise."""
        described = json.loads(self._library.to_str())
        cutting = described["pre_tokenizer"] or {}
        parts = cutting.get("pretokenizers", [cutting])
        steps = [(part.get("type"), part.get("add_prefix_space"), part.get("use_regex")) for part in parts]
        others = [described[name] for name in ("normalizer", "post_processor", "added_tokens", "truncation", "padding")]
        return steps == [("ByteLevel", False, True)] and not any([*others, described["model"].get("dropout")])


class _Remembered(dict[str, list[int]]):
    """The tokens of words: an archive repeats its words so often that looking them up is several times faster than merging."""

    def __init__(self, library: Library) -> None:
        """Nothing is remembered yet."""
        self._library = library

    def __missing__(self, word: str) -> list[int]:
        """Ask the library, once if it is short."""
        tokens: list[int] = self._library.encode(word).ids
        if len(self) < _REMEMBERED and len(word) <= _SHORT:
            self[word] = tokens
        return tokens


class WordTokenizer(Vocabulary):
    """Words between spaces as tokens, for public benchmarks and models of other tools; a word it does not know is `<unk>`.

    A token's bytes are the word with a space before it, so that `decode` gives the words with a space before each.
    """

    def __init__(self, words: Sequence[str]) -> None:
        """`words`: all different, in the order of their ids."""
        self.words = tuple(words)
        self._ids = {word: token for token, word in enumerate(words)}
        super().__init__([f" {word}".encode() for word in words])

    @classmethod
    def load(cls, file: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            DamagedModel: the file is not there, or holds no list of words.
        """
        try:
            return cls([str(word) for word in json.loads(file.read_bytes())["words"]])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DamagedModel(f"tokenizer {file}: {error}; fit again") from error

    def save(self, file: Path) -> None:
        """Write the words as JSON, atomically."""
        write_json(file, {"words": self.words})

    def fingerprint(self) -> str:
        """A hash of the words."""
        return hashlib.blake2b("\n".join(self.words).encode(), digest_size=16).hexdigest()

    def encode(self, text: str) -> list[int]:
        """The tokens of the words of `text`.

        Raises:
            UsageError: a word that is not in the vocabulary, nor `<unk>`.
        """
        unknown = self._ids.get("<unk>")
        try:
            return [self._ids.get(word, unknown) if unknown is not None else self._ids[word] for word in text.split()]
        except KeyError as error:
            raise UsageError(f"the word {error} is not in this vocabulary of {self.size:,} words") from None

    def encode_many(self, texts: Sequence[str]) -> list[list[int]]:
        """`encode` of many texts."""
        return [self.encode(text) for text in texts]


AnyTokenizer = Tokenizer | WordTokenizer
_loaded: WeakValueDictionary[bytes, AnyTokenizer] = WeakValueDictionary()  # by the digest of their files


def load_tokenizer(file: Path) -> AnyTokenizer:
    """The tokenizer in a file, of either kind; files of the same bytes give the same one, while it is in use.

    Raises:
        DamagedModel: there is none.
    """
    try:
        written = file.read_bytes()
    except OSError as error:
        raise DamagedModel(f"tokenizer {file}: {error}; fit again") from error
    digest = hashlib.blake2b(written).digest()
    found = _loaded.get(digest)
    if found is None:
        found = _loaded[digest] = (WordTokenizer if b'"words"' in written[:16] else Tokenizer).load(file)
    return found


def _encodable(text: str) -> str:
    """`text` with lone surrogates replaced, so that it has UTF-8 bytes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return "".join("\ufffd" if "\ud800" <= character <= "\udfff" else character for character in text)
    return text


def _after(prefix: bytes) -> bytes:
    """The least byte string above all that begin with `prefix`."""
    kept = prefix.rstrip(b"\xff")
    return kept[:-1] + bytes([kept[-1] + 1])


def byte_alphabet() -> list[str]:
    """The character that byte-level BPE writes for each byte: printable Latin-1 as it is, the others from U+0100 on."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(0x100, 0x200))
    return [chr(byte) if byte in printable else chr(next(others)) for byte in range(256)]

"""Reading GGUF files: what a net of the Llama family is made of, out of one file that others wrote.

The package `gguf` reads them. Before it is asked, the header is walked once, so that no length, count or offset that the file
claims can lead beyond its end: a lying file costs a line, and no memory. Nothing in a file is executed.

Source: the GGUF specification, ggml-org/ggml docs/gguf.md.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rejoinder.errors import SourceError, missing_extra

FAMILY = ("llama", "qwen2")  # architectures that the graph can run
_MAGIC = b"GGUF"
_WIDTHS = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}  # bytes of a scalar, by its type's number
_STRING, _ARRAY = 8, 9
_MOST_DIMS = 4
_MOST_NAMES = 2**16  # keys, and tensors
_NORMAL = 1  # the type of a token that stands for text
_KEYS = {  # of a net: setting -> the key after the architecture's name
    "layers": "block_count",
    "width": "embedding_length",
    "inner": "feed_forward_length",
    "heads": "attention.head_count",
    "longest": "context_length",
}


@dataclass(frozen=True)
class NetShape:
    """The sizes of a net of the Llama family, and two numbers of its formulas."""

    layers: int  # L
    width: int  # D
    inner: int  # F, of the feed-forward part
    heads: int  # A, of queries
    shared: int  # G, heads of keys and values
    head: int  # numbers of a head
    longest: int  # tokens it was trained to read at a time
    base: float  # of the angles of the rotary embedding
    epsilon: float  # of the norms
    halves: bool  # the rotary embedding turns halves of a head (Qwen2), not neighbours (Llama)


@dataclass(frozen=True)
class Tensor:
    """A weight as it lies in the file: (rows, columns), or (columns,)."""

    kind: str  # such as Q4_1
    shape: tuple[int, ...]  # of its numbers
    data: NDArray[Any]  # rows of bytes of a quantised one, else numbers; memory-mapped


@dataclass(frozen=True)
class PieceList:
    """What a file says of its tokenizer."""

    pieces: list[str]  # as byte-level BPE writes them
    is_text: NDArray[np.bool_]  # (P,) whether a piece stands for text, and not for a mark such as the end
    merges: list[tuple[str, str]]
    splitting: str  # the name of how text is split first
    ends: tuple[int, ...]  # marks that end a text
    unknown: int
    first: int  # what a text is read after


@dataclass(frozen=True)
class GGUFNet:
    """A net as it was read."""

    name: str
    licence: str
    architecture: str
    shape: NetShape
    pieces: PieceList
    tensors: Mapping[str, Tensor]
    chat_template: str  # "" if there is none


def read_gguf(file: Path) -> GGUFNet:
    """The net in a GGUF file; its weights stay on the disk until they are used.

    Raises:
        SourceError: it is no such file, not whole, or of an architecture that the graph cannot run.
        MissingExtra: the package `gguf` is not installed.
    """
    try:
        from gguf import GGUFReader
    except ImportError as error:
        raise missing_extra("reading a GGUF file", "pretrained") from error
    try:
        _check_header(file)
        reader = GGUFReader(file)
        return _net(reader, {name: field.contents() for name, field in reader.fields.items()})
    except SourceError as error:
        raise SourceError(f"{file}: {error}") from error
    except OSError as error:
        raise SourceError(f"{file}: {error.strerror or error}") from error
    except Exception as error:  # what the library raises on a file it cannot read shares no class but this
        said = " ".join(str(error).split())[:100]
        raise SourceError(f"{file} is damaged or no GGUF file ({type(error).__name__}: {said}); fetch it again") from error


def _net(reader: Any, found: Mapping[str, Any]) -> GGUFNet:
    architecture = str(found.get("general.architecture"))
    if architecture not in FAMILY:
        raise SourceError(f"the architecture is `{architecture}`; this rejoinder runs {' and '.join(FAMILY)}")
    tensors = {
        one.name: Tensor(one.tensor_type.name, tuple(int(n) for n in reversed(one.shape.tolist())), one.data)
        for one in reader.tensors
    }
    if "rope_freqs.weight" in tensors or found.get(f"{architecture}.rope.scaling.type", "none") != "none":
        raise SourceError("its rotary embedding is stretched, which this rejoinder does not know")
    shape = _shape(architecture, found)
    pieces = _pieces(found)
    name, licence = (str(found.get(f"general.{key}", "")) for key in ("name", "license"))
    return GGUFNet(name, licence, architecture, shape, pieces, tensors, str(found.get("tokenizer.chat_template", "")))


def _shape(architecture: str, found: Mapping[str, Any]) -> NetShape:
    sizes = {setting: _size(found, f"{architecture}.{key}") for setting, key in _KEYS.items()}
    shared = _size(found, f"{architecture}.attention.head_count_kv", sizes["heads"])
    head = _size(found, f"{architecture}.attention.key_length", sizes["width"] // sizes["heads"])
    turned = _size(found, f"{architecture}.rope.dimension_count", head)
    if sizes["heads"] % shared or head % 2 or turned != head or sizes["heads"] * head != sizes["width"]:
        raise SourceError(
            f"its heads ({sizes['heads']} of {head}, {shared} shared, {turned} turned) are not of a kind known here"
        )
    base = float(found.get(f"{architecture}.rope.freq_base", 10_000.0))
    epsilon = float(found.get(f"{architecture}.attention.layer_norm_rms_epsilon", 1e-5))
    if not (0 < base < np.inf and 0 < epsilon < 1):
        raise SourceError(f"its numbers are none (base {base}, epsilon {epsilon})")
    return NetShape(**sizes, shared=shared, head=head, base=base, epsilon=epsilon, halves=architecture == "qwen2")


def _size(found: Mapping[str, Any], key: str, default: int | None = None) -> int:
    value = found.get(key, default)
    if not isinstance(value, int) or not 0 < value < 2**31:
        raise SourceError(f"`{key}` is {value!r}, no size")
    return value


def _pieces(found: Mapping[str, Any]) -> PieceList:
    if (model := found.get("tokenizer.ggml.model")) != "gpt2":
        raise SourceError(f"the tokenizer is `{model}`; this rejoinder reads byte-level BPE (`gpt2`)")
    pieces = list(found.get("tokenizer.ggml.tokens", []))
    kinds = np.array(found.get("tokenizer.ggml.token_type", [_NORMAL] * len(pieces)))
    merges = [tuple(merge.split(" ")) for merge in found.get("tokenizer.ggml.merges", [])]
    numbers = {key: found.get(f"tokenizer.ggml.{key}_token_id") for key in ("eos", "eot", "bos", "unknown")}
    given = [number for number in numbers.values() if number is not None]
    if not pieces or len(kinds) != len(pieces) or not all(isinstance(n, int) and 0 <= n < len(pieces) for n in given):
        raise SourceError(f"the tokenizer's parts do not fit each other ({len(pieces)} pieces, {len(kinds)} kinds, {given})")
    if any(len(merge) != 2 for merge in merges):
        raise SourceError("a merge of the tokenizer is none of two pieces")
    is_text = kinds == _NORMAL
    ends = sorted(n for key in ("eos", "eot") if (n := numbers[key]) is not None and not is_text[n])
    unknown = numbers["unknown"] if numbers["unknown"] is not None else min(ends, default=0)
    first = numbers["bos"] if found.get("tokenizer.ggml.add_bos_token") and numbers["bos"] is not None else unknown
    splitting = str(found.get("tokenizer.ggml.pre", "gpt-2"))
    return PieceList(pieces, is_text, merges, splitting, tuple(ends), unknown, first)


# --- the header, walked within the bounds of the file ------------------------------------------------------------------


def _check_header(file: Path) -> None:
    """Walk over all that the header claims.

    Raises:
        SourceError: something would lie beyond the end of the file.
    """
    with file.open("rb") as opened:
        try:
            data = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError:
            raise SourceError("it is empty") from None
    with data:
        try:
            _Walk(data).whole_file()
        except struct.error:
            raise SourceError("it breaks off within its header; fetch it again") from None


class _Walk:
    def __init__(self, data: mmap.mmap) -> None:
        self.data, self.size, self.at = data, len(data), 0

    def whole_file(self) -> None:
        if self.data[:4] != _MAGIC:
            raise SourceError("it is no GGUF file (it does not begin with GGUF)")
        self.at = 4
        version = self.number("<I")
        if version not in (2, 3):
            raise SourceError(f"it is GGUF of version {version}; this rejoinder reads 2 and 3")
        tensors, keys = self.number("<Q"), self.number("<Q")
        if tensors > _MOST_NAMES or keys > _MOST_NAMES:
            raise SourceError(f"it claims {tensors:,} tensors and {keys:,} keys, more than any net has")
        alignment = 32
        for _ in range(keys):
            key = self.text()
            at, kind = self.at + 4, self.number("<I")
            self.value(kind)
            if key == b"general.alignment" and kind == 4:
                alignment = int(struct.unpack_from("<I", self.data, at)[0])
        if not 0 < alignment <= 2**16:
            raise SourceError(f"it claims an alignment of {alignment} bytes")
        ends = [self.tensor() for _ in range(tensors)]
        start = self.at + -self.at % alignment
        if start + max(ends, default=0) > self.size:
            raise SourceError(f"it breaks off: {start + max(ends):,} bytes are claimed, {self.size:,} are there; fetch it again")

    def number(self, form: str) -> int:
        found = struct.unpack_from(form, self.data, self.at)[0]
        self.at += struct.calcsize(form)
        return int(found)

    def skip(self, size: int) -> int:
        """Go on by so many bytes; where they began."""
        if size > self.size - self.at:
            raise SourceError(f"it claims {size:,} bytes at byte {self.at:,} of {self.size:,}; it is cut short or damaged")
        self.at += size
        return self.at - size

    def text(self) -> bytes:
        size = self.number("<Q")
        start = self.skip(size)
        return self.data[start : start + size]

    def value(self, kind: int, depth: int = 0) -> None:
        if kind == _STRING:
            self.skip(self.number("<Q"))
        elif kind in _WIDTHS:
            self.skip(_WIDTHS[kind])
        elif kind == _ARRAY and not depth:
            inner, count = self.number("<I"), self.number("<Q")
            if inner in _WIDTHS:
                self.skip(count * _WIDTHS[inner])
            else:
                self.skip(0 if count * 8 <= self.size - self.at else count * 8)  # no string is shorter than its length
                for _ in range(count):
                    self.value(inner, depth + 1)
        else:
            raise SourceError(f"it holds a value of the unknown kind {kind}")

    def tensor(self) -> int:
        """The byte where a tensor ends, counted from where tensors begin."""
        from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

        name = self.text()[:64].decode("utf-8", "replace")
        count = self.number("<I")
        if not 1 <= count <= _MOST_DIMS:
            raise SourceError(f"the tensor `{name}` claims {count} axes")
        sizes = [self.number("<Q") for _ in range(count)]
        kind, start = self.number("<I"), self.number("<Q")
        try:
            block, width = GGML_QUANT_SIZES[GGMLQuantizationType(kind)]
        except (ValueError, KeyError):
            raise SourceError(f"the tensor `{name}` is of the unknown type {kind}") from None
        if sizes[0] % block:
            raise SourceError(f"the tensor `{name}` has rows of {sizes[0]:,}, no whole number of blocks of {block}")
        total = 1
        for size in sizes:
            total *= size
        return start + total // block * width

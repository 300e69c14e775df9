"""The tokenizer of a GGUF file as one of ours: byte-level BPE whose bytes are exact, and whose marks no text can forge.

Of the pieces of the file those that stand for text keep their order. Marks such as `<|im_start|>` have no text, so that what a
post says of them is read as letters. A byte that the file has no piece for gets one of its own, which the net reads as unknown.
The three separators stand above, as in every tokenizer here (see `rejoinder.text.tokenizer`).
"""

from __future__ import annotations

import json
from typing import Any

from tokenizers import Tokenizer as Library
from tokenizers import decoders, models

from rejoinder.errors import SourceError
from rejoinder.models.pretrained.gguf_file import PieceList
from rejoinder.text.tokenizer import Tokenizer, byte_alphabet

_LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_BYTES: dict[str, Any] = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
_DIGITS: dict[str, Any] = {"type": "Digits", "individual_digits": True}


def _split(pattern: str) -> list[dict[str, Any]]:
    return [
        {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False},
        {**_BYTES, "use_regex": False},
    ]


_SPLITTING: dict[str, list[dict[str, Any]]] = {  # llama.cpp's names of how text is split before the merges
    "gpt-2": [{**_BYTES, "use_regex": True}],
    "default": [{**_BYTES, "use_regex": True}],
    "smollm": [_DIGITS, {**_BYTES, "use_regex": True}],
    "llama-bpe": _split(_LLAMA3),
    "qwen2": _split(_LLAMA3.replace("{1,3}", "")),
}


def tokenizer_of(found: PieceList) -> Tokenizer:
    """The tokenizer.

    Raises:
        SourceError: its way of splitting text is unknown, or the pieces are not of bytes.
    """
    if found.splitting not in _SPLITTING:
        raise SourceError(f"its tokenizer splits text as `{found.splitting}`; known are {', '.join(_SPLITTING)}")
    text = [piece for piece, is_text in zip(found.pieces, found.is_text, strict=True) if is_text]
    ids = {piece: token for token, piece in enumerate(text)}
    if len(ids) < len(text):
        raise SourceError("two pieces of its tokenizer are the same")
    alphabet = byte_alphabet()
    if not {character for piece in ids for character in piece} <= {*alphabet} or "" in ids:
        raise SourceError("a piece of its tokenizer is not of bytes")
    missing = [character for character in alphabet if character not in ids]
    ids |= {character: len(ids) + place for place, character in enumerate(missing)}
    merges = [[a, b] for a, b in found.merges if a in ids and b in ids and a + b in ids]
    return Tokenizer(Library.from_str(json.dumps(_described(ids, merges, found.splitting))))


def _described(ids: dict[str, int], merges: list[list[str]], splitting: str) -> dict[str, Any]:
    """A tokenizer in the library's JSON."""
    empty = Library(models.BPE(ignore_merges=splitting == "llama-bpe"))
    empty.decoder = decoders.ByteLevel()
    described: dict[str, Any] = json.loads(empty.to_str())
    described["model"] |= {"vocab": ids, "merges": merges}
    described["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": _SPLITTING[splitting]}
    return described

"""GGUF files of nets so small that a test can run them, and a slow, obvious forward pass to compare with."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGMLQuantizationType, GGUFWriter
from gguf.constants import GGML_QUANT_SIZES
from gguf.quants import dequantize, quantize

from rejoinder.text.tokenizer import Tokenizer, byte_alphabet

MARKS = ["<|end|>", "<|start|>"]
PLAIN = ("F32", "F16", "BF16")


@dataclass
class Sizes:
    """Of a net, and the types of its weights."""

    layers: int = 2
    width: int = 64
    inner: int = 96
    heads: int = 4
    shared: int = 2
    longest: int = 512
    architecture: str = "llama"
    kind: str = "F32"
    kinds: dict[str, str] = field(default_factory=dict)  # of weights whose names hold a word
    tied: bool = True
    scale: float = 0.3
    base: float = 10_000.0
    epsilon: float = 1e-5


def texts() -> list[str]:
    from conftest import toy_posts

    return [post.body for post in toy_posts(12)]


def pieces(missing: str = "\x04") -> tuple[list[str], list[str]]:
    """The pieces of a tokenizer after its marks, without one for the byte `missing`; and its merges."""
    trained = Tokenizer.train(texts(), 420)
    ids = trained._ids
    gone = byte_alphabet()[ord(missing)]
    return [*MARKS, *(piece for piece in sorted(ids, key=ids.__getitem__) if piece != gone)], [
        f"{a} {b}" for a, b in trained._merges()
    ]


def write(file: Path, sizes: Sizes, seed: int = 0, weights: dict[str, Any] | None = None, **other: Any) -> dict[str, Any]:
    """Write a net of random weights, but for those given, and `other` keys; the weights, as the file has them, in float32."""
    tokens, merges = pieces()
    s, arch = sizes, sizes.architecture
    writer = GGUFWriter(file, arch)
    writer.add_name("tiny")
    writer.add_license("cc0")
    for key, value in {
        "block_count": s.layers,
        "context_length": s.longest,
        "embedding_length": s.width,
        "feed_forward_length": s.inner,
        "attention.head_count": s.heads,
        "attention.head_count_kv": s.shared,
    }.items():
        writer.add_uint32(f"{arch}.{key}", value)
    writer.add_float32(f"{arch}.rope.freq_base", s.base)
    writer.add_float32(f"{arch}.attention.layer_norm_rms_epsilon", s.epsilon)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([3] * len(MARKS) + [1] * (len(tokens) - len(MARKS)))
    writer.add_token_merges(merges)
    writer.add_eos_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_unk_token_id(0)
    for key, value in other.items():
        writer.add_string(key.replace("__", "."), value)
    rng = np.random.default_rng(seed)
    shapes: dict[str, tuple[int, ...]] = {"token_embd": (len(tokens), s.width), "output_norm": (s.width,)}
    if not s.tied:
        shapes["output"] = shapes["token_embd"]
    shared = s.width // s.heads * s.shared
    for layer in range(s.layers):
        at = f"blk.{layer}."
        shapes |= {f"{at}attn_norm": (s.width,), f"{at}ffn_norm": (s.width,)}
        shapes |= {f"{at}attn_q": (s.width, s.width), f"{at}attn_output": (s.width, s.width)}
        shapes |= {f"{at}attn_k": (shared, s.width), f"{at}attn_v": (shared, s.width)}
        shapes |= {f"{at}ffn_gate": (s.inner, s.width), f"{at}ffn_up": (s.inner, s.width), f"{at}ffn_down": (s.width, s.inner)}
    kept: dict[str, Any] = {}
    for name, shape in shapes.items():
        norm = len(shape) == 1
        array = (rng.standard_normal(shape) * (0.1 if norm else s.scale) + norm).astype(np.float32)
        array = (weights or {}).get(name, array).astype(np.float32)
        kind = "F32" if norm else next((k for word, k in s.kinds.items() if word in name), s.kind)
        kept[name] = _add(writer, f"{name}.weight", array, kind, rng)
    if arch == "qwen2":
        for layer in range(s.layers):
            for part, size in (("q", s.width), ("k", shared), ("v", shared)):
                name = f"blk.{layer}.attn_{part}.bias"
                kept[name] = _add(writer, name, rng.standard_normal(size).astype(np.float32), "F32", rng)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return kept


def _add(writer: GGUFWriter, name: str, array: Any, kind: str, rng: np.random.Generator) -> Any:
    """Put a tensor into a file; what it is then."""
    if kind in ("F32", "F16"):
        array = array.astype(np.float32 if kind == "F32" else np.float16)
        writer.add_tensor(name, array)
        return array.astype(np.float32)
    quantised = GGMLQuantizationType[kind]
    data = random_blocks(array.shape, kind, rng) if kind.endswith("_K") else quantize(array, quantised)
    writer.add_tensor(name, data, raw_dtype=quantised)
    return dequantize(data, quantised)


def random_blocks(shape: tuple[int, ...], kind: str, rng: np.random.Generator) -> Any:
    """(rows, bytes): blocks of a type that `gguf` reads and does not write, with scales that make small numbers."""
    block, width = GGML_QUANT_SIZES[GGMLQuantizationType[kind]]
    data = rng.integers(0, 256, (shape[0], shape[1] // block, width), dtype=np.uint8)
    scales = (rng.random((*data.shape[:2], 2)) * 0.0005).astype(np.float16).view(np.uint8)
    if kind == "Q6_K":
        data[..., -2:] = scales[..., :2]
    else:
        data[..., :4] = scales
        data[..., 4:16] &= 63
    return data.reshape(shape[0], -1)


@cache
def shared() -> Path:
    """A net that has learned which token follows which in the toy posts, and nothing else: the contract asks for as much."""
    from rejoinder.models.pretrained.gguf_file import PieceList
    from rejoinder.models.pretrained.pieces import tokenizer_of

    tokens, merges = pieces()
    is_text = np.array([False] * len(MARKS) + [True] * (len(tokens) - len(MARKS)))
    tokenizer = tokenizer_of(
        PieceList(tokens, is_text, [(a, b) for a, b in (merge.split(" ") for merge in merges)], "gpt-2", (0,), 0, 0)
    )
    width = -(-len(tokens) // 64) * 64
    follows = np.full((len(tokens), len(tokens)), 0.01)
    for text in texts():
        row = [token + len(MARKS) for token in tokenizer.encode(text)]
        np.add.at(follows, ([0, *row], [*row, 0]), 1)
    embedding = np.eye(len(tokens), width)
    output = np.zeros((len(tokens), width))
    output[:, : len(tokens)] = np.log(follows / follows.sum(1, keepdims=True)).T / np.sqrt(width)
    file = Path(tempfile.mkdtemp(prefix="rejoinder-tiny-")) / "tiny.gguf"
    sizes = Sizes(width=width, heads=width // 64, shared=1, inner=64, tied=False, scale=0.002)
    write(file, sizes, weights={"token_embd": embedding, "output": output, "output_norm": np.ones(width)})
    return file


def forward(sizes: Sizes, weights: dict[str, Any], tokens: list[int]) -> Any:
    """(T, V) float64, nats: what comes after each of `tokens`, as the formulas have it, one head and token at a time."""
    s = sizes
    w = {name: np.asarray(array, np.float64) for name, array in weights.items()}
    head, group = s.width // s.heads, s.heads // s.shared

    def norm(x: Any, by: Any) -> Any:
        return x / np.sqrt((x**2).mean(-1, keepdims=True) + s.epsilon) * by

    def turn(x: Any, position: int) -> Any:
        """A head's numbers, pairs of them turned by an angle."""
        found = x.copy()
        for pair in range(head // 2):
            a, b = (pair, pair + head // 2) if s.architecture == "qwen2" else (2 * pair, 2 * pair + 1)
            angle = position * s.base ** (-2 * pair / head)
            found[a] = x[a] * np.cos(angle) - x[b] * np.sin(angle)
            found[b] = x[a] * np.sin(angle) + x[b] * np.cos(angle)
        return found

    x = w["token_embd"][tokens]
    for layer in range(s.layers):
        at = f"blk.{layer}."
        n = norm(x, w[f"{at}attn_norm"])
        q, k, v = (n @ w[f"{at}attn_{part}"].T + w.get(f"{at}attn_{part}.bias", 0.0) for part in "qkv")
        seen = np.zeros_like(x)
        for h in range(s.heads):
            of = slice(h * head, (h + 1) * head)
            to = slice(h // group * head, (h // group + 1) * head)
            for t in range(len(tokens)):
                scores = np.array([turn(q[t, of], t) @ turn(k[u, to], u) for u in range(t + 1)]) / np.sqrt(head)
                shares = np.exp(scores - scores.max())
                seen[t, of] = shares / shares.sum() @ v[: t + 1, to]
        x = x + seen @ w[f"{at}attn_output"].T
        n = norm(x, w[f"{at}ffn_norm"])
        gate = n @ w[f"{at}ffn_gate"].T
        x = x + (gate / (1 + np.exp(-gate)) * (n @ w[f"{at}ffn_up"].T)) @ w[f"{at}ffn_down"].T
    logits = norm(x, w["output_norm"]) @ w.get("output", w["token_embd"]).T
    logits -= logits.max(-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))

"""A folder of a BERT encoder so small that a test can run it, and a slow, obvious forward pass to compare with."""

from __future__ import annotations

import json
import math
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

TOPICS = ("bread", "dough", "cold", "flour", "engine", "stall", "fuel")
LAYERS, WIDTH, INNER, HEADS, LONGEST, EPSILON = 2, 32, 48, 4, 40, 1e-12


def write(folder: Path, seed: int = 0, scale: float = 0.05, prefix: str = "", **settings: Any) -> dict[str, Any]:
    """Write the three files, of random weights; these, in float32."""
    from conftest import toy_posts

    known = sorted({word.lower() for post in toy_posts(9) for word in post.body.split() if word.isalpha()})
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *known]
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "model_type": "bert",
        "hidden_act": "gelu",
        "num_hidden_layers": LAYERS,
        "hidden_size": WIDTH,
        "intermediate_size": INNER,
        "num_attention_heads": HEADS,
        "vocab_size": len(pieces),
        "max_position_embeddings": LONGEST,
        "type_vocab_size": 2,
        "layer_norm_eps": EPSILON,
    }
    (folder / "config.json").write_text(json.dumps({**config, **settings}), encoding="utf-8")
    (folder / "tokenizer.json").write_text(_tokenizer(pieces), encoding="utf-8")
    rng = np.random.default_rng(seed)
    shapes = {
        "embeddings.word_embeddings.weight": (len(pieces), WIDTH),
        "embeddings.position_embeddings.weight": (LONGEST, WIDTH),
        "embeddings.token_type_embeddings.weight": (2, WIDTH),
    }
    for layer in range(LAYERS):
        at = f"encoder.layer.{layer}."
        for part in ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"):
            shapes |= {f"{at}{part}.weight": (WIDTH, WIDTH), f"{at}{part}.bias": (WIDTH,)}
        shapes |= {f"{at}intermediate.dense.weight": (INNER, WIDTH), f"{at}intermediate.dense.bias": (INNER,)}
        shapes |= {f"{at}output.dense.weight": (WIDTH, INNER), f"{at}output.dense.bias": (WIDTH,)}
    weights = {name: rng.standard_normal(shape).astype(np.float32) * scale for name, shape in shapes.items()}
    words = weights["embeddings.word_embeddings.weight"]
    words *= 1 / scale
    words[[place for place, piece in enumerate(pieces) if piece not in TOPICS]] = words[0]  # what is about nothing is alike
    for at in ("embeddings.", *(f"encoder.layer.{n}.{one}." for n in range(LAYERS) for one in ("attention.output", "output"))):
        weights[f"{at}LayerNorm.weight"] = (1 + rng.standard_normal(WIDTH) * scale).astype(np.float32)
        weights[f"{at}LayerNorm.bias"] = (rng.standard_normal(WIDTH) * scale).astype(np.float32)
    save_file({prefix + name: array for name, array in weights.items()}, folder / "model.safetensors")
    return weights


def _tokenizer(pieces: list[str]) -> str:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    library = Tokenizer(models.WordPiece({piece: number for number, piece in enumerate(pieces)}, unk_token="[UNK]"))
    library.normalizer = normalizers.BertNormalizer(lowercase=True)
    library.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    library.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    return str(library.to_str())


@cache
def shared() -> Path:
    """One folder for all tests of this process. Its layers hardly matter, so that texts with the same words are alike."""
    folder = Path(tempfile.mkdtemp(prefix="rejoinder-tiny-bert-"))
    write(folder, scale=0.02)
    return folder


def forward(weights: dict[str, Any], tokens: list[int]) -> Any:
    """(D,) float64 of length 1, one token and one head at a time."""
    w = {name: np.asarray(array, np.float64) for name, array in weights.items()}
    head = WIDTH // HEADS

    def linear(x: Any, name: str) -> Any:
        return w[f"{name}.weight"] @ x + w[f"{name}.bias"]

    def norm(x: Any, name: str) -> Any:
        away = x - x.mean()
        return away / np.sqrt((away**2).mean() + EPSILON) * w[f"{name}.LayerNorm.weight"] + w[f"{name}.LayerNorm.bias"]

    def gelu(x: Any) -> Any:
        return np.array([a * 0.5 * (1 + math.erf(a / math.sqrt(2))) for a in x])

    word, place, kind = (w[f"embeddings.{name}_embeddings.weight"] for name in ("word", "position", "token_type"))
    xs = [norm(word[token] + place[at] + kind[0], "embeddings") for at, token in enumerate(tokens)]
    for layer in range(LAYERS):
        at = f"encoder.layer.{layer}."
        q, k, v = ([linear(x, f"{at}attention.self.{part}") for x in xs] for part in ("query", "key", "value"))
        seen = []
        for query in q:
            found = np.zeros(WIDTH)
            for h in range(HEADS):
                of = slice(h * head, (h + 1) * head)
                shares = np.exp([query[of] @ key[of] / math.sqrt(head) for key in k])
                found[of] = sum(share * value[of] for share, value in zip(shares / shares.sum(), v, strict=True))
            seen.append(found)
        xs = [norm(x + linear(s, f"{at}attention.output.dense"), f"{at}attention.output") for x, s in zip(xs, seen, strict=True)]
        xs = [norm(x + linear(gelu(linear(x, f"{at}intermediate.dense")), f"{at}output.dense"), f"{at}output") for x in xs]
    mean = np.mean(xs, axis=0)
    return mean / np.linalg.norm(mean)

"""What fitting Kneser-Ney costs as the text grows: 1/8, 1/4, 1/2 and all posts of a real archive.

Each size is a process of its own, so that its peak memory is its own. The tokenizer (8,192 pieces) is learned once, from the
first eighth: what is timed is counting and building the index from token arrays.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from itertools import islice
from pathlib import Path
from time import perf_counter

import numpy as np
from figures import arguments, real_archive, report

from rejoinder.archive.source import Hasher
from rejoinder.archive.sources.hackernews import SOURCE as HACKER_NEWS
from rejoinder.models.kneser_ney import KneserNey, KneserNeyConfig
from rejoinder.post import Post
from rejoinder.text.ngrams import Room, count_ngrams
from rejoinder.text.tensors import TokenArrays, post_tokens
from rejoinder.text.tokenizer import Tokenizer

SHARES = (0.125, 0.25, 0.5, 1.0)


def prepare(name: str, directory: Path) -> None:
    """Tokens of all posts of the archive, and the tokenizer."""
    items = (item for item in HACKER_NEWS.read(real_archive(name), Hasher()) if isinstance(item, Post) and item.body)
    posts = list(items)
    tokenizer = Tokenizer.train(post.own_text for post in posts[: len(posts) // 8])
    tokenizer.save(directory / "tokenizer.json")
    parts = []
    source = iter(posts)
    while batch := list(islice(source, 5_000)):
        parts.append(post_tokens(batch, tokenizer))
    np.save(directory / "tokens.npy", np.concatenate([part.tokens for part in parts]))
    lengths = np.concatenate([np.diff(part.offsets) for part in parts])
    np.save(directory / "offsets.npy", np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))


def fit(directory: Path, share: float, memory: int) -> None:
    """One fit; prints what it cost as JSON."""
    tokenizer = Tokenizer.load(directory / "tokenizer.json")
    tokens, offsets = (np.load(directory / f"{name}.npy", mmap_mode="r") for name in ("tokens", "offsets"))
    posts = int(share * (len(offsets) - 1))
    arrays = TokenArrays(tokens, offsets[: posts + 1], np.arange(posts))
    began = perf_counter()
    counts = count_ngrams(arrays, 5, tokenizer.vocabulary, Room(memory))
    counted, peak = perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    model = KneserNey.from_counts(KneserNeyConfig(memory=memory), tokenizer, counts)
    cost = {
        "tokens": int(offsets[posts]),
        "ngrams": sum(len(level.token) for level in model.index),
        "count": counted - began,
        "build": perf_counter() - counted,
        "counting": peak,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print(json.dumps(cost))


def main() -> None:
    options = {
        "archive": (str, "lists.jsonl.gz", "which"),
        "memory": (int, 2**30, "bytes for counting"),
        "fit": (str, "", "internal"),
    }
    args = arguments(__doc__ or "", **options, share=(float, 1.0, "internal"))
    if args.fit:
        fit(Path(args.fit), args.share, args.memory)
        return
    with tempfile.TemporaryDirectory() as directory:
        prepare(args.archive, Path(directory))
        for share in SHARES:
            command = [sys.executable, __file__, "--fit", directory, "--share", str(share), "--memory", str(args.memory)]
            cost = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            name = f"{share:g} of {args.archive}: {cost['tokens'] / 1e6:.1f}M tokens, {cost['ngrams'] / 1e6:.1f}M n-grams"
            report(f"{name}, count and build", [cost["count"] + cost["build"]], "s", as_json=args.json)
            report(f"{name}, peak while counting", [cost["counting"]], "MB", as_json=args.json)
            report(f"{name}, peak", [cost["peak"]], "MB", as_json=args.json)


if __name__ == "__main__":
    main()

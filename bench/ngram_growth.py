"""What fitting Kneser-Ney costs as the text grows: parts of an archive, or all of it several times over in other words.

Each size is a process of its own, so that its peak memory is its own. The tokenizer (8,192 pieces) is learned once, from the
first eighth: what is timed is counting and building the index from token arrays.

    python bench/ngram_growth.py                                        real mailing lists, 34 million tokens
    python bench/ngram_growth.py --archive talk --order 5               talk and lists together, some 110 million words
    python bench/ngram_growth.py --posts 4000000 --order 3              posts that nobody wrote (bench/synthetic.py)
    python bench/ngram_growth.py --times 10 --order 3 --shares 0.1,1    the archive ten times, each time in other words

A repetition in other words has each token replaced by another, drawn once for each repetition among those about as frequent.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from time import perf_counter

import numpy as np
import synthetic
from figures import arguments, real_archive, report

from rejoinder.archive.source import Hasher
from rejoinder.archive.sources.hackernews import SOURCE as HACKER_NEWS
from rejoinder.archive.streams import open_stream
from rejoinder.models.kneser_ney import KneserNey, KneserNeyConfig
from rejoinder.post import Post
from rejoinder.scale.processes import Processes
from rejoinder.text.calls import HERE
from rejoinder.text.counting import Room, count_ngrams
from rejoinder.text.tensors import TokenArrays, post_tokens
from rejoinder.text.tokenizer import Tokenizer

_LEARNED_FROM = 20_000  # posts that the tokenizer is learned from
_NEAR = 64  # ranks within which a token is replaced by another


def read(name: str) -> Iterator[Post]:
    """The posts of an archive; `talk`: those of the mailing lists and all files of talk."""
    if name == "talk":
        files = sorted((real_archive("lists.jsonl.gz").parent / "talk").glob("*.jsonl.zst"))
        yield from chain(read("lists.jsonl.gz"), *(plain(file) for file in files))
        return
    file = Path(name) if Path(name).is_file() else real_archive(name)
    yield from (item for item in HACKER_NEWS.read(file, Hasher()) if isinstance(item, Post) and item.body)


def plain(file: Path) -> Iterator[Post]:
    """The posts of a file whose text is plain."""
    with open_stream(file) as opened:
        for line in opened:
            record = json.loads(line)
            if record.get("text"):
                parent = record.get("parent")
                yield Post(record["id"], "comment" if parent else "story", record["text"], parent=parent)  # type: ignore[arg-type]


def prepare(posts: Iterator[Post], directory: Path, times: int) -> None:
    """Tokens of all posts, `times` over, and the tokenizer."""
    first = list(islice(posts, _LEARNED_FROM))
    tokenizer = Tokenizer.train(post.own_text for post in first)
    tokenizer.save(directory / "tokenizer.json")
    lengths, source = [], chain(first, posts)
    with (directory / "tokens.raw").open("wb") as file:
        while batch := list(islice(source, 5_000)):
            part = post_tokens(batch, tokenizer)
            part.tokens.tofile(file)
            lengths.append(np.diff(part.offsets))
    tokens = np.memmap(directory / "tokens.raw", dtype=part.tokens.dtype, mode="r")
    target = np.lib.format.open_memmap(directory / "tokens.npy", mode="w+", dtype=tokens.dtype, shape=(len(tokens) * times,))
    ranked = np.argsort(-np.bincount(tokens, minlength=tokenizer.vocabulary), kind="stable")
    ranked = ranked[~np.isin(ranked, [tokenizer.post, tokenizer.reply, tokenizer.end])]
    for number in range(times):
        other = np.arange(tokenizer.vocabulary, dtype=tokens.dtype)
        drawn = np.argsort(np.arange(len(ranked)) + np.random.default_rng(number).uniform(0, _NEAR * (number > 0), len(ranked)))
        other[ranked] = ranked[drawn]
        target[number * len(tokens) : (number + 1) * len(tokens)] = other[tokens]
    target.flush()
    np.save(directory / "offsets.npy", np.concatenate([[0], np.cumsum(np.tile(np.concatenate(lengths), times))]).astype(np.int64))


def peak_memory() -> float:
    """MB of this process at most so far. What `getrusage` says begins with what the parent had."""
    status = Path("/proc/self/status")
    if not status.is_file():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return int(next(line for line in status.read_text().splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


def fit(directory: Path, share: float, order: int, memory: int, shards: int) -> None:
    """One fit; prints what it cost as JSON."""
    tokenizer = Tokenizer.load(directory / "tokenizer.json")
    tokens, offsets = (np.load(directory / f"{name}.npy", mmap_mode="r") for name in ("tokens", "offsets"))
    posts = int(share * (len(offsets) - 1))
    arrays = TokenArrays(tokens, offsets[: posts + 1], offsets[:posts])
    before = peak_memory()
    began = perf_counter()
    with tempfile.TemporaryDirectory(dir=directory) as workdir:
        room = Room(memory, Path(workdir), runner=Processes(shards) if shards > 1 else HERE)
        counts = count_ngrams(arrays, order, tokenizer.vocabulary, room)
        counted, peak = perf_counter(), peak_memory()
        model = KneserNey.from_counts(KneserNeyConfig(order=order, memory=memory), tokenizer, counts, room=room)
        built, highest = perf_counter(), peak_memory()
        model.save(Path(workdir) / "model")
        cost = {
            "tokens": int(offsets[posts]),
            "ngrams": sum(len(level.token) for level in model.index),
            "count": counted - began,
            "build": built - counted,
            "save": perf_counter() - built,
            "processor": sum(os.times()[:4]),
            "before": before,
            "counting": peak,
            "peak": highest,
            "saved": peak_memory(),
            "index": sum(array.nbytes for level in model.index for array in vars(level).values()) / 2**20,
            "disk": sum(file.stat().st_size for file in Path(workdir).rglob("*") if file.is_file()) / 2**20,
        }
    print(json.dumps(cost))


def main() -> None:
    options = {
        "archive": (str, "lists.jsonl.gz", "which; talk: talk and lists"),
        "posts": (int, 0, "synthetic ones instead"),
        "times": (int, 1, "how often over, in other words"),
        "shares": (str, "0.125,0.25,0.5,1", "of the posts"),
        "order": (int, 5, "tokens of the longest n-grams"),
        "memory": (int, 2**30, "bytes for counting and indexing"),
        "shards": (int, 1, "processes that count at a time"),
        "workdir": (str, "", "where to work"),
        "fit": (str, "", "internal"),
        "share": (float, 1.0, "internal"),
    }
    args = arguments(__doc__ or "", **options)
    if args.fit:
        fit(Path(args.fit), args.share, args.order, args.memory, args.shards)
        return
    with tempfile.TemporaryDirectory(dir=args.workdir or None) as directory:
        name = args.archive
        if args.posts:
            synthetic.write(Path(directory) / "synthetic.jsonl", args.posts)
            name = str(Path(directory) / "synthetic.jsonl")
        prepare(read(name), Path(directory), args.times)
        for share in args.shares.split(","):
            command = [sys.executable, __file__, "--fit", directory, "--share", share]
            command += ["--order", str(args.order), "--memory", str(args.memory), "--shards", str(args.shards)]
            cost = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
            what = f"{share} of {Path(name).name} x{args.times}, order {args.order}"
            what += f": {cost['tokens'] / 1e6:.1f}M tokens, {cost['ngrams'] / 1e6:.1f}M n-grams"
            units = {"count": "s", "build": "s", "save": "s", "processor": "s"}
            for figure, unit in {**units, **dict.fromkeys(list(cost)[6:], "MB")}.items():
                report(f"{what}, {figure}", [cost[figure]], unit, as_json=args.json)


if __name__ == "__main__":
    main()

"""How everything grows with an archive: import, fit, disk, memory, opening, replies and keystrokes, at several sizes.

    python bench/growth.py --sizes 30000,100000,300000        posts that nobody wrote (bench/synthetic.py)
    python bench/growth.py --sizes 1000000,4000000,16000000 --workdir DIR      a day's work, and 150 GB of DIR

For each figure the exponent is given, of a straight line through the logarithms: 1 is in proportion to the posts. Times of import
and fit are the processor's, so that other work beside them matters little. Memory is the peak of the whole process.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np
import synthetic
from figures import arguments, command_cost, report

from rejoinder.archive.reader import held_out
from rejoinder.engine.typing import Engine
from rejoinder.home.replies import replier
from rejoinder.home.voices import phrases_of
from rejoinder.home.workspace import Workspace
from rejoinder.models.kneser_ney import KneserNey
from rejoinder.post import Post

_POSTS, _KEYS = 60, 40  # test posts answered and typed; letters typed of each


def some_posts(space: Workspace) -> list[tuple[Post, ...]]:
    """Test posts, each with its context."""
    found = []
    with space.open_archive() as archive:
        for thread in held_out(archive):
            found += [(*thread.context(post), post) for post in thread.posts[:1] if post.body]
            if len(found) == _POSTS:
                break
    return found


def serve(home: Path) -> None:
    """Open a home, answer and type; prints what it took as JSON."""
    space = Workspace(home)
    asked = some_posts(space)
    began = perf_counter()
    model = space.load("kneser_ney")
    assert isinstance(model, KneserNey)
    engine = Engine({"kneser_ney": model}, {}, phrases_of(space, "kneser_ney", lambda line: None))
    opened = perf_counter() - began
    keys, replies = [], []
    for *context, post in asked:
        session = engine.open(context)
        for place in range(1, min(_KEYS, len(post.own_text))):
            began = perf_counter()
            session.suggest(post.own_text[:place])
            keys.append(perf_counter() - began)
    answering = replier(space)
    for posts in asked:
        began = perf_counter()
        answering.reply(posts)
        replies.append(perf_counter() - began)
    took = {"open, ms": opened, "keystroke p50, ms": float(np.median(keys)), "reply p50, ms": float(np.median(replies))}
    print(json.dumps({name: 1000 * value for name, value in took.items()}))


def measure(posts: int, directory: Path, memory: int) -> dict[str, float]:
    """The figures of one size."""
    home, file = directory / "home", directory / "synthetic.jsonl"
    synthetic.write(file, posts)
    found: dict[str, float] = {}
    program, at = [sys.executable, "-m", "rejoinder"], ["--home", str(home)]
    rungs = {"kneser_ney": ["--memory", str(memory)], "bm25": []}
    commands = {"import": ["import", str(file), "--source", "synthetic"]}
    commands |= {f"fit {name}": ["fit", name, *options] for name, options in rungs.items()}
    for name, command in commands.items():
        cost = command_cost([*program, *command, *at])
        found |= {f"{name}, processor s": cost.processor, f"{name}, peak MB": cost.peak}
    sizes = {"archive": home / "archive.db", **{name: home / "models" / name for name in rungs}}
    for name, place in sizes.items():
        files = [place] if place.is_file() else [one for one in place.rglob("*") if one.is_file()]
        found[f"{name}, MB on disk"] = sum(one.stat().st_size for one in files) / 2**20
    out = directory / "served.json"
    with out.open("w") as said:
        found["serving, peak MB"] = command_cost([sys.executable, __file__, "--serve", str(home)], stdout=said).peak
    found.update(json.loads(out.read_text()))
    return found


def main() -> None:
    args = arguments(
        __doc__ or "",
        sizes=(str, "30000,100000,300000", "posts"),
        memory=(int, 256, "MiB for counting n-grams"),
        workdir=(str, "", "where to work"),
        serve=(str, "", "internal"),
    )
    if args.serve:
        serve(Path(args.serve))
        return
    sizes = [int(size) for size in args.sizes.split(",")]
    rows = []
    for posts in sizes:
        with tempfile.TemporaryDirectory(dir=args.workdir or None) as directory:
            rows.append(measure(posts, Path(directory), args.memory))
        for name, value in rows[-1].items():
            report(f"{posts:,} posts: {name.rpartition(', ')[0]}", [value], name.rpartition(", ")[2], as_json=args.json)
    for name in rows[0] if len(rows) > 1 else ():
        exponent = np.polyfit(np.log(sizes), np.log([max(row[name], 1e-9) for row in rows]), 1)[0]
        report(f"exponent: {name}", [float(exponent)], "", as_json=args.json)


if __name__ == "__main__":
    main()

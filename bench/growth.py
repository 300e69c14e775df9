"""How everything grows with an archive: import, fit, disk, memory, opening, replies and keystrokes, at several sizes.

    python bench/growth.py --sizes 30000,100000,300000        posts that nobody wrote (bench/synthetic.py)
    python bench/growth.py --sizes 250000,1000000,4000000 --workdir DIR      hours of work, and 20 GB of DIR

For each figure the exponent is given, of a straight line through the logarithms: 1 is in proportion to the posts. Times are the
processor's, so that other work beside them matters little; those of a fit stage by stage, too. `peak` is
the most memory of the whole process, pages of mapped files among it; `own`, what of it is no file's, so that the system cannot
take it back; `disk`, the most that lay in the home meanwhile.

What was measured is kept in DIR/growth.json, step by step, and not measured again: who stops it goes on from there.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from time import process_time

import numpy as np
import synthetic
from figures import arguments, command_cost, report

from rejoinder.archive.reader import held_out
from rejoinder.engine.typing import Engine
from rejoinder.files import tree_size, write_json
from rejoinder.home.fitting import FitConfig, fit
from rejoinder.home.replies import replier
from rejoinder.home.voices import phrases_of
from rejoinder.home.workspace import Workspace
from rejoinder.models.kneser_ney import KneserNey
from rejoinder.post import Post

_POSTS, _KEYS = 60, 40  # test posts answered and typed; letters typed of each
_LOOK = 1.0  # seconds between two looks at the disk

Figures = dict[str, float]


def some_posts(space: Workspace) -> list[tuple[Post, ...]]:
    """Test posts, each with its context."""
    found = []
    with space.open_archive() as archive:
        for thread in held_out(archive):
            found += [(*thread.context(post), post) for post in thread.posts[:1] if post.body]
            if len(found) == _POSTS:
                break
    return found


def serve(home: Path) -> Figures:
    """Open a home, answer and type: what it took."""
    space = Workspace(home)
    asked = some_posts(space)
    took = _type(space, asked) if space.fitted("kneser_ney") else {}
    answering, replies = replier(space), []
    for posts in asked:
        began = process_time()
        answering.reply(posts)
        replies.append(process_time() - began)
    took["reply p50, ms"] = float(np.median(replies))
    return {name: 1000 * value for name, value in took.items()}


def _type(space: Workspace, asked: list[tuple[Post, ...]]) -> Figures:
    """The seconds it takes to open the counts, and for a letter."""
    began = process_time()
    model = space.load("kneser_ney")
    assert isinstance(model, KneserNey)
    engine = Engine({"kneser_ney": model}, {}, phrases_of(space, "kneser_ney", lambda line: None))
    opened, keys = process_time() - began, []
    for *context, post in asked:
        session = engine.open(context)
        for place in range(1, min(_KEYS, len(post.own_text))):
            began = process_time()
            session.suggest(post.own_text[:place])
            keys.append(process_time() - began)
    return {"open, ms": opened, "keystroke p50, ms": float(np.median(keys))}


def fit_in_stages(home: Path, name: str, memory: int) -> Figures:
    """Fit a rung as the command does: the seconds of the processor of each stage."""
    took: defaultdict[str, float] = defaultdict(float)
    stage, since = "before", sum(os.times()[:4])

    def told(what: str, done: int, total: int | None) -> None:
        nonlocal stage, since
        now = sum(os.times()[:4])
        took[stage] += now - since
        stage, since = what, now

    settings = {"kneser_ney": {"memory": memory * 2**20}} if name == "kneser_ney" else {}
    failed = fit(Workspace(home), [name], FitConfig(), settings, told)
    if failed:
        sys.exit(f"{name}: {failed[name]}")
    told("", 0, None)
    return {f"fit {name}: {what}, processor s": seconds for what, seconds in took.items()}


@dataclass
class Disk:
    """The most that lay in a folder, in MB."""

    most: float = 0.0


@contextmanager
def watched(folder: Path) -> Iterator[Disk]:
    """Look at a folder for as long as the block lasts."""
    found, over = Disk(), Event()

    def look() -> None:
        while not over.wait(_LOOK):
            found.most = max(found.most, taken(folder))

    looking = Thread(target=look, daemon=True)
    looking.start()
    try:
        yield found
    finally:
        over.set()
        looking.join()
        found.most = max(found.most, taken(folder))


def taken(folder: Path) -> float:
    """MB that the files of a folder take: one with two names once, and not what was never written of one."""
    found: dict[tuple[int, int], int] = {}
    for where, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):  # it was there a moment ago
                status = os.lstat(Path(where, name))
                found[status.st_dev, status.st_ino] = 512 * status.st_blocks
    return sum(found.values()) / 2**20


def step(name: str, command: list[str], home: Path) -> Figures:
    """What a command took, and what it said of itself."""
    with tempfile.TemporaryFile("w+") as said, watched(home) as disk:
        cost = command_cost(command, stdout=said)
        said.seek(0)
        lines = said.read().strip().splitlines()
    found = {"processor s": cost.processor, "peak MB": cost.peak, "own MB": cost.own, "disk MB": disk.most}
    own = json.loads(lines[-1]) if lines and lines[-1].startswith("{") else {}
    return {f"{name}, {what}": value for what, value in found.items()} | own


class Kept:
    """Figures that were measured, by size, in a file."""

    def __init__(self, file: Path) -> None:
        """What is there already counts."""
        self._file = file
        self.rows: dict[str, Figures] = json.loads(file.read_text()) if file.is_file() else {}

    def keep(self, size: int, found: Figures) -> None:
        """Keep the figures of a step."""
        self.rows.setdefault(str(size), {}).update(found)
        write_json(self._file, self.rows)


def measure(posts: int, directory: Path, memory: int, rungs: list[str], kept: Kept) -> None:
    """The figures of one size, as far as they are not known."""
    home, file = directory / "home", directory / "synthetic.jsonl"
    known = kept.rows.get(str(posts), {})
    own = [sys.executable, __file__, "--memory", str(memory)]
    commands = {"import": [sys.executable, "-m", "rejoinder", "import", str(file), "--source", "synthetic", "--home", str(home)]}
    commands |= {f"fit {name}": [*own, "--fit", name, "--home", str(home)] for name in rungs}
    commands |= {"serving": [*own, "--serve", "yes", "--home", str(home)]}
    for name, command in commands.items():
        if f"{name}, processor s" in known:
            continue
        if name == "import":
            shutil.rmtree(directory, ignore_errors=True)
            home.mkdir(parents=True)
            synthetic.write(file, posts)
        kept.keep(posts, step(name, command, home))
        if name == "import":
            file.unlink()
    sizes = {"archive": home / "archive.db", **{name: home / "models" / name for name in rungs}}
    kept.keep(
        posts,
        {f"{name}, MB on disk": (tree_size(at) if at.is_dir() else at.stat().st_size) / 2**20 for name, at in sizes.items()},
    )


def main() -> None:
    args = arguments(
        __doc__ or "",
        sizes=(str, "30000,100000,300000", "posts"),
        memory=(int, 256, "MiB for counting n-grams"),
        rungs=(str, "kneser_ney,bm25", "what to fit, with commas"),
        workdir=(str, "", "where to work"),
        keep=(int, 0, "1: the homes stay"),
        home=(str, "", "internal"),
        fit=(str, "", "internal"),
        serve=(str, "", "internal"),
    )
    if args.fit or args.serve:
        print(json.dumps(serve(Path(args.home)) if args.serve else fit_in_stages(Path(args.home), args.fit, args.memory)))
        return
    sizes, rungs = [int(size) for size in args.sizes.split(",")], args.rungs.split(",")
    with tempfile.TemporaryDirectory() as scratch:
        workdir = Path(args.workdir or scratch)
        kept = Kept(workdir / "growth.json")
        for posts in sizes:
            if not {f"{name}, MB on disk" for name in ("archive", *rungs)} <= kept.rows.get(str(posts), {}).keys():
                measure(posts, workdir / str(posts), args.memory, rungs, kept)
            for name, value in kept.rows[str(posts)].items():
                report(f"{posts:,} posts: {name.rpartition(', ')[0]}", [value], name.rpartition(", ")[2], as_json=args.json)
            if not args.keep:
                shutil.rmtree(workdir / str(posts), ignore_errors=True)
    rows = [kept.rows[str(size)] for size in sizes]
    for name in rows[0] if len(rows) > 1 else ():
        exponent = np.polyfit(np.log(sizes), np.log([max(row[name], 1e-9) for row in rows]), 1)[0]
        report(f"exponent: {name}", [float(exponent)], "", as_json=args.json)


if __name__ == "__main__":
    main()

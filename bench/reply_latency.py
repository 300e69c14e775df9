"""How long a reply takes: in a warm process, over test-split posts of the real archive, and as a new process.

The archive is imported and fitted once, in a home that is kept with `--home`. No reply may come from the thread it answers.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np
from figures import arguments, real_archive, report

from rejoinder.archive.reader import held_out
from rejoinder.engine.replying import Replier
from rejoinder.models import Can
from rejoinder.workspace import Workspace

QUESTION = "Why do people still use Makefiles?"


def prepare(home: Path) -> Workspace:
    """The real archive, imported and fitted."""
    rejoinder = [sys.executable, "-m", "rejoinder"]
    space = Workspace(home)
    if space.is_empty:
        file = str(real_archive("hn.jsonl.gz"))
        subprocess.run([*rejoinder, "import", file, "--home", str(home)], check=True, capture_output=True)
    if not space.fitted_that(Can.PROPOSE):
        subprocess.run([*rejoinder, "fit", "--home", str(home)], check=True, capture_output=True)
    return space


def warm(space: Workspace, posts: int, seed: int) -> tuple[list[float], int]:
    """Milliseconds of each reply to `posts` test posts with their context, and how many got none."""
    with space.open_archive() as archive:
        threads = list(held_out(archive))
        forum = archive.forum
    asked = [(thread, post) for thread in threads for post in thread.posts if post.body]
    chosen = np.random.default_rng(seed).choice(len(asked), size=min(posts, len(asked)), replace=False)
    sources = space.load_those(Can.PROPOSE)
    replier = Replier(sources, sources["bm25"], forum.url)
    times, silent = [], 0
    for index in chosen:
        thread, post = asked[index]
        context = (*thread.context(post), post)
        began = perf_counter()
        replies = replier.reply(context)
        times.append((perf_counter() - began) * 1000)
        silent += not replies
        if any(reply.thread == thread.key for reply in replies):
            raise SystemExit(f"a reply to post {post.id} comes from its own thread {thread.key}")
    return times, silent


def cold(command: list[str]) -> float:
    """Seconds of a new process."""
    began = perf_counter()
    subprocess.run([sys.executable, "-m", "rejoinder", *command], check=True, capture_output=True)
    return perf_counter() - began


def main() -> None:
    options = {"posts": (int, 500, "test posts"), "runs": (int, 7, "new processes"), "seed": (int, 0, "of the choice of posts")}
    args = arguments(__doc__ or "", **options, home=(str, "", "a home to keep"))
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(args.home or scratch)
        space = prepare(home)
        times, silent = warm(space, args.posts, args.seed)
        for percentile in (50, 90, 99):
            report(f"reply, warm, p{percentile}", [float(np.percentile(times, percentile))], "ms", as_json=args.json)
        report("replies left empty", [silent / len(times)], "share", as_json=args.json)
        starts = [cold(["reply", QUESTION, "--home", str(home)]) for _ in range(args.runs)]
        report("`rejoinder reply`, new process", starts, "s", as_json=args.json)
        report("`rejoinder --help`, new process", [cold(["--help"]) for _ in range(args.runs)], "s", as_json=args.json)


if __name__ == "__main__":
    main()

"""How long a reply takes: in a warm process, over test-split posts of the real archive, and as a new process.

The archive is imported and fitted once, in a home that is kept with `--home`; with `--synthetic 1000000` it is one of so many
posts that nobody wrote (`bench/synthetic.py`). The replies are those of the command, with all it does; a model's replies (with
`--generate`) are timed apart. No reply may come from the thread it answers.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

import numpy as np
import synthetic
from figures import arguments, real_archive, rejoinder, report

from rejoinder.archive.reader import held_out
from rejoinder.engine.replier import Replier
from rejoinder.home.replies import replier
from rejoinder.home.voices import generator, voices
from rejoinder.home.workspace import Workspace
from rejoinder.models import LADDER, Can, unasked
from rejoinder.post import Post

QUESTION = "Why do people still use Makefiles?"
REPLY = Can.PROPOSE | Can.RANK | Can.TRIGGER


def prepare(home: Path, posts: int, rungs: str) -> Workspace:
    """The archive, imported and fitted: the real one, or one of so many synthetic `posts`; `rungs` with commas, or all."""
    space = Workspace(home)
    if space.is_empty:
        home.mkdir(parents=True, exist_ok=True)
        file, source = (home / "synthetic.jsonl", "synthetic") if posts else (real_archive("hn.jsonl.gz"), "hn")
        if posts:
            synthetic.write(file, posts)
        rejoinder("import", file, "--source", source, "--home", home)
        if posts:
            file.unlink()
    names = rungs.split(",") if rungs else [name for name in unasked() if LADDER[name].can & REPLY]
    missing = [name for name in names if space.fitted(name) is None]
    if missing:
        rejoinder("fit", *missing, "--home", home)
    return space


def questions(space: Workspace, posts: int, seed: int) -> list[tuple[Post, ...]]:
    """Test posts, each with its context."""
    with space.open_archive() as archive:
        asked = [(thread, post) for thread in held_out(archive) for post in thread.posts if post.body]
    chosen = np.random.default_rng(seed).choice(len(asked), size=min(posts, len(asked)), replace=False)
    return [(*thread.context(post), post) for thread, post in (asked[place] for place in chosen)]


def warm(replier: Replier, contexts: Sequence[tuple[Post, ...]]) -> tuple[list[float], int]:
    """Milliseconds of each reply, and how many were left empty."""
    times, silent = [], 0
    replier.reply(contexts[0])  # the first opens files, and is not counted
    for context in contexts:
        began = perf_counter()
        replies = replier.reply(context)
        times.append((perf_counter() - began) * 1000)
        silent += not replies
        if any(reply.thread == context[-1].thread for reply in replies if reply.thread is not None):
            raise SystemExit(f"a reply to post {context[-1].id} comes from its own thread {context[-1].thread}")
    return times, silent


def cold(command: list[str]) -> float:
    """Seconds of a new process."""
    began = perf_counter()
    rejoinder(*command)
    return perf_counter() - began


def main() -> None:
    options = {"posts": (int, 500, "test posts"), "runs": (int, 7, "new processes"), "seed": (int, 0, "of the choice of posts")}
    more = {"synthetic": (int, 0, "posts of an archive that nobody wrote; 0: the real one"), "generate": (int, 100, "test posts")}
    kept = {"home": (str, "", "a home to keep"), "rungs": (str, "", "what to fit, with commas; all that reply, if none")}
    args = arguments(__doc__ or "", **options, **more, **kept)
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(args.home or scratch)
        space = prepare(home, args.synthetic, args.rungs)
        contexts = questions(space, args.posts, args.seed)
        what = f"reply ({args.synthetic:,} synthetic posts)" if args.synthetic else "reply"
        made = generator(space, voices(space).maker, args.seed, lambda _: None) if args.generate else None
        for name, maker, some in ((what, None, contexts), (f"{what} --generate", made, contexts[: args.generate])):
            if not some:
                continue
            answering = replier(space, maker)
            times, silent = warm(answering, some)
            for percentile in (50, 90, 99):
                report(f"{name}, warm, p{percentile}", [float(np.percentile(times, percentile))], "ms", as_json=args.json)
            report(f"{name}, left empty", [silent / len(times)], "share", as_json=args.json)
        starts = [cold(["reply", QUESTION, "--home", str(home)]) for _ in range(args.runs)]
        report(f"`rejoinder {what}`, new process", starts, "s", as_json=args.json)
        report("`rejoinder --help`, new process", [cold(["--help"]) for _ in range(args.runs)], "s", as_json=args.json)


if __name__ == "__main__":
    main()

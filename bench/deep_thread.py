"""A thread as deep as it is long, and posts whose parents run in a circle: what each command takes of time and memory.

    python bench/deep_thread.py [--depth 300000] [--circle 100000] [--json]

Each command is a process of its own, and its peak is that of the largest of its processes. `tests/test_deep_threads.py` holds the
same to bounds with fewer posts.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

from figures import arguments, report

WORDS = "the kettle leaks at the spout so I press its seal back with a spoon and fill it again before the tea is cold".split()


def posts(depth: int, circle: int) -> Iterator[dict[str, object]]:
    """A thread of which each post answers the one before, then a circle; by few authors and of common words."""
    for number in range(1, depth + circle + 1):
        last = number == depth + 1
        parent = depth + circle if last else number - 1 if number > 1 else None
        kind, title = ("story", "A deep one") if number == 1 else ("comment", None)
        text = " ".join(WORDS[number * number * step % 101 % len(WORDS)] for step in (1, 2, 3, 5, 7, 11))
        yield {
            "id": number,
            "type": kind,
            "title": title,
            "parent": parent,
            "by": f"w{number % 50}",
            "time": number,
            "text": text,
        }


def measured(*command: object) -> tuple[float, float]:
    """Seconds that a command took, and MB of its largest process."""
    began = perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "rejoinder", *map(str, command)], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"rejoinder {' '.join(map(str, command))} ended with {process.returncode}")
    return perf_counter() - began, used.ru_maxrss / 1e3


def main() -> None:
    args = arguments(__doc__ or "", depth=(int, 300_000, "posts of the thread"), circle=(int, 100_000, "posts of the circle"))
    with tempfile.TemporaryDirectory() as directory:
        file, home = Path(directory) / "deep.jsonl", Path(directory) / "home"
        with file.open("w") as made:
            made.writelines(json.dumps(post) + "\n" for post in posts(args.depth, args.circle))
        for command in (
            ("import", file),
            ("info",),
            ("fit", "bm25"),
            ("fit", "kneser_ney"),
            ("reply", "--item", args.depth, "--rung", "bm25"),
            ("reply", "--item", args.depth + args.circle // 2, "--rung", "bm25"),
            ("forget", "--author", "w7"),
        ):
            seconds, peak = measured(*command, "--home", home)
            what = " ".join(str(word) for word in command if word != file)
            report(f"seconds of {what}", [seconds], "s", as_json=args.json)
            report(f"peak memory of {what}", [peak], "MB", as_json=args.json)


if __name__ == "__main__":
    main()

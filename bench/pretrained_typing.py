"""Typing with a pretrained net in a home: how long keystrokes take, who speaks, and what the process needs of memory.

    python bench/pretrained_typing.py --home DIR [--posts 20] [--pause 0.15] [--deadline 0.4]

The home has posts, counts and a net (`rejoinder fit`, `rejoinder model add smollm2`). The first 200 characters of test posts are
typed as answers to what they answer, a keystroke every `--pause` seconds, with the deadline that typing has; the best voice is
the net, mixed or alone. Figures: a keystroke's p50 and p99, the share that the net answered, the resident memory at the end.
"""

from __future__ import annotations

from pathlib import Path
from time import perf_counter, sleep

import numpy as np
from figures import arguments, report
from hn_bits import read_test

from rejoinder.home.voices import typist, voices
from rejoinder.home.workspace import Workspace
from rejoinder.models import is_slow

_TYPED = 200  # characters


def main() -> None:
    options = {
        "home": (str, "", "a home with posts, counts and a net"),
        "posts": (int, 20, "test posts"),
        "pause": (float, 0.15, "seconds between keystrokes"),
        "deadline": (float, 0.4, "seconds for an answer, as one who pauses has in the page"),
    }
    args = arguments(__doc__ or "", **options)
    space = Workspace(Path(args.home))
    speaks = voices(space)
    nets = [name for name in speaks.names if is_slow(name)]
    others = [name for name in speaks.typists if name not in nets]
    loaded = space.load_parts([nets[0], *others])
    engine = typist(space, loaded, lambda line: None)  # type: ignore[arg-type]
    test = read_test(space, args.posts)
    times, by_net = [], []
    for post, context in zip(test.posts, test.contexts, strict=True):
        session = engine.open(context)
        for end in range(1, min(len(post.own_text), _TYPED)):
            began = perf_counter()
            typed = session.suggest(post.own_text[:end], deadline=began + args.deadline)
            times.append((perf_counter() - began) * 1000)
            by_net.append(typed.rung == nets[0])
            sleep(args.pause)
    deadline = args.deadline * 1000
    report(f"{nets[0]}: keystroke, p50", [float(np.percentile(times, 50))], "ms", as_json=args.json)
    report(f"{nets[0]}: keystroke, p99 (deadline {deadline:.0f})", [float(np.percentile(times, 99))], "ms", as_json=args.json)
    report("keystrokes that it answered", [float(np.mean(by_net)) * 100], "%", as_json=args.json)
    resident = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS"))
    report("resident memory", [int(resident.split()[1]) / 1000], "MB", as_json=args.json)


if __name__ == "__main__":
    main()

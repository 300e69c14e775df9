"""What one's own text is worth: one man's weblog, in order, typed again with and without what he wrote before.

The first `--learn` posts are remembered; of those after them every `--stride`-th is typed again at the normal gate, with the
models in the package: once with all that came before it as text of his own (`rejoinder.home.own_text`), once without. Paired.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, cast

import numpy as np
from backports import zstd
from figures import arguments, real_archive, report, report_interval
from typing_home import shipped_engine

from rejoinder.engine.replay import Replay, replay
from rejoinder.home.own_text import MOST, OwnText, count_own
from rejoinder.ladder.metrics import bootstrap_mean
from rejoinder.post import Post
from rejoinder.text.words import words

_OPTIONS = {zstd.DecompressionParameter.window_log_max: 31}


def posts(name: str) -> Iterator[str]:
    """The texts of a file of talk, in order, without blank lines."""
    with zstd.open(real_archive(f"talk/{name}.jsonl.zst"), "rt", options=cast(Any, _OPTIONS), encoding="utf-8") as file:
        for line in file:
            text = Post(1, text=json.loads(line).get("text") or "").own_text
            if len(text) >= 20:
                yield "\n".join(filter(str.strip, text.splitlines()))


def main() -> None:
    options = {
        "learn": (int, 1_000, "posts before the first that is typed"),
        "posts": (int, 60, "that are typed"),
        "stride": (int, 10, "of the posts that are typed; those between are only learned"),
        "characters": (int, 600, "of a post that are typed"),
        "author": (str, "scripting_news", "a file of talk by one author"),
    }
    args = arguments(__doc__ or "", **options)
    engine = shipped_engine()
    tokenizer = next(iter(engine.voices.values())).tokenizer
    learned: list[str] = []
    own, alone = list[Replay](), list[Replay]()
    for number, text in enumerate(posts(args.author)):
        if number >= args.learn and (number - args.learn) % args.stride == 0:
            before = "\n\n".join(learned)[-MOST:]
            counts: OwnText = count_own(before, tokenizer)
            session = engine.open((Post(0),), own=(counts,), own_words=frozenset(words(before)))
            own.append(replay(session, text[: args.characters]))
            alone.append(replay(engine.open((Post(0),)), text[: args.characters]))
            if len(own) == args.posts:
                break
        learned.append(text)
    typed = np.array([len(one.shown) for one in own], np.float64)
    saved = {"with own text": own, "without": alone}
    rng = np.random.default_rng(0)
    for name, seen in saved.items():
        keys = np.array([one.keys for one in seen], np.float64)
        report_interval(f"keystrokes saved, {name}", bootstrap_mean(typed - keys, typed, rng), "", as_json=args.json)
        shown = [one for each in seen for one in each.suggestions]
        report(f"suggestions, {name}", [len(shown)], "", as_json=args.json)
        report(f"right per suggestion, {name}", [sum(one.right for one in shown) / max(len(shown), 1)], "", as_json=args.json)
    gain = np.array([without.keys - mine.keys for mine, without in zip(own, alone, strict=True)], np.float64)
    report_interval(f"more saved, of {len(own)} posts", bootstrap_mean(gain, typed, rng), "", as_json=args.json)


if __name__ == "__main__":
    main()

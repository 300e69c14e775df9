"""Replies before and after: bm25 alone, and all sources with the fused ranker and the trigger. Writes `docs/replies.md`.

The posts are held-out ones of the embedded archive, which was written for this project, so that they may be printed: drawn at
random, and printed with whatever came out.
"""

from __future__ import annotations

import tempfile
import textwrap
from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path

import numpy as np
from figures import ROOT, arguments

from rejoinder.archive.places import place
from rejoinder.archive.reader import held_out
from rejoinder.archive.sources.hackernews import SOURCE as HACKER_NEWS
from rejoinder.engine.replier import Replier, ReplyConfig
from rejoinder.home.fitting import FitConfig, fit
from rejoinder.home.replies import replier
from rejoinder.home.workspace import Workspace
from rejoinder.models import LADDER, Can
from rejoinder.post import Post, Suggestion
from rejoinder.text.words import words

SHOWN = 3  # replies to a post
_FEWEST = 8  # words of a post
_POST, _REPLY = 300, 220  # characters shown
_HEAD = """# Replies, before and after

Twenty posts of the embedded archive's test part, drawn at random with seed {seed}; no model has read their threads. Below each
the first three replies **before** (`bm25` alone) and **after** (all of {after},
the fusion and the trigger); all are posts of other threads. Nothing is left out or chosen: good and bad replies stand as they
came. Long ones are cut. The percentage is how likely a reply is to be on topic, as the trigger learned on dev; where nothing is
likely enough, nothing is shown. Made by `python bench/before_after.py`.

The archive is small, 120 threads, so that often it holds nothing that would fit.
"""


def sample(home: Path) -> Workspace:
    """The embedded archive with everything fitted that has to do with replies."""
    space = Workspace(home)
    if space.is_empty:
        with (
            space.open_archive(create=True) as archive,
            resources.as_file(resources.files("rejoinder.bundle") / "sample.jsonl") as file,
        ):
            place(archive, "sample", hashed=False)
            archive.add(HACKER_NEWS.read(file, space.hasher()))
    useful = Can.PROPOSE | Can.RANK | Can.TRIGGER
    names = [name for name, line in LADDER.items() if line.can & useful and not line.asked]
    missing = [name for name in names if space.fitted(name) is None]
    failed = fit(space, missing, FitConfig(), {"word2vec": {"workers": 1}}) if missing else {}
    for name, error in failed.items():
        raise SystemExit(f"{name}: {error}")
    return space


def questions(space: Workspace, number: int, seed: int) -> list[tuple[Post, ...]]:
    """Test posts of some words, each with its context."""
    with space.open_archive() as archive:
        found = [
            (*thread.context(post), post)
            for thread in held_out(archive)
            for post in thread.posts
            if len(words(post.own_text)) >= _FEWEST
        ]
    chosen = np.random.default_rng(seed).choice(len(found), size=min(number, len(found)), replace=False)
    return [found[place] for place in sorted(chosen)]


def both(space: Workspace) -> tuple[Replier, Replier]:
    """What answered before, and what answers now."""
    bm25 = space.load_those(Can.PROPOSE, ["bm25"])["bm25"]
    before = Replier({"bm25": bm25}, bm25, config=ReplyConfig(k=SHOWN))
    return before, replier(space)


def short(text: str, characters: int) -> str:
    return textwrap.shorten(" ".join(text.split()), characters, placeholder=" …")


def listed(replies: Sequence[Suggestion], *, sure: bool) -> Iterator[str]:
    """Lines of a list."""
    for rank, reply in enumerate(replies, start=1):
        about = f"to “{short(reply.title, 70)}”" if reply.post is not None else "to anything"
        percent = f", {reply.score:.0%}" if sure else ""
        yield f"{rank}. {short(reply.text, _REPLY)} — *{about}{percent}*"
    if not replies:
        yield "Nothing is likely enough to be on topic."


def main() -> None:
    args = arguments(
        __doc__ or "", posts=(int, 20, "test posts"), seed=(int, 5, "of the choice"), home=(str, "", "a home to keep")
    )
    with tempfile.TemporaryDirectory() as scratch:
        space = sample(Path(args.home or scratch))
        before, after = both(space)
        rungs = ", ".join(f"`{name}`" for name in space.fitted_that(Can.PROPOSE | Can.RANK) or space.fitted_that(Can.PROPOSE))
        lines = [_HEAD.format(seed=args.seed, after=rungs).rstrip()]
        for number, context in enumerate(questions(space, args.posts, args.seed), start=1):
            answers = f", which answers “{short(context[-2].body, 80)}”" if len(context) > 1 else ""
            lines += ["", f"## {number}. Post {context[-1].id}{answers}", "", f"> {short(context[-1].body, _POST)}", ""]
            lines += ["**Before**", "", *listed(before.reply(context), sure=False), ""]
            lines += ["**After**", "", *listed(after.reply(context, SHOWN), sure=after.trusts)]
    (ROOT / "docs" / "replies.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

"""Replies as they come: what the base install answers to posts of the embedded archive. Writes `docs/replies.md`.

The posts are held-out ones of the embedded archive, which was written for this project, so that they may be printed: drawn at
random, and printed with whatever came out; with the first reply of `bm25` alone beside it.
"""

from __future__ import annotations

import tempfile
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from figures import ROOT, arguments

from rejoinder.archive.reader import held_out
from rejoinder.engine.replier import Replier, ReplyConfig
from rejoinder.home.replies import replier
from rejoinder.home.sample import REPLYING, sample
from rejoinder.home.workspace import Workspace
from rejoinder.models import Can
from rejoinder.post import Post, Suggestion
from rejoinder.text.words import words

SHOWN = 3  # replies to a post
_FEWEST = 8  # words of a post
_POST, _REPLY = 300, 220  # characters shown
_HEAD = """# Replies, as they come

{posts} posts of the embedded archive's test part, drawn at random with seed {seed}; no model has read their threads. Below each
the first reply of **bm25** alone, and what the **base install** ({after}) shows, three at most; all are posts of
other threads. Nothing is left out or chosen: good and bad replies stand as they came. Long ones are cut. The percentage is how
likely a reply is to be on topic, as a person would say; what is less likely than {bar:.0%} is not shown. Made by
`python bench/before_after.py`, and made anew by a test.

The archive is small, 120 threads, so that often it holds nothing that would fit.

"""
_READ = Path(__file__).with_name("before_after.md")  # what readers said of replies in real archives


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


def page(space: Workspace, posts: int = 20, seed: int = 5) -> str:
    """The page: `space` is the sample, with all rungs that answer."""
    bm25 = space.load_those(Can.PROPOSE, ["bm25"])["bm25"]
    alone, after = Replier({"bm25": bm25}, bm25, config=ReplyConfig(k=1)), replier(space)
    head = {"posts": posts, "seed": seed, "bar": after.threshold, "after": ", ".join(f"`{name}`" for name in REPLYING)}
    lines = [_HEAD.format(**head) + _READ.read_text(encoding="utf-8").rstrip()]
    for number, context in enumerate(questions(space, posts, seed), start=1):
        answers = f", which answers “{short(context[-2].body, 80)}”" if len(context) > 1 else ""
        lines += ["", f"## {number}. Post {context[-1].id}{answers}", "", f"> {short(context[-1].body, _POST)}", ""]
        lines += ["**bm25**", "", *listed(alone.reply(context), sure=False), ""]
        lines += ["**The base install**", "", *listed(after.reply(context, SHOWN), sure=after.trusts)]
    return "\n".join(lines) + "\n"


def main() -> None:
    args = arguments(
        __doc__ or "", posts=(int, 20, "test posts"), seed=(int, 5, "of the choice"), home=(str, "", "a home to keep")
    )
    with tempfile.TemporaryDirectory() as scratch:
        made = page(sample(Workspace(Path(args.home or scratch)), REPLYING), args.posts, args.seed)
    (ROOT / "docs" / "replies.md").write_text(made, encoding="utf-8")


if __name__ == "__main__":
    main()

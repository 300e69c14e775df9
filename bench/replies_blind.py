"""Reading replies blind: the first replies of two versions, shuffled, for a person to mark, who does not know which is whose.

    python bench/replies_blind.py collect hn.jsonl.gz 100 DIR new.json     in each checkout, each with a DIR of its own
    python bench/replies_blind.py sheet old.json new.json sheet.txt key.json
    python bench/replies_blind.py count sheet.txt key.json

`collect` imports an archive, fits `bm25`, `canned`, `pair_encoder`, `fusion` and `trigger` on the train part, and keeps the
first reply to posts of the test part, drawn at random with one seed, as both versions see them. In the sheet every reply stands
once, behind `[ ]`: there put u (useful: on topic, and it says something about what was asked), t (on topic) or s (silly).
Silence is not asked about.
The sheet holds text of other people: it stays where it is.
"""

from __future__ import annotations

import json
import re
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from figures import real_archive

from rejoinder.archive.places import place
from rejoinder.archive.reader import held_out
from rejoinder.archive.sources.hackernews import SOURCE as HACKER_NEWS
from rejoinder.home.fitting import FitConfig, fit
from rejoinder.home.replies import replier
from rejoinder.home.workspace import Workspace
from rejoinder.text.words import words

_RUNGS = ("bm25", "canned", "pair_encoder", "fusion", "trigger")
_SEED, _FEWEST = 11, 5  # words of a post
_SHOWN = 500  # characters
_MARKS = {"u": "useful", "t": "on topic", "s": "silly"}


def collect(archive: str, number: str, home: str, out: str) -> None:
    """The first replies of this checkout."""
    space = Workspace(Path(home))
    if space.is_empty:
        with space.open_archive(create=True) as opened:
            place(opened, Path(archive).name.partition(".")[0], hashed=False)
            opened.add(HACKER_NEWS.read(real_archive(archive), space.hasher()))
    missing = [name for name in _RUNGS if (found := space.fitted(name)) is None or found.outdated]
    for name, error in fit(space, missing, FitConfig(), {}).items():
        sys.exit(f"{name}: {error}")
    answering = replier(space)
    with space.open_archive() as opened:
        posts = [(*t.context(p), p) for t in held_out(opened) for p in t.posts if len(words(p.own_text)) >= _FEWEST]
    chosen = np.sort(np.random.default_rng(_SEED).permutation(len(posts))[: int(number)])
    rows = []
    for context in (posts[at] for at in chosen):
        first = next(iter(answering.reply(context, 1)), None)
        before = context[-2].own_text if len(context) > 1 else ""
        row = {"post": context[-1].id, "said": context[-1].own_text, "before": before}
        rows.append(row | {"reply": first.text if first else None, "p": first.score if first else None})
    Path(out).write_text(json.dumps(rows), encoding="utf-8")


def sheet(old: str, new: str, out: str, key: str) -> None:
    """Shuffle both versions' replies; equal ones are asked about once."""
    both = [json.loads(Path(name).read_text(encoding="utf-8")) for name in (old, new)]
    rng, lines, whose = np.random.default_rng(_SEED), list[str](), list[Any]()
    for pair in zip(*both, strict=True):
        if pair[0]["post"] != pair[1]["post"]:
            sys.exit("the two were not asked about the same posts")
        replies = list(dict.fromkeys(row["reply"] for row in pair))
        for reply in [replies[at] for at in rng.permutation(len(replies))]:
            versions = [name for name, row in zip(("old", "new"), pair, strict=True) if row["reply"] == reply]
            whose.append({"post": pair[0]["post"], "versions": versions, "silent": reply is None})
            if reply is not None:
                above = f"   ({_short(pair[0]['before'], 160)})\n" if pair[0]["before"] else ""
                lines.append(
                    f"{len(whose) - 1}. [ ]\n{above}   {_short(pair[0]['said'], _SHOWN)}\n  => {_short(reply, _SHOWN)}\n"
                )
    Path(out).write_text("\n".join(lines), encoding="utf-8")
    Path(key).write_text(json.dumps(whose), encoding="utf-8")


def count(marked: str, key: str) -> None:
    """What a person marked, for each version."""
    whose = json.loads(Path(key).read_text(encoding="utf-8"))
    marks = dict(re.findall(r"^(\d+)\. \[(.)\]", Path(marked).read_text(encoding="utf-8"), re.MULTILINE))
    for version in ("old", "new"):
        mine = [(str(at), row) for at, row in enumerate(whose) if version in row["versions"]]
        shown = [marks[at] for at, row in mine if not row["silent"]]
        said = ", ".join(f"{name} {shown.count(mark)}" for mark, name in _MARKS.items())
        print(f"{version}: {len(mine)} posts, shown {len(shown)}: {said}, unmarked {sum(mark not in _MARKS for mark in shown)}")


def _short(text: str, characters: int) -> str:
    return textwrap.shorten(" ".join(text.split()), characters, placeholder=" …")


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in ("collect", "sheet", "count"):
        sys.exit(__doc__)
    steps: dict[str, Callable[..., None]] = {"collect": collect, "sheet": sheet, "count": count}
    steps[sys.argv[1]](*sys.argv[2:])

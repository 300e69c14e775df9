"""Bits per byte of the test posts of the real archive, for rungs that predict, and what the context is worth to each.

    python bench/hn_bits.py --rungs kneser_ney,lstm,mixture --home DIR [--config FILE] [--posts 500]
    python bench/hn_bits.py --rungs kneser_ney,lstm,mixture --models src/rejoinder/bundle/models      those in the package
    python bench/hn_bits.py --models ... --recipe configs/bundle.toml [--work DIR]    also on each file of a recipe

Every test post is scored given what it answers: its own words and END, over the UTF-8 bytes of its own words. What is not fitted
is fitted first, on the train part alone. Intervals are over threads; differences are paired, on the same posts. Then every reply
is scored twice, given its own context and given that of a reply drawn at random from another thread.

With `--after 2025-01-01` only posts written since are drawn: those that a net which others trained cannot have read.

With `--recipe` there is a line for each file that it reads: some of its test posts, cleaned as its register asks.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from figures import DATA, arguments, real_archive, report_interval
from numpy.typing import NDArray

from rejoinder.archive.places import place
from rejoinder.archive.reader import held_out
from rejoinder.archive.sources.hackernews import SOURCE as HACKER_NEWS
from rejoinder.config import read_settings, resolve
from rejoinder.home.fitting import FitConfig, fit
from rejoinder.home.workspace import Workspace
from rejoinder.ladder.metrics import Estimate, bootstrap_bits, bootstrap_change, by_thread
from rejoinder.ladder.text_evaluation import post_nats
from rejoinder.models import LADDER, parts_of, rung
from rejoinder.post import Post, Thread
from rejoinder.publish.reading import read_configs, reading
from rejoinder.publish.recipe import clean

Context = tuple[Post, ...]


@dataclass(frozen=True)
class Scored:
    """Test posts, what each answers, and the key of its thread."""

    posts: list[Post]
    contexts: list[Context]
    threads: NDArray[np.int64]

    def only(self, places: Sequence[int]) -> Scored:
        """Those at `places`."""
        chosen = [int(place) for place in places]
        return Scored([self.posts[p] for p in chosen], [self.contexts[p] for p in chosen], self.threads[chosen])


def fill(space: Workspace) -> None:
    """Import the archive where there is none."""
    if space.is_empty:
        with space.open_archive(create=True) as archive:
            place(archive, "hn")
            archive.add(HACKER_NEWS.read(real_archive("hn.jsonl.gz"), space.hasher()))


def prepare(space: Workspace, names: list[str], config: str) -> dict[str, Any]:
    """The rungs, fitted on the train part."""
    settings = read_settings(Path(config) if config else None, (), LADDER)
    parts = [part for name in names for part in parts_of(name, resolve(rung(name).load().Config, settings.get(name, {}), name))]
    wanted = [name for name in dict.fromkeys([*parts, *names]) if (found := space.fitted(name)) is None or found.outdated]
    failed = fit(space, wanted, FitConfig(), settings) if wanted else {}
    for name, error in failed.items():
        sys.exit(f"{name}: {error}")
    for name in names:
        found = space.fitted(name)
        if found is None or found.manifest["on"] != "train" or found.stale:
            sys.exit(f"{name} in {space.home} has learned from test posts, or may have: measure in a home of its own")
    return {name: space.load(name) for name in names}


def read_test(space: Workspace, most: int, *, cleaned: bool = False, since: int = 0) -> Scored:
    """The test posts that have words of their own; `most` of them, drawn at random, unless that is 0."""
    with space.open_archive() as archive:
        return drawn([clean(thread) if cleaned else thread for thread in held_out(archive)], most, since)


def drawn(threads: Iterable[Thread], most: int, since: int = 0) -> Scored:
    """The posts of `threads` that have words of their own; `most` of them, drawn at random, unless that is 0.

    `since`: seconds since 1970; of those whose time is known, the ones written then or later.
    """
    whole = [(post, thread.answered(post), thread.key) for thread in threads for post in thread.posts if post.own_text]
    found = [one for one in whole if not since or (one[0].time or 0) >= since]
    scored = Scored([p for p, _, _ in found], [c for _, c, _ in found], np.array([key for _, _, key in found]))
    if not 0 < most < len(found):
        return scored
    return scored.only(np.sort(np.random.default_rng(0).permutation(len(found))[:most]).tolist())


def bits(nats: NDArray[np.float64], scored: Scored) -> Estimate:
    """Bits per byte of posts, (P,) nats paid for each, with an interval over threads."""
    size = np.array([len(post.own_text.encode("utf-8", "replace")) for post in scored.posts], dtype=np.float64)
    paid, count = by_thread(scored.threads, nats, size)
    return bootstrap_bits(paid, count.astype(np.int64), np.random.default_rng(0))


def other_contexts(replies: Scored) -> list[Context]:
    """For each reply the context of another one, of another thread, drawn at random."""
    rng = np.random.default_rng(0)
    found: list[Context] = []
    if len(np.unique(replies.threads)) < 2:
        sys.exit("the replies drawn are all of one thread, so there is no other context: measure more --posts")
    for thread in replies.threads:
        place = rng.integers(len(replies.posts))
        while replies.threads[place] == thread:
            place = rng.integers(len(replies.posts))
        found.append(replies.contexts[place])
    return found


def score(model: Any, posts: Sequence[Post], contexts: Sequence[Context]) -> NDArray[np.float64]:
    """(P,) float64, nats: what the model pays for the own words and END of each post, given the context."""
    return np.array([post_nats(model, post, context) for post, context in zip(posts, contexts, strict=True)])


def main() -> None:
    options = {
        "rungs": (str, "kneser_ney", "which, parted by commas"),
        "home": (str, "", "a home to keep"),
        "config": (str, "", "a TOML file of settings for what is to be fitted"),
        "models": (str, "", "a directory that `rejoinder bundle` made from the same file: measure these, on cleaned posts"),
        "after": (str, "", "a date: only posts written since"),
        "posts": (int, 0, "test posts at most, drawn at random; 0 for all"),
        "recipe": (str, "", "a recipe of several files: figures on the test posts of each"),
        "work": (str, "", "where the files of that recipe were read to, if they were"),
        "each": (int, 300, "test posts of each of these files at most"),
    }
    args = arguments(__doc__ or "", **options)
    with tempfile.TemporaryDirectory() as scratch:
        space = Workspace(Path(args.home or scratch))
        fill(space)
        names = args.rungs.split(",")
        made = Workspace(Path(args.models), models=Path(args.models)) if args.models else None
        models = {name: made.load(name) for name in names} if made else prepare(space, names, args.config)
        since = int(datetime.fromisoformat(args.after).replace(tzinfo=UTC).timestamp()) if args.after else 0
        test = read_test(space, args.posts, cleaned=made is not None, since=since)
        paid: dict[str, NDArray[np.float64]] = {}
        for name, model in models.items():
            nats = score(model, test.posts, test.contexts)
            paid[name] = by_thread(test.threads, nats, nats)[0]
            report_interval(f"{name}, {len(test.posts):,} test posts", bits(nats, test), "bits/byte", as_json=args.json)
        for first, second in combinations(paid, 2):
            change = bootstrap_change(paid[second], paid[first], np.random.default_rng(0))
            report_interval(f"{second} below {first}, share", change, "", as_json=args.json)
        replies = test.only([place for place, context in enumerate(test.contexts) if any(post.body for post in context)])
        others = other_contexts(replies)
        for name, model in models.items():
            own, other = (score(model, replies.posts, contexts) for contexts in (replies.contexts, others))
            own, other = by_thread(replies.threads, own, other)
            change = bootstrap_change(own, other, np.random.default_rng(0))
            what = f"{name}, {len(replies.posts):,} replies, own context below another's, share"
            report_interval(what, change, "", as_json=args.json)
        if args.recipe:
            configs = read_configs(Path(args.recipe))
            with reading(configs, DATA, Path(args.work) if args.work else Path(scratch) / "files") as corpus:
                for source in corpus.sources:
                    some = drawn(source.test(), args.each)
                    for name, model in models.items():
                        found = bits(score(model, some.posts, some.contexts), some)
                        what = f"{name}, {len(some.posts):,} test posts of {source.config.called}"
                        report_interval(what, found, "bits/byte", as_json=args.json)


if __name__ == "__main__":
    main()

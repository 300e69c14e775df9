"""What `import` and `fit` give in the base install: the voice that speaks, beside the package alone and the home's counts alone.

    python bench/first_fit.py [--archives hn,lists,reddit2015_pairs,german] [--posts 1000] [--items 0] [--home DIR]

Bits per byte of the test posts, paired 95% intervals over threads; the time of `fit`, and from the start of `import` to when a
first reply and a first ghost text of the home's own voice can be had: the rungs they need are then on disk. `hn` is what the
package was made from, so there the package is to speak, or something no worse. `german` are the entries of the Debian package
fortunes-de (`apt-get download fortunes-de`, unpacked with `dpkg-deb -x` to the folder given as --german), 2,000 of them.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, cast

import numpy as np
from figures import arguments, real_archive, report, report_interval
from hn_bits import read_test, score

from rejoinder.archive.source import Hasher, Item
from rejoinder.archive.sources.hackernews import SOURCE as HACKER_NEWS
from rejoinder.home.fitting import FitConfig, fit
from rejoinder.home.voices import voices
from rejoinder.home.workspace import Workspace
from rejoinder.ladder.metrics import bootstrap_bits, bootstrap_change, by_thread
from rejoinder.models.interfaces import LanguageModel
from rejoinder.post import Kind, Post

GERMAN_POSTS = 2_000
NEEDED = {"first reply": "bm25", "first ghost text of the home's own": "mixture"}  # kept when the next rung begins


def talk(name: str) -> Iterator[Item]:
    """Posts of a file of talk: plain text, each line an item."""
    from backports import zstd

    options = {zstd.DecompressionParameter.window_log_max: 31}
    with zstd.open(real_archive(f"talk/{name}.jsonl.zst"), "rt", options=cast(Any, options), encoding="utf-8") as file:
        for line in file:
            item = json.loads(line)
            kind = Kind.COMMENT if item.get("parent") else Kind.STORY
            yield Post(
                item["id"], kind, item.get("text") or "", item.get("title") or "", item.get("parent"), time=item.get("time")
            )


def german(directory: Path) -> Iterator[Item]:
    """The first entries of each file of fortunes-de, in German prose, each a post."""
    files = sorted(directory.rglob("*.u8"))
    if not files:
        sys.exit("no German text: apt-get download fortunes-de, dpkg-deb -x it, and give the folder as --german")
    texts = [text.strip() for file in files for text in file.read_text(encoding="utf-8").split("\n%\n")]
    prose = [text for text in texts if 60 < len(text) < 1_500]
    order = np.random.default_rng(0).permutation(len(prose))[:GERMAN_POSTS]
    return (Post(number, Kind.STORY, prose[place]) for number, place in enumerate(order.tolist(), start=1))


def source(name: str, hasher: Hasher, directory: str) -> Iterator[Item]:
    """The posts of an archive."""
    if name == "german":
        return german(Path(directory))
    return HACKER_NEWS.read(real_archive(f"{name}.jsonl.gz"), hasher) if name in ("hn", "lists") else talk(name)


class Watch:
    """When each rung stood, in seconds since it was made; of the wall, and of the processor."""

    def __init__(self) -> None:
        """It is made now."""
        self._began = perf_counter(), process_time()
        self.stood: dict[str, tuple[float, float]] = {}
        self._now = ""

    def __call__(self, what: str, _: int, __: int | None) -> None:
        """Progress of a fit."""
        verb, _space, rung = what.partition(" ")
        if verb == "fitting" and " " not in rung and rung != self._now:
            self.done()
            self._now = rung

    def done(self) -> None:
        """The rung under way stands."""
        if self._now:
            self.stood[self._now] = (perf_counter() - self._began[0], process_time() - self._began[1])


def measure(name: str, space: Workspace, args: Any) -> None:
    """Fit one archive, and print its figures."""
    watch = Watch()
    if space.is_empty:
        with space.open_archive(create=True) as archive:
            archive.add(islice(source(name, space.hasher(), args.german), args.items or None))
        for rung, error in fit(space, None, FitConfig(), {}, watch).items():
            print(f"{name}: {rung}: {error}", file=sys.stderr)
        watch.done()
        for what, rung in (*NEEDED.items(), ("import and fit", list(watch.stood)[-1])):
            if rung in watch.stood:
                for unit, value in zip(("s", "s of the processor"), watch.stood[rung], strict=True):
                    report(f"{name}: {what}", [value], unit, as_json=args.json)
    found = voices(space)
    print(f"{name}: {found.reason}", file=sys.stderr)
    names = dict.fromkeys((found.best, "package/mixture", "kneser_ney", *("mixture",) * bool(space.fitted("mixture"))))
    test = read_test(space, args.posts)
    size = np.array([len(post.own_text.encode("utf-8", "replace")) for post in test.posts], np.float64)
    loaded: dict[str, Any] = {}
    paid = {}
    for one in names:
        model = cast(LanguageModel, space.load_parts([one], loaded)[one])
        paid[one], count = by_thread(test.threads, score(model, test.posts, test.contexts), size)
        bits = bootstrap_bits(paid[one], count.astype(np.int64), np.random.default_rng(0))
        speaks = " (speaks)" if one == found.best else ""
        report_interval(f"{name}: {one}{speaks}, {len(test.posts):,} test posts", bits, "bits/byte", as_json=args.json)
    for other in ("package/mixture", "kneser_ney"):
        if other != found.best:
            change = bootstrap_change(paid[found.best], paid[other], np.random.default_rng(0))
            report_interval(f"{name}: {found.best} below {other}, share", change, "", as_json=args.json)


def main() -> None:
    args = arguments(
        __doc__ or "",
        archives=(str, "hn,lists,reddit2015_pairs,german", "which, parted by commas: hn, lists, german, or a file of talk/"),
        posts=(int, 1_000, "test posts at most"),
        items=(int, 0, "posts imported at most; 0 for all"),
        home=(str, "", "a folder to keep the homes in"),
        german=(str, "", "the folder with fortunes-de"),
    )
    with tempfile.TemporaryDirectory() as scratch:
        for name in args.archives.split(","):
            measure(name, Workspace(Path(args.home or scratch) / name), args)


if __name__ == "__main__":
    main()

"""How long it takes to list the next words: the Kneser-Ney rung over real test text, and the `kenlm` package asked word by word.

Fits the rung on the train part of the real archive (a home is kept with `--home`), walks over posts of the test part, and times
`top(state, 10)`, the same with a byte prefix, and `advance` at every token. `kenlm` (from PyPI) loads the very same model from an
ARPA file and is asked, in turn with ours, for every word of the vocabulary after the same context; its scores are compared.
"""

from __future__ import annotations

import tempfile
from math import log
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from figures import arguments, real_archive, rejoinder, report

from rejoinder.archive.reader import held_out
from rejoinder.home.workspace import Workspace
from rejoinder.models.arpa import names_of, write_arpa
from rejoinder.models.kneser_ney import KneserNey, KneserNeyState

Place = tuple[
    KneserNeyState, int, list[int], bool
]  # the state, the token that came next, those before, whether the post is a reply
_BLOCK = 20


def prepare(home: Path) -> tuple[KneserNey, Workspace]:
    """The real archive, imported, and the rung, fitted."""
    space = Workspace(home)
    if space.is_empty:
        rejoinder("import", real_archive("hn.jsonl.gz"), "--home", home)
    if space.fitted("kneser_ney") is None:
        rejoinder("fit", "kneser_ney", "--home", home)
    model = space.load("kneser_ney")
    assert isinstance(model, KneserNey)
    return model, space


def walk(model: KneserNey, space: Workspace, posts: int) -> list[Place]:
    """Places along test posts."""
    with space.open_archive() as archive:
        texts = [post for thread in held_out(archive) for post in thread.posts if post.own_text]
    found = []
    for index in np.random.default_rng(0).choice(len(texts), size=posts, replace=False):
        post = texts[index]
        before: list[int] = []
        answers = post.parent is not None
        state = model.start((post,) if answers else ())
        for token in model.tokenizer.encode(post.own_text)[:60]:
            found.append((state, token, list(before), answers))
            state = model.advance(state, token)
            before.append(token)
    return found


def percentiles(name: str, seconds: list[float], *, as_json: bool) -> None:
    for percentile in (50, 99):
        report(f"{name}, p{percentile}", [float(np.percentile(seconds, percentile)) * 1e6], "us", as_json=as_json)


def _kenlm_state(other: Any, names: list[str], model: KneserNey, before: list[int], answers: bool) -> tuple[Any, Any]:
    """kenlm's state after the same tokens, and one to write to."""
    import kenlm

    here, there = kenlm.State(), kenlm.State()
    other.BeginSentenceWrite(here)
    if answers:
        other.NullContextWrite(here)
        other.BaseScore(here, names[model.tokenizer.reply], there)
        here, there = there, here
    for token in before:
        other.BaseScore(here, names[token], there)
        here, there = there, here
    return here, there


def ask_kenlm(model: KneserNey, states: list[Place], times: int, *, as_json: bool) -> None:
    """Ours and kenlm in turn, on the same contexts: seconds of each, the ratio, the largest difference."""
    import kenlm

    names = names_of(model.tokenizer)
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "model.arpa"
        with file.open("w", encoding="utf-8") as target:
            write_arpa(model, target)
        other = kenlm.Model(str(file))
    words = [*names[: model.tokenizer.size], names[model.tokenizer.end]]
    chosen = states[:: max(len(states) // times, 1)][:times]
    ours: list[float] = []
    theirs: list[float] = []
    apart = 0.0
    for start in range(0, len(chosen), _BLOCK):  # in turn, in blocks: each finds its own model in the processor's caches
        block = chosen[start : start + _BLOCK]
        contexts = [_kenlm_state(other, names, model, before, answers) for _, _, before, answers in block]
        best = []
        for state, *_ in block:
            began = perf_counter()
            best.append(model.top(state, 10))
            ours.append(perf_counter() - began)
        for (here, there), mine, (_, _, _, answers) in zip(contexts, best, block, strict=True):
            began = perf_counter()
            scores = [other.BaseScore(here, word, there) for word in words]
            theirs.append(perf_counter() - began)
            if not answers:  # kenlm has one beginning of a sentence, and it is POST
                apart = max(apart, abs(max(scores) - mine[0][1] / log(10)))
    ratios = [b / a for a, b in zip(ours, theirs, strict=True)]
    report("top 10 by us, in the same run, p50", [float(np.median(ours)) * 1e6], "us", as_json=as_json)
    report("top 10 by kenlm, every word asked, p50", [float(np.median(theirs)) * 1e6], "us", as_json=as_json)
    report("times as fast as kenlm", [float(np.median(ratios))], "x", as_json=as_json)
    report("largest difference of the best word", [apart], "log10", as_json=as_json)


def main() -> None:
    options = {"posts": (int, 200, "test posts"), "asked": (int, 60, "times kenlm is asked"), "home": (str, "", "a home to keep")}
    args = arguments(__doc__ or "", **options)
    with tempfile.TemporaryDirectory() as scratch:
        model, space = prepare(Path(args.home or scratch))
        opening = []
        for _ in range(7):
            began = perf_counter()
            space.load("kneser_ney")
            opening.append((perf_counter() - began) * 1000)
        report("open the fitted model", opening, "ms", as_json=args.json)
        grams = sum(len(level.token) for level in model.index)
        index = sum(array.nbytes for level in model.index for array in vars(level).values())
        counts = sum(array.nbytes for level in model.counts.levels for array in vars(level).values()) if model.counts else 0
        report(f"index of {grams:,} n-grams", [index / grams], "bytes each", as_json=args.json)
        report("counts beside it", [counts / grams], "bytes each", as_json=args.json)
        states = walk(model, space, args.posts)
        seconds: dict[str, list[float]] = {"top(state, 10)": [], "top(state, 10, prefix)": [], "advance": []}
        for state, token, _, _ in states:
            piece = model.tokenizer.bytes[token]
            began = perf_counter()
            model.top(state, 10)
            then = perf_counter()
            model.top(state, 10, piece[:2])
            later = perf_counter()
            model.advance(state, token)
            for name, value in zip(seconds, (then - began, later - then, perf_counter() - later), strict=True):
                seconds[name].append(value)
        for name, values in seconds.items():
            percentiles(name, values, as_json=args.json)
        ask_kenlm(model, states, args.asked, as_json=args.json)


if __name__ == "__main__":
    main()

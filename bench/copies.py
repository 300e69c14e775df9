"""How often models go on from what they have read in one writer's words, before and after the copy guard.

    python bench/copies.py --models src/rejoinder/bundle/models --rung mixture [--config configs/bundle_talk.toml] [--work DIR]

From random places of training posts, given what they answer, the model goes on: half of the texts sampled, half always with the
likeliest token. A copy is COPIED words in a row that the model made itself and that stand in one thread alone of all that was
read (authors are not known). After: what `Phrases.before_copy` leaves, as every door shows it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import cast

import numpy as np
from figures import DATA, arguments, report

from rejoinder.engine.sampling import SampleConfig, sample, text_of
from rejoinder.home.workspace import Workspace
from rejoinder.models.interfaces import LanguageModel
from rejoinder.post import Post, Thread
from rejoinder.publish.reading import FilesCorpus, ReadConfig, read_configs, reading
from rejoinder.text.phrases import COPIED, Phrases
from rejoinder.text.words import words

Run = tuple[str, ...]
SAMPLED = SampleConfig(temperature=1.0, nucleus=0.9, longest=32)
LIKELIEST = SampleConfig(temperature=0.0, longest=32)


def drawn(corpus: FilesCorpus, many: int, rng: np.random.Generator) -> list[tuple[Thread, Post]]:
    """Some train posts, by reservoir."""
    kept: list[tuple[Thread, Post]] = []
    seen = 0
    for thread in corpus.threads("train"):
        for post in thread.posts:
            if len(words(post.own_text)) < COPIED:
                continue
            seen += 1
            if len(kept) < many:
                kept.append((thread, post))
            elif (place := int(rng.integers(seen))) < many:
                kept[place] = thread, post
    return kept


def gone_on(model: LanguageModel, thread: Thread, post: Post, rng: np.random.Generator, place: int) -> tuple[str, str]:
    """A post up to somewhere, and how the model goes on."""
    tokens = model.tokenizer.encode(post.own_text)
    cut = int(rng.integers(len(tokens)))
    state = model.start(thread.answered(post))
    for token in tokens[:cut]:
        state = model.advance(state, token)
    made = sample(model, state, 1, SAMPLED if place % 2 else LIKELIEST, rng)[0]
    return text_of(model.tokenizer, tokens[:cut]), text_of(model.tokenizer, made.tokens)


def runs(draft: str, text: str) -> Iterator[Run]:
    """The runs of words that the model made."""
    before = len(words(draft))
    made = words(draft + text)[before:]
    return (tuple(made[start : start + COPIED]) for start in range(len(made) - COPIED + 1))


def of_one(wanted: set[Run], threads: Iterable[Thread]) -> set[Run]:
    """Which of the runs one thread alone holds."""
    owner: dict[Run, int | None] = {}
    starts = {run[0] for run in wanted}
    for thread in threads:
        for post in thread.posts:
            said = words(post.own_text)
            for place, word in enumerate(said):
                run = tuple(said[place : place + COPIED]) if word in starts else ()
                if run in wanted:
                    owner[run] = thread.key if owner.get(run, thread.key) == thread.key else None
    return {run for run, key in owner.items() if key is not None}


def main() -> None:
    options = {
        "models": (str, "src/rejoinder/bundle/models", "a directory that `rejoinder bundle` made"),
        "rung": (str, "mixture", "which goes on"),
        "config": (str, "", "the recipe, for its files; Hacker News alone if none"),
        "work": (str, "", "where the recipe's files were read to, if they were"),
        "many": (int, 10_000, "texts"),
    }
    args = arguments(__doc__ or "", **options)
    space = Workspace(Path(args.models), models=Path(args.models))
    model = cast(LanguageModel, space.load(args.rung))
    guards = [space.fitted(name) for name in ("kneser_ney", args.rung)]
    guard = next(found for at in guards if at is not None and (found := Phrases.load(at.directory)) is not None)
    configs = read_configs(Path(args.config)) if args.config else [ReadConfig("hn.jsonl.gz")]
    with tempfile.TemporaryDirectory() as scratch, reading(configs, DATA, Path(args.work or scratch)) as corpus:
        rng = np.random.default_rng(0)
        texts = [gone_on(model, *one, rng, place) for place, one in enumerate(drawn(corpus, args.many, rng))]
        left = [(draft, guard.before_copy(draft, text)) for draft, text in texts]
        own = of_one({run for draft, text in texts for run in runs(draft, text)}, corpus.threads("train"))
    for name, shown in (("before the guard", texts), ("after it", left)):
        for kind in (0, 1):
            some = shown[kind::2]
            copies = sum(any(run in own for run in runs(*one)) for one in some)
            what = f"{'sampled' if kind else 'likeliest'}, {len(some):,} texts, copies {name}"
            report(what, [copies], "texts", as_json=args.json)
    size = sum(len(text) for _, text in left) / max(sum(len(text) for _, text in texts), 1)
    report("characters that the guard leaves", [size], "", as_json=args.json)
    report("bytes of the guard", [guard.array.nbytes], "", as_json=args.json)


if __name__ == "__main__":
    main()

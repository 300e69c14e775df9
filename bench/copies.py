"""How often models go on from what they have read in one writer's words, before and after the copy guard.

    python bench/copies.py --models src/rejoinder/bundle/models [--work MODELS.work]

From random places of training posts, given what they answer, the model goes on: half of the texts sampled, half always with the
likeliest token; others than the guard was made from. A copy is COPIED words in a row that the model made itself and that stand
in one thread alone of all that was read (authors are not known), but not in what the model was given: the draft, and what it
answers. After: what `Phrases.before_copy` leaves, as every door shows it.

What was read is read again, into the folder WORK, where the one that the training left is gone: half an hour of a core, and 3 GB.
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
from figures import DATA, arguments, report

from rejoinder.home.workspace import Workspace
from rejoinder.models.interfaces import LanguageModel
from rejoinder.publish.arrays import write_arrays
from rejoinder.publish.continuations import MadeText, continuations
from rejoinder.publish.copies import all_records, alone, own_words, paired
from rejoinder.publish.reading import read_configs, reading
from rejoinder.text.ownership import WordHashes, run_hashes
from rejoinder.text.phrases import Phrases
from rejoinder.text.tensors import TOKENIZER_FILE
from rejoinder.text.tokenizer import Tokenizer
from rejoinder.text.words import words

SEED = 1  # the guard's is 0


def eights(one: MadeText) -> set[int]:
    """Hashes of the runs of COPIED words that the model made, and did not find in the draft or in what it answers."""
    given = words(f"{one.answered}\n{one.draft}")
    made, there = (set(paired(run_hashes(WordHashes().of(some))).tolist()) for some in (own_words(one), given))
    return made - there


def main() -> None:
    options = {
        "models": (str, "src/rejoinder/bundle/models", "a directory that `rejoinder bundle` made"),
        "rung": (str, "mixture", "which goes on"),
        "config": (str, "configs/bundle.toml", "the recipe, for its files"),
        "work": (str, "", "the folder MODELS.work beside it, with what was read"),
        "many": (int, 10_000, "texts"),
    }
    args = arguments(__doc__ or "", **options)
    space, work = Workspace(Path(args.models), models=Path(args.models)), Path(args.work or f"{args.models}.work")
    model = cast(LanguageModel, space.load(args.rung))
    at = space.fitted(args.rung)
    guard = Phrases.load(at.directory) if at is not None else None
    assert guard is not None, f"{args.rung} has no guard"
    with reading(read_configs(Path(args.config)), DATA, work) as corpus:
        corpus.keep_tokens_in(next(work.glob("tokens-*/"), work / "read" / "tokens"))
        if not (corpus.tokens / TOKENIZER_FILE).is_file():
            write_arrays(corpus, cast(Tokenizer, model.tokenizer))
        records = all_records(corpus.sources, next(work.glob("guard-*/"), work / "guard"))
        before = list(continuations(model, corpus.sources, args.many, np.random.default_rng(SEED)))
    after = [one._replace(text=guard.before_copy(one.draft, one.text)) for one in before]
    made = np.array(sorted(set().union(*map(eights, before))), np.uint64)
    own = set(made[alone(made, records, pairs=True)].tolist())
    for name, shown in (("before the guard", before), ("after it", after)):
        for sampled in (False, True):
            some = [one for one in shown if one.sampled == sampled]
            copies = sum(not own.isdisjoint(eights(one)) for one in some)
            what = f"{'sampled' if sampled else 'likeliest'}, {len(some):,} texts, copies {name}"
            report(what, [copies], "texts", as_json=args.json)
    size = sum(len(one.text) for one in after) / max(sum(len(one.text) for one in before), 1)
    report("characters that the guard leaves", [size], "", as_json=args.json)
    report("bytes of the guard", [guard.array.nbytes], "", as_json=args.json)


if __name__ == "__main__":
    main()

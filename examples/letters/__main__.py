"""Climb the letters ladder: `python -m letters`, in the directory `examples`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from letters.fonts import faces, render
from letters.idx import BadData, Letters, read_letters
from letters.measure import Outcome, Share, Trial, bootstrap, by_family, deal, try_rung, wilson
from letters.pictures import draw_errors
from letters.rungs import LADDER

FOLDS = 5


def main(argv: Sequence[str] | None = None) -> int:
    """One trial of each rung: on fonts held out, or with --data on a fifth of the images given."""
    parser = argparse.ArgumentParser(prog="python -m letters", description=main.__doc__)
    parser.add_argument("--data", type=Path, help="a directory of *images-idx3-ubyte(.gz) and labels; without it, fonts held out")
    parser.add_argument("--rungs", default=",".join(LADDER), help="which, with commas between (default: %(default)s)")
    parser.add_argument("--pictures", type=Path, help="a directory to write pictures into of what each rung gets wrong")
    args = parser.parse_args(argv)
    names = args.rungs.split(",")
    unknown = [name for name in names if name not in LADDER]
    if unknown:
        parser.error(f"there is no rung {unknown[0]}; the rungs are {', '.join(LADDER)}")
    try:
        given = None if args.data is None else read_letters(args.data)
    except BadData as error:
        parser.error(str(error))
    trial, families = _trial(given)
    if args.pictures is not None:
        args.pictures.mkdir(parents=True, exist_ok=True)
    for name in names:
        outcome = try_rung(name, trial)
        print(_line(name, outcome, _share(outcome, trial, families)), flush=True)
        if args.pictures is not None:
            draw_errors(trial.test, outcome.probs, args.pictures / f"{name}.png")
    return 0


def _trial(given: Letters | None) -> tuple[Trial, tuple[str, ...] | None]:
    """The trial, told to the person, and the families of fonts it asks, if it asks fonts."""
    drawn = render(faces())
    glyphs = drawn.distinct()
    families = None
    if given is None:
        trial, families = by_family(glyphs, None)
        print(f"{len(set(glyphs.families))} families of fonts, {len(set(families))} held out; ", end="")
        print(
            f"{len(drawn.families):,} glyphs, {len(drawn.families) - len(glyphs.families)} left out as near-duplicates of others"
        )
    else:
        trials, _, distinct = deal(given, glyphs.letters, FOLDS)
        trial = trials[0]
        print(f"{len(given.labels):,} images, {len(given.labels) - len(distinct.labels)} left out as near-duplicates of others")
    learned, asked = len(trial.like.labels) + len(trial.more.labels), len(trial.test.labels)
    print(f"learned from: {learned:,}; asked: {asked:,}", end="; ")
    print(f"{trial.left_out} left out of what is learned from, as near-duplicates of what is asked", flush=True)
    return trial, families


def _share(outcome: Outcome, trial: Trial, families: tuple[str, ...] | None) -> Share:
    right = outcome.probs.argmax(axis=1) == trial.test.labels
    return wilson(right) if families is None else bootstrap(right, families)


def _line(name: str, outcome: Outcome, share: Share) -> str:
    """As a person reads it."""
    right = f"{share.value:7.2%} right (95%: {share.low:.2%} to {share.high:.2%})"
    return f"{name:<14} {right}  fit in {outcome.seconds:8.1f} s  {outcome.size / 1e6:7.3f} MB"


if __name__ == "__main__":
    sys.exit(main())

"""How well the rungs of the letters ladder read A to J, and what they cost.

- all images of `letters/` (real notMNIST) by 5-fold cross-validation, with glyphs drawn from fonts as extra training data; the
  95% interval is Wilson's, over all images; seconds are of all five folds, bytes of one model
- glyphs of a fifth of the fonts, held out, with the real images as extra training data; the interval is bootstrapped over
  families
- the same with a fifth of the families of fonts held out, which is harder; those of the packages of novelties apart from the
  others, too

`--rungs a,b` for some. With `--keep DIR` each fit leaves its answers there, a run that was stopped goes on after the last of
them, and pictures of what each rung gets wrong are drawn there. The answers kept are of the code and fonts they were made with:
use a new directory after a change.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from figures import ROOT, arguments, real_archive, report, report_interval

from rejoinder.ladder.metrics import Estimate

sys.path.insert(0, str(ROOT / "examples"))

from letters.fonts import NOVELTIES, faces, only_of, render
from letters.idx import Letters, read_letters
from letters.measure import Outcome, Share, Trial, bootstrap, by_family, by_font, deal, try_rung, wilson
from letters.pictures import draw_errors
from letters.rungs import LADDER

FOLDS = 5


def kept(name: str, trial: Trial, file: Path | None, seed: int) -> Outcome:
    """The outcome of a trial: read from `file` if it is there, else made and written."""
    if file is not None and file.is_file():
        with np.load(file) as arrays:
            return Outcome(arrays["probs"], float(arrays["seconds"]), int(arrays["size"]))
    outcome = try_rung(name, trial, seed)
    if file is not None:
        partial = file.with_suffix(".partial.npz")
        np.savez(partial, probs=outcome.probs, seconds=outcome.seconds, size=outcome.size)
        partial.replace(file)
    print(f"  {name}: {file.stem if file else seed}, {outcome.seconds:.1f} s", file=sys.stderr, flush=True)
    return outcome


def tell(title: str, share: Share, outcomes: list[Outcome], *, as_json: bool) -> None:
    """The figures of a rung."""
    report_interval(f"{title}: right", Estimate(*share), "share", as_json=as_json)
    report(f"{title}: fit, all folds", [sum(outcome.seconds for outcome in outcomes)], "s", as_json=as_json)
    report(f"{title}: size", [outcome.size for outcome in outcomes], "bytes", as_json=as_json)


def main() -> None:
    args = arguments(
        (__doc__ or "").partition("\n")[0],
        rungs=(str, ",".join(LADDER), "which, with commas between"),
        keep=(str, "", "a directory for answers and pictures"),
    )
    keep = Path(args.keep) if args.keep else None
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
    real = read_letters(real_archive("letters/images-idx3-ubyte.gz").parent)
    known = faces()
    drawn = render(known)
    glyphs = drawn.distinct()
    trials, _, distinct = deal(real, glyphs.letters, FOLDS)
    fonts, families_of_fonts = by_font(glyphs, distinct)
    strange, families = by_family(glyphs, distinct)
    report("images", [len(real.labels)], "", as_json=args.json)
    report("images left out: near-duplicates", [len(real.labels) - len(distinct.labels)], "", as_json=args.json)
    report("glyphs", [len(drawn.families)], "", as_json=args.json)
    report("glyphs left out: near-duplicates", [len(drawn.families) - len(glyphs.families)], "", as_json=args.json)
    report("families of fonts", [len(set(glyphs.families))], "", as_json=args.json)
    report("glyphs left out of a fold's training", [trial.left_out for trial in trials], "", as_json=args.json)
    report("images left out of training, fonts held out", [fonts.left_out], "", as_json=args.json)
    report("images left out of training, families held out", [strange.left_out], "", as_json=args.json)
    novel = np.isin(families, sorted(only_of(NOVELTIES, known)))
    asked = Letters(*(np.concatenate(of) for of in zip(*(trial.test for trial in trials), strict=True)))
    for name in args.rungs.split(","):
        places = [keep and keep / f"{name}.fold{fold}.npz" for fold in range(FOLDS)]
        outcomes = [kept(name, trial, file, fold) for fold, (trial, file) in enumerate(zip(trials, places, strict=True))]
        probs = np.concatenate([outcome.probs for outcome in outcomes])
        tell(f"real, {FOLDS} folds, {name}", wilson(probs.argmax(axis=1) == asked.labels), outcomes, as_json=args.json)
        held_out = kept(name, fonts, keep and keep / f"{name}.fonts.npz", 0)
        right = held_out.probs.argmax(axis=1) == fonts.test.labels
        tell(f"fonts held out, {name}", bootstrap(right, families_of_fonts), [held_out], as_json=args.json)
        held_out = kept(name, strange, keep and keep / f"{name}.families.npz", 0)
        right = held_out.probs.argmax(axis=1) == strange.test.labels
        tell(f"families held out, {name}", bootstrap(right, families), [held_out], as_json=args.json)
        for what, these in (("novelties", novel), ("others", ~novel)):
            share = bootstrap(right[these], [family for family, one in zip(families, these, strict=True) if one])
            report_interval(f"families held out, {name}, {what}: right", Estimate(*share), "share", as_json=args.json)
        if keep is not None:
            draw_errors(asked, probs, keep / f"{name}.real.png")
            draw_errors(strange.test, held_out.probs, keep / f"{name}.families.png")


if __name__ == "__main__":
    main()

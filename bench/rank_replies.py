"""How well rankers find the reply that was given: recall@1 and @10 of 100, and MRR; and what each cost to fit.

    python bench/rank_replies.py --rungs bm25,pmi_svd,word2vec,dual_encoder,fusion --home DIR [--part dev] [--draws 5]

For each pair of the test part of the real archive the true reply stands among 99 of other threads; comment-to-comment and
story-to-comment apart; `same thread` takes replies to other posts of the thread first (see `rejoinder.ladder.ranking`). What is
not fitted is fitted first, on the train part alone. Where the fusion holds a net, one of its parts without nets is weighed beside
it. Intervals are over threads. The differences are paired, on the same lists: the fusion against the best single rung without a
net, and against the fusion without nets.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from figures import arguments, report, report_interval
from hn_bits import fill, prepare

from rejoinder.archive.reader import ArchiveCorpus, held_out
from rejoinder.home.workspace import Workspace
from rejoinder.ladder.ranking import DRAWS, NEGATIVES, CandidateDraws, Pool, difference, draw_lists, figures, find_ranks
from rejoinder.models import Can, is_net, those_that
from rejoinder.models.fusion import Fusion, FusionConfig
from rejoinder.models.interfaces import Job

WITHOUT_NETS = "fusion without nets"
_NETS = ("dual_encoder", "fusion", WITHOUT_NETS)
_KINDS = {"comment-to-comment": True, "story-to-comment": False}
_VARIANTS = {"": False, ", same thread": True}


def read_pool(space: Workspace, part: str) -> Pool:
    """The pairs of the test part, or of dev while settings are chosen."""
    with space.open_archive() as archive:
        return Pool.of(held_out(archive) if part == "test" else ArchiveCorpus(archive, space.home).threads("dev"))


def measure(pool: Pool, models: dict[str, Any], kind: str, several: dict[str, CandidateDraws], *, as_json: bool) -> None:
    """Print every rung's figures for one kind of pair, and how far the fusion is above the best rung without a net."""
    places = several[""].places
    threads = pool.threads[places]
    report(f"{kind}, of {NEGATIVES} from the same thread", [several[", same thread"].same_thread], "replies", as_json=as_json)
    found = {}
    for name, model in models.items():
        found[name] = find_ranks(model, pool, several)
        for variant, ranks in found[name].items():
            for figure, estimate in figures(ranks, threads, np.random.default_rng(0)).items():
                report_interval(f"{name}, {len(places):,} {kind}{variant}, {figure}", estimate, "", as_json=as_json)
    single = [name for name in found if name not in _NETS]
    if "fusion" not in found or not single:
        return
    for variant in _VARIANTS:
        best = max(single, key=lambda name: float(np.mean(found[name][variant] == 1)))
        for other in (best, *({WITHOUT_NETS} & {*found})):
            gain = difference(found["fusion"][variant], found[other][variant], threads, np.random.default_rng(0))
            report_interval(f"fusion above {other}, {kind}{variant}, recall@1", gain, "", as_json=as_json)


def without_nets(space: Workspace, models: dict[str, Any]) -> dict[str, Any]:
    """A fusion of those of the fusion's parts that are no nets; nothing where all are."""
    found = space.fitted("fusion") if "fusion" in models else None
    names = list(found.manifest["parts"]) if found else []
    plain = [name for name in names if not is_net(name, ())]
    if plain == names:
        return {}
    with space.open_archive() as archive, tempfile.TemporaryDirectory() as scratch:
        job = Job(Path(scratch), parts=space.load_parts(plain))
        corpus = ArchiveCorpus(archive, space.home)
        return {WITHOUT_NETS: Fusion.fit(corpus, FusionConfig(), rng=np.random.default_rng(0), job=job)}


def main() -> None:
    options = {
        "rungs": (str, "", "which, parted by commas; none: all that rank"),
        "home": (str, "", "a home to keep"),
        "config": (str, "", "a TOML file of settings for what is to be fitted"),
        "part": (str, "test", "test, or dev"),
        "draws": (int, DRAWS, "lists for each pair"),
    }
    args = arguments(__doc__ or "", **options)
    with tempfile.TemporaryDirectory() as scratch:
        space = Workspace(Path(args.home or scratch))
        fill(space)
        models = prepare(space, args.rungs.split(",") if args.rungs else those_that(Can.RANK), args.config)
        for name in models:
            found = space.fitted(name)
            if found is not None:
                report(f"{name}, fitted in", [found.manifest["seconds"]], "s", as_json=args.json)
                report(f"{name}, size", [found.bytes / 1e6], "MB", as_json=args.json)
        models |= without_nets(space, models)
        pool = read_pool(space, args.part)
        for kind, comment in _KINDS.items():
            several = {
                variant: draw_lists(pool, comment=comment, harder=harder, draws=args.draws, rng=np.random.default_rng(harder))
                for variant, harder in _VARIANTS.items()
            }
            measure(pool, models, kind, several, as_json=args.json)


if __name__ == "__main__":
    main()

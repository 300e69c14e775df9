"""Typing help on held-out posts: how often ghost text is shown, how often it is right, and how many keystrokes it saves.

Test posts of the real archive are typed again, a keystroke at a time, with the models in the package (`rejoinder.engine.replay`
has the policy). Right: the first word shown is the word the person wrote next, to its end. Intervals are over threads. Posts
half of whose runs of ten tokens stand in the training text are repeats, and told apart.
"""

from __future__ import annotations

import numpy as np
from figures import arguments, report_interval
from typing_home import held_out_posts, shipped_engine

from rejoinder.engine.replay import POLICY, Replay, replay
from rejoinder.engine.typing import Engine, Gate
from rejoinder.ladder.heldout import HeldOut
from rejoinder.ladder.metrics import bootstrap_mean, by_thread


def typed(engine: Engine, held: HeldOut, places: list[int], gate: Gate, characters: int) -> list[Replay]:
    """The beginnings of some posts, typed again."""
    return [replay(engine.open(held.contexts[p]), held.posts[p].own_text[:characters], gate) for p in places]


def figures(name: str, seen: list[Replay], threads: np.ndarray, *, as_json: bool) -> None:
    """Print what came of them."""
    rng = np.random.default_rng(0)

    def share(what: str, part: list[float], whole: list[float]) -> None:
        sums, counts = by_thread(threads, np.array(part, np.float64), np.array(whole, np.float64))
        if counts.sum():
            report_interval(f"{name}: {what}", bootstrap_mean(sums, counts, rng), "", as_json=as_json)

    keystrokes = [float(len(one.shown)) for one in seen]
    shown = [float(one.shown.sum()) for one in seen]
    share("coverage, of keystrokes", shown, keystrokes)
    share("shown first words right", [float((one.shown & one.right).sum()) for one in seen], shown)
    share("shown ghost text right to its end", [float(one.whole.sum()) for one in seen], shown)
    share("keystrokes saved", [n - one.keys for n, one in zip(keystrokes, seen, strict=True)], keystrokes)
    share("the word among three, of keystrokes", [float(one.among.sum()) for one in seen], keystrokes)
    fresh = [one.letters == 0 for one in seen]
    share("shown first words right, no letter typed", *_where(seen, fresh))
    share("shown first words right, in a word", *_where(seen, [~some for some in fresh]))


def _where(seen: list[Replay], places: list[np.ndarray]) -> tuple[list[float], list[float]]:
    shown = [one.shown & some for one, some in zip(seen, places, strict=True)]
    return [float((s & one.right).sum()) for one, s in zip(seen, shown, strict=True)], [float(s.sum()) for s in shown]


def main() -> None:
    options = {
        "posts": (int, 150, "novel posts"),
        "characters": (int, 300, "of a post that are typed, from its beginning"),
        "home": (str, "", "a home with the real archive"),
        "gates": (str, "quiet,normal,eager", "gates, with commas"),
    }
    args = arguments(__doc__ or "", **options)
    engine = shipped_engine()
    with held_out_posts(args.home, repeats=True) as held:
        if not args.json:
            print(POLICY)
        for kind, wanted in (("novel", ~held.repeats), ("repeats", held.repeats)):
            places = np.flatnonzero(wanted)[: args.posts].tolist()
            for gate in map(Gate, args.gates.split(",")):
                seen = typed(engine, held, places, gate, args.characters)
                figures(f"{kind}, {gate}", seen, held.threads[places], as_json=args.json)


if __name__ == "__main__":
    main()

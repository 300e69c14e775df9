"""Typing help on held-out posts, as a person sees it: what is suggested, how often it is right, and how many keystrokes it saves.

Test posts are typed again to their end, a keystroke at a time, with the models in the package (`rejoinder.engine.replay` has the
policy). A suggestion counts once, from when it appears until it changes or is typed. Right: the person wrote all of it next, to
the end of its last word; its first word right: at least that. Saved, wrong ones counted: each suggestion of which nothing was
taken costs COST keystrokes, which is about what it takes to look at a word (`rejoinder.engine.gate` has the source). Posts of
Hacker News are novel: of those half of whose runs of ten tokens stand in the training text figures are told apart with
`--repeats`. Posts of talk are of other registers. Intervals are over threads.

With `--beside HOME` the voice `--voice` of a home, such as a pretrained net, types the same posts of Hacker News; the difference
of what is saved is paired.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from figures import arguments, report, report_interval
from typing_home import held_out_posts, shipped_engine, talk_posts

from rejoinder.engine.replay import POLICY, Replay, Shown, replay_gates
from rejoinder.engine.typing import Engine, Gate
from rejoinder.home.voices import typist
from rejoinder.home.workspace import Workspace
from rejoinder.ladder.heldout import HeldOut
from rejoinder.ladder.metrics import bootstrap_mean, by_thread
from rejoinder.models import Can

COST = 1.0  # keystrokes that a suggestion costs of which nothing was taken
_TALK = "reddit_cmv,lenny,tech_prose"  # argument, speech, prose


def typed(engine: Engine, held: HeldOut, gates: Sequence[Gate], characters: int) -> list[list[Replay]]:
    """Some posts, typed again, with each of the gates."""
    cut = characters or None
    pairs = zip(held.posts, held.contexts, strict=True)
    return [replay_gates(engine.open(context), post.own_text[:cut], gates) for post, context in pairs]


def figures(name: str, seen: Sequence[Replay], threads: np.ndarray, *, as_json: bool) -> None:
    """Print what came of them."""
    rng = np.random.default_rng(0)
    everything: Callable[[Shown], bool] = lambda _: True  # noqa: E731

    def share(what: str, part: Sequence[float], whole: Sequence[float]) -> None:
        sums, counts = by_thread(threads, np.array(part, np.float64), np.array(whole, np.float64))
        some = counts > 0
        if some.any():
            report_interval(f"{name}: {what}", bootstrap_mean(sums[some], counts[some], rng), "", as_json=as_json)

    def of(what: str, part: Callable[[Shown], bool], whole: Callable[[Shown], bool] = everything) -> None:
        among = [[one for one in replayed.suggestions if whole(one)] for replayed in seen]
        share(what, [float(sum(map(part, some))) for some in among], [float(len(some)) for some in among])

    keystrokes = [float(len(one.shown)) for one in seen]
    report(f"{name}: posts", [len(seen)], "", as_json=as_json)
    report(f"{name}: suggestions", [sum(len(one.suggestions) for one in seen)], "", as_json=as_json)
    of("suggestions right", lambda one: one.right)
    of("their first word right", lambda one: one.first)
    of("right, of those that appear inside a word", lambda one: one.right, lambda one: not one.after_space)
    of("right, of those that appear after a space", lambda one: one.right, lambda one: one.after_space)
    spaces = [float(one.spaced.sum()) for one in seen]
    covered = [float((one.spaced & one.shown).sum()) for one in seen]
    share("places after a space with a suggestion", covered, spaces)
    share("right at these", [float((one.spaced & one.whole).sum()) for one in seen], covered)
    share("first word right at these", [float((one.spaced & one.shown & one.right).sum()) for one in seen], covered)
    of("two words and more, of those that appear after a space", lambda one: one.words > 1, lambda one: one.after_space)
    share("keystrokes saved", [n - one.keys for n, one in zip(keystrokes, seen, strict=True)], keystrokes)
    net = [n - one.keys - COST * one.untaken for n, one in zip(keystrokes, seen, strict=True)]
    share(f"keystrokes saved, {COST:g} counted for each not taken", net, keystrokes)
    share("keystrokes with ghost text", [float(one.shown.sum()) for one in seen], keystrokes)


def engine_of(home: str, name: str) -> Engine:
    """One voice of a home, and no other."""
    space = Workspace(Path(home))
    return typist(space, dict(space.load_those(Can.PREDICT, [name])), lambda text: print(text, file=sys.stderr))


def compare(name: str, ours: Sequence[Replay], others: Sequence[Replay], threads: np.ndarray, *, as_json: bool) -> None:
    """Print how many more keystrokes the others save, of the same posts."""
    more = np.array([float(a.keys - b.keys) for a, b in zip(ours, others, strict=True)])
    sums, counts = by_thread(threads, more, np.array([float(len(one.shown)) for one in ours]))
    found = bootstrap_mean(sums[counts > 0], counts[counts > 0], np.random.default_rng(0))
    report_interval(f"{name}: keystrokes saved, more than by the package", found, "", as_json=as_json)


def main() -> None:
    options = {
        "posts": (int, 300, "posts of each kind"),
        "characters": (int, 0, "of a post that are typed, from its beginning; 0 for all"),
        "home": (str, "", "a folder to keep what is imported in"),
        "gates": (str, "quiet,normal,eager", "gates, with commas"),
        "talk": (str, _TALK, "files of talk, with commas; - for none"),
        "repeats": (int, 0, "posts that repeat the training text, told apart"),
        "beside": (str, "", "a home with another voice"),
        "voice": (str, "pretrained", "which of that home"),
    }
    args = arguments(__doc__ or "", **options)
    engine, gates = shipped_engine(), [Gate(gate) for gate in args.gates.split(",")]
    other = engine_of(args.beside, args.voice) if args.beside else None

    def measure(name: str, held: HeldOut) -> None:
        seen = typed(engine, held, gates, args.characters)
        others = typed(other, held, gates, args.characters) if other is not None and name == "novel" else []
        for number, gate in enumerate(gates):
            ours = [each[number] for each in seen]
            figures(f"{name}, {gate}", ours, held.threads, as_json=args.json)
            if others:
                found, called = [each[number] for each in others], f"{name}, {gate}, {args.voice}"
                figures(called, found, held.threads, as_json=args.json)
                compare(called, ours, found, held.threads, as_json=args.json)

    if not args.json:
        print(POLICY)
    with held_out_posts(f"{args.home}/hn" if args.home else "", repeats=True) as held:
        measure("novel", held.only(np.flatnonzero(~held.repeats)[: args.posts]))
        if args.repeats:
            measure("repeats", held.only(np.flatnonzero(held.repeats)[: args.repeats]))
    for name in args.talk.split(",") if args.talk != "-" else ():
        with talk_posts(name, args.home) as held:
            measure(name, held.first(args.posts))


if __name__ == "__main__":
    main()

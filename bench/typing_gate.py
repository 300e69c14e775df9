"""Typing help on held-out posts, as a person sees it: what is suggested, how often it is right, and how many keystrokes it saves.

Test posts are typed again to their end, a keystroke at a time, with the models in the package (`rejoinder.engine.replay` has the
policy). A suggestion counts once, from when it appears until it changes or is typed. Right: the person wrote all of it next, to
the end of its last word; its first word right: at least that. Saved, wrong ones counted: each suggestion of which nothing was
taken costs COST keystrokes, which is about what it takes to look at a word (`rejoinder.engine.gate` has the source). Posts of
Hacker News are novel: of those half of whose runs of ten tokens stand in the training text figures are told apart with
`--repeats`. Posts of talk are of other registers. Intervals are over threads.

With `--keep DIR` what is counted of each post, none of its words, is kept there as soon as it is typed, so that a run that was
broken off, or that `--minutes` ended, goes on where it was. With `--beside HOME` the voice `--voice` of a home, such as a
pretrained net, types the same posts of Hacker News; the difference of what is saved is paired.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic

import numpy as np
from figures import arguments, report, report_interval
from typing_home import held_out_posts, shipped_engine, talk_posts

from rejoinder.engine.replay import POLICY, Replay, replay_gates
from rejoinder.engine.typing import Engine, Gate
from rejoinder.errors import RejoinderError
from rejoinder.home.voices import typist
from rejoinder.home.workspace import Workspace
from rejoinder.ladder.heldout import HeldOut
from rejoinder.ladder.metrics import bootstrap_mean, by_thread
from rejoinder.models import Can
from rejoinder.models.directory import identity

COST = 1.0  # keystrokes that a suggestion costs of which nothing was taken
_TALK = "reddit_cmv,lenny,tech_prose"  # argument, speech, prose


@dataclass(frozen=True)
class Counted:
    """What came of one post with one gate."""

    characters: int
    keys: int
    untaken: int  # suggestions seen on the way of which nothing was taken
    spaced_keys: int  # both where spaces are put in too
    spaced_untaken: int
    ghosts: int  # keystrokes with ghost text
    suggestions: int
    right: int
    first: int  # whose first word was right, at least
    inside: int  # that appear inside a word
    inside_right: int
    after: int  # that appear after a space
    after_right: int
    after_longer: int  # of two words and more
    spaces: int  # places after a space
    covered: int  # with a suggestion
    covered_right: int
    covered_first: int

    @classmethod
    def of(cls, seen: Replay) -> Counted:
        """Count."""
        inside, after = ([one for one in seen.suggestions if one.after_space == spaced] for spaced in (False, True))
        return cls(
            characters=len(seen.shown),
            keys=seen.keys,
            untaken=seen.untaken,
            spaced_keys=seen.spaced_keys,
            spaced_untaken=seen.spaced_untaken,
            ghosts=int(seen.shown.sum()),
            suggestions=len(seen.suggestions),
            right=sum(one.right for one in seen.suggestions),
            first=sum(one.first for one in seen.suggestions),
            inside=len(inside),
            inside_right=sum(one.right for one in inside),
            after=len(after),
            after_right=sum(one.right for one in after),
            after_longer=sum(one.words > 1 for one in after),
            spaces=int(seen.spaced.sum()),
            covered=int((seen.spaced & seen.shown).sum()),
            covered_right=int((seen.spaced & seen.whole).sum()),
            covered_first=int((seen.spaced & seen.shown & seen.right).sum()),
        )


class Kept:
    """What was counted of posts, in a file: a first line with what typed them, then a line for each post."""

    def __init__(self, directory: str, name: str, measured: dict[str, object]) -> None:
        """Read what is there; without a directory nothing is kept."""
        self._file = Path(directory) / f"{name}.jsonl" if directory else None
        self._found: dict[int, list[Counted]] = {}
        if self._file is None:
            return
        self._file.parent.mkdir(parents=True, exist_ok=True)
        if not self._file.is_file():
            self._append(measured)
        lines = self._file.read_bytes().splitlines(keepends=True)
        if json.loads(lines[0]) != json.loads(json.dumps(measured)):
            raise RejoinderError(f"{self._file} was counted with other models or options; give --keep another folder")
        whole = [json.loads(line) for line in lines[1:] if line.endswith(b"\n")]  # the last may have been cut short
        self._found = {row["post"]: [Counted(**one) for one in row["counted"]] for row in whole}
        if not lines[-1].endswith(b"\n"):
            self._file.write_bytes(b"".join(lines[:-1]))

    def get(self, post: int) -> list[Counted] | None:
        """Of a post, for each gate; None if it is still to be typed."""
        return self._found.get(post)

    def put(self, post: int, counted: list[Counted]) -> list[Counted]:
        """Keep it."""
        self._append({"post": post, "counted": [asdict(one) for one in counted]})
        return counted

    def _append(self, row: dict[str, object]) -> None:
        if self._file is not None:
            with self._file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")


def typed(
    engine: Engine, held: HeldOut, gates: Sequence[Gate], kept: Kept, minutes: float, cut: int | None
) -> list[list[Counted]]:
    """Some posts typed with each of the gates, each to its end or `cut`; those only that are there or begun within `minutes`."""
    found, until = [], monotonic() + minutes * 60
    for post, context in zip(held.posts, held.contexts, strict=True):
        known = kept.get(post.id)
        if known is None:
            if monotonic() > until:
                break
            seen = replay_gates(engine.open(context), post.own_text[:cut], gates)
            known = kept.put(post.id, [Counted.of(one) for one in seen])
        found.append(known)
    return found


def figures(name: str, seen: Sequence[Counted], threads: np.ndarray, *, as_json: bool) -> None:
    """Print what came of them."""
    rng = np.random.default_rng(0)
    of = {field: np.array([getattr(one, field) for one in seen], np.float64) for field in Counted.__dataclass_fields__}

    def share(what: str, part: np.ndarray, whole: np.ndarray) -> None:
        sums, counts = by_thread(threads, part, whole)
        some = counts > 0
        if some.any():
            report_interval(f"{name}: {what}", bootstrap_mean(sums[some], counts[some], rng), "", as_json=as_json)

    report(f"{name}: posts", [len(seen)], "", as_json=as_json)
    report(f"{name}: suggestions", [of["suggestions"].sum()], "", as_json=as_json)
    share("suggestions right", of["right"], of["suggestions"])
    share("their first word right", of["first"], of["suggestions"])
    share("right, of those that appear inside a word", of["inside_right"], of["inside"])
    share("right, of those that appear after a space", of["after_right"], of["after"])
    share("places after a space with a suggestion", of["covered"], of["spaces"])
    share("right at these", of["covered_right"], of["covered"])
    share("first word right at these", of["covered_first"], of["covered"])
    share("two words and more, of those that appear after a space", of["after_longer"], of["after"])
    for spaced, what in (("", "keystrokes saved"), ("spaced_", "keystrokes saved, spaces put in")):
        saved = of["characters"] - of[f"{spaced}keys"]
        share(what, saved, of["characters"])
        share(f"{what}, {COST:g} counted for each not taken", saved - COST * of[f"{spaced}untaken"], of["characters"])
    share("keystrokes with ghost text", of["ghosts"], of["characters"])


def engine_of(home: str, name: str) -> Engine:
    """One voice of a home, and no other."""
    space = Workspace(Path(home))
    return typist(space, dict(space.load_those(Can.PREDICT, [name])), lambda text: print(text, file=sys.stderr))


def compare(name: str, ours: Sequence[Counted], others: Sequence[Counted], threads: np.ndarray, *, as_json: bool) -> None:
    """Print how many more keystrokes the others save, of the same posts."""
    more = np.array([float(a.keys - b.keys) for a, b in zip(ours, others, strict=True)])
    sums, counts = by_thread(threads, more, np.array([float(one.characters) for one in ours]))
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
        "keep": (str, "", "a folder to keep what is counted in; one for each state of the code"),
        "minutes": (float, float("inf"), "after which no further post of a kind is begun"),
    }
    args = arguments(__doc__ or "", **options)
    gates, cut = [Gate(gate) for gate in args.gates.split(",")], args.characters or None
    engine, other = shipped_engine(), engine_of(args.beside, args.voice) if args.beside else None

    def counted(name: str, engine: Engine, held: HeldOut, space: Workspace | None, rung: str) -> list[list[Counted]]:
        at = space.fitted(rung) if space is not None else None
        assert at is not None, f"{rung} is not fitted"
        measured = {"model": identity(at.directory), "gates": gates, "characters": args.characters}
        return typed(engine, held, gates, Kept(args.keep, name, measured), args.minutes, cut)

    def measure(name: str, held: HeldOut) -> None:
        ours = counted(name, engine, held, Workspace.shipped(), "mixture")
        others = []
        if other is not None and name == "novel":
            others = counted(f"{name}-{args.voice}", other, held.first(len(ours)), Workspace(Path(args.beside)), args.voice)
        for number, gate in enumerate(gates):
            one = [each[number] for each in ours]
            figures(f"{name}, {gate}", one, held.threads[: len(one)], as_json=args.json)
            if others:
                found, called = [each[number] for each in others], f"{name}, {gate}, {args.voice}"
                figures(called, found, held.threads[: len(found)], as_json=args.json)
                compare(called, one[: len(found)], found, held.threads[: len(found)], as_json=args.json)

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

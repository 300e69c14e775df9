"""Which models speak, in one place: of the rungs fitted here and those in the package, the one that measured best on this home.

Every fit draws some posts of the dev part that neither has read (see `rejoinder.home.trial`), and keeps what each rung pays for
them. The package's best rung speaks unless one fitted here pays less, by more than chance explains. On posts that the package has
read, only rungs that are made of nothing of it can show that. A person may also choose (`choose_by_hand`), whatever was paid.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rejoinder.engine.gate import Calibration
from rejoinder.errors import ModelError, NotFitted, UsageError
from rejoinder.home.lock import locked
from rejoinder.home.trial import Trial, can_be_drawn, read_trial
from rejoinder.home.workspace import Fitted, Workspace
from rejoinder.ladder.metrics import FEWEST, bootstrap_change
from rejoinder.models import LADDER, PACKAGE, Can, is_slow, those_that
from rejoinder.models.directory import identity
from rejoinder.models.interfaces import LanguageModel
from rejoinder.text.phrases import Phrases

if TYPE_CHECKING:  # one of them is asked for, seldom all: `rejoinder complete` waits for none
    from rejoinder.engine.generation import ReplyGenerator
    from rejoinder.engine.typing import Engine, TypingConfig

Note = Callable[[str], None]  # told, in a sentence, what a person may want to know
_QUICK = ("kneser_ney", "markov")  # the rungs that know a next word in less than a millisecond
_MAKERS = ("pretrained", "lstm", "mixture")  # the rungs that make replies, those that were added first


@dataclass(frozen=True)
class Voices:
    """Who speaks in a home, why, and who else can be asked. A name that begins with `package/` is a rung of the package."""

    best: str
    reason: str  # in one sentence
    names: tuple[str, ...]  # all that can be asked, the best first
    bits_per_byte: Mapping[str, float]  # of those measured here
    passed_over: tuple[str, ...] = ()  # a line for each that would be here, were it whole and up to date

    @cached_property
    def quick(self) -> str:
        """Who speaks where time is short: a cheap rung from where the best one comes."""
        beside = PACKAGE if self.best.startswith(PACKAGE) else ""
        near = (name for quick in _QUICK for name in (beside + quick, PACKAGE + quick))
        return next((name for name in near if name in self.names), self.best)

    @cached_property
    def typists(self) -> tuple[str, ...]:
        """Who finishes sentences, the best first: where the best is slow, the best of the others answers while it reads."""
        slow = [name for name in self.names if is_slow(name)]
        others = sorted((one for one in self.names if one not in slow), key=lambda one: self.bits_per_byte.get(one, np.inf))
        return tuple(dict.fromkeys((self.best, *(others[:1] if self.best in slow else ()), self.quick)))

    @cached_property
    def maker(self) -> str:
        """The rung that writes replies of its own, from where the best one is: cell or mixture, else the best itself."""
        beside = PACKAGE if self.best.startswith(PACKAGE) else ""
        return next((name for one in _MAKERS if (name := beside + one) in self.names), self.best)

    def named(self, name: str) -> str:
        """The one that is meant by the name of a rung: fitted here, else in the package; or the name as it is."""
        return next((one for one in (name, PACKAGE + name) if one in self.names), name)


def voices(space: Workspace) -> Voices:
    """Which models speak in a home.

    Raises:
        NotFitted: there is none, neither here nor in the package.
    """
    here, passed_over = _usable(space)
    package, damaged = _usable(space, PACKAGE)
    theirs, passed_over = list(package), [*passed_over, *damaged]
    if not here and not theirs:
        raise NotFitted("; ".join(["nothing is fitted that finishes sentences; run `rejoinder fit`", *passed_over]))
    trial = read_trial(space.home)
    measured = {name: trial.bits(name) for name in (*here, *theirs) if trial.knows(name, _identity(space, name))}
    chosen = next((one for one in (trial.chosen, PACKAGE + trial.chosen) if one in here or one in package), None)
    if chosen is not None:
        best, reason = chosen, f"`{chosen}` speaks: it was chosen here; `rejoinder model use best` leaves it to what was measured"
    elif here and space.is_empty:
        best = next(iter(here))
        reason = f"`{best}`, taken in from elsewhere, speaks: there are no posts here to try it on"
    else:
        able = [name for name, found in here.items() if not (trial.read and _is_made_of_package(found))]
        tried = {name: measured[name] for name in (*able, *theirs) if name in measured}
        if here and theirs and not any(name in tried for name in able):
            best, reason = theirs[0], f"the package speaks: {_unmeasured(space, here)}"
        else:
            best, reason = _choose(able or list(here), theirs, trial, tried)
    rest = sorted((name for name in here if name != best), key=lambda name: measured.get(name, np.inf))
    names = (best, *(name for name in (*rest, *theirs) if name != best))
    return Voices(best, reason, names, measured, tuple(passed_over))


def choose_by_hand(space: Workspace, name: str | None) -> None:
    """Let a rung speak, fitted here or else in the package, whatever was measured; None: leave it to what was measured.

    Raises:
        UsageError: it is not there, or does not finish sentences.
    """
    names = voices(space).names
    if name is not None and name not in names and PACKAGE + name not in names:
        raise UsageError(f"`{name}` cannot speak here; those that can: {', '.join(names)}")
    with locked(space.home, "fit"):
        replace(read_trial(space.home), chosen=name or "").save(space.home)


def _is_made_of_package(found: Fitted) -> bool:
    return any(part.startswith(PACKAGE) for part in found.manifest.get("parts", {}))


def _usable(space: Workspace, where: str = "") -> tuple[dict[str, Fitted], list[str]]:
    """The rungs, of the home or the package, that can be heard, the highest first; and a line for each that is damaged or old."""
    here: dict[str, Fitted] = {}
    passed_over = []
    for name in (where + one for one in reversed(those_that(Can.PREDICT))):
        try:
            found = space.fitted(name)
        except ModelError as error:
            passed_over.append(f"`{name}` is passed over: {error}")
            continue
        if found is None:
            continue
        if found.forgot:
            passed_over.append(f"`{name}` is passed over, since it may know posts that were forgotten: rejoinder fit {name}")
        elif found.outdated:
            remedy = "install rejoinder again" if where else f"rejoinder fit {name}"
            passed_over.append(f"`{name}` is passed over, since what it is made of has changed: {remedy}")
        else:
            here[name] = found
    return here, passed_over


def _identity(space: Workspace, name: str) -> str:
    found = space.fitted(name)
    return identity(found.directory) if found else ""


def _choose(here: Sequence[str], theirs: Sequence[str], trial: Trial, measured: Mapping[str, float]) -> tuple[str, str]:
    """The name of the best, and why."""
    ours = [name for name in here if name in measured]
    best = min(ours, key=lambda name: measured[name]) if ours else None
    if not theirs:
        if best is not None:
            return (
                best,
                f"`{best}` pays least of those fitted here, {measured[best]:.2f} bits per byte; none came with the package",
            )
        return here[0], f"`{here[0]}` is the highest rung fitted here, and none came with the package"
    package = theirs[0]
    if not here:
        return package, "the package speaks: nothing is fitted here yet that finishes sentences"
    assert best is not None  # noqa: S101 - else nothing is chosen
    if trial.threads < FEWEST or package not in measured:
        return package, f"the package speaks: {_unread(trial)}, too few to tell whether `{best}` is better"
    told = f"{measured[best]:.2f} bits per byte to the package's {measured[package]:.2f}, on {_unread(trial)}"
    change = bootstrap_change(trial.nats(best), trial.nats(package), np.random.default_rng(0))
    if change.low > 0:
        return best, f"`{best}`, fitted here, speaks: {told}"
    if change.high < 0:
        return package, f"the package speaks: `{best}`, fitted here, pays {told}"
    return package, f"the package speaks: `{best}`, fitted here, pays {told}, too near to tell"


def _unmeasured(space: Workspace, here: Mapping[str, Fitted]) -> str:
    """Why nothing that is fitted here was measured, and what to do."""
    from rejoinder.archive.reader import ArchiveCorpus
    from rejoinder.home.arpa import ELSEWHERE

    if all(found.manifest["on"] == ELSEWHERE for found in here.values()):
        name = next(iter(here))
        return f"`{name}`, taken in from elsewhere, was not measured beside it; `rejoinder model use {name}` lets it speak"
    with space.open_archive() as archive:
        corpus = ArchiveCorpus(archive, Path(), next(iter(here.values())).manifest["split"])
        if not can_be_drawn(corpus):
            return "there are too few dev posts here to measure on what is fitted; `rejoinder import` brings more"
    return "what is fitted here was not measured beside it; `rejoinder fit` does that"


def _unread(trial: Trial) -> str:
    read = "the package has read, which flatters it" if trial.read else "neither has read"
    return f"{trial.posts:,} dev {'post' if trial.posts == 1 else 'posts'} that {read}"


# --- what they are opened as -------------------------------------------------------------------------------------------


def typist(space: Workspace, models: Mapping[str, LanguageModel], note: Note, config: TypingConfig | None = None) -> Engine:
    """What finishes sentences: `models`, by the names that `Voices` gives them, the best first."""
    from rejoinder.engine.typing import Engine

    found = {name: space.fitted(name) for name in models}
    gates = {name: Calibration.load(fitted.directory) for name, fitted in found.items() if fitted is not None}
    return Engine(models, gates, phrases_of(space, next(iter(models)), note), config)


def generator(space: Workspace, name: str, seed: int, note: Note, *, allow_stale: bool = False) -> ReplyGenerator:
    """The source of generated replies of one rung."""
    from rejoinder.engine.generation import ReplyGenerator

    model = space.load_those(Can.PREDICT, [name], allow_stale=allow_stale)[name]
    return ReplyGenerator(name, model, phrases_of(space, name, note), seed=seed)


def phrases_of(space: Workspace, name: str, note: Note) -> Phrases:
    """Whose words the posts are that a fitted rung learned from: kept beside it or its part, else read from the archive.

    One that is made of a rung of the package as well has read what that has.
    """
    found = space.fitted(name)
    if found is None:
        raise NotFitted(f"the rung `{name}` is not fitted in {space.home}; run `rejoinder fit {name}`")
    theirs = next((part for part in found.manifest.get("parts", {}) if part.startswith(PACKAGE)), None)
    own = _phrases_of(space, name, found, note)
    return own if theirs is None else replace(own, beside=phrases_of(space, theirs, note))


def _phrases_of(space: Workspace, name: str, found: Fitted, note: Note) -> Phrases:
    beside = PACKAGE if name.startswith(PACKAGE) else ""
    for other in dict.fromkeys((name, *(beside + one for one, line in LADDER.items() if not line.added))):
        there = space.fitted_or_none(other)
        if there is not None and there.manifest.get("data") == found.manifest.get("data"):
            kept = Phrases.load(there.directory)
            if kept is not None:
                return kept
    from rejoinder.archive.reader import ArchiveCorpus

    note(f"nothing is kept of whose words `{name}` learned from, so it is read from the archive; `rejoinder fit {name}` keeps it")
    with space.open_archive() as archive:  # in memory, since a home may be one that is only read
        everything = found.manifest["on"] != "train"
        return Phrases.build(ArchiveCorpus(archive, Path(), found.manifest["split"], everything=everything).posts("train"))

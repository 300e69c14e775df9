"""What is open of a home: each part is loaded once, when it is first needed, and again when the home has changed.

`rejoinder.home.voices` says which models speak. Posts and replies come from the home, or while it is empty from the sample.
"""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from time import time_ns
from typing import Any, TypeVar, cast

from rejoinder.archive.html import clean
from rejoinder.archive.places import names, notices
from rejoinder.archive.store import Archive
from rejoinder.engine.generation import ReplyGenerator, cases_in
from rejoinder.engine.replier import Replier, ReplyConfig
from rejoinder.engine.typing import Engine, TypingSession
from rejoinder.errors import ArchiveError, ModelError, NotFitted, UsageError
from rejoinder.home.own_text import FILE, OwnText, own_model, remembered
from rejoinder.home.replies import replier
from rejoinder.home.sample import REPLYING, sample
from rejoinder.home.trial import FILE as VOICES_FILE
from rejoinder.home.voices import Note, Voices, phrases_of, typist, voices
from rejoinder.home.workspace import Workspace
from rejoinder.models import LADDER, PACKAGE, Can, rung
from rejoinder.models.directory import given_up
from rejoinder.models.interfaces import LanguageModel, Personal, Suggester
from rejoinder.models.loading import without_damaged
from rejoinder.models.lstm.rung import LSTM
from rejoinder.models.mixture import with_own_counts
from rejoinder.post import Kind, Post, Suggestion
from rejoinder.text.phrases import Phrases
from rejoinder.text.words import words

_TICK = 100_000_000  # nanoseconds in which two writes may leave the same time
T = TypeVar("T")


class OpenHome:
    """The parts of one home that answer. May be asked from several threads."""

    def __init__(self, space: Workspace, note: Note) -> None:
        """No rung is loaded yet; `note` is told what a person may want to know."""
        self.home = space
        self._note = cache(note)  # a line is told once
        self._locks: defaultdict[str, threading.RLock] = defaultdict(threading.RLock)  # whoever types waits for no reply
        self._kept: dict[str, Any] = {}
        self._looked_at: dict[str, tuple[int, int, int]] | None = None  # the files when they were last looked into
        self._seen = self._signature()
        self._own_before: dict[str, OwnText] = {}  # by tokenizer: the counts of one's own text as they last were

    def _once(self, key: str, make: Callable[[], Any]) -> Any:
        """What is kept of that name, else made; made again where the home has changed meanwhile."""
        while True:
            kept = self._kept
            found = kept.get(key)
            if found is None:
                with self._locks[key]:
                    found = kept.get(key)
                    if found is None:
                        found = kept[key] = make()
            if self._kept is kept:
                return found

    def warm(self) -> None:
        """Have ready what a keystroke needs."""
        self.open_typing((), ()).suggest("The ")

    # --- the home changes ----------------------------------------------------------------------------------------

    def refresh(self) -> bool:
        """Let go of what is not as it lies on disk any more: fitted again, forgotten or erased. Whether there was such a change.

        Where no file was touched since the last look, that is all it looks at, so that it may be asked around every answer.
        """
        with self._locks["refresh"]:
            stamps = self._stamps()
            if stamps == self._looked_at and self._seen[4] == given_up():
                return False
            try:
                now = self._signature()
            except ArchiveError:  # whoever types loses nothing by it, and whoever reads posts will be told
                return False
            newest = max((written for _, _, written in stamps.values()), default=0)
            self._looked_at = stamps if time_ns() - newest > _TICK else None
            if now == self._seen:
                return False
            kept = dict(self._kept) if now[1:] == self._seen[1:] else {}  # the text of one's own loads no model again
            kept.pop("own", None)
            if now[0] is None:  # erased: not even what is to be counted on from stays
                self._own_before = {}
            self._seen, self._kept = now, kept  # what is being made meanwhile goes where nobody looks, and is made again
            return True

    @property
    def forgot_at(self) -> int:
        """The revision of the archive in which posts were last forgotten, as of the last look."""
        return int(self._seen[3])

    def _stamps(self) -> dict[str, tuple[int, int, int]]:
        """Of all files and folders that tell of a change: which it is, its size, and when it was written."""
        archive = self.home.archive_file
        paths = [self.home.home / FILE, self.home.home / VOICES_FILE, archive, archive.with_name(f"{archive.name}-wal")]
        names = [str(path) for path in paths] + [str(self.home.models)]
        for folder in names[-1], *_inside(names[-1]):
            names += _inside(folder)
        found = {}
        for name in names:
            with suppress(OSError):
                stat = Path(name).stat()
                found[name] = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
        return found

    def _signature(self) -> tuple[Any, ...]:
        rungs = tuple(sorted(str(path) for path in self.home.models.glob("*/*/manifest.json")))
        own, measured = (_written(self.home.home / file) for file in (FILE, VOICES_FILE))
        empty, forgot = True, 0
        if self.home.archive_file.is_file():
            with self.home.open_archive() as archive:
                empty, forgot = archive.is_empty, archive.meta("forgot_at", 0)
        return own, measured, empty, forgot, given_up(), *rungs

    def _choose_again(self) -> None:
        """See what has changed, if a model was found to be damaged."""
        if self._seen[4] != given_up():
            self.refresh()

    # --- language models -----------------------------------------------------------------------------------------

    @property
    def voices(self) -> Voices:
        """Which models speak.

        Raises:
            NotFitted: there is none.
        """
        return self._once("voices", self._voices)  # type: ignore[no-any-return]

    def _voices(self) -> Voices:
        found = voices(self.home)
        for line in found.passed_over:
            self._note(line)
        return found

    def model(self, name: str) -> LanguageModel:
        """One of `voices.names`, loaded when it is first asked for; what several are made of is loaded once."""
        while True:
            kept: dict[str, Suggester] = self._once("loaded", dict)
            with self._locks["models"]:
                found = self.home.load_parts([name], kept)[name]
            if self._once("loaded", dict) is kept:
                return cast(LanguageModel, found)

    @property
    def models(self) -> dict[str, LanguageModel]:
        """All of them by name, the best first."""
        found = {}
        for name in self.voices.names:
            with suppress(ModelError, UsageError):
                found[name] = self.model(name)
        return found

    def heard(self, use: Callable[[Voices], T]) -> T:
        """What `use` makes of who speaks: the best that can be loaded and used."""

        def asked() -> T:
            self._choose_again()
            return use(self.voices)

        return without_damaged(asked)

    def cell(self) -> LSTM:
        """The memory cell: the home's, else the one in the package.

        Raises:
            NotFitted: there is neither.
        """
        return cast(LSTM, self.model(self.voices.named("lstm")))

    @property
    def engine(self) -> Engine:
        """The typing engine of the voices that speak here, opened at its first use."""
        return self._once("engine", lambda: self.heard(self._engine))  # type: ignore[no-any-return]

    def _engine(self, speaks: Voices) -> Engine:
        return typist(self.home, {name: self.model(name) for name in speaks.typists}, self._note)

    def open_typing(self, context: Sequence[Post], blocked: Sequence[str], *, own: bool = True) -> TypingSession:
        """A session for one draft that answers `context`; `own` counts in what the person wrote."""
        engine = self.engine  # first: with it, who speaks is settled
        counts, words = self._own() if own else ((), frozenset())
        return engine.open(context, blocked=blocked, own=counts, own_words=words)

    def voiced(self, name: str) -> tuple[LanguageModel, frozenset[str]]:
        """One of `voices.typists` with what the person wrote counted in, and the words of that."""
        counts, own_words = self._own()
        return with_own_counts(name, self.model(name), counts), own_words

    def _own(self) -> tuple[tuple[Personal, ...], frozenset[str]]:
        """Counts of what the person wrote, by the tokenizer of each voice, and its words, where that is remembered."""
        return self._once("own", self._count_own)  # type: ignore[no-any-return]

    def _count_own(self) -> tuple[tuple[Personal, ...], frozenset[str]]:
        if not (text := remembered(self.home.home)):
            self._own_before = {}
            return (), frozenset()
        tokenizers = {model.tokenizer.fingerprint(): model.tokenizer for model in self.engine.voices.values()}
        counts = {same: own_model(self.home.home, found, self._own_before.get(same)) for same, found in tokenizers.items()}
        self._own_before = {same: one for same, one in counts.items() if one is not None}
        return tuple(self._own_before.values()), frozenset(words(text))

    # --- posts and replies ---------------------------------------------------------------------------------------

    @property
    def archive_home(self) -> Workspace:
        """The home of the posts."""
        return self._once("archive", self._archive_home)  # type: ignore[no-any-return]

    def _archive_home(self) -> Workspace:
        return sample(self.home) if self.home.is_empty else self.home

    def archive(self) -> Archive:
        """The archive, opened for one job; whoever asked closes it."""
        return self.archive_home.open_archive()

    @property
    def forum(self) -> tuple[str, str]:
        """Where the posts come from, and what is asked of people who write there."""
        return self._once("forum", self._forum)  # type: ignore[no-any-return]

    def _forum(self) -> tuple[str, str]:
        with self.archive() as archive:
            return names(archive), notices(archive)

    def replier(self, *, generate: bool, everything: bool) -> Replier:
        """What answers; with `generate` also what nobody wrote, with `everything` also what is not likely to be on topic."""
        base: Replier = self._once("replier", lambda: replier(self._answering(REPLYING), note=self._note))
        made = self._once("generated", lambda: self.heard(self._generated)) if generate else None
        return base.asked(ReplyConfig(threshold=0.0 if everything else None), made)

    def reply(self, context: Sequence[Post], k: int, *, generate: bool, everything: bool) -> tuple[Replier, list[Suggestion]]:
        """What answers, and at most `k` replies; see `replier`."""

        def answered() -> tuple[Replier, list[Suggestion]]:
            self._choose_again()
            answering = self.replier(generate=generate, everything=everything)
            return answering, answering.reply(context, k)

        return without_damaged(answered)

    def cases(self, context: Sequence[Post]) -> list[tuple[str, str]]:
        """What was asked and answered in the archive that is likely of the same, for a net that reads it before it answers."""
        if not context or not context[-1].body.strip():
            return []
        with suppress(NotFitted):
            return cases_in(self.reply(context, 2, generate=False, everything=False)[1])
        return []

    def _generated(self, speaks: Voices) -> ReplyGenerator:
        return ReplyGenerator(speaks.maker, self.model(speaks.maker), self.phrases(speaks.maker))

    def phrases(self, name: str) -> Phrases:
        """Whose words the language model `name` has read."""
        return self._once(f"phrases {name}", lambda: phrases_of(self.home, name, self._note))  # type: ignore[no-any-return]

    @property
    def reply_rungs(self) -> list[str]:
        """The rungs that propose replies, the best first: the trigger, which asks all others, where it is fitted."""
        found = [*self._kept_to(Can.PROPOSE), *self._kept_to(Can.TRIGGER)]
        return found[::-1]

    def replier_of(self, name: str) -> Replier:
        """What answers by the rung `name` alone, or by all of them through the trigger."""
        if name in self._kept_to(Can.TRIGGER):
            return self.replier(generate=False, everything=False)
        return self._once(f"replier {name}", lambda: replier(self._answering(REPLYING), only=[name]))  # type: ignore[no-any-return]

    @property
    def vector_rungs(self) -> list[str]:
        """The rungs that place texts by vectors, the best first."""
        return self._kept_to(Can.EMBED)[::-1]

    def embedder(self, name: str) -> Any:
        """The rung of that name out of `vector_rungs`, loaded at its first use."""
        return self._once(name, lambda: self.archive_home.load(name))

    def _kept_to(self, can: Can) -> list[str]:
        """The rungs with a capability that are fitted over the posts and know nothing that was forgotten, the cheapest first."""
        home = self._answering(REPLYING)
        found = (home.fitted_or_none(name) for name in home.fitted_that(can))
        return [fitted.rung for fitted in found if fitted is not None and not fitted.forgot]

    def searcher(self) -> Any:
        """The rung that finds posts by their words."""
        return self._once("bm25", lambda: self._answering(("bm25",)).load("bm25"))

    def _answering(self, names: Sequence[str]) -> Workspace:
        """The home of the posts; of the sample, these rungs are fitted by now."""
        return sample(self.home, names) if self.home.is_empty else self.home

    # --- what is there -------------------------------------------------------------------------------------------

    def rungs(self) -> list[dict[str, Any]]:
        """A line for each rung of the ladder: what it can do, and what is known of its fit."""
        return [rung_line(name, self.home, self.archive_home) for name in LADDER]


def context_of(given: Sequence[tuple[str, str]]) -> tuple[Post, ...]:
    """Posts of (title, text) that are in no archive, each an answer to the one before.

    Raises:
        UsageError: one of them has no words.
    """
    posts: list[Post] = []
    for place, (title, text) in enumerate(given):
        number = -1 - place  # no post of an archive has a number below 0
        kind, parent = (Kind.COMMENT, number + 1) if place else (Kind.STORY, None)
        posts.append(Post(number, kind, clean(text).strip(), "" if place else clean(title).strip(), parent))
        if not posts[-1].body:
            raise UsageError("a post of the context has no words")
    return tuple(posts)


def rung_line(name: str, *homes: Workspace) -> dict[str, Any]:
    """What a rung can do, and what is known of its fit in the first of the homes that has it, else in the package."""
    line = rung(name)
    places = ((home, one) for one in (name, PACKAGE + name) for home in homes)
    found = next((there for home, one in places if (there := home.fitted_or_none(one)) is not None), None)
    told: dict[str, Any] = {"name": name, "what": line.what, "can": [flag.name.lower() for flag in line.can if flag.name]}
    if found is None:
        return {**told, "fitted": None}
    package = Workspace.shipped()
    shipped = package is not None and found.directory.is_relative_to(package.models)
    facts = {key: getattr(found, key) for key in ("bytes", "behind", "stale", "forgot", "outdated")}
    return {**told, "fitted": found.manifest["fitted"], "on": found.manifest["on"], "shipped": shipped, **facts}


def _inside(folder: str) -> list[str]:
    """The folders in a folder."""
    try:
        return [entry.path for entry in os.scandir(folder) if entry.is_dir()]
    except OSError:
        return []


def _written(file: Path) -> int | None:
    """When a file was written; None if there is none."""
    return file.stat().st_mtime_ns if file.is_file() else None

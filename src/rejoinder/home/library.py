"""What a Python program uses: one home, and with it everything rejoinder does. Importing this loads nothing heavy.

A `Home` is a folder with an archive and models, as the command line uses it. Whatever helps is loaded when it is first asked for
and kept; when the home has changed on disk, by this program or another, it is loaded again.

Explained in docs/python.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rejoinder.errors import UsageError
from rejoinder.post import LONGEST_CONTEXT, Kind, Post, Query, Suggestion, Thread

if TYPE_CHECKING:
    from rejoinder.archive.store import Archive, Counts
    from rejoinder.engine.completion import Continuation
    from rejoinder.home.fitting import FitConfig
    from rejoinder.home.forgetting import Outcome
    from rejoinder.home.open_home import OpenHome
    from rejoinder.home.voices import Voices
    from rejoinder.home.workspace import Fitted
    from rejoinder.ladder.metrics import Estimate
    from rejoinder.models.interfaces import Progress

Answered = str | int | Post | Sequence[Post]  # text, a post's number in the archive, a post, or the posts from root to parent


class Home:
    """One home folder. Making one touches nothing; the folder appears when something is written."""

    def __init__(self, folder: str | Path | None = None, note: Callable[[str], None] = lambda said: None) -> None:
        """Use `folder`, else the home that the commands use; `note` is told, in a sentence, what may be of use."""
        from rejoinder.home.workspace import Workspace, usual_home

        self._space = Workspace(Path(folder or usual_home()).expanduser())
        self._note = note
        self._opened: OpenHome | None = None

    @property
    def folder(self) -> Path:
        """The folder that the home lies in."""
        return self._space.home

    # --- posts in, posts out -------------------------------------------------------------------------------------

    def add(self, *paths: str | Path, source: str | None = None, form: str | None = None) -> dict[str, Counts]:
        """Take posts from files into the archive; the same post again is an update.

        Args:
            paths: files, folders, zip or tar files, of any form of archive that is known.
            source: what to call the place they come from; the name of its form, if None.
            form: the form of all files, where it is not recognised.

        Returns:
            For each file read, by its name, what became of its records.

        Raises:
            SourceError: a file cannot be read, or not to its end, or its form is not known; what was read so far is kept.
            MissingExtra: a file needs packages that are not installed.
        """
        from rejoinder.archive.registry import source as named
        from rejoinder.home.importing import import_files

        counted: dict[str, Counts] = {}
        for done in import_files(self._space, map(Path, paths), named(form) if form else None, source):
            for error in done.errors:
                raise error
            if done.form is not None:
                counted[done.label] = done.counts
        return counted

    def threads(self) -> Iterator[Thread]:
        """Every thread of the archive, whichever part it belongs to."""
        from rejoinder.archive.reader import ArchiveCorpus, held_out

        with self._space.open_archive() as archive:
            corpus = ArchiveCorpus(archive, Path())
            for part in ("train", "dev"):
                yield from corpus.threads(part)
            yield from held_out(archive)

    def forget(self, *items: int, author: str | None = None, source: str | None = None) -> Outcome:
        """Erase posts, by number, of an author or of a place, from the archive and from what was learned from them, for good.

        The author is named as in the archive that was imported: in mail by the address.

        Returns:
            How many posts, and what became of each rung.

        Raises:
            UnknownPost: there is no such post, author or source; nothing was changed.
            UsageError: not one of the three is given; nothing was changed.
        """
        from rejoinder.home.forgetting import forget_everywhere

        return forget_everywhere(self._space, items, author, source)

    # --- learning ------------------------------------------------------------------------------------------------

    def fit(
        self,
        *rungs: str,
        config: FitConfig | None = None,
        settings: Mapping[str, Mapping[str, Any]] | None = None,
        progress: Progress | None = None,
    ) -> dict[str, Fitted]:
        """Learn from the archive.

        Args:
            rungs: which; what the two jobs need, if none is named.
            config: on which part, how threads are dealt, the seed.
            settings: those of the rungs, by name: {"markov": {"discount": 0.7}}.
            progress: told what is being done, how much is done, of how much.

        Returns:
            What is known of each rung that was fitted.

        Raises:
            RejoinderError: one of them could not be fitted; those before it are.
        """
        from rejoinder.home.fitting import FitConfig, fit
        from rejoinder.models.interfaces import silent

        given = {name: dict(values) for name, values in (settings or {}).items()}
        for error in fit(self._space, rungs or None, config or FitConfig(), given, progress or silent).values():
            raise error
        return {name: found for name, found in self.rungs().items() if not rungs or name in rungs}

    def rungs(self) -> dict[str, Fitted]:
        """What is fitted here, by name, from the cheapest rung up."""
        from rejoinder.models import LADDER

        return {name: found for name in LADDER if (found := self._space.fitted(name)) is not None}

    def measure(self, rung: str, posts: int = 1000, seed: int = 0) -> Estimate:
        """Bits per byte of a fitted rung on held-out test posts, drawn at random, with its 95% interval: lower is better.

        Raises:
            NotFitted: it is not fitted here.
            UsageError: it has read the test posts, or may have, or does not predict text; or `posts` is less than 1.
        """
        from math import inf

        import numpy as np

        from rejoinder.archive.reader import held_out
        from rejoinder.ladder.heldout import HeldOut
        from rejoinder.ladder.metrics import bootstrap_bits, by_thread
        from rejoinder.ladder.text_evaluation import score_text
        from rejoinder.models import Can

        _at_least_one(posts=posts)
        model = self._space.load_those(Can.PREDICT, [rung])[rung]
        fitted = self.rungs()[rung]
        if fitted.stale or fitted.manifest["on"] != "train":
            raise UsageError(f"`{rung}` has read test posts, or may have, so it cannot be measured on them; fit it on train anew")
        rng = np.random.default_rng(seed)
        with self._space.open_archive() as archive:
            held = HeldOut.of(held_out(archive, fitted.manifest["split"]), rng)
        nats, size, _ = score_text(model, held, posts, inf).T
        if not size.sum():
            raise UsageError(f"{self.folder} holds no test posts with words: there is nothing to measure on")
        nats, size = by_thread(held.threads[: len(nats)], nats, size)
        return bootstrap_bits(nats, size.astype(np.int64), rng)

    # --- help ----------------------------------------------------------------------------------------------------

    def voices(self) -> Voices:
        """Which models speak here, and why: the best, in one sentence, and who else can be asked.

        Raises:
            NotFitted: no rung predicts text, here or in the package.
        """
        return self._open().voices

    def complete(self, draft: str, answers: Answered = (), k: int = 3, words: int = 12) -> list[Continuation]:
        """At most `k` continuations of a draft, the likeliest first, by the voice of this home.

        What the person had remembered (`rejoinder own add`) is counted in.

        Args:
            draft: what is typed so far, the caret at its end.
            answers: what it is an answer to; () where that is not known.
            k: how many at most; there may be none.
            words: of a continuation at most.

        Raises:
            NotFitted: no rung predicts text, here or in the package.
            UsageError: `k` or `words` is less than 1.
        """
        from rejoinder.engine.completion import complete as continuations

        _at_least_one(k=k, words=words)
        opened = self._open()
        context = self._context(answers) or (Post(0),)  # a draft answers something, as most do

        def finished(speaks: Voices) -> list[Continuation]:
            best = speaks.best
            model, own = opened.voiced(best)
            return continuations(model, Query(context, draft), k, words, phrases=opened.phrases(best), own=own)

        return opened.heard(finished)

    def reply(self, answers: Answered, k: int = 5, *, everything: bool = False, generate: bool = False) -> list[Suggestion]:
        """At most `k` replies, the best first, each with where it comes from. Nothing is ever posted.

        Args:
            answers: the post to answer.
            k: how many at most; there may be none.
            everything: also what is not likely to be on topic.
            generate: also replies that a model makes, marked as such.

        Raises:
            UnknownPost: there is no post of that number.
            UsageError: `k` is less than 1.
        """
        _at_least_one(k=k)
        return self._open().reply(self._context(answers), k, generate=generate, everything=everything)[1]

    def _open(self) -> OpenHome:
        """What helps, as it lies on disk now."""
        from rejoinder.home.open_home import OpenHome

        if self._opened is None:
            self._opened = OpenHome(self._space, self._note)
        self._opened.refresh()
        return self._opened

    def _context(self, answers: Answered) -> tuple[Post, ...]:
        if isinstance(answers, str):
            return (Post(0, Kind.STORY, answers),)
        if isinstance(answers, Post):
            return (answers,)
        if isinstance(answers, int):
            with self._archive() as archive:
                return archive.path_to(answers, LONGEST_CONTEXT)
        return tuple(answers)

    def _archive(self) -> Archive:
        return self._open().archive()


def _at_least_one(**given: int) -> None:
    for name, value in given.items():
        if value < 1:
            raise UsageError(f"`{name}` must be at least 1; got {value}")


def complete(draft: str, answers: Answered = (), k: int = 3, *, home: str | Path | None = None) -> list[Continuation]:
    """`Home(home).complete(...)`: at most `k` continuations of a draft. A program that asks twice keeps a `Home`."""
    return Home(home).complete(draft, answers, k)


def reply(answers: Answered, k: int = 5, *, home: str | Path | None = None) -> list[Suggestion]:
    """`Home(home).reply(...)`: at most `k` replies to a post. A program that asks twice keeps a `Home`."""
    return Home(home).reply(answers, k)

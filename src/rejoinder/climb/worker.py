"""What one process does for the ladder: `python -m rejoinder.climb.worker TASK.json`.

It says how it goes on stdout, a JSON line at a time, and writes what came of it as `done.json` beside the task, last.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from time import monotonic, perf_counter, process_time
from typing import Any, cast

import numpy as np

from rejoinder.archive.reader import ArchiveCorpus, held_out
from rejoinder.archive.split import Method
from rejoinder.archive.store import Archive
from rejoinder.climb import tasks
from rejoinder.climb.tasks import (
    DONE,
    EXAMPLE_FILE,
    Choose,
    Compare,
    Compress,
    Done,
    Fit,
    MeasureReplies,
    MeasureText,
    Task,
    Tokenize,
)
from rejoinder.config import resolve
from rejoinder.corpus import sampled
from rejoinder.engine.calibration import GateConfig, calibrate
from rejoinder.engine.gate import Calibration
from rejoinder.engine.typing import Engine
from rejoinder.errors import MissingExtra, ModelError, RejoinderError
from rejoinder.files import tree_size, write_atomically
from rejoinder.home.voices import phrases_of
from rejoinder.home.workspace import Workspace
from rejoinder.ladder import text_evaluation
from rejoinder.ladder.compression import Compressor, compress_posts
from rejoinder.ladder.examples import reply_examples, typing_examples, write_examples
from rejoinder.ladder.heldout import HeldOut
from rejoinder.ladder.ranking import Asked, Pool, rank_pairs, time_replies
from rejoinder.ladder.report import PAIRS
from rejoinder.models import LADDER, Can
from rejoinder.models.directory import seal
from rejoinder.models.interfaces import Job, LanguageModel, ReplyRanker, ReplySource, Suggester
from rejoinder.post import Thread
from rejoinder.text.fingerprints import Fingerprints
from rejoinder.text.phrases import Phrases
from rejoinder.text.tensors import open_tokenizer, open_tokens, train_tokenizer, write_tokens

READ = "read.npy"
_HELD = 50_000  # held-out posts that are kept in memory, and that replies are drawn from as candidates
_CONSIDERED = 3_000  # held-out posts, of which some are left out
_GATED = 0.2  # of the time of a measurement, that its gate is fitted in
_SAID_EVERY = 0.25  # seconds
_SCORED = 0.4  # of the time for a language model; the rest is for typing
_RANKING = 0.8  # of the time for a ranker; the rest is for whole replies


class Worker:
    """Does one task of a climb, within its limits, and writes what comes of it."""

    def __init__(self, task: Task) -> None:
        """Nothing is done yet."""
        self.task, self.limits, self.place = task, task.limits, task.place
        self.root, self.split, self.seed = task.experiment.root, task.experiment.split, task.experiment.seed

    def do(self) -> Done:
        """What comes of the task."""
        work = self.task.work
        if isinstance(work, Tokenize):
            return self.tokenize(work)
        if isinstance(work, Choose):
            return self.choose(work)
        if isinstance(work, Fit):
            return self.fit(work)
        if isinstance(work, Compress):
            return self.compress(work)
        if isinstance(work, Compare):
            return self.compare(work)
        return self.measure_text(work) if isinstance(work, MeasureText) else self.measure_replies(work)

    def tokenize(self, work: Tokenize) -> Done:
        """The token arrays of a share of train, and of dev."""
        with self._archive() as archive:
            corpus = ArchiveCorpus(archive, self.place, self.split, share=work.share)
            if work.tokenizer is None:
                say("learning the tokenizer", 0, None)
            whole = self.root / work.tokenizer if work.tokenizer else None
            write_tokens(corpus, open_tokenizer(whole) if whole else train_tokenizer(corpus, work.vocabulary), self.place)
        return tasks.Tokenized(key=self.task.key)

    def choose(self, work: Choose) -> Done:
        """Held-out posts and pairs in the order they are measured in; without those the package's models have read."""
        with self._archive() as archive:
            threads = measured_on(archive, self.split)
        held = HeldOut.of(threads, np.random.default_rng(self.seed)).first(_CONSIDERED)
        keys = threads_read(threads)
        read = np.isin(held.threads, keys)
        left = held.only(np.flatnonzero(~read))
        if work.tokens is not None:
            tokens = self.root / work.tokens
            left = left.told_apart(open_tokenizer(tokens), open_tokens(tokens, "train"))
        left.save(self.place)
        with self._archive() as archive:
            Phrases.of_corpus(ArchiveCorpus(archive, self.place, self.split), self.place).save(self.place)
        np.save(self.place / READ, keys)
        pool = pool_of(threads, self.place)
        return tasks.Chosen(key=self.task.key, read=int(read.sum()), pairs={kind: pool.enough(kind) for kind in PAIRS})

    def fit(self, work: Fit) -> Done:
        """Fit a rung on a share of train."""
        rung, settings = LADDER[work.rung].load(), {**work.config, **self.limits.config}
        scratch, directory = self.place / "scratch", self.place / "model"
        scratch.mkdir()
        job = Job(scratch, say, {part: self._model(key) for part, key in work.parts.items()})
        with self._archive() as archive:
            tokens = self.root / work.tokens if work.tokens else self.place
            corpus = ArchiveCorpus(archive, tokens, self.split, share=work.share)
            config: Any = resolve(rung.Config, settings, work.rung)
            before, began = process_time(), perf_counter()
            model = rung.fit(corpus, config, rng=np.random.default_rng(self.seed), job=job)
            seconds, cpu = perf_counter() - began, process_time() - before
        directory.mkdir()
        model.save(directory)
        seal(directory, {"rung": work.rung})
        return tasks.FittedModel(
            key=self.task.key,
            rung=work.rung,
            parts=work.parts,
            config=settings,
            fit_seconds=round(seconds, 3),
            cpu_seconds=round(cpu, 3),
            peak_bytes=_peak(),
            disk_bytes=tree_size(directory),
            dev=model.training.dev,
        )

    def measure_text(self, work: MeasureText) -> Done:
        """Measure a language model: the nats it pays, then each keystroke."""
        if Can.PREDICT not in LADDER[work.rung].can:
            raise ModelError(f"`{work.rung}` predicts no text")
        model, loading = self._loaded(work)
        with self._archive() as archive:
            held = HeldOut.load(self.root / work.posts, measured_on(archive, self.split))
        until, language_model = self._until(), cast(LanguageModel, model)
        scored = text_evaluation.score_text(language_model, held, self.limits.posts, _part(until, _SCORED), say)
        columns, typed = {"text": scored}, text_evaluation.Typing()
        whole = len(scored) == min(len(held.posts), self.limits.posts)
        if work.keystrokes:
            phrases = phrases_of(_package(), work.rung, lambda line: None) if work.model is None else self._phrases(work)
            engine = Engine({work.rung: language_model}, {work.rung: self._gate(work, language_model, phrases)}, phrases)
            typed = text_evaluation.type_posts(engine, held, self.limits.typed, until, say)
            columns |= typed.columns
            whole &= len(columns["keys"]) == min(len(held.posts), self.limits.typed)
        for name, column in columns.items():
            np.save(self.place / f"{name}.npy", column)
        shown = int(typed.columns["shown"][:, 0].sum()) if typed.columns else 0
        return tasks.Measured(
            key=self.task.key, whole=whole, load_seconds=loading, milliseconds=typed.milliseconds, suggestions=shown
        )

    def compress(self, work: Compress) -> Done:
        """Measure a compressor: the length of its code for each post, once it has read train."""
        until, began = self._until(), perf_counter()
        with self._archive() as archive:
            say("reading the train part", 0, None)
            train = ArchiveCorpus(archive, self.place, self.split).posts("train")
            compressor = Compressor((text for post in train if (text := post.own_text)), until)
            seconds = perf_counter() - began
            held = HeldOut.load(self.root / work.posts, measured_on(archive, self.split))
        found = compress_posts(compressor, held, self.limits.posts, until)
        np.save(self.place / "text.npy", found)
        whole = len(found) == min(len(held.posts), self.limits.posts)
        return tasks.Measured(key=self.task.key, whole=whole, load_seconds=round(seconds, 3), milliseconds=[])

    def measure_replies(self, work: MeasureReplies) -> Done:
        """Measure a ranker: where the true reply comes among others; and how long whole replies take."""
        model, loading = self._loaded(work)
        with self._archive() as archive:
            pool = pool_of(measured_on(archive, self.split), self.root / work.posts)
        ranker = cast(ReplyRanker, model) if Can.RANK in LADDER[work.rung].can else None
        whole, until, times = True, self._until(_RANKING), []
        for number, kind in enumerate(work.kinds if ranker else ()):
            asked = Asked(kind, self.limits.pairs, work.draws, work.harder, self.seed)
            found = rank_pairs(cast(ReplyRanker, ranker), pool, asked, _part(until, 1 / (len(work.kinds) - number)), say)
            np.save(self.place / f"{kind}.npy", found)
            whole &= len(found) == min(len(asked.order(pool)), self.limits.pairs)
        if work.sources:
            sources = {name: cast(ReplySource, self._of(name, key)) for name, key in work.sources.items()}
            times = time_replies(sources, ranker, pool, np.random.default_rng(self.seed), self._until(1 - _RANKING))
        return tasks.Measured(key=self.task.key, whole=whole, load_seconds=loading, milliseconds=times, suggestions=len(times))

    def compare(self, work: Compare) -> Done:
        """What two rungs say of posts on which they differ."""
        loaded: Any = [self._of(rung, key) for rung, key in zip(work.rungs, work.models, strict=True)]
        say("asking both", 0, None)
        with self._archive() as archive:
            threads = measured_on(archive, self.split)
        if work.pairs is None:
            held = HeldOut.load(self.root / work.posts, threads)
            found = typing_examples(loaded, held, work.places, self._phrases(work), self._until())
        else:
            pool, asked = pool_of(threads, self.root / work.posts), Asked(work.pairs, 0, work.draws, True, self.seed)
            rows = asked.order(pool)[list(work.places)].tolist()
            found = reply_examples(loaded, pool, asked.lists(pool)["others"], rows)
        write_examples(self.place / EXAMPLE_FILE, found)
        return tasks.Compared(key=self.task.key)

    def _archive(self) -> Archive:
        return Archive.open(self.task.experiment.archive)

    def _model(self, key: str) -> Suggester:
        """A fitted model, with all it is made of."""
        done = tasks.read_result(self.root / key / DONE)
        if not isinstance(done, tasks.FittedModel):
            raise ModelError(f"{key} holds no model")
        parts = {name: self._model(part) for name, part in done.parts.items()}
        return LADDER[done.rung].load().load(self.root / key / "model", parts)

    def _loaded(self, work: MeasureText | MeasureReplies) -> tuple[Suggester, float]:
        """The model to measure, one that was fitted here or one of the package; and the seconds that took."""
        began = perf_counter()
        model = self._of(work.rung, work.model)
        return model, round(perf_counter() - began, 4)

    def _of(self, rung: str, key: str | None) -> Suggester:
        return self._model(key) if key and not key.startswith(tasks.HOME) else self._there(key).load(rung)

    def _there(self, key: str | None) -> Workspace:
        """Where a model lies that is not fitted here: in the package, or the home."""
        return _package() if key is None else Workspace(self.task.experiment.archive.parent)

    def _phrases(self, work: MeasureText | Compare) -> Phrases | None:
        """Whose words the train part has."""
        return Phrases.load(self.root / work.posts)

    def _gate(self, work: MeasureText, model: LanguageModel, phrases: Phrases | None) -> Calibration:
        """The gate that lies beside a model that was not fitted here, or one fitted on dev."""
        if work.model is None or work.model.startswith(tasks.HOME):
            found = self._there(work.model).fitted(work.rung)
            if found and Calibration.lies_in(found.directory):
                return Calibration.load(found.directory)
        most = GateConfig(seconds=min(_GATED * (self.limits.seconds or np.inf), GateConfig().seconds))
        with self._archive() as archive:
            threads = ArchiveCorpus(archive, self.place, self.split).threads("dev")
            return calibrate(model, threads, np.random.default_rng(self.seed), most, phrases)

    def _until(self, share: float = 1.0) -> float:
        return float("inf") if self.limits.seconds is None else monotonic() + share * self.limits.seconds


def _peak() -> int:
    """Bytes that this process took at the most; 0 where the system does not say."""
    if sys.platform == "win32":
        return 0
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _package() -> Workspace:
    space = Workspace.shipped()
    if space is None:
        raise ModelError("no models came with this package")
    return space


def threads_read(threads: Iterable[Thread]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The keys of the threads of which the models of the package have learned a post: who has read one may have read all."""
    space = Workspace.shipped()
    if space is None:
        return np.empty(0, np.int64)
    known = Fingerprints.load(space.home / "posts.npy")
    return np.array([thread.key for thread in threads if known.has_read(thread.posts)], np.int64)


def measured_on(archive: Archive, split: Method) -> list[Thread]:
    """The test threads that rungs are measured on: all, or where these are too many a sample, the same for every task."""
    return sampled(held_out(archive, split), _HELD)


def pool_of(threads: Iterable[Thread], chosen: Path) -> Pool:
    """The pairs to rank, of the threads that the models of the package have not read; `chosen` holds which those are."""
    read = {*np.load(chosen / READ).tolist()}
    return Pool.of(thread for thread in threads if thread.key not in read)


def _part(until: float, share: float) -> float:
    """A share of the way from now: what costs little must leave time for the rest."""
    return until if until == float("inf") else monotonic() + share * (until - monotonic())


_last = [0.0]


def say(what: str, done: int, total: int | None) -> None:
    """Tell the parent how it goes, not too often."""
    if monotonic() - _last[0] > _SAID_EVERY:
        _last[0] = monotonic()
        sys.stdout.write(json.dumps([what, done, total]) + "\n")
        sys.stdout.flush()


def main() -> None:
    """Do the task that is named."""
    task = tasks.read_task(Path(sys.argv[1]))
    done: Done
    try:
        done = Worker(task).do()
    except RejoinderError as error:
        done = tasks.Failed(key=task.key, error=str(error), missing_extra=isinstance(error, MissingExtra))
    write_atomically(task.place / DONE, tasks.as_json(done))


if __name__ == "__main__":
    main()

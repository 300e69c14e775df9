"""Fitting rungs on the archive of a home: token arrays first, then one rung after the other, each kept as soon as it stands."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from time import perf_counter, time
from typing import Any, Literal, cast

import numpy as np

from rejoinder import __version__
from rejoinder.archive.reader import ArchiveCorpus
from rejoinder.archive.split import Method
from rejoinder.archive.store import Archive
from rejoinder.config import Settings, as_dict, resolve
from rejoinder.corpus import Corpus
from rejoinder.engine.calibration import calibrate
from rejoinder.engine.gate import Calibration
from rejoinder.errors import ArchiveError, ModelError, NotFitted, RejoinderError, Stopped
from rejoinder.home.workspace import Fitted, Workspace
from rejoinder.models import LADDER, Can, parts_of, rung
from rejoinder.models.directory import identity
from rejoinder.models.interfaces import Job, LanguageModel, Progress, Suggester, silent
from rejoinder.text.phrases import Phrases
from rejoinder.text.tensors import TOKENIZER_FILE, train_tokenizer, write_tokens
from rejoinder.text.tokenizer import DEFAULT_SIZE, Tokenizer

On = Literal["train", "all"]
_ABANDONED = 86_400.0  # seconds after which a scratch folder is what a crash left


@dataclass(frozen=True)
class FitConfig:
    """How to fit: on which posts, with which tokenizer and seed."""

    on: On = "train"  # "all" leaves nothing to measure on: for daily use only
    split: Method = "hash"
    seed: int = 0
    vocabulary: int = DEFAULT_SIZE  # pieces of a new tokenizer
    retrain_tokenizer: bool = False  # also where there is one already
    logs: Path | None = None  # for TensorBoard, of rungs that are trained


def fit(
    space: Workspace, names: Iterable[str], config: FitConfig, settings: Settings, progress: Progress = silent
) -> dict[str, RejoinderError]:
    """Fit rungs on the archive; those that fail are returned with their errors, the others are fitted.

    Raises:
        RejoinderError: before anything is fitted: an unknown rung or setting, no archive.
    """
    configs: dict[str, Any] = {n: resolve(rung(n).load().Config, settings.get(n, {}), n) for n in names}
    wanted = sorted(configs, key=list(LADDER).index)  # a rung is made of those before it
    for name in wanted:
        parts_of(name, configs[name])  # are they rungs before it?
    with space.open_archive() as archive, _scratch(space.home) as scratch:
        archive.settle()  # what an import that broke off left
        corpus = ArchiveCorpus(archive, scratch / "tokens", config.split, everything=config.on == "all")
        if space.is_empty:
            raise ArchiveError(f"the archive {space.archive_file} holds no posts; `rejoinder import FILE` brings some")
        if any(Can.PREDICT in LADDER[name].can for name in wanted):
            _write_tokens(space, corpus, config, progress)
        fitting = _Fitting(space, corpus, config, _facts(archive, corpus, config), scratch, progress)
        for name in wanted:
            try:
                fitting.fit(name, configs[name])
            except Stopped:
                raise  # whoever stops one rung does not want the next
            except RejoinderError as error:
                fitting.failed[name] = error
    return fitting.failed


@dataclass
class _Fitting:
    """Rungs fitted one after the other on one corpus."""

    space: Workspace
    corpus: ArchiveCorpus
    config: FitConfig
    facts: dict[str, Any]  # that go into each manifest
    scratch: Path
    progress: Progress
    failed: dict[str, RejoinderError] = field(default_factory=dict)

    @cached_property
    def _phrases(self) -> Phrases:
        return Phrases.build(self.corpus.posts("train"))  # for the first that asks

    def fit(self, name: str, config: Any) -> None:
        """Fit one rung and keep it."""
        self.progress(f"fitting {name}", 0, None)
        made_of = {part: self._identity(part) for part in parts_of(name, config, self._ready())}
        job = Job(
            self.scratch / name,
            self.progress,
            self.space.load_parts(made_of),
            self.space.home / "checkpoints" / name,
            self.config.logs,
        )
        model, manifest = self._fit(name, config, job)
        self.space.keep(model, {**manifest, **({"parts": made_of} if made_of else {})}, *self._beside(name, model))
        for file in model.training.spent:
            file.unlink(missing_ok=True)

    def _fit(self, name: str, config: Any, job: Job) -> tuple[Suggester, dict[str, Any]]:
        """A rung, and the manifest of its fit."""
        job.workdir.mkdir(parents=True)
        began = perf_counter()
        model = LADDER[name].load().fit(self.corpus, config, rng=np.random.default_rng(self.config.seed), job=job)
        seconds = perf_counter() - began
        when = datetime.now(UTC).isoformat(timespec="seconds")
        return model, {"rung": name, "config": as_dict(config), **self.facts, "fitted": when, "seconds": round(seconds, 3)}

    def _beside(self, name: str, model: Suggester) -> list[Callable[[Path], None]]:
        """What is kept beside a model: whose words it learned from, and when it may speak."""
        beside: list[Callable[[Path], None]] = [self._phrases.save] if LADDER[name].phrases else []
        if Can.PREDICT in LADDER[name].can:
            self.progress(f"fitting the gate of {name}", 0, None)
            beside.append(gate_of(model, self.corpus, self.config.seed).save)
        return beside

    def _ready(self) -> list[str]:
        """The fitted rungs that another one may be made of."""
        found = (there for name in LADDER if name not in self.failed and (there := self.space.fitted_or_none(name)) is not None)
        return [there.rung for there in found if not there.forgot and not there.outdated and not self._has_read_dev(there)]

    def _identity(self, name: str) -> str:
        """The identity of a rung that another one is to be made of.

        Raises:
            RejoinderError: of the kind of the failure, if it has just failed.
            NotFitted: it is not there.
            ModelError: it has learned from what the other one is to be weighed on.
        """
        if name in self.failed:
            raise type(self.failed[name])(f"it is made of `{name}`, which was not fitted: {self.failed[name]}")
        found = self.space.fitted(name)
        if found is None:
            raise NotFitted(f"it is made of `{name}`, which is not fitted in {self.space.home}; run `rejoinder fit {name}` first")
        if self._has_read_dev(found):
            raise ModelError(f"it is made of `{name}`, which has learned from the dev part; run `rejoinder fit {name}` first")
        return identity(found.directory)

    def _has_read_dev(self, found: Fitted) -> bool:
        """Whether a rung has learned from the dev part of this fit."""
        on, split = found.manifest["on"], found.manifest["split"]
        return self.config.on == "train" and (on == "all" or split != self.config.split or found.stale)


def gate_of(model: Suggester, corpus: Corpus, seed: int, phrases: Phrases | None = None) -> Calibration:
    """When a model that predicts may speak up while somebody types, by dev."""
    return calibrate(cast(LanguageModel, model), corpus.threads("dev"), np.random.default_rng(seed), phrases=phrases)


def _facts(archive: Archive, corpus: ArchiveCorpus, config: FitConfig) -> dict[str, Any]:
    return {
        "data": corpus.fingerprint(),
        "revision": archive.meta("revision", 0),
        "on": config.on,
        "split": config.split,
        "seed": config.seed,
        "code": __version__,
    }


def _write_tokens(space: Workspace, corpus: ArchiveCorpus, config: FitConfig, progress: Progress) -> None:
    """Token arrays of the corpus, with the home's tokenizer; a new one where there is none or it is asked for."""
    file = space.home / TOKENIZER_FILE
    if config.retrain_tokenizer or not file.is_file():
        progress("learning the tokenizer", 0, None)
        tokenizer = train_tokenizer(corpus, config.vocabulary)
        tokenizer.save(file)
    else:
        tokenizer = Tokenizer.load(file)
    done = 0

    def count(posts: int) -> None:
        nonlocal done
        done += posts
        progress("posts to tokens", done, None)

    write_tokens(corpus, tokenizer, corpus.tokens, count)


@contextmanager
def _scratch(home: Path) -> Iterator[Path]:
    """A folder on the home's own disk, gone afterwards; what an earlier crash left goes too."""
    parent = home / "scratch"
    parent.mkdir(parents=True, exist_ok=True)
    for left in parent.iterdir():
        if time() - left.stat().st_mtime > _ABANDONED:
            shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=parent) as directory:
        yield Path(directory)

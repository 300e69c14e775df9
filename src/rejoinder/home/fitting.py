"""Fitting rungs on the archive of a home: token arrays first, then one rung after the other, each kept as soon as it stands."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property, partial
from itertools import accumulate
from pathlib import Path
from time import perf_counter
from typing import Any, Literal, cast

import numpy as np

from rejoinder import __version__
from rejoinder.archive.reader import ArchiveCorpus
from rejoinder.archive.split import Method
from rejoinder.archive.store import Archive
from rejoinder.config import Settings, as_dict, resolve
from rejoinder.corpus import Corpus
from rejoinder.engine.calibration import GateConfig, calibrate
from rejoinder.engine.gate import Calibration
from rejoinder.errors import ArchiveError, ModelError, NotFitted, NothingToLearn, RejoinderError, Stopped
from rejoinder.files import told_when_full
from rejoinder.home.arpa import from_elsewhere
from rejoinder.home.holders import CHECKPOINTS, folder, scratch_folder
from rejoinder.home.lock import locked
from rejoinder.home.tokenizing import settle_tokenizer
from rejoinder.home.trial import Trial, TrialPosts, WithoutThreads, draw_trial, read_trial
from rejoinder.home.voices import phrases_of
from rejoinder.home.workspace import Fitted, Workspace
from rejoinder.models import LADDER, PACKAGE, Can, is_slow, parts_of, rung, those_that
from rejoinder.models.directory import identity
from rejoinder.models.interfaces import Job, LanguageModel, Progress, Suggester, silent
from rejoinder.text.calls import HERE, CallRunner
from rejoinder.text.phrases import Phrases
from rejoinder.text.shards import Shards
from rejoinder.text.tensors import open_tokenizer, write_tokens
from rejoinder.text.tokenizer import AnyTokenizer

On = Literal["train", "all"]
DAILY = (  # what the two jobs need, what is of use soonest first
    "bm25",
    "kneser_ney",
    "mixture",
    "canned",
    "pair_encoder",
    "fusion",
    "trigger",
)
_SLOW_GATE = 240.0  # seconds of the processor for the gate of a net, which in the usual 60 types too little to know its floors
MADE_OF_ADDED = ("word_mixture", "sentence")  # what a home fits, too, where their nets were added
_ENOUGH = 50_000  # characters of dev to weigh models on
_WEIGHED = 60_000  # dev tokens that the weights of a mixture with the package's cell are fitted on: a cell takes its time


@dataclass(frozen=True)
class FitConfig:
    """How to fit: on which posts, with which tokenizer and seed."""

    on: On = "train"  # "all" leaves nothing to measure on: for daily use only
    split: Method = "hash"
    seed: int = 0
    vocabulary: int | None = None  # pieces of a tokenizer of the home's own; None: see `rejoinder.home.tokenizing`
    retrain_tokenizer: bool = False  # also where there is one already; fits every language model that is fitted here
    logs: Path | None = None  # for TensorBoard, of rungs that are trained
    runner: CallRunner = HERE  # who counts in shards


def fit(
    space: Workspace, names: Iterable[str] | None, config: FitConfig, settings: Settings, progress: Progress = silent
) -> dict[str, RejoinderError]:
    """Fit rungs on the archive; those that fail are returned with their errors, the others are fitted.

    Args:
        space: the home.
        names: which rungs; None: what finishing sentences and replying need, in the order in which they are of use.
        config: how.
        settings: of the rungs, by name.
        progress: told how it goes.

    Raises:
        RejoinderError: before anything is fitted: an unknown rung or setting, no archive.
    """
    named = to_fit(space, names, config)
    for name in dict.fromkeys((*named, *settings)):
        parts_of(name, resolve(rung(name).load().Config, settings.get(name, {}), name))  # are they rungs before it?
    chosen = named if names is None else sorted({*named}, key=[*LADDER].index)  # a rung is made of those before it
    with (
        space.open_archive() as archive,
        locked(space.home, "fit", waiting=lambda line: progress(line, 0, None)),
        told_when_full(space.home),
        scratch_folder(space.home) as scratch,
    ):
        if space.is_empty:
            raise ArchiveError(f"the archive {space.archive_file} holds no posts; `rejoinder import FILE` brings some")
        archive.settle()  # what an import that broke off left
        corpus = ArchiveCorpus(archive, scratch / "tokens", config.split, everything=config.on == "all")
        fitting = _Fitting(space, corpus, config, _facts(archive, corpus, config), scratch, progress, names is None)
        for name in chosen:
            if names is None and name == "mixture" and not fitting.can_mix(settings):
                continue
            try:
                fitting.fit(name, settings.get(name, {}))
            except Stopped:
                raise  # whoever stops one rung does not want the next
            except RejoinderError as error:
                short = any(isinstance(before, NothingToLearn) for before in fitting.failed.values())
                fitting.failed[name] = NothingToLearn(str(error)) if short and LADDER[name].made_of else error
    return fitting.failed


def to_fit(space: Workspace, names: Iterable[str] | None, config: FitConfig) -> tuple[str, ...]:
    """The names of the rungs that `fit` fits: a tokenizer learned anew makes every language model that is fitted here anew."""
    named = _daily(space) if names is None else tuple(names)
    if names is None or not config.retrain_tokenizer:
        return named
    return tuple(
        dict.fromkeys([*named, *(name for name in those_that(Can.PREDICT) if LADDER[name].learns and space.fitted_or_none(name))])
    )


def _daily(space: Workspace) -> tuple[str, ...]:
    """What a home fits where nobody names rungs: also what is made of added nets, but not what came from other tools."""
    before, after = DAILY[: DAILY.index("fusion")], DAILY[DAILY.index("fusion") :]
    able = [
        name for name in MADE_OF_ADDED if all(space.fitted_or_none(part) for part in LADDER[name].parts if LADDER[part].added)
    ]
    foreign = from_elsewhere(space)
    return tuple(name for name in (*before, *able, *after) if name not in foreign)


@dataclass
class _Fitting:
    """Rungs fitted one after the other on one corpus."""

    space: Workspace
    corpus: ArchiveCorpus
    config: FitConfig
    facts: dict[str, Any]  # that go into each manifest
    scratch: Path
    progress: Progress
    daily: bool = False  # nobody named rungs, so that the tokenizer is chosen too, unless a net was trained with the one there is
    failed: dict[str, RejoinderError] = field(default_factory=dict)
    loaded: dict[str, Suggester] = field(default_factory=dict)  # models of the package

    @cached_property
    def _phrases(self) -> Phrases:
        return Phrases.count(self._shards, partial(self.progress, "whose words these are"))  # for the first that asks

    @cached_property
    def _shards(self) -> Shards:
        directory = self.scratch / "shards"
        directory.mkdir()
        return Shards(lambda: self.corpus.threads("train"), directory, self.config.runner, posts=self.corpus.count("train"))

    @cached_property
    def _trial(self) -> TrialPosts:
        return draw_trial(self.corpus, self.config.seed)

    @cached_property
    def _untried_posts(self) -> WithoutThreads:
        """The corpus without the posts that the rungs are tried on."""
        return WithoutThreads(self.corpus, self._trial.keys)

    @cached_property
    def _left(self) -> WithoutThreads:
        """The same, with token arrays."""
        self._tokenizer  # noqa: B018 - it writes the token arrays
        return self._untried_posts

    @cached_property
    def _unread(self) -> WithoutThreads:
        """What is left, without what the package has read, on which its rungs would look too good; where enough remains."""
        unread = WithoutThreads(self._left, self._trial.read)
        sizes = accumulate(len(post.own_text) for post in unread.posts("dev"))
        return unread if any(size >= _ENOUGH for size in sizes) else self._left

    @cached_property
    def _tokenizer(self) -> AnyTokenizer:
        size, own = self.config.vocabulary, self.config.retrain_tokenizer
        choose = self.daily and not any(LADDER[name].net and self.space.fitted_or_none(name) for name in those_that(Can.PREDICT))
        found = settle_tokenizer(self.space, self.corpus.train_alone(), size, self.progress, choose=choose, own=own)
        write_tokens(self.corpus, found, self.corpus.tokens, partial(self.progress, "posts to tokens"), self._shards)
        return found

    def can_mix(self, settings: Settings) -> bool:
        """Whether there is a cell that the counts of the home can be mixed with."""
        models = settings.get("mixture", {}).get("models") or self._mixed().get("models") or LADDER["mixture"].parts
        ready = self._ready()
        return all(name.startswith(PACKAGE) or (name in ready and self._has(name)) for name in models)

    def _mixed(self) -> dict[str, Any]:
        """What a mixture is made of where nobody says: with no cell of its own a home takes the package's, and its counts too."""
        package = Workspace.shipped()
        if self._has("lstm") or package is None or package.fitted_or_none("lstm") is None:
            return {}
        theirs = open_tokenizer(package.fitted("lstm").directory)  # type: ignore[union-attr]
        if theirs.fingerprint() != self._tokenizer.fingerprint():
            return {}
        return {"models": ("kneser_ney", PACKAGE + "lstm", PACKAGE + "kneser_ney"), "dev_tokens": _WEIGHED}

    def _has(self, name: str) -> bool:
        found = self.space.fitted_or_none(name)
        if found is None or found.forgot:
            return False
        return open_tokenizer(found.directory).fingerprint() == self._tokenizer.fingerprint()

    def fit(self, name: str, settings: Mapping[str, Any]) -> None:
        """Fit one rung and keep it; one that predicts is measured beside the others."""
        self.progress(f"fitting {name}", 0, None)
        predicts = Can.PREDICT in LADDER[name].can
        mixed = self._mixed() if name == "mixture" and "models" not in settings else {}
        corpus: Corpus = self.corpus if not predicts else self._untried_posts
        if predicts and LADDER[name].learns:
            corpus = self._unread if mixed else self._left
        config: Any = resolve(LADDER[name].load().Config, {**mixed, **settings}, name)
        made_of = {part: self._identity(part) for part in parts_of(name, config, self._ready())}
        parts = self.space.load_parts(made_of, self._from_package())
        checkpoints = self.space.home / CHECKPOINTS
        if (LADDER[name].net and LADDER[name].extra) or checkpoints.exists():  # it is trained here
            folder(self.space.home, CHECKPOINTS)
        job = Job(
            self.scratch / name, self.progress, parts, checkpoints / name, self.config.logs, self.config.runner, self._shards
        )
        model, manifest = self._fit(name, config, corpus, job)
        self.space.keep(model, {**manifest, **({"parts": made_of} if made_of else {})}, *self._beside(name, model, made_of))
        for file in model.training.spent:
            file.unlink(missing_ok=True)
        if predicts:
            self._try(name, cast(LanguageModel, model))

    def _fit(self, name: str, config: Any, corpus: Corpus, job: Job) -> tuple[Suggester, dict[str, Any]]:
        """A rung, and the manifest of its fit."""
        job.workdir.mkdir(parents=True)
        began = perf_counter()
        model = LADDER[name].load().fit(corpus, config, rng=np.random.default_rng(self.config.seed), job=job)
        seconds = perf_counter() - began
        when = datetime.now(UTC).isoformat(timespec="seconds")
        return model, {"rung": name, "config": as_dict(config), **self.facts, "fitted": when, "seconds": round(seconds, 3)}

    def _beside(self, name: str, model: Suggester, made_of: Iterable[str]) -> list[Callable[[Path], None]]:
        """What is kept beside a model, made of those parts: whose words it learned from, and when it may speak."""
        beside: list[Callable[[Path], None]] = [self._phrases.save] if LADDER[name].phrases else []
        beside += [Phrases.unknown().save] if _is_brought(name) else []
        if Can.PREDICT in LADDER[name].can:

            def told(done: int, total: int) -> None:
                self.progress(f"fitting the gate of {name}", done, total)

            theirs = next((part for part in made_of if part.startswith(PACKAGE)), None)
            package = None if theirs is None else phrases_of(self.space, theirs, lambda line: None)
            known = Phrases.unknown() if _is_brought(name) else self._phrases
            phrases = replace(known, beside=package)
            config = GateConfig(seconds=_SLOW_GATE) if is_slow(name) else None
            beside.append(gate_of(model, self._untried_posts, self.config.seed, phrases, config=config, told=told).save)
        return beside

    def _try(self, name: str, model: LanguageModel) -> None:
        """Measure a rung on the trial posts, and those that were not yet measured on them."""
        before = read_trial(self.space.home)
        trial = self._trial.begun(before) if self.config.on == "train" else before.carried(name, self._identity(name))
        if self.config.on == "train" and self._trial.threads:
            trial = self._trial.measured(trial, name, self._identity(name), model, self.progress)
            for other in self._untried(trial):
                parts = self.space.load_parts([other], self._from_package())
                model = cast(LanguageModel, parts[other])
                trial = self._trial.measured(trial, other, self._identity(other), model, self.progress)
        if trial.paid:
            trial.save(self.space.home)

    def _untried(self, trial: Trial) -> list[str]:
        """The rungs that this one is to be compared with, and that were not measured on these posts."""
        package = Workspace.shipped()
        names = [name for name in self._ready() if Can.PREDICT in LADDER[name].can]
        names += [PACKAGE + name for name in package.fitted_that(Can.PREDICT)[-1:]] if package else []
        return [name for name in names if not trial.knows(name, self._identity(name))]

    def _from_package(self) -> dict[str, Suggester]:
        """The models of the package that were loaded, and room for more: one that is fitted here may be another by now."""
        self.loaded = {name: model for name, model in self.loaded.items() if name.startswith(PACKAGE)}
        return self.loaded

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
        if not name.startswith(PACKAGE) and self._has_read_dev(found):
            raise ModelError(f"it is made of `{name}`, which has learned from the dev part; run `rejoinder fit {name}` first")
        return identity(found.directory)

    def _has_read_dev(self, found: Fitted) -> bool:
        """Whether a rung has learned from the dev part of this fit."""
        if not LADDER[found.rung].learns:
            return False
        on, split = found.manifest["on"], found.manifest["split"]
        return self.config.on == "train" and (on == "all" or split != self.config.split or found.stale)


def _is_brought(name: str) -> bool:
    """Whether a rung is as others made it, with nothing of this home."""
    return LADDER[name].added and not LADDER[name].parts


def gate_of(
    model: Suggester,
    corpus: Corpus,
    seed: int,
    phrases: Phrases | None,
    *,
    config: GateConfig | None = None,
    told: Callable[[int, int], None] = lambda done, total: None,
) -> Calibration:
    """When a model that predicts may speak up while somebody types, by dev; the arguments as in `calibrate`."""
    rng = np.random.default_rng(seed)
    return calibrate(cast(LanguageModel, model), corpus.threads("dev"), rng, config, phrases, told)


def _facts(archive: Archive, corpus: ArchiveCorpus, config: FitConfig) -> dict[str, Any]:
    return {
        "data": corpus.fingerprint(),
        "revision": archive.meta("revision", 0),
        "on": config.on,
        "split": config.split,
        "seed": config.seed,
        "code": __version__,
    }

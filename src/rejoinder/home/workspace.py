"""One home folder: the archive, the tokenizer, the fitted rungs. Here fitting, loading and staleness join.

HOME/archive.db            the archive (SQLite; -wal and -shm beside it while in use)
HOME/author.key            the key of the author hashes, mode 0600
HOME/tokenizer.json        the tokenizer all language models share
HOME/models/RUNG/0001/     a fitted rung; the highest whole one counts
HOME/checkpoints/RUNG/     what long fits that were stopped go on from
HOME/sample/               the same again for the embedded archive, while there is none of the user's own
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from pathlib import Path
from time import perf_counter, time
from typing import Any, Literal, Self, cast

import numpy as np

from rejoinder import __version__
from rejoinder.archive.authors import author_hasher
from rejoinder.archive.reader import ArchiveCorpus
from rejoinder.archive.sources.dump import read_dump
from rejoinder.archive.sources.record import Hasher
from rejoinder.archive.split import Method
from rejoinder.archive.store import Archive
from rejoinder.config import Settings, as_dict, resolve
from rejoinder.corpus import Corpus
from rejoinder.engine.calibration import calibrate
from rejoinder.engine.gate import Calibration
from rejoinder.errors import ArchiveError, ModelError, NotFitted, RejoinderError, StaleModel, Stopped
from rejoinder.files import tree_size
from rejoinder.models import LADDER, Can, parts_of, rung, those_that, without_extras
from rejoinder.models.directory import MANIFEST, identity, read_manifest, seal
from rejoinder.models.interfaces import Job, LanguageModel, Progress, Suggester, silent
from rejoinder.text.phrases import Phrases
from rejoinder.text.tensors import TOKENIZER_FILE, train_tokenizer, write_tokens
from rejoinder.text.tokenizer import DEFAULT_SIZE, Tokenizer

On = Literal["train", "all"]
SAMPLE, SHIPPED = "sample.jsonl", "models"
CARD = "card.json"  # in a directory of models that are given away
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


@dataclass(frozen=True)
class Fitted:
    """What is known of a fitted rung without loading it."""

    rung: str
    directory: Path
    manifest: dict[str, Any]
    bytes: int
    behind: bool  # the archive has changed since
    stale: bool  # threads have moved between train, dev and test since: its figures would not be honest
    forgot: bool  # posts were forgotten since, which it may still know: not to be used
    outdated: bool  # a rung it is made of was fitted again since


class Workspace:
    """A home folder. Making one touches nothing; folders appear when something is written."""

    def __init__(self, home: Path, models: Path | None = None) -> None:
        """Use the folder `home`; its models lie in `models`, unless given HOME/models."""
        self.home = home
        self.models = models or home / "models"
        self.archive_file = home / "archive.db"
        self.author_key = home / "author.key"

    @property
    def is_empty(self) -> bool:
        """Whether there are no posts here yet."""
        if not self.archive_file.is_file():
            return True
        with self.open_archive() as archive:
            return next(archive.query("SELECT 1 FROM post LIMIT 1"), None) is None

    def open_archive(self, *, create: bool = False) -> Archive:
        """The archive.

        Raises:
            ArchiveError: there is none (unless `create`), or it cannot be opened.
        """
        return Archive.open(self.archive_file, create=create)

    def hasher(self) -> Hasher:
        """The function from author names to their keyed hashes."""
        return author_hasher(self.author_key)

    def sample(self, progress: Progress = silent) -> Workspace:
        """The embedded archive as a workspace of its own inside this one, imported and fitted when first asked for."""
        inside = Workspace(self.home / "sample")
        source = resources.files("rejoinder.bundle") / SAMPLE
        if inside.is_empty or not all(inside.fitted(name) for name in without_extras()):
            with inside.open_archive(create=True) as archive, resources.as_file(source) as file:
                archive.set_forum("sample")
                archive.add(read_dump(file, inside.hasher()))
            inside.fit(without_extras(), FitConfig(vocabulary=2048), {}, progress)
        return inside

    @classmethod
    def shipped(cls) -> Self | None:
        """The models that came with this package, as a home without an archive; None if none came. Read only."""
        directory = Path(str(resources.files("rejoinder.bundle"))) / SHIPPED
        return cls(directory, models=directory) if (directory / CARD).is_file() else None

    # --- fitting -------------------------------------------------------------------------------------------------

    def fit(
        self, names: Iterable[str], config: FitConfig, settings: Settings, progress: Progress = silent
    ) -> dict[str, RejoinderError]:
        """Fit rungs on the archive; those that fail are returned with their errors, the others are fitted.

        Raises:
            RejoinderError: before anything is fitted: an unknown rung or setting, no archive.
        """
        configs: dict[str, Any] = {n: resolve(rung(n).load().Config, settings.get(n, {}), n) for n in names}
        wanted = sorted(configs, key=list(LADDER).index)  # a rung is made of those before it
        for name in wanted:
            parts_of(name, configs[name])  # are they rungs before it?
        failed: dict[str, RejoinderError] = {}
        with self.open_archive() as archive, self._scratch() as scratch:
            archive.settle()  # what an import that broke off left
            corpus = ArchiveCorpus(archive, scratch / "tokens", config.split, everything=config.on == "all")
            if self.is_empty:
                raise ArchiveError(f"the archive {self.archive_file} holds no posts; `rejoinder import FILE` brings some")
            facts = self._facts(archive, corpus, config)
            if any(Can.PREDICT in LADDER[name].can for name in wanted):
                self._tokens(corpus, config, progress)
            whose = cache(lambda: Phrases.build(corpus.posts("train")))  # for the first that asks
            for name in wanted:
                progress(f"fitting {name}", 0, None)
                try:
                    made_of = {p: self._part(p, failed, facts) for p in parts_of(name, configs[name], self._ready(failed, facts))}
                    loaded: dict[str, Suggester] = {}
                    parts = {part: self._load(part, loaded) for part in made_of}
                    job = Job(scratch / name, progress, parts, self.home / "checkpoints" / name, config.logs)
                    told = {**facts, "parts": made_of} if made_of else facts
                    model, manifest = self._fit_one(name, configs[name], corpus, job, told)
                    beside = [lambda at: whose().save(at)] if LADDER[name].phrases else []
                    if Can.PREDICT in LADDER[name].can:
                        progress(f"fitting the gate of {name}", 0, None)
                        beside.append(gate_of(model, corpus, config.seed).save)
                    self.keep(model, manifest, *beside)
                    for file in model.training.spent:
                        file.unlink(missing_ok=True)
                except Stopped:
                    raise  # whoever stops one rung does not want the next
                except RejoinderError as error:
                    failed[name] = error
        return failed

    def _facts(self, archive: Archive, corpus: ArchiveCorpus, config: FitConfig) -> dict[str, Any]:
        return {
            "data": corpus.fingerprint(),
            "revision": archive.meta("revision", 0),
            "on": config.on,
            "split": config.split,
            "seed": config.seed,
            "code": __version__,
        }

    def _tokens(self, corpus: ArchiveCorpus, config: FitConfig, progress: Progress) -> None:
        """Token arrays of the corpus, with the home's tokenizer; a new one where there is none or it is asked for."""
        file = self.home / TOKENIZER_FILE
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

    def _ready(self, failed: Mapping[str, RejoinderError], facts: Mapping[str, Any]) -> list[str]:
        """The fitted rungs that another one, with these facts of its fit, may be made of."""
        found = (there for name in LADDER if name not in failed and (there := self.fitted_or_none(name)) is not None)
        return [there.rung for there in found if not there.forgot and not there.outdated and not _has_read_dev(there, facts)]

    def _part(self, name: str, failed: Mapping[str, RejoinderError], facts: Mapping[str, Any]) -> str:
        """The identity of a rung that another one, with these facts of its fit, is to be made of.

        Raises:
            RejoinderError: of the kind of the failure, if it has just failed.
            NotFitted: it is not there.
            ModelError: it has learned from what the other one is to be weighed on.
        """
        if name in failed:
            raise type(failed[name])(f"it is made of `{name}`, which was not fitted: {failed[name]}")
        found = self.fitted(name)
        if found is None:
            raise NotFitted(f"it is made of `{name}`, which is not fitted in {self.home}; run `rejoinder fit {name}` first")
        if _has_read_dev(found, facts):
            raise ModelError(f"it is made of `{name}`, which has learned from the dev part; run `rejoinder fit {name}` first")
        return identity(found.directory)

    def _fit_one(
        self, name: str, config: Any, corpus: ArchiveCorpus, job: Job, facts: dict[str, Any]
    ) -> tuple[Suggester, dict[str, Any]]:
        """A rung, and the manifest of its fit."""
        job.workdir.mkdir(parents=True)
        began = perf_counter()
        model = LADDER[name].load().fit(corpus, config, rng=np.random.default_rng(facts["seed"]), job=job)
        seconds = perf_counter() - began
        when = datetime.now(UTC).isoformat(timespec="seconds")
        return model, {"rung": name, "config": as_dict(config), **facts, "fitted": when, "seconds": round(seconds, 3)}

    def keep(self, model: Suggester, manifest: dict[str, Any], *beside: Callable[[Path], None]) -> None:
        """Save a model (and what `beside` write next to it) as the newest of its rung, and remove the others."""
        directory = self._new_directory(manifest["rung"])
        model.save(directory)
        for write in beside:
            write(directory)
        seal(directory, manifest)
        for other in directory.parent.iterdir():  # older ones, and what a crash left; open files stay readable
            if other != directory and other.name.isdecimal():
                shutil.rmtree(other, ignore_errors=True)

    def _new_directory(self, name: str) -> Path:
        parent = self.models / name
        parent.mkdir(parents=True, exist_ok=True)
        number = max((int(other.name) for other in parent.iterdir() if other.name.isdecimal()), default=0)
        directory = parent / f"{number + 1:04}"
        directory.mkdir()
        return directory

    @contextmanager
    def _scratch(self) -> Iterator[Path]:
        """A folder on the home's own disk, gone afterwards; what an earlier crash left goes too."""
        parent = self.home / "scratch"
        parent.mkdir(parents=True, exist_ok=True)
        for left in parent.iterdir():
            if time() - left.stat().st_mtime > _ABANDONED:
                shutil.rmtree(left, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=parent) as directory:
            yield Path(directory)

    # --- what is fitted ------------------------------------------------------------------------------------------

    def fitted(self, name: str) -> Fitted | None:
        """The newest whole model of a rung, None if there is none.

        Raises:
            DamagedModel: there is one, but its files are not as they were written.
        """
        parent = self.models / name
        numbered = sorted(
            (p for p in parent.glob("*") if p.name.isdecimal() and (p / MANIFEST).is_file()), key=lambda p: int(p.name)
        )
        if not numbered:
            return None
        manifest = read_manifest(numbered[-1])
        if manifest.get("rung") != name:
            raise ModelError(
                f"{numbered[-1]} holds the rung `{manifest.get('rung')}`, not `{name}`; fit again: rejoinder fit {name}"
            )
        revision, resplit, forgot = (0, 0, 0) if rung(name).asked else self._revisions()  # it knows nothing of the archive
        at = manifest.get("revision", 0)
        parts = dict(manifest.get("parts", {}))
        outdated = any((there := self.fitted_or_none(part)) is None or identity(there.directory) != parts[part] for part in parts)
        size = tree_size(numbered[-1])
        return Fitted(name, numbered[-1], manifest, size, revision > at, resplit > at, forgot > at, outdated)

    def fitted_or_none(self, name: str) -> Fitted | None:
        """`fitted`, with a damaged model counted as none."""
        try:
            return self.fitted(name)
        except ModelError:
            return None

    def load(self, name: str, *, allow_stale: bool = False) -> Suggester:
        """A fitted rung, ready for use.

        Raises:
            NotFitted: it was never fitted here.
            StaleModel: it may still know posts that were forgotten since, or a rung it is made of was fitted again
                (unless `allow_stale`).
            DamagedModel: its files are not whole.
        """
        return self._load(name, {}, allow_stale=allow_stale)

    def _load(self, name: str, loaded: dict[str, Suggester], *, allow_stale: bool = False) -> Suggester:
        """`load`; what is in `loaded` is taken from there, and what is not comes in: a part of several is read once."""
        rung(name)
        if name in loaded:
            return loaded[name]
        found = self.fitted(name)
        if found is None:
            raise NotFitted(f"the rung `{name}` is not fitted in {self.home}; run `rejoinder fit {name}`")
        if found.forgot and not allow_stale:
            raise StaleModel(
                f"the rung `{name}` may still know posts that were forgotten after it was fitted; "
                f"run `rejoinder fit {name}` (--allow-stale uses it all the same)"
            )
        if found.outdated and not allow_stale:
            raise StaleModel(
                f"the rung `{name}` is made of {', '.join(found.manifest['parts'])}, one of which was fitted again since; "
                f"run `rejoinder fit {name}` (--allow-stale uses it all the same)"
            )
        parts = {part: self._load(part, loaded, allow_stale=allow_stale) for part in found.manifest.get("parts", {})}
        loaded[name] = LADDER[name].load().load(found.directory, parts)
        return loaded[name]

    def load_those(self, can: Can, only: Iterable[str] | None = None, *, allow_stale: bool = False) -> Mapping[str, Any]:
        """The fitted rungs with a capability, by name, from the cheapest up; with `only`, just these, which must be fitted."""
        if only is not None:
            names = list(only)
            for name in names:
                if can not in rung(name).can:
                    able = ", ".join(those_that(can, asked=True))
                    raise ModelError(f"the rung `{name}` cannot do this; those that can: {able}")
        else:
            names = self.fitted_that(can)
        loaded: dict[str, Suggester] = {}
        return {name: self._load(name, loaded, allow_stale=allow_stale) for name in names}

    def fitted_that(self, can: Can) -> list[str]:
        """The names of the fitted rungs with a capability, from the cheapest up, that can be used without being named.

        One whose parts have changed is passed over.
        """
        return [name for name in those_that(can) if (found := self.fitted(name)) is not None and not found.outdated]

    @property
    def revision(self) -> int:
        """How often the archive has changed; 0 without one."""
        return self._revisions()[0]

    def _revisions(self) -> tuple[int, int, int]:
        if not self.archive_file.is_file():
            return 0, 0, 0
        with self.open_archive() as archive:
            return tuple(int(archive.meta(key, 0)) for key in ("revision", "resplit_at", "forgot_at"))  # type: ignore[return-value]


def gate_of(model: Suggester, corpus: Corpus, seed: int) -> Calibration:
    """When a model that predicts may speak up while somebody types, by dev."""
    return calibrate(cast(LanguageModel, model), corpus.threads("dev"), np.random.default_rng(seed))


def _has_read_dev(found: Fitted, facts: Mapping[str, Any]) -> bool:
    """Whether a rung has learned from the dev part of a fit with these facts."""
    on, split = found.manifest["on"], found.manifest["split"]
    return facts["on"] == "train" and (on == "all" or split != facts["split"] or found.stale)

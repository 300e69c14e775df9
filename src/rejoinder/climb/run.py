"""One climb of the ladder, from an archive to `ladder.json`; what an earlier one did is kept.

Explained in docs/tour/08-do-i-need-neural-nets.md.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np

from rejoinder.archive.places import names
from rejoinder.archive.reader import fingerprint, part_counts
from rejoinder.archive.split import Method
from rejoinder.archive.store import Archive
from rejoinder.climb.analysis import Analysis
from rejoinder.climb.entries import entries
from rejoinder.climb.executor import Executor
from rejoinder.climb.plan import carry_out
from rejoinder.climb.task_cache import code_version, package_version
from rejoinder.climb.tasks import Experiment
from rejoinder.climb.worker import measured_on, pool_of
from rejoinder.config import Settings
from rejoinder.errors import UsageError
from rejoinder.files import told_when_full, write_atomically, write_json
from rejoinder.home.holders import LADDER_FOLDER, folder
from rejoinder.home.lock import locked
from rejoinder.home.workspace import Workspace
from rejoinder.ladder import report as reports
from rejoinder.ladder.examples import EXAMPLES, Contrast, examples_page
from rejoinder.ladder.ranking import Asked
from rejoinder.ladder.report import KINDS, PartSize, Report
from rejoinder.models.interfaces import Progress, silent

FOLDER, REPORT, _RUN, _DATA = LADDER_FOLDER, "ladder.json", "run.json", "data.json"
_FEWEST = 20  # posts of each part, below which no figure means anything
_LEAST = 30.0  # seconds that a climb which goes on has at least


@dataclass(frozen=True)
class ClimbConfig:
    """What to climb, and in how much time."""

    rungs: tuple[str, ...] | None = None  # None: all that are measured
    budget: float | None = 900.0  # seconds; None: as long as it takes
    split: Method = "hash"
    seed: int = 0
    resume: bool = False  # go on with what was left of the budget of one that was interrupted

    def __post_init__(self) -> None:
        """Check that the budget is long enough for figures at all."""
        if self.budget is not None and not self.budget >= _LEAST:
            raise UsageError(f"the budget must be at least {_LEAST:.0f} seconds; got {self.budget:g}")


def climb(space: Workspace, config: ClimbConfig, settings: Settings, progress: Progress = silent) -> Report:
    """Fit and measure; the report, which is kept as HOME/ladder/ladder.json too. If nothing has changed it is that one.

    Raises:
        UsageError: the archive is too small to hold anything out; there is nothing to resume.
        ArchiveError: posts came or went meanwhile.
        RejoinderError: an unknown rung or setting, no archive.
    """
    space.open_archive().close()  # is there one?
    with locked(space.home, "ladder", waiting=lambda line: progress(line, 0, None)), told_when_full(space.home):
        return _climb(space, config, settings, progress)


def _climb(space: Workspace, config: ClimbConfig, settings: Settings, progress: Progress) -> Report:
    wanted = entries(config.rungs, settings, space, config.split)
    root = folder(space.home, FOLDER)
    with space.open_archive() as archive:
        archive.settle()
        forum = names(archive)
        progress("reading the archive", 0, None)
        sizes = {part: PartSize(**found) for part, found in part_counts(archive, config.split).items()}
        _check_sizes(sizes)
        revision = int(archive.meta("revision", 0))
        data = _data(archive, space, config.split)
    experiment = Experiment(
        space.archive_file, root, config.split, config.seed, data, code_version(), package_version(), revision
    )
    asked = [
        data,
        experiment.code,
        experiment.package,
        *(entry.identity for entry in wanted),
        config.rungs,
        config.split,
        config.seed,
        settings,
        config.budget,
    ]
    key = hashlib.blake2b(json.dumps(asked, sort_keys=True).encode(), digest_size=12).hexdigest()
    if kept := _kept(root / REPORT, key):
        return kept
    executor = Executor(experiment, wanted, config.budget, _spent(root, key, config), progress)
    try:
        carry_out(executor)
    finally:
        write_json(root / _RUN, {"key": key, "spent": round(monotonic() - executor.began, 1)})
    progress("drawing conclusions", 0, None)
    analysis = _analysis(executor, sizes, space)
    _show_examples(root / EXAMPLES, executor, analysis, forum)
    report = analysis.report(forum, key, _typed(config, settings))
    reports.write(root / REPORT, report)
    (root / _RUN).unlink()
    _sweep(executor)
    return report


def _typed(config: ClimbConfig, settings: Settings) -> tuple[str, ...]:
    """What is asked for besides the budget, as it is typed after `rejoinder ladder`."""
    sets = (f"{rung}.{key}={json.dumps(value)}" for rung, table in settings.items() for key, value in table.items())
    split = ("--split", config.split) if config.split != "hash" else ()
    seed = ("--seed", str(config.seed)) if config.seed else ()
    return (*(config.rungs or ()), *split, *seed, *(word for text in sets for word in ("--set", text)))


def _analysis(executor: Executor, sizes: dict[str, PartSize], space: Workspace) -> Analysis:
    experiment, chosen = executor.experiment, executor.chosen
    place = experiment.root / chosen.key
    with space.open_archive() as archive:
        pool = pool_of(measured_on(archive, experiment.split), place)
    asked = [Asked(kind, number, executor.draws, True, experiment.seed) for kind, number in chosen.pairs.items() if number]
    threads = {one.kind: pool.threads[pool.places(one.kind)[one.order(pool)]] for one in asked}
    return Analysis(executor, sizes, np.load(place / "threads.npy"), np.load(place / "repeats.npy"), threads)


def _show_examples(file: Path, executor: Executor, analysis: Analysis, forum: str) -> None:
    """Write the page of what the two best rungs of each kind said where they differ; it goes where there is nothing to show."""
    found = []
    for kind in KINDS:
        pair = analysis.two_best(kind)
        if pair and (examples := executor.compare(kind, *pair, analysis.main if kind == "replies" else None)):
            found.append(Contrast(kind, pair[0], tuple(examples)))
    if found:
        write_atomically(file, examples_page(found, forum))
    else:
        file.unlink(missing_ok=True)


def _check_sizes(sizes: dict[str, PartSize]) -> None:
    for part, size in sizes.items():
        if size.posts < _FEWEST:
            raise UsageError(
                f"the {part} part of the archive has {size.posts} posts; the ladder needs at least {_FEWEST} in each "
                "part to measure anything: import more, or try --split time"
            )


def _data(archive: Archive, space: Workspace, split: Method) -> str:
    """A hash of every word of the archive and of how it is split, remembered as long as the archive does not change."""
    file = space.home / FOLDER / _DATA
    about = space.archive_file.stat()  # another archive in its place may be as large, and as often changed
    state = {"revision": archive.meta("revision", 0), "split": split, "bytes": about.st_size, "file": about.st_ino}
    kept = _read(file)
    if kept.get("state") == state:
        return str(kept["hash"])
    found = fingerprint(archive, split)
    write_json(file, {"state": state, "hash": found})
    return found


def _kept(file: Path, key: str) -> Report | None:
    """The report of the last climb, if it was asked the same of the same, and found anything."""
    try:
        found = reports.read(file)
    except (OSError, UsageError):  # there is none, or it is of another version
        return None
    return found if found.key == key and found.measured else None


def _spent(root: Path, key: str, config: ClimbConfig) -> float:
    """Seconds of the budget that an interrupted climb has had."""
    if not config.resume:
        return 0.0
    found = _read(root / _RUN)
    if found.get("key") != key:
        raise UsageError("there is no interrupted climb of this kind to resume; run the same command without --resume")
    return float(found["spent"]) if config.budget is None else min(float(found["spent"]), config.budget - _LEAST)


def _read(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _sweep(executor: Executor) -> None:
    """Remove what no figure of this climb came from; an earlier one's models are of no use to anybody."""
    used = {executor.chosen.key, *executor.token_keys.values(), *executor.compared}
    for trial in executor.trials.values():
        used |= {result.key for result in (*trial.fits.values(), *trial.measured.values(), *trial.curve.values())}
    for place in executor.experiment.root.iterdir():
        if place.is_dir() and place.name not in used:
            shutil.rmtree(place, ignore_errors=True)

"""One climb of the ladder, from an archive to `ladder.json`; what an earlier one did is kept.

Explained in docs/tour/08-do-i-need-neural-nets.md.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np

from rejoinder.archive.reader import fingerprint, held_out, part_counts
from rejoinder.archive.split import Method
from rejoinder.archive.store import Archive
from rejoinder.climb.entries import entries
from rejoinder.climb.executor import Doing
from rejoinder.climb.plan import follow
from rejoinder.climb.report import Reporter
from rejoinder.climb.task_cache import Setup, code_version
from rejoinder.config import Settings
from rejoinder.errors import UsageError
from rejoinder.files import write_json
from rejoinder.home.workspace import Workspace
from rejoinder.ladder.ranking import Pool
from rejoinder.ladder.timed_ranking import pair_threads
from rejoinder.models.interfaces import Progress, silent

FOLDER, REPORT, _RUN, _DATA = "ladder", "ladder.json", "run.json", "data.json"
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
        """Check ranges."""
        if self.budget is not None and not self.budget >= _LEAST:
            raise UsageError(f"the budget must be at least {_LEAST:.0f} seconds; got {self.budget:g}")


def climb(space: Workspace, config: ClimbConfig, settings: Settings, progress: Progress = silent) -> dict[str, Any]:
    """Fit and measure; the report, which is kept as HOME/ladder/ladder.json too. If nothing has changed it is that one.

    Raises:
        UsageError: the archive is too small to hold anything out; there is nothing to resume.
        RejoinderError: an unknown rung or setting, no archive.
    """
    rows = entries(config.rungs, settings)
    root = space.home / FOLDER
    asked = {"rungs": config.rungs, "split": config.split, "seed": config.seed, "settings": settings, "budget": config.budget}
    with space.open_archive() as archive:
        archive.settle()
        forum = archive.forum.name
        progress("reading the archive", 0, None)
        sizes = part_counts(archive, config.split)
        _check_sizes(sizes)
        setup = Setup(space.archive_file, root, config.split, config.seed, _data(archive, space, config.split), code_version())
    key = hashlib.blake2b(json.dumps([setup.data, setup.code, asked], sort_keys=True).encode(), digest_size=12).hexdigest()
    kept = _read(root / REPORT)
    if kept.get("key") == key:
        return kept
    spent = _spent(root, key, config)
    doing = Doing(setup, rows, config.budget, spent, progress)
    try:
        follow(doing)
    finally:
        write_json(root / _RUN, {"key": key, "spent": round(monotonic() - doing.began, 1)})
    progress("drawing conclusions", 0, None)
    report = {"key": key, **_reporter(doing, sizes, space).report(forum)}
    write_json(root / REPORT, report)
    (root / _RUN).unlink()
    _sweep(doing, root)
    return report


def _reporter(doing: Doing, sizes: Mapping[str, Mapping[str, int]], space: Workspace) -> Reporter:
    assert doing.chosen is not None  # noqa: S101 - nothing goes on without
    place = doing.chosen[0].place
    with space.open_archive() as archive:
        pool = Pool.of(held_out(archive, doing.setup.split))
    threads = {
        kind: pair_threads(pool, kind, doing.setup.seed) for kind in ("comment", "story") if doing.chosen[1][f"{kind}_pairs"]
    }
    return Reporter(doing, sizes, np.load(place / "threads.npy"), np.load(place / "repeats.npy"), threads)


def _check_sizes(sizes: dict[str, dict[str, int]]) -> None:
    for part in ("train", "dev", "test"):
        if sizes[part]["posts"] < _FEWEST:
            raise UsageError(
                f"the {part} part of the archive has {sizes[part]['posts']} posts; the ladder needs at least {_FEWEST} in each "
                "part to measure anything: import more, or try --split time"
            )


def _data(archive: Archive, space: Workspace, split: Method) -> str:
    """A hash of every word of the archive and of how it is split, remembered as long as the archive does not change."""
    file = space.home / FOLDER / _DATA
    state = {"revision": archive.meta("revision", 0), "split": split, "bytes": space.archive_file.stat().st_size}
    kept = _read(file)
    if kept.get("state") == state:
        return str(kept["hash"])
    found = fingerprint(archive, split)
    write_json(file, {"state": state, "hash": found})
    return found


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


def _sweep(doing: Doing, root: Path) -> None:
    """Remove what no figure of this climb came from; an earlier one's models are of no use to anybody."""
    used = set(_used(doing))
    for place in root.iterdir():
        if place.is_dir() and place.name not in used:
            shutil.rmtree(place, ignore_errors=True)


def _used(doing: Doing) -> Iterator[str]:
    chosen: Sequence[str] = [doing.chosen[0].key] if doing.chosen else []
    yield from [*chosen, *doing.token_keys.values()]
    for row in doing.rows:
        yield from (unit.key for unit, _ in [*row.fits.values(), *row.measured.values()])
        yield from (unit.key for unit in row.curve.values())

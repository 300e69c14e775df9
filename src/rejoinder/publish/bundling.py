"""A bundle: models to give away, from a file of posts, by a recipe.

The file goes through an archive of its own, which is gone afterwards; its test part is only measured on.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rejoinder.archive.authors import author_hasher
from rejoinder.archive.reader import ArchiveCorpus, held_out
from rejoinder.archive.sources.hackernews import SOURCE as HACKER_NEWS
from rejoinder.archive.store import Archive
from rejoinder.config import Settings
from rejoinder.errors import SourceError
from rejoinder.home.holders import held_in
from rejoinder.home.workspace import CARD, Workspace
from rejoinder.models.directory import load_json
from rejoinder.models.interfaces import Progress, silent
from rejoinder.publish.recipe import About, Recipe, make, refit_gates
from rejoinder.publish.workplace import workplace


@dataclass(frozen=True)
class BundleConfig:
    """What a bundle is beside its recipe."""

    name: str = ""  # what the card calls the data; empty: as the file is called
    licence: str = ""  # that the card states
    seed: int = 0
    gates: bool = False  # fit nothing but when the models that are there may speak up while somebody types


def bundle(file: Path, recipe: Settings, out: Path, config: BundleConfig, progress: Progress = silent) -> dict[str, Any]:
    """Make models from a file of posts, by the tables of a recipe, in the folder `out`; their card.

    What is there already, of the same data and settings, is not made again.

    Raises:
        SourceError: the file cannot be read.
        ConfigError: the recipe is wrong.
        UsageError: `out` holds what no recipe made.
    """
    made = Recipe.from_settings(recipe)
    if not file.is_file():
        raise SourceError(f"{file}: no such file")
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    with workplace(out.resolve()) as work, held_in(work) as scratch:
        archive_file = scratch / "archive.db"
        with Archive.open(archive_file, create=True) as archive:
            archive.add(HACKER_NEWS.read(file, author_hasher(scratch / "author.key")))
        with Archive.open(archive_file) as archive:
            about = About(config.name or file.name, digest, config.licence, tuple(held_out(archive)))
            corpus = ArchiveCorpus(archive, scratch / "tokens")
            if config.gates:
                refit_gates(Workspace(out, models=out), corpus, scratch, progress)
            else:
                make(made, corpus, out, np.random.default_rng(config.seed), about, progress)
    return dict(load_json(out / CARD))

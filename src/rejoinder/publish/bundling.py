"""A bundle: models to give away, from a file of posts, or from the files that a recipe names, by that recipe.

Each file goes through an archive of its own, which is gone afterwards; test parts are only measured on.
"""

from __future__ import annotations

import hashlib
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from rejoinder.archive.authors import author_hasher
from rejoinder.archive.reader import ArchiveCorpus, held_out
from rejoinder.archive.sources.hackernews import SOURCE as HACKER_NEWS
from rejoinder.archive.store import Archive
from rejoinder.config import Settings
from rejoinder.corpus import Corpus
from rejoinder.errors import SourceError
from rejoinder.home.holders import held_in
from rejoinder.home.workspace import CARD, Workspace
from rejoinder.models.directory import load_json
from rejoinder.models.interfaces import Progress, silent
from rejoinder.publish.reading import ReadConfig, reading
from rejoinder.publish.recipe import About, Recipe, make, refit_gates
from rejoinder.publish.workplace import workplace


@dataclass(frozen=True)
class BundleConfig:
    """What a bundle is beside its recipe."""

    name: str = ""  # what the card calls the data; empty: as the file is called
    licence: str = ""  # that the card states
    seed: int = 0
    read: tuple[ReadConfig, ...] = ()  # the files of a folder, if the models are made of several
    cell: Path | None = None  # the checkpoint of a run that trained the cell elsewhere
    gates: bool = False  # fit nothing but when the models that are there may speak up while somebody types


def bundle(file: Path, recipe: Settings, out: Path, config: BundleConfig, progress: Progress = silent) -> dict[str, Any]:
    """Make models from a file of posts, by the tables of a recipe, in the folder `out`; their card.

    What is there already, of the same data and settings, is not made again.

    Raises:
        SourceError: the file cannot be read.
        ConfigError: the recipe is wrong.
        UsageError: `out` holds what no recipe made.
    """
    made = replace(Recipe.from_settings(recipe), cell=config.cell)
    if not (file.is_dir() if config.read else file.is_file()):
        raise SourceError(f"{file}: no such {'folder' if config.read else 'file'}")
    with workplace(out.resolve()) as work, ExitStack() as stack:
        corpus, about = _of_several(file, config, work, progress, stack) if config.read else _of_one(file, config, work, stack)
        if config.gates:
            scratch = stack.enter_context(held_in(work))
            refit_gates(Workspace(out, models=out), corpus, scratch, progress)
        else:
            make(made, corpus, out, np.random.default_rng(config.seed), about, progress)
    return dict(load_json(out / CARD))


def _of_one(file: Path, config: BundleConfig, work: Path, stack: ExitStack) -> tuple[Corpus, About]:
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    scratch = stack.enter_context(held_in(work))
    archive_file = scratch / "archive.db"
    with Archive.open(archive_file, create=True) as archive:
        archive.add(HACKER_NEWS.read(file, author_hasher(scratch / "author.key")))
    archive = stack.enter_context(Archive.open(archive_file))
    about = About(config.name or file.name, digest, config.licence, tuple(held_out(archive)))
    return ArchiveCorpus(archive, scratch / "tokens"), about


def _of_several(folder: Path, config: BundleConfig, work: Path, progress: Progress, stack: ExitStack) -> tuple[Corpus, About]:
    corpus = stack.enter_context(reading(config.read, folder, work, progress))
    name = config.name or ", ".join(read.called for read in config.read)
    return corpus, About(name, corpus.digest(), config.licence, tuple(corpus.sources[-1].test()))

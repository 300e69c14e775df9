"""Where models that are given away are made: a folder of their own, and beside it one for what is only needed on the way."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rejoinder.errors import UsageError
from rejoinder.home.holders import TEMPORARY, claim, remove, sweep
from rejoinder.home.lock import MODELS
from rejoinder.models import LADDER
from rejoinder.models.directory import MARK

_BEFORE = re.compile(rf"tokens|{re.escape(MODELS)}|(?:tokens|{'|'.join(LADDER)})-[0-9a-f]{{16}}")  # what was there before marks


@contextmanager
def workplace(directory: Path) -> Iterator[Path]:
    """DIRECTORY.work with our mark, so that what a killed run left there is known to be ours; gone when nothing is left in it.

    Raises:
        UsageError: something else lies there.
    """
    work = directory.with_name(f"{directory.name}.work")
    old = [*work.iterdir()] if work.is_dir() and not work.is_symlink() else []
    if old and all(_BEFORE.fullmatch(path.name) and not path.is_symlink() for path in old):
        (work / MARK).touch()
    claim(work)
    sweep(work, keep=tuple(path.name for path in work.iterdir() if not path.name.startswith(TEMPORARY)))
    try:
        yield work
    finally:
        if work.is_dir() and all(path.name == MARK for path in work.iterdir()):  # whoever works within may have removed it
            remove(work)


def check_place(directory: Path, made: set[str]) -> None:
    """Older models are replaced in `directory`: it may not be somebody's own.

    Args:
        directory: where models will be written.
        made: names of what is written there beside the rungs.

    Raises:
        UsageError: it holds something else than what a recipe makes.
    """
    for found in directory.iterdir() if directory.is_dir() else ():
        if found.name not in {*LADDER, *made}:
            raise UsageError(f"{directory} holds {found.name}, which no recipe made; name a folder of its own")
    if directory.name == "models" and (directory.parent / "archive.db").is_file():
        raise UsageError(f"{directory} holds the models of a home; name a folder of its own")

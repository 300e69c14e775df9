"""Everything in a home that may hold words of posts besides the archive, and how it is cleared away.

Whoever writes such a thing asks here for its folder, which gets our mark; so there is nothing that forgetting does not know of.
Only what carries the mark is ever removed, and never through a link: what somebody else put there is left, and named. Homes of
before there were marks get theirs when they are next written to.

    HOME/scratch/       what a fit works with: token arrays, sorted runs           removed
    HOME/checkpoints/   what long fits that were stopped go on from                removed
    HOME/ladder/        models and figures of a climb of the ladder                removed but for the report, which holds none;
                        with a place that is forgotten it goes too, as it names the places it was made of
    HOME/models/RUNG/   fitted rungs (see `rejoinder.home.forgetting`)             brought to what remains, marked or removed
    HOME/.unpacked/     what was in a zip or tar file, while it is imported        removed, but for what is at work
    HOME/.audited/      a copy with planted secrets, while models of it are made   removed, but for what is at work
    HOME/tokenizer.json its pieces may be words                                    removed, if one stood nowhere else

The text of one's own (`rejoinder.home.own_text`) is no post; it is erased by its own command.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from time import sleep

from rejoinder.archive.schema import check_ours
from rejoinder.errors import ArchiveError, UsageError
from rejoinder.files import leftovers
from rejoinder.home.system_lock import take
from rejoinder.models import LADDER, OURS
from rejoinder.models.directory import MANIFEST, MARK
from rejoinder.text.tensors import TOKENIZER_FILE

SCRATCH, CHECKPOINTS, LADDER_FOLDER, UNPACKED, AUDITED = "scratch", "checkpoints", "ladder", ".unpacked", ".audited"
HELD = ".held"  # a file in a folder that is held, on Windows
TEMPORARY = "tmp"  # how the names of folders that are `held` begin
HOLDERS: dict[str, tuple[str, ...]] = {  # the folder -> what of it holds no words
    SCRATCH: (),
    CHECKPOINTS: (),
    LADDER_FOLDER: ("ladder.json", "ladder.html"),
    UNPACKED: (),
    AUDITED: (),
}
_BEFORE = {  # what a rejoinder that set no marks yet wrote into each, and nobody else does
    SCRATCH: r"tmp[a-z0-9_]{8}",
    CHECKPOINTS: rf"(?:{'|'.join(OURS)})(?:/\.?[0-9a-f]{{32}}\.safetensors(?:\.\w+)?)?",
    LADDER_FOLDER: r"[0-9a-f]{24}|ladder\.html|(?:ladder|run|data)\.json",
}
_HOME_OF_OURS = ("archive.db", "author.key", "personal.txt", "sample", "models.lock", MARK)


def folder(home: Path, name: str) -> Path:
    """The folder of that name in a home, made if it is not there; all in it is ours.

    Raises:
        UsageError: there is something else in its place.
    """
    HOLDERS[name]  # whoever holds words must stand there
    _adopt(home, name)
    return claim(home / name)


def _adopt(home: Path, name: str) -> None:
    """Mark a folder that has no mark since an older rejoinder made it: in a home of ours, with nothing that only others write."""
    directory = home / name
    if name not in _BEFORE or is_ours(directory) or directory.is_symlink() or not directory.is_dir():
        return
    if not _holds_our_archive(home):
        return
    present = [*directory.iterdir(), *(directory.glob("*/*") if name == CHECKPOINTS else ())]
    if all(re.fullmatch(_BEFORE[name], path.relative_to(directory).as_posix()) and not path.is_symlink() for path in present):
        (directory / MARK).touch()


def _holds_our_archive(home: Path) -> bool:
    """Whether there is an archive of ours, and no models but those of rungs."""
    try:
        with closing(sqlite3.connect(f"{(home / 'archive.db').absolute().as_uri()}?mode=ro", uri=True)) as db:
            ours = check_ours(db, "") > 0
    except (sqlite3.Error, ArchiveError):
        return False
    return ours and all(path.name in LADDER for path in (home / "models").glob("*/"))


def claim(directory: Path, besides: str = "") -> Path:
    """A folder with our mark: a new one, or an empty one but for a file `besides`, gets it.

    Raises:
        UsageError: there is something else in its place.
    """
    if not is_ours(directory):
        if directory.is_symlink() or (directory.exists() and (not directory.is_dir() or _others(directory, besides))):
            raise UsageError(f"{directory} is not rejoinder's own folder; move it away, or choose another --home")
        directory.mkdir(parents=True, exist_ok=True)
        (directory / MARK).touch()
    return directory


def _others(directory: Path, *names: str) -> bool:
    return any(path.name not in names for path in directory.iterdir())


def is_ours(directory: Path) -> bool:
    """Whether this is a folder, not a link, that carries our mark, or is a model that was sealed before there were marks."""
    return not directory.is_symlink() and ((directory / MARK).is_file() or (directory / MANIFEST).is_file())


def is_home(home: Path) -> bool:
    """Whether a folder is a home, or may become one: it holds what only a home does, or no folders of anybody else's."""
    if not home.is_dir():
        return True
    present = list(home.iterdir())
    ours = any(path.name in _HOME_OF_OURS for path in present)
    return ours or not any(path.is_dir() and not path.name.startswith(".") and path.name != "lost+found" for path in present)


def sweep(directory: Path, keep: tuple[str, ...] = ()) -> list[Path]:
    """Clear a folder of ours but for its mark, what to `keep` and what is `held`; the paths that could not be removed."""
    if not is_ours(directory):
        return [directory] if directory.is_symlink() or (directory.is_dir() and any(directory.iterdir())) else []
    left: list[Path] = []
    for path in directory.iterdir():
        if path.name not in (MARK, *keep):
            with _idle(path) as idle:
                left += remove(path) if idle else ()
    return left


@contextmanager
def held(home: Path, name: str) -> Iterator[Path]:
    """A folder for this block alone, in the home's folder of that name; what others left that were killed is swept first."""
    parent = folder(home, name)
    sweep(parent)
    with held_in(parent) as mine:
        yield mine


@contextmanager
def scratch_folder(home: Path) -> Iterator[Path]:
    """A folder for who has the lock of the models, gone afterwards; what an earlier crash left goes too."""
    parent = folder(home, SCRATCH)
    sweep(parent)
    try:
        with TemporaryDirectory(dir=parent) as directory:
            yield Path(directory)
    finally:
        remove(parent)


@contextmanager
def held_in(parent: Path) -> Iterator[Path]:
    """A folder for this block alone, in a folder of ours.

    The system holds it for as long as the process lives, so that no `sweep` takes it.
    """
    while True:
        mine = Path(mkdtemp(dir=parent, prefix=TEMPORARY))
        try:
            with _open(mine) as handle:
                while not take(handle):  # a sweep may have it, for the moment in which it removes it
                    sleep(0.001)
                if mine.is_dir():
                    yield mine
                    return
        finally:
            shutil.rmtree(mine, ignore_errors=True)


@contextmanager
def _idle(path: Path) -> Iterator[bool]:
    """Whether nobody holds a folder (`held`); nobody will for the length of the block. Other things are always idle."""
    if path.is_symlink() or not path.is_dir() or not os.access(path, os.R_OK):
        yield True
        return
    with _open(path) as handle:
        idle = take(handle)
        if sys.platform != "win32":
            yield idle
            return
    yield idle  # where nothing that is open can be removed


@contextmanager
def _open(directory: Path) -> Iterator[int]:
    """A handle whose lock stands for that of a folder: its own, or, where no folder can be opened, that of a file in it."""
    if sys.platform == "win32":
        handle = os.open(directory / HELD, os.O_RDWR | os.O_CREAT)
    else:
        handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        yield handle
    finally:
        os.close(handle)


def remove(path: Path) -> list[Path]:
    """Remove what lies in a folder of ours, a link but never what it points to; the paths that could not be removed."""
    left: list[Path] = []
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, onerror=lambda _, name, error: left.append(Path(name)) if os.path.lexists(name) else None)
    else:
        try:
            path.unlink(missing_ok=True)
        except OSError:
            left.append(path)
    return left[:1]


def clear(home: Path, *, names: bool = False) -> list[Path]:
    """Remove all that may hold words of posts, or `names` of places too, besides archive, tokenizer and models.

    Returns:
        The paths that are left.
    """
    left: list[Path] = []
    for name, keep in HOLDERS.items():
        _adopt(home, name)
        left += sweep(home / name, () if names else keep)
        if is_ours(home / name) and not _others(home / name, MARK):
            remove(home / name)
    return left + [path for found in leftovers(home / TOKENIZER_FILE) for path in remove(found)]

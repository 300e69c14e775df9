"""A model directory: arrays (npy), JSON, and `manifest.json`, written last, whose presence means the directory is whole.

A directory is never changed once sealed. No pickle: arrays are read with `allow_pickle=False`, everything else is JSON or
the format of a kept library.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from rejoinder.config import as_dict, resolve
from rejoinder.errors import ConfigError, DamagedModel
from rejoinder.files import write_json
from rejoinder.text.columns import in_file

FORMAT = 1
MANIFEST = "manifest.json"
MARK = ".rejoinder"  # in a folder that is ours, and may be removed
SMALL = 2**20  # bytes up to which a file is compared with the manifest whenever its directory is opened
_TRUSTING = (".usearch",)  # so are, whatever their size, those that a library reads without looking: it would end the process
_CONFIG = "config.json"
_given_up: dict[tuple[Path, int], str] = {}  # directory and time of its manifest -> why
C = TypeVar("C")


def save_config(directory: Path, rung: str, config: Any) -> None:
    """Write which rung this is and its settings."""
    directory.mkdir(parents=True, exist_ok=True)
    write_json(directory / _CONFIG, {"rung": rung, "config": as_dict(config)})


def load_config(directory: Path, rung: str, config: type[C]) -> C:
    """Read the settings `save_config` wrote.

    Raises:
        DamagedModel: there are none, or they are another rung's.
    """
    found = load_json(directory / _CONFIG)
    if not isinstance(found, dict) or found.get("rung") != rung:
        raise DamagedModel(f"{directory} holds no `{rung}`; fit it again: rejoinder fit {rung}")
    try:
        return resolve(config, found["config"], rung)
    except (ConfigError, KeyError, TypeError) as error:
        raise DamagedModel(
            f"{directory}: its settings do not fit this rejoinder ({error}); fit again: rejoinder fit {rung}"
        ) from error


def save_array(directory: Path, name: str, array: NDArray[Any]) -> None:
    """Write one array; one that lies in a file is not read into memory, and takes the disk once where that can be."""
    mapped, target = in_file(array), directory / f"{name}.npy"
    if mapped is None or not str(mapped.filename).endswith(".npy"):
        np.save(target, array, allow_pickle=False)
    else:
        save_file(Path(str(mapped.filename)), target)


def save_file(source: Path, target: Path) -> None:
    """Give a file of a fit's own folder a second name, or copy it: also one of another model, since two of them share nothing."""
    if not any((folder / _CONFIG).exists() for folder in source.parents[:2]):
        with suppress(OSError):  # another disk, or one that knows no second names
            os.link(source, target)
            return
    shutil.copyfile(source, target)


def load_array(directory: Path, name: str) -> NDArray[Any]:
    """One array, memory-mapped and read only.

    Raises:
        DamagedModel: it is not there, or cut short.
    """
    file = directory / f"{name}.npy"
    try:
        array: NDArray[Any] = np.load(file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DamagedModel(f"{file} is missing or damaged ({error}); fit again") from error
    return array


def load_json(file: Path) -> Any:
    """The value in a JSON file.

    Raises:
        DamagedModel: it is not there, or no JSON.
    """
    try:
        return json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise DamagedModel(f"{file} is missing or damaged ({error}); fit again") from error


def seal(directory: Path, facts: dict[str, Any]) -> None:
    """Write the manifest: `facts` of the fit, and size and hash of every file, so that a changed one is noticed."""
    ours = (directory / MANIFEST, directory / MARK)
    files_there = (file for file in sorted(directory.rglob("*")) if file.is_file() and file not in ours)
    present = {str(file.relative_to(directory)): file for file in files_there}
    files = {name: file.stat().st_size for name, file in present.items()}
    hashes = {name: _hash(file) for name, file in present.items()}
    write_json(directory / MANIFEST, {"format": FORMAT, **facts, "files": files, "hashes": hashes})


def check_hashes(directory: Path) -> None:
    """Read every file of a sealed directory and compare it with the manifest; opening a model looks at the small ones only.

    Raises:
        DamagedModel: a file is not what was written.
    """
    for name, expected in read_manifest(directory)["hashes"].items():
        _compare(directory / name, _hash(directory / name), expected)


def identity(directory: Path) -> str:
    """A hash of the manifest, and so of all that a sealed directory holds and of the fit it came from."""
    return _hash(directory / MANIFEST)


def give_up(directory: Path, error: Exception) -> None:
    """From now on this process takes a model that could not be loaded or used for damaged, until it is written anew."""
    with suppress(OSError):
        _given_up[directory, (directory / MANIFEST).stat().st_mtime_ns] = str(error)


def given_up() -> int:
    """How many models have been given up: what was chosen among models is to be chosen again when there are more."""
    return len(_given_up)


def _hash(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    except OSError as error:
        raise DamagedModel(f"{file} cannot be read ({error.strerror}); fit again") from error


@lru_cache(maxsize=1024)
def _hash_as_of(file: Path, _size: int, _changed: int) -> str:
    """The hash of a file, worked out anew only if its size or time is another."""
    return _hash(file)


def _compare(file: Path, found: str, expected: str) -> None:
    if found != expected:
        raise DamagedModel(f"{file} was altered since it was written; fit again")


def read_manifest(directory: Path) -> dict[str, Any]:
    """The manifest of a sealed directory, the sizes of all files checked against it, and what the small ones hold.

    Raises:
        DamagedModel: no manifest, another format, or a file that is missing, of another size, or small and altered; or the
            model was given up.
    """
    manifest = load_json(directory / MANIFEST)
    if _given_up and (why := _given_up.get((directory, (directory / MANIFEST).stat().st_mtime_ns))):
        raise DamagedModel(why)
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        found = manifest.get("format") if isinstance(manifest, dict) else None
        raise DamagedModel(f"{directory}: model format {found!r}; this rejoinder reads {FORMAT}; fit again")
    files, hashes = (manifest.get(key) for key in ("files", "hashes"))
    if not isinstance(files, dict) or not isinstance(hashes, dict) or files.keys() != hashes.keys():
        raise DamagedModel(f"{directory / MANIFEST} is damaged (no hash for each file); fit again")
    for name, size in files.items():
        file = directory / name
        there = file.stat() if file.is_file() else None
        if there is None or there.st_size != size:
            what = "missing" if there is None else f"{there.st_size} bytes, not {size}"
            raise DamagedModel(f"{file} is damaged ({what}); fit again")
        if size <= SMALL or name.endswith(_TRUSTING):
            _compare(file, _hash_as_of(file, there.st_size, there.st_mtime_ns), hashes[name])
    return manifest

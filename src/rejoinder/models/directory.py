"""A model directory: arrays (npy), JSON, and `manifest.json`, written last, whose presence means the directory is whole.

A directory is never changed once sealed. No pickle: arrays are read with `allow_pickle=False`, everything else is JSON or
the format of a kept library.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from rejoinder.config import as_dict, resolve
from rejoinder.errors import ConfigError, DamagedModel
from rejoinder.files import write_json

FORMAT = 1
MANIFEST = "manifest.json"
MARK = ".rejoinder"  # in a folder that is ours, and may be removed
_CONFIG = "config.json"
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
    """Write one array."""
    np.save(directory / f"{name}.npy", array, allow_pickle=False)


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
    except (OSError, ValueError) as error:
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
    """Read every file of a sealed directory and compare it with the manifest; opening a model compares sizes only.

    Raises:
        DamagedModel: a file is not what was written.
    """
    for name, expected in dict(read_manifest(directory).get("hashes", {})).items():
        if _hash(directory / name) != expected:
            raise DamagedModel(f"{directory / name} was altered since it was written; fit again")


def identity(directory: Path) -> str:
    """A hash of the manifest, and so of all that a sealed directory holds and of the fit it came from."""
    return _hash(directory / MANIFEST)


def _hash(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def read_manifest(directory: Path) -> dict[str, Any]:
    """The manifest of a sealed directory, its files checked against it.

    Raises:
        DamagedModel: no manifest, another format, or a file that is missing or of another size.
    """
    manifest = load_json(directory / MANIFEST)
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        found = manifest.get("format") if isinstance(manifest, dict) else None
        raise DamagedModel(f"{directory}: model format {found!r}; this rejoinder reads {FORMAT}; fit again")
    for name, size in dict(manifest.get("files", {})).items():
        file = directory / name
        actual = file.stat().st_size if file.is_file() else None
        if actual != size:
            what = "missing" if actual is None else f"{actual} bytes, not {size}"
            raise DamagedModel(f"{file} is damaged ({what}); fit again")
    return manifest

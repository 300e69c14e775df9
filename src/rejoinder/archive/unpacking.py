"""Zip and tar files to folders. Names lead nowhere outside, and the disk is never filled."""

from __future__ import annotations

import shutil
import tarfile
import zipfile
from pathlib import Path, PurePosixPath

from rejoinder.archive.streams import UNREADABLE, open_stream
from rejoinder.errors import SourceError

_MOST_FILES = 500_000  # in one zip or tar file
_KEPT_FREE = 2**30  # bytes of the disk that unpacking leaves free


def unpack(path: Path, into: Path) -> None:
    """The files of a zip or tar file, within bounds, in the new folder `into`; those before a break stay.

    Raises:
        SourceError: the file breaks off, or the disk is nearly full.
    """
    into.mkdir()
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                for entry in archive.infolist()[:_MOST_FILES]:
                    if entry.compress_type == zipfile.ZIP_LZMA:
                        raise NotImplementedError("packed with LZMA, whose memory has no bound")
                    if not entry.is_dir():
                        with archive.open(entry) as file:
                            _copy(file, into, entry.filename, path)
        else:
            with open_stream(path) as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
                for count, member in enumerate(tar):
                    inner = tar.extractfile(member) if member.isfile() and count < _MOST_FILES else None
                    if inner is not None:
                        _copy(inner, into, member.name, path)
    except (zipfile.BadZipFile, tarfile.TarError, NotImplementedError, RuntimeError, *UNREADABLE) as error:
        raise SourceError(f"{path}: breaks off ({error}); the whole files before it are taken") from error


def _copy(file: object, into: Path, name: str, archive: Path) -> None:
    """One file, at its place below `into`, whatever its name says."""
    parts = [part for part in PurePosixPath(name.replace("\\", "/")).parts if part not in ("/", "..", ".")]
    target = into.joinpath(*(part.replace("\0", "")[:200] for part in parts))
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as made:
        while data := file.read(2**20):  # type: ignore[attr-defined]
            made.write(data)
            if shutil.disk_usage(into).free < _KEPT_FREE:
                made.close()
                target.unlink()
                raise SourceError(f"{archive}: the disk is nearly full; unpack it elsewhere and import the folder")

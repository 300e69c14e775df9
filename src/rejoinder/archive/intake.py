"""From what a person names (files, folders, zip and tar files) to what sources read: each file or folder with its source.

A zip or tar file is unpacked into a scratch folder, within bounds, and then is a folder like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rejoinder.archive.peek import peek
from rejoinder.archive.registry import recognised, sources
from rejoinder.archive.source import Source
from rejoinder.archive.tables import can_read_parquet
from rejoinder.errors import RejoinderError, SourceError, missing_extra

_SHOWN = 12  # names shown of what a file has


@dataclass(frozen=True)
class Unit:
    """A file or folder that one source reads."""

    path: Path
    label: str  # what to call it: the name a person gave, and the way inside
    source: Source


def units(path: Path, forced: Source | None, scratch: Callable[[], Path]) -> Iterator[Unit | RejoinderError]:
    """What there is to read in `path`, in the order of names, and an error for each file that nobody takes.

    Args:
        path: a file, a folder, or a zip or tar file.
        forced: the source to use for every file instead of the one that recognises it.
        scratch: gives a folder, for archives of files to be unpacked in.
    """
    for found in _units(path, path.name or str(path), forced, scratch):
        yield unknown(path.parent, *found) if isinstance(found, tuple) else found


def _units(
    path: Path, label: str, forced: Source | None, scratch: Callable[[], Path]
) -> Iterator[Unit | RejoinderError | tuple[Path, str]]:
    """As `units`; a file that nobody takes comes as its path and label."""
    found = next(recognised(path), None) if forced is None else forced if _fits(path, forced) else None
    if found is not None:
        yield Unit(path, label, found)
    elif path.is_dir():
        for child in sorted(path.iterdir()):
            if not child.name.startswith(("._", ".DS_Store", "__MACOSX")) and not child.is_symlink():
                yield from _units(child, f"{label}/{child.name}", forced, scratch)
    elif _is_container(path):
        from rejoinder.archive.unpacking import unpack

        inside = scratch() / f"{len(list(scratch().iterdir()))}"
        try:
            unpack(path, inside)
        except SourceError as error:
            yield error
        yield from _units(inside, label, forced, scratch)
    else:
        yield path, label


def _fits(path: Path, forced: Source) -> bool:
    """Whether a source that was asked for can take this as it is: not what must be unpacked, nor a folder around the real one."""
    if not forced.folder:
        return not path.is_dir() and not _is_container(path)
    return path.is_dir() and [child.is_dir() for child in path.iterdir()] != [True]


def unknown(at: Path, path: Path, label: str) -> RejoinderError:
    """The error for a file that nobody takes: what was found in it, what is expected, what to do."""
    seen = peek(path)
    if seen.head.startswith(b"PAR1") and not can_read_parquet():
        return missing_extra("reading Parquet files", "dumps")
    if not seen.head:
        found = "it is empty or cannot be read"
    elif names := [name for name in seen.fields if "." not in name] or seen.columns:
        found = f"its fields are {', '.join(names[:_SHOWN])}"
    else:
        found = f"it begins with {seen.head[:24]!r}"
    return SourceError(
        f"{at / label}: not a form of archive that is known: {found}. Nothing was imported. "
        f"Known are {', '.join(sorted(sources()))} (`--as NAME` to insist); any other table or JSON: --map id=...,text=..."
    )


def _is_container(path: Path) -> bool:
    head = peek(path).head
    return head.startswith((b"PK\x03\x04", b"PK\x05\x06")) or head[257:262] == b"ustar"

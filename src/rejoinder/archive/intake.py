"""From what a person names (files, folders, zip and tar files) to what sources read: each file or folder with its source.

A zip or tar file is unpacked into a scratch folder, within bounds, and then is a folder like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from mimetypes import guess_type
from pathlib import Path
from typing import NamedTuple

from rejoinder.archive.peek import peek
from rejoinder.archive.registry import recognised, sources
from rejoinder.archive.source import Source
from rejoinder.archive.tables import can_read_parquet
from rejoinder.errors import RejoinderError, SourceError, missing_extra

_SHOWN = 12  # names shown of what a file has
_MOST_LEFT = 10_000  # files that nobody takes, which are remembered
_KINDS = "image/ audio/ video/ font/ text/css text/html text/java text/x-vcard text/vcard text/calendar application/pdf"
_RECORDS = (".csv", ".tsv", ".tab", ".json", ".jsonl", ".ndjson", ".xml", ".mbox", ".eml")  # what may be posts, if not read
_NO_TEXT = (*_KINDS.split(), "application/java")  # how the kinds of files begin in which nobody keeps posts


@dataclass(frozen=True)
class Unit:
    """A file or folder that one source reads."""

    path: Path
    label: str  # what to call it: the name a person gave, and the way inside
    source: Source


class PassedOver(NamedTuple):
    """Files in a folder that hold nothing to read: pictures, notes and the like, beside what was read."""

    files: int
    label: str  # of the first


def units(path: Path, forced: Source | None, scratch: Callable[[], Path]) -> Iterator[Unit | PassedOver | RejoinderError]:
    """What there is to read in `path`, in the order of names; then one error for all the files in it that nobody takes.

    Beside what is read, files that hold no records (pictures, notes, pages of HTML) or come along with it are left out instead.

    Args:
        path: a file, a folder, or a zip or tar file.
        forced: the source to use for every file instead of the one that recognises it.
        scratch: gives a folder, for archives of files to be unpacked in.
    """
    left: list[tuple[Path, str]] = []
    beside: set[str] | None = None  # patterns; None: nothing is read
    aside: list[str] = []
    empty = True
    for found in _units(path, path.name or str(path), forced, scratch):
        empty = False
        if isinstance(found, PassedOver):
            aside.append(found.label)
            continue
        if isinstance(found, tuple):
            left += [found] if len(left) < _MOST_LEFT else []
            continue
        if isinstance(found, Unit):
            beside = (beside or set()) | {*found.source.beside.split()}
        yield found
    if empty:
        yield SourceError(f"{path}: there are no files in it")
    strange: list[tuple[Path, str]] = []
    for one in left:
        known = beside is not None and (_holds_no_records(one[0]) or any(fnmatch(one[0].name, name) for name in beside))
        if known:
            aside.append(one[1])
        else:
            strange.append(one)
    if aside:
        yield PassedOver(len(aside), aside[0])
    if strange:
        yield unknown(path.parent, strange)


def _holds_no_records(path: Path) -> bool:
    """Whether a file is no table, JSON, XML or mail that we merely do not know, but a picture, a page or prose."""
    seen = peek(path)
    if (guess_type(path.name)[0] or "").startswith(_NO_TEXT):
        return True
    if seen.json or seen.head.startswith(b"PAR1"):
        return False
    return not seen.head or b"\0" in seen.head[:4096] or not seen.name.endswith(_RECORDS)


def _units(
    path: Path, label: str, forced: Source | None, scratch: Callable[[], Path], *, named: bool = True
) -> Iterator[Unit | PassedOver | RejoinderError | tuple[Path, str]]:
    """As `units`; a file that nobody takes comes as its path and label. What was not named itself was met in a folder."""
    packed = _is_container(path)  # what is in one may lie there as it is
    found = (None if packed else next(recognised(path), None)) if forced is None else forced if _fits(path, forced) else None
    if found is not None and not named and found.set_aside(path):
        yield PassedOver(1, label)
    elif found is not None:
        yield Unit(path, label, found)
    elif path.is_dir():
        for child in sorted(path.iterdir()):
            if not child.name.startswith(("._", ".DS_Store", "__MACOSX")) and not child.is_symlink():
                yield from _units(child, f"{label}/{child.name}", forced, scratch, named=False)
    elif packed:
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


def unknown(at: Path, files: list[tuple[Path, str]]) -> RejoinderError:
    """The error for files that nobody takes: what was found in the first, what is expected, what to do."""
    path, label = files[0]
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
        f"{at / label}: not a form of archive that is known: {found}. Nothing was taken of it"
        f"{f', nor of {len(files) - 1:,} more in {at / Path(label).parts[0]}' if len(files) > 1 else ''}. "
        f"Known are {', '.join(sorted(sources()))} (`--as NAME` to insist); any other table or JSON: --map id=...,text=..."
    )


def _is_container(path: Path) -> bool:
    head = peek(path).head
    return head.startswith((b"PK\x03\x04", b"PK\x05\x06")) or head[257:262] == b"ustar"

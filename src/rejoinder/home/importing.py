"""Posts into a home from what a person names: files, folders, zip and tar files, each read by the source that knows its form."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache
from itertools import chain, groupby, islice
from pathlib import Path
from time import perf_counter

from rejoinder.archive.batches import ItemBatch, batches
from rejoinder.archive.intake import PassedOver, Unit, units
from rejoinder.archive.peek import peek
from rejoinder.archive.places import place, places
from rejoinder.archive.rest import Rest
from rejoinder.archive.source import BATCH_SIZE, Hasher, Item, Source
from rejoinder.archive.store import BATCH, Archive, Counts
from rejoinder.errors import MissingExtra, RejoinderError, SourceError
from rejoinder.home.workspace import Workspace
from rejoinder.models.interfaces import Progress, silent

_LARGE = 2 * 2**20  # bytes; a smaller file is read before another process has started


@dataclass
class Imported:
    """What became of the files of one form that were found in one that a person named."""

    path: Path  # the one that was named
    form: Source | None  # None where nobody knows it
    label: str = ""  # what to call them: the name of the first, with the way to it
    place: str = ""  # what the archive calls where they come from
    files: int = 0
    counts: Counts = field(default_factory=Counts)
    seconds: float = 0.0
    errors: list[RejoinderError] = field(default_factory=list)  # what could not be read, or not to its end
    left_out: PassedOver | None = None  # pictures, notes and the like
    rest: Rest = field(default_factory=Rest)  # what the files name that is not in them

    def count(self, unit: Unit) -> None:
        """One file more."""
        self.files += 1
        if type(unit.source).named is not Source.named:
            self.rest.look_into(unit.path, unit.source.named)


def import_files(
    space: Workspace, paths: Iterable[Path], forced: Source | None = None, name: str | None = None, report: Progress = silent
) -> Iterator[Imported]:
    """Take posts into the archive of a home; what fails is told, and the rest is read.

    Args:
        space: the home. Its archive is made when there is something to write.
        paths: files, folders, zip or tar files.
        forced: the form of all files, instead of the one that recognises each.
        name: what to call the place the posts come from; if None, by the form.
        report: told how far the reading is.
    """
    with ExitStack() as opened:
        scratch = unpacked_in(space, opened)
        taking = _Taking(space, opened, name, report)
        for path in paths:
            if not path.exists():
                yield Imported(path, None, errors=[SourceError(f"{path}: no such file")])
                continue
            for reader, group in groupby(units(path, forced, scratch), lambda unit: getattr(unit, "source", None)):
                if reader is None:
                    yield _not_read(path, list(group))
                else:
                    yield taking.take(Imported(path, reader), (unit for unit in group if isinstance(unit, Unit)))


def _not_read(path: Path, group: list[Unit | PassedOver | RejoinderError]) -> Imported:
    left_out = next((unit for unit in group if isinstance(unit, PassedOver)), None)
    return Imported(path, None, errors=[unit for unit in group if isinstance(unit, RejoinderError)], left_out=left_out)


def unpacked_in(space: Workspace, opened: ExitStack) -> Callable[[], Path]:
    """Gives the folder in which zip and tar files are unpacked: made at first use, gone when `opened` is closed."""

    @cache
    def scratch() -> Path:
        from rejoinder.home.holders import UNPACKED, held

        return opened.enter_context(held(space.home, UNPACKED))

    return scratch


class _Taking:
    """An archive that is opened once."""

    def __init__(self, space: Workspace, opened: ExitStack, name: str | None, report: Progress) -> None:
        self._space, self._opened, self._name, self._report = space, opened, name, report
        self._archive: Archive | None = None

    def take(self, into: Imported, group: Iterator[Unit]) -> Imported:
        """Take in what one source reads from one file or folder that was named, all its files as one."""
        reader, began = into.form, perf_counter()
        assert reader is not None  # noqa: S101 - for the type checker
        if self._archive is None and self._space.archive_file.is_file():
            self._archive = self._opened.enter_context(self._space.open_archive())
        into.place = called(into.path, reader, self._name)
        first = next(group)
        into.label = first.label
        some = _read(into, chain([first], group), self._space.hasher(into.place, hashed=_is_hashed(self._archive, into.place)))
        begun = list(islice(some, 1))
        if begun:
            if self._archive is None:  # not before there is something to write: a refused file leaves no archive behind
                self._archive = self._opened.enter_context(self._space.open_archive(create=True))
            shown = _reporter(self._report, into.label)
            self._archive.add_batches(chain(begun, some), into.counts, shown, place(self._archive, into.place, reader))
        if not into.counts.taken and not into.errors:
            into.errors.append(_nothing(into.path.parent / into.label, reader, into.counts))
        into.seconds = perf_counter() - began
        return into


def called(path: Path, reader: Source, name: str | None) -> str:
    """What a place is called: as a person says, else by the form, or by the file where only a map says what it holds."""
    return name or (path.name.partition(".")[0] if reader.name == "map" else reader.name)


def numbering(space: Workspace, name: str) -> Hasher:
    """What numbers the posts of a place as an import would; it knows no key, and writes nothing."""
    if not space.archive_file.is_file():
        return Hasher(b"", name)
    with space.open_archive() as archive:
        return Hasher(b"", name, _is_hashed(archive, name))


def _is_hashed(archive: Archive | None, name: str) -> bool | None:
    """Whether the posts of a place are numbered by hash, where that is settled."""
    return None if archive is None else next((at.hashed for at in places(archive) if at.name == name), None)


def _read(into: Imported, group: Iterable[Unit], hasher: Hasher) -> Iterator[ItemBatch]:
    """What is read from each file, by a process of its own where it is large; a file that cannot be read costs that file."""
    for large, some in groupby(group, _is_large):
        if not large:
            yield from batches(_read_here(into, some, hasher), BATCH, BATCH_SIZE)
            continue
        from rejoinder.archive.read_ahead import read_ahead

        for unit in some:
            into.count(unit)
            try:
                yield from read_ahead(unit.source, unit.path, hasher)
            except (SourceError, MissingExtra) as error:
                into.errors.append(error)


def _is_large(unit: Unit) -> bool:
    return unit.path.is_dir() or unit.path.stat().st_size > _LARGE


def _read_here(into: Imported, group: Iterable[Unit], hasher: Hasher) -> Iterator[Item]:
    for unit in group:
        into.count(unit)
        try:
            yield from unit.source.read(unit.path, hasher)
        except (SourceError, MissingExtra) as error:
            into.errors.append(error)


def _nothing(where: Path, reader: Source, counts: Counts) -> SourceError:
    """The error for a file of which nothing was taken."""
    seen = peek(where)
    fields = [name for name in seen.fields if "." not in name] or seen.columns
    found = f"; its fields are {', '.join(fields[:12])}" if fields else ""
    why = "; ".join(f"{count:,}: {reason}" for reason, count in counts.reasons.most_common(3))
    return SourceError(
        f"{where}: nothing was taken of {counts.lines:,} records{f' ({why})' if why else ''}{found}. It was taken for "
        f"{reader.what}, of which {reader.marks} are expected; `--as FORM` if that is wrong"
    )


def _reporter(report: Progress, name: str) -> Callable[[int], None]:
    return lambda lines: report(f"importing {name}", lines, None)

"""Calls whose files go by way of a store that all machines reach, where they share no folder: object storage, by fsspec.

What a call reads is put there, whoever does the call fetches it, and what it leaves comes back the same way. When the calls are
done nothing of it is left there; of who is killed meanwhile what lies in a folder of its own below the store's address is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

from rejoinder.errors import ModelError, missing_extra
from rejoinder.text.calls import Call, CallRunner, Told, perform


class Stored:
    """Has calls done by another runner, whose machines see the store and need see nothing else."""

    def __init__(self, runner: CallRunner, address: str) -> None:
        """`address`: a folder of the store, as fsspec knows them (s3://bucket/folder, gs://..., file:///mnt/...).

        Raises:
            MissingExtra: fsspec is not installed.
            ModelError: it knows no such store.
        """
        if find_spec("fsspec") is None:
            raise missing_extra("`--store`", "cluster")
        self.count, self.threads = runner.count, runner.threads
        self._runner, self._address = runner, address.rstrip("/")
        with _told(address):
            _open(address)

    def run(self, calls: Sequence[Call], told: Told = lambda done, total: None) -> None:
        """Do all calls.

        Raises:
            ModelError: as the runner says; or the store does not do as it is told.
        """
        folder = f"{self._address}/rejoinder-{uuid4().hex}"
        read = dict.fromkeys(path for call in calls for path in call.paths(call.reads))
        left = dict.fromkeys(path for call in calls for path in call.paths(call.writes))
        places = {path: f"{folder}/{number}" for number, path in enumerate((*read, *left))}
        sent = [Call(f"{__name__}:{fetch_and_perform.__name__}", asdict(call.moved(places))) for call in calls]
        try:
            with _told(self._address):
                for path in read:
                    _put(Path(path), places[path])
            self._runner.run(sent, told)
            with _told(self._address):
                for path in left:
                    _fetch(places[path], Path(path))
        finally:
            with suppress(OSError):
                files, where = _open(folder)
                files.rm(where, recursive=True)


def fetch_and_perform(function: str, arguments: Mapping[str, Any], reads: Sequence[str], writes: Sequence[str]) -> None:
    """Do a call whose paths are addresses in the store."""
    call = Call(function, arguments, reads, writes)
    with TemporaryDirectory() as scratch:
        addresses = dict.fromkeys((*call.paths(reads), *call.paths(writes)))
        places = {address: str(Path(scratch, str(number))) for number, address in enumerate(addresses)}
        for address in call.paths(reads):
            _fetch(address, Path(places[address]))
        perform(call.moved(places))
        for address in call.paths(writes):
            _put(Path(places[address]), address)


def _open(address: str) -> tuple[Any, str]:
    """A store, and the path in it."""
    from fsspec.core import url_to_fs

    found: tuple[Any, str] = url_to_fs(address)
    return found


def _put(source: Path, address: str) -> None:
    """A file, or the files of a folder, into the store."""
    files, where = _open(address)
    for file in [source] if source.is_file() else sorted(path for path in source.rglob("*") if path.is_file()):
        target = where if file == source else f"{where}/{file.relative_to(source).as_posix()}"
        files.makedirs(target.rpartition("/")[0], exist_ok=True)
        files.put_file(str(file), target)


def _fetch(address: str, target: Path) -> None:
    """The same back; what is there already is left as it is."""
    if target.exists():
        return
    files, where = _open(address)
    for file in files.find(where):
        place = target if file == where else target / file[len(where) + 1 :]
        place.parent.mkdir(parents=True, exist_ok=True)
        files.get_file(file, str(place))


@contextmanager
def _told(address: str) -> Iterator[None]:
    """What goes wrong with a store, in a line."""
    try:
        yield
    except (OSError, ValueError, ImportError) as error:
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ModelError(f"the store {address} cannot be used ({said}); is the address right, and may we write there?") from error

"""One home folder: where its parts lie; keeping fitted rungs, loading them, and whether they are stale.

HOME/archive.db            the archive (SQLite; -wal and -shm beside it while in use)
HOME/author.key            the key of the author hashes, mode 0600
HOME/tokenizer.json        the tokenizer all language models share
HOME/models/RUNG/0001/     a fitted rung; the highest whole one counts
HOME/checkpoints/RUNG/     what long fits that were stopped go on from
HOME/sample/               the same again for the embedded archive, while there is none of the user's own
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Self

from rejoinder.archive.authors import author_hasher
from rejoinder.archive.source import HN, Hasher
from rejoinder.archive.store import Archive
from rejoinder.archive.tombstones import check_key
from rejoinder.errors import DamagedModel, ModelError, NotFitted, StaleModel, UsageError
from rejoinder.files import tree_size
from rejoinder.home.holders import claim, is_ours, remove
from rejoinder.home.lock import locked
from rejoinder.models import PACKAGE, Can, rung, those_that
from rejoinder.models.directory import MANIFEST, identity, read_manifest, seal
from rejoinder.models.interfaces import Suggester
from rejoinder.models.loading import load_model

SHIPPED = "models"
CARD = "card.json"  # in a directory of models that are given away
_FACTS: dict[str, Any] = {  # what the manifest of a fit says
    "config": dict,
    "on": str,
    "split": str,
    "fitted": str,
    "seconds": int | float,
    "revision": int,
    "parts": dict,
}
_ELSE: dict[str, Any] = {"revision": 0, "parts": {}}  # where it does not


@dataclass(frozen=True)
class Fitted:
    """What is known of a fitted rung without loading it."""

    rung: str
    directory: Path
    manifest: dict[str, Any]
    bytes: int
    behind: bool  # the archive has changed since
    stale: bool  # threads have moved between train, dev and test since: its figures would not be honest
    forgot: bool  # posts were forgotten since, which it may still know: not to be used
    outdated: bool  # a rung it is made of was fitted again since


def usual_home() -> Path:
    """The home of whoever names none: `REJOINDER_HOME`, else the platform's folder for rejoinder's data."""
    from platformdirs import user_data_path

    return Path(os.environ.get("REJOINDER_HOME") or user_data_path("rejoinder", appauthor=False))


def check_able(names: Iterable[str], can: Can) -> None:
    """See that rungs have a capability.

    Raises:
        UsageError: there is no such rung.
        ModelError: one has it not.
    """
    for name in names:
        if can not in rung(name).can:
            raise ModelError(f"the rung `{name}` cannot do this; those that can: {', '.join(those_that(can, asked=True))}")


class Workspace:
    """A home folder. Making one touches nothing; folders appear when something is written."""

    def __init__(self, home: Path, models: Path | None = None) -> None:
        """Use the folder `home`; its models lie in `models`, unless given HOME/models."""
        self.home = home
        self.models = models or home / "models"
        self.archive_file = home / "archive.db"
        self.author_key = home / "author.key"

    @property
    def is_empty(self) -> bool:
        """Whether there are no posts here yet."""
        if not self.archive_file.is_file():
            return True
        with self.open_archive() as archive:
            return archive.is_empty

    def open_archive(self, *, create: bool = False) -> Archive:
        """The archive.

        Raises:
            ArchiveError: there is none (unless `create`), or it cannot be opened.
        """
        return Archive.open(self.archive_file, create=create)

    def hasher(self, source: str = HN, *, hashed: bool | None = None) -> Hasher:
        """What hides the authors of a source, and numbers its posts.

        Raises:
            ArchiveError: the key with which that was done so far is gone; no new one is made.
        """
        if self.archive_file.is_file() and not self.author_key.exists():
            with self.open_archive() as archive:
                check_key(archive)
        return author_hasher(self.author_key, source, hashed=hashed)

    @classmethod
    def shipped(cls) -> Self | None:
        """The models that came with this package, as a home without an archive; None if none came. Read only."""
        directory = Path(str(resources.files("rejoinder.bundle"))) / SHIPPED
        return cls(directory, models=directory) if (directory / CARD).is_file() else None

    def keep(self, model: Suggester, manifest: dict[str, Any], *beside: Callable[[Path], None]) -> None:
        """Save a model (and what `beside` write next to it) as the newest of its rung, and remove the others."""
        with locked(self.home, "fit"):
            directory = self._new_directory(manifest["rung"])
            try:
                model.save(directory)
                for write in beside:
                    write(directory)
                seal(directory, manifest)
            except BaseException:
                remove(directory)
                raise
            for other in directory.parent.iterdir():  # older ones, and what a crash left; open files stay readable
                if other != directory and is_ours(other):
                    remove(other)

    def _new_directory(self, name: str) -> Path:
        parent = self.models / name
        parent.mkdir(parents=True, exist_ok=True)
        number = max((int(other.name) for other in parent.iterdir() if other.name.isdecimal()), default=0)
        directory = parent / f"{number + 1:04}"
        return claim(directory)

    # --- what is fitted ------------------------------------------------------------------------------------------

    def fitted(self, name: str) -> Fitted | None:
        """The newest whole model of a rung, None if there is none.

        Raises:
            DamagedModel: there is one, but its files are not as they were written.
        """
        if name.startswith(PACKAGE):
            package = self.shipped()
            return None if package is None else package.fitted(name.removeprefix(PACKAGE))
        parent = self.models / name
        numbered = sorted(
            (p for p in parent.glob("*") if p.name.isdecimal() and (p / MANIFEST).is_file()), key=lambda p: int(p.name)
        )
        if not numbered:
            return None
        manifest = read_manifest(numbered[-1])
        if manifest.get("rung") != name:
            raise ModelError(
                f"{numbered[-1]} holds the rung `{manifest.get('rung')}`, not `{name}`; fit again: rejoinder fit {name}"
            )
        wrong = [key for key, kind in _FACTS.items() if not isinstance(manifest.get(key, _ELSE.get(key)), kind)]
        if wrong:
            raise DamagedModel(f"{numbered[-1] / MANIFEST} does not say {', '.join(wrong)}; fit again: rejoinder fit {name}")
        revision, resplit, forgot = self._revisions() if rung(name).learns else (0, 0, 0)  # it knows nothing of the archive
        at = manifest.get("revision", 0)
        parts = dict(manifest.get("parts", {}))
        outdated = any((there := self.fitted_or_none(part)) is None or identity(there.directory) != parts[part] for part in parts)
        size = tree_size(numbered[-1])
        return Fitted(name, numbered[-1], manifest, size, revision > at, resplit > at, forgot > at, outdated)

    def fitted_or_none(self, name: str) -> Fitted | None:
        """`fitted`, with a damaged model counted as none."""
        try:
            return self.fitted(name)
        except (ModelError, UsageError):  # the second is of a part that no rung is called
            return None

    def load(self, name: str, *, allow_stale: bool = False) -> Suggester:
        """A fitted rung, ready for use.

        Raises:
            NotFitted: it was never fitted here.
            StaleModel: it may still know posts that were forgotten since, or a rung it is made of was fitted again
                (unless `allow_stale`).
            DamagedModel: its files are not whole.
        """
        return self._load(name, {}, allow_stale=allow_stale)

    def _load(self, name: str, loaded: dict[str, Suggester], *, allow_stale: bool = False) -> Suggester:
        """`load`; what is in `loaded` is taken from there, and what is not comes in: a part of several is read once."""
        rung(name)
        if name in loaded:
            return loaded[name]
        found = self.fitted(name)
        if found is None:
            raise NotFitted(f"the rung `{name}` is not fitted in {self.home}; run `rejoinder fit {name}`")
        if found.forgot and not allow_stale:
            raise StaleModel(
                f"the rung `{name}` may still know posts that were forgotten after it was fitted; "
                f"run `rejoinder fit {name}` (--allow-stale uses it all the same)"
            )
        if found.outdated and not allow_stale:
            raise StaleModel(
                f"the rung `{name}` is made of {', '.join(found.manifest['parts'])}, one of which was fitted again since; "
                f"run `rejoinder fit {name}` (--allow-stale uses it all the same)"
            )
        beside = PACKAGE if name.startswith(PACKAGE) else ""  # what a model of the package is made of lies in the package
        parts = {part: self._load(beside + part, loaded, allow_stale=allow_stale) for part in found.manifest.get("parts", {})}
        loaded[name] = load_model(rung(name).load(), found.directory, parts)
        return loaded[name]

    def load_parts(self, names: Iterable[str], loaded: dict[str, Suggester] | None = None) -> dict[str, Suggester]:
        """The rungs of these names, by name; what several of them are made of, or `loaded` holds, is read once."""
        loaded = {} if loaded is None else loaded
        return {name: self._load(name, loaded) for name in names}

    def load_those(self, can: Can, only: Iterable[str] | None = None, *, allow_stale: bool = False) -> Mapping[str, Any]:
        """The fitted rungs with a capability, by name, from the cheapest up; with `only`, just these, which must be fitted."""
        if only is not None:
            check_able(names := list(only), can)
        else:
            names = self.fitted_that(can)
        loaded: dict[str, Suggester] = {}
        return {name: self._load(name, loaded, allow_stale=allow_stale) for name in names}

    def load_usable(self, can: Can, note: Callable[[str], None], *, allow_stale: bool = False) -> dict[str, Any]:
        """The fitted rungs with a capability, from the cheapest up; one that cannot be loaded costs a line, told to `note`.

        Raises:
            StaleModel: one may still know posts that were forgotten since (unless `allow_stale`).
        """
        loaded: dict[str, Suggester] = {}
        found: dict[str, Any] = {}
        for name in those_that(can):
            try:
                there = self.fitted(name)
                if there is not None and there.outdated and not there.forgot:
                    note(f"`{name}` is passed over, since what it is made of has changed: rejoinder fit {name}")
                elif there is not None:
                    found[name] = self._load(name, loaded, allow_stale=allow_stale)
            except StaleModel:
                raise
            except (ModelError, UsageError) as error:
                note(f"`{name}` is passed over: {error}")
        return found

    def fitted_that(self, can: Can) -> list[str]:
        """The names of the fitted rungs with a capability, from the cheapest up, that can be used without being named.

        One whose parts have changed is passed over, and so is one that is damaged.
        """
        return [name for name in those_that(can) if (found := self.fitted_or_none(name)) is not None and not found.outdated]

    @property
    def revision(self) -> int:
        """How often the archive has changed; 0 without one."""
        return self._revisions()[0]

    def _revisions(self) -> tuple[int, int, int]:
        if not self.archive_file.is_file():
            return 0, 0, 0
        with self.open_archive() as archive:
            return tuple(int(archive.meta(key, 0)) for key in ("revision", "resplit_at", "forgot_at"))  # type: ignore[return-value]

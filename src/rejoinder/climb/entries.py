"""What is to be measured: rungs to fit here, and those that came with the package."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rejoinder.archive.split import Method
from rejoinder.config import Settings, as_dict, resolve
from rejoinder.errors import ModelError
from rejoinder.home.workspace import Fitted, Workspace
from rejoinder.ladder.compression import ORDER
from rejoinder.models import LADDER, NOTHING, Can, is_net, parts_of, rung, those_that, unasked
from rejoinder.models.directory import identity

_WITHOUT_NETS, _WITH_CACHE = "fusion without nets", "kneser_ney with cache"
_MEASURED = Can.PREDICT | Can.PROPOSE | Can.RANK
_CACHE = {"cache": 1_000, "cache_weights": ()}  # as strong as counts get: its weights are fitted on dev


@dataclass(frozen=True)
class Entry:
    """One row of the ladder to be."""

    name: str  # in the report
    rung: str
    config: dict[str, Any] = field(default_factory=dict)
    parts: tuple[str, ...] = ()  # the rungs it is made of
    shipped: bool = False  # it is there already: in the package, or in a home that was given it
    home: Path | None = None  # that home
    identity: str = ""  # of the model there
    reference: bool = False  # no rung: the compressor, to compare with
    damaged: str = ""  # why what is there cannot be used

    @property
    def net(self) -> bool:
        """Whether it is a neural net, or is made of one."""
        return not self.reference and is_net(self.rung, self.parts)

    @property
    def types(self) -> bool:
        """Whether it predicts text."""
        return self.reference or Can.PREDICT in self._can

    @property
    def replies(self) -> bool:
        """Whether it has to do with replies."""
        return not self.reference and bool(self._can & (Can.PROPOSE | Can.RANK))

    @property
    def ranks(self) -> bool:
        """Whether it orders candidates."""
        return not self.reference and Can.RANK in self._can

    @property
    def _can(self) -> Can:
        """What it does in time."""
        return LADDER[self.rung].can & ~LADDER[self.rung].aside

    @property
    def what(self) -> str:
        """In half a line."""
        if self.reference:
            return f"a compressor that has read the train part, contexts of up to {ORDER} bytes; to compare with"
        where = ", from the package" if self.home is None else "; it may have read these very posts"
        return LADDER[self.rung].what + (where if self.shipped else "")


def entries(
    names: Iterable[str] | None, settings: Settings, home: Workspace | None = None, split: Method = "hash"
) -> list[Entry]:
    """The rows for rungs of these names, from the cheapest up; if None, all that need not be named, and those that are there.

    Those are the package's, and those that a `home` was given, which others trained; what was made of these and of train posts of
    another `split`, or of all posts, has read test posts and is left out.

    Whether nets are worth it is the question, so what stands against them is as strong as can be: counts with a cache, too, and
    where a fusion has nets in it, another one without them before it. Where nothing is named, a compressor ends the list.

    Raises:
        UsageError: no such rung.
        ConfigError: a setting is wrong.
    """
    wanted = unasked() if names is None else [name for name in dict.fromkeys(names) if rung(name)]
    found: list[Entry] = []
    chosen: set[str] = set()
    for name in wanted:  # and what it is made of
        chosen |= {name, *parts_of(name, _config(name, settings), ())}
    for name in [name for name in LADDER if name in chosen and LADDER[name].can & _MEASURED]:
        config = _config(name, settings)
        ready = [entry.rung for entry in found if entry.rung != name]
        parts = parts_of(name, config, ready)
        if LADDER[name].made_of != NOTHING and not config.models and any(is_net(p, ()) for p in parts):
            plain = tuple(part for part in parts if not is_net(part, ()) and Can.RANK in LADDER[part].can)
            found.append(Entry(_WITHOUT_NETS, name, {**settings.get(name, {}), "models": plain}, plain))
        found.append(Entry(name, name, dict(settings.get(name, {})), parts))
        if name == "kneser_ney" and not config.cache:
            found.append(Entry(_WITH_CACHE, name, {**settings.get(name, {}), **_CACHE}, (name,)))
    return found + ([*_shipped(), *_given(home, split), Entry("PPMd", "PPMd", reference=True)] if names is None else [])


def _config(name: str, settings: Settings) -> Any:
    return resolve(rung(name).load().Config, settings.get(name, {}), name)


def _shipped() -> list[Entry]:
    space = Workspace.shipped()
    found = _there(space, those_that(Can.PREDICT)) if space else {}
    return [
        Entry(f"{name} (package)", name, shipped=True, damaged=there)
        if isinstance(there, str)
        else Entry(f"{name} (package)", name, parts=tuple(there.manifest.get("parts", {})), shipped=True)
        for name, there in found.items()
        if isinstance(there, str) or not there.outdated
    ]


def _given(home: Workspace | None, split: Method) -> list[Entry]:
    if home is None:
        return []
    found: list[Entry] = []
    names = [name for name, line in LADDER.items() if line.can & _MEASURED and any(LADDER[n].added for n in (name, *line.parts))]
    for name, there in _there(home, names).items():
        if isinstance(there, str):
            found.append(Entry(name, name, shipped=True, home=home.home, damaged=there))
            continue
        parts, kept = tuple(there.manifest.get("parts", {})), there.manifest
        if there.forgot or there.outdated:
            continue
        if not parts or (kept["on"] == "train" and kept["split"] == split and not there.stale):
            found.append(Entry(name, name, {}, parts, shipped=True, home=home.home, identity=identity(there.directory)))
    return found


def _there(space: Workspace, names: Iterable[str]) -> dict[str, Fitted | str]:
    """Of the rungs of these names those that lie in a home, or why one cannot be used."""
    found: dict[str, Fitted | str] = {}
    for name in names:
        try:
            there = space.fitted(name)
        except ModelError as error:
            found[name] = str(error)
        else:
            found |= {name: there} if there is not None else {}
    return found


def full_config(entry: Entry) -> dict[str, Any]:
    """All its settings, defaults too."""
    return as_dict(resolve(LADDER[entry.rung].load().Config, entry.config, entry.rung))


def settings_of(entry: Entry) -> tuple[str, ...]:
    """The settings that make an entry what it is, as `--set` takes them."""
    return tuple(f"{entry.rung}.{key}={json.dumps(value)}" for key, value in entry.config.items())

"""Every source there is: the modules of `rejoinder.archive.sources`, and entry points `rejoinder.sources` of other packages."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from types import MappingProxyType

import rejoinder.archive.sources
from rejoinder.archive.source import Source
from rejoinder.errors import UsageError

GROUP = "rejoinder.sources"
_FIRST = "hackernews"  # the module that is asked first; a file that it knows costs the loading of no other


@cache
def sources() -> Mapping[str, Source]:
    """Sources by name: ours, then those of other packages (which cannot take the place of ours)."""
    return MappingProxyType({source.name: source for source in reversed(list(_every()))})


def broken() -> list[str]:
    """A line for each source of another package that was looked for and cannot be used."""
    return _others()[1] if _others.cache_info().currsize else []


def source(name: str) -> Source:
    """The source of that name.

    Raises:
        UsageError: there is none.
    """
    found = sources().get(name)
    if found is None:
        near = get_close_matches(name, sources(), 1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise UsageError(f"no form of archive is called {name!r}; {hint}known: {', '.join(sorted(sources()))}")
    return found


def recognised(path: Path) -> Iterator[Source]:
    """The sources that take this file, or this folder as a whole, for theirs, each loaded when it is its turn to be asked."""
    return (found for found in _every() if found.folder == path.is_dir() and _asked(found, path))


def _asked(source: Source, path: Path) -> bool:
    try:
        return source.recognises(path)
    except Exception:  # a source that stumbles over a file does not know it
        return False


def _every() -> Iterator[Source]:
    """Ours, then those of other packages, which cannot take the place of ours."""
    package, ours = rejoinder.archive.sources, set()
    names = (module.name for module in pkgutil.iter_modules(package.__path__))
    for name in sorted(names, key=lambda name: (name != _FIRST, name)):
        found = getattr(import_module(f"{package.__name__}.{name}"), "SOURCE", None)
        if isinstance(found, Source):
            ours.add(found.name)
            yield found
    yield from (other for other in _others()[0] if other.name not in ours)


@cache
def _others() -> tuple[list[Source], list[str]]:
    found: list[Source] = []
    problems: list[str] = []
    for point in entry_points(group=GROUP):
        try:
            loaded = point.load()
            made = loaded() if isinstance(loaded, type) else loaded
            if not isinstance(made, Source):
                raise TypeError("not a rejoinder.archive.source.Source")
            found.append(made)
        except Exception as error:  # whatever another package does wrong costs that package
            problems.append(f"the source `{point.name}` ({point.value}) cannot be used: {type(error).__name__}: {error}")
    return found, problems

"""Calls: pieces of work that may be done in any process, on any machine that sees the same files, in any order, more than once.

A call names a function of this package and gives it what JSON can hold: numbers, and paths of files to read and to write. What a
call leaves behind stands whole or not at all, and doing it again changes nothing. So whoever runs calls may do one again when the
process or the machine that did it is gone, and what comes of all of them does not depend on who did which.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol

Told = Callable[[int, int], object]  # how many calls are done, of how many


@dataclass(frozen=True)
class Call:
    """A piece of work."""

    function: str  # "rejoinder.text.counting:count_shard"
    arguments: Mapping[str, Any]  # what JSON can hold
    reads: Sequence[str] = ()  # which arguments are paths, or lists of them, of what it reads; "settings/x": that of settings
    writes: Sequence[str] = ()  # and of what it leaves

    def paths(self, names: Sequence[str]) -> list[str]:
        """The paths in these arguments."""
        found: list[str] = []

        def note(path: str) -> str:
            found.append(path)
            return path

        _change(self.arguments, names, note)
        return found

    def moved(self, places: Mapping[str, str]) -> Call:
        """The same where what it reads and leaves lies elsewhere."""
        names = (*self.reads, *self.writes)
        return Call(self.function, _change(self.arguments, names, places.__getitem__), self.reads, self.writes)


class CallRunner(Protocol):
    """Who does calls."""

    count: int  # how many at a time
    threads: int  # that the process which asks may use for what is not cut into calls

    def run(self, calls: Sequence[Call], told: Told = ...) -> None:
        """Do all of them.

        Raises:
            RejoinderError: one failed, or could not be done.
        """


class InThisProcess:
    """One call after the other, here."""

    count = threads = 1

    def run(self, calls: Sequence[Call], told: Told = lambda done, total: None) -> None:
        """As `CallRunner` says."""
        for done, call in enumerate(calls, start=1):
            perform(call)
            told(done, len(calls))


HERE = InThisProcess()


def perform(call: Call) -> None:
    """Do a call."""
    module, _, name = call.function.partition(":")
    if not module.startswith("rejoinder."):
        raise ValueError(f"{call.function} is none of ours")
    getattr(import_module(module), name)(**call.arguments)


def _change(arguments: Mapping[str, Any], names: Sequence[str], change: Callable[[str], str]) -> dict[str, Any]:
    """The arguments, the paths in those of these names changed."""
    found = dict(arguments)
    for name in names:
        first, _, rest = name.partition("/")
        value = found[first]
        if rest:
            found[first] = _change(value, [rest], change)
        else:
            found[first] = [change(path) for path in value] if isinstance(value, list) else change(value)
    return found

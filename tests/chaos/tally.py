"""What went wrong, counted: over all of tests/chaos these totals must be nought."""

from __future__ import annotations

from collections import Counter

from chaos.attack import Ran

TOTALS = ("attacks", "lost", "tracebacks", "forgotten bytes found")


class Tally(Counter[str]):
    """What one test counts."""

    def ok(self, ran: Ran) -> Ran:
        """A command that must work."""
        self["tracebacks"] += ran.traceback
        assert ran.code == 0, ran.out + ran.err
        return ran

    def attacked(self, ran: Ran) -> Ran:
        """A command that may fail, but not in a way nobody meant."""
        self["attacks"] += 1
        self["tracebacks"] += ran.traceback
        assert not ran.traceback, ran.out + ran.err
        return ran

    def check(self) -> None:
        """Nothing may have gone wrong."""
        assert {name: self[name] for name in TOTALS[1:]} == dict.fromkeys(TOTALS[1:], 0)

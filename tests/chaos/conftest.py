"""Chaos: promises under attack. The totals are printed at the end: nothing lost, no tracebacks, no byte of what was forgotten."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chaos.attack import Attacker
from chaos.homes import write_posts
from chaos.tally import TOTALS, Tally


@pytest.fixture
def tally(record_property: Callable[[str, object], None]) -> Iterator[Tally]:
    """What this test counts, for the totals at the end."""
    found = Tally()
    yield found
    record_property("chaos", dict(found))


@pytest.fixture(scope="session")
def attacker() -> Iterator[Attacker]:
    """What starts commands and ends them."""
    with Attacker() as started:
        yield started


@pytest.fixture(scope="session")
def rounds(request: pytest.FixtureRequest) -> int:
    """How often each attack is made."""
    return int(request.config.getoption("--chaos-rounds"))


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """The moments at which things happen: other ones in every run of pytest, the same ones for the same `-p randomly` seed."""
    seed = getattr(request.config.option, "randomly_seed", 0)
    return np.random.default_rng(seed if isinstance(seed, int) else 0)


@pytest.fixture(scope="session")
def posts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of posts by a few authors, some of whom will be forgotten."""
    return write_posts(tmp_path_factory.mktemp("posts") / "posts.jsonl")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The totals."""
    total: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", "") == "teardown":
                total.update(dict(getattr(report, "user_properties", ())).get("chaos", {}))
    if total:
        terminalreporter.write_line("chaos: " + ", ".join(f"{total[name]:,} {name}" for name in TOTALS))

"""Every promise names a test, and every test that is named is there."""

from __future__ import annotations

import re
from pathlib import Path

TOP = Path(__file__).parents[1]


def test_every_test_that_a_promise_names_is_there() -> None:
    lines = [line for line in (TOP / "docs" / "promises.md").read_text().splitlines() if line.startswith("- ")]
    for line in lines:
        named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", line)
        assert named, line
        for file, name in named:
            assert f"def {name}(" in (TOP / file).read_text(), line
    assert len(lines) > 20

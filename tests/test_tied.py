"""What tests begin ends with them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from waiting import until

PATIENCE = 60.0  # seconds
BEGIN = """
import time
from tied import tied
tied(["sh", "-c", "sleep 1000 & echo $! $$; wait"])
time.sleep(1000)
"""


def runs(number: int) -> bool:
    try:
        told = Path(f"/proc/{number}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return told.rpartition(")")[2].split()[0] != "Z"  # it has ended, and nobody has asked how


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
def test_what_is_tied_ends_when_the_tests_are_killed() -> None:
    here = Path(__file__).parent
    with subprocess.Popen([sys.executable, "-c", BEGIN], stdout=subprocess.PIPE, text=True, cwd=here) as tests:
        assert tests.stdout
        numbers = [int(number) for number in tests.stdout.readline().split()]
        assert all(map(runs, numbers))
        tests.kill()
    until(lambda: not any(map(runs, numbers)), PATIENCE)

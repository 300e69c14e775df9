"""A benchmark that nobody runs is soon no benchmark: what it asks of the command line must still be there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).resolve().parents[1] / "bench"
SMALL = [
    ("reply_latency.py", "--synthetic", "400", "--posts", "3", "--runs", "1", "--generate", "0", "--rungs", "bm25,trigger"),
]


@pytest.mark.parametrize("command", SMALL, ids=lambda command: command[0])
def test_it_runs_in_small(command: tuple[str, ...]) -> None:
    name, *options = command
    done = subprocess.run([sys.executable, BENCH / name, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "reply (400 synthetic posts), warm, p50" in done.stdout

"""A thread as deep as it is long, and posts whose parents run in a circle: all commands read them, and memory stays small."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).resolve().parents[1] / "bench" / "deep_thread.py"
MOST = 300  # MB; a list of each post's path would take 1,600 of a thread of 20,000


def test_a_deep_thread_and_a_circle_are_fitted_answered_and_forgotten() -> None:
    """`python bench/deep_thread.py` does the same with 300,000 posts and 100,000."""
    command = [sys.executable, str(BENCH), "--depth", "20000", "--circle", "5000", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=BENCH.parent)
    assert done.returncode == 0, done.stderr
    found = {figure["name"]: figure["value"] for figure in map(json.loads, done.stdout.splitlines())}
    peaks = {name: value for name, value in found.items() if name.startswith("peak memory")}
    assert {name.split()[3] for name in peaks} == {"import", "info", "fit", "reply", "forget"}
    assert all(value < MOST for value in peaks.values()), peaks

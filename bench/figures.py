"""What every benchmark shares: the shape of its output, and where the real archives lie.

A figure is printed as a line for people, or with `--json` as one object a line:
{"name", "value", "unit", "low", "high", "runs", "machine", "commit"}; value is the median, low and high the extremes.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from statistics import median
from time import perf_counter, sleep
from typing import Any, NamedTuple

from rejoinder.ladder.metrics import Estimate

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("REJOINDER_DATA", ROOT.parent / "shared" / "data"))


def arguments(description: str, **options: tuple[type, object, str]) -> argparse.Namespace:
    """The command line: `--json`, and `--name VALUE` for each option (type, default, help)."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    for name, (kind, default, text) in options.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=kind, default=default, help=f"{text} (default: {default})")
    return parser.parse_args()


def rejoinder(*command: str | Path) -> bytes:
    """What a command prints, in a new process; where it fails the benchmark ends, with what it said."""
    done = subprocess.run([sys.executable, "-m", "rejoinder", *map(str, command)], capture_output=True, check=False)
    if done.returncode:
        sys.exit(f"rejoinder {' '.join(map(str, command))}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def real_archive(name: str) -> Path:
    """The file of a real archive; without it the benchmark ends, saying so."""
    file = DATA / name
    if not file.is_file():
        sys.exit(f"{name} is not at hand: set REJOINDER_DATA to the directory that has it")
    return file


def report(name: str, values: Sequence[float], unit: str, *, as_json: bool) -> None:
    """Print one figure."""
    middle, low, high = median(values), min(values), max(values)
    if as_json:
        record = {"name": name, "value": middle, "unit": unit, "low": low, "high": high, "runs": len(values)}
        print(json.dumps({**record, "machine": machine(), "commit": commit()}), flush=True)
    else:
        print(f"{name:<44} {middle:>12,.5g} {unit:<10} ({low:,.5g} to {high:,.5g}, {len(values)} runs)", flush=True)


def report_interval(name: str, found: Estimate, unit: str, *, as_json: bool) -> None:
    """Print one figure with its bootstrapped 95% interval as low and high."""
    if as_json:
        record = {"name": name, "value": found.value, "unit": unit, "low": found.low, "high": found.high, "runs": 1}
        print(json.dumps({**record, "machine": machine(), "commit": commit()}), flush=True)
    else:
        print(f"{name:<60} {found.value:>10,.4f} {unit:<10} (95%: {found.low:,.4f} to {found.high:,.4f})", flush=True)


def machine() -> str:
    """Processor, cores and Python, in one line."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        names = [line.partition(":")[2].strip() for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        model = names[0] if names else model
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}"


def commit() -> str:
    """The commit measured, with + if the work tree differs from it."""
    git = ["git", "-C", str(ROOT)]
    found = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    changed = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True, check=False)
    return found.stdout.strip() + ("+" if changed.stdout.strip() else "") if found.returncode == 0 else "none"


class Cost(NamedTuple):
    """What a command took."""

    processor: float  # seconds, with those it started
    clock: float  # seconds
    peak: float  # MB of memory, at most
    own: float  # MB, at most, of what is no file's, so that the system cannot take it back; looked at now and then


def command_cost(command: list[str], **files: Any) -> Cost:
    """Run a command, whose output goes nowhere but to `files`; it must end well."""
    began = perf_counter()
    process = subprocess.Popen(command, **{"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **files})
    peak = own = 0.0
    while True:
        ended, status, used = os.wait4(process.pid, os.WNOHANG)
        if ended:
            break
        with suppress(OSError, ValueError, LookupError):  # what `getrusage` says begins with what this process has
            lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
            said = dict(line.split(":", 1) for line in lines)
            peak = int(said["VmHWM"].split()[0]) / 1024
            own = max(own, int(said["RssAnon"].split()[0]) / 1024)
        sleep(0.02)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with status {process.returncode}")
    return Cost(used.ru_utime + used.ru_stime, perf_counter() - began, peak, own)

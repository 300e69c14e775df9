"""What a rung costs, and on which machine."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rejoinder.climb.executor import Row
from rejoinder.models import LADDER


def cost_of(row: Row) -> dict[str, Any]:
    """What a rung costs."""
    done = row.fits[row.share][1] if row.fits else {}
    typed, ranked = (row.measured[do][1] if do in row.measured else {} for do in ("type", "rank"))
    return {
        "fit_seconds": 0.0 if row.entry.shipped else done.get("fit_seconds"),
        "cpu_seconds": 0.0 if row.entry.shipped else done.get("cpu_seconds"),
        "peak_bytes": done.get("peak_bytes"),
        "disk_bytes": done.get("disk_bytes") or typed.get("disk_bytes"),
        "load_seconds": typed.get("load_seconds", ranked.get("load_seconds")),
        "keystroke_ms": _percentiles(typed.get("keystroke_ms")),
        "reply_ms": _percentiles(ranked.get("reply_ms")),
        "needs": [LADDER[row.entry.rung].extra] if LADDER[row.entry.rung].extra and not row.entry.shipped else [],
    }


def _percentiles(times: Sequence[float] | None) -> dict[str, float] | None:
    return {f"p{p}": round(float(np.percentile(times, p)), 3) for p in (50, 99)} if times else None


def machine() -> dict[str, Any]:
    """What the figures of cost were taken on."""
    names = [line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 0
    return {
        "cpu": names[0] if names else platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory": pages,
        "python": sys.version.split()[0],
        "system": platform.system(),
    }


def _lines(file: str) -> list[str]:
    try:
        return Path(file).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []

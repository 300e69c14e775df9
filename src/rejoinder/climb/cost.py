"""What a rung costs, and on which machine."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rejoinder.climb.executor import EntryProgress
from rejoinder.home.workspace import Fitted, Workspace
from rejoinder.ladder.formatting import seconds as shown
from rejoinder.ladder.report import MAY_HAVE_READ, Cost, Machine, Percentiles
from rejoinder.models import LADDER


def cost_of(trial: EntryProgress, trials: Mapping[str, EntryProgress]) -> Cost:
    """What a rung costs, given all that it may be made of."""
    if trial.entry.damaged:
        return Cost()
    if trial.entry.reference:
        read = measured.load_seconds if (measured := trial.measured.get("typing")) else None
        return Cost(fit_seconds=read, whole_seconds=read)
    if trial.entry.shipped:
        return _cost_of_shipped(trial)
    done, load = trial.fitted, _latencies(trial)
    whole = sum(fit.fit_seconds for name in _whole(trial, trials) if (fit := trials[name].fitted))
    return Cost(
        fit_seconds=done.fit_seconds if done else None,
        whole_seconds=round(whole, 3) if done else None,
        cpu_seconds=done.cpu_seconds if done else None,
        peak_bytes=done.peak_bytes if done else None,
        disk_bytes=done.disk_bytes if done else None,
        needs=LADDER[trial.entry.rung].extra,
        elsewhere=_given_to([trials[name] for name in _whole(trial, trials) if name in trials]),
        **load,
    )


def _whole(trial: EntryProgress, trials: Mapping[str, EntryProgress]) -> set[str]:
    """The names of a rung and of all that it is made of."""
    return {trial.entry.name}.union(*(_whole(trials[part], trials) for part in trial.entry.parts if part in trials))


def _given_to(trials: Sequence[EntryProgress]) -> str:
    """What the training of weights cost that came with the package, where some rungs of these begin with them."""
    space = Workspace.shipped()
    begun = {one.entry.rung for one in trials if not one.entry.reference and LADDER[one.entry.rung].given}
    found = [fitted for name in sorted(begun) if space and (fitted := space.fitted(name))]
    seconds = sum(float(fitted.manifest["seconds"]) for fitted in found)
    return f"beginning with what was trained elsewhere in {shown(seconds)}" if found else ""


def _trained(given: Fitted) -> str:
    """On what, as far as whoever added it knew, or by whom."""
    found = given.manifest.get("config", {}).get("trained", "")
    return f"on {found}" if found else "by others"


def _cost_of_shipped(trial: EntryProgress) -> Cost:
    """The same of a model of the package: the time to fit is that of where it was made."""
    if trial.entry.home:
        there = Workspace(trial.entry.home).fitted(trial.entry.rung)
        told = f"trained elsewhere, {_trained(there)}{MAY_HAVE_READ}" if there else ""
        needs = LADDER[trial.entry.rung].extra
        return Cost(disk_bytes=there.bytes if there else None, elsewhere=told, needs=needs, **_latencies(trial))
    space = Workspace.shipped()
    names = (trial.entry.rung, *trial.entry.parts)
    found = [fitted for name in names if space and (fitted := space.fitted(name))]
    seconds = [float(fitted.manifest["seconds"]) for fitted in found]
    return Cost(
        fit_seconds=seconds[0] if seconds else None,
        whole_seconds=round(sum(seconds), 3) if seconds else None,
        disk_bytes=sum(fitted.bytes for fitted in found) or None,
        elsewhere=f"fitted elsewhere in {shown(sum(seconds))}" if seconds else "",
        **_latencies(trial),
    )


def _latencies(trial: EntryProgress) -> dict[str, Any]:
    """What was timed while it was measured."""
    typed, ranked = trial.measured.get("typing"), trial.measured.get("replies")
    first = typed or ranked
    return {
        "load_seconds": first.load_seconds if first else None,
        "keystroke_ms": _percentiles(typed.milliseconds) if typed else None,
        "reply_ms": _percentiles(ranked.milliseconds) if ranked else None,
        "thousand": {
            kind: round(sum(one.milliseconds) / one.suggestions, 3)
            for kind, one in trial.measured.items()
            if one.suggestions and one.milliseconds
        },
    }


def _percentiles(times: Sequence[float]) -> Percentiles | None:
    return Percentiles(*(round(float(np.percentile(times, p)), 3) for p in (50, 99))) if times else None


def machine() -> Machine:
    """What the figures of cost were taken on."""
    names = [line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    return Machine(
        cpu=names[0] if names else platform.processor() or platform.machine(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        memory=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 0,
        python=sys.version.split()[0],
        system=platform.system(),
    )


def _lines(file: str) -> list[str]:
    try:
        return Path(file).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []

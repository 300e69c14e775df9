"""How fast, and in how much memory, `rejoinder import` takes in the real archives.

Each run is a new process, as a user would start it: the rate is lines over the whole wall time of the command, the start of
Python included. Peak memory is the largest resident set of the command or of a process it started, whichever is larger.
"""

from __future__ import annotations

import json
import resource
import tempfile
from pathlib import Path
from time import perf_counter

from figures import arguments, real_archive, rejoinder, report


def measure(file: Path, home: Path) -> tuple[dict[str, int], float]:
    """One import: its counts, and seconds."""
    began = perf_counter()
    output = rejoinder("import", file, "--home", home, "--json")
    seconds = perf_counter() - began
    counts: dict[str, int] = json.loads(output)["files"][0]
    total = counts["new"] + counts["updated"] + counts["unchanged"] + counts["skipped"]
    if total != counts["lines"]:
        raise SystemExit(f"the counts do not add up: {counts}")
    return counts, seconds


def main() -> None:
    args = arguments(__doc__ or "", runs=(int, 5, "imports of each kind"))
    for name in ("hn.jsonl.gz", "lists.jsonl.gz"):
        file = real_archive(name)
        first: list[float] = []
        second: list[float] = []
        for _ in range(args.runs if name.startswith("hn") else 1):
            with tempfile.TemporaryDirectory() as home:
                counts, seconds = measure(file, Path(home))
                first.append(counts["lines"] / seconds)
                again, seconds = measure(file, Path(home))
                second.append(again["lines"] / seconds)
                if again["unchanged"] != counts["lines"] - counts["skipped"]:
                    raise SystemExit(f"the second import changed something: {again}")
        report(f"import {name}", first, "items/s", as_json=args.json)
        report(f"import {name} again", second, "items/s", as_json=args.json)
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        report(f"peak memory up to {name}", [peak], "MB", as_json=args.json)


if __name__ == "__main__":
    main()

"""How much memory an import takes at the most, of small files that hold far more: all processes of the command together."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from time import sleep

import duckdb
from figures import arguments, report

WORDS = "word " * 190_000  # one text: 950,000 characters


def memory(process: int) -> int:
    """Bytes that a process and those it started have for themselves."""
    total = 0
    for status in Path("/proc").glob("[0-9]*/smaps_rollup"):
        try:
            parent = int((status.parent / "stat").read_text().rsplit(")", 1)[1].split()[1])
            if process in (int(status.parent.name), parent):
                lines = status.read_text().splitlines()
                total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Private_"))
        except (OSError, ValueError):
            continue
    return total


def peak(file: Path, home: Path) -> float:
    """MB at the most while the file is imported."""
    command = [sys.executable, "-m", "rejoinder", "import", "--as", "hn", str(file), "--home", str(home), "--json"]
    most = 0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as running:
        while running.poll() is None:
            most = max(most, memory(running.pid))
            sleep(0.1)
    if running.returncode:
        raise SystemExit(f"the import of {file.name} ended with {running.returncode}")
    return most / 1e6


def main() -> None:
    args = arguments(__doc__ or "", posts=(int, 3_000, "posts of 950,000 characters in each file"))
    with tempfile.TemporaryDirectory() as directory:
        parquet, lines = Path(directory) / "bomb.parquet", Path(directory) / "bomb.jsonl.gz"
        with duckdb.connect() as db:
            select = f"SELECT i AS id, '{WORDS}' AS text FROM range(1, {args.posts + 1}) t(i)"
            db.execute(f"COPY ({select}) TO '{parquet}' (FORMAT parquet, COMPRESSION zstd)")
        with gzip.open(lines, "wt") as file:
            file.writelines(json.dumps({"id": number, "text": WORDS}) + "\n" for number in range(1, args.posts + 1))
        for bomb in (parquet, lines):
            with tempfile.TemporaryDirectory() as home:
                what = f"peak memory importing {bomb.suffixes[0]}, {bomb.stat().st_size:,} bytes"
                report(what, [peak(bomb, Path(home))], "MB", as_json=args.json)


if __name__ == "__main__":
    main()

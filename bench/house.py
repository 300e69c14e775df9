"""How large the house is: lines of each room, and how long its functions are. `python bench/house.py [--json]`."""

from __future__ import annotations

import argparse
import ast
import json
from collections import Counter
from pathlib import Path

SRC = Path(__file__).resolve().parents[1] / "src" / "rejoinder"


def main() -> None:
    """Print a figure a line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    as_json = parser.parse_args().json
    for name, value in figures().items():
        print(json.dumps({"figure": name, "value": value}) if as_json else f"{name:<32}{value:>8,}")


def figures() -> dict[str, int]:
    """Lines by room, the largest first; and of functions, the median and what 19 of 20 keep below."""
    lines: Counter[str] = Counter()
    lengths: list[int] = []
    for module in SRC.rglob("*.py"):
        source = module.read_text(encoding="utf-8")
        lines[module.relative_to(SRC).parts[0].removesuffix(".py")] += len(source.splitlines())
        functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        lengths += [(node.end_lineno or node.lineno) - node.lineno + 1 for node in functions]
    lengths.sort()
    return {
        **{f"lines of {room}": number for room, number in lines.most_common()},
        "lines of all": lines.total(),
        "functions": len(lengths),
        "lines of a function, median": lengths[len(lengths) // 2],
        "lines of a function, 95%": lengths[int(0.95 * len(lengths))],
    }


if __name__ == "__main__":
    main()

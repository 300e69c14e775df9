"""The map of the modules, made of the first lines of their docstrings; `python docs/_ext/house_map.py` writes it anew."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SRC = ROOT / "src" / "rejoinder"
MAP = ROOT / "docs" / "map.md"
_HEAD = """# The map

Every module, with what it is for; the rooms are in the [README](../README.md#where-things-are).

"""


def write_map() -> str:
    """The page."""
    lines = [_line(module) for module in sorted(SRC.rglob("*.py"), key=_order) if not module.stem.startswith("__")]
    return _HEAD + "\n".join(["```", "src/rejoinder/", *lines, "```"]) + "\n"


def _order(module: Path) -> tuple[int, str]:
    inside = module.relative_to(SRC)
    return len(inside.parts) > 1, inside.as_posix()


def _line(module: Path) -> str:
    said = (ast.get_docstring(ast.parse(module.read_text(encoding="utf-8"))) or "").split("\n")[0]
    return f"  {module.relative_to(SRC).as_posix():36} {said.removesuffix('.')}".rstrip()


if __name__ == "__main__":
    MAP.write_text(write_map(), encoding="utf-8")

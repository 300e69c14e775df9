"""Plain text: lines as they are, but for blanks at their ends and more than one blank line at a time."""

from __future__ import annotations

import re

_GAP = re.compile(r"\n{3,}")


def plain_text(source: str) -> str:
    """`source` without blanks at the ends of lines, and without blank lines around it."""
    lines = "\n".join(line.rstrip() for line in source.split("\n"))
    return _GAP.sub("\n\n", lines).strip("\n")

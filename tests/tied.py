"""A process that ends with the tests, however they end: also where they are killed, and nobody can tidy up."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from typing import Any

UNTIL = '"$@" </dev/null & read -r _; kill -TERM 0'  # what it began is of its group, and ends as well


def tied(command: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
    """Begin it, in a group of its own, which is ended once its input is closed: by `untie`, or by the end of this process."""
    return subprocess.Popen(
        ["sh", "-c", UNTIL, "tied", *command], stdin=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True, **options
    )


def untie(process: subprocess.Popen[bytes], patience: float) -> None:
    """End it, and what it has begun."""
    assert process.stdin
    process.stdin.close()
    process.wait(patience)

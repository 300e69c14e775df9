"""Text that a command is given: a file, or standard input."""

from __future__ import annotations

import sys
from pathlib import Path

from rejoinder.errors import SourceError, UsageError


def read_text(file: Path) -> str:
    """The text of a file.

    Raises:
        SourceError: it cannot be read, or is not UTF-8.
    """
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise SourceError(f"{file} is not UTF-8 text ({error.reason} at byte {error.start})") from None
    except OSError as error:
        raise SourceError(f"{file}: {error.strerror}") from None


def read_stdin() -> str:
    """What is piped in, without the newlines at its end.

    Raises:
        UsageError: it is not UTF-8.
    """
    try:
        return sys.stdin.buffer.read().decode("utf-8").rstrip("\n")
    except UnicodeDecodeError as error:
        raise UsageError(f"standard input is not UTF-8 text ({error.reason} at byte {error.start})") from None

"""The one switch for all help while typing: the page, the browser extension and editors ask it before each answer.

    HOME/off    is there while help is switched off; it is empty

Replies and completions that somebody asks for by a click or a command are given all the same.
"""

from __future__ import annotations

from pathlib import Path

FILE = "off"  # in the home folder


def is_on(home: Path) -> bool:
    """Whether help is given in a home."""
    return not (home / FILE).exists()


def switch(home: Path, on: bool) -> None:
    """Switch help on or off, at every door of a home, from the next keystroke on."""
    if on:
        (home / FILE).unlink(missing_ok=True)
    else:
        home.mkdir(parents=True, exist_ok=True)
        (home / FILE).touch()

"""The chapters of the tour, and where they lie: in the package that was installed, else in the repository it is used from.

A chapter is a Markdown file that executes. Its name begins with its number, its first heading is its title, and the paragraph
below says in a line what it is about.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from rejoinder.config import nearest
from rejoinder.errors import UsageError

_HERE = Path(__file__).resolve().parent
_NAMED = re.compile(r"(\d\d)-([a-z0-9-]+)\.md")
_HEAD = re.compile(r"^# (?P<title>.+)\n+(?P<line>(?:.+\n)+)", re.MULTILINE)
_NEEDS = re.compile(r"""^needs\("(\w+)"\)""", re.MULTILINE)


@dataclass(frozen=True)
class Chapter:
    """One of the chapters."""

    number: int
    name: str  # such as a-memory-cell
    title: str
    line: str  # what it is about
    extra: str  # that it needs beside the base install, "" for none
    file: Path

    @property
    def text(self) -> str:
        """The chapter's Markdown, as it lies in its file."""
        return self.file.read_text(encoding="utf-8")


def chapters() -> list[Chapter]:
    """All of them, in order.

    Raises:
        UsageError: they are neither in the package nor beside it.
    """
    folder = _beside("chapters", "docs/tour")
    found = [_read(file) for file in sorted(folder.glob("*.md")) if _NAMED.fullmatch(file.name)]
    if not found:
        raise UsageError(f"the chapters of the tour are missing: none in {folder}; install rejoinder anew")
    return found


def find(wanted: str) -> Chapter:
    """The chapter of that number, or of that name or the beginning of it.

    Raises:
        UsageError: there is none.
    """
    known = chapters()
    for one in known:
        if wanted.strip().lower() in (str(one.number), f"{one.number:02}", one.name, one.file.stem):
            return one
    begun = [one for one in known if wanted and one.name.startswith(wanted.strip().lower())]
    if len(begun) == 1:
        return begun[0]
    hint = nearest(wanted, [one.name for one in known])
    raise UsageError(f"no chapter `{wanted}`{hint}; chapters: 1 to {len(known)}, `rejoinder tour` lists them")


def letters_folder() -> Path:
    """The folder that holds the package `letters`, which chapter 2 climbs."""
    return _beside("examples", "examples")


def contract_tests() -> Path | None:
    """The contract suite of the rungs; None where there is no repository."""
    file = _repository() / "tests" / "test_contract.py"
    return file if file.is_file() else None


def _repository() -> Path:
    return _HERE.parents[2]


def _beside(inside: str, repository: str) -> Path:
    """A folder of the package, if it was installed with it, else of the repository."""
    packed = _HERE / inside
    return packed if packed.is_dir() else _repository() / repository


def _read(file: Path) -> Chapter:
    text = file.read_text(encoding="utf-8")
    name, head, needs = _NAMED.fullmatch(file.name), _HEAD.search(text), _NEEDS.search(text)
    if name is None or head is None:
        raise UsageError(f"{file} is no chapter: it needs a heading, and a line below it")
    line = " ".join(head["line"].split())
    return Chapter(int(name[1]), name[2], head["title"].strip(), line, needs[1] if needs else "", file)

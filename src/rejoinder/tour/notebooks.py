"""A chapter as a notebook that Jupyter opens. A notebook that the reader has changed is kept."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from rejoinder.errors import UsageError, missing_extra
from rejoinder.files import write_atomically
from rejoinder.tour.chapters import Chapter

State = Literal["new", "same", "kept", "replaced"]
EXTRA = "tour"
_LINK = re.compile(r"\[(?P<text>[^\]\n]+)\]\((?P<target>[^)#\s]+)(?:#[^)\s]*)?\)")
_APPS = ("jupyterlab", "notebook")


def write(chapter: Chapter, folder: Path, *, fresh: bool = False) -> tuple[Path, State]:
    """Write a chapter as FOLDER/NAME.ipynb, and say what became of it.

    "same": it is there, with the same cells, run or not, and stays; "kept": it is there, was changed, and stays, unless `fresh`.

    Raises:
        MissingExtra: jupytext is not installed.
        UsageError: there is something else of that name.
    """
    try:
        import jupytext
    except ImportError as error:
        raise missing_extra("a chapter as a notebook", EXTRA) from error
    notebook = jupytext.reads(chapter.text, fmt="md:myst")
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = _LINK.sub(_without_link, cell.source)
    file = folder / f"{chapter.file.stem}.ipynb"
    state: State = "new"
    if file.exists():
        same = _sources(_read(file)) == _sources(notebook)
        if same or not fresh:
            return file, "same" if same else "kept"
        state = "replaced"
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(file, jupytext.writes(notebook, fmt="ipynb").encode())
    return file, state


def jupyter() -> str | None:
    """The module of the Jupyter that is installed; None if none is."""
    return next((name for name in _APPS if find_spec(name) is not None), None)


def show(file: Path, app: str) -> int:
    """Open a notebook in Jupyter, until the reader ends it; its exit status."""
    return subprocess.run([sys.executable, "-m", app, str(file)], check=False).returncode  # noqa: S603 - the file we wrote


def _read(file: Path) -> Any:
    import jupytext

    try:
        return jupytext.read(file)
    except Exception as error:  # whatever else lies there, of whatever format
        raise UsageError(f"{file} is there, and is no notebook; move it, or write to another folder with --out") from error


def _sources(notebook: Any) -> list[tuple[str, str]]:
    return [(cell.cell_type, cell.source.strip()) for cell in notebook.cells if cell.source.strip()]


def _without_link(found: re.Match[str]) -> str:
    """Links between pages lead nowhere from a notebook: another chapter is a command, a file just its name."""
    text, target = found["text"], found["target"]
    if "://" in target:
        return found[0]
    chapter = re.fullmatch(r"(?:\.\./tour/)?0?(\d+)-[a-z0-9-]+\.md", target)
    return f"{text} (`rejoinder tour {chapter[1]}`)" if chapter else text

"""What a chapter of the tour stands on: the embedded archive, figures said in words, plots in one style, hints.

It is used inside a notebook, where what is said becomes part of the page.
"""

from __future__ import annotations

import importlib
import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from rejoinder.archive.reader import ArchiveCorpus, held_out
from rejoinder.errors import missing_extra
from rejoinder.home.fitting import FitConfig, fit
from rejoinder.home.sample import VOCABULARY, import_sample
from rejoinder.home.voices import voices
from rejoinder.home.workspace import Workspace
from rejoinder.post import Thread

HOME = "REJOINDER_TOUR_HOME"  # where the tour keeps what it fits, else the user's cache
BLUE, ORANGE, GREEN, RED, GREY = "#2563eb", "#d97706", "#15803d", "#c2410c", "#6b7280"
_PACKAGES = {"train": ("tensorflow", "keras", "scipy", "sklearn", "onnx")}
_INK = "#222222"


def home() -> Path:
    """The folder of the tour's own home, which is not the reader's."""
    from platformdirs import user_cache_path

    return Path(os.environ.get(HOME) or user_cache_path("rejoinder", appauthor=False) / "tour")


def sample(*rungs: str) -> Workspace:
    """The embedded archive as a workspace, these rungs fitted in it if they are not yet."""
    space = Workspace(home() / "sample")
    if space.is_empty:
        import_sample(space)
    missing = [name for name in rungs if space.fitted(name) is None]
    if missing:
        for error in fit(space, missing, FitConfig(vocabulary=VOCABULARY), {}).values():
            raise error
    return space


def threads(space: Workspace, part: Literal["train", "dev", "test"]) -> list[Thread]:
    """The threads of a part: train to learn from, dev to choose by, test for measuring only."""
    with space.open_archive() as archive:
        return list(held_out(archive) if part == "test" else ArchiveCorpus(archive, Path()).threads(part))


def who_speaks(space: Workspace) -> str:
    """Put into the page which rung speaks in a home, by the rule that every door goes by, and why; its name."""
    found = voices(space)
    say(f"{found.reason}.")
    return found.best


def needs(extra: str) -> None:
    """Go on only where the packages of an extra are there; else say so in one line, and let the rest of the notebook rest.

    Raises:
        MissingExtra: they are not, and this is no notebook.
    """
    try:
        with _silence():
            for name in _PACKAGES[extra]:
                importlib.import_module(name)
    except ImportError as error:
        hint = missing_extra("this chapter", extra)
        shell = _shell()
        if shell is None:
            raise hint from error
        say(f"{hint}, then restart the kernel.")
        shell.input_transformers_post.append(lambda lines: [])  # no cell after this one does anything


def has(name: str) -> bool:
    """Whether a package can be imported."""
    try:
        with _silence():
            importlib.import_module(name)
    except ImportError:
        return False
    return True


def say(markdown: str) -> None:
    """Put text into the page: a figure of this run, in words."""
    from IPython.display import Markdown, display

    display(Markdown(markdown))  # type: ignore[no-untyped-call]


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Put a table into the page; numbers stand to the right."""
    body = [[_cell(value) for value in row] for row in rows]
    right = [all(_is_number(row[place]) for row in rows) if rows else False for place in range(len(columns))]
    lines = [columns, ["---:" if one else ":---" for one in right], *body]
    say("\n".join("| " + " | ".join(line) + " |" for line in lines))


def shown(text: str) -> str:
    """A piece of text as it can be told from others: a space as ·, a new line as ⏎."""
    return text.replace(" ", "·").replace("\n", "⏎")


def plots() -> Any:
    """Matplotlib's `pyplot`, quiet, in the style of the tour."""
    for name in ("matplotlib", "rejoinder"):  # one says when it looks for fonts, the other when an archive is tiny
        logging.getLogger(name).setLevel(logging.ERROR)
    import matplotlib as mpl
    from cycler import cycler
    from matplotlib import pyplot
    from matplotlib_inline.backend_inline import set_matplotlib_formats

    set_matplotlib_formats("svg")  # type: ignore[no-untyped-call]
    warnings.filterwarnings("ignore", message="Glyph")  # a script that the font lacks is drawn as boxes
    colours = [BLUE, ORANGE, GREEN, RED, GREY]
    mpl.rcParams.update(
        {
            "figure.figsize": (6.0, 3.3),
            "figure.facecolor": "white",
            "figure.constrained_layout.use": True,
            "font.family": ["DejaVu Sans"],
            "font.size": 11,
            "axes.titlesize": 11.5,
            "axes.titlelocation": "left",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.edgecolor": _INK,
            "axes.labelcolor": _INK,
            "axes.prop_cycle": cycler(color=colours),
            "text.color": _INK,
            "xtick.color": _INK,
            "ytick.color": _INK,
            "legend.frameon": False,
            "lines.linewidth": 2,
            "svg.hashsalt": "rejoinder",
        }
    )
    return pyplot


def heat(axes: Any, grid: NDArray[Any], rows: Sequence[str], columns: Sequence[str], *, signed: bool = False) -> Any:
    """Draw (R, C) numbers as colours, from 0 to the largest, or around 0; what `imshow` returns."""
    most = max(float(np.abs(grid).max()), 1e-9) if grid.size else 1.0
    low, colours = (-most, "RdBu_r") if signed else (0.0, "Blues")
    image = axes.imshow(grid, aspect="auto", interpolation="nearest", cmap=colours, vmin=low, vmax=most)
    axes.set_xticks(range(len(columns)), columns, rotation=90)
    axes.set_yticks(range(len(rows)), rows)
    axes.tick_params(length=0)
    for edge in axes.spines.values():
        edge.set_visible(False)
    return image


@contextmanager
def _silence() -> Iterator[None]:
    """What libraries write to the process's own stderr is dropped, such as which cards TensorFlow did not find."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    kept = os.dup(2)
    try:
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _shell() -> Any:
    try:
        from IPython import get_ipython
    except ImportError:
        return None
    return get_ipython()


def _is_number(value: object) -> bool:
    text = str(value).replace(",", "").replace("%", "").replace("×", "").replace("−", "-").strip()
    try:
        float(text)
    except ValueError:
        return False
    return True


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")

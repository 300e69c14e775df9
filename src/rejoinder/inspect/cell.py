"""Looking inside the memory cell: what its gates, its memory and its output do at each token of a text, as numbers and a picture.

A cell has hundreds of places; those whose memory moves most over the text are shown, the liveliest first.

Explained in docs/tour/04-a-memory-cell.md.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from rejoinder.errors import UsageError, missing_extra
from rejoinder.models.lstm.cell import CellStep
from rejoinder.text.tokenizer import AnyTokenizer

GATES = {"i": "input gate", "f": "forget gate", "o": "output gate"}  # 0 to 1
SIGNED = {"g": "candidate", "c": "cell", "h": "output"}  # around 0
NAMES = {**GATES, **SIGNED}
PICTURES = (".png", ".svg")
_DIGITS = 4
MOST_TOKENS = 200  # in a picture
_LONGEST_LABEL = 14  # characters
_TOKEN_WIDTH, _CELL_HEIGHT = 0.34, 0.17  # inches
_SMALLEST = 2.2  # inches of a panel
_INK = "#333333"


@dataclass(frozen=True)
class CellTrace:
    """What happened in one layer over T tokens."""

    tokens: tuple[str, ...]  # T labels
    layer: int
    values: dict[str, NDArray[np.float32]]  # i, f, g, o, c, h: (T, H)

    @classmethod
    def of(cls, steps: Sequence[Sequence[CellStep]], labels: Sequence[str], layer: int) -> Self:
        """One layer of what `sequence` (see `rejoinder.models.lstm.cell`) gave for T tokens; layers count from 0, the lowest.

        Raises:
            UsageError: there is no such layer, or nothing to look at.
        """
        if not steps:
            raise UsageError("nothing to look at: the text is empty")
        if not 0 <= layer < len(steps[0]):
            raise UsageError(f"the cell has {len(steps[0])} layer{'s' * (len(steps[0]) > 1)}, counted from 0; got {layer}")
        values = {name: np.stack([np.asarray(getattr(step[layer], name), np.float32) for step in steps]) for name in NAMES}
        return cls(tuple(labels), layer, values)

    def liveliest(self, k: int) -> NDArray[np.int64]:
        """(at most k,) the places whose memory varies most over the text, the liveliest first; ties by number."""
        return np.argsort(-self.values["c"].var(axis=0), kind="stable")[:k]

    def means(self) -> dict[str, NDArray[np.float32]]:
        """(T,) the mean over all places of each gate, and of |c| and |h|."""
        gates = {name: self.values[name].mean(axis=1) for name in GATES}
        return {**gates, **{f"|{name}|": np.abs(self.values[name]).mean(axis=1) for name in ("c", "h")}}

    def as_json(self, cells: Sequence[int]) -> dict[str, Any]:
        """All of it as plain values: `values` of these cells, `means` of all, a number for each token."""
        values = {name: _rounded(grid[:, list(cells)]) for name, grid in self.values.items()}
        means = {name: _rounded(row) for name, row in self.means().items()}
        return {"tokens": self.tokens, "layer": self.layer, "cells": list(cells), "values": values, "means": means}

    def moved(self, token: int, k: int) -> list[tuple[int, float]]:
        """The `k` places whose memory that token changed most, with by how much."""
        c = self.values["c"]
        change = c[token] - (c[token - 1] if token else 0)
        return [(int(place), float(change[place])) for place in np.argsort(-np.abs(change), kind="stable")[:k]]


def _rounded(array: NDArray[np.float32]) -> Any:
    return np.round(array.astype(np.float64), _DIGITS).tolist()


def labels_of(tokenizer: AnyTokenizer, tokens: Sequence[int]) -> list[str]:
    """What stands beside each token: its text, a space as ·, a separator by its name."""
    names = {tokenizer.post: "‹post›", tokenizer.reply: "‹reply›", tokenizer.end: "‹end›"}
    return [names.get(token) or _label(tokenizer.bytes[token]) for token in tokens]


def _label(piece: bytes) -> str:
    shown = piece.decode("utf-8", "replace").replace(" ", "·").replace("\n", "⏎").replace("\t", "⇥")
    shown = "".join(character if character.isprintable() else "\ufffd" for character in shown)
    return shown if len(shown) <= _LONGEST_LABEL else shown[: _LONGEST_LABEL - 1] + "…"


def draw(seen: CellTrace, cells: Sequence[int], file: Path) -> None:
    """Write a picture (PNG or SVG, by the name of `file`) of six heat maps: a row for each of `cells`, a column a token.

    Raises:
        MissingExtra: matplotlib is not installed.
        UsageError: the name ends in something else, or there are too many tokens for a picture.
    """
    if len(seen.tokens) > MOST_TOKENS:
        raise UsageError(f"a picture has room for {MOST_TOKENS} tokens; got {len(seen.tokens)}; --json has no limit")
    if file.suffix.lower() not in PICTURES:
        raise UsageError(f"a picture is a file {' or '.join(PICTURES)}; got {file}")
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError as error:
        raise missing_extra("drawing the cell", "train") from error

    width = max(_TOKEN_WIDTH * len(seen.tokens), _SMALLEST)
    height = max(_CELL_HEIGHT * len(cells), _SMALLEST / 2)
    style: Any = {"svg.fonttype": "none", "svg.hashsalt": "rejoinder", "font.family": ["DejaVu Sans"], "text.parse_math": False}
    with rc_context(style), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # a script that the font lacks is drawn as boxes
        figure = Figure(figsize=(2 * width + 2.6, 3 * height + 3.2), layout="constrained", facecolor="white")
        figure.suptitle(_title(seen, len(cells)), fontsize=11, color=_INK)
        panels = figure.subplots(3, 2, sharex=True, sharey=True, squeeze=False)
        for axes, name in zip(panels.flat, "igfcoh", strict=True):
            _panel(figure, axes, seen, cells, name)
        figure.savefig(file, dpi=150, metadata={"Date": None} if file.suffix.lower() == ".svg" else None)


def _title(seen: CellTrace, shown: int) -> str:
    hidden = seen.values["c"].shape[1]
    which = f"the {shown} liveliest of {hidden} cells" if shown < hidden else f"all {hidden} cells"
    return f"Layer {seen.layer}: {which}, token by token"


def _panel(figure: Any, axes: Any, seen: CellTrace, cells: Sequence[int], name: str) -> None:
    """One heat map: `cells` from top to bottom, tokens from left to right."""
    grid = seen.values[name][:, list(cells)].T  # (k, T)
    if name in GATES:
        colours, low, high = "YlGnBu", 0.0, 1.0
    else:
        high = 1.0 if name in "gh" else max(float(np.abs(grid).max()), 1e-6)
        colours, low = "RdBu_r", -high
    image = axes.imshow(grid, aspect="auto", interpolation="nearest", cmap=colours, vmin=low, vmax=high)
    axes.set_title(f"{name}   {NAMES[name]}", fontsize=9, loc="left", color=_INK)
    axes.set_xticks(range(len(seen.tokens)), seen.tokens, rotation=90, fontsize=8)
    axes.set_yticks(range(len(cells)), [str(cell) for cell in cells], fontsize=7)
    axes.tick_params(length=0, colors=_INK)
    axes.set_xticks(np.arange(len(seen.tokens) - 1) + 0.5, minor=True)
    axes.grid(which="minor", axis="x", color="white", linewidth=0.6)
    axes.tick_params(which="minor", length=0)
    for edge in axes.spines.values():
        edge.set_visible(False)
    bar = figure.colorbar(image, ax=axes, pad=0.015, aspect=18, ticks=[low, (low + high) / 2, high], format="%.2g")
    bar.ax.tick_params(labelsize=6, length=0, colors=_INK)
    bar.outline.set_visible(False)

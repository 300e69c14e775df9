"""Pictures of what a rung gets wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from letters.idx import LETTERS, SIDE, Letters
from letters.rungs import Floats

_COLUMNS = 12
_SCALE = 2  # screen pixels a pixel
_CAPTION = 16  # screen pixels
_GAP = 6


def draw_errors(test: Letters, probs: Floats, file: Path, most: int = 60) -> int:
    """Write a sheet of the images that a rung gets wrong, those it is surest of first; under each: true letter > what it says.

    Args:
        test: what was asked.
        probs: (N, 10), the answers.
        file: .png.
        most: images on the sheet.

    Returns:
        How many it gets wrong, on the sheet or not.
    """
    from PIL import Image, ImageDraw

    wrong = surest_errors(test, probs)
    shown = wrong[:most]
    cell, tall = SIDE * _SCALE + _GAP, SIDE * _SCALE + _CAPTION + _GAP
    sheet = Image.new("L", (_COLUMNS * cell + _GAP, max(1, -(-len(shown) // _COLUMNS)) * tall + _GAP), 255)
    pen = ImageDraw.Draw(sheet)
    for number, place in enumerate(shown):
        left, top = number % _COLUMNS * cell + _GAP, number // _COLUMNS * tall + _GAP
        image = Image.fromarray(test.images[place]).resize((SIDE * _SCALE, SIDE * _SCALE), Image.Resampling.NEAREST)
        sheet.paste(image, (left, top))
        said = f"{LETTERS[test.labels[place]]} > {LETTERS[probs[place].argmax()]}"
        pen.text((left + SIDE, top + SIDE * _SCALE + 2), said, fill=0, anchor="ma")
    sheet.save(file)
    return len(wrong)


def surest_errors(test: Letters, probs: Floats) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """(E,) int64: places of the images a rung gets wrong, by the probability it gives to its answer, the highest first."""
    wrong = np.flatnonzero(probs.argmax(axis=1) != test.labels)
    return wrong[np.argsort(-probs[wrong].max(axis=1), kind="stable")]

"""A map of words: near each other on paper where their vectors point the same way.

D numbers do not fit on a page. t-SNE (van der Maaten & Hinton 2008) keeps near words near and lets go of how far apart the others
are, so clusters mean something, and the distance between two clusters little. Groups are found in all D numbers, not on the page.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rejoinder.errors import UsageError, missing_extra
from rejoinder.text.vectors import WordVectors

Floats = NDArray[np.float32]
PICTURES = (".png", ".svg")
MOST_WORDS = 400  # on a page
_FREQUENT = 400  # words that stand in every text, at most: they are like nothing in particular
_POOL = 2000  # words after them that are looked at
_COMPANY = 4  # neighbours by which a word is judged to have close ones
_SHORTEST = 3  # letters
_PERPLEXITY = 12.0  # neighbours that t-SNE heeds, about
_SEED = 7  # the same words, the same map
_COLOURS = ("#1f5fa8", "#c2410c", "#15803d", "#9d174d", "#6d28d9", "#0f766e", "#a16207", "#475569", "#b91c1c", "#4d7c0f")
_INK = "#1f2937"
_MARGIN, _HEAD = 30.0, 54.0  # points around the map, and above it
_ROOM = 4.0  # area of the page to that of the words, at first
_SHAPE = 0.7  # height of the page to its width
_NARROWEST = 480.0  # points: room for the title
_HALO = 17.0  # points around a word that are tinted with the colour of its group
_TINT = 0.09  # of that colour, the rest is white
_GAP = 3.0  # points between two words
_STEPS = 400  # of pushing words apart, before the page grows
_GOLDEN = 2.39996  # radians, the golden angle
_GROWTH = 1.15  # in width and in height


@dataclass(frozen=True)
class WordMap:
    """N words on a page."""

    words: tuple[str, ...]
    places: Floats  # (N, 2) float32, x and y, each from 0 to 1
    groups: tuple[int, ...]  # N, from 0
    asked: frozenset[str] = frozenset()  # words that the map was asked for


def choose(vectors: WordVectors, asked: Sequence[str], top: int) -> tuple[list[str], list[int]]:
    """Which words to draw, `top` at most, and the group of each.

    Those asked for, and the nearest of each in turn, in a group an asked word; if none are, frequent words with near neighbours.

    Raises:
        UsageError: a word has no vector, or there are too few or too many words.
    """
    if top > MOST_WORDS or len(asked) > MOST_WORDS:
        raise UsageError(f"a map has room for {MOST_WORDS} words; got {max(top, len(asked))}")
    if not asked:
        return _with_company(vectors, top)
    words = list(dict.fromkeys(asked))
    groups = list(range(len(words)))
    around = [iter(vectors.neighbours(word, top)) for word in words]  # unknown words end here
    waiting = list(range(len(around)))
    while waiting and len(words) < top:
        group = waiting.pop(0)
        found = next((word for word, _ in around[group] if word not in words), None)
        if found is not None:
            words.append(found)
            groups.append(group)
            waiting.append(group)
    return words, groups


def _with_company(vectors: WordVectors, top: int) -> tuple[list[str], list[int]]:
    """Of the frequent words, but for the most frequent, those whose nearest are nearest; a group is a cluster of them."""
    skipped = min(_FREQUENT, len(vectors.words) // 50)
    pool = [word for word in vectors.words[skipped : skipped + _POOL] if word.isalpha() and len(word) >= _SHORTEST]
    unit = _unit(vectors.of(pool))
    pool, unit = [word for word, row in zip(pool, unit, strict=True) if row.any()], unit[unit.any(axis=1)]
    if len(pool) < 2 or top < 2:
        raise UsageError(f"a map needs at least 2 words with vectors; there are {min(len(pool), max(top, 0))}")
    cosines = unit @ unit.T
    np.fill_diagonal(cosines, -1)
    company = np.sort(cosines, axis=1)[:, -_COMPANY:].mean(axis=1)
    chosen = np.sort(np.argsort(-company, kind="stable")[:top])
    return [pool[at] for at in chosen], _clusters(unit[chosen])


def _clusters(unit: Floats) -> list[int]:
    """A group for each of (N, D) vectors of length 1, by k-means; the largest is 0."""
    count = min(len(_COLOURS), max(len(unit) // 8, 1))
    means = _sklearn("cluster").KMeans(count, n_init=10, random_state=_SEED)
    with _one_core():
        found = means.fit_predict(unit)
    order = np.argsort(-np.bincount(found, minlength=count), kind="stable")
    return np.argsort(order)[found].tolist()  # type: ignore[no-any-return]


def lay_out(vectors: WordVectors, words: Sequence[str], groups: Sequence[int], asked: Sequence[str] = ()) -> WordMap:
    """Places for `words`: by t-SNE over cosines, or by principal components where there are fewer than five.

    Raises:
        MissingExtra: scikit-learn is not installed.
        UsageError: there are fewer than two words.
    """
    if len(words) < 2:
        raise UsageError(f"a map needs at least 2 words; got {len(words)}")
    unit = _unit(vectors.of(words))
    if len(words) < 5:
        found = _principal(unit)
    else:
        perplexity = min(_PERPLEXITY, (len(words) - 1) / 3)
        start = _principal(unit)
        start *= 1e-4 / max(float(start[:, 0].std()), 1e-12)  # small, as t-SNE wants it
        tsne = _sklearn("manifold").TSNE(perplexity=perplexity, metric="cosine", init=start, random_state=_SEED)
        with _one_core():
            found = tsne.fit_transform(unit)
    return WordMap(tuple(words), _filled(found), tuple(groups), frozenset(asked))


def _filled(found: NDArray[Any]) -> Floats:
    """(N, 2) float32 from 0 to 1: half where a word lies on each axis, half its rank there, so that the page has no deserts."""
    low, high = found.min(axis=0), found.max(axis=0)
    lies = np.divide(found - low, high - low, out=np.full_like(found, 0.5), where=high > low)
    rank = np.argsort(np.argsort(found, axis=0, kind="stable"), axis=0, kind="stable") / max(len(found) - 1, 1)
    return np.asarray((lies + rank) / 2, np.float32)


def _principal(unit: Floats) -> Floats:
    """(N, 2) float32: the first two principal components."""
    left, values, _ = np.linalg.svd(unit - unit.mean(axis=0), full_matrices=False)
    return np.asarray(np.pad(left * values, ((0, 0), (0, 2)))[:, :2], np.float32)


def _unit(vectors: Floats) -> Floats:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 0, lengths, 1), np.float32)


def _sklearn(module: str) -> Any:
    try:
        return importlib.import_module(f"sklearn.{module}")
    except ImportError as error:
        raise missing_extra("drawing a map", "train") from error


def _one_core() -> Any:
    """A context in which one core computes: words are few, and cores that wait for each other take minutes on a busy machine."""
    return importlib.import_module("threadpoolctl").threadpool_limits(1)  # scikit-learn brings it


def check_picture(file: Path) -> None:
    """Whether `draw` can write it.

    Raises:
        UsageError: its name ends in something else than a picture's.
    """
    if file.suffix.lower() not in PICTURES:
        raise UsageError(f"a picture is a file {' or '.join(PICTURES)}; got {file}")


def draw(shown: WordMap, title: str, file: Path) -> None:
    """Write a picture (PNG or SVG, by the name of `file`): each word in the colour of its group, none over another.

    Raises:
        MissingExtra: matplotlib is not installed.
        UsageError: the name ends in something else.
    """
    check_picture(file)
    try:
        from matplotlib import rc_context
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.colors import to_rgb
        from matplotlib.figure import Figure
        from matplotlib.patches import FancyBboxPatch
    except ImportError as error:
        raise missing_extra("drawing a map", "train") from error

    style: Any = {"svg.fonttype": "none", "svg.hashsalt": "rejoinder", "font.family": ["DejaVu Sans"], "text.parse_math": False}
    with rc_context(style), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # a script that the font lacks is drawn as boxes
        figure = Figure(dpi=72, facecolor="white")  # a pixel is a point while words are measured
        canvas: Any = FigureCanvasAgg(figure)
        texts = [_text(figure, shown, at) for at in range(len(shown.words))]
        boxes = np.array([(box.width, box.height) for box in (text.get_window_extent(canvas.get_renderer()) for text in texts)])
        page, centres = _spread(shown.places, boxes)
        width, height = page[0] + 2 * _MARGIN, page[1] + _MARGIN + _HEAD
        figure.set_size_inches(width / 72, height / 72)
        axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(0, height))
        axes.axis("off")
        middles = centres + _MARGIN
        for (x, y), (w, h), group in zip(middles, boxes, shown.groups, strict=True):
            tint = [1 - _TINT * (1 - part) for part in to_rgb(_colour(group))]  # opaque: a group is one island
            axes.add_patch(FancyBboxPatch((x - w / 2, y - h / 2), w, h, f"round,pad={_HALO}", color=tint, lw=0, zorder=0))
        for text, (x, y) in zip(texts, middles / (width, height), strict=True):
            text.set_position((x, y))
        figure.text(_MARGIN / width, 1 - _MARGIN / 2 / height, title, fontsize=11, color=_INK, va="top")
        figure.savefig(file, dpi=160, metadata={"Date": None} if file.suffix.lower() == ".svg" else None)


def _text(figure: Any, shown: WordMap, at: int) -> Any:
    """The word at this place of the map, in the middle of wherever it is put; one that was asked for stands out."""
    word, colour = shown.words[at], _colour(shown.groups[at])
    stands_out = word in shown.asked
    return figure.text(
        0.5, 0.5, word, ha="center", va="center", color=colour, fontsize=13 if stands_out else 9.5,
        fontweight="bold" if stands_out else "normal", zorder=2,
    )  # fmt: skip


def _colour(group: int) -> str:
    return _COLOURS[group % len(_COLOURS)]


def _spread(places: Floats, boxes: NDArray[np.float64]) -> tuple[tuple[float, float], NDArray[np.float64]]:
    """The width and height of the page in points, and (N, 2) the middle of each word, so that no two boxes meet."""
    width = max(float(np.sqrt(_ROOM * (boxes + _GAP).prod(axis=1).sum() / _SHAPE)), _NARROWEST, float(boxes[:, 0].max()) + _GAP)
    page = np.array([width, width * _SHAPE])
    turns = np.arange(len(places)) * _GOLDEN
    spiral = np.sqrt(np.arange(len(places)))[:, None] * np.stack([np.cos(turns), np.sin(turns)], axis=1) / 2
    start = places * (page - boxes) + boxes / 2 + spiral  # those in one place part in all directions
    centres, free = _apart(np.clip(start, boxes / 2, page - boxes / 2), boxes + _GAP, page)
    while not free:  # a larger page, and on from where they are
        page = page * _GROWTH
        centres, free = _apart(centres * _GROWTH, boxes + _GAP, page)
    return (float(page[0]), float(page[1])), centres


def _apart(
    centres: NDArray[np.float64], boxes: NDArray[np.float64], page: NDArray[np.float64]
) -> tuple[NDArray[np.float64], bool]:
    """Push boxes that meet apart, along the axis on which they meet least; (N, 2) their middles, and whether none meet now."""
    half = (boxes[:, None] + boxes) / 2  # (N, N, 2) how far apart two middles must be, on one axis or the other
    centres = centres.copy()
    others = ~np.eye(len(centres), dtype=bool)
    order = np.sign(np.arange(len(centres))[:, None] - np.arange(len(centres)))
    for _ in range(_STEPS):
        between = centres[:, None] - centres
        lacking = half - np.abs(between)
        meet = (lacking > 0).all(axis=2) & others
        if not meet.any():
            return centres, True
        axis = np.argmin(lacking, axis=2)
        for along in (0, 1):
            away = np.where(between[..., along] == 0, order, np.sign(between[..., along]))  # two in one place part, too
            push = np.where(meet & (axis == along), lacking[..., along] * away, 0)
            centres[:, along] += 0.3 * push.sum(axis=1) + 0.05 * np.sign(push.sum(axis=1))
        centres = np.clip(centres, boxes / 2, page - boxes / 2)
    return centres, False

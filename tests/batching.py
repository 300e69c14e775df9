"""Batches, as tests compare them: many as if they had been one."""

from __future__ import annotations

from collections.abc import Iterable

from rejoinder.archive.batches import ItemBatch, Lost


def together(some: Iterable[ItemBatch]) -> ItemBatch:
    """All batches as one."""
    found = list(some)
    lost = Lost(*map(sum, zip(*(one.lost for one in found), strict=True))) if found else Lost()
    return ItemBatch(*([each for one in found for each in one[place]] for place in range(3)), lost)  # type: ignore[arg-type]

"""Many at a time: what is worked on in arrays is taken from a stream in batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def batches(stream: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of `size`, the last one shorter; none for an empty stream."""
    items = iter(stream)
    while some := list(islice(items, size)):
        yield some

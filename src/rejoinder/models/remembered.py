"""What was worked out of texts, kept: the same candidates come again and again while a fusion is fitted or a ladder measured."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")

MOST = 4_096  # texts; there are seldom more candidates in what is fitted on


class Remembered(Generic[T]):
    """A function of texts, each by itself, that works out the same text once. May be asked from several threads."""

    def __init__(self, make: Callable[[Sequence[str]], Iterable[T]], most: int = MOST) -> None:
        """`make` gives one for each of several texts; of at most so many it is kept."""
        self._make, self._most = make, most
        self._kept: dict[str, T] = {}

    def of(self, texts: Sequence[str]) -> list[T]:
        """One for each text."""
        found = {text: one for text in texts if (one := self._kept.get(text)) is not None}
        new = [text for text in dict.fromkeys(texts) if text not in found]
        if new:
            fresh = dict(zip(new, self._make(new), strict=True))
            if len(self._kept) + len(fresh) > self._most:
                self._kept = {}
            self._kept.update(fresh)
            found |= fresh
        return [found[text] for text in texts]

"""Diversity: of many good replies a few that differ.

    next = argmax over what is left of  l p(r) - (1 - l) max over those chosen of likeness(r, s)

Maximal marginal relevance (Carbonell & Goldstein 1998): p how good a reply is, in [0, 1], likeness the share of words that two
have in common (Jaccard 1901), l how much being good counts against being new.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from rejoinder.text.words import words


def diverse(texts: Sequence[str], values: Sequence[float], k: int, trade: float) -> list[int]:
    """The places of `k` texts at most, in the order chosen; the first is the best, ties go to the earlier.

    Args:
        texts: C candidates.
        values: how good each is, in [0, 1].
        k: how many.
        trade: l, in [0, 1]; 1: only being good counts.
    """
    said = [frozenset(words(text)) for text in texts]
    nearest = [0.0] * len(texts)  # likeness to the most like of those chosen
    left = list(range(len(texts)))
    chosen: list[int] = []
    while left and len(chosen) < k:
        best = max(left, key=lambda place: (trade * values[place] - (1 - trade) * nearest[place], -place))
        chosen.append(best)
        left.remove(best)
        for place in left:
            nearest[place] = max(nearest[place], likeness(said[place], said[best]))
    return chosen


def apart(people: Sequence[Hashable | None]) -> list[int]:
    """The places of what people wrote, in their order but so that nobody (None: not known who) has two in a row.

    Where that cannot be, the later ones are left out.
    """
    left, order = list(range(len(people))), list[int]()
    last: Hashable | None = None
    while (found := next((place for place in left if people[place] is None or people[place] != last), None)) is not None:
        left.remove(found)
        order.append(found)
        last = people[found]
    return order


def likeness(one: frozenset[str], other: frozenset[str]) -> float:
    """The share of their words that two texts have in common; 0 for texts without words."""
    together = len(one | other)
    return len(one & other) / together if together else 0.0

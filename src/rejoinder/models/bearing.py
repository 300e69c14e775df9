"""How proposed replies bear on what is asked, by what words and whole replies mean.

    asked      the root of the summed r^2 of what is asked, about how many rare words: little can be meant in many ways
    taken_up   the root of the share of that which the reply says as well, in the same words or in near ones
    company    how alike the reply is to the best that were found, on average: replies that agree are about one thing

r is a word's idf as a share of that of a word which nobody said. Of what is asked the rarest words are looked at, and one rare
word more is thought to be asked, so that one is no whole question. A word is as near to another as their cosine lies above a
floor, as a share of what there is above it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rejoinder.models.interfaces import Meanings
from rejoinder.models.judge import Likeness
from rejoinder.text.words import words

_RAREST = 32  # words of what is asked
_MORE_ASKED = 1.2  # r^2
_FLOOR = 0.35  # a cosine that unrelated words have
_USUAL = 0.52  # the company of a reply where nobody knows what replies mean

Floats = NDArray[np.float64]


def bearings(post: str, replies: Sequence[str], best: Sequence[int], known: Likeness, meanings: Meanings | None) -> Floats:
    """(C, 3) float64: the three of each of `replies` to `post`; `best` are the places of those that were found first."""
    rarity = known.rarity(words(post))
    asked = sorted(rarity, key=lambda word: -rarity[word])[:_RAREST]
    weights = np.array([rarity[word] ** 2 for word in asked])
    said = [{*words(reply)} for reply in replies]
    places = {word: place for place, word in enumerate(dict.fromkeys(word for some in said for word in some))}
    near = _nearness(asked, [*places], meanings)
    for row, word in enumerate(asked):
        if word in places:
            near[row, places[word]] = 1.0
    found = [near[:, [places[word] for word in some]].max(axis=1, initial=0.0) for some in said]
    taken_up = np.sqrt(np.array(found).reshape(len(said), len(asked)) @ weights / (weights.sum() + _MORE_ASKED))
    return np.stack([np.full(len(said), np.sqrt(weights.sum())), taken_up, _company(replies, best, meanings)], axis=1)


def _nearness(asked: Sequence[str], others: Sequence[str], meanings: Meanings | None) -> Floats:
    """(A, N) float64 in [0, 1], of each two words."""
    if meanings is None or not asked or not others:
        return np.zeros((len(asked), len(others)))
    vectors = meanings.word_vectors([*asked, *others]).astype(np.float64)
    return np.asarray(np.clip((vectors[: len(asked)] @ vectors[len(asked) :].T - _FLOOR) / (1 - _FLOOR), 0, 1))


def _company(replies: Sequence[str], best: Sequence[int], meanings: Meanings | None) -> Floats:
    """(C,) float64: the mean cosine of each with the `best`, but for the one it is most like, which may be itself."""
    if meanings is None or len(best) < 2:
        return np.full(len(replies), _USUAL)
    vectors = meanings.reply_vectors(replies).astype(np.float64)
    return np.asarray(np.sort(vectors @ vectors[[*best]].T, axis=1)[:, :-1].mean(axis=1))

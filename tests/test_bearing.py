"""How replies bear on what is asked: by hand."""

from __future__ import annotations

from collections.abc import Sequence
from math import log, sqrt
from typing import Any, ClassVar
from zlib import crc32

import numpy as np
import pytest

from rejoinder.models.bearing import bearings
from rejoinder.models.judge import Likeness


def known(unseen: float, **idf: float) -> Likeness:
    """Words with their idf."""
    codes = sorted((crc32(word.encode()), value) for word, value in idf.items())
    return Likeness(np.array([code for code, _ in codes], np.uint32), np.array([*(v for _, v in codes), unseen], np.float32))


class Knows:
    """Words as vectors on a circle; a reply means what its first word does."""

    turns: ClassVar = {"car": 0.0, "lorry": 60.0, "bread": 180.0, "dough": 170.0}

    def word_vectors(self, words: Sequence[str]) -> Any:
        angles = np.radians([self.turns.get(word, 0.0) for word in words])
        seen = np.array([word in self.turns for word in words])
        return (np.stack([np.cos(angles), np.sin(angles)], axis=1) * seen[:, None]).astype(np.float32)

    def reply_vectors(self, replies: Sequence[str]) -> Any:
        return self.word_vectors([reply.split()[0] for reply in replies])


IDF = known(10.0, car=10.0, engine=5.0, lorry=8.0, bread=8.0, the=0.0)


def test_what_a_reply_takes_up_in_the_same_words_or_in_near_ones() -> None:
    # asked: 1 + 1/4, and 1.2 more. The car is said again: 1; a lorry is cos 60° = 0.5 near: (0.5 - 0.35) / 0.65
    replies = ["the car", "the lorry", "bread", "the engine of the car", "?"]
    found = bearings("The car engine, the car", replies, [], IDF, Knows())
    assert found[:, 0] == pytest.approx([sqrt(1.25)] * 5)
    near = 0.15 / 0.65
    assert found[:, 1] == pytest.approx([sqrt(1 / 2.45), sqrt(near / 2.45), 0, sqrt(1.25 / 2.45), 0], abs=1e-6)
    same_words_alone = bearings("The car engine, the car", replies, [], IDF, None)
    assert same_words_alone[:, 1] == pytest.approx([sqrt(1 / 2.45), 0, 0, sqrt(1.25 / 2.45), 0], abs=1e-6)


def test_of_what_is_asked_the_32_rarest_words_count() -> None:
    many = " ".join(f"word{n}" for n in range(40))
    assert bearings(many, ["x"], [], known(2.0), None)[0, 0] == pytest.approx(sqrt(32))


def test_replies_that_agree_are_about_one_thing() -> None:
    # the best are car, car and bread; of each the one it is most like is left out
    replies = ["car a", "car b", "bread", "lorry"]
    found = bearings("car", replies, [0, 1, 2], IDF, Knows())[:, 2]
    assert found == pytest.approx([(1 - 1) / 2, (1 - 1) / 2, (-1 - 1) / 2, (0.5 - 0.5) / 2], abs=1e-6)
    usual = bearings("car", replies, [0], IDF, Knows())[:, 2]  # one has no company
    assert usual == pytest.approx(bearings("car", replies, [0, 1], IDF, None)[:, 2]) and len({*usual.tolist()}) == 1


def test_nothing_asked_and_nothing_found() -> None:
    assert bearings("", ["car"], [], IDF, Knows())[0, :2].tolist() == [0, 0]
    assert bearings("car", [], [], IDF, Knows()).shape == (0, 3)


def test_how_rare_words_are() -> None:
    assert known(log(5), fuel=log(4)).rarity(["fuel", "new", "fuel"]) == pytest.approx({"fuel": log(4) / log(5), "new": 1})

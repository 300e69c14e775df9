"""What the cell recalls: by hand, against a slow oracle, and what it never looks at."""

from __future__ import annotations

from math import exp, log
from typing import Any

import numpy as np
import pytest

from rejoinder.models.lstm.recall import Past, score

ALL = 10_000


def past_of(outputs: Any, tokens: list[int], reach: int = ALL) -> Past:
    past = Past(len(outputs[0]))
    for output, token in zip(outputs, tokens, strict=True):
        past = past.after(np.array([output], np.float32), np.array([token]), reach)
    return past


def test_recall_by_hand() -> None:
    # at (1, 0) came 5, at (0, 1) came 6, at (1, 1) came 5. Now the output is (1, 0), and a = 2:
    # likeness 2, 0, 2; e^2 + 1 + e^2 in all, of which 5 has two e^2
    recalled = past_of([(1, 0), (0, 1), (1, 1)], [5, 6, 5]).recall(np.array([1, 0], np.float32), 2.0, ALL)
    total = 2 * exp(2) + 1
    assert recalled.tokens.tolist() == [5, 6, 5]
    assert recalled.shares.tolist() == pytest.approx([exp(2) / total, 1 / total, exp(2) / total])
    assert recalled.certainty == pytest.approx(log(total))


def test_a_text_at_once_by_hand() -> None:
    # before the text, 5 came at (1, 0). The text is 6 at (1, 0), then 5 at (1, 0), a = 1.
    # 6: only 5 is recalled, certainty ln e = 1. 5: places 5 and 6, both e, so a half; certainty ln 2e
    past = past_of([(1, 0)], [5])
    outputs = np.array([(1, 0), (1, 0)], np.float32)
    nats, certainty = score(past, outputs, np.array([6, 5]), np.ones(2, dtype=bool), (1.0, ALL))
    assert nats.tolist() == [-np.inf, pytest.approx(log(0.5))]
    assert certainty.tolist() == pytest.approx([1, log(2 * exp(1))])


@pytest.mark.parametrize("reach", [1, 7, 100, ALL])
def test_a_text_at_once_is_its_tokens_one_by_one(reach: int) -> None:
    """Over blocks and windows, with places that are not to be recalled and a reach that cuts."""
    rng = np.random.default_rng(1)
    outputs, tokens = rng.normal(size=(700, 4)).astype(np.float32), rng.integers(0, 9, 700)
    able, before = tokens != 3, 150
    past = past_of(outputs[:before][able[:before]], tokens[:before][able[:before]].tolist(), reach)
    nats, certainty = score(past, outputs[before:], tokens[before:], able[before:], (0.7, reach))
    for place in range(before, 700):
        seen = np.flatnonzero(able[:place])[-reach:]  # the slow way: every place before this one, from the beginning
        weights = np.exp(0.7 * outputs[seen].astype(float) @ outputs[place])
        share = weights[tokens[seen] == tokens[place]].sum() / weights.sum()
        assert exp(nats[place - before]) == pytest.approx(share, abs=1e-5)
        assert certainty[place - before] == pytest.approx(log(weights.sum()), abs=1e-4)
        recalled = past.recall(outputs[place], 0.7, reach)
        assert recalled.tokens.tolist() == tokens[seen].tolist()
        assert recalled.certainty == pytest.approx(log(weights.sum()), abs=1e-4)
        if able[place]:
            past = past.after(outputs[place : place + 1], tokens[place : place + 1], reach)


def test_a_past_is_a_value() -> None:
    past = past_of([(1, 0)] * 63, list(range(63)))
    one = past.after(np.ones((1, 2), np.float32), np.array([99]), ALL)
    other = past.after(np.zeros((1, 2), np.float32), np.array([98]), ALL)
    assert len(past) == 63 and len(one) == len(other) == 64
    assert one.recall(np.ones(2, np.float32), 1.0, ALL).tokens[-1] == 99
    assert other.recall(np.ones(2, np.float32), 1.0, ALL).tokens[-1] == 98


def test_texts_that_begin_alike_have_their_beginning_once() -> None:
    past = past_of([(1, 0)] * 200, list(range(200)))
    one, other = (past.after(np.ones((1, 2), np.float32), np.array([token]), ALL) for token in (98, 99))
    assert len(one.blocks) == 3
    assert all(mine is its for mine, its in zip(one.blocks, other.blocks, strict=True))
    assert one.newest and other.newest and one.newest.before is other.newest.before is past.newest
    assert len(past_of([(1, 0)] * 500, list(range(500)), reach=100)) <= 100 + 2 * 64  # what is out of reach goes


def test_an_empty_past_recalls_nothing() -> None:
    recalled = Past(2).recall(np.ones(2, np.float32), 1.0, ALL)
    assert not len(recalled.tokens) and recalled.certainty == -np.inf
    nats, certainty = score(Past(2), np.ones((1, 2), np.float32), np.array([4]), np.ones(1, dtype=bool), (1.0, ALL))
    assert nats.tolist() == certainty.tolist() == [-np.inf]
    nats, certainty = score(Past(2), np.ones((0, 2), np.float32), np.empty(0, np.int64), np.ones(0, dtype=bool), (1.0, ALL))
    assert not len(nats) and not len(certainty)

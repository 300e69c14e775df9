"""Sampling and beam search, over a model whose every probability is written down."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rejoinder.engine.sampling import (
    BeamConfig,
    SampleConfig,
    Sampler,
    beam_search,
    kept,
    log_prob_many,
    repeating,
    sample,
    score,
    text_of,
)
from rejoinder.errors import ConfigError
from rejoinder.post import Post
from rejoinder.text.tokenizer import WordTokenizer

WORDS = ("a", "b", "c")
A, B, C, POST, REPLY, END = range(6)
# after: a b c END; the first row is what begins a text
NEXT = {
    None: (0.5, 0.3, 0.2, 0.0),
    A: (0.1, 0.6, 0.1, 0.2),
    B: (0.2, 0.2, 0.2, 0.4),
    C: (0.05, 0.05, 0.8, 0.1),
}


class Known:
    """A chain whose next token depends on the last one alone."""

    config: Any = None
    Config: ClassVar[type] = type(None)
    tokenizer = WordTokenizer(WORDS)

    def __init__(self, table: Mapping[int | None, Sequence[float]] = NEXT) -> None:
        self.rows = {last: np.array([*p[:3], 0.0, 0.0, p[3]]) for last, p in table.items()}

    def start(self, context: Sequence[Post]) -> int | None:
        return None

    def advance(self, state: int | None, token: int) -> int | None:
        return token

    def ahead(self, state: int | None, made: int) -> int | None:
        return state

    def log_probs(self, state: int | None) -> np.ndarray:
        with np.errstate(divide="ignore"):
            return np.log(self.rows[state]).astype(np.float32)

    def top(self, state: int | None, k: int, prefix: bytes = b"") -> list[tuple[int, float]]:
        raise NotImplementedError

    def advance_many(self, states: Sequence[int | None], tokens: Sequence[int]) -> list[int | None]:
        assert len(states) == len(tokens)
        return list(tokens)

    def log_probs_many(self, states: Sequence[int | None]) -> np.ndarray:
        return np.stack([self.log_probs(state) for state in states])


MODEL: Any = Known()


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_the_first_token_gives_what_is_owed() -> None:
    """Only " b" begins so; its own probability is told, 0.3, and what follows is free."""
    making = Sampler(MODEL, [None] * 20, SampleConfig(longest=2), rng(), b" b")
    first, second = making.step(), making.step()
    assert {drawn.token for drawn in first} == {B} and first[0].log_prob == pytest.approx(math.log(0.3))
    assert len({drawn.token for drawn in second}) > 1 and making.step() == []


def test_a_text_that_is_dropped_gets_no_more_tokens() -> None:
    making = Sampler(MODEL, [None] * 3, SampleConfig(longest=5, temperature=0), rng())
    making.drop(1)
    assert [drawn.place for drawn in making.step()] == [0, 2]
    making.drop(0)
    assert [(drawn.place, drawn.token) for drawn in making.step()] == [(2, B)]  # the most probable after A


def all_texts(longest: int) -> dict[tuple[tuple[int, ...], bool], float]:
    """Every text of at most so many tokens with its probability, END one of the tokens."""
    found: dict[tuple[tuple[int, ...], bool], float] = {}
    for length in range(longest + 1):
        for tokens in itertools.product((A, B, C), repeat=length):
            p, last = 1.0, None
            for token in tokens:
                p, last = p * MODEL.rows[last][token], token
            if length < longest:
                found[tokens, True] = p * MODEL.rows[last][END]
            else:
                found[tokens, False] = p
    return {key: p for key, p in found.items() if p > 0}


def test_every_text_comes_as_often_as_it_is_probable() -> None:
    n = 20_000
    texts = all_texts(3)
    assert math.isclose(sum(texts.values()), 1)
    seen = Counter((made.tokens, made.ended) for made in sample(MODEL, None, n, SampleConfig(longest=3), rng()))
    assert set(seen) <= set(texts)
    chi = sum((seen[key] - n * p) ** 2 / (n * p) for key, p in texts.items())
    freedom = len(texts) - 1
    assert chi < freedom + 5 * math.sqrt(2 * freedom)


def kept_by_sorting(log_probs: np.ndarray, config: SampleConfig) -> np.ndarray:
    """The obvious way: order everything by probability, then by id, and go down from the top."""
    probs = np.exp(log_probs.astype(np.float64) / config.temperature)
    probs /= probs.sum()
    order = np.argsort(-probs, kind="stable")[: config.top_k]
    chosen, held = [], 0.0
    for token in order:
        if config.nucleus is not None and held >= config.nucleus * probs[order].sum() - 1e-12:
            break
        chosen.append(token)
        held += probs[token]
    found = np.zeros(len(probs))
    found[chosen] = probs[chosen] / held
    return found


@pytest.mark.parametrize(
    "config",
    [
        SampleConfig(nucleus=0.9, temperature=0.7),
        SampleConfig(top_k=5, nucleus=0.6),
        SampleConfig(top_k=3),
        SampleConfig(nucleus=1.0),
    ],
)
@pytest.mark.parametrize("digits", [0, 3])  # with whole numbers many tokens are equally probable
def test_what_is_kept_is_what_sorting_everything_would_keep(config: SampleConfig, digits: int) -> None:
    for seed in range(10):
        scores = np.round(np.random.default_rng(seed).normal(0, 2, (3, 300)), digits).astype(np.float32)
        log_probs = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
        for row, expected in zip(kept(log_probs, config), log_probs, strict=True):
            assert row == pytest.approx(kept_by_sorting(expected, config), abs=1e-9)


def test_a_sample_carries_the_log_probability_of_each_token() -> None:
    for made in sample(MODEL, None, 50, SampleConfig(temperature=2.0, longest=4), rng()):
        end = MODEL.log_probs(made.tokens[-1] if made.tokens else None)[END] if made.ended else 0.0
        assert len(made.each) == len(made.tokens) and sum(made.each) + end == pytest.approx(made.log_prob, abs=1e-5)


def test_a_sample_carries_its_log_probability_whatever_the_temperature() -> None:
    texts = all_texts(4)
    for made in sample(MODEL, None, 200, SampleConfig(temperature=2.0, longest=4), rng()):
        assert made.log_prob == pytest.approx(math.log(texts[made.tokens, made.ended]), abs=1e-5)


def test_temperature_is_a_power_of_the_probabilities() -> None:
    # after b: .2 .2 .2 .4; squared .04 .04 .04 .16, of .28
    assert kept(MODEL.log_probs_many([B]), SampleConfig(temperature=0.5))[0] == pytest.approx([1 / 7, 1 / 7, 1 / 7, 0, 0, 4 / 7])


def test_temperature_0_takes_the_most_probable() -> None:
    # a .5, then b .6, then END .4
    for made in sample(MODEL, None, 5, SampleConfig(temperature=0.0), rng()):
        assert made.tokens == (A, B) and made.ended


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (SampleConfig(top_k=2), [0.5 / 0.8, 0.3 / 0.8, 0, 0, 0, 0]),
        (SampleConfig(top_k=99), [0.5, 0.3, 0.2, 0, 0, 0]),
        (SampleConfig(nucleus=0.4), [1, 0, 0, 0, 0, 0]),
        (SampleConfig(nucleus=0.6), [0.5 / 0.8, 0.3 / 0.8, 0, 0, 0, 0]),
        (SampleConfig(nucleus=1.0), [0.5, 0.3, 0.2, 0, 0, 0]),
        # of the two kept a has 0.625: alone it is a share of 0.6
        (SampleConfig(top_k=2, nucleus=0.6), [1, 0, 0, 0, 0, 0]),
    ],
)
def test_what_top_k_and_nucleus_keep(config: SampleConfig, expected: list[float]) -> None:
    assert kept(MODEL.log_probs_many([None]), config)[0] == pytest.approx(expected, abs=1e-6)


def test_ties_are_kept_by_the_smaller_id() -> None:
    # after b: END .4, then a, b, c alike
    assert np.flatnonzero(kept(MODEL.log_probs_many([B]), SampleConfig(top_k=2))[0]).tolist() == [A, END]


@given(st.integers(1, 4), st.floats(0.05, 1.0), st.floats(0.3, 3.0), st.integers(0, 99))
def test_no_sample_leaves_the_set(top_k: int, nucleus: float, temperature: float, seed: int) -> None:
    config = SampleConfig(temperature, top_k, nucleus, longest=6)
    for made in sample(MODEL, None, 20, config, rng(seed)):
        last = None
        for token in (*made.tokens, *([END] if made.ended else [])):
            probs = kept(MODEL.log_probs_many([last]), config)[0]
            assert probs[token] > 0 and np.count_nonzero(probs) <= top_k
            last = token


def test_one_seed_gives_one_answer_and_another_seed_another() -> None:
    config = SampleConfig(longest=8)
    assert sample(MODEL, None, 30, config, rng(4)) == sample(MODEL, None, 30, config, rng(4))
    assert sample(MODEL, None, 30, config, rng(4)) != sample(MODEL, None, 30, config, rng(5))


def test_no_sample_is_longer_than_asked_and_none_are_no_error() -> None:
    assert max(len(made.tokens) for made in sample(MODEL, None, 100, SampleConfig(longest=2), rng())) == 2
    assert sample(MODEL, None, 0, SampleConfig(), rng()) == []


@pytest.mark.parametrize("length_penalty", [0.0, 0.6, 1.0, 2.0])
@pytest.mark.parametrize("longest", [1, 2, 4])
def test_a_beam_that_holds_everything_finds_what_exhaustive_search_finds(length_penalty: float, longest: int) -> None:
    everything = {key: score(math.log(p), len(key[0]) + key[1], length_penalty) for key, p in all_texts(longest).items()}
    expected = sorted(everything.values(), reverse=True)
    found = beam_search(MODEL, None, BeamConfig(200, length_penalty, longest))
    assert [value for _, value in found] == pytest.approx(expected, abs=1e-5)
    for made, value in found:
        assert value == pytest.approx(everything[made.tokens, made.ended], abs=1e-5)


def test_stopping_early_loses_nothing() -> None:
    """A beam of 30 paths holds every text of three tokens and less; what is longer cannot come first here."""
    wide = beam_search(MODEL, None, BeamConfig(500, 0.6, 5))
    narrow = beam_search(MODEL, None, BeamConfig(30, 0.6, 5))
    assert narrow[:5] == wide[:5]


def test_a_short_text_does_not_end_the_search_for_a_longer_one_that_scores_more() -> None:
    """END at once scores ln .6 = -0.51; ten a's ln(.4 x .99^9) / (15/6) = -0.40, though after one a they stand at -0.92."""
    patient: Any = Known({None: (0.4, 0.0, 0.0, 0.6), A: (0.99, 0.0, 0.0, 0.01)})
    ((made, value),) = beam_search(patient, None, BeamConfig(1, 1.0, 10))
    assert made.tokens == (A,) * 10 and value == pytest.approx(math.log(0.4 * 0.99**9) / 2.5, abs=1e-5)


def test_the_length_penalty_is_that_of_wu() -> None:
    assert score(-6.0, 7, 1.0) == pytest.approx(-3.0)  # (5 + 7) / 6 = 2
    assert score(-6.0, 7, 0.0) == -6.0
    assert score(-6.0, 19, 0.5) == pytest.approx(-3.0)  # 4 ^ 0.5 = 2


def test_longer_texts_win_with_a_greater_penalty() -> None:
    short, long = (len(beam_search(MODEL, None, BeamConfig(50, a, 6))[0][0].tokens) for a in (0.0, 3.0))
    assert short < long


def test_log_probabilities_of_many_texts_are_those_of_each() -> None:
    texts = [(A, B, END), (), (C,), (C, C, C, C, END), (A,)] * 120  # more than are worked out at once
    expected = [math.log(0.5 * 0.6 * 0.4), 0.0, math.log(0.2), math.log(0.2 * 0.8**3 * 0.1), math.log(0.5)] * 120
    assert log_prob_many(MODEL, [None] * len(texts), texts) == pytest.approx(expected, abs=1e-5)


def test_a_character_cut_in_two_is_dropped() -> None:
    class Bytes:
        def decode_bytes(self, tokens: Sequence[int]) -> bytes:
            return bytes(tokens)

    assert text_of(Bytes(), list("caf\u00e9".encode())[:-1]) == "caf"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: SampleConfig(temperature=-1),
        lambda: SampleConfig(temperature=float("nan")),
        lambda: SampleConfig(top_k=0),
        lambda: SampleConfig(nucleus=0.0),
        lambda: SampleConfig(nucleus=1.1),
        lambda: SampleConfig(longest=0),
        lambda: BeamConfig(width=0),
        lambda: BeamConfig(length_penalty=-0.1),
    ],
)
def test_settings_out_of_range_are_refused(wrong: Any) -> None:
    with pytest.raises(ConfigError, match="must"):
        wrong()


@given(st.lists(st.integers(0, 3), max_size=12), st.integers(1, 4))
def test_a_token_repeats_a_run_if_the_run_came_before(said: list[int], n: int) -> None:
    runs = {tuple(said[start : start + n]) for start in range(len(said) - n + 1)}
    expected = {token for token in range(4) if len(said) >= n - 1 and (*said[len(said) - n + 1 :], token)[-n:] in runs}
    assert set(repeating(said, n)) == expected


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_what_must_not_repeat_itself_does_not(temperature: float) -> None:
    config = SampleConfig(temperature=temperature, longest=12, no_repeat=2)
    for made in sample(MODEL, None, 50, config, rng()):
        runs = list(itertools.pairwise(made.tokens))
        assert len(runs) == len(set(runs))
    free = sample(MODEL, None, 50, SampleConfig(longest=12), rng())
    assert any(len({*itertools.pairwise(made.tokens)}) < len(made.tokens) - 1 for made in free)

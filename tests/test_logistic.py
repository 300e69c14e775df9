"""The logistic rung: its gradient by hand and against differences, its estimated sum, what it can learn and what it cannot."""

from __future__ import annotations

import json
from math import log
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import make_corpus

from rejoinder.archive.reader import ArchiveCorpus
from rejoinder.errors import ConfigError, DamagedModel, ModelError
from rejoinder.models.interfaces import Job
from rejoinder.models.logistic import (
    ContextWindows,
    Logistic,
    LogisticConfig,
    LogisticWeights,
    _Run,
    _stride,
    draw_ids,
    first_weights,
    gradient,
    score_at,
    windows_before,
)
from rejoinder.post import Kind, Post
from rejoinder.text.tensors import open_tokenizer, open_tokens


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def random_weights(vocabulary: int = 7, n: int = 3, size: int = 4) -> LogisticWeights:
    """Of float64, so that differences are exact enough."""
    draw = rng().normal
    return LogisticWeights(draw(size=(vocabulary, size)), draw(size=n), draw(size=(vocabulary, size)), draw(size=vocabulary))


def some_windows(n: int = 3) -> tuple[ContextWindows, Any]:
    """What stands before five tokens of two posts, and these; 0 begins a post."""
    tokens = np.array([0, 3, 3, 4, 1, 0, 5, 2])
    places = np.array([1, 3, 4, 6, 7])
    return windows_before(places, tokens, n, [0]), tokens[places]


def test_windows_by_hand() -> None:
    tokens = np.array([8, 3, 4, 2, 9, 5, 2])  # POST 3 4 END, REPLY 5 END
    found = windows_before([1, 3, 5, 7], tokens, 2, [8, 9])
    # before 3: POST; before END: 4, 3, and POST is too far; before 5: REPLY; after all: END, 5
    assert found.shares.tolist() == [[1, 0], [0.5, 0.5], [1, 0], [0.5, 0.5]]
    assert [row[: len(np.flatnonzero(s))].tolist() for row, s in zip(found.tokens, found.shares, strict=True)] == [
        [8],
        [4, 3],
        [9],
        [2, 5],
    ]


def test_gradient_by_hand() -> None:
    # three tokens, vectors of one number: A = 0, 1, 3; O = 0, 0, ln 2; no biases. Before the target stand 1 and 2
    column = np.array([[0.0], [1.0], [3.0]])
    weights = LogisticWeights(column, np.ones(2), np.array([[0.0], [0.0], [log(2)]]), np.zeros(3))
    windows = ContextWindows(np.array([[1, 2]]), np.array([[0.5, 0.5]], np.float32))
    nats, found = gradient(weights, windows, np.array([0]), np.arange(3), np.zeros(3))
    # x = (1 + 3) / 2 = 2; logits 0, 0, 2 ln 2; e^l = 1, 1, 4; p = 1/6, 1/6, 4/6; the target 0 costs ln 6
    assert nats == pytest.approx([log(6)])
    # dl = 1/6 - 1, 1/6, 4/6
    assert found.bias.ids.tolist() == found.output.ids.tolist() == [0, 1, 2]
    assert found.bias.values == pytest.approx([-5 / 6, 1 / 6, 4 / 6])
    assert found.output.values[:, 0] == pytest.approx([-5 / 3, 1 / 3, 4 / 3])  # dl x
    g = 4 / 6 * log(2)  # the sum of dl O
    assert found.vectors.ids.tolist() == [1, 2] and found.vectors.values[:, 0] == pytest.approx([g / 2, g / 2])
    assert found.distance == pytest.approx([1 * g / 2, 3 * g / 2])


@pytest.mark.parametrize("ids", [range(7), (1, 2, 6), (5, 3)])
def test_gradient_is_that_of_differences(ids: Any) -> None:
    """Of a whole sum and of estimated ones, in which targets are among the tokens drawn or not."""
    ids = np.array(ids)
    log_share = np.linspace(0, 0.7, len(ids)) if len(ids) < 7 else np.zeros(7)
    weights, (windows, targets) = random_weights(), some_windows()
    _, found = gradient(weights, windows, targets, ids, log_share)
    for array, part in zip(weights, found, strict=True):
        slope = np.zeros_like(array)
        for place in np.ndindex(array.shape):
            kept, costs = array[place], []
            for step in (1e-6, -1e-6):
                array[place] = kept + step
                costs.append(gradient(weights, windows, targets, ids, log_share)[0].sum())
            array[place] = kept
            slope[place] = (costs[0] - costs[1]) / 2e-6
        dense = part
        if not isinstance(part, np.ndarray):
            dense = np.zeros_like(array)
            dense[part.ids] = part.values
        assert dense == pytest.approx(slope, abs=1e-6)


def test_the_sum_is_whole_where_all_are_drawn_or_frequent() -> None:
    weights, (windows, targets) = random_weights(), some_windows()
    tokens = np.array([0, 3, 3, 4, 1, 0, 5, 2])
    expected = -score_at(weights, tokens, np.array([1, 3, 4, 6, 7]), [0])
    ranked = np.array([6, 2, 5, 1, 0, 4, 3])
    for frequent, drawn in ((7, 1), (9, 5), (3, 4), (2, 0)):
        ids, log_share = draw_ids(ranked, frequent, drawn, rng())
        assert gradient(weights, windows, targets, ids, log_share)[0] == pytest.approx(expected, rel=1e-5)


def test_the_estimate_is_right_on_average() -> None:
    """Every sample of one of the four rare tokens once: the mean of the estimated sums is the whole sum."""
    weights, (windows, targets) = random_weights(), some_windows()
    log_share = np.array([0, 0, 0, log(4)])  # each of the rare ones stands for four
    costs = [gradient(weights, windows, targets, np.array([1, 3, 6, rare]), log_share)[0] for rare in (0, 2, 4, 5)]
    whole, _ = gradient(weights, windows, targets, np.arange(7), np.zeros(7))
    assert np.exp(costs).mean(axis=0) == pytest.approx(np.exp(whole))  # both divided by e^l(t)


def test_draws_are_distinct_and_stand_for_all_the_others() -> None:
    ids, log_share = draw_ids(np.arange(100)[::-1], 10, 30, rng())
    assert ids[:10].tolist() == list(range(99, 89, -1)) and len({*ids.tolist()}) == 40 and ids[10:].max() < 90
    assert np.exp(log_share).sum() == pytest.approx(100, rel=1e-6)


def test_it_begins_as_the_unigram() -> None:
    counts = np.array([3, 5, 0, 0])
    weights = first_weights(counts, LogisticConfig(size=4), [3], rng())
    # (c + 0.5) / (8 + 3 * 0.5), whatever stands before
    assert np.exp(weights.bias) == pytest.approx([3.5 / 9.5, 5.5 / 9.5, 0.5 / 9.5, 0], rel=1e-5)
    assert score_at(weights, np.array([3, 1]), np.array([1]), [3]) == pytest.approx([log(5.5 / 9.5)], rel=1e-5)


def test_every_place_is_visited_once_a_pass() -> None:
    for size in (1, 2, 12, 101):
        assert sorted(np.arange(size) * _stride(size, rng()) % size) == list(range(size))


@pytest.fixture(scope="module")
def order(tmp_path_factory: pytest.TempPathFactory) -> ArchiveCorpus:
    """'abx' and 'bay' in turn, of single bytes: what comes third depends on the order of the two before."""
    posts = [Post(number, Kind.STORY, ("abx", "bay")[number % 2]) for number in range(1, 201)]
    return make_corpus(tmp_path_factory.mktemp("order"), posts, 256, everything=True)


def test_weights_of_distance_tell_order_and_the_plain_mean_does_not(order: ArchiveCorpus, tmp_path: Path) -> None:
    models = [
        Logistic.fit(order, LogisticConfig(size=16, batch=64, weighed=weighed), rng=rng(), job=Job(tmp_path))
        for weighed in (True, False)
    ]
    a, b, x, y = models[0].tokenizer.encode("abxy")
    for state, expected in (((a, b), x), ((b, a), y)):
        best, second = models[0].top((models[0].tokenizer.post, *state), 2)
        assert best[0] == expected and best[1] > second[1] + 1
    post = models[1].tokenizer.post
    assert models[1].weights.distance.tolist() == [1] * 8
    assert np.allclose(models[1].log_probs((post, a, b)), models[1].log_probs((post, b, a)), atol=1e-5)


def test_the_state_is_the_window(toy: ArchiveCorpus) -> None:
    tokenizer = open_tokenizer(toy.tokens)
    config = LogisticConfig(window=2, size=4)
    model = Logistic(config, tokenizer, first_weights(np.ones(tokenizer.vocabulary, np.int64), config, (), rng()))
    state = model.start(())
    assert state == (tokenizer.post,) and model.start([Post(1)]) == (tokenizer.reply,)
    assert model.advance(state, 5) == (tokenizer.post, 5) and model.advance((tokenizer.post, 5), 6) == (5, 6)


def test_what_was_best_on_dev_is_kept(toy: ArchiveCorpus) -> None:
    said: list[str] = []
    run = _Run(toy.tokens, open_tokenizer(toy.tokens), LogisticConfig(size=8, learning_rate=1.0, least_steps=200), rng())
    before = run.dev_bits_per_byte()
    run.weights = run.finish(lambda what, _, __: said.append(what))
    figures = [float(what.split()[2]) for what in said if "dev" in what]
    assert min(figures) < before / 2 and min(figures) < figures[-1]  # it went on for a while after the best
    assert run.dev_bits_per_byte() == pytest.approx(min(figures), abs=6e-4)


def test_dev_figures_are_bits_per_byte(toy: ArchiveCorpus) -> None:
    """Against the model itself, post by post."""
    tokenizer, config = open_tokenizer(toy.tokens), LogisticConfig(size=8)
    run = _Run(toy.tokens, tokenizer, config, rng())
    model, dev = Logistic(config, tokenizer, run.weights), open_tokens(toy.tokens, "dev")
    nats, size = 0.0, 0
    for first, last in zip(dev.offsets, dev.offsets[1:], strict=False):
        begin, *tokens = dev.tokens[first:last].tolist()
        nats -= float(model.score_tokens((begin,), tokens).sum())
        size += len(tokenizer.decode_bytes(tokens))
    assert run.dev_bits_per_byte() == pytest.approx(nats / (log(2) * size), rel=1e-5)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *[("window", 0), ("size", 0), ("epochs", 0), ("batch", 0), ("dev_tokens", 0), ("size", 2**15), ("window", 2**15)],
        *[("least_steps", -1), ("frequent", -1), ("drawn", -1)],
        *[("learning_rate", 0.0), ("learning_rate", float("inf")), ("learning_rate", float("nan"))],
    ],
)
def test_settings_out_of_range_are_named(key: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=rf"`logistic.{key}` must .*; got "):
        LogisticConfig(**{key: value})


def test_numbers_beyond_all_bounds_are_a_clear_error(toy: ArchiveCorpus, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"lower `logistic\.learning_rate`"):
        Logistic.fit(toy, LogisticConfig(size=8, learning_rate=1e30), rng=rng(), job=Job(tmp_path))


def test_arrays_of_other_settings_are_a_clear_error(toy: ArchiveCorpus, tmp_path: Path) -> None:
    Logistic.fit(toy, LogisticConfig(size=8, least_steps=1), rng=rng(), job=Job(tmp_path)).save(tmp_path / "saved")
    file = tmp_path / "saved" / "config.json"
    settings = json.loads(file.read_text())
    settings["config"]["window"] = 5
    file.write_text(json.dumps(settings))
    with pytest.raises(DamagedModel, match="do not belong together"):
        Logistic.load(tmp_path / "saved")

"""When to speak: calibrations, thresholds, and what is written of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from test_typing import SPARK, words
from typists import parrot

from rejoinder.engine.calibration import GateConfig, calibrate
from rejoinder.engine.gate import CASES, PROMISED, Calibration, Gate, Observed, case_of, lowest
from rejoinder.engine.token_healing import HealedDraft
from rejoinder.errors import ConfigError, DamagedModel
from rejoinder.home.workspace import Workspace
from rejoinder.post import Kind, Post, Thread


def observed(rng: np.random.Generator, n: int, a: float, b: float, d: float = 0.0) -> Observed:
    """N keystrokes of a model that is right with probability sigmoid(a + b logit p + d (words - 1))."""
    p, words = rng.uniform(0.02, 0.98, n), rng.integers(1, 4, n)
    truth = 1 / (1 + np.exp(-(a + b * np.log(p / (1 - p)) + d * (words - 1))))
    return Observed(p, rng.integers(0, CASES, n), words, rng.random(n) < truth, np.ones(n, bool))


def test_the_lowest_threshold_worked_out_by_hand() -> None:
    """From the surest down: right, right, wrong, right, wrong, wrong. Shares: 1, 1, 2/3, 3/4, 3/5, 3/6."""
    sure = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4])
    right = np.array([True, True, False, True, False, False])
    assert lowest(sure, right, 0.7, fewest=1) == 0.6
    assert lowest(sure, right, 0.6, fewest=1) == 0.5
    assert lowest(sure, right, 0.9, fewest=1) == 0.8
    assert lowest(sure, ~right, 0.9, fewest=1) is None
    assert lowest(sure, right, 0.9, fewest=3) is None
    assert lowest(np.array([0.9, 0.6, 0.6]), np.array([True, True, False]), 0.9, fewest=1) == 0.9  # equals are shown together


def test_a_model_that_is_too_sure_is_seen_through() -> None:
    fitted = Calibration.fit(observed(np.random.default_rng(0), 60_000, -1.0, 0.6, -0.4))
    assert fitted.intercepts == pytest.approx([-1.0] * CASES, abs=0.12)
    assert fitted.slopes == pytest.approx([0.6] * CASES, abs=0.08) and fitted.per_word == pytest.approx(-0.4, abs=0.06)
    assert fitted(0.5, 2) == pytest.approx(1 / (1 + np.e), abs=0.03)  # sigmoid(-1)


def test_each_gate_keeps_on_other_text_what_it_promised_on_dev() -> None:
    fitted = Calibration.fit(observed(np.random.default_rng(0), 20_000, 0.3, 1.2))
    other = observed(np.random.default_rng(1), 20_000, 0.3, 1.2)
    first = other.words == 1
    sure = np.array([fitted(p, case) for p, case in zip(other.probability[first], other.case[first], strict=True)])
    for gate, share in PROMISED.items():
        assert other.right[first][sure >= fitted.threshold(gate)].mean() > share - 0.03
    assert fitted.quiet >= fitted.normal >= fitted.eager


def test_little_text_changes_little() -> None:
    none = Calibration()
    few = Calibration.fit(observed(np.random.default_rng(0), 5, -3.0, 1.0))
    assert few(0.5, 0) == pytest.approx(none(0.5, 0), abs=0.2)
    assert (few.quiet, few.normal, few.eager) == (none.quiet, none.normal, none.eager)


def test_more_probable_is_never_less_sure() -> None:
    upside_down = Calibration.fit(observed(np.random.default_rng(0), 5_000, 0.0, -1.0))
    assert all(slope > 0 for slope in upside_down.slopes)


@pytest.mark.parametrize(
    ("draft", "text", "case"),
    [
        ("", "The", 0),
        ("a ", "cat", 0),
        ("a c", "at", 1),
        ("a ca", "t", 2),
        ("a cat", "s", 3),
        ("I", " am", 4),
        ("a cat", " is", 5),
    ],
)
def test_cases_are_told_apart(draft: str, text: str, case: int) -> None:
    assert case_of(HealedDraft.of(draft), text) == case


def test_what_is_written_is_read_and_damage_is_found(tmp_path: Path) -> None:
    assert Calibration.load(tmp_path) == Calibration()
    fitted = Calibration.fit(observed(np.random.default_rng(0), 500, -1.0, 0.6))
    fitted.save(tmp_path)
    assert Calibration.load(tmp_path) == fitted
    found = json.loads((tmp_path / "gate.json").read_text())
    for wrong in (
        "{",
        "[]",
        json.dumps({**found, "slopes": [1.0]}),
        json.dumps({**found, "quiet": 7}),
        json.dumps({**found, "x": 1}),
    ):
        (tmp_path / "gate.json").write_text(wrong)
        with pytest.raises(DamagedModel, match="fit again"):
            Calibration.load(tmp_path)


def test_a_model_is_calibrated_on_threads_and_the_same_ones_give_the_same() -> None:
    threads = [Thread(n, (Post(n, Kind.STORY, SPARK, thread=n),)) for n in range(60)]
    config = GateConfig(keystrokes=400, one_in=1)
    fitted = calibrate(parrot(words(), SPARK, sure=0.6), threads, np.random.default_rng(0), config)  # type: ignore[arg-type]
    assert fitted.keystrokes + 25 >= 400 and fitted(0.6, 3) > 0.8  # it knows the text, so it is right more often than it says
    again = calibrate(parrot(words(), SPARK, sure=0.6), threads, np.random.default_rng(0), config)  # type: ignore[arg-type]
    assert again == fitted
    told: list[tuple[int, int]] = []
    enough = replace(config, shown=20, batch=100)  # it is sure of itself, so the gate passes more than a fifth
    few = calibrate(parrot(words(), SPARK, sure=0.6), threads, np.random.default_rng(0), enough, told=lambda *n: told.append(n))  # type: ignore[arg-type]
    assert 20 <= few.keystrokes < fitted.keystrokes and told[0] == (0, 400) and 100 <= told[-1][0] < 400
    nothing = calibrate(parrot(words(), SPARK), [], np.random.default_rng(0))  # type: ignore[arg-type]
    assert nothing == Calibration()
    with pytest.raises(ConfigError, match="gate"):
        replace(config, run=0)


def test_the_models_in_the_package_have_gates() -> None:
    space = Workspace.shipped()
    assert space is not None
    for name in ("kneser_ney", "lstm", "mixture"):
        found = space.fitted(name)
        assert found is not None
        gate = Calibration.load(found.directory)
        assert gate.keystrokes > 3_000 and 0.1 < gate.eager < gate.normal < gate.quiet < 0.95, name


def test_a_gate_is_a_word() -> None:
    assert [str(gate) for gate in Gate] == ["quiet", "normal", "eager"]

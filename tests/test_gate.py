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
from rejoinder.engine.gate import (
    CASES,
    PROMISED,
    Calibration,
    CaretAt,
    Floors,
    Gate,
    GhostText,
    Keystroke,
    case_of,
    choose,
)
from rejoinder.engine.token_healing import HealedDraft
from rejoinder.errors import ConfigError, DamagedModel
from rejoinder.home.workspace import Workspace
from rejoinder.post import Kind, Post, Thread


def observed(rng: np.random.Generator, n: int, a: float, b: float, d: float = 0.0) -> list[Keystroke]:
    """N keystrokes of a model that is right with probability sigmoid(a + b logit p + d (words - 1)), each a run of its own."""

    def chance(p: float, words: int) -> float:
        return float(1 / (1 + np.exp(-(a + b * np.log(p / (1 - p)) + d * (words - 1)))))

    seen = []
    for number in range(n):
        case, place = int(rng.integers(0, CASES)), CaretAt.WORD if number % 2 else CaretAt.SPACE
        p, luck, line = float(rng.uniform(0.02, 0.98)), rng.random(), []
        for text, size, likely in (("abcdefgh", 1, p), ("abcdefgh ijkl", 2, p * float(rng.uniform(0.3, 0.99)))):
            line.append(GhostText(text, size, likely, bool(luck < chance(likely, size))))
        seen.append(Keystroke("x", place, [(case, line)], first=True))
    return seen


def shares(fitted: Calibration, seen: list[Keystroke], gate: Gate, place: CaretAt) -> tuple[float, float]:
    """Of what a gate shows at a place: how often the first word is right, and all of it."""
    rated = [[list(fitted.savings(case, line, gate)) for case, line in one.lines] for one in seen if one.place is place]
    shown = [best for lines in rated if (best := choose(lines, fitted.floors[gate][place]))]
    return float(np.mean([first.right for first, _ in shown])), float(np.mean([text.right for _, text in shown]))


def test_what_is_saved_worked_out_by_hand() -> None:
    """P = 0.8 for "able" (4 characters), 0.5 for "able to" (7), and the model is believed; a wrong one costs 1 key.

    One word: 0.8 x 3 - 0.2 x 1 = 2.2. Two: 0.8 x 3 + 0.5 x 2 taken word by word, 0.5 x 1 more with one key for both, less
    0.5 x 1: 3.4. With quiet's 3: 2.4 - 0.6 = 1.8, and 3.4 + 0.5 - 1.5 = 2.4.
    """
    line = [GhostText("able", 1, 0.8), GhostText("able to", 2, 0.5)]
    known = Calibration()
    assert [round(saved, 6) for _, _, saved in known.savings(3, line, Gate.NORMAL)] == [2.2, 3.4]
    assert [round(saved, 6) for _, _, saved in known.savings(3, line, Gate.QUIET)] == [1.8, 2.4]
    rated = [list(known.savings(3, line, Gate.NORMAL))]
    assert choose(rated, Floors(0.7, 0.4)) == (line[0], line[1])
    assert choose(rated, Floors(0.7, 0.6)) == (line[0], line[0])
    assert choose(rated, Floors(0.81, 0.1)) is None
    letter = [list(known.savings(3, [GhostText("s", 1, 0.99)], Gate.EAGER))]
    assert choose(letter, Floors(0.1, 0.1)) is None  # taking it costs a key too


def test_a_longer_word_is_shown_at_a_lower_probability_and_the_better_of_two_lines() -> None:
    known, floors = Calibration(), Floors(0.2, 0.2)

    def shows(*texts: str, p: float) -> str:
        lines = [list(known.savings(0, [GhostText(text, 1, p)], Gate.NORMAL)) for text in texts]
        best = choose(lines, floors)
        return best[1].text if best else ""

    assert shows("of", p=0.4) == "" and shows("of", p=0.6) == "of"
    assert shows("afternoon", p=0.25) == "afternoon"
    assert shows("it", "itself", p=0.5) == "itself"


def test_floors_are_found_by_hand() -> None:
    """Those rated 0.9 are right 9 in 10 times, as many at 0.6 4 in 10 times; normal wants 70% of first words, eager 58%."""
    seen = [
        Keystroke("x", CaretAt.WORD, [(3, [GhostText("abcdef", 1, p, right)])], first=True)
        for p, share in ((0.9, 9), (0.6, 4))
        for number in range(100)
        for right in [number % 10 < share]
    ]
    fitted = Calibration.fit(seen)
    both, sure = fitted(0.6, 3), fitted(0.9, 3)
    assert both < fitted.floors[Gate.NORMAL][CaretAt.WORD].first <= sure  # together they are right 65% of the time
    assert fitted.floors[Gate.EAGER][CaretAt.WORD].first <= both
    assert fitted.floors[Gate.NORMAL][CaretAt.SPACE] == Calibration().floors[Gate.NORMAL][CaretAt.SPACE]  # nothing was seen there


def test_a_suggestion_that_is_typed_into_counts_once() -> None:
    """Forty words, each seen at three letters: 40 suggestions and not 120, so that a floor is found; of 39 none is."""

    def typed(words: int) -> Calibration:
        seen = []
        for _ in range(words):
            for place, text in enumerate(("abcd", "bcd", "cd")):
                seen.append(Keystroke("abcd"[place], CaretAt.WORD, [(3, [GhostText(text, 1, 0.9, True)])], first=place == 0))
        return Calibration.fit(seen)

    unknown = Calibration().floors[Gate.QUIET][CaretAt.WORD]
    assert typed(40).floors[Gate.QUIET][CaretAt.WORD] != unknown and typed(39).floors[Gate.QUIET][CaretAt.WORD] == unknown


def test_a_model_that_is_too_sure_is_seen_through() -> None:
    fitted = Calibration.fit(observed(np.random.default_rng(0), 30_000, -1.0, 0.6, -0.4))
    assert fitted.intercepts == pytest.approx([-1.0] * CASES, abs=0.15)
    assert fitted.slopes == pytest.approx([0.6] * CASES, abs=0.08) and fitted.per_word == pytest.approx(-0.4, abs=0.08)
    assert fitted(0.5, 2) == pytest.approx(1 / (1 + np.e), abs=0.03)  # sigmoid(-1)


def test_each_gate_keeps_on_other_text_what_it_promised_on_dev() -> None:
    fitted = Calibration.fit(observed(np.random.default_rng(0), 12_000, 0.3, 1.2))
    other = observed(np.random.default_rng(1), 12_000, 0.3, 1.2)
    for gate, places in PROMISED.items():
        for place, promised in zip(CaretAt, places, strict=True):
            first, whole = shares(fitted, other, gate, place)
            assert first > promised.first - 0.03 and whole > promised.whole - 0.03, (gate, place)
    for place in CaretAt:
        quiet, normal, eager = (fitted.floors[gate][place] for gate in Gate)
        assert quiet.first >= normal.first >= eager.first and quiet.whole >= normal.whole >= eager.whole


def test_little_text_changes_little() -> None:
    none = Calibration()
    few = Calibration.fit(observed(np.random.default_rng(0), 5, -3.0, 1.0))
    assert few(0.5, 0) == pytest.approx(none(0.5, 0), abs=0.2)
    assert few.floors == none.floors


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
        json.dumps({**found, "floors": {**found["floors"], "quiet": [[0.5, 7], [0.5, 0.5]]}}),
        json.dumps({**found, "floors": {**found["floors"], "normal": [[0.5, 0.5]]}}),
        json.dumps({**found, "floors": {"quiet": []}}),
        json.dumps({**found, "x": 1}),
    ):
        (tmp_path / "gate.json").write_text(wrong)
        with pytest.raises(DamagedModel, match="fit again"):
            Calibration.load(tmp_path)


def test_gates_that_were_fitted_before_there_were_places_are_read(tmp_path: Path) -> None:
    old = {
        "intercepts": [0.1] * 6,
        "slopes": [0.9] * 6,
        "per_word": 0.2,
        "quiet": 0.6,
        "normal": 0.4,
        "eager": 0.2,
        "keystrokes": 7,
    }
    (tmp_path / "gate.json").write_text(json.dumps(old))
    read = Calibration.load(tmp_path)
    assert read.floors[Gate.NORMAL] == (Floors(0.4, 0.4), Floors(0.4, 0.4)) and read.keystrokes == 7


def test_a_model_is_calibrated_on_threads_and_the_same_ones_give_the_same() -> None:
    threads = [Thread(n, (Post(n, Kind.STORY, SPARK, thread=n),)) for n in range(60)]
    config = GateConfig(keystrokes=400, one_in=1)
    fitted = calibrate(parrot(words(), SPARK, sure=0.6), threads, np.random.default_rng(0), config)  # type: ignore[arg-type]
    assert fitted.keystrokes + 25 >= 400 and fitted(0.6, 3) > 0.8  # it knows the text, so it is right more often than it says
    again = calibrate(parrot(words(), SPARK, sure=0.6), threads, np.random.default_rng(0), config)  # type: ignore[arg-type]
    assert again == fitted
    told: list[tuple[int, int]] = []
    enough = replace(config, likely=20, batch=100)  # it is sure of itself, so the gate passes more than a fifth
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
        assert gate.keystrokes > 3_000, name
        for place in CaretAt:
            eager, normal, quiet = (gate.floors[one][place].first for one in (Gate.EAGER, Gate.NORMAL, Gate.QUIET))
            assert 0.1 < eager < normal < quiet < 0.95, name


def test_a_gate_is_a_word() -> None:
    assert [str(gate) for gate in Gate] == ["quiet", "normal", "eager"]

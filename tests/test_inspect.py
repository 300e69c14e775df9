"""Looking inside the cell: the numbers are those of the reference cell, the picture shows them."""

from __future__ import annotations

import json
import struct
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from typer.testing import CliRunner

from rejoinder.cli import app
from rejoinder.errors import MissingExtra, UsageError
from rejoinder.home.workspace import Workspace
from rejoinder.inspect.cell import MOST_TOKENS, CellTrace, draw, labels_of
from rejoinder.models.lstm.cell import CellStep, CellWeights, Layer, sequence
from rejoinder.models.lstm.rung import LSTM
from rejoinder.text.tokenizer import Tokenizer

TOKENIZER = Tokenizer.train(["the dough is cold and the engine is old"] * 5, 280)
HIDDEN = 10


def weights(layers: int = 2) -> CellWeights:
    rng = np.random.default_rng(1)
    made = [Layer(rng.normal(size=(HIDDEN if n else 6, 4 * HIDDEN)), rng.normal(size=(HIDDEN, 4 * HIDDEN)), np.zeros(4 * HIDDEN))
            for n in range(layers)]  # fmt: skip
    vocabulary = TOKENIZER.vocabulary
    return CellWeights(rng.normal(size=(vocabulary, 6)), tuple(made), rng.normal(size=(HIDDEN, 6)), np.zeros(vocabulary))


WEIGHTS = weights()
TOKENS = TOKENIZER.encode("the dough is cold")


@pytest.fixture
def seen() -> CellTrace:
    return CellTrace.of(list(sequence(WEIGHTS, TOKENS)), labels_of(TOKENIZER, TOKENS), 1)


def test_the_numbers_are_those_of_the_cell(seen: CellTrace) -> None:
    steps = list(sequence(WEIGHTS, TOKENS))
    for name in CellStep._fields:
        assert seen.values[name].shape == (len(TOKENS), HIDDEN)
        assert np.allclose(seen.values[name][2], getattr(steps[2][1], name), atol=1e-6)


def cells(*rows: Sequence[float]) -> CellTrace:
    c = np.array(rows, dtype=np.float32)
    return CellTrace(tuple("abc"[: len(rows)]), 0, dict.fromkeys("ifgoch", c))


def test_the_liveliest_are_those_whose_memory_varies_most() -> None:
    # variances over the three tokens: 0, 2/3, 8/3, 2/3
    shown = cells([5, 0, 0, 1], [5, 1, 2, 0], [5, 2, 4, 2])
    assert shown.liveliest(3).tolist() == [2, 1, 3]
    assert shown.liveliest(99).tolist() == [2, 1, 3, 0]


def test_what_a_token_moved_is_the_change_of_the_memory() -> None:
    shown = cells([0.5, -2.0], [1.0, -2.25])
    assert shown.moved(0, 2) == [(1, -2.0), (0, 0.5)]
    assert shown.moved(1, 1) == [(0, 0.5)]


def test_means_are_over_all_cells() -> None:
    assert {name: row.tolist() for name, row in cells([1, -1], [2, 0]).means().items()} == {
        "i": [0, 1], "f": [0, 1], "o": [0, 1], "|c|": [1, 1], "|h|": [1, 1],
    }  # fmt: skip


def test_labels_show_spaces_separators_and_halves_of_characters() -> None:
    tokens = [TOKENIZER.post, *TOKENIZER.encode(" the\n"), 0xC3, TOKENIZER.end, TOKENIZER.reply]
    tokens[-3] = TOKENIZER.bytes.index(b"\xc3")
    assert labels_of(TOKENIZER, tokens) == ["‹post›", "·the", "⏎", "\ufffd", "‹end›", "‹reply›"]


@pytest.mark.parametrize("layer", [-1, 2])
def test_a_layer_that_is_not_there_is_told(layer: int) -> None:
    with pytest.raises(UsageError, match="2 layers, counted from 0"):
        CellTrace.of(list(sequence(WEIGHTS, TOKENS)), labels_of(TOKENIZER, TOKENS), layer)
    with pytest.raises(UsageError, match="nothing to look at"):
        CellTrace.of([], [], 0)


# --- the picture -----------------------------------------------------------------------------------------------------


def test_an_svg_names_every_token_and_every_part(seen: CellTrace, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    draw(seen, [3, 7], tmp_path / "cell.svg")
    said = {text.strip() for text in ElementTree.parse(tmp_path / "cell.svg").getroot().itertext() if text.strip()}
    assert {*seen.tokens, "3", "7"} <= said
    assert {name.split()[-1] for name in said} >= {"gate", "candidate", "cell", "output"}
    draw(seen, [3, 7], tmp_path / "again.svg")
    assert (tmp_path / "again.svg").read_bytes() == (tmp_path / "cell.svg").read_bytes()


def test_a_png_grows_with_the_text(seen: CellTrace, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    long = CellTrace.of(list(sequence(WEIGHTS, TOKENS * 2)), labels_of(TOKENIZER, TOKENS * 2), 0)
    sizes = []
    for name, shown in (("short", seen), ("long", long)):
        draw(shown, [0, 4, 2], tmp_path / f"{name}.png")
        data = (tmp_path / f"{name}.png").read_bytes()
        assert data.startswith(b"\x89PNG")
        sizes.append(struct.unpack(">II", data[16:24]))
    assert sizes[1][0] > sizes[0][0] >= 600


def test_text_that_the_font_lacks_or_that_looks_like_mathematics_is_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    tokens = TOKENS[:3]
    odd = CellTrace.of(list(sequence(WEIGHTS, tokens)), ["日本", "$x^$", "🍞_"], 0)
    draw(odd, [0], tmp_path / "odd.png")


def test_a_picture_of_another_kind_or_of_too_long_a_text_is_refused(seen: CellTrace, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.png or \.svg"):
        draw(seen, [0], tmp_path / "cell.gif")
    many = CellTrace(("a",) * (MOST_TOKENS + 1), 0, seen.values)
    with pytest.raises(UsageError, match="200 tokens"):
        draw(many, [0], tmp_path / "cell.png")


def test_without_matplotlib_the_extra_is_named(seen: CellTrace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtra, match="needs the extra `train`: "):
        draw(seen, [0], tmp_path / "cell.png")


# --- the command -----------------------------------------------------------------------------------------------------


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """`inspect cell` in a home whose LSTM has the weights above."""
    model = object.__new__(LSTM)
    model.tokenizer = TOKENIZER
    monkeypatch.setattr(LSTM, "weights", WEIGHTS)
    monkeypatch.setattr(Workspace, "load", lambda self, name, *, allow_stale: model)

    def invoke(*options: str) -> Any:
        ran = CliRunner().invoke(app, ["inspect", "cell", "the dough is cold", "--home", str(tmp_path), *options])
        assert ran.exit_code == 0, ran.output
        return ran

    return invoke


def test_json_holds_the_liveliest_cells_token_by_token(run: Any) -> None:
    found = json.loads(run("--json", "--cells", "4", "--layer", "1").stdout)
    assert set(found) == {"tokens", "layer", "cells", "values", "means"}
    assert found["tokens"][0] == "‹post›" and len(found["tokens"]) == 1 + len(TOKENS)
    assert len(found["cells"]) == 4 and found["layer"] == 1
    steps = list(sequence(WEIGHTS, [TOKENIZER.post, *TOKENS]))
    assert np.allclose(found["values"]["c"], [step[1].c[found["cells"]] for step in steps], atol=1e-4)


def test_the_table_has_a_line_for_each_token(run: Any) -> None:
    lines = run().stdout.splitlines()
    assert len(lines) == 2 + len(TOKENS) and "cells it moved most" in lines[0] and lines[1].startswith("‹post›")


def test_the_picture_is_written_and_said(run: Any, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    ran = run("--out", str(tmp_path / "cell.svg"))
    assert (tmp_path / "cell.svg").is_file() and "cell.svg" in ran.stderr

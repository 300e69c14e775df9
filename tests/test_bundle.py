"""The models in the package: whole, small enough, made by the committed recipe, and of use at once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from rejoinder.config import read_settings
from rejoinder.files import tree_size
from rejoinder.home.voices import phrases_of
from rejoinder.home.workspace import CARD, Workspace
from rejoinder.models import LADDER, PACKAGE, Can
from rejoinder.models.directory import check_hashes, read_manifest
from rejoinder.models.interfaces import LanguageModel
from rejoinder.publish.card import CARD_PAGE, write_card
from rejoinder.publish.reading import READ, read_configs
from rejoinder.publish.recipe import TOKENIZER, Recipe
from rejoinder.text.fingerprints import Fingerprints

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def space() -> Workspace:
    found = Workspace.shipped()
    assert found is not None
    return found


def test_every_file_is_as_it_was_written_and_all_together_are_small(space: Workspace) -> None:
    assert space.fitted_that(Can.PREDICT) == ["kneser_ney", "lstm", "mixture"]
    for name in ("kneser_ney", "lstm", "mixture"):
        found = space.fitted(name)
        assert found is not None and not found.outdated
        check_hashes(found.directory)
    assert tree_size(space.models) <= 40e6


def test_they_are_what_the_recipe_makes(space: Workspace) -> None:
    recipe = Recipe.from_settings(read_settings(ROOT / "configs" / "bundle.toml", (), [TOKENIZER, *LADDER], [READ]))
    for name, config in recipe.rungs.items():
        found = space.fitted(name)
        assert found is not None
        assert LADDER[name].load().Config(**read_manifest(found.directory)["config"]) == config
    assert recipe.tokenizer.posts >= 2 and recipe.rungs["kneser_ney"].posts >= 2  # nothing that one post alone holds
    assert list((ROOT / "configs").glob("bundle*.toml")) == [ROOT / "configs" / "bundle.toml"]
    card = json.loads((space.models / "card.json").read_text(encoding="utf-8"))
    assert card["data"]["name"] == ", ".join(one.called for one in read_configs(ROOT / "configs" / "bundle.toml"))
    run = card["rungs"]["lstm"]["trained"]
    assert 0 < run["best"] <= run["step"] and 0.5 < run["dev"] < 2 and run["seconds"] > 0


def test_no_counts_are_given_away_and_the_card_says_what_was_read(space: Workspace) -> None:
    assert not list(space.models.rglob("counts*"))
    card = json.loads((space.models / "card.json").read_text(encoding="utf-8"))
    assert len(card["data"]["sha256"]) == 64 and card["data"]["posts"] > 10_000
    assert all(rung["bits_per_byte"]["test"] for rung in card["rungs"].values())
    assert card["rungs"]["mixture"]["bits_per_byte"]["test"] < card["rungs"]["lstm"]["bits_per_byte"]["test"]
    page = (space.models / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert card["data"]["sha256"] in page and "**Limits.**" in page


def test_the_card_for_people_says_what_the_card_for_programs_says(space: Workspace, tmp_path: Path) -> None:
    write_card(tmp_path, json.loads((space.home / CARD).read_bytes()))
    assert (tmp_path / CARD_PAGE).read_text() == (space.home / CARD_PAGE).read_text()


def test_posts_that_were_not_read_are_told_from_those_that_were(space: Workspace) -> None:
    seen = Fingerprints.load(space.models / "posts.npy")
    card = json.loads((space.models / "card.json").read_text(encoding="utf-8"))
    assert len(seen) == card["data"]["hashes"] > 10_000  # an empty list would tell all of them apart
    assert not seen.holds("A sentence that nobody on any forum has written before this test, in just these words.")


def test_the_copy_guard_is_small_and_knows_what_was_read() -> None:
    guard = phrases_of(Workspace(Path("nowhere")), f"{PACKAGE}mixture", lambda line: None)
    assert guard.runs > 1_000_000 and guard.array.nbytes <= 6e6
    assert not guard.copied("A sentence that nobody on any forum has written before this test, in just these words.")
    assert guard.knows("telephone") and not guard.knows("elaborateate")


def test_its_mixture_sums_to_one(space: Workspace) -> None:
    mixture = cast(LanguageModel, space.load("mixture"))
    state = mixture.start(())
    for token in [None, *mixture.tokenizer.encode("The problem with")]:
        state = state if token is None else mixture.advance(state, token)
        assert abs(np.exp(mixture.log_probs(state).astype(np.float64)).sum() - 1) <= 1e-4


def test_complete_works_in_a_new_process_without_tensorflow(tmp_path: Path) -> None:
    code = (
        "import sys; from rejoinder.cli import app; "
        f"app(['complete', 'The problem with microservices is', '--home', {str(tmp_path)!r}], standalone_mode=False); "
        "assert not {'tensorflow', 'keras', 'torch', 'jax', 'onnx'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("The problem with microservices is ") and "mixture" in done.stdout
    assert not list(tmp_path.iterdir())  # asking writes nothing

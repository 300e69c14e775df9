"""Flows that a program can call as the command line does: auditing, bundling, learning the tokenizer anew."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import make_archive, toy_posts

from rejoinder.errors import UsageError
from rejoinder.home.fitting import FitConfig, fit, to_fit
from rejoinder.home.retraining import forget_and_retrain
from rejoinder.home.workspace import Workspace
from rejoinder.publish.auditing import CANARIES, AuditPlan, audit_home
from rejoinder.text.tensors import open_tokenizer

RECIPE = {"tokenizer": {"size": 300}, "unigram": {}}
FEW = {"each": 1, "alternatives": 20, "samples": 1}


@pytest.fixture
def space(tmp_path: Path) -> Workspace:
    make_archive(tmp_path / "archive.db", toy_posts()).close()
    return Workspace(tmp_path)


def test_an_audit_goes_on_with_the_canaries_it_planted(space: Workspace, tmp_path: Path) -> None:
    first = audit_home(space, AuditPlan(RECIPE, keep=tmp_path / "kept", config=FEW))
    assert first.passed and [one.rung for one in first.rungs] == ["unigram"]
    assert first.most_exposure_bits == 4.39  # log2 of 21
    again = audit_home(space, AuditPlan(models=tmp_path / "kept"))
    assert again.secrets == first.secrets and again.rungs == first.rungs and (tmp_path / "kept" / CANARIES).is_file()
    with pytest.raises(UsageError, match="planted with --each 1, not 2"):
        audit_home(space, AuditPlan(models=tmp_path / "kept", config={"each": 2}))
    with pytest.raises(UsageError, match="leave out --config and --keep"):
        AuditPlan(RECIPE, models=tmp_path)


def test_a_tokenizer_learned_anew_makes_anew_what_was_fitted(space: Workspace) -> None:
    assert not fit(space, ["unigram", "markov"], FitConfig(vocabulary=400, seed=3), {"markov": {"discount": 0.6}})
    before = open_tokenizer(space.home).fingerprint()
    done = forget_and_retrain(space, [10])
    assert (done.outcome.posts, done.again, done.failed, done.foreign) == (1, ("unigram", "markov"), {}, ())
    found = space.fitted("markov")
    assert found is not None and (found.manifest["config"]["discount"], found.manifest["seed"]) == (0.6, 3) and not found.stale
    assert open_tokenizer(found.directory).fingerprint() == open_tokenizer(space.home).fingerprint() != before


def test_a_fit_with_a_tokenizer_learned_anew_fits_every_language_model_that_is_there(space: Workspace) -> None:
    assert not fit(space, ["unigram", "bm25"], FitConfig(vocabulary=400), {})
    anew = FitConfig(vocabulary=300, retrain_tokenizer=True)
    assert to_fit(space, ["markov"], anew) == ("markov", "unigram")
    assert to_fit(space, ["markov"], FitConfig()) == ("markov",)
    assert not fit(space, ["markov"], anew, {})
    tokenizers = {
        open_tokenizer(found.directory).fingerprint() for name in ("unigram", "markov") if (found := space.fitted(name))
    }
    assert tokenizers == {open_tokenizer(space.home).fingerprint()}

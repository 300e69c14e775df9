"""The home folder: fitting, loading, staleness, the embedded archive."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from conftest import make_archive, toy_posts

from rejoinder.errors import ConfigError, DamagedModel, ModelError, NotFitted, UsageError
from rejoinder.home.fitting import FitConfig, fit
from rejoinder.home.holders import claim
from rejoinder.home.sample import REPLYING, sample
from rejoinder.home.workspace import Workspace
from rejoinder.models import LADDER, Can, those_that, without_extras
from rejoinder.models.directory import check_hashes
from rejoinder.models.interfaces import Job, Training
from rejoinder.models.unigram import Unigram
from rejoinder.post import Kind, Post
from rejoinder.text.phrases import Phrases

SMALL = FitConfig(vocabulary=300)


@pytest.fixture
def space(tmp_path: Path) -> Workspace:
    make_archive(tmp_path / "archive.db", toy_posts()).close()
    return Workspace(tmp_path)


def test_fit_then_load_every_rung(space: Workspace) -> None:
    assert fit(space, without_extras(), SMALL, {}) == {}
    for name in without_extras():
        assert space.load(name).config == LADDER[name].load().Config()
    assert space.fitted_that(Can.PREDICT) == ["unigram", "markov", "logistic", "kneser_ney"]
    assert not (space.home / "scratch").exists()


def test_a_finished_fit_removes_its_own_checkpoint_and_no_other(space: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    fit_unigram = Unigram.fit

    def leaving(corpus: Any, config: Any, *, rng: Any, job: Job) -> Unigram:
        assert job.checkpoints is not None
        job.checkpoints.mkdir(parents=True)
        for name in ("own", "other"):
            (job.checkpoints / name).write_text("half way")
        model = fit_unigram(corpus, config, rng=rng, job=job)
        model.training = Training(spent=(job.checkpoints / "own",))
        return model

    monkeypatch.setattr(Unigram, "fit", leaving)
    assert fit(space, ["unigram"], SMALL, {}) == {}
    assert [left.name for left in (space.home / "checkpoints" / "unigram").iterdir()] == ["other"]


def test_whose_words_they_are_is_kept_beside_what_makes_text(space: Workspace) -> None:
    assert {name for name in LADDER if LADDER[name].phrases} == {
        n for n in those_that(Can.PREDICT) if not (LADDER[n].parts or LADDER[n].added)
    }
    fit(space, ["canned", "unigram", "kneser_ney"], SMALL, {})
    found = {name: space.fitted(name) for name in ("canned", "unigram", "kneser_ney")}
    kept = {name: Phrases.load(there.directory) for name, there in found.items() if there is not None}
    assert kept.pop("canned") is None and len(kept) == 2
    for phrases in kept.values():
        assert phrases is not None
        assert not phrases.copied("how long should bread dough rest in a cold kitchen")  # 40 posts say so
        assert phrases.copied("rest in a cold kitchen number 2")  # one does


def test_the_manifest_says_what_was_learned_from_what(space: Workspace) -> None:
    fit(space, ["markov"], FitConfig(vocabulary=300, seed=5), {"markov": {"discount": 0.4}})
    found = space.fitted("markov")
    assert found is not None
    m = found.manifest
    assert (m["rung"], m["config"], m["seed"], m["on"], m["split"]) == ("markov", {"discount": 0.4}, 5, "train", "hash")
    assert m["format"] == 1 and len(m["data"]) == 32 and m["code"] and m["fitted"] and m["seconds"] >= 0
    assert m["files"]["counts.npy"] == (found.directory / "counts.npy").stat().st_size


def test_equal_data_has_an_equal_fingerprint_and_other_data_another(space: Workspace, tmp_path: Path) -> None:
    def fingerprint(home: Path) -> str:
        fit(Workspace(home), ["canned"], SMALL, {})
        return json.loads(next((home / "models" / "canned").glob("*/manifest.json")).read_text())["data"]

    make_archive(tmp_path / "b" / "archive.db", reversed(list(toy_posts()))).close()
    make_archive(tmp_path / "c" / "archive.db", toy_posts(81)).close()
    first = fingerprint(space.home)
    assert first == fingerprint(space.home) == fingerprint(tmp_path / "b") != fingerprint(tmp_path / "c")


def test_a_new_fit_takes_the_place_of_the_old_whole(space: Workspace) -> None:
    fit(space, ["canned"], SMALL, {})
    old = space.fitted("canned")
    fit(space, ["canned"], SMALL, {"canned": {"keep": 5}})
    new = space.fitted("canned")
    assert old and new and new.manifest["config"]["keep"] == 5
    assert [p.name for p in (space.home / "models" / "canned").iterdir()] == [new.directory.name] != [old.directory.name]


def test_a_fit_that_broke_off_leaves_the_old_model_in_use(space: Workspace) -> None:
    fit(space, ["canned"], SMALL, {})
    claim(space.home / "models" / "canned" / "0099")  # a crash before the manifest was written
    found = space.fitted("canned")
    assert found and found.directory.name == "0001"
    fit(space, ["canned"], SMALL, {})
    assert [p.name for p in (space.home / "models" / "canned").iterdir()] == ["0100"]


@pytest.mark.parametrize("damage", ["cut", "missing", "format"])
def test_a_damaged_model_is_a_clear_error(space: Workspace, damage: str) -> None:
    fit(space, ["markov"], SMALL, {})
    directory = space.home / "models" / "markov" / "0001"
    if damage == "cut":
        (directory / "weight.npy").write_bytes((directory / "weight.npy").read_bytes()[:-4])
    elif damage == "missing":
        (directory / "weight.npy").unlink()
    else:
        manifest = json.loads((directory / "manifest.json").read_text())
        (directory / "manifest.json").write_text(json.dumps({**manifest, "format": 99}))
    with pytest.raises(DamagedModel, match="fit again"):
        space.load("markov")


@pytest.mark.parametrize("small", [True, False])
def test_an_altered_byte_is_found_when_a_model_is_opened_or_by_a_thorough_check(
    small: bool, space: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rejoinder.models.directory.SMALL", 2**20 if small else 0)
    fit(space, ["kneser_ney"], SMALL, {})
    directory = space.home / "models" / "kneser_ney" / "0001"
    check_hashes(directory)
    file = directory / "index2.log_prob.npy"
    file.write_bytes(file.read_bytes()[:-1] + b"\x00")
    if small:
        with pytest.raises(DamagedModel, match=r"index2\.log_prob\.npy was altered"):
            space.load("kneser_ney")
    else:
        space.load("kneser_ney")  # the size is right
    with pytest.raises(DamagedModel, match=r"index2\.log_prob\.npy was altered"):
        check_hashes(directory)


def test_what_is_not_fitted_is_named(space: Workspace) -> None:
    with pytest.raises(NotFitted, match="rejoinder fit bm25"):
        space.load("bm25")
    with pytest.raises(UsageError, match="did you mean `markov`"):
        space.load("marcov")
    fit(space, ["unigram"], SMALL, {})
    with pytest.raises(ModelError, match="cannot do this; those that can: canned, bm25"):
        space.load_those(Can.PROPOSE, ["unigram"])


def test_a_wrong_setting_stops_before_anything_is_fitted(space: Workspace) -> None:
    with pytest.raises(ConfigError, match="did you mean `discount`"):
        fit(space, without_extras(), SMALL, {"markov": {"discuont": 0.5}})
    assert not (space.home / "models").exists()


def test_a_rung_that_fails_does_not_stop_the_others(tmp_path: Path) -> None:
    make_archive(tmp_path / "archive.db", [Post(n, Kind.STORY, "no replies here") for n in range(1, 30)]).close()
    failed = fit(Workspace(tmp_path), without_extras(), SMALL, {})
    assert list(failed) == ["bm25", "pair_encoder", "fusion", "trigger"] and "no reply" in str(failed["bm25"])  # made of them
    assert Workspace(tmp_path).fitted("markov") is not None and Workspace(tmp_path).fitted("bm25") is None


def test_the_tokenizer_is_kept_until_it_is_asked_to_be_learned_anew(space: Workspace) -> None:
    fit(space, ["markov"], SMALL, {})
    before = (space.home / "tokenizer.json").read_bytes()
    fit(space, ["markov"], FitConfig(vocabulary=280), {})
    assert (space.home / "tokenizer.json").read_bytes() == before
    fit(space, ["markov"], FitConfig(vocabulary=280, retrain_tokenizer=True), {})
    assert (space.home / "tokenizer.json").read_bytes() != before


def test_on_all_learns_from_every_thread_and_says_so(space: Workspace) -> None:
    fit(space, ["bm25"], FitConfig(on="all", vocabulary=300), {})
    found = space.fitted("bm25")
    assert found and found.manifest["on"] == "all"
    assert len(space.load("bm25").propose([Post(1, text="engine dough")], 1000)) == 160  # type: ignore[attr-defined]  # both replies of 80 threads


def test_a_changed_archive_is_noticed_and_moved_threads_make_rungs_stale(space: Workspace) -> None:
    """New posts leave a rung behind. Only threads that change their part make its figures dishonest."""
    fit(space, ["canned"], SMALL, {})
    with space.open_archive() as archive:
        archive.add([Post(5000, Kind.STORY, "new")])
    found = space.fitted("canned")
    assert found and found.behind and not found.stale
    with space.open_archive() as archive:
        joined = archive.add(Post(6000 + n, text="joins all", parent=10, story=None) for n in range(3))
        assert joined.resplit == 0
        roots = [post._replace(parent=7) for post in archive.posts("parent IS NULL AND id < 800")]
        assert archive.add(roots).resplit > 0  # every thread now hangs below post 7, and shares its part
    found = space.fitted("canned")
    assert found and found.stale


def test_the_embedded_archive_is_large_and_varied_enough(sample_home: Path) -> None:
    from rejoinder.archive.info import read_info

    inside = sample(Workspace(sample_home))
    with inside.open_archive() as archive:
        found = read_info(archive)
    assert found.threads >= 80 and found.posts >= 600 and found.parts["test"]["posts"] >= 20
    assert found.orphans == found.circular == 0
    assert all(inside.fitted(name) for name in REPLYING)


def test_the_embedded_archive_is_made_once(sample_home: Path, tmp_path: Path) -> None:
    shutil.copytree(sample_home, tmp_path, dirs_exist_ok=True)
    first = sample(Workspace(tmp_path))
    stamp = {file: file.stat().st_mtime_ns for file in (first.home / "models").rglob("manifest.json")}
    again = sample(Workspace(tmp_path), REPLYING)
    assert {file: file.stat().st_mtime_ns for file in (again.home / "models").rglob("manifest.json")} == stamp
    shutil.rmtree(first.home / "models" / "bm25")
    assert sample(Workspace(tmp_path), REPLYING).fitted("bm25") is not None

"""The climb, from an archive to the report: every row accounted for, kept work kept, and what stops it said."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import toy_posts

from rejoinder.archive.reader import ArchiveCorpus
from rejoinder.archive.split import Split, first_share, hash_split
from rejoinder.climb.entries import Entry, entries
from rejoinder.climb.executor import Row
from rejoinder.climb.run import FOLDER, ClimbConfig, climb
from rejoinder.climb.task_cache import Setup, Unit, run
from rejoinder.errors import UsageError
from rejoinder.home.workspace import Workspace

THREADS = 1_300  # a tenth of them is the test part: enough for 99 replies of other threads
RUNGS = ("canned", "unigram", "markov", "bm25")
FEW = (1 / 4, 1 / 2, 1.0)  # shares: a process for each costs a second


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A home with the toy archive."""
    found = Workspace(tmp_path_factory.mktemp("climb"))
    with found.open_archive(create=True) as archive:
        archive.set_forum("toy")
        archive.add(toy_posts(THREADS))
    return found


@pytest.fixture(scope="module")
def report(space: Workspace) -> dict[str, Any]:
    """A whole climb of some cheap rungs."""
    return climb(space, ClimbConfig(RUNGS, budget=None), {})


@pytest.fixture(scope="module", autouse=True)
def _little_work() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for module in ("executor", "plan"):
            patch.setattr(f"rejoinder.climb.{module}.SHARES", FEW)
        for name, number in (("POSTS", 60), ("KEYED_POSTS", 12), ("PAIRS", 40), ("CURVE_POSTS", 40), ("CURVE_PAIRS", 20)):
            patch.setattr(f"rejoinder.climb.executor.{name}", number)
        yield


def row(report: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    return next(one for one in report["rungs"] if one["name"] == name)


def test_every_rung_has_its_row(report: dict[str, Any]) -> None:
    assert [one["name"] for one in report["rungs"]] == list(RUNGS)
    assert {one["name"]: one["state"] for one in report["rungs"]} == dict.fromkeys(RUNGS, "measured")
    assert report["verdict"]["typing"]["neural"] is None  # no net was measured


def test_figures_are_those_of_a_sane_ladder(report: dict[str, Any]) -> None:
    unigram, markov = (row(report, name)["typing"]["all"] for name in ("unigram", "markov"))
    assert markov["bits_per_byte"]["value"] < unigram["bits_per_byte"]["value"]
    for figures in (unigram, markov):
        assert all(one["low"] <= one["value"] <= one["high"] for one in (figures["bits_per_byte"], figures["savings"]))
        assert len(figures["top1"]) == 4
        assert len(figures["exact"]) == 8
        assert all(0 <= gate["coverage"] <= 1 and 0 <= gate["precision"] <= 1 for gate in figures["gate"])
    pair = report["neighbours"][0]
    assert (pair["kind"], pair["lower"], pair["upper"]) == ("typing", "unigram", "markov")
    assert pair["gain"]["low"] > 0
    assert row(report, "bm25")["replies"]["comment"]["recall@1"]["value"] == 0  # all thanks are alike, and a tie is lost


def test_what_it_cost_is_told(report: dict[str, Any]) -> None:
    for name in RUNGS:
        cost = row(report, name)["cost"]
        assert cost["fit_seconds"] > 0
        assert cost["peak_bytes"] > 10**7  # a process of its own
        assert cost["disk_bytes"] > 0
    assert row(report, "markov")["cost"]["keystroke_ms"]["p50"] > 0
    assert row(report, "bm25")["cost"]["reply_ms"]["p50"] > 0


def test_curves_have_all_shares(report: dict[str, Any]) -> None:
    curve = row(report, "markov")["curve"]
    assert [point["share"] for point in curve] == list(FEW)
    assert all(point["typing"] for point in curve)
    assert row(report, "markov")["law"] is None  # three points are too few


def test_a_second_climb_does_nothing_again(space: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    report = climb(
        space, ClimbConfig(RUNGS, budget=None), {}
    )  # another test's climb may have swept away what an earlier one made

    def forbidden(*_: Any) -> None:
        raise AssertionError("something was done again")

    monkeypatch.setattr("rejoinder.climb.task_cache.subprocess.Popen", forbidden)
    assert climb(space, ClimbConfig(RUNGS, budget=None), {}) == report
    again = climb(space, ClimbConfig(RUNGS[:3], budget=None), {})  # a report of fewer, from what is kept
    assert [one["name"] for one in again["rungs"]] == list(RUNGS[:3])


def test_a_setting_that_is_changed_is_measured_anew(space: Workspace, report: dict[str, Any]) -> None:
    changed = climb(space, ClimbConfig(("unigram", "markov"), budget=None), {"markov": {"discount": 0.2}})
    old, new = (row(r, "markov")["typing"]["all"]["bits_per_byte"]["value"] for r in (report, changed))
    assert new != old
    assert row(changed, "unigram")["typing"] == row(report, "unigram")["typing"]


def test_a_rung_that_fails_is_a_row_and_the_rest_go_on(space: Workspace) -> None:
    setting = {"word2vec": {"file": str(space.home / "nowhere.bin")}, "unigram": {}}
    found = climb(space, ClimbConfig(("unigram", "word2vec"), budget=None), setting)
    assert row(found, "word2vec")["state"] == "failed"
    assert "nowhere.bin" in row(found, "word2vec")["why"]
    assert row(found, "unigram")["state"] == "measured"


def test_a_budget_is_kept(space: Workspace) -> None:
    found = climb(space, ClimbConfig(("unigram", "markov"), budget=30.0, seed=1), {})
    assert found["seconds"] <= 1.5 * 30.0
    assert {one["name"] for one in found["rungs"]} == {"unigram", "markov"}


def test_what_takes_too_long_is_stopped(space: Workspace, tmp_path: Path) -> None:
    setup = Setup(space.archive_file, tmp_path, "hash", 0, "data", "code")
    done = run(Unit(setup, "tokens", {"share": 1.0, "vocabulary": 400}), seconds=0.05)
    assert done["stopped"] is True
    assert list(tmp_path.iterdir()) == []  # nothing half made is left


def test_a_worker_that_crashes_is_a_line(space: Workspace, tmp_path: Path) -> None:
    setup = Setup(space.archive_file, tmp_path, "hash", 0, "data", "code")
    done = run(Unit(setup, "nonsense", {}))
    assert "nonsense" in done["error"]


def test_nothing_to_resume_is_said(space: Workspace) -> None:
    with pytest.raises(UsageError, match="no interrupted climb"):
        climb(space, ClimbConfig(("unigram",), budget=45.0, resume=True), {})


def test_an_interrupted_climb_goes_on_with_what_it_had_left(space: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    config = ClimbConfig(("unigram",), budget=60.0, seed=2)

    def interrupted(_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("rejoinder.climb.run.follow", interrupted)
        with pytest.raises(KeyboardInterrupt):
            climb(space, config, {})
    file = space.home / FOLDER / "run.json"
    kept = json.loads(file.read_bytes())
    file.write_text(json.dumps({**kept, "spent": 20.0}))
    found = climb(space, replace(config, resume=True), {})
    assert found["seconds"] >= 20.0
    assert not file.exists()


def test_an_archive_that_is_too_small_is_refused(tmp_path: Path) -> None:
    small = Workspace(tmp_path)
    with small.open_archive(create=True) as archive:
        archive.add(toy_posts(4))
    with pytest.raises(UsageError, match="needs at least"):
        climb(small, ClimbConfig(("unigram",)), {})


def test_shares_are_nested_and_even() -> None:
    keys = np.arange(1, 100_000)
    found = [first_share(keys, share) for share in (1 / 16, 1 / 4, 1.0)]
    assert (found[0] <= found[1]).all()
    assert found[2].all()
    assert found[0].mean() == pytest.approx(1 / 16, rel=0.05)
    train = hash_split(keys) == Split.TRAIN
    assert found[1][train].mean() == pytest.approx(1 / 4, rel=0.05)  # of train as of all


def test_a_share_of_a_corpus_is_of_train_only(space: Workspace, tmp_path: Path) -> None:
    with space.open_archive() as archive:
        whole = {thread.key for thread in ArchiveCorpus(archive, tmp_path).threads("train")}
    with space.open_archive() as archive:
        corpus = ArchiveCorpus(archive, tmp_path, share=1 / 4)
        part, dev = {thread.key for thread in corpus.threads("train")}, list(corpus.threads("dev"))
    assert part < whole
    assert len(part) == pytest.approx(len(whole) / 4, rel=0.2)
    assert len(dev) > 50


def test_two_fits_tell_what_a_larger_one_costs() -> None:
    """1 s at 1/16 and 1.5 s at 1/8: 8 s more for all of the data, and 0.5 s whatever the size, so 8.5 s, a tenth more in all."""
    unit = Unit(Setup(Path(), Path(), "hash", 0, "", ""), "fit", {})
    known = Row(Entry("x", "markov"))
    known.fits = {share: (unit, {"fit_seconds": s, "wall_seconds": s + 1}) for share, s in ((1 / 16, 1.0), (1 / 8, 1.5))}
    assert known.seconds(1.0) == pytest.approx(1 + 1.1 * 8.5)


def test_a_fusion_with_nets_has_one_without_beside_it() -> None:
    found = {entry.name: entry for entry in entries(("fusion", "bm25", "dual_encoder"), {})}
    assert found["fusion"].net
    assert not found["fusion without nets"].net
    assert found["fusion without nets"].parts == ("bm25", "pmi_svd")
    assert [entry.name for entry in entries(("bm25", "fusion"), {})] == ["bm25", "fusion"]
    assert all(entry.shipped == ("package" in entry.name) for entry in entries(None, {}))

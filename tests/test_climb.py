"""The climb, from an archive to the report: every row accounted for, kept work kept, and what stops it said."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from time import sleep
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from conftest import toy_posts

from rejoinder.archive.places import place
from rejoinder.archive.reader import ArchiveCorpus
from rejoinder.archive.split import Split, first_share, hash_split
from rejoinder.climb import task_cache, tasks
from rejoinder.climb.cost import _trained, cost_of
from rejoinder.climb.entries import Entry, entries, full_config, settings_of
from rejoinder.climb.executor import EntryProgress, Executor
from rejoinder.climb.plan import _measure
from rejoinder.climb.run import FOLDER, REPORT, ClimbConfig, _data, _kept, _typed, climb
from rejoinder.climb.task_cache import code_version, run
from rejoinder.climb.tasks import (
    Choose,
    Experiment,
    Failed,
    Fit,
    FittedModel,
    Limits,
    Measured,
    MeasureText,
    OutOfTime,
    Task,
    Tokenize,
    Tokenized,
    as_json,
)
from rejoinder.climb.worker import Worker, measured_on
from rejoinder.config import read_settings, resolve
from rejoinder.engine.gate import CASES, Calibration
from rejoinder.errors import ArchiveError, UsageError
from rejoinder.home.fitting import FitConfig, fit
from rejoinder.home.holders import folder
from rejoinder.home.workspace import Workspace
from rejoinder.ladder.examples import EXAMPLES, MOST
from rejoinder.ladder.metrics import FEWEST
from rejoinder.ladder.page import page
from rejoinder.ladder.report import MeasuredRung, Report, write
from rejoinder.models import LADDER, Can, Rung
from rejoinder.models.directory import seal
from rejoinder.models.interfaces import silent
from rejoinder.models.kneser_ney import KneserNeyConfig
from rejoinder.post import Post

THREADS = 1_300  # a tenth of them is the test part: enough for 99 replies of other threads
RUNGS = ("canned", "unigram", "markov", "bm25")
FEW = (1 / 4, 1 / 2, 1.0)  # shares: a process for each costs a second


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A home with the toy archive."""
    found = Workspace(tmp_path_factory.mktemp("climb"))
    with found.open_archive(create=True) as archive:
        place(archive, "toy", hashed=False)
        archive.add(toy_posts(THREADS))
    return found


@pytest.fixture(scope="module")
def report(space: Workspace) -> Report:
    """A whole climb of some cheap rungs."""
    return climb(space, ClimbConfig(RUNGS, budget=None), {})


@pytest.fixture(scope="module", autouse=True)
def _little_work() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for module in ("executor", "plan"):
            patch.setattr(f"rejoinder.climb.{module}.SHARES", FEW)
        for name, number in (("POSTS", 60), ("KEYED_POSTS", 12), ("RANKED_PAIRS", 40), ("CURVE_POSTS", 40), ("CURVE_PAIRS", 20)):
            patch.setattr(f"rejoinder.climb.executor.{name}", number)
        yield


def rung(report: Report, name: str) -> MeasuredRung:
    return next(one for one in report.rungs if one.name == name)


def bits(report: Report, name: str) -> float:
    found = rung(report, name).text().bits_per_byte
    assert found is not None
    return found.value


def test_every_rung_has_its_row(report: Report) -> None:
    assert {one.name: one.state for one in report.rungs} == dict.fromkeys(RUNGS, "measured")
    assert report.verdicts["typing"].neural is None  # no net was measured


def test_figures_are_those_of_a_sane_ladder(report: Report) -> None:
    assert bits(report, "markov") < bits(report, "unigram")
    for figures in (rung(report, name).text() for name in ("unigram", "markov")):
        assert figures.bits_per_byte is not None and figures.savings is not None
        assert (figures.bits_per_byte.number, figures.savings.number) == (60, 12)
        assert all(one.low <= one.value <= one.high for one in (figures.bits_per_byte, figures.savings))
        assert len(figures.top1) == 4
        assert len(figures.exact) == 8
        assert all(0 <= gate.coverage <= 1 and 0 <= gate.precision <= 1 for gate in figures.gate)
    step = report.steps[0]
    assert (step.kind, step.lower, step.upper, step.gain.number) == ("typing", "unigram", "markov", 60)
    assert step.gain.low > 0
    ranked = rung(report, "bm25").replies["comment"].other_threads.recall_1
    assert (ranked.value, ranked.number) == (0, 40)  # all thanks are alike, and a tie is lost


def test_what_it_cost_is_told(report: Report) -> None:
    for name in RUNGS:
        cost = rung(report, name).cost
        assert cost.fit_seconds == cost.whole_seconds
        assert cost.fit_seconds is not None and cost.fit_seconds > 0
        assert cost.peak_bytes is not None and cost.peak_bytes > 10**7  # a process of its own
        assert cost.disk_bytes is not None and cost.disk_bytes > 0
    for name, kind in (("markov", "typing"), ("bm25", "replies")):
        times = rung(report, name).latency(kind)  # type: ignore[arg-type]
        assert times is not None and 0 < times.p50 <= times.p99


def test_curves_have_all_shares(report: Report) -> None:
    curve = rung(report, "markov").curve
    assert [point.share for point in curve] == list(FEW)
    assert all("typing" in point.figures for point in curve)
    assert rung(report, "markov").law is None  # three points are too few


def test_where_the_two_best_differ_is_a_page_of_its_own(space: Workspace) -> None:
    climb(space, ClimbConfig(RUNGS, budget=None), {})  # the page is of the last climb, which may have been another test's
    made = (space.home / FOLDER / EXAMPLES).read_text()
    assert "Finishing sentences: markov and unigram" in made and "the person wrote" in made
    assert 1 <= made.count("<article") <= MOST
    assert "dough" in made and "dough" not in (space.home / FOLDER / "ladder.json").read_text()  # a report holds no words


def test_a_second_climb_does_nothing_again(space: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    report = climb(
        space, ClimbConfig(RUNGS, budget=None), {}
    )  # another test's climb may have swept away what an earlier one made

    def forbidden(*_: Any) -> None:
        raise AssertionError("something was done again")

    monkeypatch.setattr("rejoinder.climb.task_cache.subprocess.Popen", forbidden)
    assert climb(space, ClimbConfig(RUNGS, budget=None), {}) == report
    again = climb(space, ClimbConfig(RUNGS[:3], budget=None), {})  # a report of fewer, from what is kept
    assert [one.name for one in again.rungs] == list(RUNGS[:3])


def test_a_setting_that_is_changed_is_measured_anew(space: Workspace, report: Report) -> None:
    changed = climb(space, ClimbConfig(("unigram", "markov"), budget=None), {"markov": {"discount": 0.2}})
    assert bits(changed, "markov") != bits(report, "markov")
    assert rung(changed, "unigram").typing == rung(report, "unigram").typing


def test_a_rung_that_fails_is_a_row_and_the_rest_go_on(space: Workspace) -> None:
    setting = {"word2vec": {"file": str(space.home / "nowhere.bin")}, "unigram": {}}
    found = climb(space, ClimbConfig(("unigram", "word2vec"), budget=None), setting)
    assert rung(found, "word2vec").state == "failed"
    assert "nowhere.bin" in rung(found, "word2vec").why
    assert rung(found, "unigram").state == "measured"


def test_what_was_kept_and_is_damaged_is_done_again(space: Workspace) -> None:
    asked = ClimbConfig(("unigram", "markov", "bm25"), budget=None, seed=7)
    whole = climb(space, asked, {})
    root = space.home / FOLDER
    for kept in (path for path in root.iterdir() if path.is_dir()):
        _, file = max((file.stat().st_size, file) for file in kept.rglob("*") if file.is_file())
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 0xFF
        file.write_bytes(data)
    (root / REPORT).unlink()
    again = climb(space, asked, {})
    for name in asked.rungs or ():
        assert rung(again, name).state == "measured", rung(again, name).why
    assert [bits(again, name) for name in ("unigram", "markov")] == [bits(whole, name) for name in ("unigram", "markov")]
    assert rung(again, "bm25").replies["comment"].other_threads == rung(whole, "bm25").replies["comment"].other_threads


def test_what_lies_there_and_is_damaged_is_a_row_and_the_rest_go_on(space: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not fit(space, ["markov"], FitConfig(vocabulary=400), {})
    there = space.fitted("markov")
    assert there is not None
    (there.directory / "config.json").write_text("{}")
    with monkeypatch.context() as patch:
        patch.setitem(LADDER, "markov", replace(LADDER["markov"], added=True))
        (given,) = (entry for entry in entries(None, {}, space) if entry.home)
    monkeypatch.setattr("rejoinder.climb.run.entries", lambda *_: [Entry("unigram", "unigram"), given])
    found = climb(space, ClimbConfig(("unigram",), budget=None, seed=8), {})
    assert (rung(found, "markov").state, rung(found, "unigram").state) == ("failed", "measured")
    assert "config.json is damaged" in rung(found, "markov").why and "\n" not in rung(found, "markov").why


def test_a_budget_is_kept(space: Workspace) -> None:
    found = climb(space, ClimbConfig(("unigram", "markov"), budget=30.0, seed=1), {})
    assert found.seconds <= 1.5 * 30.0
    assert {one.name for one in found.rungs} == {"unigram", "markov"}


TOKENS = Tokenize(1.0, 400)


def task(space: Workspace, root: Path, work: Any = TOKENS, **other: Any) -> Task:
    return Task(replace(Experiment(space.archive_file, root, "hash", 0, "data", "code", "package"), **other), work)


def test_what_takes_too_long_is_stopped(space: Workspace, tmp_path: Path) -> None:
    assert isinstance(run(task(space, tmp_path), seconds=0.05), OutOfTime)
    assert list(tmp_path.iterdir()) == []  # nothing half made is left


WORKERS = {
    "says half a line and sleeps": "sys.stdout.write('[1'); sys.stdout.flush(); time.sleep(600)",
    "closes its mouth and sleeps": "os.close(1); time.sleep(600)",
    "will not be told": "signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)",
    "talks without end": "signal.alarm(60)\nwhile True: sys.stdout.write('x' * 4096)",
    "leaves a child behind": "os.fork(); time.sleep(600)",
}


@pytest.mark.parametrize("does", WORKERS)
def test_the_limit_holds_whatever_a_worker_does(
    does: str, space: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, honest = tmp_path / "lock", task_cache.subprocess.Popen

    def rogue(command: list[str], **how: Any) -> Any:
        locked = f"file = open({str(lock)!r}, 'w'); os.set_inheritable(file.fileno(), True); fcntl.flock(file, fcntl.LOCK_EX)"
        code = f"import fcntl, os, signal, subprocess, sys, time\n{locked}\n{WORKERS[does]}"
        return honest([command[0], "-c", code], **how)

    monkeypatch.setattr("rejoinder.climb.task_cache.subprocess.Popen", rogue)
    monkeypatch.setattr("rejoinder.climb.task_cache._GRACE", 0.5)
    assert isinstance(run(task(space, tmp_path), seconds=2.0), OutOfTime)
    with lock.open("w") as file:  # whoever runs on holds it
        for _ in range(200):  # the system takes what was killed away in a moment
            with suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            sleep(0.05)
    pytest.fail("something that the worker started runs on")


def test_a_worker_that_crashes_is_a_line(space: Workspace, tmp_path: Path) -> None:
    done = run(task(space, tmp_path, Fit("nonsense", 1.0, {}, {}, None)))
    assert isinstance(done, Failed)
    assert "nonsense" in done.error


def test_a_key_depends_on_all_that_its_result_does(space: Workspace, tmp_path: Path) -> None:
    def fit_of(name: str) -> Fit:
        return Fit(name, 1.0, {}, {}, None)

    choose, ours, theirs = Choose(None), MeasureText("lstm", "key", "posts", True), MeasureText("lstm", None, "posts", True)
    for name, other in (("data", "x"), ("code", "x"), ("split", "time"), ("seed", 1)):
        assert task(space, tmp_path, ours).key != task(space, tmp_path, ours, **{name: other}).key, name
    for work, looks in (
        (choose, True),
        (theirs, True),
        (ours, False),
        (fit_of("pair_encoder"), True),
        (fit_of("bm25"), False),
    ):  # whether it looks at the package's models
        same = task(space, tmp_path, work).key == task(space, tmp_path, work, package="another").key
        assert same is not looks
    assert task(space, tmp_path, ours).key == task(space, tmp_path / "elsewhere", ours).key
    assert task(space, tmp_path, ours).key != task(space, tmp_path, replace(ours, keystrokes=False)).key


def test_the_code_of_figures_is_known_with_that_of_plugins_and_libraries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = code_version()
    assert known == code_version()
    with monkeypatch.context() as patch:
        patch.setattr(task_cache, "version", lambda name: "another" if name == "numpy" else "")
        assert code_version() != known
    module = tmp_path / "strange_rung.py"
    module.write_text("one = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(LADDER, "strange", Rung("strange_rung:Strange", Can.PREDICT, "a stranger's"))
    found = code_version()
    module.write_text("one = 2\n")
    assert len({known, found, code_version()}) == 3


def test_what_was_done_with_much_less_effort_is_done_again(space: Workspace, tmp_path: Path) -> None:
    """75 of 100 seconds are enough; 74 are not, and nothing is where all there is may be taken, but for what was whole."""
    for effort, whole, now, kept in (
        (75.0, False, 100.0, True),
        (74.0, False, 100.0, False),
        (74.0, True, None, True),
        (9e9, False, None, False),
    ):
        of = replace(task(space, tmp_path), limits=Limits(effort=effort))
        of.place.mkdir(exist_ok=True)
        (of.place / "task.json").write_bytes(as_json(of))
        (of.place / "done.json").write_bytes(as_json(Tokenized(key=of.key, whole=whole)))
        seal(of.place, {})
        assert (task_cache.kept(replace(of, limits=Limits(effort=now))) is not None) is kept


def test_nothing_to_resume_is_said(space: Workspace) -> None:
    with pytest.raises(UsageError, match="no interrupted climb"):
        climb(space, ClimbConfig(("unigram",), budget=45.0, resume=True), {})


def test_an_interrupted_climb_goes_on_with_what_it_had_left(space: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    config = ClimbConfig(("unigram",), budget=60.0, seed=2)

    def interrupted(_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("rejoinder.climb.run.carry_out", interrupted)
        with pytest.raises(KeyboardInterrupt):
            climb(space, config, {})
    file = space.home / FOLDER / "run.json"
    kept = json.loads(file.read_bytes())
    file.write_text(json.dumps({**kept, "spent": 20.0}))
    found = climb(space, replace(config, resume=True), {})
    assert found.seconds >= 20.0
    assert not file.exists()


def test_an_archive_that_is_too_small_is_refused(tmp_path: Path) -> None:
    small = Workspace(tmp_path)
    with small.open_archive(create=True) as archive:
        archive.add(toy_posts(4))
    with pytest.raises(UsageError, match="needs at least"):
        climb(small, ClimbConfig(("unigram",)), {})


def test_an_archive_that_changes_meanwhile_ends_the_climb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rungs that were asked about the posts of two archives could not be compared; what was done last is not kept."""
    home = Workspace(tmp_path)
    with home.open_archive(create=True) as archive:
        archive.add(toy_posts(300))

    def run_meanwhile(task: Task, *given: Any) -> Any:
        with home.open_archive() as archive:
            archive.add([Post(10**6, text="one post more")])
        return run(task, *given)

    monkeypatch.setattr("rejoinder.climb.executor.run", run_meanwhile)
    with pytest.raises(ArchiveError, match="run the same command again"):
        climb(home, ClimbConfig(("unigram",)), {})
    assert not [path for path in (tmp_path / FOLDER).iterdir() if path.is_dir()]


def test_another_archive_as_large_and_as_often_changed_is_another(tmp_path: Path) -> None:
    home, hashes = Workspace(tmp_path), set()
    folder(tmp_path, FOLDER)
    for text in ("bread", "water"):
        home.archive_file.replace(tmp_path / "old.db") if home.archive_file.exists() else None
        with home.open_archive(create=True) as archive:
            archive.add([Post(1, text=text)])
        with home.open_archive() as archive:
            hashes.add(_data(archive, home, "hash"))
    assert len(hashes) == 2


def test_a_report_says_what_was_asked_for_as_it_is_typed(report: Report) -> None:
    assert report.asked == RUNGS
    config = ClimbConfig(None, 60.0, "time", 3)
    typed = _typed(config, {"mixture": {"models": ["unigram", "markov"]}})
    assert typed == ("--split", "time", "--seed", "3", "--set", 'mixture.models=["unigram", "markov"]')
    assert read_settings(None, typed[-1:], LADDER) == {"mixture": {"models": ["unigram", "markov"]}}


def test_a_report_without_a_figure_is_not_kept_for_an_answer(report: Report, tmp_path: Path) -> None:
    for found in (report, replace(report, rungs=())):
        write(tmp_path / REPORT, found)
        assert _kept(tmp_path / REPORT, report.key) == (found if found.rungs else None)


def test_by_too_few_threads_it_is_not_said_what_is_told_apart(
    space: Workspace, report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over one thread the interval of a bootstrap is a point, and whatever is ahead would be surely so."""
    assert FEWEST <= report.scored.threads["typing"] <= 60
    monkeypatch.setattr("rejoinder.climb.analysis.FEWEST", 1_000)
    found = climb(space, ClimbConfig(RUNGS[:3], budget=None, seed=11), {})  # that no other test asks with, whose answer is kept
    assert report.ties["typing"] and found.ties == {}


def test_who_got_to_a_few_posts_only_takes_nothing_from_the_others(space: Workspace) -> None:
    executor = Executor(Experiment(Path(), space.home / "few", "hash", 1, "", "", ""), [], None, 0, silent)
    executor.chosen = tasks.Chosen(key="chosen", pairs={"comment": 5, "story": 300})
    for name, rows in {"chosen/posts": 300, "typed/text": 19, "most/text": 20, "ranked/comment": 5, "ranked/story": 7}.items():
        file = executor.experiment.root / f"{name}.npy"
        file.parent.mkdir(parents=True, exist_ok=True)
        np.save(file, np.zeros(rows))

    def too_few(key: str, kind: Any, *, whole: bool = False) -> int:
        return executor._too_few(Measured(key=key, whole=whole, load_seconds=0, milliseconds=[]), kind)

    assert (too_few("typed", "typing"), too_few("most", "typing"), too_few("ranked", "replies")) == (19, 0, 7)
    assert too_few("typed", "typing", whole=True) == 0  # there are no more


def test_of_many_held_out_posts_no_more_are_held_than_a_sample(space: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    with space.open_archive() as archive:
        every = measured_on(archive, "hash")
        monkeypatch.setattr("rejoinder.climb.worker._HELD", 100)
        some = measured_on(archive, "hash")
        assert some == measured_on(archive, "hash")
    assert sum(len(thread.posts) for thread in every) > 100 >= sum(len(thread.posts) for thread in some) > 0
    assert all(thread in every for thread in some)


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
    known, made = EntryProgress(Entry("x", "markov")), {"rung": "markov", "parts": {}, "config": {}, "dev": ()}
    for share, seconds in ((1 / 16, 1.0), (1 / 8, 1.5)):
        cost = {"fit_seconds": seconds, "wall_seconds": seconds + 1, "cpu_seconds": 0.0, "peak_bytes": 0, "disk_bytes": 0}
        known.fits[share] = FittedModel(key="", **made, **cost)  # type: ignore[arg-type]
    assert known.seconds(1.0) == pytest.approx(1 + 1.1 * 8.5)


def test_a_fusion_with_nets_has_one_without_beside_it() -> None:
    found = {entry.name: entry for entry in entries(("fusion", "bm25", "dual_encoder"), {})}
    assert found["fusion"].net
    assert not found["fusion without nets"].net
    assert found["fusion without nets"].parts == ("bm25", "pmi_svd")
    assert [entry.name for entry in entries(("bm25", "fusion"), {})] == ["bm25", "fusion"]
    assert all(entry.shipped == ("package" in entry.name) for entry in entries(None, {}))


def test_what_stands_against_nets_is_as_strong_as_can_be() -> None:
    """Counts with a cache whose weights are fitted on dev, made of those beside them; at the end a compressor."""
    found = entries(None, {})
    names = [entry.name for entry in found]
    cached = found[names.index("kneser_ney with cache")]
    assert names.index("kneser_ney") + 1 == names.index("kneser_ney with cache") and names[-1] == "PPMd"
    assert settings_of(cached) == ("kneser_ney.cache=1000", "kneser_ney.cache_weights=[]") and settings_of(found[-1]) == ()
    assert resolve(KneserNeyConfig, read_settings(None, settings_of(cached), LADDER)["kneser_ney"], "") == KneserNeyConfig(
        cache=1000, cache_weights=()
    )
    assert cached.parts == ("kneser_ney",) and full_config(cached)["cache"] > 0 and not full_config(cached)["cache_weights"]
    assert (cached.net, cached.types, found[-1].types, found[-1].net, found[-1].replies, found[-1].ranks) == (
        False, True, True, False, False, False,
    )  # fmt: skip
    assert "kneser_ney with cache" not in [entry.name for entry in entries(("kneser_ney",), {"kneser_ney": {"cache": 9}})]


@pytest.mark.parametrize(("on", "split", "stale", "taken"), [
    ("train", "hash", False, True), ("all", "hash", False, False),
    ("train", "time", False, False), ("train", "hash", True, False),
])  # fmt: skip
def test_what_was_made_here_of_a_given_net_is_a_row_only_where_it_has_read_no_test_post(
    on: str, split: str, stale: bool, taken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An encoder of sentences is none: by itself it does nothing that is measured."""

    def lies_there(*parts: str) -> SimpleNamespace:
        manifest = {"parts": dict.fromkeys(parts, "1"), "on": on, "split": split}
        return SimpleNamespace(manifest=manifest, stale=stale, forgot=False, outdated=False, directory=Path())

    there = {"sentence_encoder": lies_there(), "sentence": lies_there("sentence_encoder")}
    there["word_mixture"] = lies_there("kneser_ney", "pretrained")
    home: Any = SimpleNamespace(home=Path(), fitted=there.get)
    monkeypatch.setattr("rejoinder.climb.entries.identity", lambda directory: "3")
    found = [entry for entry in entries(None, {}, home) if entry.home]
    rows = [("word_mixture", True, "3"), ("sentence", True, "3")]
    assert [(one.name, one.net, one.identity) for one in found] == rows * taken


def test_who_is_slow_is_measured_first_and_the_others_on_as_many_posts(space: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """With time for few posts, what the others were measured on besides could not be compared."""
    done: list[str] = []

    def measure(executor: Executor, trial: EntryProgress, kind: str, seconds: float) -> None:
        done.append(f"{trial.entry.name} {kind} {executor.posts} {executor.typed}")
        folder = executor.experiment.root / trial.entry.name
        folder.mkdir(parents=True)
        np.save(folder / "text.npy", np.zeros(30))
        np.save(folder / "keys.npy", np.zeros(3))
        trial.measured["typing"] = Measured(key=trial.entry.name, whole=False, load_seconds=0, milliseconds=[])

    monkeypatch.setattr(Executor, "measure", measure)
    monkeypatch.setattr("rejoinder.climb.executor._FEWEST_TYPED", 5)
    monkeypatch.setattr("rejoinder.climb.executor._FEWEST_POSTS", 20)
    monkeypatch.setattr("rejoinder.climb.plan.is_slow", lambda name: name == "pretrained")
    experiment = Experiment(Path(), space.home / "slow", "hash", 1, "", "", "")
    executor = Executor(
        experiment, [Entry("unigram", "unigram"), Entry("pretrained", "pretrained", shipped=True)], None, 0, silent
    )
    monkeypatch.setattr(Executor, "measurable", lambda executor, trial: ["typing"])
    _measure(executor)
    assert done == ["pretrained typing 60 12", "unigram typing 30 5"]


def test_what_a_net_was_trained_on_is_told_where_it_is_known() -> None:
    def given(**config: str) -> Any:
        return SimpleNamespace(manifest={"config": config})

    assert _trained(given(trained="2 trillion tokens")) == "on 2 trillion tokens"
    assert _trained(given(trained="")) == _trained(given()) == "by others"


def test_what_begins_with_weights_of_the_package_says_what_their_training_cost() -> None:
    found = [EntryProgress(entry) for entry in entries(("bm25", "pair_encoder", "fusion"), {})]
    trials = {one.entry.name: one for one in found}
    there = Workspace.shipped()
    seconds = there.fitted("pair_encoder").manifest["seconds"] if there else 0  # type: ignore[union-attr]
    told = f"beginning with what was trained elsewhere in {seconds / 60:.1f} min"
    assert {name: cost_of(one, trials).elsewhere for name, one in trials.items()} == {
        "bm25": "", "pair_encoder": told, "fusion without nets": "", "fusion": told,
    }  # fmt: skip


def test_a_rung_that_was_given_proposes_the_replies_it_is_timed_by(space: Workspace) -> None:
    given = Entry("sentence", "sentence", parts=("sentence_encoder",), shipped=True, home=space.home, identity="7")
    unfitted = Entry("bm25", "bm25")
    executor = Executor(Experiment(Path(), space.home, "hash", 1, "", "", ""), [given, unfitted], None, 0, silent)
    assert executor._sources(executor.trials["sentence"]) == {"sentence": f"{tasks.HOME}7"}
    assert executor._sources(executor.trials["bm25"]) == {}


@pytest.mark.parametrize("gated", [True, False])
def test_a_net_that_was_given_is_typed_with_its_own_gate_if_it_has_one(
    gated: bool, space: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    own, fresh = Calibration(slopes=(2.0,) * CASES), Calibration()
    if gated:
        own.save(tmp_path)
    monkeypatch.setattr("rejoinder.climb.worker.calibrate", lambda *_: fresh)
    monkeypatch.setattr(Workspace, "fitted", lambda *_: SimpleNamespace(directory=tmp_path))
    experiment = Experiment(space.home / "archive.db", tmp_path, "hash", 1, "", "", "")
    work = MeasureText("markov", f"{tasks.HOME}1", "", keystrokes=True)
    found = Worker(Task(experiment, work, Limits()))._gate(work, SimpleNamespace(), None)  # type: ignore[arg-type]
    assert found == (own if gated else fresh)


def test_a_compressor_and_what_others_trained_are_measured_beside_the_rungs(
    space: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The home's own Markov chain stands for what others trained: it is measured as it lies there, and was not fitted here."""
    assert not fit(space, ["markov"], FitConfig(vocabulary=400), {})
    with monkeypatch.context() as patch:
        patch.setitem(LADDER, "markov", replace(LADDER["markov"], added=True))
        (given,) = (entry for entry in entries(None, {}, space) if entry.home)
        assert "markov" not in [entry.name for entry in entries(None, {})]
    chosen = [Entry("unigram", "unigram"), given, Entry("PPMd", "PPMd", reference=True)]
    monkeypatch.setattr("rejoinder.climb.run.entries", lambda *_: chosen)
    found = climb(space, ClimbConfig(("unigram",), budget=None, seed=5), {})
    there = rung(found, "markov")
    assert (there.shipped, there.state, there.cost.whole_seconds) == (True, "measured", None)
    assert (
        there.cost.elsewhere == "trained elsewhere, by others (it may have read these very posts)"
        and "may have read these very posts" in there.what
    )
    assert f"it is there already, {there.cost.elsewhere}" in found.verdicts["typing"].sentences[0]
    assert "may have read these very posts" in page(found)
    row = rung(found, "PPMd")
    figure = row.text().bits_per_byte
    assert (row.reference, row.state, row.neural, figure.number if figure else 0) == (True, "measured", False, 60)
    assert bits(found, "PPMd") < bits(found, "unigram") and row.cost.whole_seconds and row.cost.keystroke_ms is None
    assert [step.upper for step in found.steps] == ["markov"] and found.ties == {"typing": (("markov",), ("unigram",))}
    assert "PPMd" in page(found)

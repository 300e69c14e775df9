"""What keeps figures honest: nothing is judged by what taught it, test posts are unread, and intervals are over threads.

`bench/mutants.py` breaks each of these on purpose and looks whether a test here notices.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import numpy as np
import pytest
from conftest import make_archive, make_corpus, toy_posts

from rejoinder.archive.reader import ArchiveCorpus, held_out
from rejoinder.archive.store import Archive
from rejoinder.climb import worker
from rejoinder.climb.analysis import Analysis
from rejoinder.climb.entries import Entry
from rejoinder.climb.executor import EntryProgress, Executor
from rejoinder.climb.tasks import Choose, Experiment, Limits, Measured, MeasureText, Task, Tokenize
from rejoinder.climb.worker import Worker
from rejoinder.engine.gate import Calibration
from rejoinder.home import fitting
from rejoinder.home.fitting import FitConfig
from rejoinder.home.trial import draw_trial
from rejoinder.home.workspace import Workspace
from rejoinder.ladder.heldout import HeldOut
from rejoinder.ladder.report import Figure, PartSize
from rejoinder.models import trigger
from rejoinder.models.interfaces import Job
from rejoinder.models.judge import Judge, Likeness
from rejoinder.models.regression import Regression
from rejoinder.models.trigger import Trigger, TriggerConfig
from rejoinder.post import Kind, Post, Suggestion, Thread
from rejoinder.publish.recipe import Recipe, make
from rejoinder.text.fingerprints import Fingerprints

LN2 = float(np.log(2))


# --- the trigger -----------------------------------------------------------------------------------------------------


class Noise:
    """Proposes two replies, and gives each a score of its own, so that no two rows of features are equal."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(0)

    def propose(self, context: Sequence[Post], k: int) -> list[Suggestion]:
        return [Suggestion(text, self.rng.random(), "bm25", post) for post, text in ((1, "the plug"), (2, "the flour"))]

    def score_replies(self, context: Sequence[Post], candidates: Sequence[str]) -> Any:
        return self.rng.random(len(candidates)) + 0.1


def test_no_reply_is_judged_by_what_it_taught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taught: dict[int, set[bytes]] = {}
    judged: list[set[bytes]] = []

    class Watched(Regression):
        @classmethod
        def of(cls, x: Any, y: Any) -> Self:
            made = super().of(x, y)
            taught[id(made)] = {row.tobytes() for row in x}
            return made

        def __call__(self, x: Any) -> Any:
            judged.append({row.tobytes() for row in x} & taught[id(self)])
            return super().__call__(x)

    monkeypatch.setattr(trigger, "Regression", Watched)
    corpus, rng = make_corpus(tmp_path, toy_posts(400)), np.random.default_rng(0)
    fitted = Trigger.fit(corpus, TriggerConfig(), rng=rng, job=Job(tmp_path, parts={"bm25": Noise()}))  # type: ignore[dict-item]
    assert fitted.knows and len(judged) == fitted.figures["posts"]
    assert not any(judged)


def test_a_reply_must_be_more_alike_than_95_of_100_at_random() -> None:
    """Ten of a hundred say just what was answered (1), the others nothing of it (0): the 95th percentile is 1, the 50th 0.

    Where four of a hundred do, it is 0. "fuel plug" is alike by 1 / sqrt(2).
    """
    of = Likeness(np.empty(0, np.uint32), np.ones(1, np.float32))  # every word counts 1
    assert Judge(of, ["fuel"] * 10 + ["plug"] * 90).on_topic(["fuel plug"], ["fuel"]).tolist() == [False]
    assert Judge(of, ["fuel"] * 4 + ["plug"] * 96).on_topic(["fuel plug"], ["fuel"]).tolist() == [True]


# --- gates -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def calibrated_on(monkeypatch: pytest.MonkeyPatch) -> list[set[int]]:
    """The keys of the threads that each gate was fitted on."""
    seen: list[set[int]] = []

    def watched(model: Any, threads: Any, *_: Any, **__: Any) -> Calibration:
        seen.append({thread.key for thread in threads})
        return Calibration()

    monkeypatch.setattr(fitting, "calibrate", watched)
    monkeypatch.setattr(worker, "calibrate", watched)
    return seen


def dev_threads(archive: Archive, place: Path) -> set[int]:
    return {thread.key for thread in ArchiveCorpus(archive, place).threads("dev")}


def test_a_gate_is_fitted_on_dev(calibrated_on: list[set[int]], tmp_path: Path) -> None:
    space = Workspace(tmp_path)
    with space.open_archive(create=True) as archive:
        archive.add(toy_posts())
        dev, tried = dev_threads(archive, tmp_path), draw_trial(ArchiveCorpus(archive, tmp_path), 0).keys
    assert not fitting.fit(space, ["unigram"], FitConfig(vocabulary=400), {}) and dev
    work = Worker(Task(Experiment(space.archive_file, tmp_path, "hash", 0, "", "", ""), Choose(None), Limits(seconds=1.0)))
    work._gate(MeasureText("unigram", "key", "posts", True), None, None)  # type: ignore[arg-type]
    assert calibrated_on == [dev - tried, dev] and tried < dev  # those that voices are tried on are no gate's


# --- what was read ---------------------------------------------------------------------------------------------------


def test_dev_posts_are_among_those_that_a_package_has_read(tmp_path: Path) -> None:
    """They chose weights and thresholds; each has words of its own here, so that no train post stands in for it."""
    posts = [Post(n, Kind.STORY, f"The teapot number{n} of shelf{n} holds tea{n} and milk{n} .", time=n) for n in range(1, 200)]
    corpus = ArchiveCorpus(make_archive(tmp_path / "archive.db", posts), tmp_path / "tokens")
    make(Recipe.from_settings({"tokenizer": {"size": 300}, "unigram": {}}), corpus, tmp_path / "made", np.random.default_rng(0))
    seen, dev = Fingerprints.load(tmp_path / "made" / "posts.npy"), list(corpus.posts("dev"))
    assert len(dev) > 10 and all(seen.holds(post.own_text) for post in dev)


def unlike(number: int) -> Post:
    """A post of which nothing stands anywhere else."""
    rng = np.random.default_rng(number)
    words = ["".join(rng.choice(list("abcdefghijklmnop"), 7)) for _ in range(12)]
    return Post(100_000 + number, Kind.STORY, " ".join(words), time=number)


def test_what_the_package_has_read_is_left_out_and_repeats_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_archive(tmp_path / "archive.db", [*toy_posts(200), *(unlike(n) for n in range(300))]).close()
    with Archive.open(tmp_path / "archive.db") as archive:
        threads = list(held_out(archive))
    own = [post for thread in threads for post in thread.posts if post.id >= 100_000]
    read = {post.id for post in own[::2]}
    Fingerprints.of(post.own_text for post in own[::2]).save(tmp_path / "posts.npy")
    monkeypatch.setattr(worker, "Workspace", SimpleNamespace(shipped=lambda: SimpleNamespace(home=tmp_path)))
    experiment = Experiment(tmp_path / "archive.db", tmp_path, "hash", 0, "", "", "")
    tokens = Task(experiment, Tokenize(1.0, 400))
    choice = Task(experiment, Choose(tokens.key))
    for task in (tokens, choice):
        task.place.mkdir()
        done = Worker(task).do()
    held = HeldOut.load(choice.place, threads)
    assert getattr(done, "read", 0) == len(read) > 5
    assert {post.id for post in held.posts} == {post.id for thread in threads for post in thread.posts} - read
    told = {post.id: bool(repeats) for post, repeats in zip(held.posts, held.repeats, strict=True)}
    assert not any(told[post.id] for post in own if post.id not in read)
    assert all(told[post.id] for thread in threads for post in thread.posts if post.text == "Thank you .")


def test_a_thread_of_which_a_post_was_read_is_left_out_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of three threads one is read by a post of twelve words, one by thanks, which stand in many threads, one not at all."""
    threads = []
    for key in (1, 2, 3):
        root, asked, thanks = unlike(key), unlike(key + 10)._replace(parent=100_000 + key), Post(key, text="Thank you .")
        threads.append(Thread(key, (root, asked, thanks)))
    Fingerprints.of([threads[0].posts[1].text, "Thank you ."]).save(tmp_path / "posts.npy")
    monkeypatch.setattr(worker, "Workspace", SimpleNamespace(shipped=lambda: SimpleNamespace(home=tmp_path)))
    assert worker.threads_read(threads).tolist() == [1]
    np.save(tmp_path / worker.READ, worker.threads_read(threads))
    assert {*worker.pool_of(threads, tmp_path).threads.tolist()} == {2, 3}


# --- intervals -------------------------------------------------------------------------------------------------------


@pytest.fixture
def analysis(tmp_path: Path) -> Analysis:
    """Two threads of 50 posts, and of 50 pairs: what one post of a thread says, all say.

    Of 1 byte each, `unigram` pays 1 bit in the first thread and 3 in the second, `markov` 0.5 and 3. `bm25` finds every reply
    of the first thread and none of the second, `pmi_svd` the other way round.
    """
    thread = np.repeat([1, 2], 50)
    made: dict[str, tuple[str, np.ndarray[Any, Any]]] = {
        "unigram": ("text", np.stack([np.where(thread == 1, 1, 3) * LN2, np.ones(100), np.ones(100)], axis=1)),
        "markov": ("text", np.stack([np.where(thread == 1, 0.5, 3) * LN2, np.ones(100), np.ones(100)], axis=1)),
        "bm25": ("comment", np.where(thread == 1, 1, 50)[:, None, None]),
        "pmi_svd": ("comment", np.where(thread == 1, 50, 1)[:, None, None]),
    }
    experiment = Experiment(tmp_path, tmp_path, "hash", 0, "", "", "")
    executor = Executor(experiment, [Entry(name, name) for name in made], None, 0.0, lambda *_: None)
    for name, (column, values) in made.items():
        (tmp_path / name).mkdir()
        np.save(tmp_path / name / f"{column}.npy", values)
        trial: EntryProgress = executor.trials[name]
        trial.measured["typing" if column == "text" else "replies"] = Measured(key=name, load_seconds=0.0, milliseconds=[])
    sizes = {part: PartSize(100, 2) for part in ("train", "dev", "test")}
    return Analysis(executor, sizes, thread, np.zeros(100, bool), {"comment": thread})


def test_intervals_are_over_threads(analysis: Analysis) -> None:
    """Of two threads drawn, both are the first in a quarter of all draws, and both the second in another."""
    bits = analysis.typing("unigram")["all"].bits_per_byte
    assert bits is not None
    assert (bits.value, bits.low, bits.high, bits.number) == (pytest.approx(2), pytest.approx(1), pytest.approx(3), 100)
    found = analysis.replies("bm25")["comment"].other_threads.recall_1
    assert (found.value, found.low, found.high, found.number) == (0.5, 0.0, 1.0, 100)


def test_paired_gains_are_over_threads(analysis: Analysis) -> None:
    """Half of the bits in the first thread and none in the second: 0.5 of 4 in all, 0.5 at most, nothing at least."""
    gain = analysis.gain("typing", "markov", "unigram")
    assert (gain.value, gain.low, gain.high) == (pytest.approx(0.125), pytest.approx(0, abs=1e-9), pytest.approx(0.5))
    found = analysis.gain("replies", "bm25", "pmi_svd")
    assert (found.value, found.low, found.high) == (0.0, -1.0, 1.0)


def test_steps_and_ties_are_corrected_for_how_many_there_are(analysis: Analysis, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three rungs, two steps: each at 97.5%."""
    asked: set[float] = set()

    def watched(kind: Any, upper: str, lower: str, level: float = 0.95) -> Figure:
        asked.add(round(level, 9))
        return Figure(0.0, -1.0, 1.0, 100)

    monkeypatch.setattr(analysis, "names", lambda kind: ["unigram", "markov", "unigram"])
    monkeypatch.setattr(analysis, "gain", watched)
    monkeypatch.setattr(analysis, "number_of_threads", lambda kind: 100)
    assert len(analysis.steps()) == 4 and analysis.ties("typing") == (("markov", "unigram", "unigram"),)
    assert asked == {0.975}

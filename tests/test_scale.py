"""Counting in shards, by processes and on a cluster: however many work and whichever of them die, the bits are the same."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from conftest import make_corpus, toy_posts
from test_out_of_core import WORDS, arrays, bits
from typer.testing import CliRunner

from rejoinder.archive.reader import ArchiveCorpus
from rejoinder.cli import app
from rejoinder.errors import MissingExtra, ModelError, UsageError
from rejoinder.home.sample import SAMPLE
from rejoinder.models.interfaces import Job
from rejoinder.models.kneser_ney import KneserNey, KneserNeyConfig
from rejoinder.scale import processes
from rejoinder.scale.processes import TRIES, Processes
from rejoinder.text import counting, ngrams
from rejoinder.text.calls import HERE, Call, CallRunner, InThisProcess, Told, perform
from rejoinder.text.counting import Room, count_both, count_ngrams, count_shard
from rejoinder.text.ngrams import Level
from rejoinder.text.tensors import TokenArrays

TEXTS = [["a", "b", "c"] * 2, ["b", "c"], ["a", "b"], ["d", "a", "b", "c"], ["e"], ["c", "b", "a"]]


def fitted(corpus: ArchiveCorpus, directory: Path, runner: CallRunner, **config: int) -> dict[str, bytes]:
    """The files of a fit with so many workers."""
    (directory / "work").mkdir(parents=True)
    job = Job(directory / "work", runner=runner)
    model = KneserNey.fit(corpus, KneserNeyConfig(order=4, **config), rng=np.random.default_rng(0), job=job)
    model.save(directory / "saved")
    return {file.name: file.read_bytes() for file in sorted((directory / "saved").iterdir())}


@pytest.mark.parametrize("posts", [1, 2])
def test_several_processes_fit_the_model_of_one(tmp_path: Path, posts: int) -> None:
    corpus = make_corpus(tmp_path, toy_posts())
    straight = fitted(corpus, tmp_path / "one", HERE, posts=posts)
    assert fitted(corpus, tmp_path / "three", Processes(3), posts=posts) == straight


class AnyOrder:
    """Does calls backwards, each twice, as a cluster may."""

    count = threads = 4

    def run(self, calls: Sequence[Call], told: Told = lambda done, total: None) -> None:
        assert len(calls) == self.count
        for call in [*calls[::-1], *calls]:
            perform(call)
        told(len(calls), len(calls))


def test_many_runs_are_merged_in_several_rounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "MERGED_RUNS", 2)
    told: list[list[str]] = []

    class Telling(InThisProcess):
        def run(self, calls: Sequence[Call], told_of: Told = lambda done, total: None) -> None:
            told.append([call.function.partition(":")[2] for call in calls])
            super().run([*calls, *calls], told_of)

    writers = np.array([1, 2, 1, 3, 5, 4], np.uint64)
    found = count_both(arrays(TEXTS), 3, WORDS.vocabulary, writers, Room(80, tmp_path, runner=Telling()))
    straight = count_both(arrays(TEXTS), 3, WORDS.vocabulary, writers)
    assert [bits(counts.levels) for counts in found] == [bits(counts.levels) for counts in straight]
    assert told == [["count_shard"] * 5, *[["merge_runs"]] * 5]  # one for each writer; 5 to 3, 3 to 2


def test_a_merge_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [str(tmp_path / f"run{number}") for number in range(2)]
    for run, text in zip(runs, TEXTS, strict=False):
        (shard := Path(f"{run}.shard")).mkdir()
        tokens = arrays([text])
        np.save(shard / "tokens.npy", tokens.tokens)
        np.save(shard / "starts.npy", tokens.offsets[:-1])
        count_shard(str(shard), run, 3, WORDS.vocabulary, both=False)
    before = sorted(tmp_path.iterdir())
    monkeypatch.setattr(ngrams, "MOST", 5)
    with pytest.raises(ModelError, match="more than 5 n-grams"):
        counting.merge_runs(runs, str(tmp_path / "both"), 3, WORDS.vocabulary, 100)
    assert sorted(tmp_path.iterdir()) == before


def test_what_is_merged_is_gone_from_the_disk_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[int] = []

    def told(levels: Iterator[Level]) -> Iterator[Level]:
        for level in levels:
            left.append(len([*tmp_path.glob("*/run*/*.token.npy")]))
            yield level
        left.append(len([*tmp_path.glob("*/run*/*.token.npy")]))

    merged = counting.merged_levels
    monkeypatch.setattr(counting, "merged_levels", lambda *of: told(merged(*of)))
    found = count_ngrams(arrays(TEXTS), 3, WORDS.vocabulary, Room(80 * 5, tmp_path))
    assert bits(found.levels) == bits(count_ngrams(arrays(TEXTS), 3, WORDS.vocabulary).levels)
    runs = left[0] // 3
    assert runs > 2
    assert left == [3 * runs, 2 * runs, runs, 0]


def test_the_order_of_the_shards_and_doing_one_again_change_nothing(tmp_path: Path) -> None:
    writers = np.array([1, 2, 1, 3, 3, 4], np.uint64)
    straight = count_both(arrays(TEXTS), 3, WORDS.vocabulary, writers)
    said: list[tuple[int, int]] = []
    room = Room(2**30, tmp_path, lambda done, total: said.append((done, total)), AnyOrder())
    found = count_both(arrays(TEXTS), 3, WORDS.vocabulary, writers, room)
    assert [bits(counts.levels) for counts in found] == [bits(counts.levels) for counts in straight]
    assert said[-1] == (5, 5)  # four shards, and merging them
    assert not list(tmp_path.iterdir())  # the shards and runs are gone


def test_a_process_that_is_killed_has_its_shard_counted_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    start, killed = processes._start, []

    def start_and_kill(place: int, call: Call) -> processes._Running:
        running = start(place, call)
        if place == 1 and len(killed) < TRIES - 1:
            os.kill(running.process.pid, signal.SIGKILL)
            killed.append(place)
        return running

    monkeypatch.setattr(processes, "_start", start_and_kill)
    found = count_ngrams(arrays(TEXTS), 3, WORDS.vocabulary, Room(workdir=tmp_path, runner=Processes(2)))
    assert killed == [1, 1] and bits(found.levels) == bits(count_ngrams(arrays(TEXTS), 3, WORDS.vocabulary).levels)


def test_a_shard_that_cannot_be_counted_is_told_in_one_line(tmp_path: Path) -> None:
    what = {"shard": str(tmp_path / "gone"), "run": str(tmp_path / "run"), "order": 2, "vocabulary": 9, "both": False}
    with pytest.raises(ModelError, match=r"count_shard failed 3 times \(FileNotFoundError.*gone") as told:
        Processes(2).run([Call("rejoinder.text.counting:count_shard", what)])
    assert "\n" not in str(told.value)
    assert not list(tmp_path.iterdir())  # no half of a run


def test_a_run_that_is_there_is_not_counted_again(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    count_shard(str(tmp_path / "gone"), str(tmp_path / "run"), 2, 9, both=False)
    assert not list((tmp_path / "run").iterdir())


def test_only_functions_of_ours_are_called() -> None:
    with pytest.raises(ValueError, match="none of ours"):
        perform(Call("os:remove", {"path": "x"}))


def test_a_process_whose_parent_is_gone_ends() -> None:
    """Its standard input is closed when its parent dies: here while it still waits to be told what to do, or does it."""
    program = "import sys, time\nfrom rejoinder.scale import processes\nprocesses.perform = lambda call: time.sleep(600)\n"
    program += "processes.serve()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        process.stdin.write('{"function": "x", "arguments": {}}\n')
        process.stdin.close()
        assert process.wait(60) == 1


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    file = Path(__file__).parents[1] / "src" / "rejoinder" / "bundle" / SAMPLE
    assert CliRunner().invoke(app, ["import", str(file), "--home", str(home)]).exit_code == 0
    return home


def model_files(home: Path) -> dict[str, bytes]:
    """The arrays of all models, by rung and name."""
    found = {}
    for file in sorted((home / "models").rglob("*.npy")):
        rung, _, *name = file.relative_to(home / "models").parts
        found["/".join([rung, *name])] = file.read_bytes()
    return found


def test_fit_in_shards_from_the_command_line(sample: Path) -> None:
    found, names = [], ["kneser_ney", "bm25", "pmi_svd"]
    for options in ([], ["--shards", "2"]):
        ran = CliRunner().invoke(app, ["fit", *names, "--home", str(sample), "--set", "pmi_svd.size=8", *options])
        assert ran.exit_code == 0, ran.output
        found.append(model_files(sample))
    assert found[0] == found[1]
    assert {"counts5.count.npy", "phrases.npy", "words.npy", "nearest.npy"} <= {name.rpartition("/")[2] for name in found[0]}


def test_shards_are_for_one_machine(sample: Path) -> None:
    ran = CliRunner().invoke(app, ["fit", "kneser_ney", "--home", str(sample), "--shards", "2", "--cluster", "127.0.0.1:1"])
    assert isinstance(ran.exception, UsageError) and "give one of them" in str(ran.exception)


@pytest.mark.skipif(find_spec("ray") is not None, reason="Ray is installed here")
def test_a_cluster_without_ray_says_how_to_get_it(sample: Path) -> None:
    ran = CliRunner().invoke(app, ["fit", "kneser_ney", "--home", str(sample), "--cluster", "127.0.0.1:1"])
    assert isinstance(ran.exception, MissingExtra) and "`--cluster` needs the extra `cluster`" in str(ran.exception)


def drawn(posts: int = 400, length: int = 200) -> TokenArrays:
    """Posts of words drawn at random, enough for a worker to be met at work."""
    tokens = np.random.default_rng(0).zipf(1.5, posts * length) % WORDS.size
    tokens[::length], tokens[length - 1 :: length] = WORDS.post, WORDS.end
    return TokenArrays(tokens.astype(np.uint16), np.arange(0, posts * length + 1, length), np.arange(posts))


def kill_workers(ours: int, most: int, killed: list[int], over: threading.Event) -> None:
    """Kill `most` of Ray's workers below the process `ours` while they are at work."""
    while len(killed) < most and not over.is_set():
        for status in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                said = (status.parent / "cmdline").read_bytes()
                if said.startswith(b"ray::_perform") and ours in ancestors(int(status.parent.name)):
                    os.kill(int(status.parent.name), signal.SIGKILL)
                    killed.append(int(status.parent.name))
                    break


def ancestors(process: int) -> set[int]:
    found = set()
    while process > 1:
        process = int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
        found.add(process)
    return found


_A_NODE_DIES = """
import sys
from pathlib import Path
from ray.cluster_utils import Cluster as Nodes
from test_out_of_core import WORDS, bits
from test_scale import drawn
from rejoinder.scale.cluster import Cluster
from rejoinder.text.counting import Room, count_ngrams

nodes = Nodes(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
other = nodes.add_node(num_cpus=1)
cluster = Cluster(nodes.address)
assert cluster.count == 2, cluster.count
gone = []

def told(done, total):
    if not gone and done < total:
        nodes.remove_node(other, allow_graceful=False)
        gone.append(done)

found = count_ngrams(drawn(), 4, WORDS.vocabulary, Room(100_000, Path(sys.argv[1]), told, cluster))
assert bits(found.levels) == bits(count_ngrams(drawn(), 4, WORDS.vocabulary).levels)
cluster.leave()
nodes.shutdown()
print("gone", len(gone))
"""


_ON_RAY = """
import os, sys, threading
from pathlib import Path
import ray
from ray.cluster_utils import Cluster as Nodes
from test_out_of_core import WORDS, bits
from test_scale import drawn, kill_workers
from rejoinder.scale.cluster import Cluster
from rejoinder.text.counting import Room, count_ngrams

nodes = Nodes(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
nodes.add_node(num_cpus=1)
cluster = Cluster(nodes.address)
assert cluster.count == 2, cluster.count
killed, over = [], threading.Event()
killing = threading.Thread(target=kill_workers, args=(os.getpid(), 2, killed, over))
killing.start()
found = count_ngrams(drawn(), 4, WORDS.vocabulary, Room(100_000, Path(sys.argv[1]), runner=cluster))
over.set()
killing.join()
assert bits(found.levels) == bits(count_ngrams(drawn(), 4, WORDS.vocabulary).levels)
cluster.leave()
nodes.shutdown()
print("killed", len(killed))
"""


@pytest.mark.skipif(find_spec("ray") is None or sys.platform != "linux", reason="the extra `cluster` is not installed")
@pytest.mark.parametrize(("program", "said"), [(_ON_RAY, "killed 2"), (_A_NODE_DIES, "gone 1")], ids=["workers", "node"])
def test_two_nodes_fit_the_same_though_workers_or_one_of_them_die(tmp_path: Path, program: str, said: str) -> None:
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    with TemporaryDirectory(prefix="ray") as short:  # Ray's sockets lie in it, and the paths of sockets are short
        env = {**os.environ, "PYTHONPATH": path, "HOME": short, "TMPDIR": short, "RAY_TMPDIR": short}
        ran = subprocess.run([sys.executable, "-c", program, str(tmp_path)], env=env, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert ran.stdout.splitlines()[-1] == said

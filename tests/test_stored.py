"""Calls by way of a store: whoever does them sees the store alone, and what comes of it is the same to the bit."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from conftest import make_corpus, toy_posts
from test_out_of_core import WORDS, arrays, bits
from test_scale import TEXTS, fitted
from typer.testing import CliRunner

from rejoinder.cli import app
from rejoinder.errors import ModelError, UsageError
from rejoinder.scale.processes import Processes
from rejoinder.text.calls import HERE, Call, InThisProcess, Told, perform
from rejoinder.text.cooccurrence import count_pairs, distance_weights
from rejoinder.text.counting import Room, count_ngrams
from rejoinder.text.phrases import Phrases
from rejoinder.text.shards import Shards
from rejoinder.text.tensors import write_tokens
from rejoinder.text.tokenizer import WordTokenizer
from rejoinder.text.word_arrays import count_words

pytestmark = pytest.mark.skipif(find_spec("fsspec") is None, reason="the extra `cluster` is not installed")


class Elsewhere(InThisProcess):
    """Does each call twice, where the folder of who asks is not to be seen."""

    count = 2

    def __init__(self, folder: Path) -> None:
        self._folder, self.done = folder, 0

    def run(self, calls: Sequence[Call], told: Told = lambda done, total: None) -> None:
        hidden = self._folder.with_name("hidden")
        self._folder.rename(hidden)
        for call in calls:
            perform(call)
            perform(call)
        hidden.rename(self._folder)
        self.done += len(calls)
        told(len(calls), len(calls))


def left_in_memory() -> list[str]:
    from fsspec.implementations.memory import MemoryFileSystem

    return [*MemoryFileSystem().find("/rejoinder-test")]


def test_ngrams_are_counted_by_way_of_a_store(tmp_path: Path) -> None:
    from rejoinder.scale.stored import Stored

    (work := tmp_path / "work").mkdir()
    elsewhere, said = Elsewhere(work), []
    runner = Stored(elsewhere, "memory://rejoinder-test/")
    room = Room(2**30, work, lambda done, total: said.append((done, total)), runner)
    found = count_ngrams(arrays(TEXTS), 3, WORDS.vocabulary, room)
    assert bits(found.levels) == bits(count_ngrams(arrays(TEXTS), 3, WORDS.vocabulary).levels)
    assert elsewhere.done > 1 and said[-1] == (elsewhere.done + 1,) * 2
    assert left_in_memory() == [] and not [*work.iterdir()]


def test_whatever_is_counted_over_threads_is(tmp_path: Path) -> None:
    from rejoinder.scale.stored import Stored

    corpus = make_corpus(tmp_path, toy_posts())
    found = []
    for name in ("one", "store"):
        (work := tmp_path / name).mkdir()
        runner = HERE if name == "one" else Stored(Elsewhere(work), "memory://rejoinder-test")
        shards = Shards(lambda: corpus.threads("train"), work, runner, size=400)
        phrases = Phrases.count(shards)
        words = count_words(shards, 1, 1000)
        pairs = count_pairs(words, distance_weights(4, "harmonic"), shards=shards)
        write_tokens(corpus, WordTokenizer(["<unk>", "the", "my"]), work / "tokens", shards=shards)
        tokens = [np.load(work / "tokens" / f"train.{part}.npy").tolist() for part in ("tokens", "offsets", "posts")]
        found.append((phrases.array.tolist(), words.words, pairs.first.tolist(), pairs.sums.tolist(), tokens))
    assert found[0] == found[1] and len(found[0][2]) > 20
    assert left_in_memory() == []


def test_processes_fit_the_same_model_by_way_of_a_folder(tmp_path: Path) -> None:
    from rejoinder.scale.stored import Stored

    corpus = make_corpus(tmp_path, toy_posts())
    runner = Stored(Processes(2), f"file://{tmp_path / 'store'}")
    assert fitted(corpus, tmp_path / "two", runner) == fitted(corpus, tmp_path / "one", HERE)
    assert [path for path in (tmp_path / "store").rglob("*") if path.is_file()] == []


def test_a_call_that_fails_leaves_nothing_there(tmp_path: Path) -> None:
    from rejoinder.scale.stored import Stored

    (tmp_path / "shard").mkdir()
    (tmp_path / "shard" / "odd.npy").write_bytes(b"nothing")
    what = {"shard": str(tmp_path / "shard"), "run": str(tmp_path / "run"), "order": 2, "vocabulary": 9, "both": False}
    call = Call("rejoinder.text.counting:count_shard", what, ("shard",), ("run",))
    with pytest.raises(FileNotFoundError):
        Stored(HERE, "memory://rejoinder-test").run([call])
    assert left_in_memory() == [] and not (tmp_path / "run").exists()


@pytest.mark.parametrize("address", ["nosuch://somewhere/x", "file:///proc/nowhere"])
def test_a_store_that_cannot_be_used_is_told_in_one_line(tmp_path: Path, address: str) -> None:
    from rejoinder.scale.stored import Stored

    if sys.platform != "linux" and address.startswith("file"):
        pytest.skip("/proc is Linux's")
    with pytest.raises(ModelError, match=f"the store {address} cannot be used") as told:
        count_ngrams(arrays(TEXTS), 2, WORDS.vocabulary, Room(40, tmp_path, runner=Stored(HERE, address)))
    assert "\n" not in str(told.value)


def test_a_store_is_for_a_cluster() -> None:
    ran = CliRunner().invoke(app, ["fit", "kneser_ney", "--store", "s3://bucket/x", "--home", "nowhere"])
    assert isinstance(ran.exception, UsageError) and "--store is for the machines of a --cluster" in str(ran.exception)

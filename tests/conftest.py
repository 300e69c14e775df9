"""Shared ground: a toy archive of two topics that never mix, and the real archives where they are at hand."""

from __future__ import annotations

import fcntl
import importlib
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from rejoinder.archive.reader import ArchiveCorpus
from rejoinder.archive.store import Archive
from rejoinder.home.workspace import Workspace
from rejoinder.post import Kind, Post
from rejoinder.text.tensors import train_tokenizer, write_tokens

settings.register_profile("house", deadline=None)  # no test asks for a quiet machine
settings.load_profile("house")

BREAD = (
    "How long should bread dough rest in a cold kitchen ?",
    "Let the dough rest until it doubles , flour and water need time .",
)
ENGINE = "Why does my engine stall at the traffic lights ?", "Check the spark plug and the fuel filter , an old engine stalls ."


OUTSIDE: dict[str, dict[str, Any]] = {}  # settings of rungs of `--rung` and of installed plugins, other than the defaults


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--rung FILE`: a Python file that puts a line of its own into LADDER, so that the contract suite tests it too.

    It may hold OTHER, a dict of settings that differ from the defaults.
    """
    parser.addoption("--rung", metavar="FILE", help="also test the rung that this file puts into LADDER")
    parser.addoption("--chaos-rounds", type=int, default=2, metavar="N", help="how often each attack of tests/chaos is made")
    parser.addoption(
        "--browser-edits", type=int, default=60, metavar="N", help="random edits of each kind of field (2,000 to be sure)"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Settle what a test must not depend on; load that file before the tests are made from LADDER."""
    os.environ["REJOINDER_QUIET"] = "1"  # no lines of progress, however slow the machine; and what runs is as wide as it says
    os.environ.pop("COLUMNS", None)
    from rejoinder.models import LADDER, OURS

    given = config.getoption("--rung")
    if given is not None:
        sys.path.insert(0, str(Path(given).resolve().parent))
        importlib.import_module(Path(given).stem)
    for name in set(LADDER) - set(OURS):  # that file's, and those of installed plugins
        OUTSIDE[name] = getattr(importlib.import_module(LADDER[name].place.partition(":")[0]), "OTHER", {})


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest comes first, whatever the order of the rest: else one process works at the end and the others wait."""
    items.sort(key=lambda item: "tour_home" not in getattr(item, "fixturenames", ()))


def toy_posts(threads: int = 80) -> Iterator[Post]:
    """Half of the threads are about bread, half about engines; each has a question, an answer and thanks."""
    for number in range(1, threads + 1):
        question, answer = (BREAD, ENGINE)[number % 2]
        root = number * 10
        yield Post(root, Kind.STORY, f"{question} Number {number} .", title=question, time=number)
        yield Post(root + 1, Kind.COMMENT, f"{answer} It took {number} days .", parent=root, time=number + 1)
        yield Post(root + 2, Kind.COMMENT, "Thank you .", parent=root + 1, time=number + 2)


def make_archive(path: Path, posts: Iterable[Post]) -> Archive:
    """An open archive that holds `posts`."""
    archive = Archive.open(path, create=True)
    archive.add(posts)
    return archive


def make_corpus(directory: Path, posts: Iterable[Post], vocabulary: int = 400, *, everything: bool = False) -> ArchiveCorpus:
    """A corpus over a new archive of `posts`, with tokenizer and token arrays."""
    corpus = ArchiveCorpus(make_archive(directory / "archive.db", posts), directory / "tokens", everything=everything)
    write_tokens(corpus, train_tokenizer(corpus, vocabulary), corpus.tokens)
    return corpus


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> ArchiveCorpus:
    """The toy corpus."""
    return make_corpus(tmp_path_factory.mktemp("toy"), toy_posts())


def find_real_data() -> Path | None:
    """The directory of the real archives: $REJOINDER_DATA, or shared/data beside the checkout."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    directory = Path(os.environ.get("REJOINDER_DATA", beside))
    return directory if (directory / "hn.jsonl.gz").is_file() else None


@pytest.fixture
def real_data() -> Path:
    """The directory of the real archives; the test is skipped where there is none."""
    directory = find_real_data()
    if directory is None:
        pytest.skip("the real archives (hn.jsonl.gz) are not beside this checkout; set REJOINDER_DATA")
    return directory


def made_once(temporary: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A folder that `make` fills: once for all processes of this run of the tests; whoever else wants it waits. Read only."""
    base = temporary.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, whole = base / name, base / f"{name}.whole"
    with (base / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not whole.exists():
            shutil.rmtree(folder, ignore_errors=True)  # what a process that failed has left
            folder.mkdir()
            make(folder)
            whole.touch()
    return folder


@pytest.fixture(scope="session")
def toy_home(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A home with the toy archive and a few fitted rungs. Not to be written to."""
    from serving import make_home

    return Workspace(made_once(tmp_path_factory, "toy-home", make_home))


@pytest.fixture(scope="session")
def sample_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home without an archive of its own, whose sample is fitted. Read only."""
    from rejoinder.home.sample import REPLYING, sample

    return made_once(tmp_path_factory, "sample-home", lambda home: sample(Workspace(home), REPLYING))

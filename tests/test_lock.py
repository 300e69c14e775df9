"""Locks of a home: one writer at a time, and nothing to clear away after one that was killed."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from rejoinder.errors import HomeBusy
from rejoinder.files import leftovers
from rejoinder.home.lock import MODELS, OWN, handles, locked
from rejoinder.home.own_text import FILE, erase, remember, remembered

HOLD = """
import sys
from pathlib import Path
from rejoinder.home.lock import locked
with locked(Path(sys.argv[1]), "fit"):
    print("held", flush=True)
    sys.stdin.read()
"""
ADD = (
    "import sys; from pathlib import Path; from rejoinder.home.own_text import remember; remember(Path(sys.argv[1]), sys.argv[2])"
)


@contextmanager
def held_elsewhere(home: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock of the models."""
    command = [sys.executable, "-c", HOLD, str(home)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_whoever_waits_too_long_is_told_who_is_at_work(tmp_path: Path) -> None:
    with held_elsewhere(tmp_path) as process:
        told: list[str] = []
        said = rf"`rejoinder fit` \(process {process.pid}\) is at work in .* again"
        with pytest.raises(HomeBusy, match=said), locked(tmp_path, "forget", patience=0.1, waiting=told.append):
            pass
        assert len(told) == 1 and "waiting for `rejoinder fit`" in told[0]
        with locked(tmp_path, "own add", OWN, patience=0):
            pass  # another lock


def test_a_lock_ends_with_the_process_that_held_it(tmp_path: Path) -> None:
    with held_elsewhere(tmp_path) as process:
        process.kill()
        process.wait()
        with locked(tmp_path, "forget", patience=10):
            assert (tmp_path / MODELS).read_text().endswith(" forget\n")
    assert (tmp_path / MODELS).read_text() == ""


def test_whoever_waits_goes_on_when_the_other_has_ended(tmp_path: Path) -> None:
    with held_elsewhere(tmp_path) as process:
        assert process.stdin

        def end(_: str) -> None:
            process.stdin.close()  # type: ignore[union-attr]

        with locked(tmp_path, "forget", waiting=end):
            pass


def test_within_a_lock_its_holder_goes_on_and_no_other_thread_does(tmp_path: Path) -> None:
    def other() -> None:
        with locked(tmp_path, "fit", patience=0):
            pass

    with locked(tmp_path, "forget"), locked(tmp_path, "fit", patience=0):
        assert len(handles()) == 1
        with ThreadPoolExecutor(1) as pool, pytest.raises(HomeBusy, match="`rejoinder forget`"):
            pool.submit(other).result()
    assert handles() == ()
    other()


def test_what_ten_processes_add_at_once_is_all_remembered(tmp_path: Path) -> None:
    texts = [f"text number {number} of ten" for number in range(10)]
    begun = [subprocess.Popen([sys.executable, "-c", ADD, str(tmp_path), text]) for text in texts]
    own = threading.Thread(target=remember, args=(tmp_path, "text of the server"))
    own.start()
    assert [process.wait() for process in begun] == [0] * 10
    own.join()
    assert {text.strip() for text in remembered(tmp_path).split("\n\n")} == {*texts, "text of the server"}


def test_erasing_takes_what_a_crash_left_of_writing(tmp_path: Path) -> None:
    left = tmp_path / f".{FILE}.x1y2z3"
    left.write_text("half of what was wri")
    assert leftovers(tmp_path / FILE) == [left]
    erase(tmp_path)
    assert not left.exists()
    left.write_text("half of what was wri")
    remember(tmp_path, "other words")
    assert not left.exists() and remembered(tmp_path) == "other words\n"
    assert erase(tmp_path) and not erase(tmp_path)
    assert not any("words" in file.read_text() for file in tmp_path.iterdir())

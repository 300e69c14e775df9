"""A disk that is full, and a home that may only be read: one line that says so, and nothing is lost."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
from hn_server import HackerNewsServer

from chaos.attack import Attacker, Limits
from chaos.homes import OWN_SECRET, SECRET, SECRET_AUTHOR, holders, items, rows, write_posts
from chaos.tally import Tally
from rejoinder.home.own_text import remembered
from rejoinder.home.workspace import Workspace

FIT = ("fit", "canned", "unigram", "markov", "bm25")
FORGET = ("forget", "--author", SECRET_AUTHOR)
_LEAST = 40_000  # bytes that a file may have, so that SQLite can work at all


def test_on_a_full_disk_nothing_is_lost_and_the_same_command_ends_the_work(
    attacker: Attacker, tally: Tally, rounds: int, rng: np.random.Generator, tmp_path: Path, posts: Path
) -> None:
    base = tmp_path / "base"
    tally.ok(attacker.run("import", posts, home=base))
    tally.ok(attacker.run(*FIT, home=base))
    tally.ok(attacker.run("own", "add", f"{OWN_SECRET} begins", home=base))
    here = {row[0] for row in rows(base)}
    more = write_posts(tmp_path / "more.jsonl", 600, first=1_000)
    long = f"{OWN_SECRET} goes on " + "and on " * 20_000
    with HackerNewsServer(items(400)) as server:
        fetch = ("fetch", "hn", "--since", "2023-11-14", "--api", server.url)
        largest = max(file.stat().st_size for file in base.rglob("*"))
        for number, command in enumerate((("import", more), FIT, ("own", "add", long), fetch, FORGET) * max(rounds // 2, 1)):
            home = tmp_path / f"{number}"
            shutil.copytree(base, home)
            limits = Limits(file_bytes=int(rng.integers(_LEAST, largest)))
            ran = tally.attacked(attacker.run(*command, home=home, limits=limits))
            assert ran.one_line, (command, ran)
            tally["lost"] += len(here - {row[0] for row in rows(home)}) if command is not FORGET else 0
            tally["lost"] += f"{OWN_SECRET} begins" not in remembered(home)
            for name in FIT[1:] if command is not FORGET else ():
                tally["lost"] += Workspace(home).fitted_or_none(name) is None
            tally.ok(attacker.run(*command, home=home))
            if command is FORGET:
                tally["forgotten bytes found"] += len(holders(home, SECRET))
    tally.check()


def test_a_ladder_on_a_full_disk_says_so(attacker: Attacker, tally: Tally, tmp_path: Path, posts: Path) -> None:
    tally.ok(attacker.run("import", posts, home=tmp_path))
    ran = tally.attacked(attacker.run("ladder", "bm25", "--budget", "none", home=tmp_path, limits=Limits(file_bytes=_LEAST)))
    assert ran.one_line, ran
    tally.check()


def test_a_new_home_on_a_full_disk(attacker: Attacker, tally: Tally, tmp_path: Path, posts: Path) -> None:
    for size in (1_000, 5_000, _LEAST, 100_000):  # what it says goes into a file too
        home = tmp_path / f"{size}"
        ran = tally.attacked(attacker.run("import", posts, home=home, limits=Limits(file_bytes=size)))
        assert ran.one_line, (size, ran)
        tally.ok(attacker.run("import", posts, home=home))
        tally["lost"] += len(rows(home)) != 1_200
    tally.check()


def test_a_home_that_may_only_be_read_is_read_or_says_so(attacker: Attacker, tally: Tally, tmp_path: Path, posts: Path) -> None:
    home = tmp_path / "home"
    tally.ok(attacker.run("import", posts, home=home))
    tally.ok(attacker.run(*FIT, home=home))
    tally.ok(attacker.run("own", "add", "some words", home=home))
    before = tree(home)
    for path in (home, *home.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    reading = ("rungs",), ("info",), ("reply", "What of the bread?"), ("complete", "The bread"), ("own", "show")
    writing = ("import", posts), FIT, FORGET, ("own", "add", "more words"), ("own", "erase"), ("ladder", "canned")
    try:
        for command in (*reading, *writing):
            ran = tally.attacked(attacker.run(*command, home=home, limits=Limits(plain=True)))
            assert ran.one_line and ran.code == (2 if command in writing else ran.code), (command, ran)
    finally:
        for path in (home, *home.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
    tally["lost"] += tree(home) != before
    tally.check()


def tree(home: Path) -> dict[str, bytes]:
    """What lies in a home, but for what SQLite keeps beside an archive that is open."""
    files = (file for file in home.rglob("*") if file.is_file() and not file.name.startswith("archive.db-"))
    return {str(file.relative_to(home)): file.read_bytes() for file in files}

"""kill -9 at any moment of anything that writes: nothing that was there is lost, and the same command again finishes the work."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
from hn_server import HackerNewsServer

from chaos.attack import Attacker
from chaos.homes import OWN_SECRET, SECRET, SECRET_AUTHOR, holders, items, rows, without_author, write_posts
from chaos.tally import Tally
from rejoinder.home.own_text import MOST
from rejoinder.home.workspace import Workspace

FIT = ("fit", "canned", "unigram", "markov", "bm25")


def test_an_import_that_is_killed_goes_on(
    attacker: Attacker, tally: Tally, rounds: int, rng: np.random.Generator, tmp_path: Path
) -> None:
    file = write_posts(tmp_path / "many.jsonl", 3_000)
    whole = tally.ok(attacker.run("import", file, home=tmp_path / "whole"))
    wanted = without_author(rows(tmp_path / "whole"))
    for number in range(2 * rounds):
        home = tmp_path / f"{number}"
        tally.attacked(attacker.kill_after(float(rng.uniform(0.02, whole.seconds)), "import", file, home=home))
        before = set(rows(home))
        tally.ok(attacker.run("import", file, home=home))
        after = rows(home)
        tally["lost"] += without_author(after) != wanted
        tally["lost"] += len({row[0] for row in before} - {row[0] for row in after})
    tally.check()


def test_a_fit_that_is_killed_leaves_the_old_model_or_the_new(
    attacker: Attacker, tally: Tally, rounds: int, rng: np.random.Generator, tmp_path: Path, posts: Path
) -> None:
    home = tmp_path / "home"
    tally.ok(attacker.run("import", posts, home=home))
    took = tally.ok(attacker.run(*FIT, home=home)).seconds
    for _ in range(2 * rounds):
        tally.attacked(attacker.kill_after(float(rng.uniform(0.02, took)), *FIT, home=home))
        space = Workspace(home)
        for name in FIT[1:]:
            tally["lost"] += space.fitted_or_none(name) is None
            space.load(name, allow_stale=True)
    tally.ok(attacker.run(*FIT, home=home))
    unfinished = [d for d in (home / "models").glob("*/*") if not (d / "manifest.json").is_file()]
    assert not unfinished and len(list((home / "models").glob("*/*"))) == len(FIT) - 1
    assert not list((home / "scratch").glob("*/"))  # what the killed ones left
    tally.check()


def test_forgetting_that_is_killed_is_finished_by_the_same_command(
    attacker: Attacker, tally: Tally, rounds: int, rng: np.random.Generator, tmp_path: Path, posts: Path
) -> None:
    base = tmp_path / "base"
    tally.ok(attacker.run("import", posts, home=base))
    tally.ok(attacker.run(*FIT, home=base))
    forget = ("forget", "--author", SECRET_AUTHOR)
    shutil.copytree(base, tmp_path / "whole")
    took = tally.ok(attacker.run(*forget, home=tmp_path / "whole")).seconds
    others = sum(SECRET not in str(row) for row in rows(base))
    for number in range(2 * rounds):
        home = tmp_path / f"{number}"
        shutil.copytree(base, home)
        tally.attacked(attacker.kill_after(float(rng.uniform(0.02, took)), *forget, home=home))
        tally.ok(attacker.run(*forget, home=home))
        tally["forgotten bytes found"] += len(holders(home, SECRET)) + len(holders(home, SECRET_AUTHOR))
        tally.ok(attacker.run("import", posts, home=home))  # it does not come back
        tally["forgotten bytes found"] += len(holders(home, SECRET))
        tally["lost"] += others - len(rows(home))
    tally.check()


def test_own_text_is_whole_whatever_is_killed_and_erased_for_good(
    attacker: Attacker, tally: Tally, rounds: int, rng: np.random.Generator, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    took = tally.ok(attacker.run("own", "add", f"{OWN_SECRET} begins", home=home)).seconds
    kept = [f"{OWN_SECRET} begins"]
    more = "and more of it " * (MOST // (4 * rounds + 2) // 16)  # together less than is remembered: nothing goes for its age
    for number in range(4 * rounds):
        text = f"{OWN_SECRET} number {number} {more}"
        tally.attacked(attacker.kill_after(float(rng.uniform(0, 2 * took)), "own", "add", text, home=home))
        found = [post.strip() for post in (home / "personal.txt").read_text().split("\n\n")]
        tally["lost"] += found not in (kept, [*kept, text.strip()])
        kept = found
    tally.ok(attacker.run("own", "erase", home=home))
    tally["forgotten bytes found"] += len(holders(home, OWN_SECRET))
    tally.check()


def test_a_fetch_that_is_killed_goes_on(
    attacker: Attacker, tally: Tally, rounds: int, rng: np.random.Generator, tmp_path: Path
) -> None:
    with HackerNewsServer(items(400)) as server:
        fetch = ("fetch", "hn", "--since", "2023-11-14", "--api", server.url)
        whole = tally.ok(attacker.run(*fetch, home=tmp_path / "whole"))
        wanted = without_author(rows(tmp_path / "whole"))
        assert len(wanted) == 400
        for number in range(2 * rounds):
            home = tmp_path / f"{number}"
            for _ in range(2):
                tally.attacked(attacker.kill_after(float(rng.uniform(0.02, whole.seconds)), *fetch, home=home))
            tally.ok(attacker.run(*fetch, home=home))
            tally["lost"] += without_author(rows(home)) != wanted
    tally.check()


def test_a_ladder_that_is_killed_can_be_climbed_again_and_leaves_no_words(
    attacker: Attacker, tally: Tally, rounds: int, rng: np.random.Generator, tmp_path: Path, posts: Path
) -> None:
    base, ladder = tmp_path / "base", ("ladder", "unigram", "--budget", "none")
    tally.ok(attacker.run("import", posts, home=base))
    shutil.copytree(base, tmp_path / "whole")
    took = tally.ok(attacker.run(*ladder, home=tmp_path / "whole")).seconds
    others = sum(SECRET not in str(row) for row in rows(base))
    for number in range(rounds):
        home = tmp_path / f"{number}"
        shutil.copytree(base, home)
        tally.attacked(attacker.kill_after(float(rng.uniform(0.02, took)), *ladder, home=home))
        tally.ok(attacker.run("forget", "--author", SECRET_AUTHOR, home=home))
        tally["forgotten bytes found"] += len(holders(home, SECRET)) + len(holders(home, SECRET_AUTHOR))
        tally["lost"] += others - len(rows(home))
    tally.attacked(attacker.kill_after(float(rng.uniform(0.5 * took, took)), *ladder, home=base))
    tally.ok(attacker.run(*ladder, home=base))
    tally["lost"] += not (base / "ladder" / "ladder.json").is_file()
    tally.check()

"""Two of each writer at once, and all of them: each waits for its turn or says who is at work; nothing is lost."""

from __future__ import annotations

import shutil
from pathlib import Path

from hn_server import HackerNewsServer

from chaos.attack import Attacker
from chaos.homes import OWN_SECRET, SECRET, SECRET_AUTHOR, holders, items, rows, without_author, write_posts
from chaos.tally import Tally
from rejoinder.home.own_text import remembered
from rejoinder.home.workspace import Workspace

FIT = ("fit", "canned", "markov", "bm25")
FORGET = ("forget", "--author", SECRET_AUTHOR)
LADDER = ("ladder", "unigram", "--budget", "30s")


def own(number: int) -> tuple[str, ...]:
    return ("own", "add", f"{OWN_SECRET} number {number}")


def test_two_that_take_posts_in(attacker: Attacker, tally: Tally, rounds: int, tmp_path: Path, posts: Path) -> None:
    with HackerNewsServer(items(200)) as server:
        fetch = ("fetch", "hn", "--since", "2023-11-14", "--api", server.url)
        for name, command in (("import", ("import", posts)), ("fetch", fetch)):
            tally.ok(attacker.run(*command, home=tmp_path / name))
            wanted = without_author(rows(tmp_path / name))
            for number in range(rounds):
                home = tmp_path / f"{name}{number}"
                for ran in attacker.together(command, command, home=home):
                    tally.ok(tally.attacked(ran))
                tally["lost"] += without_author(rows(home)) != wanted
    tally.check()


def test_two_that_write_models(attacker: Attacker, tally: Tally, rounds: int, tmp_path: Path, posts: Path) -> None:
    base = tmp_path / "base"
    tally.ok(attacker.run("import", posts, home=base))
    for number, command in enumerate((FIT, FORGET, LADDER) * max(rounds // 2, 1)):
        home = tmp_path / f"{number}"
        shutil.copytree(base, home)
        for ran in attacker.together(command, command, home=home):
            tally.ok(tally.attacked(ran))
        if command is FIT:
            for name in FIT[1:]:
                Workspace(home).load(name)
        if command is FORGET:
            tally["forgotten bytes found"] += len(holders(home, SECRET))
        if command is LADDER:
            assert (home / "ladder" / "ladder.json").is_file()
    tally.check()


def test_all_of_them_at_once(attacker: Attacker, tally: Tally, rounds: int, tmp_path: Path, posts: Path) -> None:
    more = write_posts(tmp_path / "more.jsonl", 100, first=1_000)
    with HackerNewsServer(items(200)) as server:
        fetch = ("fetch", "hn", "--since", "2023-11-14", "--api", server.url)
        for number in range(max(rounds // 2, 1)):
            home = tmp_path / f"{number}"
            tally.ok(attacker.run("import", posts, home=home))
            tally.ok(attacker.run(*FIT, home=home))
            theirs = {number for number, item in items(200).items() if item and item.get("by") == SECRET_AUTHOR}
            others = {
                row[0] for row in rows(home) if SECRET not in str(row)
            } - theirs  # fetched before they are forgotten, or after
            pairs = (("import", more), FIT, FORGET, fetch)
            for ran in attacker.together(*(one for pair in pairs for one in (pair, pair)), own(1), own(2), home=home):
                assert tally.attacked(ran).one_line, ran.err
            for command in (*pairs, FORGET):  # whoever did not get its turn in time
                tally.ok(attacker.run(*command, home=home))
            tally["lost"] += len(others - {row[0] for row in rows(home)})
            tally["lost"] += 2 - remembered(home).count(OWN_SECRET)
            tally["forgotten bytes found"] += len(holders(home, SECRET)) + len(holders(home, SECRET_AUTHOR))
    tally.check()

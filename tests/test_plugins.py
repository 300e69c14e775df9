"""Rungs and sources of other packages: one is built, installed and used, and broken ones cost a line each."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import toy_posts

from rejoinder.archive.places import place
from rejoinder.home.workspace import Workspace
from rejoinder.models import GROUP, LADDER, Can, Ladder, Rung, plugin_rungs
from rejoinder.models.interfaces import LanguageModel

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a process for which both wheels, and nothing of this checkout, are installed."""
    wheels, target = tmp_path_factory.mktemp("wheels"), tmp_path_factory.mktemp("installed")
    for project in (ROOT, ROOT / "examples" / "plugin"):
        build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(wheels)]
        subprocess.run(build, check=True, capture_output=True, cwd=project)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(target)]
    subprocess.run([*pip, *map(str, wheels.glob("*.whl"))], check=True, capture_output=True)
    assert (target / "rejoinder_example.py").is_file() and (target / "rejoinder" / "models").is_dir()
    return {**os.environ, "PYTHONPATH": str(target)}


def rejoinder(env: dict[str, str], cwd: Path, *given: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "rejoinder", *given], capture_output=True, text=True, cwd=cwd, env=env, check=False
    )
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    return done.stdout


def test_an_installed_plugin_is_imported_from_shown_fitted_and_measured(installed: dict[str, str], tmp_path: Path) -> None:
    lines = ["#id\tparent\tauthor\ttext", "a line without its columns"]
    lines += [f"{post.id}\t{post.parent or ''}\tjane\t{post.own_text}" for post in toy_posts(200)]
    (tmp_path / "forum.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    home = ("--home", str(tmp_path / "home"))
    assert '"tabbed"' in rejoinder(installed, tmp_path, "import", "forum.txt", *home, "--json")
    rejoinder(installed, tmp_path, "fit", "bm25", "rare_words", *home)
    shown = rejoinder(installed, tmp_path, "rungs", *home, "--json")
    assert '"rare_words"' in shown and "the rare words that a reply shares" in shown
    rejoinder(installed, tmp_path, "ladder", "unigram", "bm25", "rare_words", "--budget", "none", *home, "--out", "report")
    (report,) = (tmp_path / "report").rglob("ladder.json")
    assert '"rare_words"' in report.read_text(encoding="utf-8")


def test_an_installed_plugin_gets_the_contract_suite(installed: dict[str, str]) -> None:
    suite = [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", "-p", "no:xdist", "tests/test_contract.py"]
    done = subprocess.run([*suite, "-k", "rare_words"], capture_output=True, text=True, cwd=ROOT, env=installed, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "6 passed" in done.stdout


class Incomplete:
    Config = dict


class Loose:
    """All that a language model has, and yet none."""

    Config = fit = save = load = start = advance = log_probs = None


BROKEN = {
    "gone": ("no_such_module:RUNG", "No module named"),
    "other": ("pathlib:Path", "`pathlib:Path` is no rejoinder.models.Rung"),
    "bm25": (f"{__name__}:GOOD", "there is a rung of that name already"),
    "half": (f"{__name__}:HALF", "lacks fit, save, load, propose"),
    "loose": (f"{__name__}:LOOSE", "lacks the base class"),
    "unplaced": (f"{__name__}:UNPLACED", "has no attribute 'Nothing'"),
}
GOOD = Rung("rejoinder.models.canned:Canned", Can.PROPOSE, "as good as ours")
MADE = Rung("rejoinder.models.fusion:Fusion", Can.RANK, "made of others", made_of=Can.RANK)
HALF = Rung(f"{__name__}:Incomplete", Can.PROPOSE, "lacks most")
LOOSE = Rung(f"{__name__}:Loose", Can.PREDICT, "is no language model")
UNPLACED = Rung(f"{__name__}:Nothing", Can.PROPOSE, "is not there")


def offer(monkeypatch: pytest.MonkeyPatch, points: dict[str, str]) -> None:
    found = [EntryPoint(name, value, GROUP) for name, value in points.items()]
    monkeypatch.setattr("importlib.metadata.entry_points", lambda *, group: found)


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_plugin_costs_one_line(name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    value, said = BROKEN[name]
    offer(monkeypatch, {name: value, "zz_good": f"{__name__}:GOOD"})
    with caplog.at_level(logging.WARNING):
        assert dict(plugin_rungs(["bm25"])) == {"zz_good": GOOD}
    (line,) = caplog.messages
    assert said in line and f"`{name}`" in line and "\n" not in line


def test_plugins_stand_below_ours_and_what_is_made_of_others_above(monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, {"made": f"{__name__}:MADE", "good": f"{__name__}:GOOD"})
    ladder = Ladder({"unigram": GOOD, "bm25": GOOD})
    assert list(ladder) == ["good", "unigram", "bm25", "made"] and len(ladder) == 4 and ladder["made"] is MADE


def test_plugins_are_looked_up_only_when_the_ladder_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr("importlib.metadata.entry_points", lambda *, group: asked.append(group) or [])
    ladder = Ladder({"bm25": GOOD})
    assert not asked
    assert "bm25" in ladder and [*ladder] == ["bm25"] and asked == [GROUP]


def test_our_own_rungs_have_what_their_lines_say() -> None:
    for name, line in LADDER.items():
        line.check()
        assert (Can.PREDICT in line.can) == issubclass(line.load(), LanguageModel), name


# --- said once -------------------------------------------------------------------------------------------------------


@pytest.fixture
def with_broken(tmp_path: Path) -> dict[str, str]:
    """The environment of a process that finds a package whose rung and whose source cannot be loaded."""
    told = tmp_path / "packages" / "broken_things-1.dist-info"
    told.mkdir(parents=True)
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-things\nVersion: 1\n")
    groups = {"rungs": "broken_rung = no_such_module:RUNG", "sources": "broken_source = no_such_module:Source"}
    (told / "entry_points.txt").write_text("".join(f"[rejoinder.{group}]\n{line}\n" for group, line in groups.items()))
    ours = {name: value for name, value in os.environ.items() if not name.startswith("REJOINDER_")}
    return {**ours, "PYTHONPATH": os.pathsep.join([str(told.parent), *sys.path])}


RUNG_LINE, SOURCE_LINE = "the plugin rung `broken_rung`", "the source `broken_source`"


@pytest.mark.parametrize(
    ("command", "code", "of_source"),
    [
        (["import", "posts.mbox", "more.mbox"], 0, False),
        (["import", "odd.csv", "posts.mbox"], 2, True),
        (["import", "posts.mbox", "--as", "broken_source"], 2, True),
        (["import", "odd.csv", "--show", "2"], 2, True),
        (["rungs"], 0, False),
        (["fit", "canned", "broken_rung"], 2, False),
        (["ladder", "unigram", "--budget", "none"], 0, False),  # each of its workers meets the rung, too
    ],
    ids=str,
)
def test_what_is_wrong_with_a_package_is_said_once(
    command: list[str], code: int, of_source: bool, with_broken: dict[str, str], tmp_path: Path
) -> None:
    mail = "From a@b Mon Nov 14 10:00:00 2022\nFrom: A <a@b>\nMessage-ID: <{}@b>\nSubject: dough\n\nThe dough rests.\n\n"
    for name in ("posts.mbox", "more.mbox"):
        (tmp_path / name).write_text(mail.format(name))
    (tmp_path / "odd.csv").write_text("a,b\n1,2\n")
    if command[0] == "ladder":
        with Workspace(tmp_path / "home").open_archive(create=True) as archive:
            place(archive, "toy", hashed=False)
            archive.add(toy_posts(400))
    run = [sys.executable, "-m", "rejoinder", *command, "--home", str(tmp_path / "home")]
    ran = subprocess.run(run, capture_output=True, text=True, cwd=tmp_path, env=with_broken, check=False)
    assert ran.returncode == code, ran.stderr
    told = ran.stdout + ran.stderr
    assert told.count(RUNG_LINE) <= 1 and told.count(SOURCE_LINE) == of_source, told
    assert told.count(RUNG_LINE) == 1 or command[0] == "import"


def test_a_server_says_once_what_is_wrong_with_a_package(with_broken: dict[str, str], tmp_path: Path) -> None:
    run = [sys.executable, "-m", "rejoinder", "serve", "--port", "0", "--home", str(tmp_path / "home")]
    with (
        (tmp_path / "said").open("w+") as said,
        subprocess.Popen(run, stdout=subprocess.PIPE, stderr=said, text=True, env=with_broken) as server,
    ):
        assert server.stdout is not None
        try:
            address = next(found.group() for line in server.stdout if (found := re.search(r"http://[\w.]+:\d+", line)))
            assert httpx.get(f"{address}/v1/models", timeout=60).status_code == 200  # by the second process
        finally:
            server.terminate()
        server.wait()
        said.seek(0)
        assert said.read().count(RUNG_LINE) == 1

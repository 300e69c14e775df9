"""The Makefile on machines of several kinds: what it asks of each for a browser, and that it goes on where there is none.

Each machine is a folder of commands, the only one on the PATH; what they are asked is written down.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
MAKE = shutil.which("make")
pytestmark = pytest.mark.skipif(MAKE is None, reason="make is not installed")


class Machine:
    """A copy of the Makefile, whose environment is set up already, on a machine that has only the commands it is given."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.asked = folder, folder / "asked.txt"
        self.commands = folder / "commands"
        for made in (self.commands, folder / ".venv" / "bin", folder / "examples"):
            made.mkdir(parents=True)
        for name in ("Makefile", "pyproject.toml", "requirements.lock"):
            shutil.copy(ROOT / name, folder / name)
        for name in ("sh", "touch"):
            (self.commands / name).symlink_to(str(shutil.which(name)))
        self.asked.touch()
        self.has("id", says="1000")
        for name in ("python", "ruff", "mypy"):
            self.has(name, inside=True)

    def has(self, name: str, *, says: str = "", fails: bool | str = False, inside: bool = False) -> None:
        """Give it a command, which notes that it was asked; `inside` its environment, or on the PATH.

        It fails always, never, or when its second argument is the one given.
        """
        file = (self.folder / ".venv" / "bin" if inside else self.commands) / name
        end = f'[ "$2" != "{fails}" ]' if isinstance(fails, str) else f"exit {int(fails)}"
        file.write_text(f'#!/bin/sh\necho "{name} $*" >>"{self.asked}"\necho "{says}"\n{end}\n')
        file.chmod(0o755)
        for made in (".venv/base", ".venv/dev"):  # newer than what they are made from
            (self.folder / made).touch()

    def make(self, *targets: str, **environment: str) -> tuple[list[str], str]:
        """What was asked of the machine (but for who asks), and what was said; it must end well."""
        assert MAKE
        environment = {"PATH": str(self.commands), **environment}
        done = subprocess.run([MAKE, *targets], cwd=self.folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        asked = self.asked.read_text().splitlines()
        return [line for line in asked if not line.startswith("id ")], done.stderr


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


FETCHED = "python -m playwright install chromium"


@pytest.mark.parametrize("name", ["chromium", "chromium-browser", "google-chrome"])
def test_a_browser_that_is_there_is_taken(machine: Machine, name: str) -> None:
    machine.has(name)
    machine.has("id", says="0")
    machine.has("apt-get")
    assert machine.make("browser") == ([], "")


def test_root_installs_it_with_apt(machine: Machine) -> None:
    machine.has("id", says="0")
    machine.has("apt-get")
    update, install = machine.make("browser")[0]
    assert update == "apt-get update -qq" and re.fullmatch(r"apt-get install .* chromium fonts-dejavu-core", install)


def test_where_apt_cannot_it_is_fetched_by_playwright(machine: Machine) -> None:
    machine.has("id", says="0")
    machine.has("apt-get", fails=True)
    assert machine.make("browser")[0] == ["apt-get update -qq", FETCHED]


def test_without_root_nothing_is_asked_of_apt(machine: Machine) -> None:
    machine.has("apt-get")
    assert machine.make("browser") == ([FETCHED], "")


def test_without_any_browser_the_tests_run_all_the_same(machine: Machine) -> None:
    machine.has("python", fails="playwright", inside=True)
    asked, said = machine.make("test")
    assert asked[-2:] == [FETCHED, asked[-1]] and asked[-1].startswith("python -m pytest -n ")
    assert "the tests of the page are skipped" in said


def test_nobody_is_asked_for_a_browser_that_is_not_wanted(machine: Machine) -> None:
    machine.has("id", says="0")
    machine.has("apt-get")
    assert machine.make("browser", REJOINDER_NO_BROWSER="1") == ([], "")


def test_a_test_run_checks_first_and_asks_for_no_fonts(machine: Machine) -> None:
    machine.has("chromium")
    asked, _ = machine.make("test")
    assert [line.split()[0] for line in asked] == ["ruff", "ruff", "mypy", "python"]
    assert not any("fonts" in line for line in asked)


def test_fonts_are_installed_by_root_and_named_to_others(machine: Machine) -> None:
    machine.has("apt-get")
    machine.has("python", says="fonts-lato fonts-tuffy", inside=True)
    asked, said = machine.make("fonts")
    assert asked == ["python -m letters.fonts"] and "apt-get install fonts-lato fonts-tuffy" in said
    machine.has("id", says="0")
    asked, said = machine.make("fonts")
    assert asked[-1].endswith("fonts-lato fonts-tuffy") and said == ""


def test_an_older_python_is_refused_before_anything_is_made(machine: Machine) -> None:
    machine.has("python3", fails=True)
    shutil.rmtree(machine.folder / ".venv")
    assert MAKE
    command, only = [MAKE, "setup"], {"PATH": str(machine.commands)}
    done = subprocess.run(command, cwd=machine.folder, env=only, capture_output=True, check=False)
    assert done.returncode == 2 and not (machine.folder / ".venv").exists()
    (line,) = machine.asked.read_text().splitlines()
    assert "needs Python 3.11 or newer" in line


def test_ci_runs_what_the_readme_says_and_publishes_the_site() -> None:
    assert (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()[-1] == "make test"
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))["jobs"]
    runs = {name: [step["run"] for step in job["steps"] if "run" in step] for name, job in jobs.items()}
    assert runs["test"] == [".ci/run"] and runs["site"] == ["make site"]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (published,) = (step["with"]["path"] for step in jobs["site"]["steps"] if "pages" in step.get("uses", ""))
    assert re.search(rf"^site:.*\n\t.* {re.escape(published)}$", makefile, re.MULTILINE)
    assert set(jobs["publish"]["needs"]) == {"test", "site"}


def test_the_hooks_before_a_commit_are_the_checks() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"][0]["hooks"]
    assert {hook["entry"].split()[0] for hook in hooks} == {".venv/bin/ruff", ".venv/bin/mypy", ".venv/bin/python"}


def test_the_lock_file_agrees_with_itself_and_with_the_oldest_python() -> None:
    """Every pin is one that the others allow, and that the Python promised in pyproject.toml can install: else no setup ends."""
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    pins = {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in lines if "==" in line)}
    for name, version in pins.items():
        try:
            found = distribution(name)
        except PackageNotFoundError:  # of another machine
            continue
        if found.version != version:
            continue  # what is installed here says nothing of the pin
        assert SpecifierSet(found.metadata.get("Requires-Python") or "").contains("3.11.0"), name
        for needed in map(Requirement, found.requires or ()):
            pinned = pins.get(canonicalize_name(needed.name))
            if pinned is not None and (needed.marker is None or needed.marker.evaluate({"extra": ""})):
                assert needed.specifier.contains(pinned, prereleases=True), f"{name} needs {needed}, and {pinned} is pinned"

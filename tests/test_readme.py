"""What the README and the docs say is what happens. `REJOINDER_GOLDEN=write` puts what `make try` prints into the README."""

from __future__ import annotations

import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rejoinder.home.workspace import Workspace
from rejoinder.models import LADDER

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_session_in_the_readme_is_what_make_try_prints(sample_home: Path, tmp_path: Path) -> None:
    """Every command of the target `try`, as the Makefile has it, on a home of its own, in which the sample is fitted."""
    shutil.copytree(sample_home, tmp_path, dirs_exist_ok=True)
    recipe = re.search(r"^try:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert recipe
    printed = ""
    for line in recipe.group(1).splitlines():
        command = shlex.split(line.strip().removeprefix("@"), comments=True)
        command = [str(tmp_path) if word == ".try" else word for word in command]
        done = subprocess.run([sys.executable, "-m", "rejoinder", *command[1:]], capture_output=True, text=True, check=True)
        printed += done.stdout
    session = re.search(r"```console\n(.*?)```", README, re.DOTALL)
    assert session
    if os.environ.get("REJOINDER_GOLDEN") == "write":
        written = f"{README[: session.start(1)]}{printed.rstrip()}\n{README[session.end(1) :]}"
        (ROOT / "README.md").write_text(written, encoding="utf-8")
        return
    assert session.group(1).rstrip() == printed.rstrip()
    sources = re.findall(r"^    \w+ · \d+% likely on topic · post \d+, .*\n    asked there", printed, re.MULTILINE)
    assert len(sources) >= 2


def test_the_page_of_replies_is_what_the_sample_answers(sample_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`python bench/before_after.py` writes it anew."""
    monkeypatch.syspath_prepend(str(ROOT / "bench"))
    page = runpy.run_path(str(ROOT / "bench" / "before_after.py"))["page"]
    assert (ROOT / "docs" / "replies.md").read_text(encoding="utf-8") == page(Workspace(sample_home / "sample"))


def test_the_map_is_that_of_the_modules() -> None:
    """`make format` writes it anew."""
    assert (ROOT / "docs" / "map.md").read_text(encoding="utf-8") == runpy.run_path(str(ROOT / "docs/_ext/house_map.py"))[
        "write_map"
    ]()


@pytest.mark.parametrize("name", list(LADDER))
def test_every_rung_has_its_page_which_names_all_its_settings(name: str) -> None:
    page = (ROOT / "docs" / "ladder" / f"{name}.md").read_text(encoding="utf-8")
    for setting in LADDER[name].load().Config.__dataclass_fields__:  # type: ignore[attr-defined]
        assert f"`{name}.{setting}`" in page
    assert f"[{name}]({name}.md)" in (ROOT / "docs" / "ladder" / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", sorted(ROOT.glob("*.md")) + sorted(ROOT.glob("docs/**/*.md")), ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_contributing_is_short() -> None:
    assert len((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").splitlines()) <= 60

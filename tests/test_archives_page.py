"""What docs/archives.md says: a line for every form, the same as the code knows, and sessions that were really had."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import made_places
import pytest
from test_cli import Rejoinder
from test_cli import rejoinder as _rejoinder
from typer.main import get_command

from rejoinder.archive import registry
from rejoinder.cli import app

run = _rejoinder  # the fixture
PAGE = (Path(__file__).parents[1] / "docs" / "archives.md").read_text(encoding="utf-8")
ROWS = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in PAGE.splitlines() if line.startswith("| **")]


def test_every_form_has_its_line_and_every_line_a_form_and_a_command() -> None:
    forms = {form.strip("`") for _, form, *_ in ROWS if form.startswith("`")}
    assert forms == set(registry.sources())
    assert all(len(row) == 7 for row in ROWS)
    assert all("rejoinder import " in row[3] or "rejoinder fetch " in row[2] for row in ROWS)


def test_a_line_is_found_by_its_letter() -> None:
    names = [row[0].removeprefix("**").partition("**")[0].casefold() for row in ROWS]
    assert names == sorted(names)


def test_every_line_can_be_reached_from_the_top() -> None:
    top, _, rest = PAGE.partition("rejoinder import PATH...")
    links, anchors = re.findall(r'href="#([\w-]+)"', top), re.findall(r'<a id="([\w-]+)">', rest)
    assert sorted(links) == sorted(anchors) and len(set(links)) == len(links)
    lines = [row[0] for row in ROWS if "<a id=" not in row[0]]
    assert [line.strip("*") for line in lines] == ["Slack**, one channel", "Zulip**, a whole server"]  # below their own


def test_every_service_that_is_fetched_is_named_with_its_options() -> None:
    fetch = get_command(app).commands["fetch"]  # type: ignore[attr-defined]
    assert set(fetch.commands) == set(re.findall(r"rejoinder fetch (\w+)", "\n".join(row[2] for row in ROWS)))
    for name, options in re.findall(r"rejoinder fetch (\w+)([^`]*)`", PAGE):
        known = {option for parameter in fetch.commands[name].params for option in parameter.opts}
        assert set(re.findall(r"--[\w-]+", options)) <= known


# --- sessions ------------------------------------------------------------------------------------------------------

MADE = {"kettles": made_places.discourse, "boats.mbox": made_places.mbox}
TIMES = re.compile(r"in [\d.,]+ s(?:, [\d,]+ a second)?|(?m:(?<=^bm25) +[\d.]+ s)| \(\d+ years ago\)")


def alike(text: str) -> str:
    return TIMES.sub("in a moment", text).strip()


@pytest.mark.parametrize("name", sorted(MADE))
def test_from_an_export_to_a_first_good_reply_as_the_page_shows_it(
    name: str, tmp_path: Path, run: Rejoinder, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = next(block for block in re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL) if f"rejoinder import {name}" in block)
    MADE[name](tmp_path / name)
    monkeypatch.chdir(tmp_path)
    steps = re.findall(r"^\$ rejoinder (.*)\n((?:(?!\$ ).*\n)*)", session, re.MULTILINE)
    assert len(steps) == 3
    for command, printed in steps:
        ran = run(*shlex.split(command), "--home", tmp_path / "home")
        assert ran.code == 0, ran.err
        assert alike(ran.out) == alike(printed)

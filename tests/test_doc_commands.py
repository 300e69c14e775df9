"""Every command that the README and the docs name is one that the front door takes, with its options."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import typer

from rejoinder.cli import app
from rejoinder.models import LADDER

ROOT = Path(__file__).resolve().parents[1]
PAGES = [*(ROOT / name for name in ("README.md", "CHANGELOG.md")), *sorted((ROOT / "docs").rglob("*.md"))]
PAGES = [page for page in PAGES if page.name != "log.md" and "_build" not in page.parts]
LINE = re.compile(r"^ *(?:\$ )?(?:\w+=\S+ )*rejoinder ((?:.*\\\n)*.*)$", re.MULTILINE)
WITHIN = re.compile(r"`rejoinder ([^`]+)`")


def commands(page: Path) -> Iterator[list[str]]:
    """The words after `rejoinder` of each command: a line of code of its own, or within prose; `a|b` names two."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"^```console\n(.*?)^```|((?:^    .*\n)+)", text, re.DOTALL | re.MULTILINE)
    lines = [line for block in blocks for line in LINE.findall("".join(block))]
    for line in [*lines, *(" ".join(within.split()) for within in WITHIN.findall(text))]:
        words = [word for word in shlex.split(line.replace("\\\n", " "), comments=True) if word != "COMMAND"]
        yield from map(list, product(*(word.split("|") for word in words)))


def test_every_setting_that_a_command_sets_is_one() -> None:
    made_up = {"rung", "rare_words"}
    for name, key in {pair for page in PAGES for pair in re.findall(r"--set '?(\w+)\.(\w+)=", page.read_text(encoding="utf-8"))}:
        assert name in made_up or key in LADDER[name].load().Config.__dataclass_fields__, f"{name}.{key}"  # type: ignore[attr-defined]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_is_one_and_takes_its_options(page: Path) -> None:
    for words in commands(page):
        command: Any = typer.main.get_command(app)
        context = command.context_class(command)
        left = command.make_parser(context).parse_args(words)[1]
        while left and hasattr(command, "commands"):
            assert left[0] in command.commands, words
            command = command.commands[left[0]]
            context = command.context_class(command, parent=context)
            left = command.make_parser(context).parse_args(left[1:])[1]

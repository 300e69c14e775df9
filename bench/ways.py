"""A person's way from a clone to ghost text, by the clock: in a box like GitHub's, in Neovim and in Emacs.

    python bench/ways.py [--json]

The commands are those of docs/browser.md and docs/editors.md, run as they stand there, in a fresh clone with an empty home.
Where a person clicks (to load the extension, to pair, to switch a site on) the benchmark does it; how long they look is not
counted.
Ghost text is there once it is on the screen. Installing needs the package index.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from shlex import quote
from tempfile import TemporaryDirectory
from time import perf_counter, sleep

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from browsing import chromium_with, let_in, opened, pages  # type: ignore[import-not-found]
from figures import ROOT, arguments, report
from playwright.sync_api import sync_playwright
from serving import serving  # type: ignore[import-not-found]
from terminal import Terminal  # type: ignore[import-not-found]
from test_editor_neovim import NEOVIM  # type: ignore[import-not-found]
from waiting import until  # type: ignore[import-not-found]

BEGUN, NEXT = "I think that the prob", b"lem"
PATIENCE = 600.0  # seconds
KEY = 0.2  # seconds from key to key: what comes at once is pasted, not typed
EDITORS = {"Neovim": ("nvim", "i"), "Emacs": ("emacs -nw", "")}  # how it is begun, and what is pressed to write


def commands(page: str, heading: str) -> list[str]:
    """The commands that a page of the documentation tells under a heading ("": before the first)."""
    part = re.split(r"^## ", (ROOT / "docs" / page).read_text(encoding="utf-8"), flags=re.MULTILINE)
    found = next(text for text in part if text.startswith(heading) or not heading)
    return re.findall(r"^\$ (.+)$", found, flags=re.MULTILINE)


class Way:
    """One person's: what they ran, and when they began."""

    def __init__(self, clone: Path, env: Mapping[str, str]) -> None:
        """Begin, in a clone, with these variables."""
        self.clone, self.env, self.number = clone, env, 0
        self.began = perf_counter()

    def run(self, command: str) -> None:
        """Run a command in the clone."""
        subprocess.run(command, shell=True, check=True, cwd=self.clone, env=self.env, stdout=subprocess.DEVNULL)
        self.number += 1

    def told(self, name: str, *, as_json: bool) -> None:
        """Report it; ghost text is there."""
        report(f"{name}: commands", [self.number], "", as_json=as_json)
        report(f"{name}: seconds to ghost text", [perf_counter() - self.began], "s", as_json=as_json)


def in_editor(way: Way, name: str) -> None:
    """Install its client, open a file, write, and see the ghost."""
    program, key = EDITORS[name]
    for command in commands("editors.md", name):
        way.run(command)
    terminal = Terminal(["/bin/sh", "-c", f"cd {quote(str(way.clone))} && exec {program} draft.txt"], way.env)
    way.number += 1
    until(lambda: b"draft.txt" in terminal.drawn, PATIENCE)
    for letter in key + BEGUN:
        terminal.type(letter)
        sleep(KEY)

    def ghost() -> bool:
        """What is drawn behind the last letter; it is typed again, since the models are being read at first."""
        before = len(terminal.drawn)
        terminal.type("\x7f")
        sleep(KEY)
        terminal.type(BEGUN[-1])
        try:
            return bool(until(lambda: NEXT in terminal.drawn[before:], 2.0))
        except AssertionError:
            return False

    until(ghost, PATIENCE)
    terminal.process.kill()


def in_browser(way: Way) -> None:
    """Pack the extension, serve, load, pair, switch on, write, and see the ghost."""
    way.run("make clients")
    home = Path(way.env["HOME"]) / "served"
    with sync_playwright() as playwright, serving(home) as server, pages() as site:
        way.number += 1
        extension, profile = way.clone / "clients" / "dist" / "chromium", home / "profile"
        with chromium_with(playwright, extension, profile) as context:
            let_in(context, home, server.url)
            field = opened(context, site, "sites/github")
            field.page.keyboard.type(BEGUN, delay=30)
            until(lambda: field.ghost.startswith(NEXT.decode()), PATIENCE)


def main() -> None:
    asked = arguments(__doc__ or "")
    with TemporaryDirectory() as scratch:
        clone, person = Path(scratch) / "rejoinder", Path(scratch) / "person"
        person.mkdir()
        programs = [str(clone / ".venv" / "bin"), *([str(Path(NEOVIM).parent)] if NEOVIM else []), os.environ["PATH"]]
        env = {name: value for name, value in os.environ.items() if not name.startswith(("REJOINDER_", "XDG_", "PYTHON"))}
        env |= {"HOME": str(person), "PATH": os.pathsep.join(programs)}
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        way = Way(clone, env)
        in_browser(way)
        way.told("a box like GitHub's, installing and all", as_json=asked.json)
        way = Way(clone, env)
        in_browser(way)
        way.told("a box like GitHub's, all but installing", as_json=asked.json)
        (install,) = commands("editors.md", "# Ghost text")
        Way(clone, env).run(install)
        for name in EDITORS:
            way = Way(clone, env)
            in_editor(way, name)
            way.told(f"{name}, all but installing", as_json=asked.json)


if __name__ == "__main__":
    main()

"""The extension for Visual Studio Code: what it is made of, in a stand-in for the editor, and in a real one in a real browser.

The server is a real process. The stand-in needs node alone.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

import pytest
from browsing import a_chromium, until
from playwright.sync_api import Browser, Page, expect, sync_playwright
from tied import tied, untie

from rejoinder.home.own_text import remembered
from rejoinder.home.switch import FILE

HERE = Path(__file__).resolve().parent
CLIENT = HERE.parent / "clients" / "vscode"
BEGUN = "I think that the prob"
PATIENCE = 300.0  # seconds: a real editor in a browser is much to begin
NODE = shutil.which("node")
DEFAULTS = {"enable": True, "languages": {}, "comments": False, "words": False, "gate": "eager", "block": [], "learn": False}
EDITOR = HERE / "vscode" / "node_modules" / "code-server" / "lib" / "vscode"
needs_node = pytest.mark.skipif(NODE is None, reason="node is not installed")
needs_editor = pytest.mark.skipif(
    NODE is None or not (HERE / "vscode" / "node_modules" / "whole").exists(),
    reason="no VS Code: `make vscode` fetches one, where there is npm",
)


def packed(into: Path) -> Path:
    spec = importlib.util.spec_from_file_location("vsix", CLIENT / "vsix.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return Path(module.pack(into))


def server(home: Path) -> list[str]:
    """Without models in the home, the package's speak."""
    return [sys.executable, "-m", "rejoinder", "lsp", "--deadline", "1000", "--home", str(home)]


def test_the_package_holds_what_it_says_and_is_the_same_each_time(tmp_path: Path) -> None:
    first = packed(tmp_path).read_bytes()
    with zipfile.ZipFile(packed(tmp_path)) as package:
        names = package.namelist()
        told = json.loads(package.read("extension/package.json"))
        manifest = ElementTree.fromstring(package.read("extension.vsixmanifest"))
        types = ElementTree.fromstring(package.read("[Content_Types].xml"))
    assert (tmp_path / "rejoinder.vsix").read_bytes() == first
    space = "{http://schemas.microsoft.com/developer/vsx-schema/2011}"
    assert {asset.get("Path") for asset in manifest.iter(f"{space}Asset")} <= set(names)
    assert f"extension/{told['main']}" in names and f"extension/{told['icon']}" in names
    assert {Path(name).suffix for name in names} - {".xml"} <= {kind.get("Extension") for kind in types}
    required = re.findall(r'require\("\./([^"]+)"\)', (CLIENT / "extension.js").read_text())
    assert required and all(f"extension/{name}" in names for name in required)
    commands = {command["command"] for command in told["contributes"]["commands"]}
    assert commands == set(
        re.findall(r'^ +"(rejoinder\.\w+)": (?:async )?\(', (CLIENT / "extension.js").read_text(), re.MULTILINE)
    )


# What it is made of ---------------------------------------------------------------------------------------------------


def node(program: str, *arguments: str) -> Any:
    """What a program says, as JSON."""
    assert NODE
    done = subprocess.run([NODE, "-e", program, *arguments], capture_output=True, text=True, timeout=PATIENCE, cwd=CLIENT)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


COMMENT = """
const [language, text] = process.argv.slice(1);
const rows = text.split("\\n");
const found = require("./comments.js").commentAt(language, (row) => rows[row], rows.length - 1, rows.at(-1));
process.stdout.write(JSON.stringify(found));
"""


@needs_node
@pytest.mark.parametrize(
    ("language", "text", "comment"),
    [
        ("python", "x = 1\n# One line\n  # and the ne", "One line\nand the ne"),
        ("python", "#!/usr/bin/python", None),
        ("python", "x = 1  # The prob", None),  # what follows code is left alone: it may be in a string
        ("python", "print('# The prob')", None),
        ("python", "# One.\n\n# Another", "Another"),
        ("rust", "/// It says\n//! what", "It says\nwhat"),
        ("javascript", "/**\n * It says\n * wh", "\nIt says\nwh"),
        ("javascript", "a\n  * b", None),  # a product
        ("javascript", "/* c */\n  * b", None),
        ("c", "#include <stdio.h>", None),
        ("sql", "-- The prob", "The prob"),
        ("haskell", "x --> y", None),
        ("markdown", "# A heading", None),
    ],
)
def test_where_a_comment_is(language: str, text: str, comment: str | None) -> None:
    assert node(COMMENT, language, text) == comment


@needs_node
def test_messages_are_read_however_they_are_cut() -> None:
    program = """
    const { Frames } = require("./client.js");
    const bodies = ["1", '{"a":"ä😀"}', '""'];
    const head = (body) => `Content-Length: ${Buffer.byteLength(body)}\\r\\nX: 1\\r\\n\\r\\n`;
    const bytes = Buffer.concat(bodies.map((body) => Buffer.from(head(body) + body)));
    const all = [];
    for (let size = 1; size <= bytes.length; size++) {
      const frames = new Frames();
      const read = [];
      for (let at = 0; at < bytes.length; at += size) read.push(...frames.feed(bytes.subarray(at, at + size)));
      all.push(JSON.stringify(read));
    }
    process.stdout.write(JSON.stringify([...new Set(all)]));
    """
    assert [json.loads(read) for read in node(program)] == [[1, {"a": "ä😀"}, ""]]


# In a stand-in --------------------------------------------------------------------------------------------------------


def played(command: list[str], *steps: tuple[Any, ...], **settings: Any) -> list[Any]:
    """What each step was answered."""
    assert NODE
    told = json.dumps({**DEFAULTS, "command": command, **settings})
    arguments = [NODE, str(HERE / "vscode" / "driver.js"), str(CLIENT), told, json.dumps(steps)]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


@needs_node
def test_the_ghost_follows_what_is_written_and_is_silent_while_one_deletes(tmp_path: Path) -> None:
    answers = played(
        server(tmp_path),
        ("open", "markdown", "---\ntitle: X\n---\n😀 "),
        ("type", BEGUN),
        ("until", "ghost"),
        ("delete", 1),
        ("ghost",),
        ("type", "b"),
        ("until", "ghost"),
        ("open", "html", BEGUN),
        ("ghost",),
        ("open", "plaintext", BEGUN),
        ("until", "words"),
        words=True,
    )
    first, deleting, again, other, words = (answers[place] for place in (2, 4, 6, 8, 10))
    assert first[0].startswith("lem")
    assert deleting == []
    assert again == first
    assert other == []
    assert words[0]["insertText"].startswith("prob") and words[0]["range"][0] == {"line": 0, "character": len(BEGUN) - 4}


@needs_node
def test_switches_and_what_the_status_says_of_them(tmp_path: Path) -> None:
    answers = played(
        server(tmp_path),
        ("open", "python", f"x = 1\n# {BEGUN}"),
        ("status",),
        ("ghost",),
        ("run", "rejoinder.toggleLanguage"),  # all of such a file is prose to us then, code too
        ("status",),
        ("run", "rejoinder.toggleLanguage"),
        ("open", "markdown", BEGUN),
        ("until", "ghost"),
        ("run", "rejoinder.snooze"),
        ("ghost",),
        ("status",),
        ("run", "rejoinder.snooze", 0),
        ("until", "ghost"),
        ("run", "rejoinder.toggleLanguage"),
        ("ghost",),
        ("status",),
        ("run", "rejoinder.toggle"),
        ("status",),
    )
    said = [answer for answer in answers if isinstance(answer, str)]
    shown = ["no prose", "", "snoozed", "off for markdown", "off"]
    assert said == [f"$(circle-slash) rejoinder: {one}" if one else "$(edit) rejoinder" for one in shown]
    assert answers[2] == answers[9] == answers[14] == []


@needs_node
def test_it_is_switched_off_wherever_one_writes_and_learns_where_it_is_asked_to(tmp_path: Path) -> None:
    answers = played(
        server(tmp_path),
        ("open", "markdown", "This stood here. "),
        *(("type", letter) for letter in BEGUN),
        ("until", "ghost"),
        ("run", "rejoinder.everywhere"),
        ("ghost",),
        ("status",),
        ("run", "rejoinder.everywhere"),
        ("until", "ghost"),
        ("status",),
        ("run", "rejoinder.everywhere"),
        ("remove", str(tmp_path / FILE)),  # as `rejoinder switch on` does
        ("until", "ghost"),
        ("status",),
        *(("type", letter) for letter in "lem is mine."),
        ("save",),
        ("ghost",),
        learn=True,
    )
    assert [answer for answer in answers if isinstance(answer, str)] == [
        "$(circle-slash) rejoinder: off everywhere",
        "$(edit) rejoinder",
        "$(edit) rejoinder",
    ]
    assert answers[len(BEGUN) + 3] == []
    assert remembered(tmp_path) == f"{BEGUN}lem is mine.\n"


@needs_node
def test_comments_of_code_where_they_are_switched_on(tmp_path: Path) -> None:
    opened = ("open", "python", f"x = 1\n# It is long.\n# {BEGUN}")
    comment, code = (
        played(server(tmp_path), opened, *more, comments=True)[-1]
        for more in ([("until", "ghost")], [("type", "\n"), ("ghost",)])
    )
    assert comment[0].startswith("lem")
    assert code == []


@needs_node
@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["no-such-rejoinder"], "`no-such-rejoinder` was not found; install it"),
        ([str(NODE), "-e", "throw 'no extra'"], "no extra"),
    ],
)
def test_a_server_that_is_missing_or_ends_is_said_once(command: list[str], said: str) -> None:
    opened, typed = ("open", "markdown", BEGUN), ("type", "l")
    answers = played(
        command, opened, ("told",), typed, ("ghost",), ("open", "plaintext", BEGUN), ("ghost",), ("told",), ("status",)
    )
    (warning,) = [line for line in answers[6] if line.startswith("rejoinder: ")]
    assert said in warning
    assert answers[3] == answers[5] == []
    assert answers[7] == "$(circle-slash) rejoinder: no server"


# In a real editor -----------------------------------------------------------------------------------------------------


class Editor:
    """A VS Code in the browser, with the extension in it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.data = folder / "texts", folder / "data"
        for made in (self.folder, self.data / "data" / "User"):
            made.mkdir(parents=True)
        self.home = folder / "home"
        assert NODE
        command = [NODE, "out/server-main.js", "--server-data-dir", str(self.data), "--accept-server-license-terms"]
        install = [*command, "--install-extension", str(packed(folder))]
        subprocess.run(install, cwd=EDITOR, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=PATIENCE, check=True)
        self.said = folder / "server.log"
        with self.said.open("w") as log:
            more = ["--host", "127.0.0.1", "--port", "0", "--without-connection-token", "--telemetry-level", "off"]
            self.process = tied([*command, *more], cwd=EDITOR, stdout=log)
        found = until(lambda: re.search(r"listening on (\d+)", self.said.read_text()), self.said.read_text, PATIENCE)
        self.port = found[1]

    def settings(self, **some: Any) -> None:
        """Settings of the person, and our command, which is one of the machine."""
        machine = self.data / "data" / "Machine"
        machine.mkdir(exist_ok=True)
        (machine / "settings.json").write_text(json.dumps({"rejoinder.command": server(self.home)}))
        quiet = {"security.workspace.trust.enabled": False, "workbench.startupEditor": "none", "window.commandCenter": False}
        kept = {**quiet, "rejoinder.gate": "eager", "files.autoSave": "off", "files.hotExit": "off", **some}
        (self.data / "data" / "User" / "settings.json").write_text(json.dumps(kept))

    def end(self) -> None:
        """End it, and what it has begun."""
        untie(self.process, PATIENCE)


WRITTEN = """() => [...document.querySelectorAll(".editor-instance .view-line")]
  .sort((one, other) => parseFloat(one.style.top) - parseFloat(other.style.top)).map((line) => {
    const copy = line.cloneNode(true);
    for (const ghost of copy.querySelectorAll(".ghost-text-decoration")) ghost.remove();
    return copy.textContent;
  }).join("\\n")"""


class Written:
    """A file that is open in it."""

    def __init__(self, editor: Editor, browser: Browser, name: str, **options: Any) -> None:
        self.file = editor.folder / Path(name).stem / name  # a folder of its own: what is left unsaved comes back with a folder
        self.file.parent.mkdir()
        self.file.write_text("")
        self.page: Page = browser.new_page(viewport={"width": 1000, "height": 560}, **options)
        self.page.set_default_timeout(PATIENCE * 1000)
        opened = quote(json.dumps([["openFile", f"vscode-remote://127.0.0.1:{editor.port}{self.file}"]]))
        self.page.goto(f"http://127.0.0.1:{editor.port}/?folder={quote(str(self.file.parent))}&payload={opened}")
        self.status = self.page.locator("#rejoinder\\.rejoinder\\.rejoinder")
        self.status.wait_for()
        self.page.locator(".editor-instance .view-lines").first.click()

    def type(self, text: str) -> None:
        self.page.keyboard.type(text, delay=15)

    @property
    def ghost(self) -> str:
        """What is drawn behind the caret."""
        drawn = self.page.locator(".ghost-text-decoration").all_inner_texts()
        return "".join(drawn).replace("\xa0", " ")

    def shown_for(self, text: str) -> str:
        """The ghost behind a text that is typed; its last letter again and again, since the models are being read at first."""
        self.type(text)

        def ghost() -> str:
            for _ in range(50):
                if found := self.ghost:
                    return found
                time.sleep(0.1)
            self.page.keyboard.press("Backspace")
            self.type(text[-1])
            return ""

        return str(until(ghost, lambda: f"no ghost; {self.status.inner_text()}", PATIENCE))

    def shows(self, begins: str) -> None:
        """Wait until the ghost begins so; "" for none."""
        until(lambda: self.ghost.startswith(begins) and bool(self.ghost) is bool(begins), lambda: self.ghost, PATIENCE)

    @property
    def text(self) -> str:
        """What is written, as the editor draws it."""
        return str(self.page.evaluate(WRITTEN)).replace("\xa0", " ")

    def holds(self, text: str) -> None:
        """Wait until this is what is written."""
        until(lambda: self.text == text, lambda: repr(self.text), PATIENCE)

    def command(self, title: str) -> None:
        """Choose a command as a person does."""
        self.page.keyboard.press("F1")
        self.type(title)
        self.page.locator(".quick-input-list .monaco-list-row", has_text=title).first.wait_for()
        self.page.keyboard.press("Enter")


@pytest.fixture(scope="module")
def editor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Editor]:
    running = Editor(tmp_path_factory.mktemp("vscode"))
    yield running
    running.end()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright, a_chromium(playwright) as found:
        yield found


@needs_editor
def test_a_ghost_in_a_real_one_is_taken_whole_by_words_and_hushed(editor: Editor, browser: Browser) -> None:
    editor.settings()
    draft = Written(editor, browser, "draft.md")
    assert draft.shown_for(BEGUN).startswith("lem")
    draft.holds(BEGUN)
    draft.page.keyboard.press("Escape")
    draft.shows("")
    draft.type("l")
    draft.shows("em")
    draft.page.keyboard.press("Control+ArrowRight")
    draft.holds("I think that the problem")
    for _ in "lem":
        draft.page.keyboard.press("Backspace")
    draft.holds(BEGUN)
    draft.shows("")
    draft.page.keyboard.press("Backspace")
    whole = BEGUN + draft.shown_for("b")
    draft.page.keyboard.press("Tab")
    draft.holds(whole)
    draft.page.keyboard.press("Control+z")
    draft.holds(BEGUN)
    draft.page.close()


@needs_editor
def test_plain_text_and_the_switches_in_a_real_one(editor: Editor, browser: Browser) -> None:
    """In plain text the editor would list words of the text: the ghost goes before them."""
    editor.settings()
    draft = Written(editor, browser, "plain.txt")
    draft.type("probe probability\n")
    whole = BEGUN + draft.shown_for(BEGUN)
    draft.page.keyboard.press("Tab")
    draft.holds(f"probe probability\n{whole}")
    patient = expect(draft.status)
    draft.command("rejoinder: Switch On or Off for This Language")
    patient.to_contain_text("off for plaintext", timeout=PATIENCE * 1000)
    draft.command("rejoinder: Switch On or Off for This Language")
    patient.not_to_contain_text("off", timeout=PATIENCE * 1000)
    draft.command("rejoinder: Snooze")
    patient.to_contain_text("snoozed", timeout=PATIENCE * 1000)
    draft.page.close()


@needs_editor
def test_sentences_are_learned_from_in_a_real_one_where_that_is_asked_for(editor: Editor, browser: Browser) -> None:
    editor.settings(**{"rejoinder.learn": True})
    draft = Written(editor, browser, "letter.md")
    draft.shown_for(BEGUN)
    draft.type("lem is mine. ")
    draft.holds(f"{BEGUN}lem is mine. ")
    draft.page.keyboard.press("Control+s")
    until(lambda: remembered(editor.home), lambda: draft.text, PATIENCE)
    assert remembered(editor.home) == f"{BEGUN}lem is mine.\n"
    draft.page.close()


@needs_editor
@pytest.mark.parametrize(("scheme", "theme"), [("light", "Default Light Modern"), ("dark", "Default Dark Modern")])
def test_a_picture_in_a_real_one(editor: Editor, browser: Browser, tmp_path: Path, scheme: str, theme: str) -> None:
    """REJOINDER_PICTURES=docs writes it there."""
    editor.settings(**{"workbench.colorTheme": theme, "editor.minimap.enabled": False, "breadcrumbs.enabled": False})
    draft = Written(editor, browser, f"{scheme}.md")
    draft.page.keyboard.press("Control+b")  # the side bar
    draft.page.set_viewport_size({"width": 860, "height": 360})
    draft.type("# Why we keep Make\n\n")
    ghost = draft.shown_for(BEGUN)
    assert ghost.startswith("lem")
    draft.page.locator(".part.sidebar").wait_for(state="hidden")
    draft.page.screenshot(path=Path(os.environ.get("REJOINDER_PICTURES", tmp_path)) / f"vscode-{scheme}.png")
    draft.page.close()

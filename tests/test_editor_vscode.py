"""The extension for Visual Studio Code: what it is made of, and in a stand-in for the editor, with a real server."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

HERE = Path(__file__).resolve().parent
CLIENT = HERE.parent / "clients" / "vscode"
BEGUN = "I think that the prob"
PATIENCE = 120.0  # seconds
NODE = shutil.which("node")
DEFAULTS = {"enable": True, "languages": {}, "comments": False, "words": False, "gate": "eager", "block": []}
needs_node = pytest.mark.skipif(NODE is None, reason="node is not installed")


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

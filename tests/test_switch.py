"""The one switch for all help while typing: at the page, in the browser, in an editor, by command; all doors fall silent."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from browsing import chromium_with, keep, let_in, opened, packed, pages, until, worker_of
from fastapi.testclient import TestClient
from playwright.sync_api import Page, expect, sync_playwright
from serving import make_home, serving

from rejoinder.home.switch import is_on, switch
from rejoinder.home.workspace import Workspace
from rejoinder.serve.http.app import create_app

BEGUN = "Let the dough rest until it dou"


def test_a_server_says_how_it_stands_and_is_silent_while_it_is_off(tmp_path: Path) -> None:
    with TestClient(create_app(make_home(tmp_path)), base_url="http://127.0.0.1:8765") as client:

        def typed() -> dict[str, Any]:
            found: dict[str, Any] = client.post("/v1/suggest", json={"draft": BEGUN, "deadline_ms": 1_000}).json()
            return {name: found[name] for name in ("ghost", "words", "off", "silent")}

        assert client.get("/v1/switch").json() == {"on": True}
        before = typed()
        assert before["ghost"] and not before["off"] and not before["silent"]
        assert client.post("/v1/switch", json={"on": False}).json() == {"on": False}
        assert typed() == {"ghost": "", "words": [], "off": True, "silent": True}
        assert (
            client.post("/v1/reply", json={"context": {"text": "How long should the dough rest?"}}).json()["replies"] is not None
        )
        assert client.post("/v1/switch", json={"on": False}).json() == {"on": False}  # again
        assert client.post("/v1/switch", json={"on": True}).json() == client.get("/v1/switch").json() == {"on": True}
        assert typed() == before
        assert client.post("/v1/switch", json={"on": "maybe"}).status_code == 422


class Editor:
    """One that speaks to `rejoinder lsp`, and waits for each answer."""

    def __init__(self, home: Path) -> None:
        command = [sys.executable, "-m", "rejoinder", "lsp", "--gate", "eager", "--deadline", "1000", "--home", str(home)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.numbers = count(1)
        self.ask("initialize", {"processId": None, "rootUri": None, "capabilities": {}})
        self.tell("initialized", {})
        document = {"uri": "file:///draft.md", "languageId": "markdown", "version": 1, "text": BEGUN}
        self.tell("textDocument/didOpen", {"textDocument": document})

    def tell(self, method: str, params: Any, **more: int) -> None:
        body = json.dumps({"jsonrpc": "2.0", "method": method, "params": params, **more}).encode()
        assert self.process.stdin
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        self.process.stdin.flush()

    def ask(self, method: str, params: Any) -> Any:
        number = next(self.numbers)
        self.tell(method, params, id=number)
        assert self.process.stdout
        while True:
            size = int(self.process.stdout.readline().split(b":")[1])
            while self.process.stdout.readline().strip():
                pass
            said = json.loads(self.process.stdout.read(size))
            if said.get("id") == number:
                return said["result"]

    @property
    def ghost(self) -> str:
        where = {"textDocument": {"uri": "file:///draft.md"}, "position": {"line": 0, "character": len(BEGUN)}}
        found = self.ask("textDocument/inlineCompletion", {**where, "context": {"triggerKind": 2}})
        return "".join(item["insertText"] for item in found["items"])

    def switch(self) -> Any:
        return self.ask("workspace/executeCommand", {"command": "rejoinder.switch", "arguments": []})["on"]


@contextmanager
def editing(home: Path) -> Iterator[Editor]:
    editor = Editor(home)
    with editor.process:
        yield editor
        editor.ask("shutdown", None)
        editor.tell("exit", None)
    assert editor.process.returncode == 0


def typed_anew(page: Page, field: Callable[[], None]) -> None:
    """The last letter once more, as a person would who wonders where the help is."""
    page.bring_to_front()
    field()
    page.keyboard.press("Backspace")
    page.keyboard.type(BEGUN[-1])


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return make_home(tmp_path / "home").home


def test_whoever_turns_it_every_door_obeys(home: Path, tmp_path: Path) -> None:
    with (
        serving(home) as server,
        sync_playwright() as playwright,
        chromium_with(playwright, packed(tmp_path), tmp_path / "profile") as context,
        pages() as site,
        editing(home) as editor,
    ):
        let_in(context, home, server.url)
        keep(context, manners={"gate": "eager"})
        page = context.new_page()
        page.goto(server.url)
        page.locator("#gate label", has_text="eager").click()
        page.locator("#draft").press_sequentially(BEGUN, delay=10)
        field = opened(context, site, "textarea")
        field.page.keyboard.type(BEGUN, delay=10)
        box = page.locator("#everywhere")

        def all_say(on: bool) -> None:
            def page_says() -> bool:
                typed_anew(page, page.locator("#draft").focus)
                page.wait_for_timeout(300)
                return bool(page.locator("#ghost").text_content()) is on and box.is_checked() is on

            def field_says() -> bool:
                typed_anew(field.page, field.focus)
                field.page.wait_for_timeout(300)
                return bool(field.ghost) is on

            until(lambda: bool(editor.ghost) is on, "the editor does not obey")
            until(page_says, "the page does not obey")
            until(field_says, "the extension does not obey")
            assert field.text == page.locator("#draft").input_value() == BEGUN

        all_say(True)
        page.bring_to_front()
        box.uncheck()  # at the page
        until(lambda: not is_on(home))
        expect(page.locator("#ghost")).to_be_empty()  # at once
        all_say(False)
        assert editor.switch() is True  # in an editor
        all_say(True)
        worker_of(context).evaluate("chrome.commands.onCommand.dispatch('switch')")  # by the key of the browser
        until(lambda: not is_on(home))
        all_say(False)
        subprocess.run([sys.executable, "-m", "rejoinder", "switch", "on", "--home", str(home)], check=True, capture_output=True)
        all_say(True)


def test_it_is_known_in_the_popup(home: Path, tmp_path: Path) -> None:
    with (
        serving(home) as server,
        sync_playwright() as playwright,
        chromium_with(playwright, packed(tmp_path), tmp_path / "profile") as context,
    ):
        let_in(context, home, server.url)
        switch(home, False)
        popup = context.new_page()
        popup.goto(worker_of(context).url.replace("background.js", "popup/popup.html?address=http://127.0.0.1/"))
        expect(popup.locator("#everywhere")).not_to_be_checked()
        popup.check("#everywhere")
        until(lambda: is_on(home))


def test_the_command_turns_it_and_says_how_it_stands(tmp_path: Path) -> None:
    def said(*more: str) -> tuple[int, str]:
        ran = subprocess.run(
            [sys.executable, "-m", "rejoinder", "switch", *more, "--home", str(tmp_path / "new")], capture_output=True, text=True
        )
        return ran.returncode, ran.stdout + ran.stderr

    assert said() == said("on") == (0, "Help while typing is on.\n")
    off = (0, "Help while typing is off everywhere; `rejoinder switch on` brings it back.\n")
    assert said("off") == said() == off
    assert not is_on(Workspace(tmp_path / "new").home)
    assert said("on") == (0, "Help while typing is on.\n")
    code, told = said("perhaps")
    assert code == 2 and "takes on or off" in told

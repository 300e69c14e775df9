"""A Firefox with the extension, driven by its own remote protocol (WebDriver BiDi), as far as the tests of fields need a browser.

It has the names of Playwright's classes where it does the same, so that the same tests run in both browsers.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from browsing import CLIENT, LOOK, PATIENCE, Field, until
from tied import tied, untie
from websockets.sync.client import ClientConnection, connect

UUID = "5a7f1c1e-0d0b-4c1e-9d55-0e6f5b1c2a3d"
ID = json.loads((CLIENT / "manifest.json").read_text(encoding="utf-8"))["browser_specific_settings"]["gecko"]["id"]
KEYS = {
    "Tab": "\ue004", "Escape": "\ue00c", "Backspace": "\ue003", "Delete": "\ue017", "Enter": "\ue007", "ArrowLeft": "\ue012",
    "ArrowRight": "\ue014", "Control": "\ue009", "Alt": "\ue00a", "Shift": "\ue008", "Home": "\ue011", "End": "\ue010",
}  # fmt: skip
PREFERENCES = {
    "extensions.webextensions.uuids": json.dumps({ID: UUID}),
    "datareporting.policy.dataSubmissionEnabled": False,
    "app.update.disabledForTesting": True,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "browser.safebrowsing.update.enabled": False,
    "services.settings.server": "data:,none",
}


class Firefox:
    """One that runs; what `browsing` asks of a browser's context."""

    def __init__(self, socket: ClientConnection, extension: Path) -> None:
        self._numbers, self._socket = count(1), socket
        self.send("session.new", capabilities={})
        self.send("webExtension.install", extensionData={"type": "path", "path": str(extension)})
        self._own = self.new_page()
        self._own.goto(f"moz-extension://{UUID}/options/options.html")

    def send(self, method: str, **parameters: Any) -> Any:
        """What a command of the protocol is answered."""
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while (said := json.loads(self._socket.recv(PATIENCE))).get("id") != number:
            pass
        assert said["type"] == "success", said
        return said["result"]

    def new_page(self) -> Page:
        return Page(self, self.send("browsingContext.create", type="tab")["context"])

    def own(self, script: str, given: Any = None) -> Any:
        """Run something in a page of the extension's own."""
        return self._own.frames[0].evaluate(f"() => ({script})({json.dumps(given)})")


class Keyboard:
    """Keys of a page."""

    def __init__(self, page: Page) -> None:
        self._page = page

    def _act(self, *actions: dict[str, str]) -> None:
        keys = {"type": "key", "id": "keys", "actions": list(actions)}
        self._page.context.send("input.performActions", context=self._page.frames[-1].number, actions=[keys])

    def type(self, text: str, delay: float = 0) -> None:
        for letter in text:
            self._act({"type": "keyDown", "value": letter}, {"type": "keyUp", "value": letter})
            time.sleep(delay / 1000)

    def press(self, name: str) -> None:
        keys = [KEYS.get(key, key) for key in name.split("+")]
        down = [{"type": "keyDown", "value": key} for key in keys]
        self._act(*down, *({"type": "keyUp", "value": key} for key in reversed(keys)))

    def insert_text(self, text: str) -> None:
        self._page.frames[-1].evaluate(f"() => void document.execCommand('insertText', false, {json.dumps(text)})")


class Frame:
    """A frame of a page."""

    def __init__(self, browser: Firefox, number: str) -> None:
        self._browser, self.number = browser, number

    def evaluate(self, script: str) -> Any:
        """The value of an expression, or of what a function returns."""
        called = f"({script})()" if re.match(r"(async )?\(\)", script) else script
        expression = f"(async () => JSON.stringify((await ({called.rstrip(';')})) ?? null))()"
        found = self._browser.send("script.evaluate", expression=expression, target={"context": self.number}, awaitPromise=True)
        assert found["type"] == "success", found
        return json.loads(found["result"]["value"])

    def wait_for_function(self, script: str) -> None:
        until(lambda: self.evaluate(f"Boolean({script})"), f"{script} never held")

    def click(self, selector: str) -> None:
        """Click on the last element of a selector."""
        where = f"[...document.querySelectorAll({json.dumps(selector)})].at(-1).getBoundingClientRect()"
        box = self.evaluate(f"() => (({{x, y, width, height}}) => ({{x, y, width, height}}))({where})")
        place = {"x": int(box["x"] + min(box["width"] / 2, 40)), "y": int(box["y"] + min(box["height"] / 2, 12))}
        pressed = [{"type": "pointerMove", **place}, {"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}]
        mouse = {"type": "pointer", "id": "mouse", "actions": pressed}
        self._browser.send("input.performActions", context=self.number, actions=[mouse])


class Page:
    """A tab."""

    def __init__(self, browser: Firefox, number: str) -> None:
        self.context, self.number, self.url = browser, number, ""
        self.keyboard = Keyboard(self)

    @property
    def frames(self) -> list[Frame]:
        """This one, and those inside it."""
        tree = self.context.send("browsingContext.getTree", root=self.number)["contexts"][0]
        return [Frame(self.context, one["context"]) for one in (tree, *(tree["children"] or []))]

    def goto(self, url: str) -> None:
        self.url = url
        self.context.send("browsingContext.navigate", context=self.number, url=url, wait="complete")

    def bring_to_front(self) -> None:
        self.context.send("browsingContext.activate", context=self.number)

    def wait_for_timeout(self, milliseconds: float) -> None:
        time.sleep(milliseconds / 1000)

    def close(self) -> None:
        self.context.send("browsingContext.close", context=self.number)


class FirefoxField(Field):
    """A field in it."""

    def focus(self) -> None:
        self.frame.click(".ProseMirror, .cm-content, #compose-textarea, #field")

    def look(self) -> dict[str, Any]:
        """What the extension draws."""
        browser: Any = self.page.context
        return browser.own(LOOK) or {"ghost": "", "words": [], "boxes": [], "said": "", "places": []}


@contextmanager
def firefox_with(extension: Path, profile: Path) -> Iterator[Firefox]:
    """The system's Firefox with the extension; skipped where there is none."""
    program = next((path for name in ("firefox-esr", "firefox") if (path := shutil.which(name))), None)
    if program is None or sys.platform == "win32":
        pytest.skip("no Firefox: `apt-get install firefox-esr` brings one")
    profile.mkdir(parents=True)
    lines = (f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in PREFERENCES.items())
    (profile / "user.js").write_text("\n".join(lines))
    said = profile.with_suffix(".log")
    command = [program, "--headless", "--no-remote", "--profile", str(profile), "--remote-debugging-port", "0"]
    command += ["--remote-allow-system-access", "about:blank"]  # without it no page of the extension's own can be opened
    env = {**os.environ, "HOME": str(profile), "MOZ_CRASHREPORTER_DISABLE": "1"}
    with said.open("w") as log:
        process = tied(command, stdout=log, env=env)
    try:
        found = until(lambda: re.search(r"WebDriver BiDi listening on (ws://\S+)", said.read_text()), said.read_text)
        with connect(f"{found[1]}/session", max_size=None, proxy=None) as socket:
            yield Firefox(socket, extension)
    finally:
        untie(process, PATIENCE)

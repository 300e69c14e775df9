"""Ground of the tests of the browser extension: a Chromium with it, pages with fields, and a server that knows one sentence."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from mimetypes import guess_type
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import pytest
import waiting
from playwright.sync_api import Browser, BrowserContext, Error, Frame, Page, Playwright, Worker, expect

PAGES = Path(__file__).resolve().parent / "browser_pages"
CLIENT = PAGES.parents[1] / "clients" / "browser"
SENTENCE = "The problem with this is that nobody knows where it ends."
STRICT = "default-src 'none'; script-src 'self' 'nonce-page'; style-src 'none'; trusted-types; require-trusted-types-for 'script'"
PATIENCE = 90.0  # seconds: a machine may have other things to do
ARGUMENTS = ("--headless=new", "--no-sandbox", "--disable-features=DisableLoadExtensionCommandLineSwitch")


class _Quiet(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *_: object) -> None:
        pass

    def give(self, body: bytes, kind: str, **headers: str) -> None:
        self.send_response(200)
        for name, value in {"content-type": kind, "content-length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def listening(handler: type[BaseHTTPRequestHandler]) -> Iterator[ThreadingHTTPServer]:
    """A server of this machine on a free port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@cache
def npm_packages() -> str:
    """Why the editors that the extension is tested with are not here; "" if they are."""
    whole = (PAGES / "node_modules" / ".package-lock.json").is_file()
    return "" if whole else "the editors are not here; `make editors` fetches them, where there is npm"


@cache
def import_map() -> str:
    """Where a browser finds each module of the packages, as they say it themselves."""
    found = {}
    for manifest in [*PAGES.glob("node_modules/*/package.json"), *PAGES.glob("node_modules/@*/*/package.json")]:
        told = json.loads(manifest.read_text(encoding="utf-8"))
        exports = told.get("exports") or {}
        entry = exports.get(".", exports) if isinstance(exports, dict) else {}
        entry = entry.get("import", entry) if isinstance(entry, dict) else {}
        file = entry if isinstance(entry, str) else entry.get("production") or told.get("module")
        if file:
            found[told["name"]] = f"/node_modules/{told['name']}/{file.removeprefix('./')}"
    return json.dumps({"imports": found})


class _Pages(_Quiet):
    """The pages of fields; one of them is strict about what may run in it."""

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        file = (PAGES / path.lstrip("/")).resolve()
        if not file.is_file() or not file.is_relative_to(PAGES):
            self.send_error(404)
            return
        body = file.read_bytes()
        headers = {}
        if path == "/strict.html":
            headers["content_security_policy"] = STRICT
            body = body.replace(b"<script", b"<script nonce=page")
        if b"IMPORTS" in body:
            body = body.replace(b"IMPORTS", import_map().encode())
        kind = "text/javascript" if file.suffix in (".js", ".mjs") else guess_type(file.name)[0] or "application/octet-stream"
        self.give(body, kind, **headers)


@dataclass
class Voice:
    """Stands in for `rejoinder serve`: knows one sentence, and notes what it is asked."""

    url: str = ""
    sentence: str = SENTENCE
    spaced: bool = False  # whether a space follows
    asked: list[dict[str, Any]] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)

    def answer(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        if path == "/v1/suggest":
            self.asked.append(body)
            return self.suggest(body["draft"])
        if path == "/v1/switch":
            return {"on": True}
        if path == "/v1/own":
            self.kept.append(body["text"])
            return {"text": "", "words": 0}
        if path == "/v1/reply":
            reply = {
                "text": "Let it rest.",
                "score": 0.8,
                "rung": "bm25",
                "post": 7,
                "thread": 1,
                "title": "Bread",
                "time": 86_400,
            }
            return {"replies": [{**reply, "url": "https://forum.example/7", "source": "bread", "generated": False}], "notice": ""}
        return {"forum": "bread", "speaks": {"reason": "the package speaks"}}

    def suggest(self, draft: str) -> dict[str, Any]:
        line = draft.rpartition("\n")[2]
        ghost = self.sentence[len(line) :] if line and self.sentence.startswith(line) else ""
        first = ghost[: len(ghost) - len(ghost.lstrip())] + ghost.split()[0] if ghost else " and"
        words = [{"text": text, "probability": 0.5} for text in (first, " or", " but")]
        said = {"ghost": ghost, "space": self.spaced, "probability": 0.7, "words": words, "rung": "mixture"}
        return {**said, "cut": False, "superseded": False}


@contextmanager
def a_voice() -> Iterator[Voice]:
    """A server that knows one sentence."""
    voice = Voice()

    class Handler(_Quiet):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            voice.requests.append(("POST", self.path, dict(self.headers)))
            self.give(json.dumps(voice.answer(self.path, body)).encode(), "application/json")

        def do_GET(self) -> None:
            voice.requests.append(("GET", self.path, dict(self.headers)))
            self.give(json.dumps(voice.answer(self.path, {})).encode(), "application/json")

    with listening(Handler) as server:
        voice.url = f"http://127.0.0.1:{server.server_port}"
        yield voice


@contextmanager
def pages() -> Iterator[str]:
    """Where the pages of fields are served."""
    with listening(_Pages) as server:
        yield f"http://127.0.0.1:{server.server_port}"


def packed(into: Path) -> Path:
    """The extension as a folder that Chromium loads."""
    subprocess.run([sys.executable, str(CLIENT / "pack.py"), str(into)], check=True, capture_output=True)
    return into / "chromium"


@contextmanager
def chromium_with(playwright: Playwright, extension: Path, profile: Path, **options: Any) -> Iterator[BrowserContext]:
    """The system's Chromium with the extension; skipped where there is none, unless REJOINDER_BROWSER=required."""
    system = next((path for name in ("chromium", "chromium-browser") if (path := shutil.which(name))), None)
    arguments = [*ARGUMENTS, f"--disable-extensions-except={extension}", f"--load-extension={extension}"]
    try:
        context = playwright.chromium.launch_persistent_context(
            str(profile),
            executable_path=system,
            headless=False,
            args=arguments,
            ignore_default_args=["--disable-extensions"],
            **options,
        )
    except Error as error:
        if system is not None or os.environ.get("REJOINDER_BROWSER") == "required":
            raise
        pytest.skip(f"no Chromium, which `make browser` looks for ({error.message.splitlines()[0]})")
    context.set_default_timeout(1_000 * PATIENCE)
    expect.set_options(timeout=1_000 * PATIENCE)
    yield context
    context.close()


@contextmanager
def a_chromium(playwright: Playwright) -> Iterator[Browser]:
    """The system's Chromium, else the one Playwright has fetched. Without: skipped, unless REJOINDER_BROWSER=required."""
    system = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)
    try:
        launched = playwright.chromium.launch(executable_path=system, args=["--no-sandbox"])
    except Error as error:
        if system is not None or os.environ.get("REJOINDER_BROWSER") == "required":
            raise
        pytest.skip(f"no Chromium, which `make browser` looks for ({error.message.splitlines()[0]})")
    yield launched
    launched.close()


def worker_of(context: BrowserContext) -> Worker:
    """The part of the extension that runs by itself."""
    return context.service_workers[0] if context.service_workers else context.wait_for_event("serviceworker")


def keep(context: BrowserContext, **some: Any) -> None:
    """What a person would choose in the settings."""
    worker_of(context).evaluate("some => chrome.storage.local.set(some)", some)


def switch_on(context: BrowserContext, site: str = "127.0.0.1", *, learn: bool = False) -> None:
    """Help on a site, as the popup switches it on."""
    keep(context, sites={site: {"learn": learn}})
    worker_of(context).evaluate(
        """site => chrome.scripting.registerContentScripts([{ id: `site ${site}`, matches: [`*://${site}/*`],
          js: ["content/loader.js"], allFrames: true, matchOriginAsFallback: true, runAt: "document_idle" }]).catch(() => {})""",
        site,
    )


def let_in(context: BrowserContext, home: Path, url: str) -> None:
    """Pair the extension with a server, by the command, and switch help on for this machine's pages."""
    keep(context, server=url, token="")
    settings = context.new_page()
    settings.goto(worker_of(context).url.replace("background.js", "options/options.html"))
    settings.click("#pair")
    expect(settings.locator("#code")).not_to_be_empty()
    code = settings.locator("#code").inner_text()
    subprocess.run([sys.executable, "-m", "rejoinder", "pair", code, "--home", str(home)], check=True, capture_output=True)
    expect(settings.locator("#status")).to_contain_text("Paired.")
    settings.close()
    switch_on(context)


def until(true: Any, told: str = "it never came", seconds: float = PATIENCE) -> Any:
    """Wait for something that the browser does; what `true` says then."""
    return waiting.until(true, seconds, told)


# the shadow root is closed to pages: the extension itself looks
LOOK = """async () => {
  const look = () => {
    const host = document.querySelector("rejoinder-ghost");
    if (host === null) return null;
    const [, clip, strip, said] = (host.openOrClosedShadowRoot ?? chrome.dom.openOrClosedShadowRoot(host)).children;
    const [, text, rest] = clip.firstChild.children;
    const boxes = [...text.getClientRects()].map(({ left, top, right, bottom }) => [left, top, right, bottom]);
    const shown = strip.style.display === "none" ? [] : [...strip.children];
    const middle = ({ x, y, width, height }) => [x + width / 2, y + height / 2];
    return { ghost: clip.style.display === "none" ? "" : text.textContent, boxes, rest: rest.textContent, said: said.textContent,
      words: shown.map((one) => one.textContent), places: shown.map((one) => middle(one.getBoundingClientRect())) };
  };
  const [tab] = await chrome.tabs.query({ active: true, lastFocusedWindow: true });
  const found = await chrome.scripting.executeScript({ target: { tabId: tab.id, allFrames: true }, func: look });
  return found.map(({ result }) => result).find((one) => one) ?? null;
}"""


@dataclass
class Field:
    """A field in a page, as a person uses it."""

    page: Page
    frame: Frame

    def focus(self) -> None:
        self.frame.locator(".ProseMirror, .cm-content, #compose-textarea, #field").last.click()

    def read(self) -> dict[str, Any]:
        found: dict[str, Any] = self.frame.evaluate("window.read()")
        return found

    @property
    def text(self) -> str:
        return str(self.read()["text"])

    def look(self) -> dict[str, Any]:
        """What the extension draws."""
        return worker_of(self.page.context).evaluate(LOOK) or {"ghost": "", "words": [], "boxes": [], "said": "", "places": []}

    @property
    def ghost(self) -> str:
        return str(self.look()["ghost"])

    def sees(self, ghost: str) -> None:
        """Wait for this ghost."""
        until(lambda: self.ghost == ghost, lambda: f"{ghost!r} never came, but {self.ghost!r}")


def opened(context: BrowserContext, site: str, page: str) -> Field:
    """A field of that page, in a tab of its own, with the caret in it."""
    tab = context.new_page()
    tab.goto(f"{site}/{page}.html")
    frame = tab.frames[-1]
    frame.wait_for_function("window.read")
    found = Field(tab, frame)
    found.focus()
    return found

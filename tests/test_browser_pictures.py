"""Pictures of the extension for the documentation, wide and narrow, light and dark: REJOINDER_PICTURES=docs writes them there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browsing import a_voice, chromium_with, keep, let_in, opened, packed, pages, switch_on, until, worker_of
from playwright.sync_api import BrowserContext, sync_playwright
from serving import serving

WIDE, NARROW = {"width": 1000, "height": 620}, {"width": 390, "height": 700}


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserContext]:
    base = tmp_path_factory.mktemp("pictures")
    with sync_playwright() as playwright, a_voice() as voice, chromium_with(playwright, packed(base), base / "profile") as found:
        voice.sentence = "Which version do you use, and what does it say when it crashes?"
        keep(found, server=voice.url, token="t" * 43)
        switch_on(found)
        yield found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(os.environ.get("REJOINDER_PICTURES", tmp_path))


@pytest.mark.parametrize(("name", "size", "scheme"), [("wide", WIDE, "light"), ("narrow", NARROW, "dark")])
def test_ghost_text_in_a_box_like_githubs(context: BrowserContext, folder: Path, name: str, size: Any, scheme: Any) -> None:
    with pages() as site:
        field = opened(context, site, "sites/github")
        field.page.set_viewport_size(size)
        field.page.emulate_media(color_scheme=scheme)
        field.page.keyboard.type("Which ver", delay=10)
        field.sees("sion do you use, and what does it say when it crashes?")
        until(lambda: len(field.look()["words"]) == 3)
        left, top, right, bottom = field.look()["boxes"][-1]
        assert 0 <= left < right <= size["width"] and 0 < top < bottom <= size["height"]
        field.page.screenshot(path=folder / f"browser-{name}-{scheme}.png")
        field.page.close()


ASKED = """() => {
  document.querySelector(".comment").remove();
  document.querySelector("bdi").textContent = document.title = "Why do people still use Makefiles?";
  document.querySelector(".js-comment-body, [data-testid=markdown-body]").textContent =
    "With so many build systems around, what does Make still give you?";
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_popup_with_replies(context: BrowserContext, folder: Path, tmp_path: Path, scheme: Any) -> None:
    """From a real server, as it is for somebody who has just begun: out of the sample."""
    before = worker_of(context).evaluate("() => chrome.storage.local.get(['server', 'token'])")
    with pages() as site, serving(tmp_path) as server:
        let_in(context, tmp_path, server.url)
        field = opened(context, site, "sites/github")
        field.page.evaluate(ASKED)
        field.page.keyboard.type("Hm. ")
        number = worker_of(context).evaluate(
            "async () => (await chrome.tabs.query({ active: true, lastFocusedWindow: true }))[0].id"
        )
        popup = context.new_page()
        popup.set_viewport_size({"width": 368, "height": 600})
        popup.emulate_media(color_scheme=scheme)
        popup.goto(worker_of(context).url.replace("background.js", f"popup/popup.html?tab={number}"))
        popup.click("#find")
        popup.locator(".reply").first.wait_for()
        popup.evaluate("() => [...document.querySelectorAll('.reply')].slice(2).forEach((one) => one.remove())")
        assert popup.evaluate("document.documentElement.scrollWidth") <= 368
        height = popup.evaluate("document.documentElement.scrollHeight")
        popup.set_viewport_size({"width": 368, "height": height})  # without a bar to scroll, which a picture leaves out
        popup.screenshot(path=folder / f"browser-popup-{scheme}.png")
        popup.close()
        field.page.close()
    keep(context, **before)


def test_the_settings_fit_a_narrow_window(context: BrowserContext, folder: Path) -> None:
    page = context.new_page()
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(worker_of(context).url.replace("background.js", "options/options.html"))
    page.locator("#key-list button").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.screenshot(path=folder / "browser-settings.png", full_page=True)
    page.close()

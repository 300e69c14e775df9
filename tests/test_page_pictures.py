"""Pictures of the page for the documentation, wide and narrow, light and dark: REJOINDER_PICTURES=docs writes them there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browsing import PATIENCE, a_chromium
from playwright.sync_api import Browser, expect, sync_playwright
from serving import serving

WIDE, NARROW = {"width": 1180, "height": 900}, {"width": 390, "height": 844}
BEGUN = "Make is ugly, but it is there. I think that the prob"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright, a_chromium(playwright) as launched:
        yield launched


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real server as it is for somebody who has just begun: the sample, and the models in the package."""
    with serving(tmp_path_factory.mktemp("home")) as server:
        yield server.url


@pytest.mark.parametrize(("name", "size", "scheme"), [("page", WIDE, "light"), ("page-narrow", NARROW, "dark")])
def test_a_thread_a_draft_with_ghost_text_and_the_memory_cell(
    browser: Browser, address: str, tmp_path: Path, name: str, size: Any, scheme: Any
) -> None:
    context = browser.new_context(viewport=size, color_scheme=scheme, reduced_motion="reduce")
    context.set_default_timeout(1_000 * PATIENCE)
    expect.set_options(timeout=1_000 * PATIENCE)
    page = context.new_page()
    page.goto(address)
    expect(page.locator("#speaks")).to_contain_text("Replies come from the sample in the package.")
    page.fill("#query", "104")
    page.click("#find button")
    expect(page.locator(".answered")).to_be_visible()
    page.locator("#gate label", has_text="eager").click()
    page.click("#inside summary")
    page.locator("#draft").press_sequentially(BEGUN, delay=10)
    expect(page.locator("#ghost")).not_to_be_empty()
    expect(page.locator(".heat tbody tr").first).to_be_visible()
    if size is WIDE:
        page.evaluate("scrollTo(0, 0)")
        page.evaluate("document.querySelector('.composer').scrollTop = 0")
    else:
        page.locator("#composer-title").evaluate("title => title.scrollIntoView()")
    ghost = page.locator("#ghost").bounding_box()
    assert ghost and ghost["x"] >= 0 and ghost["x"] + ghost["width"] <= size["width"] and 0 < ghost["y"] < size["height"]
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    page.screenshot(path=Path(os.environ.get("REJOINDER_PICTURES", tmp_path)) / f"{name}.png")
    context.close()

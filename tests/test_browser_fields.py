"""The browser extension in a real Chromium: nine kinds of field, each as if all of it were typed by hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from browsing import SENTENCE, Field, Voice, a_voice, chromium_with, keep, npm_packages, opened, packed, pages, switch_on, until
from playwright.sync_api import BrowserContext, sync_playwright

KINDS = ("textarea", "line", "editable", "react", "prosemirror", "codemirror", "lexical", "frame", "strict")
FROM_NPM = ("react", "prosemirror", "codemirror", "lexical")
BEGUN = "The prob"


@pytest.fixture(scope="module")
def voice() -> Iterator[Voice]:
    with a_voice() as found:
        yield found


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    with pages() as found:
        yield found


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory, voice: Voice) -> Iterator[BrowserContext]:
    """A Chromium with the extension, help switched on for this machine's pages."""
    base = tmp_path_factory.mktemp("browser")
    with sync_playwright() as playwright, chromium_with(playwright, packed(base), base / "profile") as found:
        keep(found, server=voice.url, token="t" * 43)
        switch_on(found)
        yield found


@pytest.fixture(params=KINDS)
def field(request: pytest.FixtureRequest, context: BrowserContext, site: str, voice: Voice) -> Iterator[Field]:
    if request.param in FROM_NPM and (reason := npm_packages()):
        pytest.skip(reason)
    voice.asked.clear()
    found = opened(context, site, request.param)
    yield found
    found.page.close()


def typed(field: Field, text: str) -> None:
    field.page.keyboard.type(text, delay=5)


def by_hand(context: BrowserContext, site: str, field: Field, text: str) -> dict[str, Any]:
    """The same field after the same was typed without help."""
    switch = "manners => chrome.storage.local.set({ manners })"
    del switch
    other = context.new_page()
    other.goto(field.page.url.replace("127.0.0.1", "localhost"))  # where help is off
    frame = other.frames[-1]
    frame.wait_for_function("window.read")
    hand = Field(other, frame)
    hand.focus()
    other.keyboard.type(BEGUN, delay=5)
    other.keyboard.insert_text(text)
    read = {**hand.read(), "events": frame.evaluate("window.events.filter(([kind]) => kind === 'input').map(([, type]) => type)")}
    other.keyboard.press("Control+z")
    read["undone"] = hand.text
    other.close()
    field.page.bring_to_front()
    return read


def test_all_is_taken_as_if_it_were_typed(field: Field, context: BrowserContext, site: str) -> None:
    typed(field, BEGUN)
    rest = SENTENCE[len(BEGUN) :]
    field.sees(rest)
    hand = by_hand(context, site, field, rest)
    field.page.keyboard.press("Tab")
    until(lambda: field.text == SENTENCE, lambda: field.text)
    assert field.read() == {key: hand[key] for key in ("text", "start", "end")}
    assert field.frame.evaluate("window.events.filter(([kind]) => kind === 'input').map(([, type]) => type)") == hand["events"]
    assert all(trusted for _, _, trusted in field.frame.evaluate("window.events"))
    field.page.keyboard.press("Control+z")
    until(lambda: field.text != SENTENCE, "nothing was undone")
    assert field.text in (BEGUN, hand["undone"])

"""The browser extension in a real Chromium: nine kinds of field, each as if all of it were typed by hand."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
from browsing import SENTENCE, Field, Voice, a_voice, chromium_with, keep, npm_packages, packed, pages, switch_on, until
from firefox import FirefoxField, firefox_with
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


@pytest.fixture(scope="module", params=["chromium", "firefox"])
def context(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, voice: Voice) -> Iterator[Any]:
    """A browser with the extension, help switched on for this machine's pages."""
    base = tmp_path_factory.mktemp("browser")
    packed(base)
    kept = {"server": voice.url, "token": "t" * 43}
    if request.param == "firefox":
        with firefox_with(base / "firefox", base / "profile") as other:
            other.own("some => chrome.storage.local.set(some)", kept)
            other.own("async site => (await import('/sites.js')).switchOn(site)", "127.0.0.1")  # as the popup does
            yield other
        return
    with sync_playwright() as playwright, chromium_with(playwright, base / "chromium", base / "profile") as found:
        keep(found, **kept)
        switch_on(found)
        yield found


def opened(context: Any, page: str) -> Field:
    """A field of that page, in a tab of its own, with the caret in it."""
    tab = context.new_page()
    tab.goto(page)
    frame = tab.frames[-1]
    frame.wait_for_function("window.read")
    found = (Field if isinstance(context, BrowserContext) else FirefoxField)(tab, frame)
    found.focus()
    return found


@pytest.fixture(params=KINDS)
def field(request: pytest.FixtureRequest, context: BrowserContext, site: str, voice: Voice) -> Iterator[Field]:
    if request.param in FROM_NPM and (reason := npm_packages()):
        pytest.skip(reason)
    voice.asked.clear()
    found = opened(context, f"{site}/{request.param}.html")
    yield found
    found.page.close()


def typed(field: Field, text: str) -> None:
    field.page.keyboard.type(text, delay=5)


def by_hand(context: BrowserContext, site: str, field: Field, text: str) -> dict[str, Any]:
    """The same field after the same was typed without help."""
    hand = opened(context, field.page.url.replace("127.0.0.1", "localhost"))  # where help is off
    other, frame = hand.page, hand.frame
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
    field.sees(rest)  # again, where a tab that was left loses the focus
    field.page.keyboard.press("Tab")
    until(lambda: field.text == SENTENCE, lambda: field.text)
    assert field.read() == {key: hand[key] for key in ("text", "start", "end")}
    assert field.frame.evaluate("window.events.filter(([kind]) => kind === 'input').map(([, type]) => type)") == hand["events"]
    assert all(trusted for _, _, trusted in field.frame.evaluate("window.events"))
    field.page.keyboard.press("Control+z")
    until(lambda: field.text != SENTENCE, "nothing was undone")
    assert field.text in (BEGUN, hand["undone"])


def test_the_space_comes_with_what_is_taken_and_makes_room(field: Field, voice: Voice) -> None:
    voice.spaced = True
    try:
        for next_keys, expected in ((",", ","), (" b", " b")):
            field.page.keyboard.press("Control+a")
            typed(field, BEGUN)
            field.sees(SENTENCE[len(BEGUN) :])
            field.page.keyboard.press("Tab")
            holds(field, f"{SENTENCE} ")
            typed(field, next_keys)
            holds(field, f"{SENTENCE}{expected}")
    finally:
        voice.spaced = False


def test_a_word_at_a_time_and_the_editor_is_told_of_each(field: Field) -> None:
    typed(field, BEGUN)
    field.sees(SENTENCE[len(BEGUN) :])
    for expected in ("The problem", "The problem with", "The problem with this"):
        field.page.keyboard.press("Control+ArrowRight")
        holds(field, expected)
        field.sees(SENTENCE[len(expected) :])
    assert field.read()["start"] == field.read()["end"] == len("The problem with this")


def test_what_closes_the_line_counts_as_its_end(field: Field, voice: Voice) -> None:
    typed(field, "”)")
    holds(field, "”)")
    while field.read()["start"] > 0:  # again, since an editor busy with what was typed may put the caret back
        field.page.keyboard.press("ArrowLeft")
        field.page.wait_for_timeout(50)
    typed(field, BEGUN)
    field.sees(SENTENCE[len(BEGUN) :])
    assert field.look()["rest"] == "”)"  # what the ghost lies over
    until(lambda: (voice.asked[-1]["draft"], voice.asked[-1]["after"]) == (BEGUN, "”)"))
    field.page.keyboard.press("Tab")
    holds(field, f"{SENTENCE}”)")
    assert field.read()["start"] == field.read()["end"] == len(SENTENCE)
    field.page.keyboard.press("ArrowLeft")  # a full stop is none
    field.sees("")
    field.page.wait_for_timeout(50)
    assert SENTENCE[:-1] not in [one["draft"] for one in voice.asked]


def test_what_is_waved_away_stays_away_and_keys_keep_their_meaning(field: Field) -> None:
    typed(field, BEGUN)
    field.sees(SENTENCE[len(BEGUN) :])
    field.page.keyboard.press("Escape")
    field.sees("")
    assert "Escape" not in field.frame.evaluate("window.keys")  # nothing of the page was closed by it
    field.page.wait_for_timeout(100)
    assert field.ghost == "" and field.text == BEGUN
    field.page.keyboard.press("Escape")
    assert field.frame.evaluate("window.keys.at(-1)") == "Escape"  # now it is the page's
    typed(field, "l")
    field.sees(SENTENCE[len(BEGUN) + 1 :])


def test_typing_through_the_ghost_loses_no_letter(field: Field) -> None:
    for letter in SENTENCE:
        typed(field, letter)
    assert field.text == SENTENCE
    assert field.frame.evaluate("window.events.filter(([kind]) => kind === 'beforeinput').length") == len(SENTENCE)


def test_where_there_is_no_ghost_tab_is_the_pages(field: Field) -> None:
    typed(field, "Nothing")
    field.page.wait_for_timeout(100)
    assert field.ghost == ""
    field.page.keyboard.press("Tab")
    assert field.frame.evaluate("window.keys.at(-1)") == "Tab"


def test_the_ghost_begins_where_the_caret_is(field: Field) -> None:
    typed(field, BEGUN)
    field.sees(SENTENCE[len(BEGUN) :])
    left, top, _, bottom = field.look()["boxes"][0]
    caret = field.frame.evaluate(CARET)
    assert left == pytest.approx(caret["x"], abs=1.5)
    assert top - 1 <= caret["y"] <= bottom + 1


CARET = """() => {
  const field = document.activeElement, style = getComputedStyle(field), box = field.getBoundingClientRect();
  if (field.value === undefined) {
    const range = document.getSelection().getRangeAt(0).cloneRange();
    if (range.startContainer.nodeType === 3) range.setStart(range.startContainer, 0);
    const rect = range.getBoundingClientRect();
    return { x: rect.right, y: (rect.top + rect.bottom) / 2 };
  }
  const pen = document.createElement("canvas").getContext("2d");
  pen.font = style.font;
  const left = box.left + parseFloat(style.borderLeftWidth) + parseFloat(style.paddingLeft);
  const top = box.top + parseFloat(style.borderTopWidth) + parseFloat(style.paddingTop);
  const line = top + (parseFloat(style.lineHeight) || 1.2 * parseFloat(style.fontSize)) / 2;
  const y = field.localName === "input" ? box.top + box.height / 2 : line;
  return { x: left + pen.measureText(field.value).width, y };
}"""


def test_random_edits_lose_no_letter(field: Field, request: pytest.FixtureRequest) -> None:
    """Typing, deleting, taking all, a word, or a word of the strip, in any order: the field holds what a model of it says."""
    edits = request.config.getoption("--browser-edits")
    draw = random.Random(edits)
    model = ""
    keys = field.page.keyboard
    for number in range(edits):
        act = draw.choice(("letter", "letter", "right", "right", "delete", "all", "word", "strip", "hush", "clear"))
        if act == "letter":
            letter = draw.choice("abc T'é ,.")
            keys.type(letter)
            model += letter
        elif act == "right":  # a letter that agrees with the sentence, if the line is a beginning of it
            letter = SENTENCE[len(model)] if len(model) < len(SENTENCE) and SENTENCE.startswith(model) else "x"
            keys.type(letter)
            model += letter
        elif act == "delete" and model:
            keys.press("Backspace")
            model = model[:-1]
        elif act == "clear" and not SENTENCE.startswith(model):
            keys.press("Control+a")
            keys.press("Delete")
            model = ""
        elif act in ("all", "word", "strip", "hush"):
            if act == "all" and not settled(field):
                continue  # without a ghost Tab is the page's: that is another test
            holds(field, model)  # what was typed is all there before anything is put in
            before = field.text
            keys.press({"all": "Tab", "word": "Control+ArrowRight", "strip": "Alt+1", "hush": "Escape"}[act])
            after = field.text
            added = after.removeprefix(before)
            assert after.startswith(before)
            assert (
                added == ""
                or SENTENCE.startswith(after)
                or (act == "strip" and any(word.endswith(added) for word in (" and", " or", " but")))
            ), (before, after)
            model = after
        if number % 25 == 0:
            holds(field, model)
    holds(field, model)


def holds(field: Field, text: str) -> None:
    until(lambda: field.text == text, lambda: f"{field.text!r} is not {text!r}")


def settled(field: Field) -> str:
    """The ghost, once no other is on its way."""
    before = None
    while (now := field.ghost) != before:
        before = now
        field.page.wait_for_timeout(30)
    return now

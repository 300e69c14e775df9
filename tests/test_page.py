"""The web page in a real browser: nothing typed is lost, no ghost is stale, foreign text stays text, all of it by keyboard."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from browsing import a_chromium
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from rejoinder.archive.places import place
from rejoinder.archive.registry import source
from rejoinder.archive.source import Hasher, Item, Record
from rejoinder.engine.manners import at_line_end
from rejoinder.home.fitting import FitConfig, fit
from rejoinder.home.workspace import Workspace
from rejoinder.post import Kind, Post

HOSTILE = "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>"
HIDDEN = [  # and how it is shown
    ("pay \u202e001 to me", "pay <U+202E>001 to me"),
    ("pass\u200bword\ufeff \u2060", "pass<U+200B>word<U+FEFF> <U+2060>"),
    ("a\u200db", "a<U+200D>b"),
    ("👩\u200d👩\u200d👧 and می\u200cخواهم", "👩\u200d👩\u200d👧 and می\u200cخواهم"),
    ("tag\U000e0041 var\U000e0100 fill\u3164", "tag<U+E0041> var<U+E0100> fill<U+3164>"),
]
SENTENCE = "The problem with this is that nobody knows where it ends."
KETTLES = Hasher(b"key", "kettles")
QUICK = 5  # milliseconds between keystrokes
PATIENCE = 90_000  # milliseconds: a machine may have other things to do


def posts() -> Iterator[Post]:
    """A few threads about bread, one of them written by somebody who means harm."""
    yield Post(1, Kind.STORY, HOSTILE, title=f"Bread {HOSTILE}", time=1)
    yield Post(2, Kind.COMMENT, f"Let the dough rest. {HOSTILE}\n\n> a quote\n\n  code", parent=1, time=2)
    for number in range(3, 40, 2):
        yield Post(number, Kind.STORY, f"How long should bread dough number {number} rest?", title="Bread dough", time=number)
        yield Post(number + 1, Kind.COMMENT, f"Let dough {number} rest until it doubles.", parent=number, time=number + 1)


def elsewhere() -> Iterator[Item]:
    """A question and its answer in another place, whose posts have numbers beyond those that JavaScript counts with."""
    for number, above, text in ((1, None, "My samovar drips."), (2, "7/1", "Descale the samovar first.")):
        record = Record(id=f"7/{number}", text=text, title="A samovar", parent=above, time=number, author=f"w{number}")
        yield record.post(KETTLES, "there")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright, a_chromium(playwright) as launched:
        yield launched


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real server over a small archive; what finishes sentences is the package's."""
    home = tmp_path_factory.mktemp("home")
    space = Workspace(home)
    with space.open_archive(create=True) as archive:
        place(archive, "hn")
        archive.add(posts())
        archive.add(elsewhere(), at=place(archive, "kettles", source("discourse")))
    assert not fit(space, ["canned", "bm25"], FitConfig(), {})
    command = [sys.executable, "-m", "rejoinder", "serve", "--port", "0", "--home", str(home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
        assert server.stdout is not None
        line = next(line for line in server.stdout if "http://" in line)
        yield "http://" + line.partition("http://")[2].split()[0].rstrip("/")
        server.terminate()


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """The page, just opened. Whatever it throws fails the test."""
    context = browser.new_context(viewport={"width": 1100, "height": 900}, reduced_motion="reduce")
    context.set_default_timeout(PATIENCE)
    expect.set_options(timeout=PATIENCE)
    opened = context.new_page()
    thrown: list[str] = []
    opened.on("pageerror", lambda error: thrown.append(str(error)))
    opened.on("console", lambda said: thrown.append(said.text) if "Content Security Policy" in said.text else None)
    opened.goto(address)
    yield opened
    context.close()
    assert not thrown


class Server:
    """Stands in for the typing engine: knows one sentence, notes what it is asked, and can be made to wait."""

    def __init__(self, page: Page, sentence: str = SENTENCE) -> None:
        self.sentence = sentence
        self.asked: list[dict[str, Any]] = []
        self.held: list[Route] | None = None  # answers kept back, if not None
        self.hurried = False  # whether there is time only for who asks with patience
        self.spaced = False  # whether a space follows
        self.within = False  # whether its words go on with the one that is written
        self.silent = False  # whether no help belongs there
        self.rung = "mixture"
        self.reading: str | None = None  # what a cheaper voice says while the best one reads, and nobody asks with patience
        page.route("**/v1/suggest", self._answer)

    def _answer(self, route: Route) -> None:
        self.asked.append(json.loads(route.request.post_data or ""))
        if self.held is None:
            self.give(route)
        else:
            self.held.append(route)

    def give(self, route: Route) -> None:
        asked = json.loads(route.request.post_data or "")
        draft = asked["draft"]
        if self.hurried and asked["deadline_ms"] < 1000:
            route.fulfill(json={"ghost": "", "probability": 0.0, "words": [], "rung": "", "cut": True, "superseded": False})
            return
        cheaper = self.reading is not None and asked["deadline_ms"] < 1000
        sentence = self.reading if cheaper and self.reading is not None else self.sentence
        ghost = sentence[len(draft) :] if draft and sentence.startswith(draft) else ""
        word = ghost[: len(ghost) - len(ghost.lstrip())] + ghost.split()[0] if ghost else " and"
        words = [{"text": text, "probability": 0.5} for text in ("n", "s") if self.within]
        words = words or [{"text": text, "probability": 0.5} for text in (word, " or", " but")]
        said = {"ghost": ghost, "probability": 0.7, "words": words, "rung": self.rung, "superseded": False, "cut": cheaper}
        said |= {"space": self.spaced, "silent": self.silent}
        route.fulfill(json=said)


def ghost(page: Page) -> str:
    return page.locator("#ghost").text_content() or ""


def draft(page: Page) -> str:
    return page.locator("#draft").input_value()


def write(page: Page, text: str) -> None:
    page.locator("#draft").press_sequentially(text, delay=QUICK)


def until(page: Page, true: Callable[[], bool]) -> None:
    """Wait for something that the browser does."""
    ends = monotonic() + PATIENCE / 1000
    while not true():
        assert monotonic() < ends, "it never came"
        page.wait_for_timeout(5)


def caret(page: Page) -> list[int]:
    return page.eval_on_selector("#draft", "field => [field.selectionStart, field.selectionEnd]")


BOTTOM = "Math.max(...[...document.querySelectorAll('#before, #after')].map(e => e.getBoundingClientRect().bottom))"
# every state in which the page is seen: what is written, what is drawn, where the caret is
WATCH = """() => {
  const field = document.getElementById("draft"), ghost = document.getElementById("ghost");
  window.seen = [];
  const look = () => window.seen.push([field.value, ghost.textContent, field.selectionStart]);
  field.addEventListener("input", look);
  new MutationObserver(look).observe(ghost, { childList: true, characterData: true, subtree: true });
}"""


def test_the_real_engine_helps_and_no_letter_is_lost(page: Page) -> None:
    begun, text = "I think that the prob", "lem with most of the software is that people do not want to pay for it."
    page.evaluate(WATCH)
    write(page, begun)
    until(page, lambda: ghost(page).startswith("lem"))
    write(page, text)
    assert draft(page) == begun + text
    assert caret(page) == [len(begun + text)] * 2
    assert all(at == len(value) for value, _, at in page.evaluate("window.seen"))


def test_the_page_says_in_words_which_archive_and_which_model_speak(page: Page, address: str) -> None:
    told = json.loads(page.request.get(f"{address}/v1/rungs").text())
    who, _, why = told["speaks"]["reason"].replace("`", "").partition(" speaks: ")
    assert who == "the package"
    told_of = f"Replies come from {told['forum']}. Sentences are finished by the models in the package: {why}."
    expect(page.locator("#speaks")).to_have_text(told_of)


def test_a_typed_letter_that_agrees_trims_the_ghost_at_once(page: Page) -> None:
    server = Server(page)
    write(page, "The")
    until(page, lambda: ghost(page) == SENTENCE[3:])
    page.evaluate(WATCH)
    server.held = []
    write(page, SENTENCE[3:12])
    assert all(value + drawn == SENTENCE for value, drawn, _ in page.evaluate("window.seen")[1::2])
    assert ghost(page) == SENTENCE[12:]
    write(page, "!")  # does not agree: gone in the same moment
    assert ghost(page) == ""


def test_one_question_at_a_time_and_late_answers_only_if_they_agree(page: Page) -> None:
    server = Server(page)
    server.held = []
    write(page, "The")  # asked about "T" only; then the latest, "The", waits
    until(page, lambda: len(server.asked) == 1)
    page.wait_for_timeout(50)
    assert [one["draft"] for one in server.asked] == ["T"]
    server.give(server.held.pop())  # an answer about "T", while "The" stands there: it agrees, so it is shown, trimmed
    until(page, lambda: ghost(page) == SENTENCE[3:])
    until(page, lambda: [one["draft"] for one in server.asked] == ["T", "The"])
    write(page, "x")
    server.give(server.held.pop())  # an answer about "The", while "Thex" stands there
    until(page, lambda: len(server.asked) == 3)
    assert ghost(page) == ""
    assert [one["sequence"] for one in server.asked] == [1, 2, 3]


def test_who_pauses_is_given_what_there_was_no_time_for(page: Page) -> None:
    server = Server(page)
    server.hurried = True
    write(page, "The")
    until(page, lambda: ghost(page) == SENTENCE[3:])
    assert server.asked[-1] == {**server.asked[-2], "deadline_ms": 1000, "sequence": server.asked[-1]["sequence"]}


@pytest.mark.parametrize("agrees", [True, False])
def test_the_better_answer_of_who_pauses_replaces_the_cheaper_ones_without_a_flicker(page: Page, agrees: bool) -> None:
    server = Server(page)
    server.reading = SENTENCE if agrees else "There is no such thing."
    server.held = []
    write(page, "The")
    until(page, lambda: len(server.asked) == 1)
    server.held, held = None, server.held
    for route in held:
        server.give(route)
    until(page, lambda: ghost(page) == (server.reading or "")[3:])
    page.evaluate(WATCH)
    until(page, lambda: server.asked[-1]["deadline_ms"] == 1000)
    until(page, lambda: ghost(page) == SENTENCE[3:])
    expect(page.locator("#ghost")).to_have_text(SENTENCE[3:])
    drawn = [shown for _, shown, _ in page.evaluate("window.seen")]
    assert drawn == ([] if agrees else [SENTENCE[3:]])


def test_tab_takes_all_and_undo_gives_it_back(page: Page) -> None:
    Server(page)
    write(page, "The prob")
    until(page, lambda: ghost(page) != "")
    page.keyboard.press("Tab")
    assert draft(page) == SENTENCE
    assert caret(page) == [len(SENTENCE)] * 2
    page.keyboard.press("Control+z")
    assert draft(page) == "The prob"
    page.keyboard.press("Control+Shift+z")
    assert draft(page) == SENTENCE


def test_the_space_comes_with_what_is_taken_and_makes_room(page: Page) -> None:
    """Typed once more it is swallowed, once; a mark takes its place; what is no mark leaves it; undo takes both back."""
    Server(page, "The problem with this").spaced = True
    for typed, expected in ((" ", " "), ("  ", "  "), (",", ","), (", b", ", b"), ("b ,", " b ,"), ("", " ")):
        page.locator("#draft").fill("")
        write(page, "The prob")
        until(page, lambda: ghost(page) == "lem with this")
        page.keyboard.press("Tab")
        assert draft(page) == "The problem with this "
        write(page, typed)
        assert draft(page) == f"The problem with this{expected}"
    page.keyboard.press("Control+z")
    assert draft(page) == "The prob"


def test_no_space_comes_with_a_part_nor_where_it_is_not_wanted(page: Page) -> None:
    Server(page, "The problem with this").spaced = True
    write(page, "The prob")
    until(page, lambda: ghost(page) != "")
    for expected in ("The problem", "The problem with", "The problem with this "):  # with the last word
        page.keyboard.press("Control+ArrowRight")
        assert draft(page) == expected
    page.locator("#manners").evaluate("box => (box.open = true)")
    page.locator("#space-after").uncheck()
    page.locator("#draft").fill("")
    write(page, "The prob")
    until(page, lambda: ghost(page) != "")
    page.keyboard.press("Tab")
    assert draft(page) == "The problem with this"


def test_the_button_takes_all_with_the_space(page: Page) -> None:
    Server(page, "The problem with this").spaced = True
    write(page, "The prob")
    until(page, lambda: ghost(page) != "")
    page.click("#take")
    assert draft(page) == "The problem with this "


def test_the_end_of_a_word_is_one_step(page: Page) -> None:
    """Above other lines, too, where one word is shown."""
    Server(page, "I don't know")
    page.locator("#draft").fill("\n\nBob wrote:")
    page.locator("#draft").press("Control+Home")
    write(page, "I don")
    until(page, lambda: ghost(page) == "'t")
    page.keyboard.press("Tab")
    assert draft(page).startswith("I don't\n")


def test_ctrl_right_takes_one_word_after_the_other(page: Page) -> None:
    Server(page)
    write(page, "The prob")
    until(page, lambda: ghost(page) != "")
    for expected in ("The problem", "The problem with", "The problem with this"):
        page.keyboard.press("Control+ArrowRight")
        assert draft(page) == expected
        assert ghost(page) == SENTENCE[len(expected) :]


def test_escape_dismisses_and_tab_leaves_the_field(page: Page) -> None:
    Server(page)
    write(page, "The")
    until(page, lambda: ghost(page) != "")
    page.keyboard.press("Escape")
    assert ghost(page) == ""
    page.wait_for_timeout(50)
    assert ghost(page) == ""
    page.keyboard.press("Tab")
    assert draft(page) == "The"
    assert page.evaluate("document.activeElement.id") != "draft"
    page.locator("#draft").focus()
    write(page, " ")  # another draft is another matter
    until(page, lambda: ghost(page) != "")
    page.keyboard.press("Shift+Tab")  # and backwards there is always a way out
    assert page.evaluate("document.activeElement.id") != "draft"


def test_the_words_of_the_strip_by_click_and_key(page: Page) -> None:
    Server(page)
    write(page, "The prob")
    first = page.locator("#strip .word").first
    expect(first).to_have_text("problem")
    first.click()
    assert draft(page) == "The problem"
    assert page.evaluate("document.activeElement.id") == "draft"
    until(page, lambda: first.text_content() == "with")
    page.keyboard.press("Alt+1")
    assert draft(page) == "The problem with"
    until(page, lambda: first.text_content() == "this")
    page.keyboard.press("Alt+2")
    assert draft(page) == "The problem with or"


def test_no_ghost_inside_a_line_but_one_word_above_others(page: Page) -> None:
    server = Server(page, f"The {'w' * 80} end")
    write(page, "The")
    until(page, lambda: ghost(page) != "")
    page.keyboard.press("ArrowLeft")
    until(page, lambda: ghost(page) == "")
    asked = len(server.asked)
    page.wait_for_timeout(50)
    assert len(server.asked) == asked
    page.keyboard.press("End")
    write(page, "\nbelow")
    low = page.evaluate(BOTTOM)
    page.keyboard.press("ArrowUp")
    page.keyboard.press("End")
    until(page, lambda: ghost(page) == f" {'w' * 80}")
    assert page.evaluate(BOTTOM) == low  # what is below stays where it was


def test_what_closes_the_line_counts_as_its_end_and_is_drawn_after_the_ghost(page: Page) -> None:
    server = Server(page)
    write(page, "”)")
    for _ in "”)":
        page.keyboard.press("ArrowLeft")
    write(page, "The")
    until(page, lambda: ghost(page) == SENTENCE[3:])
    until(page, lambda: (server.asked[-1]["draft"], server.asked[-1]["after"]) == ("The", "”)"))
    drawn = "getComputedStyle(document.getElementById('ghost'), '::after').content"
    assert page.evaluate(drawn) == '"”)"'
    page.keyboard.press("Tab")
    assert draft(page) == f"{SENTENCE}”)" and caret(page) == [len(SENTENCE)] * 2
    until(page, lambda: ghost(page) == "")
    assert page.evaluate(drawn) == '""'


def test_the_page_and_the_server_mean_the_same_by_what_closes_a_line(page: Page) -> None:
    letters = [*map(chr, range(32, 127)), *"\t’”»›«‹“‘…—¡¿。」"]
    closed = page.evaluate(
        "async letters => { const { closes } = await import('./typing/draft.js'); return letters.map(closes); }", letters
    )
    assert closed == [at_line_end(letter) for letter in letters]


def test_an_answer_that_is_drawn_before_the_carets_move_is_told_hides_no_move(page: Page) -> None:
    page.evaluate("addEventListener('selectionchange', told => window.late && told.stopImmediatePropagation(), true)")
    server = Server(page)
    write(page, "The")
    until(page, lambda: ghost(page) != "")
    server.held = []
    write(page, "\n")
    until(page, lambda: len(server.held or []) == 1)
    page.evaluate("window.late = true")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("End")
    server.give(server.held.pop())
    page.wait_for_timeout(50)
    server.held = None
    page.evaluate("window.late = false; document.dispatchEvent(new Event('selectionchange'))")
    until(page, lambda: ghost(page) == " problem")


def test_an_input_method_is_left_alone(page: Page) -> None:
    server = Server(page, "日本語の文章")
    page.locator("#draft").focus()
    tool = page.context.new_cdp_session(page)
    for text in ("に", "にほ", "日本"):
        tool.send("Input.imeSetComposition", {"text": text, "selectionStart": len(text), "selectionEnd": len(text)})
        assert (draft(page), ghost(page)) == (text, "")
    page.wait_for_timeout(50)
    assert not server.asked
    tool.send("Input.insertText", {"text": "日本"})
    assert draft(page) == "日本"
    until(page, lambda: ghost(page) == "語の文章")
    assert [one["draft"] for one in server.asked] == ["日本"]


def test_gate_and_blocked_words_are_sent_and_kept(page: Page) -> None:
    server = Server(page)
    page.check("#gate input[value=quiet]", force=True)
    page.click("#blocked summary")
    page.fill("#block", "Nobody")
    page.keyboard.press("Enter")
    page.reload()
    server.asked.clear()
    write(page, "T")
    until(page, lambda: bool(server.asked))
    assert (server.asked[0]["gate"], server.asked[0]["blocked"]) == ("quiet", ["nobody"])
    until(page, lambda: ghost(page) != "")
    page.check("#gate input[value=off]", force=True)  # one touch
    assert ghost(page) == ""
    asked = len(server.asked)
    write(page, "he")
    page.wait_for_timeout(50)
    assert (len(server.asked), draft(page)) == (asked, "The")


def test_foreign_text_stays_text(page: Page) -> None:
    Server(page, f"The {HOSTILE} end")
    page.fill("#query", "bread")
    page.click("#find button")
    expect(page.locator(".hit").first).to_be_visible()
    page.fill("#query", "https://news.ycombinator.com/item?id=2")
    page.click("#find button")
    expect(page.locator(".answered p").first).to_contain_text("<img src=x onerror=")
    expect(page.locator("#found h3")).to_contain_text("<script>")
    expect(page.locator(".answered blockquote")).to_have_text("a quote")
    expect(page.locator("#notice")).to_contain_text("generated")  # what the forum asks for, before anything is written
    write(page, "The ")
    until(page, lambda: ghost(page).startswith("<img"))
    page.click("#replies summary")
    page.check("#everything")
    page.click("#replies button")
    expect(page.locator(".reply footer").first).to_contain_text("post")
    assert page.title() == "rejoinder"
    assert page.locator("main img, main script").count() == 0


def test_what_hides_in_foreign_text_is_shown_in_a_post_in_a_reply_and_in_a_suggestion(page: Page) -> None:
    """By the same table as in a terminal."""
    Server(page, "The \u202epart\u200b that hides")
    reply = {
        "text": "Pay \u202e001.",
        "score": 1.0,
        "rung": "bm25",
        "post": 2,
        "title": "a\u2066b",
        "url": None,
        "generated": False,
    }
    page.route("**/v1/reply", lambda route: route.fulfill(json={"replies": [reply], "notice": "", "score": "", "threshold": 0}))
    page.click("#paste summary")
    page.fill("#pasted", "".join(f"{text}\n\n" for text, _ in HIDDEN))
    page.click("#paste button")
    shown = page.locator(".answered").inner_text()
    for _, said in HIDDEN:
        assert said in shown
    page.click("#replies summary")
    page.click("#replies button")
    expect(page.locator(".reply")).to_contain_text("Pay <U+202E>001.")
    expect(page.locator(".reply .asked")).to_contain_text("a<U+2066>b")
    page.click(".reply footer button:has-text('Put in')")
    assert draft(page) == "Pay <U+202E>001."  # what was seen is what is put in
    page.fill("#draft", "")
    write(page, "The")
    until(page, lambda: ghost(page) == " <U+202E>part<U+200B> that hides")


def test_the_mirror_lies_exactly_under_the_text(page: Page) -> None:
    Server(page)
    page.locator("#draft").fill("A long line that wraps, with letters of all widths: iiii WWWW.\n\n\tA tab, and an end \n" * 6)
    heights = page.evaluate(
        "['#draft', '.mirror'].map(what => { const e = document.querySelector(what);"
        " Object.assign(e.style, { height: 0, minHeight: 0 }); const high = e.scrollHeight; e.style = ''; return high; })"
    )
    assert heights[0] == heights[1]
    page.locator("#draft").fill("The")
    until(page, lambda: ghost(page) != "")
    edges = page.evaluate(
        "() => { const pen = document.createElement('canvas').getContext('2d');"
        " const field = document.getElementById('draft'), style = getComputedStyle(field);"
        " pen.font = style.font;"
        " const caret = field.getBoundingClientRect().x + parseFloat(style.paddingLeft) + pen.measureText('The').width;"
        " return [caret, document.getElementById('ghost').getClientRects()[0].x]; }"
    )
    assert edges[0] == pytest.approx(edges[1], abs=1)


def test_no_sideways_scrolling_on_a_phone(page: Page) -> None:
    Server(page)
    page.route("**/v1/ladder", lambda route: route.fulfill(json={}))  # as if there were a report
    page.set_viewport_size({"width": 320, "height": 640})
    page.fill("#query", "1")
    page.click("#find button")
    expect(page.locator(".answered")).to_be_visible()
    for details in ("paste", "blocked", "replies", "inside", "ladder"):
        page.click(f"#{details} summary")
    write(page, "The problem W" + "w" * 80)
    page.click("#replies button")
    expect(page.locator(".heat tbody tr").first).to_be_visible()
    expect(page.locator("#ladder tbody tr").first).to_be_visible()
    expect(page.locator("#ladder a")).to_have_attribute("href", "/ladder")
    assert page.evaluate("document.documentElement.scrollWidth") == 320


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_both_schemes_can_be_read(page: Page, scheme: Any) -> None:
    """Contrast as WCAG 2.2 counts it: 4.5 to 1 for text, the ghost too."""
    page.emulate_media(color_scheme=scheme)
    Server(page)
    write(page, "The")
    until(page, lambda: ghost(page) != "")
    colours = page.evaluate(
        "() => { const of = (what, key) => getComputedStyle(document.querySelector(what))[key];"
        " return { paper: of('body', 'backgroundColor'), sheet: of('.sheet', 'backgroundColor'), ink: of('#draft', 'color'),"
        " ghost: of('#ghost', 'color'), soft: of('.hint', 'color'), accent: of('.take', 'color') }; }"
    )
    assert (luminance(colours["paper"]) > 0.5) == (scheme == "light")
    for text, ground in (("ink", "sheet"), ("ghost", "sheet"), ("soft", "paper"), ("accent", "sheet")):
        assert contrast(colours[text], colours[ground]) >= 4.5, text


def luminance(colour: str) -> float:
    """Relative luminance of "rgb(r, g, b)", https://www.w3.org/TR/WCAG22/#dfn-relative-luminance."""
    shares = [int(part) / 255 for part in colour.removeprefix("rgb(").removesuffix(")").split(",")]
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_screen_readers_are_told_after_a_pause_and_every_control_has_a_name(page: Page) -> None:
    page.clock.install(time=0)
    page.clock.pause_at(3600)  # else the pause may be over before anybody has looked
    server = Server(page)
    server.held = []
    write(page, "The")
    until(page, lambda: len(server.held or []) == 1)
    server.give(server.held.pop())  # about "T": "The" agrees with it
    until(page, lambda: ghost(page) != "")
    voice = page.locator("#voice")
    page.clock.run_for(1000)
    assert (voice.get_attribute("aria-live"), voice.text_content()) == ("polite", "")
    until(page, lambda: len(server.held or []) == 1)
    server.rung = "lstm"
    server.give(server.held.pop())  # about "The": the same is drawn anew, and the pause goes on
    until(page, lambda: "lstm" in (page.locator("#spoke").text_content() or ""))
    page.clock.run_for(500)
    assert voice.text_content() == f"Suggestion: {SENTENCE[3:].strip()}"
    write(page, "x")
    assert voice.text_content() == ""
    assert page.locator(".mirror").get_attribute("aria-hidden") == "true"
    nameless = page.evaluate(
        "() => [...document.querySelectorAll('input, textarea, select, button:enabled, summary')].filter(e =>"
        " !(e.ariaLabel || e.textContent.trim() || [...(e.labels ?? [])].some(l => l.textContent.trim()))).map(e => e.outerHTML)"
    )
    assert nameless == []
    assert page.evaluate("document.documentElement.lang") == "en"
    assert page.locator("h1").count() == 1
    assert page.locator("main").count() == 1


def test_a_server_that_has_gone_is_named_and_typing_goes_on(page: Page) -> None:
    page.route("**/v1/suggest", lambda route: route.abort())
    write(page, "The end")
    expect(page.locator("#spoke")).to_contain_text("does not answer")
    assert draft(page) == "The end"


def test_nothing_is_fetched_from_elsewhere(page: Page, address: str) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.reload()
    write(page, "The")
    assert asked
    assert all(url.startswith(address) for url in asked)


# --- drafts, words, learning ------------------------------------------------------------------------------------------


def test_a_draft_survives_a_reload_and_is_cleared_when_asked(page: Page) -> None:
    Server(page)
    write(page, "The draft that stays")
    page.reload()
    assert draft(page) == "The draft that stays"
    page.click("#clear-draft")
    assert draft(page) == ""
    page.reload()
    assert draft(page) == ""
    assert page.evaluate("localStorage.getItem('rejoinder.drafts')") is None  # no byte of it is left


def test_each_post_that_is_answered_has_a_draft_of_its_own(page: Page) -> None:
    Server(page)
    write(page, "First thoughts")
    page.click("#try-post")  # they become the answer to the first post that is chosen
    assert draft(page) == "First thoughts"
    page.click("#paste summary")
    page.fill("#pasted", "Another post")
    page.click("#paste button")
    assert draft(page) == ""
    write(page, "Second thoughts")
    page.click("#drafts summary")
    expect(page.locator("#drafts-list li")).to_have_count(2)
    page.click("#drafts-list .hit:has-text('First thoughts')")
    assert draft(page) == "First thoughts"
    expect(page.locator("#answering")).to_have_text("Answers Why do people still use Makefiles?")
    page.click("#drafts-list li:has-text('Second thoughts') >> text=Erase")
    expect(page.locator("#drafts-list li")).to_have_count(1)
    assert draft(page) == "First thoughts"


def test_how_sure_the_model_is_stands_there_in_words_and_an_empty_draft_has_an_example(page: Page) -> None:
    Server(page, "I think that the problem is")
    expect(page.locator("#try")).to_be_visible()
    page.click("#try-draft")
    assert draft(page) == "I think that the prob"
    expect(page.locator("#try")).to_be_hidden()
    expect(page.locator("#spoke")).to_have_text("Next word: probably (70%, says mixture)")


@pytest.mark.parametrize(
    ("number", "said"),
    [(4, "Let dough 3 rest until it doubles."), (KETTLES.number("7/2"), "Descale the samovar first.")],
    ids=["Hacker News", "another place"],
)
def test_where_a_reply_comes_from_opens_in_the_thread_and_what_is_answered_stays(page: Page, number: int, said: str) -> None:
    Server(page)
    reply = {"text": "Let it.", "score": 0.8, "rung": "bm25", "post": number, "title": "Bread", "url": None, "generated": False}
    page.route("**/v1/reply", lambda route: route.fulfill(json={"replies": [reply], "notice": "", "score": "", "threshold": 0}))
    page.click("#try-post")
    write(page, "My answer")
    page.click("#replies summary")
    page.click("#replies button")
    page.click(".reply .source")
    expect(page.locator(".sought")).to_contain_text(said)
    expect(page.locator("#answering")).to_contain_text("Makefiles")
    assert draft(page) == "My answer"
    page.click(".back")
    expect(page.locator(".answered")).to_contain_text("Makefiles")


def test_drafts_and_replies_are_copied_by_a_click(page: Page) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    Server(page)
    write(page, "To be copied")
    page.click("#copy-draft")
    expect(page.locator("#copy-draft")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == "To be copied"


def test_a_key_is_what_it_types_and_not_where_it_lies(page: Page) -> None:
    """On a Mac, Option and a digit type a sign: it is the writer's."""
    Server(page)
    write(page, "The prob")
    until(page, lambda: ghost(page) != "")
    told = "([key, code]) => document.getElementById('draft').dispatchEvent(new KeyboardEvent('keydown',"
    told += " { key, code, altKey: true, bubbles: true, cancelable: true }))"
    for key, code in (("#", "Digit3"), ("@", "Digit2"), ("|", "Digit1"), ("¡", "Digit1")):
        assert page.evaluate(told, [key, code])  # nobody has prevented it
    assert draft(page) == "The prob"
    assert not page.evaluate(told, ["1", "Numpad1"])
    assert draft(page) == "The problem"


def test_a_paste_of_any_length_stays_whole(page: Page) -> None:
    server = Server(page)
    text = "All of this was written elsewhere. " * 4_000
    page.locator("#draft").focus()
    page.keyboard.insert_text(text)
    assert draft(page) == text
    expect(page.locator("#long")).to_be_visible()
    until(page, lambda: bool(server.asked))
    assert 16_384 <= len(server.asked[-1]["draft"]) <= 100_000
    page.reload()
    assert draft(page) == text


def test_a_keyboard_that_composes_latin_words_gets_the_strip_while_it_does(browser: Browser, address: str) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 800}, has_touch=True, is_mobile=True)
    page = context.new_page()
    page.goto(address)
    Server(page)
    page.locator("#draft").focus()
    tool = context.new_cdp_session(page)
    for text in ("T", "Th", "The"):
        tool.send("Input.imeSetComposition", {"text": text, "selectionStart": len(text), "selectionEnd": len(text)})
    expect(page.locator("#strip .word").first).to_have_text("problem")
    assert ghost(page) == ""  # the keyboard draws at the caret itself
    page.locator("#strip .word").first.tap()
    assert draft(page) == "The problem"
    context.close()


def test_manners_that_are_chosen_hold(page: Page) -> None:
    Server(page, "The end, with this: it rises.")
    page.click("#manners summary")
    page.select_option("#longest", "2")
    page.check("#tab-word")
    page.reload()
    write(page, "The")
    until(page, lambda: ghost(page) == " end, with")
    page.keyboard.press("Tab")
    assert draft(page) == "The end"
    page.wait_for_timeout(450)  # longer than pressing twice
    page.keyboard.press("Control+ArrowRight")
    assert draft(page) == "The end,"  # punctuation is a step of its own
    until(page, lambda: ghost(page) == " with this:")
    page.wait_for_timeout(450)
    page.evaluate(
        """() => { for (let times = 0; times < 2; times += 1) document.getElementById("draft").dispatchEvent(
          new KeyboardEvent("keydown", { key: "Tab", bubbles: true, cancelable: true })); }"""
    )
    assert draft(page) == "The end, with this: it"


def test_nothing_while_one_deletes_and_nothing_wrong_twice(page: Page) -> None:
    Server(page)
    write(page, "The pro")
    until(page, lambda: ghost(page) != "")
    page.keyboard.press("Backspace")
    page.wait_for_timeout(50)
    assert ghost(page) == "" and page.locator("#strip .word:enabled").count() == 0
    write(page, "o")
    until(page, lambda: ghost(page) == SENTENCE[7:])
    write(page, "x")
    page.keyboard.press("Backspace")
    page.keyboard.press("Backspace")
    write(page, "o")
    until(page, lambda: page.locator("#strip .word:enabled").count() > 0)
    assert draft(page) == "The pro" and ghost(page) == ""
    write(page, "b")
    page.wait_for_timeout(50)
    assert ghost(page) == ""  # the same word, one letter on


@pytest.mark.parametrize(
    ("preferred", "sentence", "written", "silent", "shown"),
    [
        ("Reichenbach", "", "I met Rei", False, "chenbach"),
        ("Reichenbach", "", "I met (Rei", False, "chenbach"),
        ("Reichenbach", "", "I met Rei", True, ""),  # in code, in another language, or switched off
        ("Thesis", "", "The", None, ""),  # the word is over, as it seems
        ("problematic", "The problem is", "The prob", False, "lem is"),  # what is sure stays
        ("Problem", "the problem is", "the prob", False, "lem is"),
    ],
)
def test_a_preferred_word_takes_no_ones_place(
    page: Page, preferred: str, sentence: str, written: str, silent: bool | None, shown: str
) -> None:
    server = Server(page, sentence)
    server.silent, server.within = bool(silent), silent is not None
    page.evaluate("document.getElementById('preferred').open = true")
    page.fill("#prefer", preferred)
    page.keyboard.press("Enter")
    write(page, written)
    until(page, lambda: server.asked and server.asked[-1]["draft"] == written)
    page.wait_for_timeout(100)
    assert ghost(page) == shown


def test_preferred_words_have_their_capitals_and_blocking_one_leaves_the_others(page: Page) -> None:
    server = Server(page, "We use github and gitlab here.")
    for word in ("GitHub", "GitLab"):
        page.evaluate("document.getElementById('preferred').open = true")
        page.fill("#prefer", word)
        page.keyboard.press("Enter")
    for word in ("nasty", "words"):
        page.evaluate("document.getElementById('blocked').open = true")
        page.fill("#block", word)
        page.keyboard.press("Enter")
    page.click("[aria-label='Allow nasty again']")
    write(page, "We use")
    until(page, lambda: ghost(page) == " GitHub and GitLab here.")
    assert server.asked[-1]["blocked"] == ["words"]
    write(page, " GitL")
    until(page, lambda: page.locator("#strip .word").first.text_content() == "GitLab")


def test_one_learns_when_asked_to_and_all_of_it_is_shown_searched_and_erased(page: Page, address: str) -> None:
    def own() -> str:
        return str(json.loads(page.request.get(f"{address}/v1/own").text())["text"])

    Server(page)
    write(page, "This was written before. ")
    page.locator("h1").click()
    assert own() == ""
    page.click("#own summary")
    page.check("#learn")
    page.locator("#draft").focus()
    page.keyboard.press("Control+End")
    write(page, "Rye needs more water than wheat. This is not finished")
    page.locator("h1").click()
    until(page, lambda: own() != "")
    assert own().strip() == "Rye needs more water than wheat."
    expect(page.locator("#own-list li")).to_have_text(["Rye needs more water than wheat."])
    page.fill("#own-find", "nothing like it")
    expect(page.locator("#own-list li")).to_have_count(0)
    with page.expect_download() as saved:
        page.click("#own-save")
    assert saved.value.path().read_text() == "Rye needs more water than wheat.\n"
    page.on("dialog", lambda asked: asked.accept())
    page.click("#own-erase")
    expect(page.locator("#own-status")).to_have_text("Nothing is remembered.")
    assert own() == ""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_however_much_is_open(page: Page, scheme: Any) -> None:
    script = Path(__file__).parent / "browser_pages" / "node_modules" / "axe-core" / "axe.min.js"
    if not script.is_file():
        pytest.skip("axe is not here; `make editors` fetches it, where there is npm")
    page.emulate_media(color_scheme=scheme)
    Server(page)
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true })")
    page.fill("#prefer", "GitHub")
    page.keyboard.press("Enter")
    page.fill("#query", "1")
    page.click("#find button")
    expect(page.locator(".answered")).to_be_visible()
    write(page, "The")
    until(page, lambda: ghost(page) != "")
    expect(page.locator("#ladder tbody tr").first).to_be_visible()
    page.evaluate(f"() => {{ {script.read_text(encoding='utf-8')} }}")
    found = page.evaluate(
        "async () => (await axe.run()).violations.map(({ id, nodes }) => [id, ...nodes.map(({ html }) => html)])"
    )
    assert found == []

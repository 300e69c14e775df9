"""The browser extension: where it helps and where not, what it answers, its popup and settings, and that nothing leaves."""

from __future__ import annotations

import json
import re
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import (
    CLIENT,
    PAGES,
    SENTENCE,
    Field,
    Voice,
    a_voice,
    chromium_with,
    keep,
    npm_packages,
    opened,
    packed,
    pages,
    switch_on,
    until,
    worker_of,
)
from playwright.sync_api import BrowserContext, Page, expect, sync_playwright
from serving import make_home, serving

BEGUN = "The prob"
REST = SENTENCE[len(BEGUN) :]


@pytest.fixture(scope="module")
def voice() -> Iterator[Voice]:
    with a_voice() as found:
        yield found


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    with pages() as found:
        yield found


@pytest.fixture(scope="module")
def extension(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return packed(tmp_path_factory.mktemp("packed"))


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory, extension: Path) -> Iterator[BrowserContext]:
    with sync_playwright() as playwright, chromium_with(playwright, extension, tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture
def context(browser: BrowserContext, voice: Voice) -> Iterator[BrowserContext]:
    """The browser, with help switched on for 127.0.0.1 and nothing else chosen."""
    worker_of(browser).evaluate(
        "async () => { await chrome.storage.local.clear(); await chrome.scripting.unregisterContentScripts(); }"
    )
    keep(browser, server=voice.url, token="t" * 43)
    switch_on(browser)
    voice.asked.clear()
    voice.kept.clear()
    voice.sentence = SENTENCE
    yield browser
    for page in browser.pages[1:]:
        page.close()


def write(field: Field, text: str) -> None:
    field.page.keyboard.type(text, delay=5)


def own_page(context: BrowserContext, path: str, **viewport: int) -> Page:
    """A page of the extension's own."""
    page = context.new_page()
    if viewport:
        page.set_viewport_size(viewport)  # type: ignore[arg-type]
    page.goto(worker_of(context).url.replace("background.js", path))
    return page


def tab_of(context: BrowserContext, page: Page) -> int:
    found = worker_of(context).evaluate("async () => (await chrome.tabs.query({ active: true, lastFocusedWindow: true }))[0].id")
    return int(found)


# --- where it helps, and where not -----------------------------------------------------------------------------------


def test_it_is_off_until_it_is_switched_on_for_a_site(context: BrowserContext, site: str, voice: Voice) -> None:
    elsewhere = opened(context, site.replace("127.0.0.1", "localhost"), "textarea")
    write(elsewhere, BEGUN)
    elsewhere.page.wait_for_timeout(200)
    assert voice.asked == [] and elsewhere.page.locator("rejoinder-ghost").count() == 0


def test_a_script_in_a_page_that_is_not_switched_on_is_not_answered(context: BrowserContext, site: str, voice: Voice) -> None:
    page = context.new_page()
    page.goto(f"{site.replace('127.0.0.1', 'localhost')}/textarea.html")
    told = worker_of(context).evaluate(
        """async () => {
          const [tab] = await chrome.tabs.query({ active: true, lastFocusedWindow: true });
          const func = () => chrome.runtime.sendMessage({ kind: "suggest", draft: "The prob", session: "s", sequence: 1 });
          return (await chrome.scripting.executeScript({ target: { tabId: tab.id }, func }))[0].result;
        }"""
    )
    assert told == {"error": "this site is not switched on"} and voice.asked == []


REFUSED = {
    '<input type="password">': "a password",
    '<input type="search">': "a search",
    '<input type="email">': "an e-mail address",
    '<input type="number">': "a number",
    '<input type="tel">': "a number",
    '<input type="url">': "an address",
    '<input autocomplete="cc-number">': "a card",
    '<input autocomplete="section-a one-time-code">': "a code",
    '<input autocomplete="username">': "a name to log in with",
    '<input autocomplete="off">': "what its site wants left alone",
    '<textarea name="seed_phrase"></textarea>': "a secret",
    '<textarea aria-label="API key"></textarea>': "a secret",
    "<label>Security answer <input></label>": "a secret",
    '<input inputmode="numeric">': "a number",
    '<input name="q">': "a search",
    '<form role="search"><input></form>': "a search",
    '<input role="searchbox">': "a search",
    '<input style="-webkit-text-security: disc">': "hidden letters",
    "<textarea readonly></textarea>": "nothing that can be written",
}
HELPED = (
    "<textarea></textarea>",
    '<textarea autocomplete="off"></textarea>',
    "<input>",
    '<input type="text" name="title">',
    '<div contenteditable="true" role="textbox"></div>',
    '<div contenteditable="plaintext-only"></div>',
    '<label>Passage <input name="comment"></label>',
)


def answers_in(context: BrowserContext, site: str, markup: str, voice: Voice, *, wanted: bool) -> bool:
    page = context.new_page()
    page.goto(f"{site}/sites/blank.html")
    page.evaluate("markup => { document.body.innerHTML = markup }", markup)
    page.locator("input, textarea, [contenteditable]").focus()
    page.keyboard.type("The")
    if wanted:
        until(lambda: voice.asked, "nothing was asked")
    else:
        page.wait_for_timeout(120)
    asked = bool(voice.asked)
    page.close()
    voice.asked.clear()
    return asked


@pytest.mark.parametrize("markup", REFUSED, ids=REFUSED.values())
def test_it_does_not_help_with_what_may_be_secret_or_is_no_prose(
    context: BrowserContext, site: str, voice: Voice, markup: str
) -> None:
    assert not answers_in(context, site, markup, voice, wanted=False)


@pytest.mark.parametrize("markup", HELPED)
def test_it_helps_with_prose(context: BrowserContext, site: str, voice: Voice, markup: str) -> None:
    assert answers_in(context, site, markup, voice, wanted=True)


def test_hacker_news_is_refused_with_the_reason(context: BrowserContext) -> None:
    context.route(
        "https://news.ycombinator.com/**",
        lambda route: route.fulfill(body="<title>HN</title><textarea></textarea>", content_type="text/html"),
    )
    page = context.new_page()
    page.goto("https://news.ycombinator.com/item?id=1")
    popup = context.new_page()
    page.bring_to_front()
    number = worker_of(context).evaluate("async () => (await chrome.tabs.query({ active: true, lastFocusedWindow: true }))[0].id")
    url = worker_of(context).url.replace(
        "background.js", f"popup/popup.html?tab={number}&address=https://news.ycombinator.com/item"
    )
    popup.goto(url)
    expect(popup.locator("#site-refused")).to_contain_text("Hacker News asks that people post no generated or AI-edited text")
    assert "\n" not in popup.locator("#site-refused").inner_text()
    assert popup.locator("#site").is_hidden() and popup.locator("#find").is_disabled()
    told = popup.evaluate(
        """async () => (await import("/sites.js")).switchOn("news.ycombinator.com").then(() => "", (error) => error.message)"""
    )
    assert told.startswith("Hacker News asks")
    context.unroute("https://news.ycombinator.com/**")


# --- drawing ---------------------------------------------------------------------------------------------------------


def test_three_words_by_click_and_key_and_the_caret_stays(context: BrowserContext, site: str) -> None:
    field = opened(context, site, "textarea")
    write(field, BEGUN)
    field.sees(REST)
    until(lambda: field.look()["words"] == ["problem", "or", "but"], lambda: str(field.look()))
    field.page.mouse.click(*until(lambda: field.look()["places"])[0])
    until(lambda: field.text == "The problem", lambda: field.text)
    assert field.page.evaluate("document.activeElement.id") == "field"
    until(lambda: field.look()["words"] == ["with", "or", "but"], lambda: str(field.look()))
    field.page.keyboard.press("Alt+2")
    until(lambda: field.text == "The problem or", lambda: field.text)


def follows(field: Field) -> None:
    """Wait until the ghost is where a span at the caret would be."""
    measure = """() => {
      const field = document.getElementById("field"), style = getComputedStyle(field), mirror = document.createElement("div");
      const same = ["font", "letterSpacing", "padding", "border", "direction", "textAlign", "boxSizing", "lineHeight"];
      for (const name of same) mirror.style[name] = style[name];
      const box = field.getBoundingClientRect(), scale = box.width / field.offsetWidth;
      const width = `${field.clientWidth + 2 * field.clientLeft}px`;
      Object.assign(mirror.style, { position: "absolute", left: 0, top: 0, width, whiteSpace: "pre-wrap", visibility: "hidden" });
      mirror.append(field.value, document.createElement("i"));
      document.documentElement.append(mirror);
      const at = mirror.lastChild.getBoundingClientRect(), corner = mirror.getBoundingClientRect();
      mirror.remove();
      const from = [at.left - corner.left - field.scrollLeft, at.top - corner.top - field.scrollTop];
      return [box.left + from[0] * scale, box.top + from[1] * scale];
    }"""
    turned = field.page.evaluate("getComputedStyle(document.getElementById('field')).direction") == "rtl"

    def near() -> bool:
        boxes = field.look()["boxes"]
        x, y = field.page.evaluate(measure)
        return bool(boxes) and abs(boxes[0][2 if turned else 0] - x) < 2 and boxes[0][1] - 3 < y < boxes[0][3] + 3

    until(near, lambda: f"the ghost is at {field.look()['boxes']}, the caret at {field.page.evaluate(measure)}")


@pytest.mark.parametrize(
    "change",
    [
        "",
        "document.body.style.paddingTop = '300px'; scrollTo(0, 120)",
        "document.getElementById('field').style.width = '220px'",
        "document.getElementById('field').style.fontSize = '29px'",
        "document.body.style.transformOrigin = '0 0'; document.body.style.transform = 'scale(1.5)'",
        "document.getElementById('field').style.letterSpacing = '3px'",
        "document.getElementById('field').dir = 'rtl'",
    ],
    ids=["still", "scrolled", "narrow", "larger letters", "transformed", "spaced", "right to left"],
)
def test_the_ghost_follows_the_caret(context: BrowserContext, site: str, voice: Voice, change: str) -> None:
    voice.sentence = "הבעיה עם זה היא שאף אחד לא יודע" if "rtl" in change else SENTENCE
    field = opened(context, site, "textarea")
    field.page.evaluate("document.body.style.minHeight = '3000px'")
    field.page.evaluate(change)
    write(field, voice.sentence[:8])
    field.sees(voice.sentence[8:])
    follows(field)
    field.page.evaluate("scrollBy(0, 33)")
    follows(field)
    field.page.set_viewport_size({"width": 640, "height": 480})
    follows(field)
    field.page.set_viewport_size({"width": 1280, "height": 720})


def test_what_is_scrolled_out_of_its_field_is_not_drawn(context: BrowserContext, site: str) -> None:
    field = opened(context, site, "textarea")
    field.page.keyboard.insert_text("line\n" * 40)
    write(field, BEGUN)
    field.sees(REST)
    field.page.evaluate("document.getElementById('field').scrollTop = 0")
    field.sees("")


def test_an_input_method_is_left_alone_and_emoji_are_whole(context: BrowserContext, site: str, voice: Voice) -> None:
    voice.sentence = "日本👩‍👩‍👧語の文章"
    field = opened(context, site, "textarea")
    until(lambda: field.page.evaluate("document.querySelector('rejoinder-ghost') !== null"), "help never came")
    tool = context.new_cdp_session(field.page)
    for text in ("に", "にほ", "日本"):
        tool.send("Input.imeSetComposition", {"text": text, "selectionStart": len(text), "selectionEnd": len(text)})
    field.page.wait_for_timeout(100)
    assert field.ghost == "" and voice.asked == []
    tool.send("Input.insertText", {"text": "日本"})
    field.sees("👩‍👩‍👧語の文章")
    field.page.keyboard.press("Control+ArrowRight")
    until(lambda: field.text == "日本👩‍👩‍👧", lambda: field.text)


def test_nothing_of_the_page_is_touched_but_for_one_element_at_its_end(context: BrowserContext, site: str) -> None:
    field = opened(context, site, "editable")
    field.page.evaluate(
        """window.changes = [];
        const inside = ({ target }) => document.getElementById("field").contains(target);
        const told = ({ target, addedNodes }) => [target.nodeName, ...[...addedNodes].map((node) => node.nodeName)];
        new MutationObserver((all) => changes.push(...all.filter((one) => !inside(one)).map(told)))
          .observe(document.documentElement, { subtree: true, childList: true, attributes: true, characterData: true })"""
    )
    write(field, BEGUN)
    field.sees(REST)
    assert field.page.evaluate("document.getElementById('field').children.length") == 0
    assert field.page.evaluate("changes.filter(([name]) => name !== 'HTML' && name !== 'REJOINDER-GHOST')") == []
    assert field.page.evaluate("document.querySelector('rejoinder-ghost').shadowRoot") is None  # closed to the page


def test_a_field_that_is_full_is_not_filled_further(context: BrowserContext, site: str) -> None:
    field = opened(context, site, "textarea")
    field.page.evaluate("document.getElementById('field').maxLength = 10")
    write(field, BEGUN)
    field.page.wait_for_timeout(150)
    assert field.ghost == ""
    field.page.keyboard.press("Control+ArrowRight")
    assert field.text == BEGUN


def test_the_ghost_is_above_a_dialog(context: BrowserContext, site: str) -> None:
    field = opened(context, site, "sites/dialog")
    write(field, BEGUN)
    field.sees(REST)
    box = field.look()["boxes"][0]
    assert field.page.evaluate("document.querySelector('rejoinder-ghost').matches(':popover-open')") and box[2] > box[0]


# --- manners ---------------------------------------------------------------------------------------------------------


def test_manners_are_the_pages_own(context: BrowserContext, site: str, voice: Voice) -> None:
    keep(context, manners={"longest": 2, "gate": "quiet", "blocked": ["nasty"], "keys": {"all": "Ctrl+Enter"}})
    field = opened(context, site, "textarea")
    write(field, BEGUN)
    field.sees("lem with")
    assert (voice.asked[-1]["gate"], voice.asked[-1]["blocked"]) == ("quiet", ["nasty"])
    field.page.keyboard.press("Control+Enter")
    until(lambda: field.text == "The problem with", lambda: field.text)
    keep(context, manners={"gate": "off"})
    field.sees("")
    asked = len(voice.asked)
    write(field, " this")
    field.page.wait_for_timeout(100)
    assert len(voice.asked) == asked


def test_nothing_is_said_while_one_deletes(context: BrowserContext, site: str) -> None:
    field = opened(context, site, "textarea")
    write(field, BEGUN)
    field.sees(REST)
    field.page.keyboard.press("Backspace")
    field.sees("")
    field.page.wait_for_timeout(100)
    assert field.look()["ghost"] == "" and field.look()["words"] == []
    write(field, "b")
    field.sees(REST)


def test_what_was_typed_over_is_not_suggested_again(context: BrowserContext, site: str) -> None:
    field = opened(context, site, "textarea")
    write(field, BEGUN)
    field.sees(REST)
    write(field, "x")
    field.sees("")
    field.page.keyboard.press("Backspace")
    field.page.keyboard.press("Backspace")
    write(field, "b")
    field.page.wait_for_timeout(150)
    assert field.text == BEGUN and field.ghost == ""


# --- what is answered ------------------------------------------------------------------------------------------------

ADAPTED = {
    "discourse": [
        {"title": "Bread that does not rise", "text": "My dough stays flat."},
        {"title": "", "text": "How warm is your kitchen?"},
    ],
    "github": [{"title": "Crash on start", "text": "It crashes when I start it."}, {"title": "", "text": "Which version?"}],
    "reddit": [
        {"title": "Sourdough help", "text": "It is too sour."},
        {"title": "", "text": "Shorter proofing."},
        {"title": "", "text": "How short?"},
    ],
    "zulip": [{"title": "release", "text": "Shall we release on Monday?"}, {"title": "", "text": "Tuesday is better."}],
    "mail": [{"title": "Invoice 12", "text": "When will it be paid?"}],
    "textarea": [{"title": "A field to write in", "text": ""}],
}


@pytest.mark.parametrize("page", ADAPTED)
def test_what_a_field_answers_is_found_in_the_page(context: BrowserContext, site: str, voice: Voice, page: str) -> None:
    field = opened(context, site, page if page == "textarea" else f"sites/{page}")
    write(field, "The")
    until(lambda: voice.asked, "nothing was asked")
    assert voice.asked[-1]["context"] == {"posts": ADAPTED[page]}


# --- learning --------------------------------------------------------------------------------------------------------


def test_finished_sentences_are_learned_from_only_where_that_is_switched_on(
    context: BrowserContext, site: str, voice: Voice
) -> None:
    for wanted in (False, True):
        keep(context, manners={"learn": wanted})
        switch_on(context, learn=wanted)
        field = opened(context, site, "textarea")
        field.page.evaluate("document.getElementById('field').value = 'This stood here before. '")
        field.page.evaluate("document.activeElement.blur()")
        field.focus()
        field.page.keyboard.press("Control+End")
        write(field, "I like the taste of rye. This is not finished")
        field.page.locator("button").click()
        if wanted:
            until(lambda: voice.kept == ["I like the taste of rye."], lambda: str(voice.kept))
        else:
            field.page.wait_for_timeout(150)
            assert voice.kept == []
        field.page.close()


# --- popup and settings ----------------------------------------------------------------------------------------------


def popup_over(context: BrowserContext, field: Field) -> Page:
    """The popup, as a page of its own."""
    number = tab_of(context, field.page)
    return own_page(context, f"popup/popup.html?tab={number}", width=368, height=700)


def test_replies_are_put_in_by_a_click_and_by_nothing_else(context: BrowserContext, site: str, voice: Voice) -> None:
    field = opened(context, site, "sites/discourse")
    write(field, "Hm. ")
    popup = popup_over(context, field)
    popup.click("#find")
    expect(popup.locator(".reply")).to_contain_text("Let it rest.")
    expect(popup.locator(".reply a")).to_have_attribute("href", "https://forum.example/7")
    popup.evaluate("[...document.querySelectorAll('.reply button')].at(-1).click()")  # a script's click is no person's
    popup.wait_for_timeout(100)
    assert field.text == "Hm. "
    popup.click("text=Put in")
    until(lambda: field.text == "Hm. Let it rest.", lambda: field.text)


def test_help_is_switched_on_and_off_in_the_popup(context: BrowserContext, site: str, voice: Voice) -> None:
    keep(context, sites={})
    worker_of(context).evaluate("chrome.scripting.unregisterContentScripts()")
    field = opened(context, site, "textarea")
    popup = popup_over(context, field)
    popup.check("#site-on")
    field.page.bring_to_front()
    field.focus()
    write(field, BEGUN)
    field.sees(REST)
    popup.uncheck("#site-on")
    field.sees("")
    field.page.reload()
    field.focus()
    voice.asked.clear()
    write(field, BEGUN)
    field.page.wait_for_timeout(150)
    assert voice.asked == []


def test_the_settings_change_manners_and_refuse_other_machines(context: BrowserContext) -> None:
    page = own_page(context, "options/options.html")
    page.select_option("#longest", "3")
    page.fill("#prefer", "GitHub")
    page.keyboard.press("Enter")
    page.click("#key-list button >> nth=0")
    page.keyboard.press("Control+Enter")
    kept = until(lambda: worker_of(context).evaluate("async () => (await chrome.storage.local.get('manners')).manners"))
    assert (kept["longest"], kept["preferred"], kept["keys"]["all"]) == (3, ["GitHub"], "Ctrl+Enter")
    page.fill("#server", "http://evil.example:8765")
    page.click("#address button")
    expect(page.locator("#status")).to_contain_text("no address of this machine")


def test_a_server_that_is_gone_is_named_and_the_field_stays_as_it_was(context: BrowserContext, site: str) -> None:
    keep(context, server="http://127.0.0.1:9")
    field = opened(context, site, "textarea")
    write(field, BEGUN)
    field.page.wait_for_timeout(150)
    assert (field.text, field.ghost) == (BEGUN, "")
    popup = popup_over(context, field)
    expect(popup.locator("#server")).to_contain_text("rejoinder serve")


@pytest.mark.parametrize("path", ["popup/popup.html", "options/options.html"])
def test_axe_finds_nothing_in_popup_and_settings(context: BrowserContext, site: str, path: str) -> None:
    if reason := npm_packages():
        pytest.skip(reason)
    field = opened(context, site, "textarea")
    page = popup_over(context, field) if "popup" in path else own_page(context, path)
    page.wait_for_timeout(100)
    assert violations(page) == []


def violations(page: Page) -> list[str]:
    """What axe finds; its own script is run as the browser's tools run things, whatever the page allows."""
    script = (PAGES / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
    page.evaluate(f"() => {{ {script} }}")
    found = page.evaluate(
        "async () => (await axe.run()).violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' ')}`)"
    )
    return list(found)


# --- the whole of it -------------------------------------------------------------------------------------------------
def test_paired_with_a_real_server_and_nothing_leaves_this_machine(context: BrowserContext, site: str, tmp_path: Path) -> None:
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    with serving(make_home(tmp_path).home) as server:
        keep(context, server=server.url, token="")
        options = own_page(context, "options/options.html")
        expect(options.locator("#status")).to_have_text("Not paired yet.")
        options.click("#pair")
        expect(options.locator("#code")).to_have_text(re.compile(r"^\w{4}-\w{4}$"))
        code = options.locator("#code").inner_text()
        page = context.new_page()
        page.goto(options.locator("#page").get_attribute("href") or "")
        page.fill("#code", code)
        page.click("#pairings button[type=submit]")
        expect(page.locator("#pairings-status")).to_have_text("That extension may ask now.")
        page.fill("#code", code)
        page.click("#pairings button[type=submit]")
        expect(page.locator("#pairings-status")).to_contain_text("no extension shows this code")
        expect(options.locator("#status")).to_contain_text("Paired.")
        field = opened(context, site, "textarea")
        write(field, "Let the dough rest until it dou")
        until(lambda: field.ghost.startswith("bles"), lambda: f"{field.look()}")
        field.page.keyboard.press("Control+ArrowRight")
        until(lambda: field.text == "Let the dough rest until it doubles ", lambda: field.text)  # and a space that surely follows
        page.bring_to_front()
        page.click("#pairings-list button")
        expect(page.locator("#pairings-status")).to_have_text("That extension may no longer ask.")
        field.page.bring_to_front()
        write(field, " , flour")
        field.page.wait_for_timeout(300)
        assert field.ghost == ""
    assert asked and all(url.startswith(("http://127.0.0.1:", "chrome-extension://", "data:")) for url in asked)


def test_the_zips_hold_what_their_manifests_name(tmp_path: Path) -> None:
    packed(tmp_path)
    for browser in ("chromium", "firefox"):
        with zipfile.ZipFile(tmp_path / f"rejoinder-{browser}.zip") as archive:
            names = set(archive.namelist())
            manifest = json.loads(archive.read("manifest.json"))
            for name in names:
                if name.endswith(".js"):
                    for found in re.findall(r'from "(\.[^"]+)"', archive.read(name).decode()):
                        assert str((Path("/") / name).parent.joinpath(found).resolve()).lstrip("/") in names
        background = manifest["background"].get("service_worker") or manifest["background"]["scripts"][0]
        assert {
            background,
            manifest["action"]["default_popup"],
            manifest["options_ui"]["page"],
            *manifest["icons"].values(),
        } <= names
        assert "http" not in json.dumps(manifest["permissions"]) and "<all_urls>" not in json.dumps(manifest)
    first = (tmp_path / "rejoinder-chromium.zip").read_bytes()
    packed(tmp_path)
    assert (tmp_path / "rejoinder-chromium.zip").read_bytes() == first  # the same source gives the same bytes


def test_firefox_finds_nothing_to_object_to(tmp_path: Path) -> None:
    tool = CLIENT / "node_modules" / ".bin" / "web-ext"
    if not tool.is_file():
        pytest.skip("web-ext is not here; `make lint-clients` fetches it")
    packed(tmp_path)
    ran = subprocess.run(
        [str(tool), "lint", "--output", "json", "--source-dir", str(tmp_path / "firefox")],
        capture_output=True,
        text=True,
        check=False,
    )
    told = json.loads(ran.stdout)
    assert (told["summary"]["errors"], told["summary"]["warnings"]) == (0, 0), told

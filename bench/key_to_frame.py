"""From a key to the frame in which it is seen, and to the frame in which its ghost is, in a real Chromium with the extension.

    python bench/key_to_frame.py [--letters 300] [--pause 60] [--home DIR] [--json]

A text is typed in a text area of a page that the extension helps on, with a real `rejoinder serve` behind it. Milliseconds, as
the browser stamps the key and its frames. The same text without help is typed in turn, and the ratio is a figure too.
"""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from browsing import Field, chromium_with, keep, opened, packed, pages, switch_on, worker_of  # type: ignore[import-not-found]
from figures import arguments, report
from playwright.sync_api import sync_playwright
from serving import serving  # type: ignore[import-not-found]

from rejoinder.home.pairing import Pairings

TEXT = (
    "I think that the problem with most of the software that people use every day is that nobody wants to pay for it, and "
    "so it is made by people who have other things to do. There are a lot of ways to do this, but I do not know which of them "
    "would be better than what we have now. If you want to know how it works, you should read the code. "
)
WATCH = """() => {
  window.frames_ = [];
  document.addEventListener("keydown", ({ timeStamp }) => requestAnimationFrame(() => {
    const { port1, port2 } = new MessageChannel(); // heard after the frame is drawn
    port1.onmessage = () => frames_.push(performance.now() - timeStamp);
    port2.postMessage(0);
  }), true);
}"""
GHOSTS = """async () => {
  const watch = () => {
    globalThis.ghosts = [];
    let key = 0;
    addEventListener("keydown", ({ timeStamp }) => (key = timeStamp), true);
    const look = (host) => {
      const text = chrome.dom.openOrClosedShadowRoot(host).children[1].firstChild.children[1];
      new MutationObserver(() => key && requestAnimationFrame(() => ghosts.push(performance.now() - key)))
        .observe(text, { childList: true, characterData: true, subtree: true });
    };
    const host = () => document.querySelector("rejoinder-ghost");
    const wait = () => (host() ? look(host()) : setTimeout(wait, 10));
    wait();
  };
  const [tab] = await chrome.tabs.query({ active: true, lastFocusedWindow: true });
  await chrome.scripting.executeScript({ target: { tabId: tab.id }, func: watch });
}"""
HEARD = """async () => {
  const [tab] = await chrome.tabs.query({ active: true, lastFocusedWindow: true });
  return (await chrome.scripting.executeScript({ target: { tabId: tab.id }, func: () => globalThis.ghosts }))[0].result;
}"""
ORIGIN = "() => location.origin"


def typed(field: Field, letters: int, pause: int) -> list[float]:
    """Milliseconds from each key to its frame."""
    field.page.evaluate(WATCH)
    field.page.keyboard.type((TEXT * (letters // len(TEXT) + 1))[:letters], delay=pause)
    field.page.wait_for_timeout(500)
    return [float(one) for one in field.page.evaluate("frames_")]


def main() -> None:
    options = {
        "letters": (int, 300, "typed"),
        "pause": (int, 60, "milliseconds between keys"),
        "home": (str, "", "a home folder"),
    }
    asked = arguments(__doc__ or "", **options)
    with TemporaryDirectory() as scratch, sync_playwright() as playwright:
        base = Path(scratch)
        home = Path(asked.home) if asked.home else base / "home"
        with serving(home) as server, pages() as site, chromium_with(playwright, packed(base), base / "profile") as context:
            origin = worker_of(context).evaluate(ORIGIN)
            pairings = Pairings(home)
            pairings.confirm(pairings.ask(origin, "s" * 43, "bench"))
            keep(context, server=server.url, token=pairings.claim(origin, "s" * 43))
            switch_on(context)
            without, helped, ghosts = [], [], []
            for _ in range(2):  # in turn
                without += typed(opened(context, site.replace("127.0.0.1", "localhost"), "textarea"), asked.letters, asked.pause)
                field = opened(context, site, "textarea")
                worker_of(context).evaluate(GHOSTS)
                helped += typed(field, asked.letters, asked.pause)
                ghosts += worker_of(context).evaluate(HEARD)
    for name, found in (
        ("key to frame, no help", without),
        ("key to frame, helped", helped),
        ("key to frame of its ghost", ghosts),
    ):
        report(f"{name}, median", [median(found)], "ms", as_json=asked.json)
        report(f"{name}, p90", [quantiles(found, n=10)[-1]], "ms", as_json=asked.json)
    ratio = quantiles(helped, n=10)[-1] / quantiles(without, n=10)[-1]
    report("key to frame, p90, helped to not helped", [ratio], "times", as_json=asked.json)


if __name__ == "__main__":
    main()

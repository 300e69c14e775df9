"""Typing in a real browser: from the key going down to the frame after the ghost text changed.

    python bench/typing_latency.py [--home DIR] [--posts 4] [--characters 300] [--gate normal]

A headless Chromium opens the page of `rejoinder serve` with the models of the package, pastes what a held-out post of the real
archive answers, and types the post's own words at 12 characters a second, as unevenly as people do. Keystrokes whose ghost text
changed are counted, by what changed it last: `kept` was trimmed on the spot since the letter agreed with it, `hidden` went since
the letter did not, `recomputed` came with the server's answer. A frame is when requestAnimationFrame calls after the change.

What must hold is checked at every change: no letter lost or repeated, the caret at the end, no stale ghost (one that no answer
gave for this draft, or for an earlier one with all letters typed since in agreement). Else the benchmark ends with an error.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

import numpy as np
from figures import arguments, real_archive, rejoinder, report
from playwright.sync_api import Browser, Page, sync_playwright

from rejoinder.archive.reader import held_out
from rejoinder.home.workspace import Workspace
from rejoinder.post import Post

PACE = 12.0  # characters a second
UNEVEN = 0.25  # of the time between two keystrokes, either way
_SETTLED = 400  # milliseconds in which the last answer comes
_SERVED = "http://"

# Runs in the page before its own code: notes each key, each change of the ghost with the frame after it, and each answer.
WATCH = """(() => {
  const seen = (window.seen = { keys: [], wrong: [], served: [] });
  const answers = [];
  let here = false; // whether the field's own listeners are being called
  const fetched = window.fetch;
  window.fetch = async (path, options) => {
    const began = performance.now();
    const response = await fetched(path, options);
    if (path !== "/v1/suggest" || !response.ok) return response;
    const said = await response.clone().json();
    answers.push(JSON.parse(options.body).draft + said.ghost, JSON.parse(options.body).draft);
    seen.served.push([performance.now() - began, said.milliseconds, said.cut]);
    return response;
  };
  const stale = (value, ghost) => {
    for (let at = 0; at < answers.length; at += 2)
      if (answers[at] === value + ghost && value.startsWith(answers[at + 1])) return false;
    return ghost !== "";
  };
  addEventListener("DOMContentLoaded", () => {
    const field = document.getElementById("draft"), ghost = document.getElementById("ghost");
    const check = () => {
      const { value, selectionStart, selectionEnd } = field;
      if (selectionStart !== value.length || selectionEnd !== value.length) seen.wrong.push("the caret moved");
      if (stale(value, ghost.textContent)) seen.wrong.push("a stale ghost");
    };
    addEventListener("keydown", (event) => seen.keys.push({ at: event.timeStamp, before: ghost.textContent }), true);
    addEventListener("input", () => (here = true), true);
    addEventListener("input", () => {
      here = false;
      check();
    });
    new MutationObserver(() => {
      const key = seen.keys.at(-1), how = here ? (ghost.textContent ? "kept" : "hidden") : "recomputed";
      if (!here) check();
      const text = ghost.textContent;
      requestAnimationFrame(() => {
        if (!key || ghost.textContent !== text) return; // another change was faster than the frame
        Object.assign(key, { how, took: performance.now() - key.at, after: text });
      });
    }).observe(ghost, { characterData: true, childList: true, subtree: true });
  });
})()"""


@dataclass
class Typed:
    """What was seen while one text was typed."""

    changed: list[tuple[str, float]]  # how the ghost changed, and the milliseconds to the frame after it
    keys: int
    served: list[tuple[float, float, bool]]  # milliseconds of the round trip, of the server; whether it was cut short


@contextmanager
def serving(home: str) -> Iterator[str]:
    """The address of a server."""
    command = [sys.executable, "-m", "rejoinder", "serve", "--port", "0", "--home", home]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout is not None
        line = next((line for line in server.stdout if _SERVED in line), None)
        if line is None:
            sys.exit("`rejoinder serve` did not start")
        yield _SERVED + line.partition(_SERVED)[2].split()[0].rstrip("/")
        server.terminate()


def held_out_texts(home: Path, most: int, characters: int) -> list[tuple[str, str]]:
    """So many test posts, drawn at random: what they answer, and the beginning of their own words."""
    space = Workspace(home)
    if space.is_empty:
        rejoinder("import", real_archive("hn.jsonl.gz"), "--home", home)
    found: list[tuple[str, str]] = []
    with space.open_archive() as archive:
        for thread in held_out(archive):
            for post in thread.posts:
                context, text = thread.context(post), _typeable(post, characters)
                if context and len(text) == characters and text.isascii():  # other letters have no key of their own
                    found.append((context[-1].body, text))
    chosen = np.random.default_rng(0).choice(len(found), size=min(most, len(found)), replace=False)
    return [found[place] for place in chosen]


def _typeable(post: Post, characters: int) -> str:
    """The beginning of its words; a new line is a space, since Enter is no letter."""
    return " ".join(post.own_text.split())[:characters]


def type_out(browser: Browser, address: str, answered: str, text: str, gate: str) -> Typed:
    """Type `text` in a new page in answer to a post."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.add_init_script(WATCH)
    page.goto(address)
    page.check(f"#gate input[value={gate}]", force=True)
    page.click("#paste summary")
    page.fill("#pasted", answered[:20_000])
    page.click("#paste button")
    page.focus("#draft")
    page.wait_for_timeout(_SETTLED)
    _keys(page, text)
    page.wait_for_timeout(_SETTLED)
    value = page.input_value("#draft")
    seen: dict[str, Any] = page.evaluate("seen")
    context.close()
    wrong = list(seen["wrong"]) if value == text else [*seen["wrong"], "letters were lost or repeated"]
    if wrong:
        sys.exit(f"wrong: {', '.join(sorted(set(wrong)))}")
    changed = [(key["how"], key["took"]) for key in seen["keys"] if "how" in key and key["before"] != key["after"]]
    return Typed(changed, len(seen["keys"]), [tuple(one) for one in seen["served"]])


def _keys(page: Page, text: str) -> None:
    """Each character at its time, whatever became of those before."""
    rng = np.random.default_rng(1)
    due = perf_counter()
    for character in text:
        sleep(max(0.0, due - perf_counter()))
        page.keyboard.type(character)
        due += (1 + UNEVEN * rng.uniform(-1, 1)) / PACE


def tell(runs: list[Typed], *, as_json: bool) -> None:
    """The figures of all texts together."""
    keys = sum(run.keys for run in runs)
    changed = [one for run in runs for one in run.changed]
    for how in ("kept", "hidden", "recomputed", "all"):
        took = [milliseconds for kind, milliseconds in changed if how in (kind, "all")]
        if not took:
            continue
        report(f"ghost {how}, share of keystrokes", [len(took) / keys], "", as_json=as_json)
        for percentile in (50, 90, 99):
            report(f"ghost {how}, key to frame, p{percentile}", [float(np.percentile(took, percentile))], "ms", as_json=as_json)
    served = [one for run in runs for one in run.served]
    for place, name in enumerate(("round trip", "server")):
        for percentile in (50, 99):
            figure = float(np.percentile([one[place] for one in served], percentile))
            report(f"{name}, p{percentile}", [figure], "ms", as_json=as_json)
    report("answers cut short", [sum(cut for _, _, cut in served) / len(served)], "", as_json=as_json)


def main() -> None:
    args = arguments(
        (__doc__ or "").partition("\n")[0],
        home=(str, "", "a home with the real archive"),
        posts=(int, 4, "test posts"),
        characters=(int, 300, "typed of each"),
        gate=(str, "normal", "quiet, normal or eager"),
    )
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("no Chromium: `make browser` installs one")
    with tempfile.TemporaryDirectory() as scratch, serving(f"{scratch}/served") as address, sync_playwright() as playwright:
        texts = held_out_texts(Path(args.home or f"{scratch}/archive"), args.posts, args.characters)
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        runs = [type_out(browser, address, answered, text, args.gate) for answered, text in texts]
        browser.close()
    tell(runs, as_json=args.json)


if __name__ == "__main__":
    main()

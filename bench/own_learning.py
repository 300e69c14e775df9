"""What learning from what one writes is worth: keystrokes saved on an author's next sentences, before, after, and once erased.

    python bench/own_learning.py [--file FILE] [--authors 3] [--learn 200] [--measure 100]

FILE is Hacker News items as JSON Lines, gzipped. Sentences are sent as the page and the extension send them, to `POST /v1/own` of
a real app; what is measured is the typing session that answers them. Needs the real archives.
"""

from __future__ import annotations

import gzip
import json
import random
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from fastapi.testclient import TestClient
from figures import arguments, real_archive, report

from rejoinder.archive.html import to_text
from rejoinder.engine.replay import replay
from rejoinder.home.own_text import FILE
from rejoinder.home.workspace import Workspace
from rejoinder.serve.http.app import create_app
from rejoinder.serve.http.services import Services

SENTENCE = re.compile(r"[^\s][^.!?\n]*[.!?]+(?=\s|$)")
FEWEST = 5  # words of a sentence that is typed


def writers(file: Path) -> dict[str, list[str]]:
    """The sentences of each author, in the order of their posts."""
    found: dict[str, list[str]] = defaultdict(list)
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        for line in lines:
            item = json.loads(line)
            if item.get("by") and item.get("text"):
                text = "\n".join(part for part in to_text(item["text"]).splitlines() if not part.startswith(">"))
                found[item["by"]] += [one for one in SENTENCE.findall(text) if len(one.split()) >= FEWEST]
    return {name: list(dict.fromkeys(said)) for name, said in found.items()}


def saved(services: Services, sentences: Sequence[str]) -> float:
    """The share of the keystrokes of `sentences` that is saved."""
    services.refresh()
    typed = [replay(services.opened.open_typing((), ()), sentence) for sentence in sentences]
    return 1 - sum(one.keys for one in typed) / sum(len(one.shown) for one in typed)


def measure(sentences: Sequence[str], learn: int, count: int) -> tuple[float, float, float, int]:
    """Keystrokes saved before, after and when all is erased; bytes of the sentences that are left then."""
    with TemporaryDirectory() as folder:
        app = create_app(Workspace(Path(folder)))
        services: Services = app.state.services
        with TestClient(app, base_url="http://127.0.0.1:8765") as client:
            known, fresh = sentences[:learn], sentences[learn : learn + count]
            before = saved(services, fresh)
            for begin in range(0, learn, 10):  # as a field is left, post by post
                client.post("/v1/own", json={"text": " ".join(known[begin : begin + 10])}).raise_for_status()
            after = saved(services, fresh)
            client.delete("/v1/own").raise_for_status()
            erased = saved(services, fresh)
        left = sum(len(file.read_bytes()) for file in Path(folder).rglob(f"*{FILE}*"))
    return before, after, erased, left


def main() -> None:
    options = {
        "authors": (int, 3, "how many"),
        "learn": (int, 200, "sentences learned"),
        "measure": (int, 100, "sentences typed"),
    }
    asked = arguments(__doc__ or "", file=(str, "", "items as JSON Lines, gzipped; the real archive if none is named"), **options)
    said = writers(Path(asked.file) if asked.file else real_archive("hn.jsonl.gz"))
    enough = sorted(name for name, found in said.items() if len(found) >= asked.learn + asked.measure)
    if not enough:
        most = max(map(len, said.values()), default=0)
        raise SystemExit(f"nobody there wrote {asked.learn + asked.measure} sentences (the most is {most}): ask for fewer")
    chosen = random.Random(0).sample(enough, min(asked.authors, len(enough)))
    for number, name in enumerate(chosen, start=1):  # by number: who it is is nobody's business
        before, after, erased, left = measure(said[name], asked.learn, asked.measure)
        for told, value, unit in (
            ("keystrokes saved before", 100 * before, "%"),
            ("keystrokes saved after", 100 * after, "%"),
            ("gained", 100 * (after - before), "points"),
            ("keystrokes saved once erased", 100 * erased, "%"),
            ("left once erased", left, "bytes"),
        ):
            report(f"author {number}: {told}", [value], unit, as_json=asked.json)


if __name__ == "__main__":
    main()

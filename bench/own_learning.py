"""What learning from what one writes is worth: keystrokes saved on an author's next sentences, before, after, and once erased.

    python bench/own_learning.py [--author scripting_news] [--stretches 3] [--learn 200] [--measure 100]

The author is a file of talk whose posts are all one person's; it is measured in several stretches, since what a person writes of
changes with the years. The models in the package may have read some of it, so the figure before is rather too high. Sentences are
sent as the page and the extension send them, to `POST /v1/own` of a real app; what is measured is the typing session that answers
them. Needs the real archives.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from fastapi.testclient import TestClient
from figures import arguments, report
from own_replay import posts

from rejoinder.engine.replay import replay
from rejoinder.home.own_text import FILE
from rejoinder.home.workspace import Workspace
from rejoinder.serve.editor.learning import sentences
from rejoinder.serve.http.app import create_app
from rejoinder.serve.http.services import Services

FEWEST = 5  # words of a sentence that is typed


def stretches(author: str, number: int, size: int) -> Iterator[list[str]]:
    """So many stretches of the author's writing, each the first `size` sentences from a place on."""
    texts = list(posts(author))
    for place in range(number):
        here = texts[len(texts) * place // number :]
        said = (one.strip() for text in here for one in sentences(text) if len(one.split()) >= FEWEST)
        yield list(dict.fromkeys(islice(said, 2 * size)))[:size]


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
        "author": (str, "scripting_news", "a file of talk by one author"),
        "stretches": (int, 3, "of what they wrote"),
        "learn": (int, 200, "sentences learned"),
        "measure": (int, 100, "sentences typed"),
    }
    asked = arguments(__doc__ or "", **options)
    for number, said in enumerate(stretches(asked.author, asked.stretches, asked.learn + asked.measure), start=1):
        before, after, erased, left = measure(said, asked.learn, asked.measure)
        for told, value, unit in (
            ("keystrokes saved before", 100 * before, "%"),
            ("keystrokes saved after", 100 * after, "%"),
            ("gained", 100 * (after - before), "points"),
            ("keystrokes saved once erased", 100 * erased, "%"),
            ("left once erased", left, "bytes"),
        ):
            report(f"stretch {number}: {told}", [value], unit, as_json=asked.json)


if __name__ == "__main__":
    main()

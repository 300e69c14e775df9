"""What `rejoinder serve` holds of memory while one person types, process by process: each page shared by n counts for an n-th.

    python bench/serve_memory.py [--home DIR] [--drafts 2]

Drafts of some 205 keystrokes are typed over HTTP, each an answer to some 200 words, with the deadline of one who pauses; then a
search is asked for, by which all else wakes. The text is that of the embedded archive. Figures are proportional set sizes, PSS,
when the server listens, after the first answer, after each draft, and after that search.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import sleep

import httpx
from figures import arguments, report
from serve_load import family, texts

_KEYSTROKES, _ANSWERED = 205, 200  # of a draft; words
_KINDS = {"Pss_Anon:": "of its own", "Pss_File:": "of files"}


def held(process: int) -> dict[str, float]:
    """MB of one process: all, and by kind."""
    lines = [line.split() for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()]
    sizes = {line[0]: int(line[1]) / 1000 for line in lines if line[-1] == "kB"}
    return {"": sizes["Pss:"]} | {kind: sizes[name] for name, kind in _KINDS.items()}


def tell(when: str, server: int, *, as_json: bool) -> None:
    """The figures of this moment."""
    each = [held(process) for process in family(server)]
    report(f"{when}: all", [sum(one[""] for one in each)], "MB", as_json=as_json)
    for number, one in enumerate(each, start=1):
        for kind, size in one.items():
            report(f"{when}: process {number}{kind and ', ' + kind}", [size], "MB", as_json=as_json)


def drafts(number: int) -> Sequence[tuple[str, str]]:
    """What is answered and what is typed, so many times."""
    whole = " ".join(texts())
    words, found = whole.split(), []
    for place in range(number):
        begin = place * 2 * _ANSWERED
        typed = " ".join(words[begin + _ANSWERED : begin + 2 * _ANSWERED])
        found.append((" ".join(words[begin : begin + _ANSWERED]), typed[:_KEYSTROKES]))
    return found


@contextmanager
def ended(server: subprocess.Popen[str]) -> Iterator[None]:
    """End it at the end."""
    try:
        yield
    finally:
        server.terminate()


def main() -> None:
    """Start a server, type, stop it."""
    chosen = arguments(
        str(__doc__).splitlines()[0],
        home=(str, "", "the home to serve; none: an empty one"),
        drafts=(int, 2, "drafts typed"),
        deadline=(int, 400, "milliseconds a keystroke may take"),
        settle=(float, 3.0, "seconds of rest before a look"),
    )
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "rejoinder", "serve", "--port", "0", "--home", chosen.home or folder]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
            assert server.stdout is not None
            url = next(word for word in server.stdout.readline().split() if word.startswith("http"))

            def look(when: str) -> None:
                sleep(chosen.settle)
                tell(when, server.pid, as_json=chosen.json)

            with ended(server), httpx.Client(base_url=url, timeout=300) as client:
                look("listening")
                for place, (answered, typed) in enumerate(drafts(chosen.drafts), start=1):
                    rungs: list[str] = []
                    for end in range(1, len(typed) + 1):
                        asked = {"draft": typed[:end], "session": str(place), "context": {"text": answered}}
                        found = client.post("v1/suggest", json={**asked, "deadline_ms": chosen.deadline}).json()
                        rungs.append(found["rung"])
                        if place == end == 1:
                            look("first answer")
                    look(f"draft {place}")
                    for rung in sorted(set(rungs) - {""}):
                        share = 100 * rungs.count(rung) / len(rungs)
                        report(f"draft {place}: answered by {rung}", [share], "%", as_json=chosen.json)
                client.get("v1/rungs")
                client.get("v1/search", params={"q": "memory", "k": 5})
                look("a search")


if __name__ == "__main__":
    main()

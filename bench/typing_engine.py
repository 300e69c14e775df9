"""What a keystroke costs: one person typing, then a hundred at once on the machine's cores, with the models in the package.

One person: test posts of the real archive are typed, every keystroke is timed, by the clock and by the processor. A hundred: each
types posts at so many keystrokes a second, two threads answer in order of arrival, and an answer is due a while after its key was
pressed, so that waiting in the queue counts. A keystroke that a newer one of the same person has overtaken is cancelled, as a
server would do.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from dataclasses import dataclass, field
from heapq import heapify, heapreplace
from queue import SimpleQueue
from threading import Thread
from time import perf_counter, process_time, sleep

import numpy as np
from figures import arguments, report
from typing_home import held_out_posts, shipped_engine

from rejoinder.engine.typing import Engine, Typed, TypingSession
from rejoinder.ladder.heldout import HeldOut

_WORKERS = 2  # threads that answer
_SWITCH = 5e-4  # seconds after which Python's threads take turns, so that none waits long to go on with its next step


def alone(engine: Engine, held: HeldOut, posts: int, characters: int, *, as_json: bool) -> None:
    """One person, every keystroke of the beginnings of some posts; opening a session is apart."""
    clock, processor, opening = [], [], []
    voices: Counter[str] = Counter()
    cut = 0
    for post, context in zip(held.posts[:posts], held.contexts, strict=False):
        text = post.own_text[:characters]
        began = perf_counter()
        session = engine.open(context)
        opening.append(perf_counter() - began)
        for length in range(len(text) + 1):
            began, spent = perf_counter(), process_time()
            typed = session.suggest(text[:length])
            clock.append(perf_counter() - began)
            processor.append(process_time() - spent)
            voices[typed.rung] += 1
            cut += typed.cut
    for name, seconds in (("keystroke", clock), ("keystroke, processor", processor), ("opening a session", opening)):
        for percentile in (50, 90, 99):
            report(f"{name}, p{percentile}", [float(np.percentile(seconds, percentile)) * 1e3], "ms", as_json=as_json)
    _shares("alone", voices, cut, as_json=as_json)


@dataclass
class _Typist:
    """Somebody who types one post after the other."""

    place: int  # of the post
    length: int = 0
    session: TypingSession | None = None
    newest: float = 0.0  # when the last key was pressed


@dataclass
class _Seen:
    """What came of the keystrokes."""

    waited: list[float] = field(default_factory=list)  # seconds from key to answer
    voices: Counter[str] = field(default_factory=Counter)
    cut: int = 0
    overtaken: int = 0
    memory: list[float] = field(default_factory=list)  # MB, from time to time


def together(engine: Engine, held: HeldOut, how: tuple[int, float, float, float], *, as_json: bool) -> None:
    """`how`: typists, keystrokes a second of each, seconds until an answer is due, minutes."""
    typists, rate, due, minutes = how
    everyone = [_Typist(number % len(held.posts)) for number in range(typists)]
    for typist in everyone:  # who opens a page does so before the first key
        typist.session = engine.open(held.contexts[typist.place])
    queue: SimpleQueue[tuple[_Typist, str, float] | None] = SimpleQueue()
    seen = _Seen()
    sys.setswitchinterval(_SWITCH)
    workers = [Thread(target=_answer, args=(engine, held, queue, due, seen), daemon=True) for _ in range(_WORKERS)]
    for worker in workers:
        worker.start()
    _press(everyone, held, queue, (rate, minutes * 60), seen)
    for _ in workers:
        queue.put(None)
    for worker in workers:
        worker.join()
    for percentile in (50, 90, 99):
        name = f"{typists} typists, key to answer, p{percentile}"
        report(name, [float(np.percentile(seen.waited, percentile)) * 1e3], "ms", as_json=as_json)
    report(f"{typists} typists, keystrokes answered", [len(seen.waited)], "", as_json=as_json)
    report(f"{typists} typists, overtaken by a newer key", [seen.overtaken], "", as_json=as_json)
    _shares(f"{typists} typists", seen.voices, seen.cut, as_json=as_json)
    settled = seen.memory[len(seen.memory) // 2 :] or [_memory()]
    report(f"{typists} typists, memory at half time", settled[:1], "MB", as_json=as_json)
    report(f"{typists} typists, memory at the end", settled[-1:], "MB", as_json=as_json)


def _press(
    everyone: list[_Typist],
    held: HeldOut,
    queue: SimpleQueue[tuple[_Typist, str, float] | None],
    how: tuple[float, float],
    seen: _Seen,
) -> None:
    """Press keys at the times they are due; `how`: keystrokes a second of each, seconds."""
    rate, seconds = how
    rng = np.random.default_rng(0)
    began = perf_counter()
    due = [(began + float(rng.random()) / rate, number) for number in range(len(everyone))]
    heapify(due)
    told = began
    while due[0][0] < began + seconds:
        when, number = due[0]
        sleep(max(when - perf_counter(), 0))
        typist = everyone[number]
        text = held.posts[typist.place].own_text
        if typist.length > len(text):
            typist.place, typist.length, typist.session = (typist.place + len(everyone)) % len(held.posts), 0, None
            text = held.posts[typist.place].own_text
        typist.newest = when
        queue.put((typist, text[: typist.length], when))
        typist.length += 1
        heapreplace(due, (when + max(float(rng.normal(1, 0.3)), 0.2) / rate, number))
        if when > told + 1:
            told = when
            seen.memory.append(_memory())


def _answer(
    engine: Engine, held: HeldOut, queue: SimpleQueue[tuple[_Typist, str, float] | None], due: float, seen: _Seen
) -> None:
    while (asked := queue.get()) is not None:
        typist, draft, when = asked
        if typist.newest > when:
            seen.overtaken += 1
            continue
        session = typist.session = typist.session or engine.open(held.contexts[typist.place])
        typed: Typed = session.suggest(draft, deadline=when + due, cancelled=lambda t=typist, w=when: t.newest > w)  # type: ignore[misc]
        if typist.newest > when:
            seen.overtaken += 1
            continue
        seen.waited.append(perf_counter() - when)
        seen.voices[typed.rung] += 1
        seen.cut += typed.cut


def _shares(name: str, voices: Counter[str], cut: int, *, as_json: bool) -> None:
    total = max(voices.total(), 1)
    for rung, number in sorted(voices.items()):
        report(f"{name}, answered by {rung}", [100 * number / total], "%", as_json=as_json)
    report(f"{name}, not cut short", [100 * (1 - cut / total)], "%", as_json=as_json)


def _memory() -> float:
    """Resident memory of this process, MB (Linux)."""
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def main() -> None:
    options = {
        "posts": (int, 60, "posts that one person types"),
        "characters": (int, 300, "of each, from its beginning"),
        "typists": (int, 100, "at once; 0 for none"),
        "rate": (float, 5.0, "keystrokes a second of each"),
        "due": (float, 0.1, "seconds after its key that an answer is due"),
        "minutes": (float, 1.0, "of many typists"),
        "home": (str, "", "a home with the real archive"),
    }
    args = arguments(__doc__ or "", **options)
    engine = shipped_engine()
    with held_out_posts(args.home, repeats=False) as held:
        if args.posts:
            alone(engine, held, args.posts, args.characters, as_json=args.json)
        if args.typists:
            together(engine, held, (args.typists, args.rate, args.due, args.minutes), as_json=args.json)


if __name__ == "__main__":
    main()

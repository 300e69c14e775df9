"""Who speaks at a keystroke: the best voice that there is time for.

A slow voice, such as a pretrained net, takes seconds for a long text: it reads in the background, and is asked once it has read.

The voices stand from the best to the cheapest. One is passed over where the time left is too short for it from the start, as it
is when many are typing; where one found nothing in time the next is asked, for which a little time was kept. How late answers
came lately says how much time the best voice must have (`LatencyEstimate`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from math import inf
from threading import Lock
from time import perf_counter
from typing import Protocol
from weakref import WeakKeyDictionary

from rejoinder.engine.best_first import Caret, SearchResult
from rejoinder.engine.gate import Calibration
from rejoinder.engine.prefix_cache import Deadline, LatencyEstimate, PrefixCache
from rejoinder.engine.token_healing import HealedDraft, TokenTable
from rejoinder.engine.word_rules import CaretRules

Search = Callable[["Voice", Deadline], SearchResult]


@dataclass(frozen=True)
class Voice:
    """A model that reads one draft, and how far to trust it."""

    name: str
    table: TokenTable
    calibration: Calibration
    cache: PrefixCache
    slow: bool = False  # what it has to read is read in the background

    def at(self, draft: HealedDraft, rules: CaretRules, deadline: Deadline) -> Caret:
        """The end of a draft, for this voice to go on from."""
        return Caret(self.cache, self.table, draft, rules, deadline)

    @property
    def latency(self) -> LatencyEstimate:
        """How long it takes."""
        return self.cache.latency


@dataclass(frozen=True)
class Spoken:
    """What the voice that spoke found."""

    voice: Voice
    result: SearchResult = field(default_factory=SearchResult)
    cut: bool = False  # some voice was cut short, this one or a better one, or a better one is still reading


class Resting(Protocol):
    """One that can let go of what it has read."""

    def rest(self) -> None:
        """Let go of it, unless it is at work."""


class TypedLately:
    """The sessions typed in last; of all others slow voices let go of what they have read."""

    def __init__(self, most: int) -> None:
        """At most so many."""
        self._most = most
        self._sessions: WeakKeyDictionary[Resting, None] = WeakKeyDictionary()  # the least lately used first
        self._lock = Lock()

    def use(self, session: Resting) -> None:
        """Note that somebody types there."""
        with self._lock:
            self._sessions.pop(session, None)
            self._sessions[session] = None
            resting = list(self._sessions)[: -self._most]
            for one in resting:
                del self._sessions[one]
        for one in resting:
            one.rest()


class VoiceScheduler:
    """The voices of one draft, the best first."""

    def __init__(
        self,
        voices: Sequence[Voice],
        reserve: float,
        calm: float,
        reader: Executor | None = None,
        lately: TypedLately | None = None,
    ) -> None:
        """Set up.

        Args:
            voices: at least one.
            reserve: seconds kept for a cheaper voice.
            calm: keystrokes of a voice, as they were lately, that the time left must hold for it to be begun.
            reader: who reads in the background; none: whoever is asked reads.
            lately: which drafts were typed last, this one among them; none: this one alone.
        """
        self.voices = tuple(voices)
        self._reserve = reserve
        self._calm = calm
        self._reader = reader
        self.lately = lately or TypedLately(1)

    def ask(self, head: str, search: Search, deadline: Deadline) -> Spoken:
        """Let the voices search in turn until one has an answer or nobody waits any more; `head`: the draft that must be read."""
        spoken, first, late = Spoken(self.voices[0]), -1, deadline.left <= 0
        if late:
            first = 0  # the voice that costs most is to make room for what waits
        for place, voice in enumerate(self.voices):
            last = voice is self.voices[-1]
            if not last and self._is_reading(voice, head, deadline):
                spoken = replace(spoken, cut=True)  # so that who pauses asks again, once it has read
                continue
            unread = 0.0 if last else voice.cache.time_to_read(voice.cache.tokens(head))
            if not last and not self._has_time(voice, unread, deadline):
                continue
            first = place if first < 0 else first
            began = perf_counter()
            found = search(voice, deadline if last else deadline.earlier(self._reserve))
            voice.latency.observe("keystroke", max(perf_counter() - began - unread, 0.0))
            spoken = Spoken(voice, found, spoken.cut or found.cut)
            if deadline.cancelled():
                break
            shown = voice.slow and found.words  # what a slow one has by then is shown
            late = late or (found.cut and found.begun and not shown)
            if found.words or not found.cut:
                break
        self._note(first, late)
        return spoken

    def rest(self) -> None:
        """Let go of what slow voices have read, which is much; they read it again in the background once they are asked."""
        for voice in self.voices:
            if voice.slow:
                voice.cache.forget()

    def _note(self, first: int, late: bool) -> None:
        """Remember whether an answer was late. The `first` voice that was asked took the time that those after it lacked.

        Those before it were passed over and took none: they are no slower for it, and are tried again after a while.
        """
        if late:
            self.voices[first].latency.late()
        else:
            for voice in self.voices[: first + 1]:
                voice.latency.in_time()

    def _is_reading(self, voice: Voice, head: str, deadline: Deadline) -> bool:
        """Whether a slow voice has not yet read what comes before the word at the caret; then it does so in the background."""
        if not voice.slow or self._reader is None:
            return False
        if not voice.cache.take_in():
            return True
        tokens = voice.cache.tokens(head)
        if deadline.left == inf or (voice.cache.begun and self._has_time(voice, voice.cache.time_to_read(tokens), deadline)):
            return False
        voice.cache.read_ahead(tokens, self._reader)
        return True

    def _has_time(self, voice: Voice, unread: float, deadline: Deadline) -> bool:
        """Whether there is time to read what is unread (seconds) and for some keystrokes, more where answers came late."""
        needed = voice.latency.step if voice.slow else self._calm * voice.latency.keystroke  # what it has found by then is shown
        return deadline.left >= voice.latency.backoff * (unread + needed)

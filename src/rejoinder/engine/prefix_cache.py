"""What a model has read of one draft, kept from keystroke to keystroke: a tree of tokens with the states after them.

One letter more inside a word reads nothing new, going back finds what was there, and what has not been used for long is dropped:
the `kept` places used last stay, of the words written last their beginnings, and of the rest every 32nd token's state, so that
going far back costs few steps.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any

from rejoinder.models.interfaces import LanguageModel, LogProbs
from rejoinder.post import Post

_STRIDE = 32  # tokens between states that are kept for going far back
_FAR = 4  # of them at most
_HEADS = 4  # beginnings of words
_CROWD = 64.0  # at most
_EASE = 0.99  # what is left of it after an answer in time
_SMOOTH = 0.05  # weight of the newest in a mean time


class TimeUp(Exception):
    """The deadline would be missed, or nobody waits any more; what was read is kept. Never leaves the engine."""


class Watch:
    """When an answer is due, and whether anybody still waits for it."""

    def __init__(self, deadline: float, cancelled: Callable[[], bool]) -> None:
        """`deadline`: by time.perf_counter(), seconds."""
        self.deadline = deadline
        self.cancelled = cancelled

    def check(self, seconds: float) -> None:
        """Go on only if what takes about so long still ends in time.

        Raises:
            TimeUp: it does not.
        """
        if perf_counter() + seconds > self.deadline or self.cancelled():
            raise TimeUp

    @property
    def left(self) -> float:
        """Seconds that are left."""
        return self.deadline - perf_counter()

    def earlier(self, seconds: float) -> Watch:
        """A watch that ends so much earlier."""
        return Watch(self.deadline - seconds, self.cancelled)


class Place:
    """After some tokens of the draft. `state` and `row` come and go with what is kept."""

    __slots__ = ("above", "below", "depth", "facts", "row", "state", "token")

    def __init__(self, above: Place | None, token: int) -> None:
        """The place after one more token than `above`."""
        self.above = above
        self.token = token
        self.depth: int = above.depth + 1 if above else 0
        self.below: dict[int, Place] = {}
        self.state: Any = None
        self.row: LogProbs | None = None  # (V,) nats
        self.facts: dict[str, Any] = {}  # what was worked out of the row


class Pace:
    """How long a model takes on this machine, as it was lately; all its readers share it, and a lost update does no harm.

    Where answers come late, more time must be left for the model to be asked at all (twice as much each time); where they do
    not, less (1% each time): with many typing at once about one answer in 70 is then cut short.
    """

    def __init__(self) -> None:
        """Not known yet."""
        self.start = 0.0  # seconds that reading what is answered takes, about
        self.step = 0.0  # seconds that one step takes, about
        self.keystroke = 0.0  # seconds that a keystroke takes, about
        self.crowd = 1.0  # how many times as much must be left as when nobody else types

    def late(self) -> None:
        """Note that there was too little time."""
        self.crowd = min(self.crowd * 2, _CROWD)

    def in_time(self) -> None:
        """Note that there was time enough, for this model or a cheaper one; who was passed over is tried again after a while."""
        self.crowd = max(self.crowd * _EASE, 1.0)
        self.keystroke *= _EASE

    def took(self, what: str, seconds: float) -> None:
        """Note how long a `start`, a `step` or a `keystroke` took."""
        mean = getattr(self, what)
        setattr(self, what, mean + _SMOOTH * (seconds - mean) if mean else seconds)


class Reader:
    """A model reading one draft. Not for several threads at once."""

    def __init__(self, model: LanguageModel, context: Sequence[Post], kept: int, pace: Pace | None = None) -> None:
        """`context`: what is answered, read when the first word is asked for; `kept`: places."""
        self.model = model
        self._context = context
        self.pace = pace or Pace()
        self._kept = kept
        self._near: OrderedDict[int, Place] = OrderedDict()
        self._far: OrderedDict[int, Place] = OrderedDict()
        self._heads: OrderedDict[int, Place] = OrderedDict()
        self._root = Place(None, -1)
        self._head, self._head_tokens = "", list[int]()

    def __del__(self) -> None:
        """Let go of states and rows at once: places know each other, and would wait for the collector with all they hold."""
        for places in (self._near, self._far, self._heads):
            for place in places.values():
                place.state, place.row, place.below = None, None, {}
        self._root.state, self._root.below = None, {}

    def tokens(self, head: str) -> list[int]:
        """The tokens of a draft up to the start of a word; of what was there a keystroke ago nothing is encoded again."""
        encode = self.model.tokenizer.encode
        if not head.startswith(self._head):
            self._head, self._head_tokens = "", []
        if len(head) > len(self._head):
            self._head, self._head_tokens = head, [*self._head_tokens, *encode(head[len(self._head) :])]
        return self._head_tokens

    def owing(self, tokens: Sequence[int]) -> float:
        """Seconds, about, until it has read up to the end of `tokens`."""
        place, unread = self._root, 0
        for token in tokens:
            below = place.below.get(token)
            if below is None:
                break
            unread = 0 if below.state is not None else unread + 1
            place = below
        unread += len(tokens) - place.depth
        begun = self._root.state is not None or unread < len(tokens)
        return unread * self.pace.step + (0.0 if begun else self.pace.start)

    def reach(self, tokens: Sequence[int], watch: Watch) -> Place:
        """The place after `tokens`.

        Raises:
            TimeUp: before it was reached; what was read is kept.
        """
        place = self._root
        for token in tokens:
            place = place.below.get(token) or self.after(place, token, watch)
        self._read(place, watch)
        self._hold(self._heads, place, _HEADS)
        return place

    def after(self, place: Place, token: int, watch: Watch) -> Place:
        """The place one token on.

        Raises:
            TimeUp: before it was reached.
        """
        found = place.below.get(token)
        if found is None:
            found = Place(place, token)
            self._advance([found], [self._read(place, watch)], watch)
        return found

    def look(self, next_to: Sequence[tuple[Place, int]], watch: Watch) -> list[tuple[Place, LogProbs]]:
        """The places one token on from each of these, and what may come next there: all in one step, which costs little more.

        Raises:
            TimeUp: before they were known.
        """
        places = [above.below.get(token) or Place(above, token) for above, token in next_to]
        rows = [place.row for place in places]  # held here: what is read now may push out what was read before
        unread = [place for place in places if place.state is None]
        if unread:
            self._advance(unread, [self._read(place.above, watch) for place in unread if place.above], watch)
        blank = [number for number, row in enumerate(rows) if row is None]
        if blank:
            states = [self._read(places[number], watch) for number in blank]
            watch.check(self.pace.step)
            began = perf_counter()
            found = self.model.log_probs_many(states)
            self.pace.took("step", perf_counter() - began)
            for number, row in zip(blank, found, strict=True):
                rows[number] = places[number].row = row.copy()  # which keeps no other row alive
        for place in places:
            self._touch(place)
        return [(place, row) for place, row in zip(places, rows, strict=True) if row is not None]

    def log_probs(self, place: Place, watch: Watch) -> LogProbs:
        """(V,) float32, nats: what may come next there.

        Raises:
            TimeUp: before it was known.
        """
        if place.row is None:
            state = self._read(place, watch)
            watch.check(self.pace.step)
            began = perf_counter()
            place.row = self.model.log_probs(state)
            self.pace.took("step", perf_counter() - began)
        self._touch(place)
        return place.row

    def _read(self, place: Place, watch: Watch) -> Any:
        """The state at `place`, from the nearest on the way to it that is known."""
        way = []
        while place.state is None and place.above is not None:
            way.append(place)
            place = place.above
        state = self._start(watch) if place is self._root else place.state
        for below in reversed(way):
            state = self._advance([below], [state], watch)[0]
        return state

    def _start(self, watch: Watch) -> Any:
        """The state before the first token."""
        if self._root.state is None:
            watch.check(self.pace.start)
            began = perf_counter()
            self._root.state = self.model.start(self._context)
            self.pace.took("start", perf_counter() - began)
        return self._root.state

    def _advance(self, places: Sequence[Place], above: Sequence[Any], watch: Watch) -> list[Any]:
        """The states of places, from those above them."""
        watch.check(self.pace.step)
        began = perf_counter()
        states = self.model.advance_many(above, [place.token for place in places])
        self.pace.took("step", perf_counter() - began)
        for place, state in zip(places, states, strict=True):
            place.state = state
            if place.above is not None:
                place.above.below[place.token] = place
            self._touch(place)
        return states

    def _touch(self, place: Place) -> None:
        """Mark as just used; what was used longest ago is forgotten."""
        if place.depth % _STRIDE == 0:
            self._hold(self._far, place, _FAR)
        self._hold(self._near, place, self._kept)

    def _hold(self, places: OrderedDict[int, Place], place: Place, most: int) -> None:
        if place is self._root:
            return
        places[id(place)] = place
        places.move_to_end(id(place))
        if len(places) > most:
            old = places.popitem(last=False)[1]
            if places is self._near:
                old.row, old.facts = None, {}
            self._drop(old)

    def _drop(self, place: Place) -> None:
        """Forget the state of a place that is kept no more, and the place itself with all above that only led to it."""
        if not any(id(place) in places for places in (self._near, self._far, self._heads)):
            place.state = None
        while place.above is not None and place.state is None and not place.below:
            above = place.above
            if above.below.get(place.token) is place:
                del above.below[place.token]
            place = above

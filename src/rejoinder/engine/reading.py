"""What a model has read of one draft, kept from keystroke to keystroke: a tree of tokens with the states after them.

One letter more inside a word reads nothing new, going back finds what was there, and what has not been used for long is dropped:
the `kept` places used last stay, and of the others every 32nd token's state, so that going far back costs few steps.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any

from rejoinder.models.interfaces import LanguageModel, LogProbs

_STRIDE = 32  # tokens between states that are kept for going far back
_FAR = 64  # of them at most
_SMOOTH = 0.1  # weight of the newest step in the mean time of one


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


class Reader:
    """A model reading one draft. Not for several threads at once."""

    def __init__(self, model: LanguageModel, state: Any, kept: int) -> None:
        """`state`: before the first token; `kept`: places."""
        self.model = model
        self.step = 0.0  # seconds that one step takes, about
        self._kept = kept
        self._near: OrderedDict[int, Place] = OrderedDict()
        self._far: OrderedDict[int, Place] = OrderedDict()
        self._root = Place(None, -1)
        self._root.state = state
        self._head, self._head_tokens = "", list[int]()

    def tokens(self, head: str) -> list[int]:
        """The tokens of a draft up to the start of a word; of what was there a keystroke ago nothing is encoded again."""
        encode = self.model.tokenizer.encode
        if not head.startswith(self._head):
            self._head, self._head_tokens = "", []
        if len(head) > len(self._head):
            self._head, self._head_tokens = head, [*self._head_tokens, *encode(head[len(self._head) :])]
        return self._head_tokens

    def reach(self, tokens: Sequence[int], watch: Watch) -> Place:
        """The place after `tokens`.

        Raises:
            TimeUp: before it was reached; what was read is kept.
        """
        place = self._root
        for token in tokens:
            place = place.below.get(token) or self.after(place, token, watch)
        self._read(place, watch)
        return place

    def after(self, place: Place, token: int, watch: Watch) -> Place:
        """The place one token on.

        Raises:
            TimeUp: before it was reached.
        """
        found = place.below.get(token)
        if found is None:
            self._read(place, watch)
            found = Place(place, token)
            self._advance(found, watch)
            place.below[token] = found
        return found

    def log_probs(self, place: Place, watch: Watch) -> LogProbs:
        """(V,) float32, nats: what may come next there.

        Raises:
            TimeUp: before it was known.
        """
        if place.row is None:
            self._read(place, watch)
            watch.check(self.step)
            began = perf_counter()
            place.row = self.model.log_probs(place.state)
            self._took(perf_counter() - began)
        self._touch(place)
        return place.row

    def _read(self, place: Place, watch: Watch) -> None:
        """The states on the way to `place`, from the nearest that is known."""
        way = []
        while place.state is None:
            way.append(place)
            assert place.above is not None  # noqa: S101 - the root has a state
            place = place.above
        for below in reversed(way):
            self._advance(below, watch)

    def _advance(self, place: Place, watch: Watch) -> None:
        """The state of a place, from that of the one above."""
        assert place.above is not None  # noqa: S101 - the root has a state
        watch.check(self.step)
        place.state = self.model.advance(place.above.state, place.token)
        self._touch(place)

    def _took(self, seconds: float) -> None:
        self.step += _SMOOTH * (seconds - self.step)

    def _touch(self, place: Place) -> None:
        """Mark as just used; what was used longest ago is forgotten."""
        if place is self._root:
            return
        if place.depth % _STRIDE == 0:
            self._far[id(place)] = place
            self._far.move_to_end(id(place))
        self._near[id(place)] = place
        self._near.move_to_end(id(place))
        if len(self._near) > self._kept:
            old = self._near.popitem(last=False)[1]
            old.row, old.facts = None, {}
            self._drop(old)
        if len(self._far) > _FAR:
            self._drop(self._far.popitem(last=False)[1])

    def _drop(self, place: Place) -> None:
        """Forget the state of a place that is kept no more, and the place itself with all above that only led to it."""
        if id(place) not in self._near and id(place) not in self._far:
            place.state = None
        while place.above is not None and place.state is None and not place.below:
            above = place.above
            if above.below.get(place.token) is place:
                del above.below[place.token]
            place = above

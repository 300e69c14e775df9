"""What a model has read of one draft, kept from keystroke to keystroke: a tree of tokens with the states after them.

One letter more inside a word reads nothing new, going back finds what was there, and what has not been used for long is dropped:
the `kept` nodes used last stay, of the words written last their beginnings, and of the rest every 32nd token's state, so that
going far back costs few steps.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from math import inf
from time import perf_counter
from typing import Any

from rejoinder.models.interfaces import LanguageModel, LogProbs
from rejoinder.post import Post

_STRIDE = 32  # tokens between states that are kept for going far back
_FAR = 4  # of them at most
_HEADS = 4  # beginnings of words
_MOST_BACKOFF = 64.0
_RECOVERY = 0.99  # what is left of the backoff after an answer in time
_SMOOTH = 0.05  # weight of the newest in a mean time


class DeadlinePassed(Exception):
    """The deadline would be missed, or nobody waits any more; what was read is kept. Never leaves the engine."""


def never() -> bool:
    """Nobody gives up waiting."""
    return False


class Deadline:
    """When an answer is due, and whether anybody still waits for it."""

    def __init__(self, at: float = inf, cancelled: Callable[[], bool] = never) -> None:
        """`at`: by time.perf_counter(), seconds."""
        self.at = at
        self.cancelled = cancelled

    def check(self, seconds: float) -> None:
        """Go on only if what takes about so long still ends in time.

        Raises:
            DeadlinePassed: it does not.
        """
        if perf_counter() + seconds > self.at or self.cancelled():
            raise DeadlinePassed

    @property
    def left(self) -> float:
        """Seconds that are left."""
        return self.at - perf_counter()

    def earlier(self, seconds: float) -> Deadline:
        """A deadline so much earlier."""
        return Deadline(self.at - seconds, self.cancelled)


class Node:
    """After some tokens of the draft. `state` and `row` come and go with what is kept."""

    __slots__ = ("children", "depth", "facts", "made", "parent", "row", "state", "token")

    def __init__(self, parent: Node | None, token: int) -> None:
        """The node after one more token than `parent`."""
        self.parent = parent
        self.token = token
        self.depth: int = parent.depth + 1 if parent else 0
        self.children: dict[int, Node] = {}
        self.made = 0  # how many of its last tokens the state does not take for written
        self.state: Any = None
        self.row: LogProbs | None = None  # (V,) nats
        self.facts: dict[str, Any] = {}  # what was worked out of the row


class LatencyEstimate:
    """How long a model takes on this machine, as it was lately; all its caches share it, and a lost update does no harm.

    Where answers come late, more time must be left for the model to be asked at all (twice as much each time); where they do
    not, less (1% each time): with many typing at once about one answer in 70 is then cut short.
    """

    def __init__(self) -> None:
        """Nothing is known of the machine yet: all times are taken to be 0."""
        self.start = 0.0  # seconds that reading what is answered takes, about
        self.step = 0.0  # seconds that one step takes, about
        self.keystroke = 0.0  # seconds that a keystroke takes, about
        self.backoff = 1.0  # how many times as much must be left as when nobody else types
        self._warm = False  # whether a step was taken

    def late(self) -> None:
        """Note that there was too little time."""
        self.backoff = min(self.backoff * 2, _MOST_BACKOFF)

    def in_time(self) -> None:
        """Note that there was time enough, for this model or a cheaper one; who was passed over is tried again after a while."""
        self.backoff = max(self.backoff * _RECOVERY, 1.0)
        self.keystroke *= _RECOVERY
        self.step *= _RECOVERY

    def observe(self, what: str, seconds: float) -> None:
        """Note how long a `start`, a `step` or a `keystroke` took; the first step, for which tables are made, says nothing."""
        if what == "step" and not self._warm:
            self._warm = True
            return
        mean = getattr(self, what)
        setattr(self, what, mean + _SMOOTH * (seconds - mean) if mean else seconds)


class PrefixCache:
    """A model reading one draft. Not for several threads at once."""

    def __init__(self, model: LanguageModel, context: Sequence[Post], kept: int, latency: LatencyEstimate | None = None) -> None:
        """`context`: what is answered, read when the first word is asked for; `kept`: nodes."""
        self.model = model
        self.latency = latency or LatencyEstimate()
        self._context = context
        self._kept = kept
        self._near: OrderedDict[int, Node] = OrderedDict()
        self._far: OrderedDict[int, Node] = OrderedDict()
        self._heads: OrderedDict[int, Node] = OrderedDict()
        self._root = Node(None, -1)
        self._written = inf  # tokens from the root that count as written; those beyond them are made while looking ahead
        self._head, self._head_tokens = "", list[int]()
        self._reading: tuple[list[int], Future[tuple[Any, Any]]] | None = None  # tokens that are read in the background

    def __del__(self) -> None:
        """Let go of all that was read."""
        self.forget()

    def forget(self) -> None:
        """Let go of all that was read, at once: nodes know each other, and would wait for the collector with all they hold."""
        for nodes in (self._near, self._far, self._heads):
            for node in nodes.values():
                node.state, node.row, node.children = None, None, {}
            nodes.clear()
        self._root.state, self._root.children = None, {}
        self._root, self._reading = Node(None, -1), None

    def tokens(self, head: str) -> list[int]:
        """The tokens of a draft up to the start of a word; of what was there a keystroke ago nothing is encoded again."""
        encode = self.model.tokenizer.encode
        if not head.startswith(self._head):
            self._head, self._head_tokens = "", []
        if len(head) > len(self._head):
            self._head, self._head_tokens = head, [*self._head_tokens, *encode(head[len(self._head) :])]
        return self._head_tokens

    def time_to_read(self, tokens: Sequence[int]) -> float:
        """Seconds, about, until it has read up to the end of `tokens`."""
        node, unread = self._root, 0
        for token in tokens:
            child = node.children.get(token)
            if child is None:
                break
            unread = 0 if child.state is not None else unread + 1
            node = child
        unread += len(tokens) - node.depth
        begun = self._root.state is not None or unread < len(tokens)
        return unread * self.latency.step + (0.0 if begun else self.latency.start)

    @property
    def begun(self) -> bool:
        """Whether what is answered has been read."""
        return self._root.state is not None

    def read_ahead(self, tokens: Sequence[int], reader: Executor) -> None:
        """Have what is answered and `tokens` read in the background; until that is done nothing else may be asked."""
        node, path = self._root, list(tokens)
        known, read = node.state, 0
        for place, token in enumerate(path):
            if (child := node.children.get(token)) is None:
                break
            node = child
            if node.state is not None and node.made == 0:
                known, read = node.state, place + 1
        self._reading = path, reader.submit(self._read_all, self._root.state, known, path[read:])

    def _read_all(self, start: Any, known: Any, rest: Sequence[int]) -> tuple[Any, Any]:
        """The states before the first token and after `rest`, which goes on from the state `known`, or from the first."""
        start = self.model.start(self._context) if start is None else start
        return start, self.model.read_on(start if known is None else known, rest)

    def take_in(self) -> bool:
        """Whether nothing is being read in the background; what was is known from now on."""
        if self._reading is None:
            return True
        path, reading = self._reading
        if not reading.done():
            return False
        self._reading = None
        self._root.state, state = reading.result()
        node = self._root
        for token in path:
            node = node.children.setdefault(token, Node(node, token))
        if node is not self._root:
            node.state, node.made, node.row, node.facts = state, 0, None, {}
            self._touch(node)
            self._hold(self._heads, node, _HEADS)
        return True

    def reach(self, tokens: Sequence[int], deadline: Deadline) -> Node:
        """The node after `tokens`. What is looked at from there counts as written, until `look_ahead_from`.

        Raises:
            DeadlinePassed: before it was reached; what was read is kept.
        """
        node, self._written = self._root, inf
        for token in tokens:
            node = node.children.get(token) or self.child(node, token, deadline)
        self._read(node, deadline)
        self._hold(self._heads, node, _HEADS)
        return node

    def look_ahead_from(self, node: Node) -> None:
        """What comes after `node` is made from now on: no cache takes it for written."""
        self._written = node.depth

    def child(self, node: Node, token: int, deadline: Deadline) -> Node:
        """The node one token on.

        Raises:
            DeadlinePassed: before it was reached.
        """
        found = node.children.get(token)
        if found is None:
            found = Node(node, token)
            self._advance([found], [self._read(node, deadline)], deadline)
        return found

    def expand(self, edges: Sequence[tuple[Node, int]], deadline: Deadline) -> list[tuple[Node, LogProbs]]:
        """The nodes one token on, and what may come next there: all in one step of the model, which costs little more than one.

        Raises:
            DeadlinePassed: before they were known.
        """
        nodes = [parent.children.get(token) or Node(parent, token) for parent, token in edges]
        for node in nodes:
            self._look_ahead(node)
        rows = [node.row for node in nodes]  # held here: what is read now may push out what was read before
        unread = [node for node in nodes if node.state is None]
        if unread:
            self._advance(unread, [self._read(node.parent, deadline) for node in unread if node.parent], deadline)
        blank = [number for number, row in enumerate(rows) if row is None]
        if blank:
            states = [self._read(nodes[number], deadline) for number in blank]
            deadline.check(self.latency.step)
            began = perf_counter()
            found = self.model.log_probs_many(states)
            self.latency.observe("step", perf_counter() - began)
            for number, row in zip(blank, found, strict=True):
                rows[number] = nodes[number].row = row.copy()  # which keeps no other row alive
        for node in nodes:
            self._touch(node)
        return [(node, row) for node, row in zip(nodes, rows, strict=True) if row is not None]

    def log_probs(self, node: Node, deadline: Deadline) -> LogProbs:
        """(V,) float32, nats: what may come next there.

        Raises:
            DeadlinePassed: before it was known.
        """
        self._look_ahead(node)
        if node.row is None:
            state = self._read(node, deadline)
            deadline.check(self.latency.step)
            began = perf_counter()
            node.row = self.model.log_probs(state)
            self.latency.observe("step", perf_counter() - began)
        self._touch(node)
        return node.row

    def _read(self, node: Node, deadline: Deadline) -> Any:
        """The state at `node`, from the nearest on the way to it that is known."""
        way = []
        while node.state is None and node.parent is not None:
            way.append(node)
            node = node.parent
        self._look_ahead(node)
        state = self._start(deadline) if node is self._root else node.state
        for child in reversed(way):
            state = self._advance([child], [state], deadline)[0]
        return state

    def _start(self, deadline: Deadline) -> Any:
        """The state before the first token."""
        if self._root.state is None:
            deadline.check(self.latency.start)
            began = perf_counter()
            self._root.state = self.model.start(self._context)
            self.latency.observe("start", perf_counter() - began)
        return self._root.state

    def _advance(self, nodes: Sequence[Node], before: Sequence[Any], deadline: Deadline) -> list[Any]:
        """The states of nodes, from those of their parents."""
        deadline.check(self.latency.step)
        began = perf_counter()
        states = self.model.advance_many(before, [node.token for node in nodes])
        self.latency.observe("step", perf_counter() - began)
        for node, state in zip(nodes, states, strict=True):
            node.state, node.made = state, 0
            self._look_ahead(node)
            if node.parent is not None:
                node.parent.children[node.token] = node
            self._touch(node)
        return [node.state for node in nodes]

    def _look_ahead(self, node: Node) -> None:
        """Make a cache in the state of `node` count what is written, and no more."""
        made = int(max(node.depth - self._written, 0))
        if node.made == made or node.state is None:
            return
        state, node.made = self.model.ahead(node.state, made), made
        if state is not node.state:
            node.state, node.row, node.facts = state, None, {}

    def _touch(self, node: Node) -> None:
        """Mark as just used; what was used longest ago is forgotten."""
        if node.depth % _STRIDE == 0:
            self._hold(self._far, node, _FAR)
        self._hold(self._near, node, self._kept)

    def _hold(self, nodes: OrderedDict[int, Node], node: Node, most: int) -> None:
        if node is self._root:
            return
        nodes[id(node)] = node
        nodes.move_to_end(id(node))
        if len(nodes) > most:
            old = nodes.popitem(last=False)[1]
            if nodes is self._near:
                old.row, old.facts = None, {}
            self._drop(old)

    def _drop(self, node: Node) -> None:
        """Forget the state of a node that is kept no more, and the node itself with all above that only led to it."""
        if not any(id(node) in nodes for nodes in (self._near, self._far, self._heads)):
            node.state = None
        while node.parent is not None and node.state is None and not node.children:
            parent = node.parent
            if parent.children.get(node.token) is node:
                del parent.children[node.token]
            node = parent

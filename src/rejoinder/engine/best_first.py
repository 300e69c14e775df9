"""The next words at the caret, best first, by search over token sequences.

A next word is a text of the shape `rejoinder.engine.token_healing` describes. Its probability is that of its tokens, from the
start of the unfinished word on, times the probability that no letter follows, given that the letters typed are typed:

    p(word) = prod p(token | before) x p(no letter next) / sum over the sequences that begin with what is typed, of their p

A text has only one sequence of tokens that a model has seen: the tokenizer's own. Others are passed over. Probabilities only fall
as tokens are added, so that the most probable path of a heap is followed first and a word that comes out of it is the best of
all those left (Dijkstra 1959): the search is exact as far as it comes. A few paths are read in one step of the model, since this
costs little more than reading one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush
from math import exp, log
from sys import float_info

import numpy as np
from numpy.typing import NDArray

from rejoinder.engine.prefix_cache import Deadline, DeadlinePassed, Node, PrefixCache
from rejoinder.engine.token_healing import HealedDraft, Shape, TokenTable, shape_of
from rejoinder.engine.word_rules import CaretRules
from rejoinder.models.interfaces import LogProbs, best

_AT_FIRST = 16  # of the tokens that may follow a node
_MORE = 8  # times as many are sorted when these are used up
_AT_ONCE = 4  # paths read in one step, the later ones in the hope that they are needed too
_DOTS = ("..", "…")  # never offered
_EASED = "'’"  # an apostrophe may yet join what stands before it to one token with what follows


@dataclass(slots=True)
class Word:
    """A next word that was found."""

    text: str  # to be put at the caret
    probability: float  # as above, by the model itself
    begun: float  # the same, whatever follows its tokens
    tokens: tuple[int, ...]  # from the start of the unfinished word
    node: Node | None  # after them; None: the model did not find it, and what follows it is not looked for


@dataclass(frozen=True, slots=True)
class Caret:
    """The end of a draft, and what goes on from there."""

    cache: PrefixCache
    table: TokenTable
    draft: HealedDraft
    rules: CaretRules
    deadline: Deadline = field(default_factory=Deadline)


@dataclass(frozen=True, slots=True)
class SearchConfig:
    """What is searched for."""

    words: int = 3  # how many
    steps: int = 32  # nodes looked at, at most
    least: float = 0.0  # a less probable word is none


@dataclass
class SearchResult:
    """What came of a search."""

    words: list[Word] = field(default_factory=list)  # best first
    cut: bool = False  # time was up first
    begun: bool = False  # all of the draft had been read by then


def search(caret: Caret, config: SearchConfig) -> SearchResult:
    """The next words after a draft."""
    found = SearchResult()
    if caret.draft.too_long:
        return found
    walk = _Search(caret, config.steps, lambda probability, covered: probability >= config.least * covered)
    try:
        head = caret.cache.reach(caret.cache.tokens(caret.draft.head), caret.deadline)
        found.begun = True
        for path, log_prob in walk.words(head):
            found.words.append(walk.word(path, log_prob))
            if len(found.words) == config.words:
                break
    except DeadlinePassed:
        found.cut = True
    for word in found.words:
        word.probability = min(word.probability / max(walk.covered, float_info.min), 1.0)
    return found


def word_after(caret: Caret, text: str, node: Node, steps: int, worth: Callable[[float], bool]) -> Word | None:
    """The best word after `text`, which goes on with the draft up to `node` and ends there with a whole word.

    Args:
        caret: the end of the draft.
        text: what was put there.
        node: after it.
        steps: nodes looked at, at most.
        worth: whether a word of a probability is worth looking for; none is found that is not.

    Raises:
        DeadlinePassed: before it was known.
    """
    walk = _Search(caret, steps, lambda probability, _: worth(probability), text)
    return next((walk.word(path, log_prob) for path, log_prob in walk.words(node)), None)


@dataclass(frozen=True, slots=True)
class _Hypothesis:
    """Tokens from the start of the unfinished word; the last of them may not be read yet."""

    tokens: tuple[int, ...]
    text: bytes  # what they spell
    log_prob: float  # nats
    parent: Node  # before the last token
    node: Node | None = None  # after it, once it is read


class _Ranked:
    """The tokens that may follow a path, best first, sorted as far as they are asked for."""

    def __init__(self, tokens: NDArray[np.int64], row: LogProbs) -> None:
        self._tokens, self._row, self._most = tokens, row, 0
        self._sorted: list[tuple[int, float]] = []

    def get(self, rank: int) -> tuple[int, float] | None:
        """The token of that rank and its log probability (nats), if there are so many."""
        if rank == self._most < len(self._tokens):
            self._most = max(_MORE * self._most, _AT_FIRST)
            self._sorted = best(self._tokens, self._row[self._tokens], self._most)
        return self._sorted[rank] if rank < len(self._sorted) else None


_Entry = tuple[float, tuple[int, ...], int, _Hypothesis, _Ranked | None]  # minus nats first; then it is settled


class _Search:
    def __init__(self, caret: Caret, steps: int, worth: Callable[[float, float], bool], said: str = "") -> None:
        """Prepare.

        Args:
            caret: the end of the draft.
            steps: nodes looked at, at most.
            worth: whether to look for a word of a probability, when so much was found to begin with what is typed.
            said: what was already put at the caret, whole words; what follows it is looked for.
        """
        self.caret, self.steps, self.worth, self.said = caret, steps, worth, said
        self.cache, self.table, self.deadline = caret.cache, caret.table, caret.deadline
        self.owed = b"" if said else caret.draft.owed.encode("utf-8", "replace")
        self.spaced = not said and caret.draft.spaced
        self.covered = 0.0  # probability of what was found to begin with what is typed
        self.heap: list[_Entry] = []

    def words(self, start: Node) -> Iterator[tuple[_Hypothesis, float]]:
        """All next words after `start` that are worth it, best first, and the nats of each, its end counted in."""
        steps = 0
        self._open(_Hypothesis((), b"", 0.0, start, start), start, self.cache.log_probs(start, self.deadline))
        while self.heap and self._is_enough(self.heap[0][0]):
            minus, _, _, path, following = self.heap[0]
            if following is None:  # a word, and how it ends is counted in
                heappop(self.heap)
                if not self._is_blocked(path):
                    yield path, -minus
                continue
            paths = self._some_paths(min(_AT_ONCE, self.steps - steps))
            if not paths:
                if steps == self.steps:
                    return
                continue
            steps += len(paths)
            looked_at = self.cache.expand([(path.parent, path.tokens[-1]) for path in paths], self.deadline)
            for path, (node, row) in zip(paths, looked_at, strict=True):
                self._open(_Hypothesis(path.tokens, path.text, path.log_prob, path.parent, node), node, row)

    def _some_paths(self, most: int) -> list[_Hypothesis]:
        """The best paths of the heap that are to be read, at most so many, none behind a word: read now, read at once."""
        found: list[_Hypothesis] = []
        while len(found) < most and self.heap and self.heap[0][4] is not None and self._is_enough(self.heap[0][0]):
            minus, _, rank, path, following = heappop(self.heap)
            assert following is not None  # noqa: S101 - it was not a moment ago
            self._push(path, following, rank + 1)
            token, _ = following.get(rank) or (0, 0.0)
            text = path.text + self.table.tokenizer.bytes[token]
            longer = _Hypothesis((*path.tokens, token), text, -minus, path.node or path.parent)
            if self._shape(longer) is not Shape.NEVER and self._is_spelled(longer):
                found.append(longer)
        return found

    def _is_enough(self, minus: float) -> bool:
        return not self.covered or self.worth(exp(-minus), self.covered)

    def _shape(self, path: _Hypothesis) -> Shape:
        """What a path has put at the caret so far; while it still spells what is typed, nothing."""
        if len(path.text) < len(self.owed):
            return Shape.SHUT
        return shape_of(path.text[len(self.owed) :], spaced=self.spaced)

    def _open(self, path: _Hypothesis, node: Node, row: LogProbs) -> None:
        """Put into the heap what may follow a path, read up to `node`; (V,) `row`, nats, is what comes next there."""
        owed = self.owed[len(path.text) :]
        if owed:
            whole = self.table.starting_with(owed)
            self.covered += exp(path.log_prob) * float(np.exp(row[whole]).sum(dtype=np.float64))
            inside = np.array(self.table.tokenizer.inside(owed), np.int64)
            self._push(path, _Ranked(np.concatenate([whole, inside]), row), 0)
            return
        if not path.tokens:
            self.covered = 1.0
        shape = self._shape(path)
        if shape is Shape.WORD:
            ends = no_letter_next(self.table, node, row)
            if ends > 0:
                heappush(self.heap, (-(path.log_prob + log(ends)), path.tokens, -1, path, None))
        key, tokens = shape.name, self.table.after(shape)
        if self.said and not path.tokens:
            key, tokens = "new", self.table.begin_word
        following = node.facts.get(key)
        if following is None:
            following = node.facts[key] = _Ranked(tokens, row)
        self._push(path, following, 0)

    def _push(self, path: _Hypothesis, following: _Ranked, rank: int) -> None:
        token = following.get(rank)
        if token is not None:
            heappush(self.heap, (-(path.log_prob + token[1]), (*path.tokens, token[0]), rank, path, following))

    def _is_spelled(self, path: _Hypothesis) -> bool:
        """Whether some text can begin with these tokens."""
        try:
            text = path.text.decode()
        except UnicodeDecodeError:
            return True  # a piece of a character: seen when it is whole
        return any(mark in text for mark in _EASED) or self.table.spells(path.tokens, text)

    def _is_blocked(self, path: _Hypothesis) -> bool:
        text = path.text.decode()
        offered = path.text[len(self.owed) :].decode()
        if not self.table.spells(path.tokens, text) or (not self.said and self.caret.draft.says_again(offered)):
            return True
        return any(dots in offered for dots in _DOTS) or not self.caret.rules.allow(self.said + offered)

    def word(self, path: _Hypothesis, log_prob: float) -> Word:
        """A word that was found."""
        assert path.node is not None  # noqa: S101 - it was opened
        text = path.text[len(self.owed) :].decode()
        return Word(text, exp(log_prob), exp(path.log_prob), path.tokens, path.node)


def no_letter_next(table: TokenTable, node: Node, row: LogProbs) -> float:
    """The probability that a word ends at a node, where (V,) `row` says what comes next (nats)."""
    found = node.facts.get("ends")
    if found is None:
        goes_on = np.exp(row[table.after(Shape.WORD)]).sum(dtype=np.float64)
        found = node.facts["ends"] = max(1.0 - float(goes_on), 0.0)
    return float(found)

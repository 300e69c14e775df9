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

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from heapq import heappop, heappush
from math import exp, log

import numpy as np
from numpy.typing import NDArray

from rejoinder.engine.prefix_cache import Place, Reader, TimeUp, Watch
from rejoinder.engine.token_healing import Pieces, Shape, Unfinished, shape_of
from rejoinder.models.interfaces import LogProbs, best
from rejoinder.text.words import words as words_of

_AT_FIRST = 16  # of the tokens that may follow a place; the others are sorted when these are used up
_AT_ONCE = 4  # paths read in one step, the later ones in the hope that they are needed too
_DOTS = ("..", "…")  # never offered
_EASED = "'’"  # an apostrophe may yet join what stands before it to one token with what follows


@dataclass(frozen=True, slots=True)
class Word:
    """A next word that was found."""

    text: str  # to be put at the caret
    probability: float  # as above, by the model itself
    tokens: tuple[int, ...]  # from the start of the unfinished word
    place: Place  # after them


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is searched for."""

    words: int = 3  # how many
    steps: int = 32  # places looked at, at most
    least: float = 0.0  # a less probable word is none
    blocked: frozenset[str] = frozenset()  # words never shown, in lower case


@dataclass
class Found:
    """What came of a search."""

    words: list[Word] = field(default_factory=list)  # best first
    cut: bool = False  # time was up first
    begun: bool = False  # all of the draft had been read by then


def search(reader: Reader, pieces: Pieces, draft: Unfinished, wanted: Wanted, watch: Watch) -> Found:
    """The next words after a draft."""
    found = Found()
    if draft.too_long:
        return found
    walk = _Search(reader, pieces, draft, wanted, watch)
    paths: list[tuple[_Path, float]] = []
    try:
        for path in walk.words():
            paths.append(path)
            if len(paths) == wanted.words:
                break
    except TimeUp:
        found.cut = True
    found.begun = walk.begun
    found.words = [walk.word(*path) for path in paths]
    return found


@dataclass(frozen=True, slots=True)
class _Path:
    """Tokens from the start of the unfinished word; the last of them may not be read yet."""

    tokens: tuple[int, ...]
    text: bytes  # what they spell
    log_prob: float  # nats
    above: Place  # before the last token
    place: Place | None = None  # after it, once it is read


class _Next:
    """The tokens that may follow a path, best first, sorted as far as they are asked for."""

    def __init__(self, tokens: NDArray[np.int64], log_probs: LogProbs) -> None:
        self._tokens, self._log_probs = tokens, log_probs[tokens]
        self._sorted = best(tokens, self._log_probs, _AT_FIRST)

    def get(self, rank: int) -> tuple[int, float] | None:
        """The token of that rank and its log probability (nats), if there are so many."""
        if rank == len(self._sorted) == _AT_FIRST:
            self._sorted = best(self._tokens, self._log_probs, len(self._tokens))
        return self._sorted[rank] if rank < len(self._sorted) else None


class _Search:
    def __init__(self, reader: Reader, pieces: Pieces, draft: Unfinished, wanted: Wanted, watch: Watch) -> None:
        self.reader, self.pieces, self.draft, self.wanted, self.watch = reader, pieces, draft, wanted, watch
        self.owed = draft.owed.encode("utf-8", "replace")
        self.covered = 0.0  # probability of what was found to begin with what is typed
        self.begun = False
        self.heap: list[tuple[float, tuple[int, ...], int, _Path, _Next | None]] = []  # minus nats first; then it is settled

    def words(self) -> Iterator[tuple[_Path, float]]:
        """All next words, best first, and the nats of each, its end counted in."""
        head = self.reader.reach(self.reader.tokens(self.draft.head), self.watch)
        self.begun = True
        self._open(_Path((), b"", 0.0, head, head), head, self.reader.log_probs(head, self.watch))
        steps = 0
        while self.heap and self._is_enough(self.heap[0][0]):
            minus, _, _, path, following = self.heap[0]
            if following is None:  # a word, and how it ends is counted in
                heappop(self.heap)
                if not self._is_blocked(path):
                    yield path, -minus
                continue
            paths = self._some_paths(min(_AT_ONCE, self.wanted.steps - steps))
            if not paths:
                if steps == self.wanted.steps:
                    return
                continue
            steps += len(paths)
            looked_at = self.reader.look([(path.above, path.tokens[-1]) for path in paths], self.watch)
            for path, (place, row) in zip(paths, looked_at, strict=True):
                self._open(replace(path, place=place), place, row)

    def _some_paths(self, most: int) -> list[_Path]:
        """The best paths of the heap that are to be read, at most so many, none behind a word: read now, read at once."""
        found: list[_Path] = []
        while len(found) < most and self.heap and self.heap[0][4] is not None and self._is_enough(self.heap[0][0]):
            minus, _, rank, path, following = heappop(self.heap)
            assert following is not None  # noqa: S101 - it was not a moment ago
            self._push(path, following, rank + 1)
            token, _ = following.get(rank) or (0, 0.0)
            text = path.text + self.pieces.tokenizer.bytes[token]
            longer = _Path((*path.tokens, token), text, -minus, path.place or path.above)
            if self._shape(longer) is not Shape.NEVER and self._is_spelled(longer):
                found.append(longer)
        return found

    def _is_enough(self, minus: float) -> bool:
        return not self.covered or exp(-minus) >= self.wanted.least * self.covered

    def _shape(self, path: _Path) -> Shape:
        """What a path has put at the caret so far; while it still spells what is typed, nothing."""
        if len(path.text) < len(self.owed):
            return Shape.SHUT
        return shape_of(path.text[len(self.owed) :], spaced=self.draft.spaced)

    def _open(self, path: _Path, place: Place, row: LogProbs) -> None:
        """Put into the heap what may follow a path, read up to `place`; (V,) `row`, nats, is what comes next there."""
        owed = self.owed[len(path.text) :]
        if owed:
            whole = self.pieces.starting_with(owed)
            self.covered += exp(path.log_prob) * float(np.exp(row[whole]).sum(dtype=np.float64))
            inside = np.array(self.pieces.tokenizer.inside(owed), np.int64)
            self._push(path, _Next(np.concatenate([whole, inside]), row), 0)
            return
        if not path.tokens:
            self.covered = 1.0
        shape = self._shape(path)
        if shape is Shape.WORD:
            ends = no_letter_next(self.pieces, place, row)
            if ends > 0:
                heappush(self.heap, (-(path.log_prob + log(ends)), path.tokens, -1, path, None))
        self._push(path, _Next(self.pieces.after(shape), row), 0)

    def _push(self, path: _Path, following: _Next, rank: int) -> None:
        token = following.get(rank)
        if token is not None:
            heappush(self.heap, (-(path.log_prob + token[1]), (*path.tokens, token[0]), rank, path, following))

    def _is_spelled(self, path: _Path) -> bool:
        """Whether some text can begin with these tokens."""
        try:
            text = path.text.decode()
        except UnicodeDecodeError:
            return True  # a piece of a character: seen when it is whole
        return any(mark in text for mark in _EASED) or self.pieces.spells(path.tokens, text)

    def _is_blocked(self, path: _Path) -> bool:
        text = path.text.decode()
        offered = path.text[len(self.owed) :].decode()
        if not self.pieces.spells(path.tokens, text) or self.draft.says_again(offered) or any(dots in offered for dots in _DOTS):
            return True
        return bool(self.wanted.blocked) and not self.wanted.blocked.isdisjoint(words_of(text)[-1:])

    def word(self, path: _Path, log_prob: float) -> Word:
        """A word that was found, its probability by all that was looked at."""
        assert path.place is not None  # noqa: S101 - it was opened
        text = path.text[len(self.owed) :].decode()
        return Word(text, min(exp(log_prob) / self.covered, 1.0), path.tokens, path.place)


def no_letter_next(pieces: Pieces, place: Place, row: LogProbs) -> float:
    """The probability that a word ends at a place, where (V,) `row` says what comes next (nats)."""
    found = place.facts.get("ends")
    if found is None:
        goes_on = np.exp(row[pieces.after(Shape.WORD)]).sum(dtype=np.float64)
        found = place.facts["ends"] = max(1.0 - float(goes_on), 0.0)
    return float(found)

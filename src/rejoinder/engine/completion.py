"""A draft in, its likely continuations out.

A draft may end inside a word, and a word may be cut into tokens in more than one way. So the last word, with the space before
it, is taken back (only the space, if the draft ends in one), and the search runs over token sequences whose bytes begin with
what was taken back: the model decides whether the word goes on or ends there. The search is a beam over log probabilities;
what it shows stops at the end of a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rejoinder.engine.filters import unfit
from rejoinder.models.interfaces import LanguageModel, LogProbs, best
from rejoinder.post import Query
from rejoinder.text.words import shingles
from rejoinder.text.words import words as words_of

_LAST_WORD = re.compile(r"\s?\S*\Z")
_SENTENCE_END = re.compile(r"[.!?…](?=\s|\Z)|\n")
_LONGEST_WORD = 64  # bytes taken back at most


@dataclass(frozen=True)
class Continuation:
    """Text that may follow a draft, exactly as it would be typed."""

    text: str
    log_prob: float  # nats, of all its tokens together
    tokens: int

    @property
    def score(self) -> float:
        """Nats a token, so that long continuations are not held back for being long."""
        return self.log_prob / max(self.tokens, 1)


@dataclass(frozen=True)
class _Path:
    state: Any  # before its last token
    token: int | None  # the last token, not yet read; None at the beginning
    owed: bytes  # letters of the draft that the next tokens must still spell
    made: bytes  # bytes beyond the draft
    log_prob: float
    tokens: int
    ended: bool = False


def complete(model: LanguageModel, query: Query, k: int = 3, words: int = 8, beam: int = 8) -> list[Continuation]:
    """At most `k` continuations of the draft, of at most `words` words, best first, each beginning with another word.

    Continuations that hold a link, an e-mail address or no word, or go round in circles, are left out; `[]` is a legal answer.
    """
    paths = [_begin(model, query)]
    finished: list[_Path] = []
    for _ in range(4 * words):
        grown = _grow(model, paths, beam)
        grown.sort(key=lambda path: -path.log_prob)
        paths = []
        for path in _varied(grown, beam):
            (finished if path.ended or _is_long(path.made, words) else paths).append(path)
        if not paths or len(finished) >= 4 * k * beam:
            break
    return _choose(finished + paths, k, words)


def _begin(model: LanguageModel, query: Query) -> _Path:
    """The state before the last word, and the letters owed."""
    match = _LAST_WORD.search(query.draft)
    cut = match.start() if match else len(query.draft)
    owed = query.draft[cut:].encode("utf-8", "replace")
    if len(owed) > _LONGEST_WORD:
        cut, owed = len(query.draft), b""
    state = model.start(query.context)
    for token in model.tokenizer.encode(query.draft[:cut]):
        state = model.advance(state, token)
    return _Path(state, None, owed, b"", 0.0, 0)


def _grow(model: LanguageModel, paths: Sequence[_Path], beam: int) -> list[_Path]:
    """The paths with one more token each. Only what was kept is read on, all of it at once, since that is what costs."""
    unread = [path for path in paths if path.token is not None]
    read = iter(model.advance_many([path.state for path in unread], [path.token for path in unread if path.token is not None]))
    states = [path.state if path.token is None else next(read) for path in paths]
    rows = model.log_probs_many(states)
    return [new for path, state, row in zip(paths, states, rows, strict=True) for new in _steps(model, path, state, row, beam)]


def _steps(model: LanguageModel, path: _Path, state: Any, log_probs: LogProbs, beam: int) -> Iterator[_Path]:
    """A path with one more token: those that spell what is owed, or a beginning of it."""
    tokens = model.tokenizer
    fitting = tokens.starting_with(path.owed) if path.owed else np.arange(tokens.vocabulary)
    steps = best(fitting, log_probs[fitting], beam)
    steps += [(token, float(log_probs[token])) for token in tokens.inside(path.owed)]
    for token, log_prob in steps:
        piece = tokens.bytes[token]
        total = path.log_prob + log_prob
        if token == tokens.end:
            yield _Path(state, token, b"", path.made, total, path.tokens + 1, ended=True)
        else:
            made = path.made + piece[len(path.owed) :]
            yield _Path(state, token, path.owed[len(piece) :], made, total, path.tokens + 1)


def _varied(paths: Sequence[_Path], beam: int) -> Iterator[_Path]:
    """The best paths, no two with the same bytes, and not all with the same first word."""
    seen: set[tuple[bytes, bytes]] = set()
    firsts: dict[str, int] = {}
    kept = 0
    for path in paths:
        if (path.made, path.owed) in seen:
            continue
        first = _first_word(path.made)
        if firsts.get(first, 0) >= max(beam // 3, 1):
            continue
        seen.add((path.made, path.owed))
        firsts[first] = firsts.get(first, 0) + 1
        kept += 1
        yield path
        if kept == beam:
            return


def _is_long(made: bytes, words: int) -> bool:
    text = made.decode("utf-8", "ignore")
    return len(text.split()) > words or _SENTENCE_END.search(text) is not None


def _choose(paths: Sequence[_Path], k: int, words: int) -> list[Continuation]:
    found: list[Continuation] = []
    firsts: set[str] = set()
    for path in sorted(paths, key=lambda path: -path.log_prob / max(path.tokens, 1)):
        text = _trimmed(path.made.decode("utf-8", "ignore"), words)
        if path.owed or not text.strip() or unfit(text, None) or _goes_round(text) or _first_word(text.encode()) in firsts:
            continue
        firsts.add(_first_word(text.encode()))
        found.append(Continuation(text, path.log_prob, path.tokens))
        if len(found) == k:
            break
    return found


def _trimmed(text: str, words: int) -> str:
    """`text` up to the end of its first sentence, and of at most so many words."""
    end = _SENTENCE_END.search(text)
    if end:
        text = text[: end.end()].rstrip("\n")
    kept = re.match(rf"(?:\s*\S+){{0,{words}}}", text)
    return kept.group() if kept else ""


def _goes_round(text: str) -> bool:
    """Whether a run of three words comes again: what a model falls into when it has nothing to say."""
    runs = list(shingles(words_of(text), 3))
    return len(set(runs)) < len(runs)


def _first_word(made: bytes) -> str:
    parts = made.decode("utf-8", "ignore").split()
    return parts[0].casefold() if parts else ""

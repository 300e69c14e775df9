"""Ghost text: a next word, and what follows it as long as that is likely enough; and what is never shown.

Beyond the first word the most probable token is taken each time. A run ends at the end of a word or of a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from math import exp
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rejoinder.engine.best_first import Word, no_letter_next
from rejoinder.engine.filters import unfit
from rejoinder.engine.prefix_cache import Deadline, Node, PrefixCache
from rejoinder.engine.token_healing import LONGEST_WORD, HealedDraft, Shape, TokenTable, kinds, shape_of
from rejoinder.models.interfaces import LogProbs
from rejoinder.post import Post
from rejoinder.text.phrases import COPIED, Phrases
from rejoinder.text.words import words as words_of

_FEWEST_COPIED = 4  # words of a line that say it is copied, unless it is shorter
_LINK_BEGUN = re.compile(r"://|\b(?:https?|www)\b", re.IGNORECASE)
_TAIL = 25 * COPIED  # characters of the draft in which a copied phrase may begin


class Worth(Protocol):
    """Whether so many words, to which the model gives that probability, are worth showing."""

    def __call__(self, probability: float, words: int) -> bool:
        """True or False."""


@dataclass(frozen=True, slots=True)
class GhostText:
    """A ghost text."""

    text: str
    words: int
    probability: float  # by the model: of all of it, and that its last word ends there


@dataclass(frozen=True, slots=True)
class _Path:
    node: Node
    tokens: tuple[int, ...]  # from the start of the unfinished word
    made: bytes  # since the last word that was finished
    probability: float  # that the tokens come, the word's end not counted


class Extension:
    """Goes on from a next word."""

    def __init__(self, cache: PrefixCache, table: TokenTable, draft: HealedDraft, deadline: Deadline) -> None:
        """Use the model, and the draft, that the word was found with."""
        self.cache, self.table, self.draft, self.deadline = cache, table, draft, deadline

    def texts(self, word: Word, longest: int, worth: Worth) -> Iterator[GhostText]:
        """The word alone, then the same with one word more each time, while it is worth it; at most `longest` words.

        Raises:
            DeadlinePassed: before the next was known.
        """
        yield GhostText(word.text, 1, word.probability)
        ends = no_letter_next(self.table, word.node, self.cache.log_probs(word.node, self.deadline))
        text, path = word.text, _Path(word.node, word.tokens, b"", word.probability / ends if ends else 0.0)
        for words in range(1, longest + 1):
            found = self._sentence_end(path, partial(worth, words=words))
            if found is None and words < longest:
                found = self._next_word(path, partial(worth, words=words + 1))
            if found is None or not self.table.spells(found[0].tokens, self.draft.owed + text + found[0].made.decode()):
                return
            path, ends = found
            text += path.made.decode()
            ended = kinds(text)[-1] == "."
            yield GhostText(text, words + (not ended), path.probability * ends)
            if ended:
                return
            path = _Path(path.node, path.tokens, b"", path.probability)

    def _sentence_end(self, path: _Path, worth: Callable[[float], bool]) -> tuple[_Path, float] | None:
        """The path with the mark that ends the sentence, if that comes next and is worth it."""
        row = self.cache.log_probs(path.node, self.deadline)
        token = int(np.argmax(row))
        if kinds(self.table.tokenizer.bytes[token].decode("utf-8", "replace")) != ".":
            return None
        longer = self._longer(path, row, token, worth)
        return (longer, 1.0) if longer else None

    def _next_word(self, path: _Path, worth: Callable[[float], bool]) -> tuple[_Path, float] | None:
        """The path up to the end of the next word, and the probability that it ends there; None if that is not worth it."""
        row = self.cache.log_probs(path.node, self.deadline)
        longer = self._longer(path, row, self._best(row, self.table.begin_word), worth)
        while longer is not None and len(longer.made) <= LONGEST_WORD:
            row = self.cache.log_probs(longer.node, self.deadline)
            shape = shape_of(longer.made, spaced=False)
            if shape is Shape.WORD:
                ends = no_letter_next(self.table, longer.node, row)
                if ends >= 1 - ends:
                    return (longer, ends) if worth(longer.probability * ends) else None
            if shape is Shape.NEVER:
                return None
            longer = self._longer(longer, row, self._best(row, self.table.after(shape)), worth)
        return None

    @staticmethod
    def _best(row: LogProbs, tokens: NDArray[np.int64]) -> int:
        return int(tokens[np.argmax(row[tokens])])

    def _longer(self, path: _Path, row: LogProbs, token: int, worth: Callable[[float], bool]) -> _Path | None:
        """The path with one more token, read only if it may be worth it."""
        probability = path.probability * exp(float(row[token]))
        if not worth(probability):
            return None
        made = path.made + self.table.tokenizer.bytes[token]
        return _Path(self.cache.child(path.node, token, self.deadline), (*path.tokens, token), made, probability)


class DisplayFilter:
    """What is never shown, whatever its probability."""

    def __init__(self, context: Sequence[Post], blocked: frozenset[str], phrases: Phrases | None) -> None:
        """`context`: the posts answered; `blocked`: words, in lower case; `phrases`: whose words the model has read."""
        lines = context[-1].body.rstrip().splitlines() if context else []
        self._above = words_of(lines[-1]) if lines else []
        self.blocked = blocked
        self._phrases = phrases

    def allowed(self, draft: str, text: str) -> str:
        """So much of `text`, which goes on with `draft`, as may be shown; "" for nothing."""
        begun = draft[len(draft.rstrip()) :] if draft[-1:].isspace() else draft.split()[-1] if draft else ""
        if unfit(begun + text, None) or _LINK_BEGUN.search(begun + text):
            return ""
        if self.blocked and not self.blocked.isdisjoint(words_of(begun + text)):
            return ""
        if self._copies_line(draft, text):
            return ""
        return text if self._phrases is None else self._phrases.before_copy(draft[-_TAIL:], text)

    def _copies_line(self, draft: str, text: str) -> bool:
        """Whether the line with `text` says what the line above it says, from its beginning."""
        *before, line = draft.split("\n")
        above = next((words_of(other) for other in reversed(before) if other.strip()), self._above)
        said = words_of(line + text)
        return bool(above) and said == above[: len(said)] and len(said) >= min(_FEWEST_COPIED, len(above))

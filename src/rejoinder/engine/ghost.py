"""Ghost text: a next word, and what follows it as long as that is likely enough; and what is never shown.

Beyond the first word the most probable word is taken each time (`best_first.word_after`), as long as all of it together is worth
showing. The first counts as written, as it will be once it is taken; what follows it is made up, and no cache hears it. A text
ends at the end of a word or of a sentence, and where the model would end the line or the post.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import takewhile
from math import exp
from typing import Protocol

import numpy as np

from rejoinder.engine.best_first import Caret, Word, no_letter_next, word_after
from rejoinder.engine.filters import unfit
from rejoinder.engine.gate import GhostText
from rejoinder.engine.prefix_cache import DeadlinePassed, Node
from rejoinder.engine.token_healing import TokenStart, kinds
from rejoinder.engine.word_rules import WordRules
from rejoinder.post import Post
from rejoinder.text.phrases import COPIED, Phrases
from rejoinder.text.words import begun
from rejoinder.text.words import words as words_of

_FEWEST_COPIED = 4  # words of a line that say it is copied, unless it is shorter
_LINK_BEGUN = re.compile(r"://|\b(?:https?|www)\b", re.IGNORECASE)
_STEPS = 16  # of the search for one word more
_TAIL = 25 * COPIED  # characters of the draft in which a copied phrase may begin


class Worth(Protocol):
    """Whether so many words, to which the model gives that probability, are worth showing."""

    def __call__(self, probability: float, words: int) -> bool:
        """Whether a ghost text of so many words, at that probability by the model, may be shown."""


class Extension:
    """Goes on from a next word."""

    def __init__(self, caret: Caret, steps: int = _STEPS) -> None:
        """`caret`: where the word was found; `steps`: nodes looked at for each word more."""
        self._caret, self._steps = caret, steps

    def texts(self, word: Word, longest: int, worth: Worth) -> Iterator[GhostText]:
        """The word alone, then the same with one word more each time, while it is worth it; at most `longest` words.

        Raises:
            DeadlinePassed: before the next was known.
        """
        caret = self._caret
        node = word.node
        if node is None:
            yield GhostText(word.text, 1, word.probability)
            return
        caret.cache.look_ahead_from(node)
        yield GhostText(word.text, 1, word.probability, space=self._space(node))
        row = caret.cache.log_probs(node, caret.deadline)
        ends = no_letter_next(caret.table, node, row)
        text, tokens, probability = word.text, word.tokens, word.probability / ends if ends else 0.0
        for words in range(1, longest + 1):
            found = self._sentence_end(node, probability, words, worth)
            ended = found is not None
            if found is None and words < longest:
                found = self._next_word(text, node, probability, words + 1, worth)
            if found is None or found.node is None:
                return
            word, node, text, tokens = found, found.node, text + found.text, tokens + found.tokens
            if not caret.table.spells(tokens, caret.draft.owed + text):
                return
            space = 0.0 if ended else self._space(node)
            yield GhostText(text, words + (not ended), probability * word.probability, space=space)
            if ended:
                return
            probability *= word.begun

    def _space(self, node: Node) -> float:
        """How probable it is that a space comes after a word that ends at `node`; 0 if there is no time to tell."""
        table = self._caret.table
        try:
            row = self._caret.cache.log_probs(node, self._caret.deadline)
        except DeadlinePassed:
            return 0.0
        space = node.facts.get("space")
        if space is None:
            ends = no_letter_next(table, node, row)
            space = node.facts["space"] = min(float(np.exp(row[table.spaces]).sum(dtype=np.float64)) / ends, 1.0) if ends else 0.0
        return float(space)

    def _sentence_end(self, node: Node, probability: float, words: int, worth: Worth) -> Word | None:
        """The mark that ends the sentence, if it is what comes next, and worth it."""
        caret = self._caret
        row = caret.cache.log_probs(node, caret.deadline)
        token = int(np.argmax(row))
        mark, p = caret.table.tokenizer.bytes[token].decode("utf-8", "replace"), exp(float(row[token]))
        if kinds(mark) != "." or not worth(probability * p, words):
            return None
        return Word(mark, p, p, (token,), caret.cache.child(node, token, caret.deadline))

    def _next_word(self, text: str, node: Node, probability: float, words: int, worth: Worth) -> Word | None:
        """The best word after `text`, whose last word ends at `node`; None if that is not worth it, or the line ends there."""
        caret = self._caret
        row = caret.cache.log_probs(node, caret.deadline)
        likeliest = exp(float(row[caret.table.begin_word].max(initial=-np.inf)))  # no word is likelier than its first token
        if caret.table.of[int(np.argmax(row))] == TokenStart.NEVER or not worth(probability * likeliest, words):
            return None
        return word_after(caret, text, node, self._steps, lambda p: worth(probability * p, words))


class DisplayFilter:
    """What is never shown, whatever its probability."""

    def __init__(self, context: Sequence[Post], rules: WordRules, phrases: Phrases | None) -> None:
        """`context`: the posts answered; `rules`: which words may be offered; `phrases`: whose words the model has read."""
        lines = context[-1].body.rstrip().splitlines() if context else []
        self._above = words_of(lines[-1]) if lines else []
        self._rules = rules
        self._phrases = phrases

    def pass_on(self, draft: str, texts: Iterable[GhostText]) -> Iterator[GhostText]:
        """Those of `texts`, each of which goes on with the one before, up to the first that may not be shown."""
        return takewhile(lambda text: self.allows(draft, text.text), texts)

    def allows(self, draft: str, text: str) -> bool:
        """Whether `text`, which goes on with `draft`, may be shown."""
        whole = begun(draft) + text
        if unfit(whole, None) or _LINK_BEGUN.search(whole):
            return False
        if self._rules.blocks(draft, text) or self._copies_line(draft, text):
            return False
        return self._phrases is None or self._phrases.before_copy(draft[-_TAIL:], text) == text

    def _copies_line(self, draft: str, text: str) -> bool:
        """Whether the line with `text` says what the line above it says, from its beginning."""
        before, _, line = draft.rpartition("\n")
        above = words_of(before.rstrip().rpartition("\n")[2]) if before.strip() else self._above
        said = words_of(line + text)
        return bool(above) and said == above[: len(said)] and len(said) >= min(_FEWEST_COPIED, len(above))

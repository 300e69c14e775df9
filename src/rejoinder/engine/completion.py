"""A draft in, its likely continuations out: what the typing engine would show there, if nothing held it back for being unsure.

The draft's last word is taken back and spelled again in the model's own tokens (`token_healing`), the best next words are found
(`best_first`), and each is gone on with, the most probable word each time (`ghost`), up to the end of the sentence. What may not
be shown is cut off: links, e-mail addresses, words that nobody knows, circles, and what one author alone wrote. So are last words
after which nobody pauses, such as *of the*: a person would have to finish or erase them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from math import log

import numpy as np

from rejoinder.engine.best_first import Caret, SearchConfig, Word, search
from rejoinder.engine.gate import GhostText
from rejoinder.engine.ghost import DisplayFilter, Extension
from rejoinder.engine.prefix_cache import PrefixCache
from rejoinder.engine.token_healing import HealedDraft, TokenTable
from rejoinder.engine.word_rules import WordRules
from rejoinder.models.interfaces import LanguageModel
from rejoinder.post import Query
from rejoinder.text.phrases import Phrases
from rejoinder.text.words import words as words_of

_KEPT = 64  # nodes of a prefix cache: the draft is read once
_STEPS = 8  # of a search, for each continuation asked for
_LEAST = 1e-300  # a probability has a logarithm
_PAUSE = 0.05  # probability of what may follow a pause, where a text may stop
_LONG = 5  # letters of a word that a sentence seldom needs twice
_SENTENCE = re.compile(r"[.!?]\s|\n")  # what ends one


@dataclass(frozen=True)
class Continuation:
    """Text that may follow a draft, exactly as it would be typed."""

    text: str
    first: float  # probability of its first word, by the model
    log_prob: float  # nats, of all its tokens together
    tokens: int

    @property
    def score(self) -> float:
        """The mean log probability of a token, in nats: texts of any length compare."""
        return self.log_prob / max(self.tokens, 1)


def complete(
    model: LanguageModel,
    query: Query,
    k: int = 3,
    words: int = 12,
    *,
    phrases: Phrases | None = None,
    own: Collection[str] = (),
) -> list[Continuation]:
    """At most `k` continuations, each beginning with another word, those with the most probable first word first.

    Args:
        model: what finds them.
        query: the draft, and what it answers.
        k: how many at most; `[]` is a legal answer.
        words: of a continuation at most.
        phrases: whose words the model has read, so that these are not passed off as new.
        own: words of the person's own text, known even where nobody else wrote them.
    """
    return _continuations(_Draft(model, query, phrases, own), k, words, _Draft.up_to_a_pause)


def exact_words(model: LanguageModel, query: Query, k: int, words: int, *, phrases: Phrases | None = None) -> list[Continuation]:
    """The same as a measure needs it: after so many words a continuation breaks off, also where nobody pauses."""
    return _continuations(_Draft(model, query, phrases, ()), k, words, lambda _, texts: texts[-1])


def _continuations(
    draft: _Draft, k: int, words: int, chosen: Callable[[_Draft, Sequence[GhostText]], GhostText | None]
) -> list[Continuation]:
    found: dict[str, Continuation] = {}
    in_need: list[Continuation] = []  # a word alone, where no text can be left as it is
    for word in draft.next_words(k):
        texts = draft.texts(word, words)
        best = chosen(draft, texts) if texts else None
        first = "".join(words_of(draft.healed.owed + word.text)[-1:])
        if best is not None and first not in found:
            found[first] = draft.continuation(word, best)
        elif texts and not in_need:
            in_need = [draft.continuation(word, texts[0])]
        if len(found) == k:
            break
    return list(found.values()) or in_need


class _Draft:
    def __init__(self, model: LanguageModel, query: Query, phrases: Phrases | None, own: Collection[str]) -> None:
        """See `complete`."""
        self.text, self.healed = query.draft, HealedDraft.of(query.draft)
        rules = WordRules(query.context, phrases, own)
        self._shown = DisplayFilter(query.context, rules, phrases)
        cache, table = PrefixCache(model, query.context, _KEPT), TokenTable(model.tokenizer)
        self._caret = Caret(cache, table, self.healed, rules.at(query.draft))

    def next_words(self, k: int) -> Iterator[Word]:
        """The best `k` next words, and as many more if these do not do."""
        for wanted in (k, 2 * k):
            yield from search(self._caret, SearchConfig(wanted, _STEPS * (k + 1))).words[wanted - k :]

    def texts(self, word: Word, words: int) -> list[GhostText]:
        """What begins with `word` and may be shown, each text with one word more than the one before."""
        return list(self._shown.pass_on(self.text, Extension(self._caret).texts(word, words, lambda probability, words: True)))

    def continuation(self, word: Word, text: GhostText) -> Continuation:
        """A text that begins with `word`, as it is answered."""
        tokens = len(self._caret.table.encode(self.healed.owed + text.text))
        return Continuation(text.text, word.probability, log(max(text.probability, _LEAST)), tokens)

    def up_to_a_pause(self, texts: Sequence[GhostText]) -> GhostText | None:
        """The longest of `texts` that goes in no circle and may be left as it is; one that does not go on is the only choice."""
        if len(texts) == 1:
            return texts[0]
        straight = list(takewhile(lambda text: not self._says_again(text.text), texts))
        return next((text for text in reversed(straight) if self._pauses_after(text)), None)

    def _says_again(self, text: str) -> bool:
        """Whether the last word of `text` is a long one that its sentence has already."""
        said = words_of(_SENTENCE.split(self.text)[-1] + text)
        return bool(said) and len(said[-1]) >= _LONG and said[-1] in said[:-1]

    def _pauses_after(self, text: GhostText) -> bool:
        """Whether a mark, a new line or the end may well come next."""
        cache, table = self._caret.cache, self._caret.table
        tokens = [*cache.tokens(self.healed.head), *table.encode(self.healed.owed + text.text)]
        row = cache.log_probs(cache.reach(tokens, self._caret.deadline), self._caret.deadline)
        return float(np.exp(row[table.pauses]).sum(dtype=np.float64)) >= _PAUSE

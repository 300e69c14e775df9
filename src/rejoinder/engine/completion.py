"""A draft in, its likely continuations out: what the typing engine would show there, if nothing held it back for being unsure.

The draft's last word is taken back and spelled again in the model's own tokens (`token_healing`), the best next words are found
(`best_first`), and each is gone on with, the most probable word each time (`ghost`), up to the end of the sentence. What may not
be shown is cut off: links, e-mail addresses, words that nobody knows, circles, and what one author alone wrote.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from math import log

from rejoinder.engine.best_first import Caret, SearchConfig, Word, search
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
    words: int = 8,
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
    rules = WordRules(query.context, phrases, own)
    shown = DisplayFilter(query.context, frozenset(), phrases)
    draft = HealedDraft.of(query.draft)
    caret = Caret(PrefixCache(model, query.context, _KEPT), TokenTable(model.tokenizer), draft, rules.at(query.draft))
    found: dict[str, Continuation] = {}
    for word in _next_words(caret, k):
        texts = Extension(caret).texts(word, words, lambda probability, words: True)
        *_, best = (None, *shown.pass_on(query.draft, texts))
        first = "".join(words_of(draft.owed + word.text)[-1:])
        if best is not None and first not in found:
            tokens = len(model.tokenizer.encode(draft.owed + best.text))
            found[first] = Continuation(best.text, word.probability, log(max(best.probability, _LEAST)), tokens)
        if len(found) == k:
            break
    return list(found.values())


def _next_words(caret: Caret, k: int) -> Iterator[Word]:
    """The best `k` next words, and as many more if these do not do."""
    for wanted in (k, 2 * k):
        yield from search(caret, SearchConfig(wanted, _STEPS * (k + 1))).words[wanted - k :]

"""Which next words may be offered, however probable a model finds them.

known        two people wrote it (`rejoinder.text.lexicon`), or it stands in the draft, in what is answered, or in the person's
             own text; where no such list is kept, at least it does not say the same letters twice over
no circle    it is not the word before it, and no run of two words that was just made, or typed a moment ago, comes again (the
             n-gram block of Paulus, Xiong & Socher 2018); the first word after the draft is free
not blocked  by the person
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cached_property
from itertools import pairwise

from rejoinder.post import Post
from rejoinder.text.phrases import Phrases
from rejoinder.text.words import begun, words

_NEAR = 4  # words at the end of the draft that are not gone round with
_TAIL = 200  # characters of the draft in which they stand


class WordRules:
    """The rules of one session."""

    def __init__(
        self,
        context: Sequence[Post] = (),
        phrases: Phrases | None = None,
        own: Collection[str] = (),
        blocked: Collection[str] = (),
    ) -> None:
        """Make the rules.

        Args:
            context: the posts answered.
            phrases: the words that two writers wrote; without it all are known.
            own: the words of the person's own text, as `rejoinder.text.words` reads them.
            blocked: words, or runs of them, never offered, however they are written.
        """
        self._context = context
        self._phrases = phrases
        self._own = own
        self._blocked = frozenset(run for entry in blocked if (run := tuple(words(entry))))
        self._head, self._typed = "", set[str]()  # what of the draft was read, up to white space; its words

    @cached_property
    def _answered(self) -> frozenset[str]:
        return frozenset(word for post in self._context for word in words(post.body))

    def knows(self, word: str, draft: str) -> bool:
        """Whether a word, as `rejoinder.text.words` reads it, is known at the end of `draft`."""
        if self._phrases is None or self._phrases.knows(word):
            return True
        return word in self._own or word in self._answered or self._is_typed(word, draft)

    def _is_typed(self, word: str, draft: str) -> bool:
        """Whether a word stands in the draft; only what is new of it is read, since no word goes on over white space."""
        last = begun(draft)
        head = draft[: len(draft) - len(last)]
        if not head.startswith(self._head):
            self._head, self._typed = "", set()
        self._typed.update(words(head[len(self._head) :]))
        self._head = head
        return word in self._typed or word in words(last)

    def is_used(self, word: str) -> bool:
        """Whether people use a word, as `rejoinder.text.words` reads it, wherever it stands here."""
        return self._phrases is None or self._phrases.knows(word) or word in self._own

    def blocks(self, draft: str, text: str) -> bool:
        """Whether `text`, which goes on with `draft`, says what the person never wants to be offered."""
        if not self._blocked:
            return False
        typed, said = words(draft[-_TAIL:]), words(draft[-_TAIL:] + text)
        ends = range(_first_new(typed, said) + 1, len(said) + 1)
        return any(tuple(said[max(end - len(run), 0) : end]) == run for end in ends for run in self._blocked)

    def at(self, draft: str) -> CaretRules:
        """The rules at the end of `draft`."""
        return CaretRules(self, draft)


class CaretRules:
    """The rules at the end of one draft."""

    def __init__(self, rules: WordRules, draft: str) -> None:
        """Use `WordRules.at`."""
        self._rules = rules
        self._draft = draft
        tail = draft[-_TAIL:]
        self._begun = begun(tail)  # no word goes on over white space
        self._typed = words(self._begun)
        self._near = words(tail[: len(tail) - len(self._begun)])[-_NEAR:]

    def allow(self, text: str) -> bool:
        """Whether the last word of `text`, which goes on with the draft, may be offered after the others."""
        said = words(self._begun + text)
        new = _first_new(self._typed, said)
        if len(said) <= new:
            return True  # no word yet
        if self._rules.blocks(self._draft, text) or _goes_round(self._near + said, len(self._near) + new):
            return False
        return self._rules.knows(said[-1], self._draft)


def _first_new(typed: Sequence[str], said: Sequence[str]) -> int:
    """The place of the first word of `said` that is not in `typed`, which it goes on with."""
    return next((place for place, (a, b) in enumerate(zip(typed, said, strict=False)) if a != b), len(typed))


def _goes_round(said: Sequence[str], new: int) -> bool:
    """Whether the last word says again what stands just before it; from `new` on they are made, and the first is free."""
    if len(said) - 1 == new:
        return False
    runs = list(pairwise(said))[max(new - _NEAR, 0) :]
    return said[-1] == said[-2] or runs[-1] in runs[:-1]

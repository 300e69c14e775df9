"""Words that were said before: a word that is begun may be one that stands in the draft, or in what it answers.

    p'(w | letters) = (1 - s) p(w | letters) + s c(w | letters)

c has the words said so far that begin with the letters typed; each time one was said counts half as much as a time `_HALF` words
later. So names and terms of a thread are finished from two or three letters, also those that no model spells. The share s is
what explains dev posts best (EM, as in `rejoinder.models.mixture`), by how many letters are typed, whether only one word begins
so, and whether people use it at all: who writes the first letters of a word that nobody else knows mostly writes that word again.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from unicodedata import category

from rejoinder.engine.best_first import Word
from rejoinder.engine.word_rules import CaretRules, WordRules
from rejoinder.post import Post
from rejoinder.text.crude import is_crude
from rejoinder.text.words import words

_LONGEST = 64  # letters of a word that is begun, at most
_DRAFT, _ANSWERED = 6_000, 12_000  # characters that are looked at
_HALF = 100  # words
_LEAST = 0.03  # p' of a word that the model itself did not find
# s for 1, 2, 3 letters typed, and more
_SEVERAL = (0.07, 0.10, 0.10, 0.16)
_ALONE = (0.03, 0.10, 0.18, 0.24)
_SEVERAL_UNKNOWN = (0.16, 0.20, 0.24, 0.24)
_ALONE_UNKNOWN = (0.20, 0.48, 0.64, 0.64)


_Places = dict[str, list[tuple[int, str]]]  # by their first letter, words with how many were said after each


class SaidWords:
    """The words said before in one session."""

    def __init__(self, context: Sequence[Post], rules: WordRules) -> None:
        """`context`: the posts answered; `rules`: which words are known."""
        self._context = context
        self._rules = rules
        self._answered: _Places | None = None  # read when it is first needed
        self._head = ""  # of the draft as it was
        self._read: _Places = {}  # its whole words
        self._words = 0  # how many

    def mixed(self, draft: str, found: Sequence[Word], rules: CaretRules, most: int) -> list[Word]:
        """The best `most` of the next words, and of those that were said before; unchanged if no word is begun.

        Args:
            draft: all that is written up to the caret.
            found: what a model finds there, best first.
            rules: of the caret.
            most: how many words.
        """
        match = _patterns(draft[-_LONGEST:])[1].search(draft[-_LONGEST:])
        begun = match[0] if match else ""
        said = self._beginning(draft[: len(draft) - len(begun)], begun) if begun else {}
        if not said:
            return list(found)
        share = self._share(said, len(begun))
        mixed = []
        for word in found:
            if not _patterns(word.text)[0].match(word.text):
                mixed.append(word)  # it ends the word that is begun
                continue
            known = said.pop(begun + word.text, 0.0)
            mixed.append(replace(word, probability=(1 - share) * word.probability + share * known))
        for other, part in said.items():
            rest, chance = other[len(begun) :], share * part
            if rest and chance >= _LEAST and not is_crude(other) and rules.allow(rest):
                mixed.append(Word(rest, chance, chance, (), None))
        return sorted(mixed, key=lambda word: -word.probability)[:most]

    def _share(self, said: Mapping[str, float], letters: int) -> float:
        likeliest = max(said, key=lambda word: said[word])
        known = all(self._rules.is_used(word) for word in words(likeliest))
        alone = len(said) == 1
        shares = (_ALONE if alone else _SEVERAL) if known else (_ALONE_UNKNOWN if alone else _SEVERAL_UNKNOWN)
        return shares[min(letters, len(shares)) - 1]

    def _beginning(self, head: str, begun: str) -> dict[str, float]:
        """c, of the words before the one that is begun."""
        if self._answered is None:
            self._answered = _places(_words_in("\n".join(post.body for post in self._context)[-_ANSWERED:]))
        if head != self._head:
            said = _words_in(head[-_DRAFT:])
            self._head, self._read, self._words = head, _places(said), len(said)
        counts: defaultdict[str, float] = defaultdict(float)
        for before, places in ((0, self._read), (self._words, self._answered)):
            for place, word in places.get(begun[0], ()):
                if word.startswith(begun):
                    counts[word] += 0.5 ** ((before + place) / _HALF)
        total = sum(counts.values())
        return {word: count / total for word, count in counts.items()}


def _words_in(text: str) -> list[str]:
    found: list[str] = _patterns(text)[0].findall(text)
    return found


def _patterns(text: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """What a word is, and one that is begun: letters, and such marks on letters as `text` has, which `re` takes for none."""
    return _compiled("".join(sorted(character for character in {*text} if category(character).startswith("M"))))


@lru_cache(maxsize=256)
def _compiled(marks: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    letter, before = (rf"(?:[^\W\d_]|[{marks}])", rf"(?<![\w{marks}])") if marks else (r"[^\W\d_]", r"(?<!\w)")
    word = rf"{letter}+(?:['’]{letter}+)*"
    return re.compile(word), re.compile(rf"{before}{word}['’]?\Z")


def _places(said: Sequence[str]) -> _Places:
    found: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
    for place, word in enumerate(reversed(said)):
        found[word[0]].append((place, word))
    return dict(found)

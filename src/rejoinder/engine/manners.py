"""Where help with prose belongs: at the end of a line, in prose, and in a language that the voice knows.

at the end     closing brackets, quotes, markers and blanks may stand after the caret, up to the end of the line: an editor, or
               the person, put them there before what goes between them
in prose       not inside a fence of code or a span of it, an address or a number: nobody's counts know what comes next there
known          the draft's last words are on the list of words that people use in what the models read: of one's own language
               nine in ten and more, also among names and jargon; of another language of the same letters half at most. So each
               word tells for or against, and it takes a few that are not known, since most people write the language they read.
               Words that begin with a capital and are not known may be names, and tell nothing; the small words of English,
               where they are known, tell more, since a sentence full of a trade's own words has them too
"""

from __future__ import annotations

import re
from math import log

from rejoinder.text.phrases import Phrases
from rejoinder.text.words import begun

_CLOSERS = re.compile(r"""[ \t)\]}>"'”’»›*_`~]*""")
_FENCE = re.compile(r"^ {0,3}(?:```|~~~)", re.MULTILINE)
_ADDRESS = re.compile(r"://|\bwww\.|@|[\\/]\S*[\\/.]|\d", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_TAIL = 240  # characters of the draft that are looked at
_LAST = 16  # words
_VOCABULARY = 10_000  # words that a list must have, so that what is not on it tells anything
_LONG = 3  # letters of a word that tells anything
_PRIOR = 3.0  # log odds that the draft is in the voice's language
_KNOWN, _UNKNOWN = log(0.92 / 0.5), log(0.10 / 0.5)  # what a word adds to them
_SMALL = log(0.25 / 0.05)  # what a small word does: a quarter of English, and of others at most those few that look the same
_SMALL_WORDS = frozenset(
    "the of and to is it that this these those which what who with from by for as are was were been have has had not but or if "
    "we you he she they my your our their its there when then than so because can could would should will".split()
)


def at_line_end(after: str) -> bool:
    """Whether only closers and blanks stand between the caret and the end of its line; `after`: the text after the caret."""
    line = re.split("[\r\n]", after, maxsplit=1)[0]
    return _CLOSERS.fullmatch(line) is not None


def is_prose(draft: str) -> bool:
    """Whether the end of a draft is prose, and no code, address or number."""
    if len(_FENCE.findall(draft)) % 2:
        return False
    line = draft.rpartition("\n")[2]
    return line.count("`") % 2 == 0 and not _ADDRESS.search(begun(line))


class LanguageCheck:
    """Whether the last words of a draft are rather of another language than of that in which `phrases` has its words."""

    def __init__(self, phrases: Phrases | None) -> None:
        """Without a list of words, or with a short one, nothing is foreign: who has read little knows few words of any."""
        lists = [one.lexicon for one in (phrases, phrases.beside) if one and one.lexicon] if phrases else []
        able = max((len(known.hashes) for known in lists), default=0) >= _VOCABULARY
        self._phrases = phrases if able else None
        self._last = "", False  # the whole words looked at last, and what they are

    def __call__(self, draft: str) -> bool:
        """Whether the end of `draft` is; a word that is being typed does not count yet."""
        if self._phrases is None:
            return False
        tail = draft[-_TAIL:]
        whole = tail[: len(tail) - len(begun(tail))]
        if whole != self._last[0]:
            self._last = whole, self._odds(whole, self._phrases) < 0
        return self._last[1]

    @staticmethod
    def _odds(text: str, phrases: Phrases) -> float:
        odds = _PRIOR
        for word in _WORD.findall(text)[-_LAST:]:
            read = word.casefold().replace("’", "'")
            small = read in _SMALL_WORDS
            if len(word) < _LONG and not small:
                continue
            if phrases.knows(read):
                odds += _SMALL if small else _KNOWN
            elif word[0].islower():
                odds += _UNKNOWN
        return odds

"""How far a reply leans on the talk it comes from: one that does is no answer elsewhere.

    points    the share of its words that point at something or somebody said before ("that", "they", "agreed")
    speaks    1 if "you" or the like is among its first eight words: it speaks to whoever wrote before; else 0

The words are English; of a reply in another language both are 0.
"""

from __future__ import annotations

from rejoinder.text.words import words

_POINTING = frozenset(
    "this that these those it it's its that's they them their he she him his her you your you're"
    " yeah yep nope agree agreed exactly indeed same such thank thanks".split()
)
_YOU = frozenset("you your you're you've you'd you'll yours".split())
_BEGINNING = 8  # words


def leaning(text: str) -> tuple[float, float]:
    """Both of a reply, each in [0, 1]."""
    said = words(text)
    if not said:
        return 0.0, 0.0
    return sum(word in _POINTING for word in said) / len(said), float(any(word in _YOU for word in said[:_BEGINNING]))

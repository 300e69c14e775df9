"""What may be shown: each filter names why it turns a suggestion away, or None.

Explained in docs/tour/07-the-replier.md.
"""

from __future__ import annotations

from collections.abc import Sequence

from rejoinder.post import Post, Suggestion
from rejoinder.text.words import ADDRESS, EMAIL, shingles, words

_FEWEST_WORDS_BESIDE_A_LINK = 4
_OPENING, _BARS = 200, 3  # characters; "SEEKING WORK | Remote | ..." and "ACME | Engineer | Berlin | ..." are no answers
_ALIKE = 0.5  # share of common word pairs above which two texts say the same
_REPEATED = 0.5  # share of a reply's runs of four words found in the context above which it only repeats


def unfit(text: str, longest: int | None) -> str | None:
    """Why a text should not be shown to anybody, or None."""
    found = words(text)
    if not found and not ADDRESS.search(text):
        return "no words"
    if EMAIL.search(text):
        return "an e-mail address"
    if ADDRESS.search(text) and len(found) < _FEWEST_WORDS_BESIDE_A_LINK:
        return "only a link"
    if text[:_OPENING].count(" | ") >= _BARS:
        return "an advertisement"
    if longest is not None and len(found) > longest:
        return "too long"
    return None


def same_thread(suggestion: Suggestion, context: Sequence[Post]) -> str | None:
    """Why a suggestion stands too near to the context it answers, or None: help must not come from the thread itself."""
    for post in context:
        if suggestion.post is not None and suggestion.post == post.id:
            return "in the context"
        if suggestion.thread is not None and suggestion.thread == post.thread:
            return "from the same thread"
    return None


class Repetition:
    """Turns away what says again what the context or an earlier suggestion says."""

    def __init__(self, context: Sequence[Post], most: float = _REPEATED) -> None:
        """`context`: the posts being answered; `most`: the share of a text's runs of four words that may stand there."""
        self._most = most
        said = [words(post.body) for post in context]
        self._runs = {run for text in said for run in shingles(text, 4)}
        self._shown: list[set[tuple[str, ...]]] = []

    def __call__(self, text: str) -> str | None:
        """Why `text` is a repetition, or None; then it counts as shown."""
        found = words(text)
        runs = set(shingles(found, 4))
        if len(runs & self._runs) > self._most * len(runs):
            return "repeats the context"
        pairs = set(shingles(found, 2))
        if any(len(pairs & other) > _ALIKE * min(len(pairs), len(other)) for other in self._shown):
            return "says the same as another"
        self._shown.append(pairs)
        return None

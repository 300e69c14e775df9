"""A personal model: what one person wrote, counted, and mixed into any rung that predicts.

How far it is trusted is found out by the text itself, read again in order, a piece at a time, by the counts of what came before:
how often what the person went on with most often was what came, by how many tokens of the context were known and how sure the
counts were. So it weighs more the more often it was right, and what is erased leaves nothing behind. Of runs of words only those
count that were written twice: names, products, how one closes a letter. Gone on with from a single time, they were mostly wrong.

One writes on while it is counted again, so what was read before is not taken apart anew, and the text is read again only once it
has grown by an eighth.

The text is either a file of the person's own, which is only read, or what they asked to be remembered: one plain file in the home
folder, readable by them alone, which they can look at and erase (`rejoinder own`). No model of it is ever written: counting
takes a moment, and what is erased is gone from everywhere.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice
from math import exp
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rejoinder.errors import SourceError, UsageError
from rejoinder.files import leftovers, write_atomically
from rejoinder.home.lock import OWN, locked
from rejoinder.models import smoothing
from rejoinder.models.interfaces import LanguageModel, Personal
from rejoinder.models.kneser_ney import KneserNey, KneserNeyConfig
from rejoinder.models.mixture import Mixture, with_personal
from rejoinder.post import Post
from rejoinder.text.counting import count_ngrams
from rejoinder.text.tensors import TokenArrays, post_tokens
from rejoinder.text.tokenizer import AnyTokenizer

ORDER = 5  # tokens of the longest n-grams
ONCE = 1  # runs of three tokens and more that were written so often are left out: who wrote something once seldom writes it again
FILE = "personal.txt"  # in the home folder
MOST = 1_000_000  # characters remembered; the oldest posts go first
_PIECES = 8  # the text is read again in so many, at most
_READ = 3_000  # tokens of a piece that are read again, at most
_LEVELS = 5  # of how sure the counts are
_KNOWN = 2  # tokens of the context that must be known, at least
_DOUBT = 1.0  # times that what is known of less sure counts, or of all contexts, counts for
_GROWN = 9 / 8  # times as many posts as before, from which on it is found out again how often the counts are right
_BETWEEN_POSTS = re.compile(r"\n\s*\n")


class OwnText(KneserNey, Personal):
    """Counts of one person's text, and how often they were right in it."""

    right: NDArray[np.float64] = np.zeros((ORDER, _LEVELS))  # by tokens of the context that are known, and level
    tried_on = 0  # posts of the text of which that was found out
    read: Mapping[str, NDArray[np.unsignedinteger]] = {}  # the tokens of each post, none for one that only quotes

    def likeliest(self, state: Any) -> tuple[int, float]:
        """What the person went on with most often, and how often such a token was right; (-1, 0) where too little is known."""
        token, level = self._first(state)
        return (token, float(self.right[len(state.nodes), level])) if token >= 0 else (-1, 0.0)

    def _first(self, state: Any) -> tuple[int, int]:
        """The token that came most often after the longest context known, and how sure that is; (-1, 0) if that is short."""
        if len(state.nodes) < _KNOWN:
            return -1, 0
        followers = self.index[len(state.nodes)]
        first = int(followers.first[state.nodes[-1]])
        return int(followers.token[first]), min(int(exp(float(followers.log_prob[first])) * _LEVELS), _LEVELS - 1)

    def outcomes(self, posts: Sequence[Sequence[int]]) -> NDArray[np.float64]:
        """(2, ORDER, _LEVELS): how often there was a likeliest token in texts that were not counted, and how often it came."""
        found = np.zeros((2, ORDER, _LEVELS))
        for tokens in posts:
            state = self.start(())
            for token in tokens:
                likeliest, level = self._first(state)
                if likeliest >= 0:
                    found[:, len(state.nodes), level] += 1, likeliest == token
                state = self.advance(state, token)
        return found


def count_own(text: str, tokenizer: AnyTokenizer, before: OwnText | None = None) -> OwnText:
    """The model of plain text whose blank lines part one post from the next; lines that quote others (">") are left out.

    `before` is the model of an earlier state of the text, by the same tokenizer.

    Raises:
        UsageError: no words are left.
    """
    posts = [post.strip() for post in _BETWEEN_POSTS.split(text)]
    read = _read(posts, tokenizer, before.read if before else {})
    arrays = _arrays([read[post] for post in posts if len(read[post])])
    number = len(arrays.posts)
    if not number:
        raise UsageError("a personal model needs text of your own: there are no words besides quotes")
    made = _counted(arrays, tokenizer)
    made.read = read
    if before is not None and number <= _GROWN * before.tried_on and _only_added(before.read, read):
        made.right, made.tried_on = before.right, before.tried_on
    else:
        made.right, made.tried_on = _found_right(arrays, tokenizer), number
    return made


def _read(
    posts: Sequence[str], tokenizer: AnyTokenizer, known: Mapping[str, NDArray[np.unsignedinteger]]
) -> dict[str, NDArray[np.unsignedinteger]]:
    """The tokens of each post, in the order of the text; those that are known are not made again."""
    new = [post for post in dict.fromkeys(posts) if post not in known]
    arrays = post_tokens([Post(number, text=post) for number, post in enumerate(new)], tokenizer)
    found = dict.fromkeys(new, arrays.tokens[:0])
    for number, first, last in zip(arrays.posts, arrays.offsets, arrays.offsets[1:], strict=False):
        found[new[number]] = arrays.tokens[first:last]
    return {post: known[post] if post in known else found[post] for post in posts}


def _arrays(rows: Sequence[NDArray[np.unsignedinteger]]) -> TokenArrays:
    offsets = np.cumsum([0, *map(len, rows)], dtype=np.int64)
    return TokenArrays(np.concatenate(rows) if rows else np.empty(0, np.uint16), offsets, np.arange(len(rows)))


def _only_added(before: Mapping[str, object], now: Mapping[str, object]) -> bool:
    """Whether posts were only added, and of those before none but the oldest have gone."""
    gone = [post for post in before if post not in now]
    return gone == list(islice(before, len(gone)))


def _found_right(arrays: TokenArrays, tokenizer: AnyTokenizer) -> NDArray[np.float64]:
    """(ORDER, _LEVELS) how often the counts of what came before were right about each of the later pieces."""
    number, outcomes = len(arrays.posts), np.zeros((2, ORDER, _LEVELS))
    pieces = min(_PIECES, number)
    for piece in range(1, pieces):
        first, last = number * piece // pieces, number * (piece + 1) // pieces
        last = min(last, int(np.searchsorted(arrays.offsets, arrays.offsets[first] + _READ, side="right")))
        later = [
            arrays.tokens[arrays.offsets[n] + 1 : arrays.offsets[n + 1]].tolist() for n in range(first, max(last, first + 1))
        ]
        outcomes += _counted(_beginning(arrays, first), tokenizer).outcomes(later)
    return _shares(outcomes)


def _beginning(arrays: TokenArrays, posts: int) -> TokenArrays:
    return TokenArrays(arrays.tokens[: arrays.offsets[posts]], arrays.offsets[: posts + 1], arrays.posts[:posts])


def _counted(arrays: TokenArrays, tokenizer: AnyTokenizer) -> OwnText:
    counts, log = count_ngrams(arrays, ORDER, tokenizer.vocabulary), logging.getLogger(smoothing.__name__)
    log.addFilter(_nothing)  # a page of text is too little for its own discounts, every time it is read
    try:
        return OwnText.from_counts(KneserNeyConfig(order=ORDER, prune=ONCE), tokenizer, counts)
    finally:
        log.removeFilter(_nothing)


def _nothing(_: logging.LogRecord) -> bool:
    return False


def _shares(outcomes: NDArray[np.float64]) -> NDArray[np.float64]:
    """(ORDER, _LEVELS) how often the likeliest was right; little is known of what was seldom tried, that of its like counts then.

    A level begins with what is known of the less sure one before it, over all contexts, or with half of what the counts say, as a
    text must that is too short to be tried; each length of the context begins with that.
    """
    tried, came = outcomes.sum(axis=1)  # (_LEVELS,)
    of_level = np.empty(_LEVELS)
    before = 0.0
    for level in range(_LEVELS):
        before = max(before, (level + 0.5) / _LEVELS / 2)
        before = of_level[level] = (came[level] + _DOUBT * before) / (tried[level] + _DOUBT)
    return np.asarray((outcomes[1] + _DOUBT * of_level) / (outcomes[0] + _DOUBT))


def most_used(text: str, most: int = 20) -> list[tuple[str, int]]:
    """The phrases that a person uses most: runs of two to six words, how often each was written, the most letters saved first.

    A run that only stands inside a longer one as often is left out.
    """
    counts = Counter[str]()
    for line in text.splitlines():
        said = line.split() if not line.lstrip().startswith(">") else []
        counts.update(" ".join(said[first : first + size]) for size in range(2, 7) for first in range(len(said) - size + 1))
    found: list[tuple[str, int]] = []
    for phrase, times in sorted(counts.items(), key=lambda item: (-(item[1] - 1) * len(item[0]), item[0])):
        if times < 2 or len(found) == most:
            break
        if not any(phrase in longer or longer in phrase for longer, _ in found):
            found.append((phrase, times))
    return found


def with_own(name: str, model: LanguageModel, text: str) -> Mixture:
    """The rung of that name with a model of `text` mixed in.

    Raises:
        UsageError: the text has no words.
    """
    return with_personal(name, model, count_own(text, model.tokenizer))


def with_remembered(name: str, model: LanguageModel, home: Path) -> LanguageModel:
    """The rung of that name with what is remembered in a home mixed in; itself where no words are."""
    own = own_model(home, model.tokenizer)
    return model if own is None else with_personal(name, model, own)


def remember(home: Path, text: str) -> None:
    """Add what somebody wrote to what is remembered.

    Raises:
        UsageError: it has no words.
        HomeBusy: another process is changing it, and does not end.
    """
    text = text.strip().encode(errors="replace").decode()
    if not text:
        raise UsageError("there is nothing to remember: the text is empty")
    with locked(home, "own add", OWN):
        _sweep(home)
        posts = [post.strip() for post in _BETWEEN_POSTS.split(f"{remembered(home)}\n\n{text}".strip())]
        size, first = sum(map(len, posts)), 0
        while size > MOST and first < len(posts) - 1:
            size, first = size - len(posts[first]), first + 1
        write_atomically(home / FILE, ("\n\n".join(posts[first:]) + "\n").encode(), 0o600)


def remembered(home: Path) -> str:
    """All that is remembered, posts parted by blank lines; "" if nothing is."""
    try:
        return (home / FILE).read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError as error:
        raise SourceError(f"{home / FILE} is not UTF-8 text; mend it, or erase it: rejoinder own erase") from error


def erase(home: Path) -> bool:
    """Forget everything, also what a crash left of writing it; whether there was anything.

    Raises:
        HomeBusy: another process is changing it, and does not end.
    """
    there = (home / FILE).exists()
    if there or leftovers(home / FILE):
        with locked(home, "own erase", OWN):
            _sweep(home)
            (home / FILE).unlink(missing_ok=True)
    return there


def _sweep(home: Path) -> None:
    """Remove what crashes left of writing the file; with the lock."""
    for left in leftovers(home / FILE):
        left.unlink(missing_ok=True)


def own_model(home: Path, tokenizer: AnyTokenizer, before: OwnText | None = None) -> OwnText | None:
    """The model of what is remembered, `before` what it was when it was last made; None where no words are."""
    try:
        return count_own(remembered(home), tokenizer, before)
    except UsageError:
        return None

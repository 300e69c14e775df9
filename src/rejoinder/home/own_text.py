"""A personal model: what one person wrote, counted, and mixed into any rung that predicts.

The text is either a file of the person's own, which is only read, or what they asked to be remembered: one plain file in the home
folder, readable by them alone, which they can look at and erase (`rejoinder own`). No model of it is ever written: counting
takes a moment, and what is erased is gone from everywhere.
"""

from __future__ import annotations

import re
from pathlib import Path

from rejoinder.errors import SourceError, UsageError
from rejoinder.files import leftovers, write_atomically
from rejoinder.home.lock import OWN, locked
from rejoinder.models.interfaces import LanguageModel
from rejoinder.models.kneser_ney import KneserNey, KneserNeyConfig
from rejoinder.models.mixture import Mixture, with_personal
from rejoinder.post import Post
from rejoinder.text.ngrams import count_ngrams
from rejoinder.text.tensors import post_tokens
from rejoinder.text.tokenizer import AnyTokenizer

ORDER = 3  # tokens of the longest n-grams: a few pages of text hold little more
FILE = "personal.txt"  # in the home folder
MOST = 1_000_000  # characters remembered; the oldest posts go first
_BETWEEN_POSTS = re.compile(r"\n\s*\n")


def count_own(text: str, tokenizer: AnyTokenizer) -> KneserNey:
    """The model of plain text whose blank lines part one post from the next; lines that quote others (">") are left out.

    Raises:
        UsageError: no words are left.
    """
    paragraphs = [found.strip() for found in _BETWEEN_POSTS.split(text)]
    posts = [Post(number, text=paragraph) for number, paragraph in enumerate(paragraphs, start=1)]
    arrays = post_tokens(posts, tokenizer)
    if not len(arrays.posts):
        raise UsageError("a personal model needs text of your own: there are no words besides quotes")
    counts = count_ngrams(arrays, ORDER, tokenizer.vocabulary)
    return KneserNey.from_counts(KneserNeyConfig(order=ORDER), tokenizer, counts)


def with_own(name: str, model: LanguageModel, text: str) -> Mixture:
    """The rung of that name with a model of `text` mixed in.

    Raises:
        UsageError: the text has no words.
    """
    return with_personal(name, model, count_own(text, model.tokenizer))


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
        while len(posts) > 1 and sum(map(len, posts)) > MOST:
            posts.pop(0)
        write_atomically(home / FILE, ("\n\n".join(posts) + "\n").encode(), 0o600)


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


def own_model(home: Path, tokenizer: AnyTokenizer) -> KneserNey | None:
    """The model of what is remembered; None where no words are."""
    try:
        return count_own(remembered(home), tokenizer)
    except UsageError:
        return None

"""The tokenizer of a home: the package's, so that its own counts mix with the package's cell, unless another is worth more.

Another one is worth more where it cuts the home's text into a fifth fewer tokens, as it does where the language is another:
German 37%, English talk 6% at most, mail about code 12%. That is found out on a sample of train: one half to learn a tokenizer
from, one to count on.
"""

from __future__ import annotations

from itertools import islice

from rejoinder.corpus import Corpus
from rejoinder.home.workspace import Workspace
from rejoinder.models.interfaces import Progress
from rejoinder.text.tensors import TOKENIZER_FILE, open_tokenizer, train_tokenizer, write_tokens
from rejoinder.text.tokenizer import DEFAULT_SIZE, AnyTokenizer, Tokenizer

FEWER = 0.2  # of the tokens, by which another tokenizer is worth more
_SAMPLE = 4_000  # posts looked at, every second one to learn from


def write_tokens_of(
    space: Workspace, corpus: Corpus, size: int | None, progress: Progress, *, choose: bool, own: bool
) -> AnyTokenizer:
    """Write the token arrays of a corpus of this home, with the tokenizer it has or is given now.

    Args:
        space: the home.
        corpus: what is learned from.
        size: pieces of a tokenizer of the home's own; None: the package's, or one of its own where that is worth more.
        progress: told how it goes.
        choose: whether one is chosen even where the home has one.
        own: whether it is to be learned from the home's own text, whatever is worth more.
    """
    file = space.home / TOKENIZER_FILE
    if choose or own or not file.is_file():
        progress("choosing the tokenizer", 0, None)
        package = None if own or size else package_tokenizer()
        if package is not None and saved_by_own(corpus, package) < FEWER:
            package.save(file)
        else:
            progress("learning the tokenizer", 0, None)
            train_tokenizer(corpus, size or DEFAULT_SIZE).save(file)
    tokenizer = open_tokenizer(space.home)
    done = 0

    def count(posts: int) -> None:
        nonlocal done
        done += posts
        progress("posts to tokens", done, None)

    write_tokens(corpus, tokenizer, corpus.tokens, count)
    return tokenizer


def package_tokenizer() -> AnyTokenizer | None:
    """The tokenizer of the cell in the package; None where none came."""
    package = Workspace.shipped()
    found = package.fitted_or_none("lstm") if package else None
    return open_tokenizer(found.directory) if found else None


def saved_by_own(corpus: Corpus, package: AnyTokenizer) -> float:
    """The share of tokens that a tokenizer of the home's own would save, on posts of train it has not learned from."""
    texts = [post.own_text for post in islice(corpus.posts("train"), _SAMPLE)]
    learned, counted = texts[::2], [text for text in texts[1::2] if text]
    if not counted:
        return 0.0
    own = Tokenizer.train(learned, DEFAULT_SIZE)
    theirs = sum(map(len, package.encode_many(counted)))
    return 1 - sum(map(len, own.encode_many(counted))) / max(theirs, 1)

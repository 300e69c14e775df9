"""The tokenizer of a home: the package's, so that its own counts mix with the package's cell, unless another is worth more.

Another one is worth more where it cuts the home's text into a fifth fewer tokens, as it does where the language is another:
German 37%, English talk 6% at most, mail about code 12%. A tenth would be too few: with a tokenizer of its own such a home
is left with its counts, which pay 1.63 bits per byte of mail, and the mixture with the package's cell pays 1.43. To weigh the two
by what they pay on dev takes two fits and a cell over dev, more than the rest of a first fit. What is saved is found out on a
sample of train: one half to learn a tokenizer from, one to count on.
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from rejoinder.archive.reader import ArchiveCorpus
from rejoinder.corpus import Corpus
from rejoinder.home.workspace import Workspace
from rejoinder.models import LADDER, Can, those_that
from rejoinder.models.interfaces import Progress
from rejoinder.text.tensors import TOKENIZER_FILE, open_tokenizer, train_tokenizer
from rejoinder.text.tokenizer import DEFAULT_SIZE, AnyTokenizer, Tokenizer

FEWER = 0.2  # of the tokens, by which another tokenizer is worth more
_SAMPLE = 4_000  # posts looked at, every second one to learn from
_GLANCED = 300  # posts that two tokenizers are compared on


def settle_tokenizer(
    space: Workspace, corpus: Corpus, size: int | None, progress: Progress, *, choose: bool, own: bool
) -> AnyTokenizer:
    """The tokenizer that a home has, or is given now.

    Args:
        space: the home.
        corpus: whose train part is learned from; never one that puts held-out threads there, since the tokenizer stays.
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
    return open_tokenizer(space.home)


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
    return saved(counted, Tokenizer.train(learned, DEFAULT_SIZE), package)


def saved(texts: list[str], by: AnyTokenizer, of: AnyTokenizer) -> float:
    """The share of the tokens `of` one tokenizer that are saved `by` another; less than 0 where it takes more."""
    ours, theirs = (sum(map(len, tokenizer.encode_many(texts))) for tokenizer in (by, of))
    return 1 - ours / max(theirs, 1)


def would_gain(space: Workspace) -> str:
    """In a sentence, what `fit` would gain where the package has another tokenizer than this home by now; empty for nothing.

    A home goes on with the tokenizer it has: one of a package before, or of its own, which it keeps where that is worth more.
    """
    package = package_tokenizer()
    trained = any(LADDER[name].net and space.fitted_or_none(name) for name in those_that(Can.PREDICT))
    if package is None or trained or space.is_empty or not (space.home / TOKENIZER_FILE).is_file():
        return ""
    own = open_tokenizer(space.home)
    if own.fingerprint() == package.fingerprint():
        return ""
    with space.open_archive() as archive:
        posts = ArchiveCorpus(archive, Path()).posts("train")
        texts = [text for post in islice(posts, _GLANCED) if (text := post.own_text)]
    if not texts or saved(texts, own, package) >= FEWER:
        return ""
    fewer = saved(texts, package, own)
    measured = f"{abs(fewer):.1%} {'fewer' if fewer >= 0 else 'more'} tokens on {len(texts):,} posts of yours"
    return (
        f"the package has another tokenizer than this home ({measured}): with it, `rejoinder fit` mixes your counts with its cell"
    )

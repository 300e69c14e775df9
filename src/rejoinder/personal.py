"""A personal model: what one person wrote, counted, and mixed into any rung that predicts.

The text stays where it is: nothing of it is written to the home folder, and the model is gone when the process ends.
"""

from __future__ import annotations

import re

from rejoinder.errors import UsageError
from rejoinder.models.interfaces import LanguageModel
from rejoinder.models.kneser_ney import KneserNey, KneserNeyConfig
from rejoinder.models.mixture import Mixture, with_personal
from rejoinder.post import Post
from rejoinder.text.ngrams import count_ngrams
from rejoinder.text.tensors import post_tokens
from rejoinder.text.tokenizer import AnyTokenizer

ORDER = 3  # tokens of the longest n-grams: a few pages of text hold little more
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

"""Words of a few texts as arrays, for the tests of word vectors."""

from __future__ import annotations

from collections.abc import Iterable

from rejoinder.post import Post
from rejoinder.text.shards import Shards
from rejoinder.text.word_arrays import WordArrays, count_words


def read_words(texts: Iterable[str], rarest: int, most: int) -> WordArrays:
    """The words of `texts`, in memory."""
    return count_words(Shards.of(Post(0, text=text) for text in texts), rarest, most)

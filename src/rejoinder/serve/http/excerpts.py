"""So much of a long text as a model reads, so that nobody waits while the rest is taken apart only to be left out."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rejoinder.post import Post

MOST_CHARACTERS = 16_384  # of a text, or of all posts answered: some 4,000 tokens, where models read on from 1,024 at most
_STRIDE = 4_096  # characters by which the beginning moves on, so that what was read of a growing draft is of use for a while
_BLANK = re.compile(r"\s")


def end_of(text: str, most: int = MOST_CHARACTERS) -> str:
    """The end of a text from the beginning of a word on, at most `most` characters; all of it, if it is no longer."""
    if len(text) <= most:
        return text
    stride = min(_STRIDE, most)
    begin = -(-(len(text) - most) // stride) * stride
    blank = _BLANK.search(text, begin)
    return text[blank.start() if blank else begin :]


def nearest_posts(context: Sequence[Post], most: int = MOST_CHARACTERS) -> tuple[Post, ...]:
    """The last of the posts answered, as many as together have `most` characters, and the root, for its title."""
    kept: list[Post] = []
    left = most
    for post in reversed(context):
        if kept and left < len(post.text):
            break
        kept.append(post._replace(text=end_of(post.text, most)))
        left -= len(post.text)
    if context and len(kept) < len(context):
        kept.append(context[0]._replace(text=end_of(context[0].text, most)))
    return tuple(reversed(kept))

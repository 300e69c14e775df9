"""A discussion as a chat, for nets that were taught to answer in one: whose turn is told by marks, as ChatML has them.

    <|im_start|>ROLE, a line break, what is said, <|im_end|>, a line break          each turn; the last is begun, the net's own

A file's own template is a program, and is not run: it is known by its marks. Posts take turns backwards from the one that is
answered, which is the user's. What was answered before to like questions comes first, as turns, too, so that the net sees how
one answers here, and with what words. What is wanted stands after the last post: a small net that is only shown a post takes it
for a text to edit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rejoinder.models.interfaces import Cases
from rejoinder.post import Post

OPENS, CLOSES = "<|im_start|>", "<|im_end|>"
_ASKED = "You take part in an online discussion. Answer in one or two short, plain sentences, to the point."
TASK = "Write a short reply to this post: one or two sentences that say what you think of it, and why."
_LONGEST = 400  # characters of what was asked or answered in a case


def is_chat(template: str, marks: Sequence[str]) -> bool:
    """Whether a net was taught to answer in this form."""
    return OPENS in template and OPENS in marks and CLOSES in marks


def turns(context: Sequence[Post], cases: Cases, longest: int) -> Iterator[tuple[str, str]]:
    """Who says what before the net does: (role, text). Of the posts the last `longest` characters, of each case the first few."""
    yield "system", _ASKED
    for asked, answered in cases:
        yield "user", asked[:_LONGEST].strip()
        yield "assistant", answered[:_LONGEST].strip()
    said = list[str]()
    for text in (text for post in reversed(context) if (text := post.body.strip())):
        if longest <= 0:
            break
        said.append(text[-longest:])
        longest -= len(text)
    for place in reversed(range(1, len(said))):
        yield "assistant" if place % 2 else "user", said[place]
    yield "user", "\n\n".join([*said[:1], TASK])

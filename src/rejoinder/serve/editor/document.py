"""What of an editor's document is the draft, and what it answers.

    mail         the header is left out, quoted lines (">") are the post that is answered, the rest is the draft
    gitcommit    the lines that begin with "#" are git's, not the writer's
    all others   the text before the caret

Editors do not agree on the names of languages: Vim says "gitcommit", Visual Studio Code "git-commit", Emacs "message" for mail.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from rejoinder.engine.manners import at_line_end

_KINDS = {
    "markdown": "text",
    "plaintext": "text",
    "text": "text",
    "mail": "mail",
    "message": "mail",
    "gitcommit": "commit",
    "git-commit": "commit",
}
LANGUAGES = tuple(_KINDS)
_LONGEST = 4_000  # characters of a draft that are read: the models look no further back
_HEADER = re.compile(r"[!-9;-~]+:[ \t]")
_QUOTED = re.compile(r">+ ?")


class Draft(NamedTuple):
    """A document as the typing engine wants it."""

    answered: str  # the post that the draft answers; "" for none
    draft: str  # up to the caret


def read_document(language: str, text: str, caret: int) -> Draft | None:
    """The draft in `text` with the caret before its character `caret`; None where no help belongs.

    That is in languages which are not prose, inside a line (where only closing brackets, quotes and markers follow it has ended),
    and on lines that are not the writer's own.
    """
    kind = _KINDS.get(language)
    if kind is None or not at_line_end(text[caret : caret + _LONGEST]):
        return None
    above = text[:caret].replace("\r\n", "\n")
    line = above.rpartition("\n")[2]
    if kind == "commit":
        return None if line.startswith("#") else Draft("", _own(above, "#"))
    if kind == "mail":
        body = _without_header(above)
        return None if body is None or line.startswith(">") else Draft(_quoted(text), _own(body, ">").lstrip("\n"))
    return Draft("", _nearest(above))


def _own(text: str, mark: str) -> str:
    """The lines that do not begin with `mark`."""
    return _nearest("\n".join(line for line in text.split("\n") if not line.startswith(mark)))


def _nearest(text: str) -> str:
    """The end of a text, from the beginning of a line."""
    if len(text) <= _LONGEST:
        return text
    end = text[-_LONGEST:]
    return end.partition("\n")[2] or end


def _without_header(text: str) -> str | None:
    """A mail without its header; None if it has not ended yet."""
    if not _HEADER.match(text):
        return text
    header, _, body = text.partition("\n\n")
    return body if len(header) < len(text) else None


def _quoted(text: str) -> str:
    """What a mail quotes, without the marks."""
    lines = (line for line in text.splitlines() if line.startswith(">"))
    return "\n".join(_QUOTED.sub("", line) for line in lines).strip()[:_LONGEST]

"""What of an editor's document is the draft, and what it answers.

    mail         the header is left out, quoted lines (">") are the post that is answered, the rest is the draft
    gitcommit    the lines that begin with "#" are git's, not the writer's
    all others   the text before the caret, without the front matter that a document may begin with

Editors do not agree on the names of languages: Vim says "gitcommit", Visual Studio Code "git-commit", Emacs "message" for mail.
"""

from __future__ import annotations

import re
from enum import StrEnum
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
    "latex": "text",
    "tex": "text",
    "plaintex": "text",
    "restructuredtext": "text",
    "rst": "text",
    "asciidoc": "text",
    "org": "text",
    "typst": "text",
}
LANGUAGES = tuple(_KINDS)
_LONGEST = 4_000  # characters of a draft that are read: the models look no further back
_HEADER = re.compile(  # the fields a mail may begin with: "Note: " in a body is none
    r"(?:From|To|Cc|Bcc|Gcc|Fcc|Subject|Date|Reply-To|Sender|In-Reply-To|References|Message-ID|Newsgroups|Return-Path|Received"
    r"|Organization|User-Agent|MIME-Version|Content-[!-9;-~]+|X-[!-9;-~]+):",
    re.IGNORECASE,
)
_HEADER_END = re.compile(r"\n(?:\n|--text follows this line--\n)")  # the line is Emacs'
_FRONT = re.compile(  # before a field, a comment, a table, the end of it, or a name that is being written; else it is a rule
    r"""(---|\+\+\+)[ \t]*\n(?=[\w"'.-]+[ \t]*[:=]|\#|\[|\1|[\w"'.-]*\Z)"""
)
_QUOTED = re.compile(r">+ ?")
_FENCED = re.compile(r"^ {0,3}(```|~~~).*?(?:^ {0,3}\1[^\n]*$|\Z)", re.MULTILINE | re.DOTALL)


class Silence(StrEnum):
    """Why nothing is shown."""

    LANGUAGE = "the language is none of prose"
    INSIDE = "the caret is inside a line"
    HEADER = "the caret is in the header of a mail, or in front matter"
    FOREIGN = "the line is quoted, or git's own"
    UNSURE = "nothing was sure enough, or not in time"
    OFF = "help is switched off everywhere; `rejoinder switch on` brings it back"


class Draft(NamedTuple):
    """A document as the typing engine wants it."""

    answered: str  # the post that the draft answers; "" for none
    draft: str  # up to the caret


def read_document(language: str, text: str, caret: int) -> Draft | Silence:
    """The draft in `text` with the caret before its character `caret`; or why no help belongs there.

    It does not in languages which are not prose, inside a line (where only closing brackets, quotes and markers follow, it has
    ended), and on lines that are not the writer's own.
    """
    kind = _KINDS.get(language)
    if kind is None:
        return Silence.LANGUAGE
    if not at_line_end(text[caret : caret + _LONGEST]):
        return Silence.INSIDE
    above = text[:caret].replace("\r\n", "\n")
    line = above.rpartition("\n")[2]
    if line.startswith({"commit": "#", "mail": ">"}.get(kind, "\n")):
        return Silence.FOREIGN
    if kind == "commit":
        return Draft("", _own(above, "#"))
    body = _without_header(above) if kind == "mail" else _without_front(above)
    if body is None:
        return Silence.HEADER
    return Draft(_answered(above, text[caret:]), _own(body, ">").lstrip("\n")) if kind == "mail" else Draft("", _nearest(body))


def own_prose(language: str, text: str) -> str:
    """What of a document is prose of the writer's own: no header or front matter, no fences of code, none of git's lines."""
    kind = _KINDS.get(language)
    if kind is None:
        return ""
    plain = text.replace("\r\n", "\n")
    if kind == "commit":
        return "\n".join(line for line in plain.split("\n") if not line.startswith("#"))
    body = _without_header(plain) if kind == "mail" else _without_front(plain)
    return _FENCED.sub("", body or "")


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
    end = _HEADER_END.search(text)
    return text[end.end() :] if end else None


def _without_front(text: str) -> str | None:
    """A document without its front matter (YAML's or TOML's); None if it has not ended yet: what has a blank line is none."""
    front = _FRONT.match(text)
    if not front:
        return text
    end = re.compile(rf"^{re.escape(front[1])}[ \t]*\n", re.MULTILINE).search(text, front.end())
    if end is None:
        return text if "\n\n" in text else None
    return text[end.end() :]


def _answered(above: str, below: str) -> str:
    """What a mail quotes: above the caret the end of it, and as much as there is room for of what stands below."""
    return f"{_nearest(_quoted(above))}\n{_quoted(below)}"[:_LONGEST].strip()


def _quoted(text: str) -> str:
    """What a mail quotes, without the marks."""
    lines = (line for line in text.splitlines() if line.startswith(">"))
    return "\n".join(_QUOTED.sub("", line) for line in lines).strip()

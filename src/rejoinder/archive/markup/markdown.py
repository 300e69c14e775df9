"""Markdown to plain text: CommonMark with tables and strikethrough, by markdown-it-py, then as HTML. `@name` is dropped."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from functools import cache
from typing import Any

from markdown_it import MarkdownIt

from rejoinder.archive.markup.html import html_text

_RAW = re.compile(r"<(?!/?[a-zA-Z])|<(?=/?[a-zA-Z][\w.:-]*[^\w\s>/.:-])")

_MENTION = re.compile(r"(?<![\w/.@&])@[A-Za-z0-9_](?:[\w.-]*\w)?+(?![\w/@])")
_QUOTE = re.compile(r"\[quote(?:=[^\]\n]*)?\]|\[/quote\]", re.IGNORECASE)
_SPOILER = re.compile(r">!((?:(?!>!)[^\n])*?)!<")
_SMALL, _SMALL_WORD = re.compile(r"\^\(([^()\n]*)\)"), re.compile(r"(?<![^\s(\[])\^(?=[^\s^])")
_REDDITOR = re.compile(r"(?<![\w/])/?u/[\w-]{3,20}(?![\w/])")
_SIZE = re.compile(r"\|\d{1,5}x\d{1,5}\b.*")  # `![a teapot|690x207, 50%](...)`, as Discourse writes it
_FRAME = re.compile(r"\[/?(?:details|spoiler|poll|wrap|date|grid)\b[^\]\n]*\]", re.IGNORECASE)


def markdown_text(source: str) -> str:
    """The plain text of Markdown in which a single line break is a space."""
    return html_text(_reader(breaks=False).render(source))


def markdown_breaks_text(source: str) -> str:
    """The plain text of Markdown in which a line break is one."""
    return html_text(_reader(breaks=True).render(source))


def reddit_text(source: str) -> str:
    """The plain text of Reddit's Markdown, which also has `^(small) ^words`, `>!spoilers!<` and names such as `u/ada`."""
    made: list[str] = []
    fenced = False
    for line in source.split("\n"):
        fenced ^= line.lstrip().startswith(("```", "~~~"))
        if not fenced and "`" not in line and not line.startswith(("    ", "\t")):
            line = _SMALL_WORD.sub("", _SMALL.sub(r"\1", _SPOILER.sub(r"\1", line)))
            line = _REDDITOR.sub('<span class="mention"></span>', line)
        made.append(line)
    return markdown_text("\n".join(made))


def discourse_text(source: str) -> str:
    """The plain text of Discourse's Markdown, in which `[quote="name, post:1"]` and `[/quote]` enclose what is quoted."""
    made: list[str] = []
    depth, fenced = 0, False
    for line in source.split("\n"):
        fenced ^= line.lstrip().startswith(("```", "~~~"))
        at = 0
        for found in () if fenced else _QUOTE.finditer(line):
            if line[at : found.start()].strip():
                made.append("> " * depth + line[at : found.start()])
            depth, at = (max(depth - 1, 0) if found[0].startswith("[/") else depth + 1), found.end()
            made.append("> " * depth)  # so that neither what is quoted nor what follows is taken for part of the other
        if not at or line[at:].strip():
            made.append("> " * depth + (line if fenced else _FRAME.sub("", line[at:])))
    return markdown_breaks_text("\n".join(made))


def chat_html(source: str) -> str:
    """The HTML of Markdown in which a line break is one, and a tag is text."""
    made: str = _reader(breaks=True, tags=False).render(source)
    return made


@cache
def _reader(*, breaks: bool, tags: bool = True) -> MarkdownIt:
    reader = MarkdownIt("commonmark", {"breaks": breaks, "html": tags}).enable(["table", "strikethrough"])
    reader.add_render_rule("image", _image)
    reader.add_render_rule("text", _words)
    return reader


def _image(_: Any, tokens: Sequence[Any], index: int, *__: Any) -> str:
    """A picture is the words that stand for it."""
    return html.escape(_SIZE.sub("", tokens[index].content))


def _words(_: Any, tokens: Sequence[Any], index: int, *__: Any) -> str:
    """Words without the names of those who are mentioned."""
    return _MENTION.sub('<span class="mention"></span>', html.escape(tokens[index].content, quote=False))

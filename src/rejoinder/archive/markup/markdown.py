"""Markdown to plain text: CommonMark with tables and strikethrough, by markdown-it-py, then as HTML."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from functools import cache
from typing import Any

from markdown_it import MarkdownIt

from rejoinder.archive.markup.html import html_text

_RAW = re.compile(r"<(?!/?[a-zA-Z])|<(?=/?[a-zA-Z][\w.:-]*[^\w\s>/.:-])")


def markdown_text(source: str) -> str:
    """The plain text of Markdown in which a single line break is a space."""
    return html_text(_reader(breaks=False).render(source))


def markdown_breaks_text(source: str) -> str:
    """The plain text of Markdown in which a line break is one."""
    return html_text(_reader(breaks=True).render(source))


@cache
def _reader(*, breaks: bool) -> MarkdownIt:
    reader = MarkdownIt("commonmark", {"breaks": breaks, "html": True}).enable(["table", "strikethrough"])
    reader.add_render_rule("image", _image)
    return reader


def _image(_: Any, tokens: Sequence[Any], index: int, *__: Any) -> str:
    """A picture is the words that stand for it."""
    return html.escape(tokens[index].content)

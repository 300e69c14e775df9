"""Markup to the plain text described in `rejoinder.post`: quotes and code marked by how their lines begin, nothing else kept.

Every markup but plain text becomes HTML first, so that one reader decides what a quote, a code block or a link is.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module

from rejoinder.archive.html import clean

MARKUPS = {  # name -> module and function
    "plain": "plain:plain_text",
    "html": "html:html_text",
    "markdown": "markdown:markdown_text",  # a single line break is a space: Stack Exchange
    "markdown-breaks": "markdown:markdown_breaks_text",  # a line break is one: GitHub, Zulip
    "reddit": "markdown:reddit_text",
    "discourse": "markdown:discourse_text",
    "bbcode": "bbcode:bbcode_text",
    "mail": "mail:mail_text",
    "mail-html": "mail:mail_html_text",
    "mail-markdown": "mail:mail_markdown_text",
    "slack": "chat:slack_text",
    "discord": "chat:discord_text",
}


def to_text(source: str, markup: str) -> str:
    """The plain text of `source`, which any terminal, file and model can take."""
    return _reader(markup)(clean(source))


@cache
def _reader(markup: str) -> Callable[[str], str]:
    module, _, name = MARKUPS[markup].partition(":")
    function: Callable[[str], str] = getattr(import_module(f"{__name__}.{module}"), name)
    return function

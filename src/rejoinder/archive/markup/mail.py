"""Mail that another tool keeps, such as a help desk: plain, in HTML, or taken for Markdown; what it carries along is a quote."""

from __future__ import annotations

import re

from rejoinder.archive.mail.body import own_words
from rejoinder.archive.markup.html import html_text
from rejoinder.archive.markup.markdown import markdown_breaks_text

_SIGNATURE = re.compile(r"(?m)^(--\s?)$")  # right below a line, Markdown takes it for the rule under a heading


def mail_text(source: str) -> str:
    """The text of a plain mail."""
    return own_words(source.replace("\r\n", "\n"))


def mail_html_text(source: str) -> str:
    """The plain text of a mail in HTML."""
    return own_words(html_text(source))


def mail_markdown_text(source: str) -> str:
    """The plain text of a mail that a service for Markdown took in."""
    return own_words(markdown_breaks_text(_SIGNATURE.sub(r"\n\1", source.replace("\r\n", "\n"))))

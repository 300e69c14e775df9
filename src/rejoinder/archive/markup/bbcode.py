"""BBCode to plain text, through HTML: phpBB (also with its `:uid`), vBulletin and their kin. Unknown tags are text."""

from __future__ import annotations

import html
import re

from rejoinder.archive.markup.html import html_text

_CODE = re.compile(r"\[code(?:[=:][^\]]*)?\](.*?)\[/code(?::\w+)?\]", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"\[(/?)(\*|[a-z]+\d?)((?:[=:\s][^\]\n]*)?)\]", re.IGNORECASE)
_UID = re.compile(r":[0-9a-z]{5,8}$")
_SMILEY = re.compile(r"<!-- s(\S+) --><img[^>]*><!-- s\S+ -->")  # as phpBB keeps them
_DROPPED = frozenset(
    "b i u s color size font center left right justify indent sub sup highlight spoiler list img email tt attachment "
    "flash".split()
)


def bbcode_text(source: str) -> str:
    """The plain text of BBCode."""
    parts = _CODE.split(_SMILEY.sub(r"\1", source))
    made: list[str] = []
    for place, part in enumerate(parts):
        if place % 2:
            made.append(f"<pre>{_escaped(part)}</pre>")
        else:
            made.append(_TAG.sub(_html, _escaped(part)).replace("\n", "<br>"))
    return html_text("".join(made))


def _escaped(text: str) -> str:
    """Entities that the forum wrote are characters; all that is left is text."""
    return html.escape(html.unescape(text) if "&#" not in text else text, quote=False)


def _html(match: re.Match[str]) -> str:
    closing, name, value = match[1], match[2].lower(), _UID.sub("", match[3])
    if name == "quote":
        return "</blockquote>" if closing else "<blockquote>"
    if name == "url":
        address = html.escape(value.lstrip("= ").strip("\"'"))
        return "</a>" if closing else f'<a href="{address}">'
    if name == "*":
        return "<br>- "
    return "" if name in _DROPPED else match[0]

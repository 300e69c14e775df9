"""Hacker News HTML to plain text.

HN writes a tiny HTML: `<p>` between paragraphs, `<a href>`, `<i>`, `<pre><code>` and entities. It is read flat, tag by tag,
in one pass whose cost grows with the length alone: nothing nests here, so nothing can nest too deep. Nothing is executed
and nothing is fetched. What comes out is the plain text described in `rejoinder.post`: quotes and code are marked by how
their lines begin.

A `<` that begins no HTML tag (`a < b`, `<stdio.h>`) is text and stays.
"""

from __future__ import annotations

import html
import re

_TAG = re.compile(r"(</?[a-zA-Z][a-zA-Z0-9]*(?:\s[^<>]*)?/?>)")
_NAME = re.compile(r"</?([a-zA-Z0-9]+)")
_HREF = re.compile(r"""href\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>]+))""", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_LONG_NUMBER = re.compile(r"&#0*([0-9]{8,});?|&#(0{8,})")  # Python refuses to read a number of thousands of digits
# No two of these can make a third, and what is left for `html.unescape` is what it would have read itself.
_COMMON = (("&#x27;", "'"), ("&#x2F;", "/"), ("&quot;", '"'), ("&gt;", ">"), ("&lt;", "<"))

# The same where tags are still to be read: what a tag is made of is a mark meanwhile, which no printable text has.
_MARKED = (("&#x27;", "\x01"), ("&#x2F;", "\x02"), ("&quot;", "\x03"), ("&gt;", "\x04"), ("&lt;", "\x05"), ("&amp;", "\x06"))
_TAKEN = "\x07"  # where a tag was, so that what stood around it makes no other one
_MARKS = (("\x01", "'"), ("\x02", "/"), ("\x03", '"'), ("\x04", ">"), ("\x05", "<"), ("\x06", "&"), (_TAKEN, ""))
_PART = "\x08"  # stands between paragraphs
_LINK = re.compile(r'<a href="([^"<>]*)"(?: rel="nofollow")?>([^<>]*)</a>')  # as HN writes it

_BREAKS = frozenset("p br div li tr blockquote ul ol table hr h1 h2 h3 h4 h5 h6".split())
_PLAIN = frozenset("i b u s em strong code tt sub sup small span font center html head body title td th tbody img".split())
_HIDDEN = frozenset(("script", "style"))


def to_text(source: str) -> str:
    """The plain text of one item's HTML."""
    if source.isprintable() or ("<pre" not in source and source.replace("\n", " ").isprintable()):
        text = _plain(source) if "<" not in source else _few_tags(source)
        if text is not None:  # forty-nine items in fifty
            return text
    source = clean(source)
    return _Reader().read(_without_comments(source) if "<!--" in source else source)


def _plain(source: str) -> str | None:
    """The text of an item without a tag; None if it has an entity that is not common."""
    if "&" in source:
        for entity, character in _COMMON:
            source = source.replace(entity, character)
        if "&" in source:
            if source.count("&") != source.count("&amp;"):
                return None
            source = source.replace("&amp;", "&")
    return _paragraph(source)


def _few_tags(source: str) -> str | None:
    """The text of an item by few steps over the whole of it; None if it has tags other than HN's own, or uncommon entities."""
    if "&" in source:
        for entity, mark in _MARKED:
            source = source.replace(entity, mark)
        if "&" in source:
            return None
    if "</" in source:
        source = _LINK.sub(_linked, source).replace("<i>", _TAKEN).replace("</i>", _TAKEN).replace("</p>", "<p>")
    parts = source.split("<p>")
    if source.count("<") >= len(parts):
        return None
    source = _unmarked(_PART.join(parts))
    if ">" in source or "\n" in source or "  " in source:
        return "\n\n".join(filter(None, map(_paragraph, source.split(_PART))))
    return "\n\n".join(filter(None, map(str.strip, source.split(_PART))))


def _linked(match: re.Match[str]) -> str:
    address, shown = match[1], match[2].strip()
    if not address.startswith(shown.removesuffix("...")):  # the same character may be written in two ways
        address, shown = _unmarked(address), _unmarked(shown)
    return _TAKEN + _link_text(address, shown)


def _unmarked(text: str) -> str:
    for mark, character in _MARKS:
        text = text.replace(mark, character)
    return text


def unescape(text: str) -> str:
    """Entities to characters. The few that HN writes are replaced first, since `html.unescape` is slow."""
    if "&" in text:
        for entity, character in _COMMON:
            text = text.replace(entity, character)
        if "&" in text:
            text = clean(html.unescape(_LONG_NUMBER.sub(_short_number, text)))
    return text


def _short_number(match: re.Match[str]) -> str:
    return "\ufffd" if match[1] else "&#0"


def clean(text: str) -> str:
    """`text` that any terminal, file and model can take: no control characters, lone surrogates as U+FFFD."""
    if not text.isascii():
        text = _SURROGATE.sub("\ufffd", text)
    if text.isprintable():  # no newline either: the common case, and the fastest test there is
        return text
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROL.sub("", text)


def _without_comments(source: str) -> str:
    kept: list[str] = []
    at = 0
    while (start := source.find("<!--", at)) >= 0 and (end := source.find("-->", start)) >= 0:
        kept.append(source[at:start])
        at = end + 3
    return "".join([*kept, source[at:]])


class _Reader:
    """The state of one pass: finished blocks, the words of the block being read, and what encloses them."""

    def __init__(self) -> None:
        self.blocks: list[str] = []
        self.words: list[str] = []
        self.code = False
        self.link: tuple[str, int] | None = None  # the address, and where in `words` its text begins
        self.hidden: int | None = None  # where in `words` a script or style begins

    def read(self, source: str) -> str:
        for index, piece in enumerate(_TAG.split(source)):
            if index % 2:
                self.tag(piece)
            elif piece:
                self.words.append(unescape(piece))
        self.end_block()
        return "\n\n".join(self.blocks)

    def tag(self, tag: str) -> None:
        if tag == "<p>" and not self.code and self.hidden is None:  # seven tags in eight
            return self.end_block()
        named = _NAME.match(tag)
        assert named is not None  # noqa: S101 - for the type checker: every tag has a name
        name, closing = named.group(1).lower(), tag[1] == "/"
        if self.hidden is not None and name not in _HIDDEN:
            return None
        if name == "pre":
            self.end_block()
            self.code = not closing
        elif name == "a":
            self.end_link()
            href = None if closing else _HREF.search(tag)
            if href:
                self.link = (
                    clean(unescape(next(group for group in href.groups() if group is not None))),
                    len(self.words),
                )
        elif name in _BREAKS:
            if self.code:
                self.words.append("\n")
            else:
                self.end_block()
        elif name in _HIDDEN:
            self.hide(closing)
        elif name not in _PLAIN:
            self.words.append(unescape(tag))
        return None

    def hide(self, closing: bool) -> None:
        """Drop what stands between <script> and </script>; an unclosed one hides nothing."""
        if not closing:
            self.hidden = len(self.words)
        elif self.hidden is not None:
            del self.words[self.hidden :]
            self.hidden = None

    def end_link(self) -> None:
        """Put what the link says in place of its text."""
        if self.link is None:
            return
        address, start = self.link
        self.link = None
        shown = "".join(self.words[start:]).strip()
        del self.words[start:]
        self.words.append(_link_text(address, shown))

    def end_block(self) -> None:
        if self.link is not None:
            self.end_link()
        self.hidden = None
        raw = "".join(self.words)
        self.words.clear()
        block = _code(clean(raw)) if self.code else _paragraph(raw)
        if block:
            self.blocks.append(block)


def _link_text(address: str, shown: str) -> str:
    """HN shortens the address it shows, so the address itself is the text; other words are kept beside it."""
    same = not shown or address.startswith(shown.removesuffix("...").removesuffix("…"))
    return address if same else f"{shown} ({address})"


def _paragraph(raw: str) -> str:
    """White space folded, as a browser does; but a line that quotes stays a line of its own."""
    if ">" not in raw:
        if "  " not in raw and raw.isprintable():  # nothing to fold
            return raw.strip()
        return " ".join(raw.split())
    lines: list[list[str]] = []  # each as the words it is put together from
    quoting = True
    for line in raw.split("\n"):
        words = " ".join(line.split())
        if words.startswith(">"):
            lines.append([f"> {words.lstrip('> ')}".rstrip()])
            quoting = True
        elif words and quoting:
            lines.append([words])
            quoting = False
        elif words:
            lines[-1].append(words)
    return "\n".join(" ".join(line) for line in lines)


def _code(raw: str) -> str:
    """A code block to the letter; its lines begin with two spaces, which is what marks them as code."""
    lines = [line.rstrip() for line in raw.strip("\n").split("\n")]
    if not any(lines):
        return ""
    marked = all(line.startswith("  ") or not line for line in lines)
    return "\n".join(line if marked or not line else "  " + line for line in lines)

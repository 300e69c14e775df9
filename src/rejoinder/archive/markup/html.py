"""HTML to plain text, read by selectolax: blocks, lists, quotes, code verbatim, links as their address.

What is no tag of HTML (`a < b`, `vector<int>`) is text and stays. The tree is walked without recursion. Nothing is executed
and nothing is fetched.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from selectolax.lexbor import LexborHTMLParser, LexborNode

from rejoinder.archive.html import clean

_TAGS = (
    "a abbr acronym address applet area article aside audio b base basefont bdi bdo big blockquote body br button "
    "canvas caption center cite code col colgroup data datalist dd del details dfn dialog dir div dl dt em embed "
    "fieldset figcaption figure font footer form h1 h2 h3 h4 h5 h6 head header hr html i iframe img "
    "input ins kbd label legend li link main map mark menu meta meter nav noframes noscript object ol optgroup "
    "option output p param picture pre progress q rp rt ruby s samp script section select small source span strike "
    "strong style sub summary sup svg table tbody td template textarea tfoot th thead time title tr track tt u ul "
    "var video wbr "
).split()
_NO_TAG = re.compile(rf"<(?!/?(?:{'|'.join(_TAGS)})(?:[\s/>]|$)|!--|!doctype[^<>]*>)", re.IGNORECASE)
_HIDDEN = frozenset("script style head title template iframe noframes svg canvas object".split())
_HIDES = re.compile(rf"<(?P<name>(?:{'|'.join(sorted(_HIDDEN - {'head'}))})(?![a-z])|!--)", re.IGNORECASE)
_BLOCKS = frozenset(
    "p div h1 h2 h3 h4 h5 h6 ul ol dl table section article header footer aside figure details form hr address center fieldset "
    "main nav blockquote pre".split()
)
_LINES = frozenset("li tr dt dd summary figcaption caption option".split())
_MENTIONS = frozenset("mention user-mention mention-group user-group-mention".split())
_MENTION = re.compile(r"^(?:\0[:,]? *)+| ?\0")  # at the beginning, with what parts it from the words
_CELLS = frozenset(("td", "th"))
_NUMBER = re.compile(r"\d{1,6}")
_PREVIEWS = {"aside": "onebox", "div": "message_embed"}  # of a page that is linked to: Discourse's, Zulip's
_MAY_QUOTE = frozenset(("aside", "div", "details"))
# what mailers, and Discourse of mails, mark as a signature or as what is answered
_CARRIED = frozenset("signature gmail_signature moz-signature yahoo_quoted protonmail_signature_block elided".split())
_FRAMES = {"title": ("aside", "quote"), "meta": ("a", "lightbox")}  # of Discourse, by what they stand in: whose words a quote
# has, and a picture's size in bytes


def html_text(source: str) -> str:
    """The plain text of HTML."""
    if "<" not in source and "&" not in source:
        return _Text().done(source)
    body = LexborHTMLParser(_only_closed_hide(_NO_TAG.sub("&lt;", source))).body
    return _read(body) if body is not None else ""


def unmentioned(text: str) -> str:
    """Text in which "\\0" stands for whoever is mentioned, without it."""
    return _MENTION.sub("", text)


def _only_closed_hide(source: str) -> str:
    """`source` in which a tag that would hide all that comes after it, since nothing closes it, is text."""
    if not _HIDES.search(source):
        return source
    small = source.lower() if source.isascii() else re.sub("[A-Z]", lambda letter: letter[0].lower(), source)
    ends: dict[str, int] = {}

    def text_if_open(match: re.Match[str]) -> str:
        name = match["name"].lower()
        if name not in ends:
            ends[name] = small.rfind("-->" if name == "!--" else f"</{name}")
        return match[0] if match.end() <= ends[name] else f"&lt;{match[0][1:]}"

    return _HIDES.sub(text_if_open, source)


@dataclass
class _Text:
    """What has been read: finished lines, the line being read, and what encloses it."""

    lines: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    lists: list[int | None] = field(default_factory=list)  # the number of the next item; None: they have none
    item: str = ""  # what goes before the first words of the item that is being read
    quotes: int = 0
    gap: bool = False  # whether a blank line comes before the next one

    def end_line(self) -> None:
        raw = clean(unmentioned("".join(self.words)))
        self.words.clear()
        line = " ".join(raw.split())
        if not line:
            return
        line, self.item = self.item + line, ""
        self._add(f"> {line.lstrip('> ')}".rstrip() if self.quotes else line)

    def end_block(self) -> None:
        self.end_line()
        self.gap = True

    def begin_item(self, number: str) -> None:
        """An item of a list, which may say its number itself."""
        self.end_line()
        count = self.lists[-1] if self.lists else None
        if count is None:
            self.item = "- "
        else:
            count = int(number) if _NUMBER.fullmatch(number) else count
            self.item, self.lists[-1] = f"{count}. ", count + 1

    def end_item(self) -> None:
        self.end_line()
        self.item = ""

    def code(self, source: str) -> None:
        """A block of code, to the letter."""
        lines = [line.rstrip() for line in clean(source).strip("\n").split("\n")]
        mark = "> " if self.quotes else "  "
        for line in lines:
            self._add((mark + line).rstrip())
        self.gap = True

    def _add(self, line: str) -> None:
        if self.gap and self.lines:
            self.lines.append("")
        self.gap = False
        self.lines.append(line)

    def done(self, rest: str = "") -> str:
        self.words.append(rest)
        self.end_line()
        return "\n".join(self.lines).strip("\n")


def _read(body: LexborNode) -> str:
    text = _Text()
    links: list[tuple[str, int]] = []  # the address, and where in `words` its text begins
    stack: list[tuple[LexborNode, bool]] = [(body, False)]
    while stack:
        node, left = stack.pop()
        tag = node.tag or ""
        if left:
            _leave(text, node, tag, links)
        elif tag == "-text":
            text.words.append(node.text_content or "")
        elif tag == "pre":
            text.end_block()
            for line_break in node.css("br"):
                line_break.insert_before("\n")
            text.code(node.text(deep=True))
        elif tag in ("a", "span") and _is_mention(node):
            text.words.append("\0")
        elif tag == "div" and _is_frame(node):
            text.end_line()
        elif tag not in _HIDDEN and not tag.startswith(("-", "!", "_")):
            _enter(text, node, tag, links)
            stack.append((node, True))
            children = []
            child = node.first_child
            while child is not None:
                children.append((child, False))
                child = child.next
            stack += reversed(children)
    return text.done()


def _is_frame(node: LexborNode) -> bool:
    """Whether the element holds what a forum put around a quote or a picture."""
    outer = node.parent
    for kind in (node.attributes.get("class") or "").split():
        tag, within = _FRAMES.get(kind, ("", ""))
        if outer is not None and outer.tag == tag and within in (outer.attributes.get("class") or "").split():
            return True
    return False


def _is_quote(node: LexborNode, tag: str) -> bool:
    """Whether the words in it are somebody else's: a quote, a signature, or what a forum shows of a page that is linked to."""
    if tag not in _MAY_QUOTE:
        return tag == "blockquote"
    kinds = (node.attributes.get("class") or "").split()
    return _PREVIEWS.get(tag) in kinds or not _CARRIED.isdisjoint(kinds) or "data-signature" in node.attributes


def _is_mention(node: LexborNode) -> bool:
    """Whether the element names a person, as forums and chats mark it; what is marked as a hashtag too names none."""
    kinds = (node.attributes.get("class") or "").split()
    return "hashtag" not in kinds and any(kind in _MENTIONS for kind in kinds)


def _enter(text: _Text, node: LexborNode, tag: str, links: list[tuple[str, int]]) -> None:
    if tag == "br" and not "".join(text.words).strip():
        text.gap = True  # an empty line
    elif tag == "br":
        text.end_line()
    elif tag in _BLOCKS:
        text.end_block()
        text.quotes += _is_quote(node, tag)
        if tag in ("ol", "ul"):
            start = node.attributes.get("start") or ""
            text.lists.append(None if tag == "ul" else int(start) if _NUMBER.fullmatch(start) else 1)
    elif tag == "li":
        text.begin_item(node.attributes.get("value") or "")
    elif tag in _LINES:
        text.end_line()
    elif tag == "img":
        text.words.append(node.attributes.get("alt") or "")
    elif tag == "a":
        links.append((clean(node.attributes.get("href") or "").strip(), len(text.words)))


def _leave(text: _Text, node: LexborNode, tag: str, links: list[tuple[str, int]]) -> None:
    if tag in _BLOCKS:
        text.end_block()
        text.quotes -= _is_quote(node, tag)
        if tag in ("ol", "ul"):
            text.lists.pop()
    elif tag == "li":
        text.end_item()
    elif tag in _LINES:
        text.end_line()
    elif tag in _CELLS:
        text.words.append("  ")
    elif tag == "a":
        address, start = links.pop()
        _link(text.words, address, start)


def _link(words: list[str], address: str, start: int) -> None:
    """A link is its address; other words are kept beside it."""
    if start > len(words) or not address.lower().startswith(("http:", "https:", "mailto:", "ftp:")):
        return  # a block inside has ended the line, or the address leads nowhere outside the page
    shown = "".join(words[start:]).strip()
    del words[start:]
    bare = address.removeprefix("mailto:")
    same = not shown or bare.startswith(shown.removesuffix("...").removesuffix("…")) or shown == bare.partition("://")[2]
    words.append(bare if same else f"{shown} ({bare})")

"""What a kind of writing carries along beside its words, so that models read the words alone.

    forum     markup that was left over, words of moderators' programs, [/QUOTE]
    mail      footers of lists that stand within a line, masked addresses, "Ada writes", keys, tables and code
    speech    times, tags of who speaks, what the host reads out for sponsors and subscribers, a word said over and over
    prose     front matter, HTML, links of Markdown, licences, "Podcast: Play in new window"

It goes by patterns, on top of `rejoinder.text.cleaning`. A line that is furniture goes; within a line only what is no words.
"""

from __future__ import annotations

import re
from html import unescape
from typing import Literal

from rejoinder.text.cleaning import stripped

Register = Literal["forum", "mail", "speech", "prose", "hackernews"]

_LINK = re.compile(r"!?\[([^\[\]\n]{0,200})\]\s?\((?:[^()\s]{0,400}\)|(?=\s|$))")  # [words](address), also where that broke off
_TAG = re.compile(
    r"</?(?:a|abbr|b|blockquote|br|code|div|em|figure|hr|i|img|li|ol|p|pre|s|small|span|strong|sub|sup|u|ul|v)\b[^<>\n]{0,600}>",
    re.IGNORECASE,
)
_BBCODE = re.compile(r"\[/?(?:quote|b|i|u|url|img|size|color|code)(?:=[^\[\]\n]{0,200})?\]", re.I)
_STARS = re.compile(r"(?<!\*)\*\*(?=\S)([^*\n]{1,300}?)(?<=\S)\*\*(?!\*)")
_TIME = re.compile(r"[(\[]\d{1,2}:\d{2}(?::\d{2})?(?:\.\d+)?[)\]]:?[ ]?")
_AGAIN = re.compile(r"\b([\w']{1,20}[.!?,]?)(?: \1){3,}", re.I)  # "Bye. Bye. Bye. Bye.": a program heard music
_FRONT = re.compile(r"\A\s{0,9}\+\+\+.{0,2000}?\+\+\+\s?", re.S)
_BLANKS = re.compile(r"\n{3,}")
_KEY_LENGTH = 45
_KEY = re.compile(rf"(?<!\S)[\w+=/]{{{_KEY_LENGTH},}}")  # base64, digests
_SIGNED = re.compile(
    r"(?:(?<=[.!?:)])[ ]|\n)[-~]{0,2}[ ]?(?:(?:(?:Best|Kind|Warm|Many)[ ])?(?:[Rr]egards|[Ww]ishes|[Tt]hanks|Best|Cheers),[ ])?"
    r"(?:[A-Z](?:[a-z'.-]{0,20}|\.)[ ]?){1,4}(?:,?[ ](?:Ph\.?D\.?|MD|Dr\.?))?"
    r"(?:[ ](?:[\w&-]+[ ]){0,8}\S+[ ]?\.?(?:com|org|edu|net|uk|de|ca|fr))?\Z"
)  # a last line, or what follows the last sentence: "Ada", "Ada B. Example Example Software aexample example.org"
_LIST_FOOTER = re.compile(r"You received this message because you are subscribed.*", re.S)
_DIGITS = b"0123456789"
_PROSE = bytes(range(65, 91)) + bytes(range(97, 123)) + b" ,.'\"!?-;:()" + bytes(range(128, 256)) + _DIGITS
_NUMBERS, _SIGNS = (
    0.2,
    0.06,
)  # of a line's bytes at most are digits, and neither letters, digits, blanks nor points; else no prose
_LONG = 30  # bytes from which a line is looked at

_EVERYWHERE = r"^\W{4,}$ | \[email\] | ^\s{0,8}Content-(?:Type|Transfer) | ^.{0,40}\bmass\ deleted\b.{0,40}$"
_LINES = {
    "hackernews": _EVERYWHERE,
    "forum": rf"""{_EVERYWHERE} | ^(?:Link\ to\ content|\[?(?:deleted|removed)\]?|/?r/\w{{2,30}}|Picture\ of\ the\ Day)$
        | \bI\ am\ a\ (?:ro)?bot\b | \bbeep\ boop\b | \bPCPartPicker\b | ^\W{{0,4}}EDIT\W{{0,4}}$
        | ^\w{{2,25}}(?:\s\w{{2,25}})?\ (?:wrote|said|writes):$""",
    "mail": rf"""{_EVERYWHERE} | \bdomain\.name\.hidden | \ufffd | \bscrubbed\b | \bconfidential\ and\ may\ be\b
        | ^\s{{0,8}}(?:Hash|Version|Comment|Charset|Size|Desc|Name|Type|Url):\s
        | ^(?:[A-Z][\w.]{{1,20}}\s){{1,3}}(?:wrote|writes|said|asks|inquires)[:,]?$
        | ^(?:On|Quoting)\s.{{0,30}}\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun|\d{{4}})\b.{{0,140}}$ | \bvia\ [\w-]+\ <
        | ^(?:Le|El|Am|Op|Il|Den)\s.{{4,120}}(?:crit|escribi|schrieb|schreef|scritto|skrev)
        | ^\s{{0,8}}(?:diff\ --git|index\ [0-9a-f]{{6}}|@@\ |---\ a/|\+\+\+\ b/|\[\d+\]:?\ |\#)
        | \bsessionInfo\(\) | ^R\ version\ \d""",
    "speech": rf"""{_EVERYWHERE} | \b(?:episode|show|podcast)\ is\ (?:brought|sponsored|supported|made\ possible)\b
        | \bbrought\ to\ you\ by\b | \bpromo(?:\ )?code\b | \bWant\ to\ level\ up\ your\b
        | \byou\ can\ (?:subscribe|find)\b.{{0,60}}\b(?:Apple\ Podcasts|Spotify|podcast\ app|iTunes)
        | \b(?:favorite|favourite)\ podcatcher\b | \bsponsor(?:ed|s|ing)?\b.{{0,200}}(?:\.com|\.io|\.dev|\.fm|\bslash\b)
        | \b(?:https?://|[\w-]{{2,40}}\.(?:com|io|dev|fm|org|net|sh|ai)/[\w-]) | ^(?:[A-Z][\w'.-]{{1,20}}\s?){{1,3}}:$
        | ^\[?(?:Break|Outro|Intro|Jingle|Music|Laughter)\b.{{0,20}}\]?:?$""",
    "prose": rf"""{_EVERYWHERE} | \bCreative\ Commons\b | \bpublic\ domain\b | \bCC[- ]?(?:0|BY)\b | ^Podcast:\ Play\ in\b
        | ^\W{{0,4}}(?:PEP:\ \d|PEP-Delegate:|Author:|Status:|Created:|Feature\ Name:|Start\ Date:|RFC\ PR:|Review:|Proposal:)
        | ^\W{{0,4}}Rust\ Issue: | \bSubscribe\ with\ iTunes\b | \b(?:episode|podcast)\b.{{0,60}}\bsubscribe\b
        | ^\[extra\]\ team\b | ^(?:Slides|Transcript|Video):?$ | \bTechnorati\b | ^Links\ shared\ from\b
        | \bunpaid\ transcriptions\b | ^\#\w+\ " | ^\*{{3}} | ^={{3,}} | \bhref=|\[/tags\]|\[tags\]
        | [-–]\ ?\d\d:\d\d:\d\d:?$ | \b(?:Follow|Like)\ us\ on\b | ^(?:[A-Z][\w'.-]{{1,20}}\s?){{1,3}}:$""",
}
_FURNITURE = {register: re.compile(pattern, re.VERBOSE) for register, pattern in _LINES.items()}
_HINTS = {  # a line of some length that holds none of these is no furniture: looking for them costs less
    "forum": "[email]|mass deleted|bot|beep|PCPart",
    "mail": "[email]|domain.name|\ufffd|scrubbed|confidential|On | via |sessionInfo|wrote|crit|schrieb|index |@@|diff",
    "speech": "[email]|brought|sponsor|upported|possible|podcatcher|subscribe|can find|://|com/|io/|dev/|fm/|org/|net/|sh/|ai/"
    "|promo|level up",
    "prose": "[email]|href=|tags]|Creative|public domain|CC|PEP:|Author|Status|Feature|Start Date|RFC PR|Review:|Proposal"
    "|Rust Issue|ubscribe|[extra]|Technorati|del.icio|unpaid|***|===|Follow us|Like us",
}
_HINT = {register: hints.split("|") for register, hints in _HINTS.items()}
_SHORT = 80  # characters of a line that is looked at in any case
_LISTSERVE = re.compile(r"^\[The Listserve\]\s?|^Re:\s?", re.I)


def words_only(text: str, register: Register) -> str:
    """`text`, already without quotes, as a model may read it: without mail furniture, and without that of its register.

    Posts of Hacker News are read as they stand, so that figures on them stay what they are.
    """
    if register == "hackernews":
        return stripped(text)
    text = _without_markup(text, register)
    furniture = _FURNITURE[register]
    hints, kept = _HINT[register], []
    for line in text.split("\n"):
        looked_at = len(line) < _SHORT or any(hint in line for hint in hints)
        if not line or (not (looked_at and furniture.search(line)) and _is_prose(line)):
            kept.append(line.rstrip())
    left = stripped(_BLANKS.sub("\n\n", "\n".join(kept)).strip())
    return _unsigned(left) if register == "mail" else left


def title_only(title: str, register: Register) -> str:
    """A title without what a list puts before all of them."""
    return stripped(title) if register == "hackernews" else stripped(_LISTSERVE.sub("", unescape(title))).strip(" -")


def _without_markup(text: str, register: Register) -> str:
    if "&" in text:
        text = unescape(text)
    if register == "mail":
        text = _LIST_FOOTER.sub("", text)
    if register == "speech":
        text = _AGAIN.sub(r"\1", _TIME.sub("", text))
    if register == "prose":
        text = _FRONT.sub("", text).replace('\\"', '"')  # a quote that a tool escaped
    if "](" in text or "] (" in text:
        text = _LINK.sub(r"\1", text)
    if "<" in text:
        text = _TAG.sub("", text)
    if "[" in text:
        text = _BBCODE.sub("", text)
    return _STARS.sub(r"\1", text) if "**" in text else text


def _unsigned(text: str) -> str:
    """A mail without the lines of names and places under it."""
    while (signed := _SIGNED.search(text)) is not None:
        text = stripped(text[: signed.start()].rstrip())
    return text


def _is_prose(line: str) -> bool:
    """Whether a line is made of words: not code, a table, a key."""
    if len(line) < _LONG:
        return True
    written = line.encode("utf-8", "replace")
    size = len(written)
    signs, digits = len(written.translate(None, _PROSE)), size - len(written.translate(None, _DIGITS))
    return signs <= _SIGNS * size and digits <= _NUMBERS * size and not (size > _KEY_LENGTH and _KEY.search(line))

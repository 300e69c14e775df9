"""What must not be learned from a post for a model that is given away: mail furniture, and how to reach a person.

    attribution   "On Mon, 3 Jan 2022, Ada Example wrote:"
    trailers      "Signed-off-by: ...", "Cc: ...", the footers of mailing lists, "Sent from my phone", armoured blocks
    signatures    "-- " and what follows; "Best regards," with the name that follows, at the end
    addresses     e-mail addresses and telephone numbers, also where they are spelled out ("ada at example dot org")

A line that holds one is left out whole, since what stands around an address says whose it is. It goes by patterns: names within
sentences stay, and a number that only looks like a telephone's takes its line along.
"""

from __future__ import annotations

import re

_AT = r"(?:\bat\b | [\[(<{]\s?(?:at|@)\s?[\])>}] | (?<=\w)[_-]at[_-](?=\w) | \s-at-\s | \s@\s)"  # as people hide it
_DOT = r"(?:\bdot\b | [\[(<{]\s?(?:dot|\.)\s?[\])>}] | (?<=\w)[_-]dot[_-](?=\w) | \s-dot-\s)"
_MAIL = r"(?:g(?:oogle)?mail|hotmail|outlook|yahoo|ymail|icloud|proton(?:mail)?|fastmail|tutanota|gmx|aol|posteo|mailbox|zoho)"
_ADDRESSES = re.compile(
    rf"""(?<=[\w.+-])@[\w-]{{1,64}}(?:\.\w | \s?{_DOT}\s?[a-z]{{2}}) | (?<!\w)@email\b | \bmailto:  # @email: it was masked
    | {_AT} \s? (?!(?:the|an?|this|that)\b) [\w-]{{1,64}} (?:\.[\w-]{{1,64}}){{0,2}} \s? {_DOT} \s? [a-z]{{2}}
    | (?:[\[(<{{]\s?at\s?[\])>}}] | (?<=\w)\s@\s) \s? [\w-]{{1,64}}\.[a-z]{{2}}
    | (?:{_AT}|@) \s? {_MAIL}\.[a-z]{{2}}
    | (?<=\w)[\[(<{{\s]{{1,2}}(?:@|at)[\])>}}\s]{{1,2}}g(?:oogle)?mail(?=\s*$|[.,;:!?)](?:\s|$))
    | \be-?mail\b .{{0,40}} \s [\w.+-]{{2,64}} \s at \s [\w-]{{1,64}}\.[a-z]{{2}}
    | (?-i: [a-z\d]AT[a-z\d][\w-]{{0,62}}DOT[a-z]{{2}})""",
    re.IGNORECASE | re.VERBOSE,
)
_HINTS = "@ dot mail at] at) at} at> [.] (.) {.} <.> yahoo outlook icloud proton tutanota gmx aol posteo zoho".split()
_TELEPHONES = re.compile(
    r"""(?<![\w./]) (?<!\d-) (?:1[ .-])? \(?[2-9]\d\d\)? [ .-]{1,2} \d{3} [ .-] \d{4} (?![\w/-])      # 555-010-0199
    | (?<![\w./+]) \+\d{1,3} [ .-]? (?:\(\d{1,4}\)[ .-]?)? \d(?:[ .-]?\d){6,11} (?![\w/])
    | (?<![\w./,-]) (?<!\d\s) (?:\(0[1-9]\d{1,4}\)\s? | 0[1-9]\d{1,4}[ -]) (?:\d{3,4}[ -]\d{3,4} | \d{6,8})
      (?![\w/.-]{0,9}\d)                                                                     # 020 7946 0958
    | (?<![\w./,-]) (?<!\d\s) 0[1-9](?:[ .]\d\d){4} (?![ .]?\w)                             # 01 23 45 67 89
    | \b(?:tel|telephone|phone|fax|mobile|cell|whatsapp|vox)\b \W{0,4} \d(?:[ ().-]{0,2}\d){5}""",
    re.IGNORECASE | re.VERBOSE,
)
_DIGITS = re.compile(r"\d(?:[^\d\n]{0,4}\d){5}")  # every telephone number has so many so near to each other
_FURNITURE = re.compile(
    r"""^\s{0,8}(?:[a-z]{1,20}-){1,4}by:\s | \b(?:signed-off|reviewed|acked|tested|reported|suggested)-by:\s
    | ^\s{0,8}(?:b?cc|message-id|change-id|in-reply-to):(?:\s|$) | ^\s{0,8}fixes:\s[0-9a-f]{8}
    | ^_{10,}\s*$ | /mailman/listinfo/ | _{3}.{0,80}\bmailing\s+list\b | \bmailing\s+list\b.{0,200}(?:listinfo|--\s?to\s+unsub)
    | ^[\w.-]{1,40}\s+mailing\s+list\s*$
    | \bto\s+unsubscribe\b.{0,80}(?:https?:|\bvisit\b|\bclick\b|\bsend\b|\bfrom\s+this\s+(?:list|group)\b|\band\s+more\b)
    | ^\W{0,8}alternative\s+html\s+version\s+deleted
    | ^\s{0,8}sent\s+(?:from|with|via|using)\s+(?:my|a|the|mail|outlook|proton|yahoo|gmail|thunderbird|iphone|\[)\b.{0,80}$
    | ^\s{0,8}get\s+outlook\s+for\b""",
    re.IGNORECASE | re.VERBOSE,
)
_ATTRIBUTION = re.compile(
    r"""On\s.{4,140}\bwrote:\s*(?:>.*)?$                 # with what is quoted on the same line, too
    | (?=.{0,140}(?:\d{4}|\d:\d\d|[<>@])).{0,220}\b(?:wrote|writes):\s*$
    | (?:[A-Z]\S{0,30}\s){1,3}(?:wrote|writes):\s*$""",
    re.VERBOSE,
)
_OPENING = re.compile(r"On\s.{0,80}\b\d{4}\b.{0,100}$")  # an attribution that goes on in the next line
_CLOSING = re.compile(
    r"""\s{0,8}(?:(?:(?:with\s)?(?:best|kind|kindest|warm|many|friendly)\s)?(?:regards|wishes|greetings)|best|cheers
    |(?:many\s)?thanks(?:\sagain|\sin\sadvance|\sa\slot|,?\s(?:and\s)?(?:best\s|kind\s)?regards)?|thank\syou|thx|rgds|br
    |(?:yours\s)?(?:sincerely|truly|faithfully))(?P<comma>,?)[\s.!-]*$""",
    re.IGNORECASE | re.VERBOSE,
)
_DASHED = re.compile(r"[-–—~]{1,2} ?[A-Z][\w.]*(?: [A-Z][\w.]*){0,2}$")  # "- Ada" under the text
_BULLETS = ("-", "–", "—", "*", "~")
_ARMOUR = re.compile(r"\s{0,8}-----(BEGIN|END) [A-Z ]+-----")
_ORIGINAL = re.compile(r"\s{0,8}-{2,20}\s?Original Message\s?-{2}", re.IGNORECASE)
_SIGNATURE_LINES = 10  # below "-- " at most
_RULE_LINES = 4  # below "--" at most; where more follows, or a long line, it is a rule across the page
_RULE_WIDTH = 80
_NAME_LINES = 4  # below a closing at most
_NAME_WORDS = 6  # in each of them at most


def stripped(text: str) -> str:
    """`text` without what is named above; the very same text where there is nothing of it.

    What is taken away may lay open more of it (a signature above a footer), so this goes on until nothing is left.
    """
    lines = text.split("\n")
    while (shorter := _without_end(_without_furniture(lines))) != lines:
        text = "\n".join(shorter).rstrip()
        lines = text.split("\n")
    return text


def _without_furniture(lines: list[str]) -> list[str]:
    """The lines but for those that are left out wherever they stand; blank ones left over are closed up."""
    kept: list[str] = []
    armoured = False
    dropped = False
    for line in lines:
        if _ORIGINAL.match(line):
            return kept
        armour = _ARMOUR.match(line)
        armoured = armour[1] == "BEGIN" if armour else armoured
        if armour or armoured or _attributes(line, kept) or _FURNITURE.search(line) or _reaches(line):
            dropped = True
        elif line.strip() or not dropped or (kept and kept[-1].strip()):
            kept.append(line)
    return kept


def _reaches(line: str) -> bool:
    """Whether a line holds an e-mail address or a telephone number."""
    dense = line.lower().replace(" ", "")
    if any(hint in dense for hint in _HINTS) and _ADDRESSES.search(line):  # no address is without one, most lines are
        return True
    return _DIGITS.search(line) is not None and _TELEPHONES.search(line) is not None


def _attributes(line: str, kept: list[str]) -> bool:
    """Whether a line says who wrote what follows; if it began in the line before, that one is taken out of `kept`."""
    ending = line.rstrip()
    if "wrote:" not in line and not ending.endswith("writes:"):
        return False
    if kept and len(line) < 100 and ending.endswith("wrote:") and _OPENING.match(kept[-1]):
        kept.pop()
        return True
    return _ATTRIBUTION.match(line) is not None


def _without_end(lines: list[str]) -> list[str]:
    """The lines up to the signature."""
    end = len(lines)
    while (shorter := _end(lines, end)) < end:
        end = shorter
    return lines[:end]


def _end(lines: list[str], end: int) -> int:
    """Where the text of `lines[:end]` ends and only a signature is left; `end` if there is none."""
    for place in range(max(end - _SIGNATURE_LINES - 1, 0), end):
        if lines[place] == "-- " or (lines[place] == "--" and _is_small(lines[place + 1 : end])):
            return place
    written: list[int] = []  # the last few, the last one first
    for place in range(end - 1, -1, -1):
        if lines[place].strip():
            written.append(place)
            if len(written) > _NAME_LINES:
                break
    for above, place in enumerate(written):
        closing = _CLOSING.match(lines[place])
        if closing and _is_name([lines[below] for below in written[:above]], bool(closing["comma"])):
            return place
    if len(written) > 1 and _DASHED.match(lines[written[0]]) and not lines[written[1]].lstrip().startswith(_BULLETS):
        return written[0]
    return end


def _is_small(below: list[str]) -> bool:
    return len([line for line in below if line.strip()]) <= _RULE_LINES and all(len(line) <= _RULE_WIDTH for line in below)


def _is_name(below: list[str], comma: bool) -> bool:
    """Whether the lines below a closing are those of a name; "Thanks!" alone is something that was said."""
    if not comma:
        return len(below) == 1 and len(below[0].split()) <= 3 and below[0].strip()[:1].isupper() and below[0][-1:].isalpha()
    return all(len(line.split()) <= _NAME_WORDS and not line.rstrip().endswith("?") for line in below)

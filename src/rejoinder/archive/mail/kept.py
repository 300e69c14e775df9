"""Mail that nobody keeps as a letter: deleted ones, drafts, spam, and what mail programs write into a folder for themselves.

Source: the headers that Mozilla and Gmail's Takeout write into their files; X-Status of mutt, pine and Dovecot; X-Unsent of
Outlook; the flags of D. J. Bernstein's Maildir, and of Apple Mail as J. Zawinski lists them ("emlx flags?", 2005).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

_EXPUNGED = 0x8  # of X-Mozilla-Status
_HEADERS = frozenset("x-mozilla-status x-status x-unsent x-imap x-imapbase x-gmail-labels".split())
_HEXADECIMAL = re.compile(r"[0-9A-Fa-f]{4}")
_OF_A_PROGRAM = "FOLDER INTERNAL DATA"  # in the subject of the first mail of some folders
DELETED, DRAFT, SPAM = "a mail that was deleted", "a draft", "spam"
_LABELS = {  # of Gmail, in the language of its account
    **dict.fromkeys("trash bin papierkorb corbeille papelera lixeira cestino prullenbak kosz корзина ゴミ箱".split(), DELETED),
    **dict.fromkeys("drafts draft entwürfe brouillons borradores rascunhos bozze concepten черновики 下書き".split(), DRAFT),
    **dict.fromkeys("spam спам 迷惑メール 垃圾邮件".split(), SPAM),
}
_FOLDERS = _LABELS | {
    **dict.fromkeys(("deleted messages", "deleted items"), DELETED),
    **dict.fromkeys(("unsent messages", "templates"), DRAFT),
    **dict.fromkeys(("junk", "junk e-mail"), SPAM),
}
_FLAGS = re.compile(r"[:;!]2,([A-Za-z]*)$")  # of a Maildir, at the end of a file's name
_APPLE = re.compile(rb"<key>flags</key>\s*<integer>(\d{1,19})</integer>")
_APPLE_FLAGS = {1 << 1: DELETED, 1 << 6: DRAFT, 1 << 24: SPAM}


def left_out(names: Iterable[str], header: Callable[[str], str]) -> str:
    """Why a mail with headers of such names is no letter that anybody keeps; "" for one that is."""
    if _HEADERS.isdisjoint(map(str.lower, names)):
        return ""
    mozilla, flags = header("X-Mozilla-Status"), header("X-Status")
    if (_HEXADECIMAL.fullmatch(mozilla) and int(mozilla, 16) & _EXPUNGED) or "D" in flags:
        return DELETED
    if "T" in flags or header("X-Unsent") == "1":
        return DRAFT
    if _OF_A_PROGRAM in header("Subject") and (header("X-IMAP") or header("X-IMAPbase")):
        return "what a mail program wrote into its folder"
    labels = (label.strip(' "').casefold() for label in header("X-Gmail-Labels").split(","))
    return next((_LABELS[label] for label in labels if label in _LABELS), "")


def left_out_of_maildir(folder: str, name: str) -> str:
    """Why the file of that name in such a folder of a Maildir is no letter that anybody keeps; "" for one that is."""
    found = _FLAGS.search(name)
    if found and set(found[1]) & {"T", "D"}:
        return DELETED if "T" in found[1] else DRAFT
    return left_out_of_folder(folder.rpartition("/")[2].rpartition(".")[2])


def left_out_of_folder(name: str) -> str:
    """Why nobody keeps what is in a folder of that name; "" for any other."""
    return _FOLDERS.get(name.casefold(), "")


def left_out_of_apple(raw: bytes) -> str:
    """Why the mail in an .emlx file is no letter that anybody keeps, by the facts below it; "" for one that is."""
    found = _APPLE.search(raw, max(len(raw) - 4_096, 0)) if raw.rstrip().endswith(b"</plist>") else None
    flags = int(found[1]) if found else 0
    return next((why for flag, why in _APPLE_FLAGS.items() if flags & flag), "")

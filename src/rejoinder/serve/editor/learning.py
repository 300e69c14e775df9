"""Learning from what is written in an editor, where that is asked for: sentences that were typed there and finished, each once.

A line that another follows is finished too, such as "Kind regards,": who writes it each time is helped most.

What stood in a document before, and what came into it in one piece (pasted, put in by a program), is not one's own. Nothing
is kept here: whoever makes a `Learning` says where sentences go. The page and the extension do the same by
`page/typing/learning.js`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from rejoinder.serve.editor.document import own_prose

_SENTENCE = re.compile(r"""\S[^.!?…。！？\n]*([.!?…。！？]+["'”’)\]»]*(?=\s|\Z))?""")  # or what is none: nothing is read twice
_FEWEST = 2  # words of a sentence that is worth counting
_MOST = 20_000  # characters of a document that are looked at when one pauses, its end


def sentences(text: str, most: int | None = _MOST) -> list[str]:
    """The finished sentences of the last `most` characters of a text, in order; lines that quote others (">") are left out.

    One that begins a line has the line break before it.
    """
    lines = text[-most if most else 0 :].split("\n")
    found = list[str]()
    for number, line in enumerate(lines):
        if line.lstrip().startswith(">"):
            continue
        for match in _SENTENCE.finditer(line):
            whole = match[1] or number + 1 < len(lines)
            begins = number > 0 and not line[: match.start()].strip()
            if whole and len(match[0].split()) >= _FEWEST:
                found.append("\n" * begins + match[0].rstrip())
    return found


def inserted(before: str, after: str) -> str:
    """What stands in `after` where it differs from `before`: between the longest common beginning and the longest common end."""
    most = min(len(before), len(after))
    head = _longest(most, lambda size: before[:size] == after[:size])
    tail = _longest(most - head, lambda size: size == 0 or before[-size:] == after[-size:])
    return after[head : len(after) - tail]


def _longest(most: int, agrees: Callable[[int], bool]) -> int:
    """The largest size up to `most` that agrees, where all smaller ones do."""
    least = 0
    while least < most:
        middle = (least + most + 1) // 2
        least, most = (middle, most) if agrees(middle) else (least, middle - 1)
    return least


@dataclass
class _Written:
    """A document that is open."""

    language: str
    text: str
    known: set[str] = field(default_factory=set)  # sentences that are not to be kept (again)

    def prose(self) -> str:
        """What of it is of its writer's own."""
        return own_prose(self.language, self.text)

    def know(self, some: Iterable[str]) -> None:
        """Do not keep these (again), wherever in a line they stand."""
        self.known.update(map(str.strip, some))

    def fresh(self, end: str) -> list[str]:
        """The sentences that are not known, each once; `end`: what the text ends with."""
        return [*{one.strip(): one for one in sentences(self.prose() + end) if one.strip() not in self.known}.values()]


class Learning:
    """Watches documents, named by their URIs, as they are edited."""

    def __init__(self, keep: Callable[[str], None]) -> None:
        """`keep` takes finished sentences, in one text."""
        self._keep = keep
        self._open: dict[str, _Written] = {}

    def opened(self, uri: str, language: str, text: str) -> None:
        """A document is there: what stands in it was not written now."""
        written = self._open[uri] = _Written(language, text)
        written.know(sentences(f"{written.prose()}\n", None))

    def inserted(self, uri: str, piece: str) -> None:
        """A piece has come into it at once; one that holds a whole sentence was not typed."""
        if written := self._open.get(uri):
            written.know(sentences(f"{piece}\n", None))

    def changed(self, uri: str, text: str) -> None:
        """It is another text now."""
        if written := self._open.get(uri):
            written.text = text

    def paused(self, uri: str, end: str = "") -> None:
        """Its writer has come to a stop: it was saved. What is new is kept; of an `end` the last line too."""
        if (written := self._open.get(uri)) and (fresh := written.fresh(end)):
            written.know(fresh)
            self._keep("".join(one if one.startswith("\n") else f" {one}" for one in fresh).strip())

    def closed(self, uri: str) -> None:
        """It is no longer there."""
        self.paused(uri, "\n")
        self._open.pop(uri, None)

    def ended(self) -> None:
        """Nothing is written any more."""
        for uri in list(self._open):
            self.closed(uri)

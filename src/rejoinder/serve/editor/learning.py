"""Learning from what is written in an editor, where that is asked for: sentences that were typed there and finished, each once.

What stood in a document before, and what came into it in one piece (pasted, put in by a program), is not one's own. Nothing
is kept here: whoever makes a `Learning` says where sentences go. The page and the extension do the same by
`page/typing/learning.js`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from rejoinder.serve.editor.document import own_prose

_SENTENCE = re.compile("\\S[^.!?…。！？\n]*[.!?…。！？]+[\"'”’)\\]»]*(?=\\s|\\Z)")
_FEWEST = 3  # words of a sentence that is worth counting
_MOST = 20_000  # characters of a document that are looked at, its end
_LARGEST = 2_000_000  # characters of a document that is looked at at all


def sentences(text: str) -> list[str]:
    """The finished sentences of a text, in order; lines that quote others (">") are left out."""
    own = "\n".join(line for line in text[-_MOST:].split("\n") if not line.lstrip().startswith(">"))
    return [found for found in _SENTENCE.findall(own) if len(found.split()) >= _FEWEST]


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

    def fresh(self) -> Iterator[str]:
        """The sentences that were typed since they were last asked for."""
        for sentence in sentences(own_prose(self.language, self.text)):
            if sentence not in self.known:
                self.known.add(sentence)
                yield sentence


class Learning:
    """Watches documents, named by their URIs, as they are edited."""

    def __init__(self, keep: Callable[[str], None]) -> None:
        """`keep` takes finished sentences, in one text."""
        self._keep = keep
        self._open: dict[str, _Written] = {}

    def opened(self, uri: str, language: str, text: str) -> None:
        """A document is there: what stands in it was not written now."""
        written = self._open[uri] = _Written(language, text)
        written.known.update(written.fresh())

    def changed(self, uri: str, text: str) -> None:
        """It is edited. A piece that holds a whole sentence was not typed."""
        written = self._open.get(uri)
        if written is None:
            return
        if max(len(text), len(written.text)) <= _LARGEST:
            written.known.update(sentences(inserted(written.text, text)))
        else:
            written.known.update(sentences(text))
        written.text = text

    def paused(self, uri: str) -> None:
        """Its writer has come to a stop: it was saved, or is closed. What is new is kept."""
        written = self._open.get(uri)
        if written is not None and (found := " ".join(written.fresh())):
            self._keep(found)

    def closed(self, uri: str) -> None:
        """It is no longer there."""
        self.paused(uri)
        self._open.pop(uri, None)

    def ended(self) -> None:
        """Nothing is written any more."""
        for uri in list(self._open):
            self.closed(uri)

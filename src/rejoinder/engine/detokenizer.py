"""Tokens to text while they come: whole characters only, and nothing of what must stop the text.

A token may end inside a character, so bytes are kept until they make one. The end of the text so far may be the beginning of a
stop string, so that much is kept until it is plain that it is none.
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence


class Detokenizer:
    """A text that grows token by token."""

    def __init__(self, stops: Sequence[str] = ()) -> None:
        """The text ends before the first of `stops`."""
        self.stopped = False
        self._stops = [stop for stop in stops if stop]
        self._decoder = codecs.getincrementaldecoder("utf-8")("ignore")
        self._held = ""

    def feed(self, piece: bytes) -> str:
        """What may be shown now that a token with these bytes has come; "" once it has stopped."""
        if self.stopped:
            return ""
        text = self._held + self._decoder.decode(piece)
        ends = [place for stop in self._stops if (place := text.find(stop)) >= 0]
        if ends:
            self.stopped, self._held = True, ""
            return text[: min(ends)]
        keep = len(text) - max((_overlap(text, stop) for stop in self._stops), default=0)
        self._held = text[keep:]
        return text[:keep]

    def rest(self) -> str:
        """What was held back and may be shown now that no more comes."""
        held, self._held = self._held, ""
        return held


def _overlap(text: str, stop: str) -> int:
    """The characters at the end of `text` that may be the beginning of `stop`."""
    return next((size for size in range(min(len(stop) - 1, len(text)), 0, -1) if text.endswith(stop[:size])), 0)

"""What of a made text may be shown, as at the other doors: no copy of what one author wrote, no link, no e-mail address.

Whether a word makes a copy is known once it is whole, so the last one is held back until the next begins. The text ends before
what may not be shown: its words so far have been read already.
"""

from __future__ import annotations

import re

from rejoinder.text.phrases import COPIED, Phrases
from rejoinder.text.words import ADDRESS, EMAIL

_TAIL = 25 * COPIED  # characters in which a copied run, or an address, may have begun
_WHOLE = re.compile(r".*\S(?=\s)", re.DOTALL)  # words that have ended


class Screen:
    """A text that grows behind what it goes on with."""

    def __init__(self, phrases: Phrases, draft: str) -> None:
        """`phrases`: whose words the model has read; `draft`: what the text goes on with."""
        self.stopped = False  # something came that may not be shown
        self._phrases = phrases
        self._said = draft[-_TAIL:]
        self._held = ""

    def feed(self, text: str) -> str:
        """What may be shown now that so much more has come."""
        text = self._held + text
        whole = _WHOLE.match(text)
        end = whole.end() if whole else 0
        self._held = text[end:]
        return self._allowed(text[:end])

    def rest(self) -> str:
        """What may be shown of the last word, since nothing more comes."""
        held, self._held = self._held, ""
        return self._allowed(held)

    def _allowed(self, text: str) -> str:
        if self.stopped or not text:
            return ""
        shown = self._phrases.before_copy(self._said, text) if text.strip() else text
        before = len(self._said)
        for pattern in (ADDRESS, EMAIL):
            for match in pattern.finditer(self._said + shown):
                if match.end() > before:
                    shown = shown[: max(match.start() - before, 0)]
                    break
        self.stopped = len(shown) < len(text)
        self._said = (self._said + shown)[-_TAIL:]
        return shown

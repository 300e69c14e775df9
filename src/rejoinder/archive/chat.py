"""What chats have in common: most messages name nothing that they answer, so a conversation is what silence sets apart.

A message that names none is taken to answer the one before it in its channel, unless it came long after: then it opens a
conversation of its own.
"""

from __future__ import annotations

import hashlib
from collections import Counter, OrderedDict

SILENCE = 1_800  # seconds after which a message opens a new conversation
TURNS = f"a message that names none it answers is taken to answer the one before it, within {SILENCE // 60} minutes"
_CHANNELS = 50_000  # remembered at most


class Turns:
    """The last message of each channel, and how long ago it was."""

    def __init__(self, silence: float = SILENCE) -> None:
        """No message has been seen yet; `silence` in seconds."""
        self._silence = silence
        self._last: OrderedDict[str, tuple[str, float | None, str]] = OrderedDict()

    def answered(self, channel: str, own: str, time: float | None) -> tuple[str | None, str]:
        """What the message `own`, the next of its channel, answers (None: it opens a conversation), and what opened that."""
        before = self._last.pop(channel, None)
        parent, root = None, own
        if before is not None and before[0] != own and not self._silent(before[1], time):
            parent, root = before[0], before[2]
        self._last[channel] = own, time if time is not None or before is None else before[1], root
        if len(self._last) > _CHANNELS:
            self._last.popitem(last=False)
        return parent, root

    def _silent(self, before: float | None, now: float | None) -> bool:
        """Whether a message came too long after the one before it in the file; what came earlier answers nothing later."""
        return before is not None and now is not None and not 0 <= now - before <= self._silence


class ContentIds:
    """Ids for messages that have none, made of what they say: the same again, in the same file, gets a number."""

    def __init__(self) -> None:
        """None is given yet."""
        self._given: Counter[bytes] = Counter()

    def of(self, *said: object) -> str:
        """The id of a message with that time, author and text."""
        digest = hashlib.blake2b("\0".join(map(str, said)).encode("utf-8", "replace"), digest_size=12).digest()
        self._given[digest] += 1
        again = self._given[digest]
        return digest.hex() if again == 1 else f"{digest.hex()}-{again}"

"""What an editor sends, frame by frame: one whose length is no number, or more than anybody writes, costs that frame alone.

pygls reads the body of a frame in one go, however long it is said to be, and takes what follows a frame without a length for
another's head. Here a reader stands before it that hands on whole, sound frames only, and looks for the next head after others.
Needs the extra `lsp`: only `rejoinder.serve.editor.lsp` imports this, once it is known to be there.
"""

from __future__ import annotations

import logging
from typing import BinaryIO

_log = logging.getLogger(__name__)
LONGEST = 64_000_000  # bytes of a frame
_LONGEST_LINE = 4_096  # bytes of a line of a head
_NAME = b"content-length:"
_LONGEST_NAME = 64  # bytes, with the number


class Frames:
    """A binary stream of sound frames, as pygls reads one: a line, or so many bytes, at a time."""

    def __init__(self, stream: BinaryIO, longest: int = LONGEST) -> None:
        """Read frames of at most `longest` bytes from `stream`."""
        self._stream, self._longest = stream, longest
        self._lines: list[bytes] = []  # of the head of the next frame, last first

    def readline(self) -> bytes:
        """The next line of a head; b"" at the end."""
        if not self._lines:
            length = self._next_length()
            if length is None:
                return b""
            self._lines = [b"\r\n", b"Content-Length: %d\r\n" % length]
        return self._lines.pop()

    def read(self, size: int) -> bytes:
        """The body of the frame whose head was read."""
        return self._stream.read(size)

    def close(self) -> None:
        """Close the stream below."""
        self._stream.close()

    def _next_length(self) -> int | None:
        """Bytes of the body of the next sound frame, its head read; None at the end."""
        length: bytes | None = None
        rest = b""  # of a line that was longer than is read at a time: the name may stand across its end
        while read := self._stream.readline(_LONGEST_LINE):
            line = rest + read
            rest = b"" if read.endswith(b"\n") else line[-_LONGEST_NAME:]
            found = line.lower().find(_NAME)  # behind what is left of a frame that was given up, it need not begin the line
            if found >= 0:
                length = line[found + len(_NAME) :].strip()
            elif length is not None and not line.strip():
                if length.isdigit() and 0 < int(length[:20]) <= self._longest:
                    return int(length)
                _log.warning("a frame was passed over: its length is no number of bytes up to %d", self._longest)
                length = None
        return None

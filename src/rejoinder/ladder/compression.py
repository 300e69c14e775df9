"""A compressor that everyone knows, to compare with: PPMd reads the train part, then each held-out post.

Prediction by partial matching, variant H, as 7-Zip has it (Cleary & Witten 1984; Shkarin 2001): an adaptive n-gram model over
bytes, whose code is as long as what its model pays. So bits per byte are those of the code. Each post is read by a copy of what
has read the train part and then what the post answers, so that no post teaches another; the line breaks after it are its END.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from time import monotonic
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rejoinder.errors import ModelError, missing_extra
from rejoinder.ladder.heldout import HeldOut

ORDER = 8  # bytes of the longest context
_MEMORY = 2**28  # bytes of its model; when they are full it begins anew
_BETWEEN = "\n\n"
_PIECE = 2**20  # characters read between two looks at the clock

Floats = NDArray[np.float64]


class Compressor:
    """PPMd that has read some text."""

    def __init__(self, texts: Iterable[str], until: float = float("inf")) -> None:
        """Read `texts`, one after the other, until the `monotonic` second `until`.

        Raises:
            MissingExtra: the package pyppmd is not installed.
            ModelError: there was no time to read all of it.
        """
        try:
            from pyppmd import Ppmd7Encoder
        except ImportError as error:
            raise missing_extra("the compressor PPMd", "train") from error
        self._encoder: Any = Ppmd7Encoder(ORDER, _MEMORY)
        waiting: list[str] = []
        size = 0
        for text in texts:
            waiting.append(text + _BETWEEN)
            size += len(text)
            if size > _PIECE:
                self._read("".join(waiting))
                waiting, size = [], 0
                if monotonic() > until:
                    raise ModelError("there was no time for it to read the train part")
        self._read("".join(waiting))

    def _read(self, text: str) -> int:
        return len(self._encoder.encode(text.encode("utf-8", "replace")))

    def size(self, text: str, context: Iterable[str] = ()) -> int:
        """Bytes of the code of a text after `context`, give or take one; what is read here leaves no trace.

        A copy of this process reads it, since the compressor cannot be copied.
        """
        out, into = os.pipe()
        child = os.fork()
        if not child:
            try:
                self._read("".join(one + _BETWEEN for one in context))
                os.write(into, str(self._read(text + _BETWEEN)).encode())
            finally:
                os._exit(0)
        os.close(into)
        with os.fdopen(out, "rb") as said:
            found = said.read()
        os.waitpid(child, 0)
        if not found:
            raise ModelError("the compressor ended without a word; is there enough memory?")
        return int(found)


def compress_posts(compressor: Compressor, held: HeldOut, most: int, until: float) -> Floats:
    """(P, 3) float64: nats, bytes and words of each of the first P posts, as of a language model."""
    rows: list[tuple[float, int, int]] = []
    for post, context in zip(held.posts[:most], held.contexts, strict=False):
        if rows and monotonic() > until:
            break
        text = post.own_text
        code = compressor.size(text, [one.own_text for one in context])
        rows.append((code * 8 * np.log(2), len(text.encode("utf-8", "replace")), len(text.split())))
    return np.array(rows, np.float64).reshape(-1, 3)

"""Where sentences end, to cut off what is not finished."""

from __future__ import annotations

import re

_SENTENCE_END = re.compile(r"[.!?…][\"'”’)\]]*(?=\s|\Z)")


def finished(text: str, *, whole: bool) -> str:
    """`text` as far as it is finished: all of it if it is `whole`, else up to the end of its last sentence."""
    if not whole:
        ends = [match.end() for match in _SENTENCE_END.finditer(text) if match.end() < len(text)]
        text = text[: ends[-1]] if ends else ""
    return text.strip()

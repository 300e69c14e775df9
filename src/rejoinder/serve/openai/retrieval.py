"""Rungs that propose whole replies, as chat models: the thread is the context, the answer what somebody wrote to one like it.

Where the reply comes from stands in `metadata`, beside the choice: rung, post, thread, title, url, score. Tokens are words here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from rejoinder.engine.detokenizer import Detokenizer
from rejoinder.post import Suggestion
from rejoinder.serve.openai.batching import Delta
from rejoinder.serve.openai.bodies import ChatBody

SILENT = "Nothing in this archive is likely enough to be on topic."
_WORD = re.compile(r"\s*\S+")


def choices(found: Sequence[Suggestion], body: ChatBody, silent: str = SILENT) -> list[Delta]:
    """Replies, each as one piece; an empty one, with the reason `silent`, where there is none."""
    return [_choice(place, suggestion, body) for place, suggestion in enumerate(found)] or [
        Delta(0, "", (), "stop", {"reason": silent})
    ]


def _choice(place: int, suggestion: Suggestion, body: ChatBody) -> Delta:
    text = Detokenizer(body.stop).feed(suggestion.text.encode())
    stopped, finish = len(text) < len(suggestion.text), "stop"
    if not stopped and body.most is not None and 0 < body.most < len(words := _WORD.findall(text)):
        text, finish = "".join(words[: body.most]), "length"
    return Delta(place, text, (), finish, _source(suggestion))


def _source(suggestion: Suggestion) -> dict[str, str]:
    """Where a reply comes from, as OpenAI's metadata are: short texts by name."""
    facts = {name: getattr(suggestion, name) for name in ("rung", "post", "thread", "title", "url", "score")}
    return {name: str(value)[:512] for name, value in facts.items() if value not in (None, "")}


def words_of(texts: Sequence[str]) -> int:
    """How many words texts have."""
    return sum(len(text.split()) for text in texts)

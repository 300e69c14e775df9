"""The shapes of OpenAI's answers.

Source: the OpenAI API reference, Completions and Chat Completions. Natural logarithms, as there. What `top_logprobs` tells of
tokens that were only read (`echo`) is the token itself alone.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from time import time
from typing import Any

from rejoinder.serve.openai.batching import Delta, TokenLogProb


@dataclass
class AnswerShape:
    """One request's answers: whole, or in chunks."""

    model: str
    chat: bool
    logprobs: bool
    number: str = field(default_factory=lambda: secrets.token_hex(12))
    created: int = field(default_factory=lambda: int(time()))
    offsets: dict[int, int] = field(default_factory=dict)  # of each text: the characters of the tokens told so far

    def whole(self, choices: Sequence[Delta], usage: dict[str, int]) -> dict[str, Any]:
        """The answer of whole texts; `metadata` is the first one's source."""
        found = {**self._head("chat.completion"), "choices": [self._choice(one) for one in choices], "usage": usage}
        return {**found, "metadata": choices[0].source} if choices and choices[0].source else found

    def _choice(self, one: Delta) -> dict[str, Any]:
        refusal = one.source.get("reason") if one.source else None
        message = {"role": "assistant", "content": one.text, "refusal": refusal}
        return self._with_source(one, {"message": message} if self.chat else {"text": one.text}, one.finish or "length")

    def _with_source(self, one: Delta, said: dict[str, Any], finish: str | None) -> dict[str, Any]:
        choice = {"index": one.place, **said, "logprobs": self._logprobs(one.place, one.tokens), "finish_reason": finish}
        return choice if one.source is None else {**choice, "metadata": one.source}

    def opening(self, place: int) -> dict[str, Any]:
        """The chunk with which a chat's text begins."""
        return self._chunk(
            {"index": place, "delta": {"role": "assistant", "content": ""}, "logprobs": None, "finish_reason": None}
        )

    def chunk(self, piece: Delta) -> dict[str, Any]:
        """A piece of a text."""
        said = {"delta": {"content": piece.text} if piece.text else {}} if self.chat else {"text": piece.text}
        choice = self._with_source(piece, said, piece.finish)
        return self._chunk(choice if piece.tokens else {**choice, "logprobs": None})

    def _chunk(self, choice: dict[str, Any]) -> dict[str, Any]:
        return {**self._head("chat.completion.chunk"), "choices": [choice]}

    def usage(self, usage: dict[str, int]) -> dict[str, Any]:
        """The last chunk, for those who ask for it."""
        return {**self._head("chat.completion.chunk"), "choices": [], "usage": usage}

    def _head(self, kind: str) -> dict[str, Any]:
        identity = f"chatcmpl-{self.number}" if self.chat else f"cmpl-{self.number}"
        return {"id": identity, "object": kind if self.chat else "text_completion", "created": self.created, "model": self.model}

    def _logprobs(self, place: int, tokens: Sequence[TokenLogProb]) -> dict[str, Any] | None:
        if not self.logprobs:
            return None
        if self.chat:
            return {"content": [_entry(token) for token in tokens], "refusal": None}
        offsets = []
        for token in tokens:
            offsets.append(self.offsets.get(place, 0))
            self.offsets[place] = offsets[-1] + len(token.text)
        return {
            "tokens": [token.text for token in tokens],
            "token_logprobs": [token.log_prob for token in tokens],
            "top_logprobs": [None if token.log_prob is None else _by_text(token.others) for token in tokens],
            "text_offset": offsets,
        }


def _entry(token: TokenLogProb) -> dict[str, Any]:
    top = [{"token": _text(piece), "logprob": value, "bytes": list(piece)} for piece, value in token.others]
    return {"token": token.text, "logprob": token.log_prob, "bytes": list(token.piece), "top_logprobs": top}


def _by_text(others: Iterable[tuple[bytes, float]]) -> dict[str, float]:
    found: dict[str, float] = {}
    for piece, value in others:  # two that look alike when decoded: the more probable one, which comes first
        found.setdefault(_text(piece), value)
    return found


def _text(piece: bytes) -> str:
    return piece.decode("utf-8", "replace")


def counted(prompt: int, completion: int) -> dict[str, int]:
    """How many tokens were read and made."""
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}

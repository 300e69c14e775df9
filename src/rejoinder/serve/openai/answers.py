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

from rejoinder.serve.openai.batching import TokenLogProb


@dataclass
class AnswerShape:
    """One request's answers: whole, or in chunks."""

    model: str
    chat: bool
    logprobs: bool
    number: str = field(default_factory=lambda: secrets.token_hex(12))
    created: int = field(default_factory=lambda: int(time()))
    offsets: dict[int, int] = field(default_factory=dict)  # of each text: the characters of the tokens told so far

    def whole(self, choices: Sequence[tuple[str, Sequence[TokenLogProb], str]], usage: dict[str, int]) -> dict[str, Any]:
        """The answer of texts with their tokens and how they ended."""
        made = [self._choice(place, *choice) for place, choice in enumerate(choices)]
        return {**self._head("chat.completion"), "choices": made, "usage": usage}

    def _choice(self, place: int, text: str, tokens: Sequence[TokenLogProb], finish: str) -> dict[str, Any]:
        said = {"message": {"role": "assistant", "content": text, "refusal": None}} if self.chat else {"text": text}
        return {"index": place, **said, "logprobs": self._logprobs(place, tokens), "finish_reason": finish}

    def opening(self, place: int) -> dict[str, Any]:
        """The chunk with which a chat's text begins."""
        return self._chunk(place, {"delta": {"role": "assistant", "content": ""}}, (), None)

    def chunk(self, place: int, text: str, tokens: Sequence[TokenLogProb], finish: str | None) -> dict[str, Any]:
        """A piece of a text."""
        said = {"delta": {"content": text} if text else {}} if self.chat else {"text": text}
        return self._chunk(place, said, tokens, finish)

    def _chunk(self, place: int, said: dict[str, Any], tokens: Sequence[TokenLogProb], finish: str | None) -> dict[str, Any]:
        logprobs = self._logprobs(place, tokens) if tokens else None
        choice = {"index": place, **said, "logprobs": logprobs, "finish_reason": finish}
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

"""The API that OpenAI's clients speak, so that a rung can be used as a model: models, completions, chat completions.

Served are the rungs that predict text, the best first. They go on with texts in the manner of the archive; they follow no
instructions and know nothing else.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import orjson
from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from rejoinder.models.interfaces import LanguageModel
from rejoinder.serve.api.suggest import JSON
from rejoinder.serve.http.failures import Failure
from rejoinder.serve.http.parts import Parts, parts_of
from rejoinder.serve.openai.answers import Shape, counted
from rejoinder.serve.openai.batching import ANSWERS_SOMETHING, Making, Piece, Start, Told, after, conversation, read_back
from rejoinder.serve.openai.bodies import ChatBody, CompletionBody, Sampled

_DEFAULT_TOKENS, _DEFAULT_CHAT_TOKENS = 16, 128
_DONE = b"data: [DONE]\n\n"

router = APIRouter(prefix="/v1", tags=["openai"])


@router.get("/models")
async def models(request: Request) -> Response:
    """The rungs that can be asked, the best first."""
    parts = parts_of(request)
    names = await parts.slow(lambda: list(reversed(parts.opened.models)))
    return JSON({"object": "list", "data": [_model(name) for name in names]})


@router.get("/models/{name}")
async def model(name: str, request: Request) -> Response:
    """One of them."""
    await _loaded(parts_of(request), name)
    return JSON(_model(name))


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "rejoinder"}


async def _loaded(parts: Parts, name: str) -> LanguageModel:
    found = await parts.slow(lambda: parts.opened.models.get(name))
    if found is None:
        names = ", ".join(reversed(parts.opened.models)) or "none is fitted"
        raise Failure(404, f"no such model here; models: {names}", param="model", code="model_not_found")
    return found


@router.post("/completions")
async def completions(body: CompletionBody, request: Request) -> Response:
    """Go on with a text, or (`echo` with `max_tokens` 0) say how probable it is."""
    parts = parts_of(request)
    served = await _loaded(parts, body.model)
    longest = _DEFAULT_TOKENS if body.max_tokens is None else min(body.max_tokens, parts.config.tokens)
    shape = Shape(body.model, chat=False, logprobs=body.logprobs is not None)
    read: list[list[Told]] = []
    starts: list[Start] = []
    for prompt in body.prompts:  # one job each, so that others get their turn
        if body.echo:
            read.append(await parts.slow(lambda prompt=prompt: read_back(served, prompt)))  # type: ignore[misc]
        if longest:
            starts.append(await parts.slow(lambda prompt=prompt: after(served, ANSWERS_SOMETHING, prompt)))  # type: ignore[misc]
    making = Making(served, starts, body, longest, body.logprobs)
    echoed = [
        Piece(place, body.prompts[place // body.n], tuple(read[place // body.n]), None if longest else "length")
        for place in range(len(read) * body.n)
    ]
    prompt_tokens = sum(start.tokens for start in starts) if starts else sum(len(tokens) for tokens in read)
    return await _answer(request, body, shape, _Texts(making, echoed, prompt_tokens))


@router.post("/chat/completions")
async def chat_completions(body: ChatBody, request: Request) -> Response:
    """Write the next post of a conversation."""
    parts = parts_of(request)
    served = await _loaded(parts, body.model)
    asked = body.max_completion_tokens or body.max_tokens or _DEFAULT_CHAT_TOKENS
    context, draft = conversation(body.messages)
    start = await parts.slow(lambda: after(served, context, draft))
    shape = Shape(body.model, chat=True, logprobs=bool(body.logprobs))
    read = sum(len(served.tokenizer.encode(post.body)) for post in context)
    making = Making(served, [start], body, min(asked, parts.config.tokens), body.top_logprobs)
    return await _answer(request, body, shape, _Texts(making, [], read + start.tokens))


class _Texts:
    """The pieces of a request's texts, as they come."""

    def __init__(self, making: Making, echoed: Sequence[Piece], read: int) -> None:
        """First what is `echoed`, then what is made; `read` tokens were read before."""
        self._making = making
        self._echoed = echoed
        self._read = read

    async def pieces(self, parts: Parts, name: str) -> AsyncIterator[list[Piece]]:
        """What each step adds; the end of the server is the end of them."""
        if self._echoed:
            yield list(self._echoed)
        try:
            while not parts.stopping.is_set() and (pieces := await parts.slow(self._making.step)):
                yield pieces
        finally:
            parts.metrics.tokens.labels(name).inc(self._making.made)

    @property
    def usage(self) -> dict[str, int]:
        """How many tokens were read, and made so far."""
        return counted(self._read, self._making.made)


async def _answer(request: Request, body: Sampled, shape: Shape, texts: _Texts) -> Response:
    parts = parts_of(request)
    if body.stream:
        return StreamingResponse(_stream(parts, body, shape, texts), media_type="text/event-stream")
    made: dict[int, tuple[str, list[Told], str]] = {}
    async for pieces in texts.pieces(parts, body.model):
        for piece in pieces:
            text, tokens, _ = made.get(piece.place, ("", [], ""))
            made[piece.place] = (text + piece.text, [*tokens, *piece.tokens], piece.finish or "length")
        if await request.is_disconnected():
            break
    return JSON(shape.whole([made[place] for place in sorted(made)], texts.usage))


async def _stream(parts: Parts, body: Sampled, shape: Shape, texts: _Texts) -> AsyncIterator[bytes]:
    """Server-sent events: chunks, then the usage if it was asked for, then the end."""
    if shape.chat:
        for place in range(body.n):
            yield _event(shape.opening(place))
    try:
        async for pieces in texts.pieces(parts, body.model):
            told = [piece for piece in pieces if piece.text or piece.finish or piece.tokens]
            if told:
                yield b"".join(_event(shape.chunk(*piece)) for piece in told)
    except Failure as error:  # too much to do in the midst of it
        yield _event({"error": {"message": str(error), "type": "server_error", "param": None, "code": error.code}})
        return
    if body.stream_options is not None and body.stream_options.include_usage:
        yield _event(shape.usage(texts.usage))
    yield _DONE


def _event(value: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(value) + b"\n\n"

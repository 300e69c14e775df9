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
from rejoinder.serve.http.failures import Failure
from rejoinder.serve.http.responses import OrjsonResponse
from rejoinder.serve.http.services import Services, services_of
from rejoinder.serve.openai.answers import AnswerShape, counted
from rejoinder.serve.openai.batching import (
    ANSWERS_SOMETHING,
    Batch,
    Delta,
    Prefill,
    TokenLogProb,
    conversation,
    prefill,
    score_prompt,
)
from rejoinder.serve.openai.bodies import ChatBody, CompletionBody, Sampled

_DEFAULT_TOKENS, _DEFAULT_CHAT_TOKENS = 16, 128
_DONE = b"data: [DONE]\n\n"

router = APIRouter(prefix="/v1", tags=["openai"])


@router.get("/models")
async def models(request: Request) -> Response:
    """The rungs that can be asked, the best first."""
    services = services_of(request)
    names = await services.slow(lambda: list(reversed(services.opened.models)))
    return OrjsonResponse({"object": "list", "data": [_model(name) for name in names]})


@router.get("/models/{name}")
async def model(name: str, request: Request) -> Response:
    """One of them."""
    await _loaded(services_of(request), name)
    return OrjsonResponse(_model(name))


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "rejoinder"}


async def _loaded(services: Services, name: str) -> LanguageModel:
    found = await services.slow(lambda: services.opened.models.get(name))
    if found is None:
        names = ", ".join(reversed(services.opened.models)) or "none is fitted"
        raise Failure(404, f"no such model here; models: {names}", param="model", code="model_not_found")
    return found


@router.post("/completions")
async def completions(body: CompletionBody, request: Request) -> Response:
    """Go on with a text, or (`echo` with `max_tokens` 0) say how probable it is."""
    services = services_of(request)
    served = await _loaded(services, body.model)
    longest = _DEFAULT_TOKENS if body.max_tokens is None else min(body.max_tokens, services.config.tokens)
    shape = AnswerShape(body.model, chat=False, logprobs=body.logprobs is not None)
    read: list[list[TokenLogProb]] = []
    starts: list[Prefill] = []
    for prompt in body.prompts:  # one job each, so that others get their turn
        if body.echo:
            read.append(await services.slow(lambda prompt=prompt: score_prompt(served, prompt)))  # type: ignore[misc]
        if longest:
            starts.append(await services.slow(lambda prompt=prompt: prefill(served, ANSWERS_SOMETHING, prompt)))  # type: ignore[misc]
    making = Batch(served, starts, body, longest, body.logprobs)
    echoed = [
        Delta(place, body.prompts[place // body.n], tuple(read[place // body.n]), None if longest else "length")
        for place in range(len(read) * body.n)
    ]
    prompt_tokens = sum(start.tokens for start in starts) if starts else sum(len(tokens) for tokens in read)
    return await _answer(request, body, shape, _Completion(making, echoed, prompt_tokens))


@router.post("/chat/completions")
async def chat_completions(body: ChatBody, request: Request) -> Response:
    """Write the next post of a conversation."""
    services = services_of(request)
    served = await _loaded(services, body.model)
    asked = body.max_completion_tokens or body.max_tokens or _DEFAULT_CHAT_TOKENS
    context, draft = conversation(body.messages)
    start = await services.slow(lambda: prefill(served, context, draft))
    shape = AnswerShape(body.model, chat=True, logprobs=bool(body.logprobs))
    read = sum(len(served.tokenizer.encode(post.body)) for post in context)
    making = Batch(served, [start], body, min(asked, services.config.tokens), body.top_logprobs)
    return await _answer(request, body, shape, _Completion(making, [], read + start.tokens))


class _Completion:
    """The pieces of a request's texts, as they come."""

    def __init__(self, making: Batch, echoed: Sequence[Delta], read: int) -> None:
        """First what is `echoed`, then what is made; `read` tokens were read before."""
        self._making = making
        self._echoed = echoed
        self._read = read

    async def pieces(self, services: Services, name: str) -> AsyncIterator[list[Delta]]:
        """What each step adds; the end of the server is the end of them."""
        if self._echoed:
            yield list(self._echoed)
        try:
            while not services.stopping.is_set() and (pieces := await services.slow(self._making.step)):
                yield pieces
        finally:
            services.metrics.tokens.labels(name).inc(self._making.made)

    @property
    def usage(self) -> dict[str, int]:
        """How many tokens were read, and made so far."""
        return counted(self._read, self._making.made)


async def _answer(request: Request, body: Sampled, shape: AnswerShape, texts: _Completion) -> Response:
    services = services_of(request)
    if body.stream:
        return StreamingResponse(_stream(services, body, shape, texts), media_type="text/event-stream")
    made: dict[int, tuple[str, list[TokenLogProb], str]] = {}
    async for pieces in texts.pieces(services, body.model):
        for piece in pieces:
            text, tokens, _ = made.get(piece.place, ("", [], ""))
            made[piece.place] = (text + piece.text, [*tokens, *piece.tokens], piece.finish or "length")
        if await request.is_disconnected():
            break
    return OrjsonResponse(shape.whole([made[place] for place in sorted(made)], texts.usage))


async def _stream(services: Services, body: Sampled, shape: AnswerShape, texts: _Completion) -> AsyncIterator[bytes]:
    """Server-sent events: chunks, then the usage if it was asked for, then the end."""
    if shape.chat:
        for place in range(body.n):
            yield _event(shape.opening(place))
    try:
        async for pieces in texts.pieces(services, body.model):
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

"""The API that OpenAI's clients speak, so that a rung can be used as a model: models, completions, chat completions, embeddings.

Rungs that propose replies answer a chat with what somebody wrote, and stand first; rungs that predict text go on with texts in
the manner of the archive; rungs with word vectors place texts. None follows instructions, or knows anything else. Where no model
is named, the first that can do it answers.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import numpy as np
import orjson
from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from rejoinder.engine.generation import guarded
from rejoinder.errors import NotFitted
from rejoinder.home.open_home import OpenHome
from rejoinder.home.voices import Voices
from rejoinder.serve.http.failures import Failure
from rejoinder.serve.http.responses import OrjsonResponse
from rejoinder.serve.http.services import Services, services_of
from rejoinder.serve.openai.answers import AnswerShape, counted
from rejoinder.serve.openai.batching import (
    ANSWERS_SOMETHING,
    CompletionBatch,
    Delta,
    Prefill,
    Served,
    TokenLogProb,
    conversation,
    prefill,
    score_prompt,
)
from rejoinder.serve.openai.bodies import ChatBody, CompletionBody, EmbeddingBody, Sampled
from rejoinder.serve.openai.choosing import NOTHING_FIT, answers, is_chosen
from rejoinder.serve.openai.retrieval import choices, words_of

_DEFAULT_TOKENS, _DEFAULT_CHAT_TOKENS = 16, 128
_DONE = b"data: [DONE]\n\n"
_EMBEDDED_AT_ONCE = 64  # texts of one job, so that others get their turn

router = APIRouter(prefix="/v1", tags=["openai"])


@router.get("/models")
async def models(request: Request) -> Response:
    """The rungs that can be asked: those that reply, those that go on with texts, those that place them; the best first."""
    services = services_of(request)
    names = await services.read(lambda: _names(services.opened))
    return OrjsonResponse({"object": "list", "data": [_model(name) for name in names]})


@router.get("/models/{name:path}")
async def model(name: str, request: Request) -> Response:
    """What `/models` says of one of them."""
    services = services_of(request)
    chosen = await services.read(lambda: _chosen(services.opened.voices.named(name), _names(services.opened), services.opened))
    return OrjsonResponse(_model(chosen))


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "rejoinder"}


def _names(opened: OpenHome) -> list[str]:
    return list(dict.fromkeys([*opened.reply_rungs, *opened.voices.names, *opened.vector_rungs]))


def _chosen(name: str | None, able: Sequence[str], opened: OpenHome) -> str:
    """The model asked for, the first of those able if none is named.

    Raises:
        Failure: it is not there, or cannot do this.
        NotFitted: none can.
    """
    if name in able or (name is None and able):
        return name or able[0]
    names = _names(opened)
    if name is not None and name not in names:
        raise Failure(404, f"no such model here; models: {', '.join(names)}", param="model", code="model_not_found")
    if able:
        raise Failure(400, f"this model cannot do that; those that can: {', '.join(able)}", param="model")
    raise NotFitted("no rung with word vectors is fitted here; run `rejoinder fit pmi_svd`")


def _language_model(name: str | None, services: Services) -> tuple[str, Served]:
    opened = services.opened

    def served(speaks: Voices) -> tuple[str, Served]:
        chosen = _chosen(name and speaks.named(name), speaks.names, opened)
        return chosen, Served(opened.model(chosen), opened.phrases(chosen), opened.forgot_at)

    return opened.heard(served)


@router.post("/completions")
async def completions(body: CompletionBody, request: Request) -> Response:
    """Go on with a text, or (`echo` with `max_tokens` 0) say how probable it is."""
    services = services_of(request)
    name, served = await services.read(lambda: _language_model(body.model, services))
    longest = 0 if body.scores_only else _longest(body.max_tokens, _DEFAULT_TOKENS, services)
    read: list[list[TokenLogProb]] = []
    starts: list[Prefill] = []
    for prompt in body.prompt:  # one job each, so that others get their turn
        if body.echo:
            read.append(await services.slow(_bound(score_prompt, served.model, prompt)))
        if longest:
            starts.append(await services.slow(_bound(prefill, served.model, ANSWERS_SOMETHING, prompt)))
    batch = CompletionBatch(served, starts, body, longest, body.logprobs)
    echoed = [
        Delta(place, body.prompt[place // body.n], tuple(read[place // body.n]), None if longest else "length")
        for place in range(len(read) * body.n)
    ]
    prompt_tokens = sum(start.tokens for start in starts) if starts else sum(len(tokens) for tokens in read)
    shape = AnswerShape(name, chat=False, logprobs=body.logprobs is not None)
    return await _answer(request, body, shape, _Completion(batch, echoed, prompt_tokens))


@router.post("/chat/completions")
async def chat_completions(body: ChatBody, request: Request) -> Response:
    """Write the next post of a conversation, or find it."""
    services = services_of(request)
    opened = services.opened
    context, draft = conversation(body.messages)
    name = await services.read(
        lambda: _chosen(body.model and opened.voices.named(body.model), [*opened.reply_rungs, *opened.voices.names], opened)
    )
    shape = AnswerShape(name, chat=True, logprobs=body.logprobs)
    if await services.read(lambda: name in opened.reply_rungs):
        found = await services.read(lambda: opened.replier_of(name).reply(context, body.n))
        return await _answer(request, body, shape, _Reply(choices(found, body), words_of([post.body for post in context])))
    _, served = await services.read(lambda: _language_model(name, services))
    cases = await services.slow(lambda: opened.cases(context)) if served.model.reads_cases else []
    if is_chosen(served.model, draft, body):
        found = await services.read(lambda: answers(name, _language_model(name, services)[1], context, cases, body))
        said = words_of([post.body for post in context])
        return await _answer(request, body, shape, _Reply(choices(found, body, NOTHING_FIT), said))
    served = served._replace(phrases=guarded(served.phrases, cases))
    start = await services.slow(lambda: prefill(served.model, context, draft, cases))
    longest = _longest(body.most, _DEFAULT_CHAT_TOKENS, services)
    return await _answer(
        request, body, shape, _Completion(CompletionBatch(served, [start], body, longest, body.top_logprobs), [], start.tokens)
    )


def _longest(asked: int | None, default: int, services: Services) -> int:
    """How many tokens to make: as many as there may be, where less than one is asked for."""
    most = services.config.tokens
    return default if asked is None else min(asked, most) if asked > 0 else most


def _bound(do: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
    return lambda: do(*arguments)


@router.post("/embeddings")
async def embeddings(body: EmbeddingBody, request: Request) -> Response:
    """Texts as vectors of length 1: near each other where they speak of the same."""
    services = services_of(request)
    opened = services.opened
    name = await services.read(lambda: _chosen(body.model, opened.vector_rungs, opened))
    rung = await services.slow(lambda: opened.embedder(name))
    size = rung.words.size
    if body.dimensions not in (None, size):
        raise Failure(400, f"the vectors of this model have {size} dimensions; leave it out", param="dimensions")
    rows: list[Any] = []
    for first in range(0, len(body.input), _EMBEDDED_AT_ONCE):
        rows += list(await services.slow(_bound(rung.posts.of, body.input[first : first + _EMBEDDED_AT_ONCE])))
    data = [
        {"object": "embedding", "index": place, "embedding": _encoded(row, body.encoding_format)}
        for place, row in enumerate(rows)
    ]
    read = words_of(body.input)
    usage = {"prompt_tokens": read, "total_tokens": read}
    return OrjsonResponse({"object": "list", "data": data, "model": name, "usage": usage})


def _encoded(row: Any, form: str) -> Any:
    return row.tolist() if form == "float" else base64.b64encode(np.asarray(row, "<f4").tobytes()).decode()


class _Completion:
    """The pieces of a request's texts, as they come."""

    def __init__(self, batch: CompletionBatch, echoed: Sequence[Delta], read: int) -> None:
        """First what is `echoed`, then what is made; `read` tokens were read before."""
        self._batch = batch
        self._echoed = echoed
        self._read = read

    async def pieces(self, services: Services, name: str) -> AsyncIterator[list[Delta]]:
        """What each step adds; the end of the server is the end of them."""
        if self._echoed:
            yield list(self._echoed)
        try:
            while not services.stopping.is_set() and (pieces := await services.slow(lambda: self._step(services))):
                yield pieces
        finally:
            services.metrics.tokens.labels(name).inc(self._batch.made)

    def _step(self, services: Services) -> list[Delta]:
        pieces = self._batch.step()
        services.refresh()
        if services.opened.forgot_at != self._batch.forgot_at:
            raise Failure(503, "posts were forgotten meanwhile, which this may be made of; ask again", code="busy")
        return pieces

    @property
    def usage(self) -> dict[str, int]:
        """How many tokens were read, and made so far."""
        return counted(self._read, self._batch.made)


class _Reply:
    """The pieces of an answer that was found whole."""

    def __init__(self, found: Sequence[Delta], read: int) -> None:
        """`read`: words of what is answered."""
        self._found = found
        self.usage = counted(read, words_of([one.text for one in found]))

    async def pieces(self, _: Services, __: str) -> AsyncIterator[list[Delta]]:
        """All of them at once."""
        yield list(self._found)


async def _answer(request: Request, body: Sampled, shape: AnswerShape, texts: _Completion | _Reply) -> Response:
    services = services_of(request)
    if body.stream:
        return StreamingResponse(_stream(services, body, shape, texts), media_type="text/event-stream")
    made: dict[int, Delta] = {}
    async for pieces in texts.pieces(services, shape.model):
        for piece in pieces:
            before = made.get(piece.place, Delta(piece.place, "", (), None))
            made[piece.place] = piece._replace(text=before.text + piece.text, tokens=(*before.tokens, *piece.tokens))
        if await request.is_disconnected():
            break
    return OrjsonResponse(shape.whole([made[place] for place in sorted(made)], texts.usage))


async def _stream(services: Services, body: Sampled, shape: AnswerShape, texts: _Completion | _Reply) -> AsyncIterator[bytes]:
    """Server-sent events: chunks, then the usage if it was asked for, then the end."""
    if shape.chat:
        for place in range(body.n):
            yield _event(shape.opening(place))
    try:
        async for pieces in texts.pieces(services, shape.model):
            told = [piece for piece in pieces if piece.text or piece.finish or piece.tokens]
            if told:
                yield b"".join(_event(shape.chunk(piece)) for piece in told)
    except Failure as error:  # too much to do in the midst of it
        yield _event({"error": {"message": str(error), "type": "server_error", "param": None, "code": error.code}})
        return
    if body.stream_options.include_usage:
        yield _event(shape.usage(texts.usage))
    yield _DONE


def _event(value: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(value) + b"\n\n"

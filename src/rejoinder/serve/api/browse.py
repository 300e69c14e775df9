"""The API of our own: what is there to read. Posts and threads, search, the rungs, the memory cell, the report of the ladder."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Query, Request
from fastapi import Path as InPath
from fastapi.responses import FileResponse, Response

from rejoinder.archive.places import origin
from rejoinder.archive.store import Archive
from rejoinder.errors import UnknownPost
from rejoinder.inspect.cell import MOST_TOKENS, CellTrace, labels_of
from rejoinder.ladder.report import from_json
from rejoinder.models.interfaces import LanguageModel
from rejoinder.post import LONGEST_CONTEXT, Post
from rejoinder.serve.api.bodies import AroundAnswer, CellAnswer, CellBody, SearchAnswer, ThreadAnswer
from rejoinder.serve.http.failures import Failure
from rejoinder.serve.http.fields import LARGEST_ID
from rejoinder.serve.http.metrics import TOKENS
from rejoinder.serve.http.responses import OrjsonResponse
from rejoinder.serve.http.services import services_of

_MOST_REPLIES, _MOST_OF_A_THREAD = 200, 1_000
_MOST_TEXT = 1_000_000  # characters of the posts of one answer
_LOOKED_AT = 4  # replies that are looked at for each post wanted, since several answer one post
_SANDBOX = "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:"
_REPORT_HEADERS = {"content-security-policy": f"{_SANDBOX}; frame-ancestors 'self'", "x-frame-options": "SAMEORIGIN"}

router = APIRouter(tags=["reading"])
Id = Annotated[int, InPath(ge=1, le=LARGEST_ID)]


@router.get("/v1/posts/{number}", responses={200: {"model": AroundAnswer}})
async def post(number: Id, request: Request) -> Response:
    """A post of the archive, what it answers and what answers it."""
    services = services_of(request)

    def job() -> dict[str, Any]:
        with services.opened.archive() as archive:
            path = archive.path_to(number, LONGEST_CONTEXT)
            replies, _ = _within(archive.replies_to(number, _MOST_REPLIES))
            nearest, whole = _within(reversed(path))
            told = [_told(found, archive) for found in reversed(nearest)]
            answers = [_told(found, archive) for found in replies]
        return {
            "post": told[-1],
            "context": told[:-1],
            "replies": answers,
            "whole": whole and len(path) < LONGEST_CONTEXT,
            "notice": services.opened.forum[1],
        }

    return OrjsonResponse(await services.read(job))


@router.get("/v1/threads/{key}", responses={200: {"model": ThreadAnswer}})
async def thread(key: Id, request: Request) -> Response:
    """A thread by the number of its opening post, or of any post in it."""
    services = services_of(request)

    def job() -> dict[str, Any]:
        with services.opened.archive() as archive:
            found = archive.post(key).thread
            posts, whole = ([], True) if found is None else _within(archive.thread(found, _MOST_OF_A_THREAD))
            told = [{**_told(one, archive), "depth": depth} for one, depth in _by_reply(posts) if one.body]
        return {"thread": found, "posts": told, "whole": whole and len(posts) < _MOST_OF_A_THREAD}

    return OrjsonResponse(await services.read(job))


def _within(posts: Iterable[Post]) -> tuple[list[Post], bool]:
    """So many of the posts as an answer may hold, the first always; and whether those are all."""
    kept: list[Post] = []
    left = _MOST_TEXT
    for found in posts:
        left -= len(found.text)
        if kept and left < 0:
            return kept, False
        kept.append(found)
    return kept, True


def _by_reply(posts: Sequence[Post]) -> list[tuple[Post, int]]:
    """Posts, each followed by its replies, with how deep it stands; those whose parent is not here stand at the top."""
    here = {one.id for one in posts}
    below: dict[int | None, list[Post]] = {}
    for one in posts:
        below.setdefault(one.parent if one.parent in here and one.parent != one.id else None, []).append(one)
    ordered: list[tuple[Post, int]] = []
    left = [(one, 0) for one in reversed(below.get(None, []))]
    while left:  # a circle has no top, so it is never met
        one, depth = left.pop()
        ordered.append((one, depth))
        left += [(reply, depth + 1) for reply in reversed(below.get(one.id, []))]
    return ordered


def _told(found: Post, archive: Archive) -> dict[str, Any]:
    facts = ("id", "title", "text", "parent", "thread", "time")
    known = origin(archive, found.id)
    where = {"url": known.url, "source": known.source} if known is not None else {"url": None, "source": ""}
    return {**{name: getattr(found, name) for name in facts}, "kind": found.kind.value, **where, "depth": 0}


@router.get("/v1/search", responses={200: {"model": SearchAnswer}})
async def search(
    request: Request,
    q: Annotated[str, Query(min_length=1, max_length=1_000)],
    k: Annotated[int, Query(ge=1, le=50)] = 10,
) -> Response:
    """Posts that hold the words of `q`, the rarest of them first; of those that the rung `bm25` was fitted on."""
    services = services_of(request)

    def job() -> dict[str, Any]:
        searcher = services.opened.searcher()
        with services.opened.archive() as archive:
            scores: dict[int, float] = {}
            for number, score in searcher.search(q, k):
                scores[number] = max(score, scores.get(number, 0.0))
            for number, score in searcher.search(q, _LOOKED_AT * k, answered=True):
                parent = archive.parent_of(number)
                if parent is not None:
                    scores[parent] = max(score, scores.get(parent, 0.0))
            best = sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))
            found = [told for number, score in best if (told := _found(archive, number, score)) is not None]
        return {"found": found[:k]}

    return OrjsonResponse(await services.read(job))


def _found(archive: Archive, number: int, score: float) -> dict[str, Any] | None:
    """A post that was found, if it is still there."""
    try:
        path = archive.path_to(number, 1)
    except UnknownPost:
        return None
    return {"post": _told(path[-1], archive), "opening": path[0].title, "score": score}


@router.get("/v1/rungs")
async def rungs(request: Request) -> Response:
    """The ladder: what each rung can do, and what is known of its fit."""
    services = services_of(request)

    def job() -> dict[str, Any]:
        opened = services.opened
        return {
            "rungs": opened.rungs(),
            "typing": list(opened.engine.voices),
            "speaks": {"rung": opened.voices.best, "reason": opened.voices.reason, "measured": opened.voices.bits_per_byte},
            "forum": opened.forum[0],
            "notice": opened.forum[1],
        }

    return OrjsonResponse(await services.read(job))


@router.post("/v1/inspect/cell", responses={200: {"model": CellAnswer}})
async def cell(body: CellBody, request: Request) -> Response:
    """What the gates, the memory and the output of the LSTM do at each token of a text; of a long one, at its end."""
    services = services_of(request)

    def job() -> dict[str, Any]:
        model = services.opened.cell()
        tokens = [model.tokenizer.post, *model.tokenizer.encode(body.text)]
        shown = tokens[-MOST_TOKENS:]
        seen = CellTrace.of(model.look(shown), labels_of(model.tokenizer, shown), body.layer)
        chances = {
            name: _chances(other, tokens)[-len(shown) :]
            for name, other in services.opened.models.items()
            if other.tokenizer.fingerprint() == model.tokenizer.fingerprint()
        }
        told = seen.as_json(seen.liveliest(body.cells).tolist())
        return {**told, "probabilities": chances, "skipped": len(tokens) - len(shown)}

    return OrjsonResponse(await services.read(job))


def _chances(model: LanguageModel, tokens: Sequence[int]) -> list[float | None]:
    """The probability of each token after those before it, and after nothing that was answered; none for the first."""
    scores = np.exp(model.score_tokens(model.start(()), tokens[1:]).astype(np.float64))
    return [None, *np.round(scores, 6).tolist()]


@router.get("/v1/ladder")
async def ladder(request: Request) -> Response:
    """The figures of the last `rejoinder ladder`."""
    file = services_of(request).opened.home.home / "ladder" / "ladder.json"
    if file.is_file():
        from_json(file.read_bytes())  # one of another version is refused
    return _report(file, "application/json", {})


@router.get("/ladder", include_in_schema=False)
async def ladder_page(request: Request) -> Response:
    """Its page: one file with script and style inside, so it stands in a sandbox that can reach nothing here."""
    return _report(services_of(request).opened.home.home / "ladder" / "ladder.html", "text/html; charset=utf-8", _REPORT_HEADERS)


def _report(file: Path, kind: str, headers: dict[str, str]) -> Response:
    if not file.is_file():
        raise Failure(404, "there is no report here; `rejoinder ladder` writes one")
    return FileResponse(file, media_type=kind, headers=headers)


@router.get("/health", tags=["health"])
async def health(request: Request) -> Response:
    """Whether the server answers, and how much waits."""
    services = services_of(request)
    waiting = services.quick.waiting + services.slow.waiting + (services.backend.waiting if services.backend else 0)
    return OrjsonResponse({"status": "ok", "sessions": len(services.sessions), "waiting": waiting})


@router.get("/metrics", tags=["health"], response_class=Response)
async def metrics(request: Request) -> Response:
    """Counters, as Prometheus reads them; tokens are counted where they are made."""
    services = services_of(request)
    text = services.metrics.text()
    if services.backend is not None:
        made = [line for line in (await services.backend.get("/metrics")).splitlines() if line.startswith(TOKENS)]
        text += b"".join(line + b"\n" for line in made)
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")

"""The API of our own: finishing sentences and proposing replies. Nothing is ever posted anywhere.

A keystroke that a newer one of its session overtakes is answered at once, with nothing and `superseded`: no error, since the
person did nothing wrong by typing on. A keystroke is never answered later than its deadline: what was found by then, or nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from time import perf_counter
from typing import Any, cast

from fastapi import APIRouter, Request
from fastapi.responses import Response

from rejoinder.engine.typing import Gate, Typed, TypingSession
from rejoinder.errors import DamagedModel
from rejoinder.home.open_home import OpenHome, context_of
from rejoinder.home.switch import is_on
from rejoinder.post import LONGEST_CONTEXT, Post
from rejoinder.serve.api.bodies import Context, ItemContext, RepliesAnswer, ReplyBody, SuggestAnswer, SuggestBody, TextContext
from rejoinder.serve.http.excerpts import end_of, nearest_posts
from rejoinder.serve.http.limits import ARRIVED
from rejoinder.serve.http.responses import OrjsonResponse
from rejoinder.serve.http.services import Services, services_of
from rejoinder.serve.http.sessions import Session

MARGIN = 0.004  # seconds kept for handing the answer over
_SILENCE: dict[str, Any] = {"ghost": "", "space": False, "probability": 0.0, "words": [], "rung": "", "cut": False}
_SILENCE |= {"off": False, "silent": False}
_UNANSWERED = (Post(0),)  # a draft answers something, as most do

router = APIRouter()


@router.post("/v1/suggest", responses={200: {"model": SuggestAnswer}}, tags=["native"])
async def suggest(body: SuggestBody, request: Request) -> Response:
    """What may follow a draft: ghost text, and the three best next words."""
    services = services_of(request)
    arrived = float(request.scope[ARRIVED])
    session = services.sessions.get(body.session)
    services.metrics.sessions.set(len(services.sessions))
    number = session.begin(body.sequence)
    found: dict[str, Any]
    async with session.turn:
        superseded = session.overtaken(number)
        found = _SILENCE
        if not superseded:
            found = await _searched(services, body, session, number, arrived)
            superseded = session.overtaken(number)
    if superseded:
        found = _SILENCE
        services.metrics.superseded.inc()
    took = perf_counter() - arrived
    _count(services, found, took)
    answer = {"session": session.name, "sequence": number, **found, "superseded": superseded}
    return OrjsonResponse({**answer, "milliseconds": round(1000 * took, 3)})


async def _searched(services: Services, body: SuggestBody, session: Session, number: int, arrived: float) -> dict[str, Any]:
    """What the engine finds before the deadline."""
    if not is_on(services.opened.home.home):
        return {**_SILENCE, "off": True, "silent": True}
    deadline = arrived + body.deadline_ms / 1000

    def unwanted() -> bool:
        return session.overtaken(number) or perf_counter() >= deadline

    def ask(typing: TypingSession) -> Typed:
        share = services.quick.share * (deadline - MARGIN - perf_counter())
        return typing.suggest(
            end_of(body.draft), body.after, gate=Gate(body.gate), deadline=perf_counter() + share, cancelled=unwanted
        )

    def job() -> Typed | None:
        if unwanted():
            return None
        about = (repr(body.context), tuple(body.blocked), body.own, services.refresh())
        try:
            found: Typed = session.work(about, lambda: _open(services, body), ask)
        except DamagedModel:  # found while it was asked: the next best speaks from the next keystroke on
            return None
        return found if services.refresh() == about[-1] else None  # it may know what is forgotten by now

    try:
        async with asyncio.timeout(deadline - perf_counter()):
            typed = await services.quick(job)
    except TimeoutError:
        typed = None
    if typed is None:
        return {**_SILENCE, "cut": True}
    words = [{"text": word.text, "probability": word.probability} for word in typed.words]
    return {
        **_SILENCE,
        "ghost": typed.ghost,
        "space": typed.space,
        "probability": typed.probability,
        "words": words,
        "rung": typed.rung,
        "cut": typed.cut,
        "silent": typed.silent,
    }


def _open(services: Services, body: SuggestBody) -> TypingSession:
    context = _UNANSWERED if body.context is None else nearest_posts(posts_of(services.opened, body.context))
    return services.opened.open_typing(context, body.blocked, own=body.own)


def _count(services: Services, found: dict[str, Any], took: float) -> None:
    metrics = services.metrics
    metrics.suggest.observe(took)
    if found["ghost"]:
        metrics.shown.inc()
    if found["cut"]:
        metrics.cut.inc()
    if found["rung"]:
        metrics.rung.labels(found["rung"]).inc()


def posts_of(opened: OpenHome, context: Context) -> Sequence[Post]:
    """The posts that are answered, from the root on."""
    if isinstance(context, ItemContext):
        with opened.archive() as archive:
            return archive.path_to(context.item, LONGEST_CONTEXT)
    if isinstance(context, TextContext):
        return context_of([("", context.text)])
    return context_of([(post.title, post.text) for post in context.posts])


@router.post("/v1/reply", responses={200: {"model": RepliesAnswer}}, tags=["native"])
async def reply(body: ReplyBody, request: Request) -> Response:
    """Replies to a post, with where each comes from. Nothing is ever posted."""
    services = services_of(request)

    def job() -> dict[str, Any]:
        opened = services.opened
        context = posts_of(opened, body.context)
        answering, found = opened.reply(context, body.k, generate=body.generate, everything=body.all)
        return {
            "replies": found,  # orjson writes dataclasses
            "score": "probability" if answering.trusts else "of the rung",
            "threshold": answering.threshold,
            "notice": opened.forum[1],
        }

    return OrjsonResponse(cast(dict[str, Any], await services.read(job)))

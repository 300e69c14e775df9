"""The API of our own: text of one's own that typing help learns from, when asked to. It stays on this machine."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from rejoinder.home.own_text import erase, remember, remembered
from rejoinder.serve.api.bodies import OwnAnswer, OwnBody
from rejoinder.serve.http.responses import OrjsonResponse
from rejoinder.serve.http.services import services_of

router = APIRouter(prefix="/v1", tags=["own"])


@router.get("/own", responses={200: {"model": OwnAnswer}})
async def show(request: Request) -> Response:
    """All that is remembered."""
    home = services_of(request).opened.home.home
    return OrjsonResponse(await services_of(request).slow(lambda: _told(remembered(home))))


@router.post("/own", responses={200: {"model": OwnAnswer}})
async def add(body: OwnBody, request: Request) -> Response:
    """Remember what was written, posts parted by blank lines."""
    services = services_of(request)

    def job() -> dict[str, Any]:
        remember(services.opened.home.home, body.text)
        services.refresh()
        return _told(remembered(services.opened.home.home))

    return OrjsonResponse(await services.slow(job))


@router.delete("/own", responses={200: {"model": OwnAnswer}})
async def forget(request: Request) -> Response:
    """Erase all text of one's own that typing help learned from, and say what is left of it."""
    services = services_of(request)

    def job() -> dict[str, Any]:
        erase(services.opened.home.home)
        services.refresh()
        return _told("")

    return OrjsonResponse(await services.slow(job))


def _told(text: str) -> dict[str, Any]:
    return {"text": text, "words": len(text.split())}

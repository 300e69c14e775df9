"""The API by which a browser extension is let in: it asks, a person confirms its code, it fetches its token, once."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from rejoinder.home.pairing import SECONDS, Pairings, is_extension
from rejoinder.serve.api.bodies import Body
from rejoinder.serve.http.failures import Failure
from rejoinder.serve.http.responses import OrjsonResponse
from rejoinder.serve.http.services import services_of

router = APIRouter(prefix="/v1", tags=["pairing"])
Secret = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{32,128}$")]


class PairBody(Body):
    """An extension asks to be let in."""

    secret: Secret  # by which it fetches its token
    name: Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[\w .,()-]+$")] = "a browser"


class CodeAnswer(BaseModel):
    """What it shows."""

    code: str
    seconds: int  # for which the code is good


class ClaimBody(Body):
    """It asks for its token."""

    secret: Secret


class TokenAnswer(BaseModel):
    """Its token, or null while nobody has confirmed its code."""

    token: str | None


class ConfirmBody(Body):
    """A person has typed the code that an extension shows."""

    code: Annotated[str, Field(min_length=1, max_length=40)]


class PairedAnswer(BaseModel):
    """An extension that may ask."""

    id: str
    origin: str
    name: str
    since: int


class PairingsAnswer(BaseModel):
    """All of them, and how many wait to be confirmed."""

    paired: list[PairedAnswer]
    waiting: int


@router.post("/pair", responses={200: {"model": CodeAnswer}})
async def ask(body: PairBody, request: Request) -> Response:
    """Ask to be let in; a browser's extension alone may."""
    origin, pairings = _origin(request), _pairings(request)
    code = await services_of(request).slow(lambda: pairings.ask(origin, body.secret, body.name))
    return OrjsonResponse({"code": code, "seconds": SECONDS})


@router.post("/pair/claim", responses={200: {"model": TokenAnswer}})
async def claim(body: ClaimBody, request: Request) -> Response:
    """Fetch the token, once the code is confirmed."""
    origin, pairings = _origin(request), _pairings(request)
    return OrjsonResponse({"token": await services_of(request).slow(lambda: pairings.claim(origin, body.secret))})


@router.get("/pairings", responses={200: {"model": PairingsAnswer}})
async def listed(request: Request) -> Response:
    """Which extensions may ask."""
    pairings = _pairings(request)
    return OrjsonResponse(await services_of(request).slow(lambda: _told(pairings)))


@router.post("/pairings", responses={200: {"model": PairingsAnswer}})
async def confirm(body: ConfirmBody, request: Request) -> Response:
    """Let in the extension that shows this code."""
    pairings = _pairings(request)

    def job() -> dict[str, Any]:
        pairings.confirm(body.code)
        return _told(pairings)

    return OrjsonResponse(await services_of(request).slow(job))


@router.delete("/pairings/{number}", responses={200: {"model": PairingsAnswer}})
async def revoke(number: Annotated[str, Path(max_length=40)], request: Request) -> Response:
    """End a pairing."""
    pairings = _pairings(request)

    def job() -> dict[str, Any]:
        if not pairings.revoke(number):
            raise Failure(404, "there is no such pairing")
        return _told(pairings)

    return OrjsonResponse(await services_of(request).slow(job))


def _pairings(request: Request) -> Pairings:
    return Pairings(services_of(request).opened.home.home)


def _origin(request: Request) -> str:
    origin = request.headers.get("origin", "")
    if not is_extension(origin):
        raise Failure(403, "only a browser's extension is paired")
    return origin


def _told(pairings: Pairings) -> dict[str, Any]:
    shown = [{"id": one.id, "origin": one.origin, "name": one.name, "since": one.since} for one in pairings.listed()]
    return {"paired": shown, "waiting": pairings.waiting()}

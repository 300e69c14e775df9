"""The API of our own: the one switch for all help while typing."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from rejoinder.home.switch import is_on, switch
from rejoinder.serve.api.bodies import SwitchAnswer, SwitchBody
from rejoinder.serve.http.responses import OrjsonResponse
from rejoinder.serve.http.services import services_of

router = APIRouter(prefix="/v1", tags=["native"])


@router.get("/switch", responses={200: {"model": SwitchAnswer}})
async def show(request: Request) -> Response:
    """Whether help is given while somebody types: on the page, in the browser, in editors."""
    return OrjsonResponse({"on": is_on(services_of(request).opened.home.home)})


@router.post("/switch", responses={200: {"model": SwitchAnswer}})
async def turn(body: SwitchBody, request: Request) -> Response:
    """Switch it on or off, everywhere."""
    home = services_of(request).opened.home.home
    switch(home, body.on)
    return OrjsonResponse({"on": is_on(home)})

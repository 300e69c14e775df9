"""What is said when something cannot be done: one shape for all of it, the one that OpenAI's clients know.

    {"error": {"message": ..., "type": ..., "param": ..., "code": ...}}

Nothing that was sent is said again, so that no draft ends up in a log.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from rejoinder.errors import ArchiveBusy, NotFitted, RejoinderError, StaleModel, UnknownPost, UsageError

_STATUS: tuple[tuple[type[RejoinderError], int], ...] = (  # the first that fits
    (UnknownPost, 404),
    (NotFitted, 404),
    (StaleModel, 409),
    (ArchiveBusy, 503),
    (UsageError, 400),
    (RejoinderError, 500),
)
_CODES = {404: "not_found", 429: "busy"}


class Failure(Exception):
    """An answer that is not what was asked for."""

    def __init__(self, status: int, message: str, *, param: str | None = None, code: str | None = None) -> None:
        """`param`: the field at fault."""
        super().__init__(message)
        self.status, self.param, self.code = status, param, code


def failure(
    status: int,
    message: str,
    *,
    param: str | None = None,
    code: str | None = None,
    headers: Iterable[tuple[str, str]] = (),
) -> JSONResponse:
    """The answer that says so."""
    kind = "invalid_request_error" if status < 500 else "server_error"
    said = {"message": message, "type": kind, "param": param, "code": code or _CODES.get(status)}
    answer = JSONResponse({"error": said}, status)
    for name, value in headers:
        answer.headers.append(name, value)
    if status == 503:
        answer.headers["retry-after"] = "1"
    return answer


def add_failures(app: FastAPI) -> None:
    """Have `app` answer every error in this shape."""

    @app.exception_handler(Failure)
    async def known(_: Request, error: Failure) -> JSONResponse:
        return failure(error.status, str(error), param=error.param, code=error.code)

    @app.exception_handler(RejoinderError)
    async def ours(_: Request, error: RejoinderError) -> JSONResponse:
        return failure(next(status for kind, status in _STATUS if isinstance(error, kind)), str(error))

    @app.exception_handler(HTTPException)
    async def http(_: Request, error: HTTPException) -> JSONResponse:
        return failure(error.status_code, str(error.detail), headers=(error.headers or {}).items())

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        first: dict[str, Any] = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"] if part != "body")
        return failure(422, f"{where or 'the body'}: {first['msg']}", param=where or None)

"""What is said when something cannot be done: one shape for all of it, the one that OpenAI's clients know.

    {"error": {"message": ..., "type": ..., "param": ..., "code": ...}}

Nothing that was sent is said again, so that no draft ends up in a log.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from rejoinder.errors import ArchiveBusy, NotFitted, NotPaired, RejoinderError, StaleModel, UnknownPost, UsageError

_STATUS: tuple[tuple[type[RejoinderError], int], ...] = (  # the first that fits
    (UnknownPost, 404),
    (NotFitted, 404),
    (StaleModel, 409),
    (ArchiveBusy, 503),
    (NotPaired, 403),
    (UsageError, 400),
    (RejoinderError, 500),
)
_CODES = {404: "not_found", 429: "busy"}
_SHOULD = re.compile(r"^[A-Z]\w+ should(?= be| have| match)")
_FIELD = re.compile(r"[a-z]\w*")  # and nothing with brackets, as the kinds of a union are called


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
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        where, what = _plain(error.errors())
        status = 400 if "openai" in request.scope["route"].tags else 422  # OpenAI's clients know a wrong body by 400
        return failure(status, f"{where or 'the body'}: {what}", param=where or None)


_PLAIN = {  # what pydantic says in the words of Python
    "model_attributes_type": "must be an object",
    "model_type": "must be an object",
    "dict_type": "must be an object",
    "list_type": "must be a list",
    "string_type": "must be a text",
    "json_invalid": "is no JSON",
    "missing": "is missing",
    "extra_forbidden": "is no field that is known here",
}


def _plain(errors: Sequence[Any]) -> tuple[str, str]:
    """The field at fault and what is wrong with it, of the first error; where a field may be of several kinds, of the field."""
    first: dict[str, Any] = errors[0]
    loc = [part for part in first["loc"][1:] if isinstance(part, int) or _FIELD.fullmatch(part)]
    if first["type"] == "json_invalid":
        loc = []
    what = _SHOULD.sub("must", str(first["msg"]).removeprefix("Value error, "))
    return ".".join(map(str, loc)), _PLAIN.get(first["type"], what[:1].lower() + what[1:])

"""Who may ask: a web page that the person did not open from here may not, nor may anybody without the token.

    Host             must be a name of this machine        a foreign name that points here is DNS rebinding
    Origin           must be this server, where it is sent  a page from elsewhere asks
    Sec-Fetch-Site   must not be cross-site                 the same, for what has no Origin; nor a script without a site
    Authorization    must bring the token, if there is one  Bearer; or Basic with it as the password, which browsers ask for
    Content-Type     must be JSON, where a body is sent     what an HTML form can send without asking is not

A browser's extension may pass with the token of its pairing (see `rejoinder.home.pairing`) and no other, and only to what typing
needs; without one it may ask to be paired. Pairing begins at this machine alone.

No answer carries a CORS header, and every answer tells the browser to load nothing from anywhere else.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
from secrets import compare_digest

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rejoinder.errors import SourceError
from rejoinder.home.pairing import Pairings, is_extension
from rejoinder.serve.http.config import ServeConfig, is_loopback
from rejoinder.serve.http.failures import failure

_WILDCARDS = ("0.0.0.0", "::")  # noqa: S104 - compared with, not bound to
_LOCAL = frozenset(("localhost", "127.0.0.1", "[::1]"))
_TO_PAIR = frozenset(("/v1/pair", "/v1/pair/claim"))
_FOR_EXTENSIONS = frozenset(("/v1/suggest", "/v1/reply", "/v1/own", "/v1/switch", "/v1/rungs"))
_WITHOUT_BODY = ("GET", "HEAD", "OPTIONS")
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; "
    "frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_ALWAYS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


class Guard:
    """Stands before the app."""

    def __init__(self, app: ASGIApp, config: ServeConfig, pairings: Pairings) -> None:
        """Let through to `app` what may pass."""
        self._app, self._pairings = app, pairings
        self._token = config.token.encode() if config.token else None
        self._any_address = config.host in _WILDCARDS
        self._hosts = _LOCAL | {f"[{config.host}]" if ":" in config.host else config.host.lower()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what may not pass."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # nothing here speaks web socket
            await send({"type": "websocket.close", "code": 1008})
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _ALWAYS.items():
                    headers.setdefault(name, value)
            await send(message)

        headers = Headers(scope=scope)
        if _is_from_extension(headers):
            refused = self._elsewhere(headers) or self._unpaired(scope, headers)
        else:
            refused = self._elsewhere(headers) or _foreign(headers) or self._unknown(headers)
        refused = refused or _unreadable(scope["method"], headers)
        await (refused or self._app)(scope, receive, guarded)

    def _elsewhere(self, headers: Headers) -> ASGIApp | None:
        """The answer to who takes this server for another."""
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._is_ours(hosts[0]):
            return failure(403, "this server answers to its own name only; ask it as localhost or by the address it listens at")
        return None

    def _unpaired(self, scope: Scope, headers: Headers) -> ASGIApp | None:
        """The answer to an extension that nobody let in, or that asks for what is none of its business."""
        path = scope["path"]
        if path in _TO_PAIR:
            client = scope.get("client")
            return None if client and is_loopback(client[0]) else failure(403, "extensions are paired at this machine alone")
        if path not in _FOR_EXTENSIONS:
            return failure(403, "an extension may not ask for this")
        try:
            may = self._pairings.allows(headers.get("origin"), _brought(headers.get("authorization", "")))
        except SourceError as error:
            return failure(500, str(error))
        if not may:
            return failure(403, "this extension is not paired with this server; pair it in its settings", code="not_paired")
        return None

    def _is_ours(self, host: str) -> bool:
        name = _without_port(host.lower())
        if name in self._hosts:
            return True
        # who listens at every address is known by many; a name would be somebody's, a number is not
        return self._any_address and _is_number(name)

    def _unknown(self, headers: Headers) -> ASGIApp | None:
        """The answer to whoever has not the token."""
        if self._token is None or compare_digest(_brought(headers.get("authorization", "")), self._token):
            return None
        told = [("www-authenticate", 'Basic realm="rejoinder", charset="UTF-8"'), ("www-authenticate", "Bearer")]
        return failure(401, "this server asks for its token: Authorization: Bearer TOKEN", headers=told)


def _is_from_extension(headers: Headers) -> bool:
    """Whether a browser's extension asks. With GET browsers do not say which, but that it is no page and nobody's address bar."""
    origin, mode = headers.get("origin"), headers.get("sec-fetch-mode", "navigate")
    return is_extension(origin or "") or (origin is None and headers.get("sec-fetch-site") == "none" and mode != "navigate")


def _foreign(headers: Headers) -> ASGIApp | None:
    """The answer to a page from elsewhere."""
    origin = headers.get("origin")
    if origin is not None and origin.partition("://")[2].lower() != headers["host"].lower():
        return failure(403, "a page from elsewhere may not ask this server")
    if headers.get("sec-fetch-site") == "cross-site":
        return failure(403, "a page from elsewhere may not ask this server; open the address in a tab of its own")
    return None


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdecimal() and not name.endswith(":") else host


def _is_number(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def _brought(authorization: str) -> bytes:
    """The token in an Authorization header."""
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip().encode("utf-8", "replace")
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).partition(b":")[2]
        except (binascii.Error, ValueError):
            return b""
    return b""


def _unreadable(method: str, headers: Headers) -> ASGIApp | None:
    """The answer to a body that is no JSON."""
    sent = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if method not in _WITHOUT_BODY and sent and kind != "application/json":
        return failure(415, "a body must be JSON: Content-Type: application/json")
    return None

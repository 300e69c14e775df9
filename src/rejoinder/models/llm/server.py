"""A server that speaks the OpenAI API, as a client asks it, within limits of time and size.

    models               which models it has
    chat/completions     what a model says to messages
    completions          how a text goes on; with `echo` and no new token, how likely each token of the text was

Nothing goes to any other address than the one given: no redirect is followed and no proxy of the environment is used. Nothing is
asked twice: a server that fails is the user's to mend.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from ssl import PROTOCOL_TLS_CLIENT, SSLContext
from time import monotonic
from types import TracebackType
from typing import Any, NamedTuple, Self

import httpx

from rejoinder.errors import ModelError, SourceError

LARGEST_ANSWER = 4 * 2**20  # bytes
_SHOWN = 200  # characters of what a server says about an error
_TO_DO = {
    401: "; it wants a key: `llm.api_key_env` names the environment variable that holds it",
    403: "; it refuses this key: `llm.api_key_env` names the environment variable that holds it",
    404: "; is `llm.base_url` right? It mostly ends in /v1",
}


class Refused(SourceError):
    """The server answers, but not to this."""


class Said(NamedTuple):
    """What a model wrote."""

    text: str
    whole: bool  # it came to an end by itself


class ScoredText(NamedTuple):
    """A text as the server gave it back, its tokens, and how likely each was after those before it."""

    text: str
    tokens: tuple[str, ...]
    nats: tuple[float, ...]  # natural logarithms of probabilities; 0 for the first, of which nothing is known


@dataclass(frozen=True)
class Ask:
    """How a model is to write."""

    temperature: float
    max_tokens: int
    seed: int
    stop: tuple[str, ...] = ()

    def fields(self) -> dict[str, Any]:
        """As the API names them."""
        stop = {"stop": list(self.stop)} if self.stop else {}
        return {"temperature": self.temperature, "max_tokens": self.max_tokens, "seed": self.seed, "n": 1, **stop}


class Server:
    """An open connection, for one task; a context manager. Opening it sends nothing."""

    def __init__(self, url: str, timeout: float, key: str = "") -> None:
        """Ask `url` (it mostly ends in /v1), with a key if there is one; `timeout` seconds from now, all is to be answered."""
        self.url = url.rstrip("/")
        self.timeout = timeout
        self._ends = monotonic() + timeout
        headers = {"User-Agent": "rejoinder", "Accept": "application/json", "Accept-Encoding": "identity"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        # reading all certificates takes a while, and only https needs them; an empty context trusts nobody
        trusted = self.url.lower().startswith("https:") or SSLContext(PROTOCOL_TLS_CLIENT)
        self._client = httpx.Client(headers=headers, verify=trusted, trust_env=False, follow_redirects=False)

    def __enter__(self) -> Self:
        """The open connection."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close the connection to the server."""
        self._client.close()

    def models(self) -> list[str]:
        """The names of the models it has, in its order."""
        answer = self._ask("models")
        try:
            names = [entry["id"] for entry in answer["data"]]
        except (KeyError, TypeError):
            raise self._strange("models", "a list of models") from None
        if not names or not all(isinstance(name, str) and name for name in names):
            raise SourceError(f"{self.url}/models: it names no model; name one: --set llm.model=NAME")
        return names

    def chat(self, model: str, messages: Sequence[Mapping[str, str]], ask: Ask) -> Said:
        """What the model says to messages."""
        body = {"model": model, "messages": list(messages), **ask.fields()}
        choice = self._choice("chat/completions", body)
        message = choice.get("message")
        text = message.get("content") if isinstance(message, dict) else message
        if not isinstance(message, dict) or not isinstance(text, str | None):
            raise self._strange("chat/completions", "a message")
        return Said(text or "", choice.get("finish_reason") != "length")

    def go_on(self, model: str, prompt: str, ask: Ask) -> Said:
        """How the model goes on with a text."""
        choice = self._choice("completions", {"model": model, "prompt": prompt, **ask.fields()})
        if not isinstance(choice.get("text"), str):
            raise self._strange("completions", "a text")
        return Said(choice["text"], choice.get("finish_reason") != "length")

    def read(self, model: str, prompt: str) -> ScoredText:
        """How likely the model finds each token of a text.

        Raises:
            ModelError: the server does not tell.
        """
        body = {"model": model, "prompt": prompt, "max_tokens": 0, "temperature": 0.0, "echo": True, "logprobs": 1}
        read = _read_back(self._choice("completions", body))
        # a server that ignores `echo` tells of what it made instead of what it read: then ranks would be chance
        if read is None or len(read.tokens) <= len(prompt.split()) // 2:
            raise ModelError(
                f"the server {self.url} cannot rank: it gives no log-probabilities of what it reads (/completions with "
                "echo=true, max_tokens=0, logprobs=1); use a server that does, or `llm` for proposals only"
            )
        return read

    def _choice(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The first of an answer's choices."""
        answer = self._ask(path, body)
        choices = answer.get("choices") if isinstance(answer, dict) else None
        if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
            raise self._strange(path, "choices")
        return choices[0]

    def _ask(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """The JSON that answers a question; one without a body only reads.

        Raises:
            Refused: the server answers with another status than 200.
            SourceError: it does not answer, not in time, or not in JSON.
        """
        address = f"{self.url}/{path}"
        verb, content = ("GET", None) if body is None else ("POST", json.dumps(body).encode())
        headers = {"Content-Type": "application/json"} if content else {}
        left = self._ends - monotonic()
        if left <= 0:
            raise self._late(address)
        try:
            request = self._client.build_request(verb, address, content=content, headers=headers, timeout=left)
            status, read = self._read(request)
        except httpx.TimeoutException:
            raise self._late(address) from None
        except httpx.ConnectError as error:
            raise SourceError(
                f"{address}: nobody answers ({error}); start the server, or name another: rejoinder fit llm --base-url URL"
            ) from error
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise SourceError(f"{address}: no answer ({error})") from error
        if status != 200:
            aside = "; it leads elsewhere, which is not followed" if 300 <= status < 400 else _TO_DO.get(status, "")
            raise Refused(f"{address}: status {status}{_complaint(read)}{aside}")
        try:
            return json.loads(read)
        except (ValueError, RecursionError):
            raise SourceError(f"{address}: an answer that is not JSON; is `llm.base_url` right?") from None

    def _read(self, request: httpx.Request) -> tuple[int, bytes]:
        """Status and body of an answer, as long as neither time nor size runs out."""
        body = bytearray()
        response = self._client.send(request, stream=True)
        try:
            for chunk in response.iter_raw():
                body += chunk
                if len(body) > LARGEST_ANSWER:
                    raise SourceError(f"{request.url}: an answer of more than {LARGEST_ANSWER // 2**20} MiB was cut off")
                if monotonic() > self._ends:  # the client's own limit is for each read: a server that drips never meets it
                    raise self._late(str(request.url))
        finally:
            response.close()
        return response.status_code, bytes(body)

    def _late(self, address: str) -> SourceError:
        return SourceError(f"{address}: no answer within {self.timeout:g} s, which `llm.timeout` gives for all that is asked")

    def _strange(self, path: str, expected: str) -> SourceError:
        return SourceError(f"{self.url}/{path}: the answer holds no {expected.removeprefix('a ')}; does it speak the OpenAI API?")


def _read_back(choice: Mapping[str, Any]) -> ScoredText | None:
    """What a choice tells of the text that was read; None where that is not whole."""
    text, found = choice.get("text"), choice.get("logprobs")
    tokens, nats = (found.get("tokens"), found.get("token_logprobs")) if isinstance(found, dict) else (None, None)
    if not isinstance(text, str) or not isinstance(tokens, list) or not isinstance(nats, list) or len(tokens) != len(nats):
        return None
    if not all(isinstance(token, str) for token in tokens) or not all(_is_log(value) for value in nats[1:]):
        return None
    return ScoredText(text, tuple(tokens), (0.0, *map(float, nats[1:])))


def _is_log(value: Any) -> bool:
    """Whether this can be the logarithm of a probability."""
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _complaint(body: bytes) -> str:
    """What a server says about an error, in brackets."""
    try:
        error = json.loads(body)["error"]
        said = error["message"] if isinstance(error, dict) else error
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    return f" ({said[:_SHOWN]})" if isinstance(said, str) and said else ""

"""What the OpenAI-compatible API takes.

Fields that it does not know are passed over, as clients expect, and null is as good as nothing; what would change the answer and
is not offered is refused.

Source: the OpenAI API reference, Completions, Chat Completions and Embeddings.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, Field, WithJsonSchema, field_validator, model_validator
from pydantic_core import PydanticCustomError

from rejoinder.serve.http.fields import LARGEST_ID, Text

MOST_PROMPTS = 256  # with all their texts
_MOST_TEXTS = 2_048  # to be embedded at a time
_ONE_OR_MANY = WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]})


def _one_or_many(value: Any) -> list[Any]:
    """A text, or a list of texts, as a list."""
    given = [value] if isinstance(value, str) else value
    if isinstance(given, list) and all(isinstance(one, str) for one in given):
        return given
    if isinstance(given, list) and all(isinstance(one, int | list) for one in given):
        raise PydanticCustomError("tokens", "arrays of tokens are not read here; give text")
    raise PydanticCustomError("texts", "must be a text or a list of texts")


def _said(content: Any) -> Any:
    """What a message says: a text, or parts of text."""
    if not isinstance(content, list):
        return content
    if not all(isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str) for part in content):
        raise PydanticCustomError("parts", "only parts of type `text` are read here: no images, sounds or files")
    return "".join(part["text"] for part in content)


def _without_empty(stops: list[str]) -> list[str]:
    return [stop for stop in dict.fromkeys(stops) if stop]


Texts = Annotated[list[Text], BeforeValidator(_one_or_many), _ONE_OR_MANY]
Stops = Annotated[list[str], BeforeValidator(lambda value: _without_empty(_one_or_many(value))), _ONE_OR_MANY]
Number = Annotated[int, Field(ge=-LARGEST_ID, le=LARGEST_ID)]


class Lenient(BaseModel):
    """A body in which null means that a field was left out."""

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, given: Any) -> Any:
        return {name: value for name, value in given.items() if value is not None} if isinstance(given, dict) else given


class StreamOptions(Lenient):
    """What a stream tells besides text."""

    include_usage: bool = False


class Sampled(Lenient):
    """What both kinds of completion share."""

    model: Annotated[str, Field(min_length=1, max_length=200)] | None = None  # the first that can do it
    n: Annotated[int, Field(ge=1, le=16)] = 1
    temperature: Annotated[float, Field(ge=0, le=2)] = 1.0
    top_p: Annotated[float, Field(ge=0, le=1)] = 1.0
    seed: Number | None = None
    stop: Stops = []
    max_tokens: Number | None = None  # 0 and less: as many as there may be
    stream: bool = False
    stream_options: StreamOptions = StreamOptions()
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    logit_bias: dict[str, float] = {}

    @field_validator("presence_penalty", "frequency_penalty", "logit_bias")
    @classmethod
    def _not_offered(cls, value: Any) -> Any:
        if value:
            raise PydanticCustomError("not_offered", "is not offered here; leave it out")
        return value


class CompletionBody(Sampled):
    """A text to go on with."""

    prompt: Annotated[Texts, Field(min_length=1, max_length=MOST_PROMPTS)] = [""]
    logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    echo: bool = False
    suffix: str = ""
    best_of: int = 1

    @property
    def scores_only(self) -> bool:
        """Whether the prompt is to be read and nothing made."""
        return self.echo and self.max_tokens == 0

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.suffix:
            raise ValueError("`suffix` is not offered here, since a rung reads forwards only; leave it out")
        if self.best_of not in (1, self.n):
            raise ValueError("`best_of` is not offered here; leave it out")
        if len(self.prompt) * self.n > MOST_PROMPTS:
            raise ValueError(f"at most {MOST_PROMPTS} texts at a time; got {len(self.prompt)} prompts with `n` = {self.n}")
        return self


class Message(Lenient):
    """One turn of a conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Annotated[
        Text,
        BeforeValidator(_said),
        WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "object"}}]}),
    ] = ""


class ChatBody(Sampled):
    """A conversation to answer."""

    messages: Annotated[list[Message], Field(min_length=1, max_length=200)]
    max_completion_tokens: Number | None = None
    logprobs: bool = False
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None

    @property
    def most(self) -> int | None:
        """Tokens of the answer."""
        return self.max_tokens if self.max_completion_tokens is None else self.max_completion_tokens


class EmbeddingBody(Lenient):
    """Texts to be placed among others."""

    input: Annotated[Texts, Field(min_length=1, max_length=_MOST_TEXTS)]
    model: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: Number | None = None

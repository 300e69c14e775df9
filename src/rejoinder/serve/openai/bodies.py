"""What the OpenAI-compatible API takes.

Fields that it does not know are passed over, as clients expect; what would change the answer and is not offered is refused.

Source: the OpenAI API reference, Completions and Chat Completions.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, model_validator

from rejoinder.serve.http.fields import Text

Stop = Annotated[str, Field(min_length=1, max_length=200)]
MOST_PROMPTS = 256  # with all their texts


class StreamOptions(BaseModel):
    """What a stream tells besides text."""

    include_usage: bool = False


class Sampled(BaseModel):
    """What both kinds of completion share."""

    model: Annotated[str, Field(min_length=1, max_length=200)]
    n: Annotated[int, Field(ge=1, le=16)] = 1
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    seed: Annotated[int, Field(ge=-(2**63), le=2**63 - 1)] | None = None
    stop: Stop | Annotated[list[Stop], Field(max_length=4)] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logit_bias: dict[str, float] | None = None

    @property
    def stops(self) -> list[str]:
        """The strings that end a text."""
        return [self.stop] if isinstance(self.stop, str) else list(self.stop or ())

    @model_validator(mode="after")
    def _honoured(self) -> Self:
        for name in ("presence_penalty", "frequency_penalty", "logit_bias"):
            if getattr(self, name):
                raise ValueError(f"`{name}` is not offered here; leave it out")
        return self


class CompletionBody(Sampled):
    """A text to go on with."""

    prompt: Text | Annotated[list[Text], Field(min_length=1, max_length=MOST_PROMPTS)] = ""
    max_tokens: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    echo: bool | None = None
    suffix: str | None = None
    best_of: int | None = None

    @property
    def prompts(self) -> list[str]:
        """One or more."""
        return [self.prompt] if isinstance(self.prompt, str) else self.prompt

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.suffix:
            raise ValueError("`suffix` is not offered here: a rung reads forwards only; leave it out")
        if self.best_of is not None and self.best_of != self.n:
            raise ValueError("`best_of` is not offered here; leave it out")
        if len(self.prompts) * self.n > MOST_PROMPTS:
            raise ValueError(f"at most {MOST_PROMPTS} texts at a time; got {len(self.prompts)} prompts with n = {self.n}")
        if self.max_tokens == 0 and not self.echo:
            raise ValueError("`max_tokens` 0 without `echo` asks for nothing; give one of them")
        return self


class Part(BaseModel):
    """A part of a message."""

    type: Literal["text"]
    text: Text


class Message(BaseModel):
    """One turn of a conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Text | Annotated[list[Part], Field(max_length=100)] | None = None

    @property
    def text(self) -> str:
        """What it says."""
        if isinstance(self.content, list):
            return "".join(part.text for part in self.content)
        return self.content or ""


class ChatBody(Sampled):
    """A conversation to answer."""

    messages: Annotated[list[Message], Field(min_length=1, max_length=200)]
    max_tokens: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None

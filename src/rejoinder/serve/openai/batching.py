"""A batch of completions: one decoding step of all its texts at a time, so that whoever waits for a thread never waits for long.

A prompt is read as the beginning of a post that answers something, as most do; a conversation as a thread whose next post is the
assistant's. A rung follows no instructions, so system messages are passed over. A prompt that ends in a space is read without it,
and the first token then begins with one: that is how tokens are cut.
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from rejoinder.engine.detokenizer import Detokenizer
from rejoinder.engine.sampling import NO_REPEAT, SampleConfig, SampledToken, Sampler
from rejoinder.errors import UsageError
from rejoinder.models.interfaces import Cases, LanguageModel, best
from rejoinder.post import Kind, Post
from rejoinder.serve.http.excerpts import end_of, nearest_posts
from rejoinder.serve.openai.bodies import Message, Sampled
from rejoinder.serve.openai.screen import Screen
from rejoinder.text.phrases import Phrases

ANSWERS_SOMETHING = (Post(0),)
MOST_READ = 1_024  # tokens of a prompt that is gone on with: the nearest
MOST_SCORED = 8_192  # tokens of a prompt that is only read
LEAST = -9_999.0  # nats; stands for a probability of 0, which JSON cannot


class TokenLogProb(NamedTuple):
    """A token as clients see it."""

    text: str  # the characters that it completes, so that those of all tokens make the text
    piece: bytes
    log_prob: float | None  # nats; None for the first of what was only read
    others: tuple[tuple[bytes, float], ...]  # the most probable at that place, with their nats


class Delta(NamedTuple):
    """What one step adds to one text."""

    place: int
    text: str
    tokens: tuple[TokenLogProb, ...]  # those whose characters are now shown
    finish: str | None  # "stop", "length" or "content_filter", with its last piece
    source: dict[str, str] | None = None  # where a reply that was found comes from


@dataclass(frozen=True)
class Prefill:
    """Where a text goes on from."""

    state: Any
    draft: str = ""
    owed: bytes = b""  # what its first token must begin with
    tokens: int = 0  # that were read


def prefill(model: LanguageModel, context: Sequence[Post], draft: str, cases: Cases | None = None) -> Prefill:
    """The state after a draft that answers `context`; of a long one, after its end. In a chat with `cases`, if only none."""
    owed = b" " if draft.endswith(" ") else b""
    tokens = model.tokenizer.encode(end_of(draft[:-1] if owed else draft))[-MOST_READ:]
    posts = nearest_posts(context)
    begun = model.start(posts) if cases is None else model.start_reply(posts, cases)
    state = model.read_on(begun, tokens)
    read = sum(len(model.tokenizer.encode(post.body)) for post in posts)
    return Prefill(state, draft, owed, read + len(tokens))


def conversation(messages: Sequence[Message]) -> tuple[tuple[Post, ...], str]:
    """The posts that are answered, and what the assistant has begun to say.

    Raises:
        UsageError: nobody has said anything.
    """
    said = [message for message in messages if message.role in ("user", "assistant") and message.content.strip()]
    if not said:
        raise UsageError("nothing to answer: no message of the user has words")
    draft = said.pop().content if said[-1].role == "assistant" else ""
    posts = tuple(
        Post(-1 - place, Kind.COMMENT if place else Kind.STORY, message.content.strip(), parent=-place if place else None)
        for place, message in enumerate(said)
    )
    return posts or ANSWERS_SOMETHING, draft


def score_prompt(model: LanguageModel, prompt: str) -> list[TokenLogProb]:
    """A prompt's tokens, each with how probable it was after those before it.

    Raises:
        UsageError: it is too long.
    """
    tokens = model.tokenizer.encode(prompt)
    if len(tokens) > MOST_SCORED:
        raise UsageError(f"a prompt that is read back may have {MOST_SCORED:,} tokens; this one has {len(tokens):,}")
    scores = model.score_tokens(model.start(ANSWERS_SOMETHING), tokens)
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    pieces = [model.tokenizer.bytes[token] for token in tokens]
    told = [
        TokenLogProb(decoder.decode(piece), piece, _finite(score), ((piece, _finite(score)),))
        for piece, score in zip(pieces, scores, strict=True)
    ]
    return [one._replace(log_prob=None, others=()) if place == 0 else one for place, one in enumerate(told)]


class Served(NamedTuple):
    """A language model, whose words it has read, and what had been forgotten when it was read."""

    model: LanguageModel
    phrases: Phrases
    forgot_at: int = 0


class CompletionBatch:
    """The texts of one request, a token each at every step."""

    def __init__(self, served: Served, starts: Sequence[Prefill], body: Sampled, longest: int, others: int | None) -> None:
        """Go on `body.n` times from each of `starts`, for `longest` tokens; with each token tell of `others` more, if any."""
        model = served.model
        self._model = model
        self.forgot_at = served.forgot_at
        self._others = others
        self._left = longest
        begun = [start for start in starts for _ in range(body.n)]
        self._texts = [_Sequence(Detokenizer(body.stop), Screen(served.phrases, one.draft), one.owed) for one in begun]
        owed = {start.owed for start in starts}
        self._samplers = [self._sampler(body, starts, bytes_owed, longest) for bytes_owed in sorted(owed)]
        self.made = 0  # tokens, END included

    def _sampler(self, body: Sampled, starts: Sequence[Prefill], owed: bytes, longest: int) -> tuple[list[int], Sampler]:
        """A sampler for the texts that owe the same, and which these are."""
        places = [place for place, text in enumerate(self._texts) if text.owed == owed]
        nucleus = None if body.top_p == 1.0 else max(body.top_p, 1e-9)
        config = SampleConfig(temperature=body.temperature, nucleus=nucleus, longest=longest, no_repeat=NO_REPEAT)
        rng = np.random.default_rng(None if body.seed is None else body.seed % 2**64)
        states = [starts[place // body.n].state for place in places]
        return places, Sampler(self._model, states, config, rng, owed)

    def step(self) -> list[Delta]:
        """What the next token adds to each text; empty when all are done."""
        self._left -= 1
        pieces: list[Delta] = []
        for places, sampler in self._samplers:
            for drawn in sampler.step():
                place = places[drawn.place]
                piece = self._piece(place, drawn)
                pieces.append(piece)
                if piece.finish in ("stop", "content_filter"):
                    sampler.drop(drawn.place)
        self.made += len(pieces)
        return pieces

    def _piece(self, place: int, drawn: SampledToken) -> Delta:
        text = self._texts[place]
        finish: str | None
        if drawn.token == self._model.tokenizer.end:
            shown, tokens, finish = *text.ended(), "stop"
        else:
            shown, tokens = text.add(self._told(text, drawn))
            finish = "stop" if text.detokenizer.stopped else None
            if finish is None and self._left <= 0:
                rest, others = text.ended()
                shown, tokens, finish = shown + rest, (*tokens, *others), "length"
        return Delta(place, shown, tokens, "content_filter" if text.screen.stopped else finish)

    def _told(self, text: _Sequence, drawn: SampledToken) -> TokenLogProb:
        piece = self._model.tokenizer.bytes[drawn.token][len(text.owed) :]
        text.owed = b""
        others: tuple[tuple[bytes, float], ...] = ()
        if self._others:
            found = best(np.arange(self._model.tokenizer.vocabulary), drawn.row, self._others)
            others = tuple((self._model.tokenizer.bytes[token], _finite(value)) for token, value in found)
        return TokenLogProb(text.decoder.decode(piece), piece, _finite(drawn.log_prob), others)


@dataclass
class _Sequence:
    """One text: what may be shown of it, and the tokens that may not be yet."""

    detokenizer: Detokenizer
    screen: Screen
    owed: bytes
    decoder: Any = field(default_factory=lambda: codecs.getincrementaldecoder("utf-8")("ignore"))
    shown: int = 0  # characters
    told: int = 0  # characters of the tokens that came
    held: list[tuple[int, TokenLogProb]] = field(default_factory=list)  # where a token's characters begin, and it

    def add(self, token: TokenLogProb) -> tuple[str, tuple[TokenLogProb, ...]]:
        """What may be shown now that a token has come."""
        self.held.append((self.told, token))
        self.told += len(token.text)
        text = self.screen.feed(self.detokenizer.feed(token.piece))
        return self._show(text + self.screen.rest() if self.detokenizer.stopped else text)

    def ended(self) -> tuple[str, tuple[TokenLogProb, ...]]:
        """What was held back, and may be shown since nothing more comes."""
        text, tokens = self._show(self.screen.feed(self.detokenizer.rest()) + self.screen.rest())
        left, self.held = () if self.screen.stopped else tuple(one for _, one in self.held), []
        return text, (*tokens, *left)

    def _show(self, text: str) -> tuple[str, tuple[TokenLogProb, ...]]:
        self.shown += len(text)
        tokens = tuple(one for begins, one in self.held if begins < self.shown)
        self.held = self.held[len(tokens) :]
        return text, tokens


def _finite(value: float) -> float:
    return float(value) if value > LEAST else LEAST

"""Models made up for the tests of typing help, and a slow, obvious search to set the fast one against."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rejoinder.engine.token_healing import HealedDraft, Shape, TokenTable, shape_of
from rejoinder.models.interfaces import LanguageModel
from rejoinder.post import Post
from rejoinder.text.tokenizer import Tokenizer


@dataclass
class Fake(LanguageModel):
    """A language model whose state is the tokens so far; `rows` says what comes next after them."""

    tokenizer: Tokenizer
    rows: Callable[[tuple[int, ...]], NDArray[np.float32]]
    before: Callable[[], object] = lambda: None  # called before each step
    steps: list[int] = field(default_factory=list)  # the tokens read

    def start(self, context: Sequence[Post]) -> Any:
        return ()

    def advance(self, state: Any, token: int) -> Any:
        return self.advance_many([state], [token])[0]

    def log_probs(self, state: Any) -> NDArray[np.float32]:
        return self.rows(state)

    def advance_many(self, states: Sequence[Any], tokens: Sequence[int]) -> list[Any]:
        self.before()
        self.steps += tokens
        return [(*state, token) for state, token in zip(states, tokens, strict=True)]


def dice(tokenizer: Tokenizer, live: Sequence[int], seed: int) -> Fake:
    """Any of the `live` tokens and END, with probabilities that depend on the last two tokens and on nothing else."""
    able = np.array([*live, tokenizer.end])
    known: dict[tuple[int, ...], NDArray[np.float32]] = {}

    def rows(state: tuple[int, ...]) -> NDArray[np.float32]:
        last = state[-2:]
        if last not in known:
            weights = np.random.default_rng([seed, *last]).exponential(size=len(able)) ** 3
            row = np.full(tokenizer.vocabulary, -np.inf, np.float32)
            row[able] = np.log(weights / weights.sum())
            known[last] = row
        return known[last]

    return Fake(tokenizer, rows)


def parrot(tokenizer: Tokenizer, *texts: str, sure: float = 0.96) -> Fake:
    """Knows some texts: where what was read is the beginning of one, it goes on so with probability `sure`."""
    known = [[*tokenizer.encode(text), tokenizer.end] for text in texts]

    def rows(state: tuple[int, ...]) -> NDArray[np.float32]:
        probs = np.full(tokenizer.vocabulary, 1.0)
        following = [tokens[len(state)] for tokens in known if tuple(tokens[: len(state)]) == state and len(state) < len(tokens)]
        if following:
            probs *= (1 - sure) / len(probs)
            for token in following:
                probs[token] += sure / len(following)
        return np.log(probs / probs.sum()).astype(np.float32)

    return Fake(tokenizer, rows)


def all_words(model: Fake, draft: str, longest: int) -> dict[str, float]:
    """Every next word that up to `longest` tokens from the start of the unfinished word spell: its log probability, nats."""
    cut, tokenizer = HealedDraft.of(draft), model.tokenizer
    owed, goes_on = cut.owed.encode(), set(TokenTable(tokenizer).after(Shape.WORD).tolist())
    head = model.start(())
    for token in tokenizer.encode(cut.head):
        head = model.advance(head, token)

    def walk(tokens: tuple[int, ...], state: Any, total: float) -> Iterator[tuple[tuple[int, ...], float]]:
        row = model.log_probs(state)
        text = tokenizer.decode_bytes(tokens)
        if tokens and text.startswith(owed) and shape_of(text[len(owed) :], spaced=cut.spaced) is Shape.WORD:
            ends = sum(float(np.exp(p)) for token, p in enumerate(row) if token not in goes_on)
            yield tokens, total + float(np.log(ends))
        if len(tokens) == longest:
            return
        for token in np.flatnonzero(row > -np.inf).tolist():
            longer = text + tokenizer.bytes[token]
            if token < tokenizer.size and (longer.startswith(owed) or owed.startswith(longer)):
                yield from walk((*tokens, token), model.advance(state, token), total + float(row[token]))

    found: dict[str, float] = {}
    for tokens, total in walk((), head, 0.0):
        text = tokenizer.decode_bytes(tokens).decode()
        offered = text[len(cut.owed) :]
        if tuple(tokenizer.encode(text)) == tokens and not cut.says_again(offered) and ".." not in offered and "…" not in offered:
            found[offered] = total
    return found

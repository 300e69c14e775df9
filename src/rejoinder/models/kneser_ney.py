"""Interpolated modified Kneser-Ney: how a sentence went on wherever its last few tokens were met before.

    p_n(w | h) = max(a(hw) - D(a(hw)), 0) / A(h) + g(h) p_{n-1}(w | h')        h' is h without its first token
    p_1(w)     = max(a(w) - D(a(w)), 0) / A + g / V'                           V' tokens that can come next
    g(h)       = (D1 N1(h) + D2 N2(h) + D3 N3+(h)) / A(h)                      what discounting freed
    Y = n1 / (n1 + 2 n2),  Dk = k - (k + 1) Y n(k+1) / nk                      k = 1, 2, 3; one set for each n

Chen & Goodman 1998. a(g) is how often g occurs if g is of the highest order or begins a post; else in how many ways g was
preceded, which is the idea of Kneser & Ney 1995: a word that follows many words is a good guess after a new one, a word that
is frequent after one word only is not. A(h) sums a over what follows h, Nk(h) counts the w with a(hw) = k, nk all g with
a(g) = k.

The index runs *forward*: what followed a context lies together, most probable first. So the best next words are read off, not
searched for: the first few after the longest context, then those after the next shorter one that were not there, and so on,
until nothing further back can still enter the list. The counts lie beside it, so that models merge and forget exactly.

It does not know that two words are alike, nor anything beyond order - 1 tokens.
"""

from __future__ import annotations

import logging
from bisect import insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from rejoinder.corpus import Corpus
from rejoinder.errors import ConfigError, DamagedModel
from rejoinder.models.cache import Cache
from rejoinder.models.directory import load_array, load_config, save_array, save_config
from rejoinder.models.interfaces import Job, LogProbs, Suggester, best
from rejoinder.post import Post
from rejoinder.text.ngrams import DEFAULT_MEMORY, Level, NgramCounts, count_ngrams, keys
from rejoinder.text.tensors import TOKENIZER_FILE, open_tokenizer, open_tokens
from rejoinder.text.tokenizer import AnyTokenizer

_log = logging.getLogger(__name__)
FALLBACK = (0.5, 1.0, 1.5)  # D1, D2, D3 where an archive is too small to say (kenlm's choice too)
_FEW = 48  # followers of a context up to which a list is searched faster than an array
_READ_OFF = 64  # k up to which `top` reads the index; a longer list is sorted from the full distribution

Nodes = tuple[int, ...]  # for each length from 1, the place of the context of that length; NOWHERE if it was not met
NOWHERE = -1


class State(NamedTuple):
    """What is known of the text so far: a value."""

    nodes: Nodes
    history: bytes = b""  # for the cache
    last: tuple[int, ...] = ()  # the last two tokens, for the cache


@dataclass(frozen=True)
class KneserNeyConfig:
    """Settings of the Kneser-Ney rung."""

    order: int = 5  # tokens of the longest n-grams, 1 to 8
    prune: int = 0  # n-grams of three tokens and more seen at most so often are left out
    memory: int = DEFAULT_MEMORY  # bytes that counting may take, about
    cache: int = 0  # tokens just written that are made more likely; 0 for none
    cache_half_life: float = 100.0  # tokens after which a token counts half
    cache_weights: tuple[float, ...] = (0.1, 0.05, 0.05)  # of what came after no, the same last, the same last two tokens

    def __post_init__(self) -> None:
        """Check ranges."""
        if not 1 <= self.order <= 8:
            raise ConfigError(f"`kneser_ney.order` must be an int in [1, 8]; got {self.order}")
        if self.prune < 0:
            raise ConfigError(f"`kneser_ney.prune` must be at least 0; got {self.prune}")
        if self.memory < 2**20:
            raise ConfigError(f"`kneser_ney.memory` must be at least {2**20} bytes; got {self.memory}")
        if self.cache < 0 or not self.cache_half_life > 0:
            raise ConfigError("`kneser_ney.cache` must be at least 0, and `kneser_ney.cache_half_life` above 0")
        object.__setattr__(self, "cache_weights", tuple(self.cache_weights))  # JSON and TOML know lists only
        if not all(0 <= weight < 1 for weight in self.cache_weights):
            raise ConfigError(f"`kneser_ney.cache_weights` must lie in [0, 1); got {self.cache_weights}")


@dataclass(frozen=True)
class Followers:
    """The index of one order n: what followed each context of n - 1 tokens, best first."""

    first: NDArray[np.uint32]  # (contexts + 1,) those of context c are token[first[c] : first[c + 1]]
    token: NDArray[Any]  # (M,) uint16 or uint32
    log_prob: NDArray[np.float32]  # (M,) nats, p_n in full
    backoff: NDArray[np.float32]  # (M,) nats, g of the n-gram as a context; (0,) in the highest order

    def contexts(self) -> NDArray[np.int64]:
        """(M,) the context of each follower."""
        return np.repeat(np.arange(len(self.first) - 1), self.first[1:].astype(np.int64) - self.first[:-1])


class KneserNey:
    """The index and the counts. Level 1 holds every token, by its id; level n the followers of contexts of n - 1 tokens."""

    Config: ClassVar[type] = KneserNeyConfig

    def __init__(
        self, config: KneserNeyConfig, tokenizer: AnyTokenizer, index: Sequence[Followers], counts: NgramCounts | None
    ) -> None:
        """Use `fit`, `from_counts` or `load`; without `counts` (read from an ARPA file) it cannot merge or forget."""
        self.config = config
        self.tokenizer = tokenizer
        self.index = tuple(index)
        self.counts = counts
        self._nested = counts is not None  # whatever follows a context then follows every shorter one too
        self._unigrams = np.asarray(index[0].log_prob)
        self._ranked = np.lexsort((np.arange(len(self._unigrams)), -self._unigrams))
        self._ranked_probs = self._unigrams[self._ranked]
        self._cache = Cache(config.cache, config.cache_half_life, config.cache_weights) if config.cache else None

    @classmethod
    def fit(cls, corpus: Corpus, config: KneserNeyConfig, *, rng: np.random.Generator, job: Job) -> Self:
        """Count the train part and build the index."""
        tokenizer = open_tokenizer(corpus.tokens)
        arrays = open_tokens(corpus.tokens, "train")
        job.progress("counting n-grams", 0, None)
        return cls.from_counts(config, tokenizer, count_ngrams(arrays, config.order, tokenizer.vocabulary, config.memory))

    @classmethod
    def from_counts(cls, config: KneserNeyConfig, tokenizer: AnyTokenizer, counts: NgramCounts) -> Self:
        """The model of these counts: equal counts give equal arrays, to the bit."""
        return cls(config, tokenizer, _build(counts, (tokenizer.post, tokenizer.reply), config.prune), counts)

    def save(self, directory: Path) -> None:
        """Write the index and the counts."""
        save_config(directory, "kneser_ney", self.config)
        self.tokenizer.save(directory / TOKENIZER_FILE)
        for n, level in enumerate(self.index, start=1):
            for name, array in vars(level).items():
                save_array(directory, f"index{n}.{name}", array)
        for n, counted in enumerate(self.counts.levels if self.counts else (), start=1):
            for name, array in vars(counted).items():
                save_array(directory, f"counts{n}.{name}", array)

    @classmethod
    def load(cls, directory: Path, parts: Mapping[str, Suggester] = {}) -> Self:
        """Read what `save` wrote, memory-mapped."""
        config = load_config(directory, "kneser_ney", KneserNeyConfig)
        tokenizer = open_tokenizer(directory)
        orders = range(1, config.order + 1)
        index = [_load_level(directory, f"index{n}", Followers) for n in orders]
        counts = None
        if (directory / "counts1.token.npy").is_file():
            levels = tuple(_load_level(directory, f"counts{n}", Level) for n in orders)
            counts = NgramCounts(levels, tokenizer.vocabulary)
        below = 1
        for level in index:
            if len(level.first) != below + 1 or level.first[-1] != len(level.token) or len(level.token) != len(level.log_prob):
                raise DamagedModel(f"{directory}: the arrays do not belong together; fit again: rejoinder fit kneser_ney")
            below = len(level.token)
        if below and len(index[0].token) != tokenizer.vocabulary:
            raise DamagedModel(f"{directory}: index and tokenizer do not belong together; fit again: rejoinder fit kneser_ney")
        return cls(config, tokenizer, index, counts)

    def start(self, context: Sequence[Post]) -> State:
        """The state at the beginning of a post; of what was said before, only the cache (if there is one) remembers the words."""
        history = b""
        if self._cache:
            for post in context:
                history = self._cache.remember(history, *self.tokenizer.encode(post.own_text))
        return self.start_after(history, answers=bool(context))

    def start_after(self, history: bytes, *, answers: bool) -> State:
        """The state at the beginning of a post, with the history of an earlier state in the cache."""
        separator = self.tokenizer.reply if answers else self.tokenizer.post
        return State(self._extend((), separator), history, (separator,))

    def advance(self, state: State, token: int) -> State:
        """The contexts that end in `token`: each of the state's, one longer, as far as they were met and followed."""
        if self._cache is None:
            return State(self._extend(state.nodes, token))
        return State(self._extend(state.nodes, token), self._cache.remember(state.history, token), (*state.last[-1:], token))

    def log_prob(self, state: State, token: int) -> float:
        """The natural logarithm of one token's probability, without looking at the others (unless there is a cache)."""
        if self._cache:
            return float(self.log_probs(state)[token])
        behind = 0.0
        nodes = state.nodes
        for length in range(len(nodes), 0, -1):
            found = self._find(length, nodes[length - 1], token)
            if found >= 0:
                return behind + float(self.index[length].log_prob[found])
            behind += self._backoff(length, nodes)
        return behind + float(self._unigrams[token])

    def log_probs(self, state: State) -> LogProbs:
        """(V,) float32, nats: from the unigrams up, each context overwriting what it has seen."""
        probs = self._unigrams.copy()
        for length, node in enumerate(state.nodes, start=1):
            if node < 0:
                continue
            level = self.index[length]
            probs += self.index[length - 1].backoff[node]
            seen = slice(level.first[node], level.first[node + 1])
            probs[level.token[seen]] = level.log_prob[seen]
        if self._cache and state.history:
            mixed = self._cache.mix(np.exp(probs.astype(np.float64)), state.history, state.last)
            with np.errstate(divide="ignore"):
                probs = np.log(mixed).astype(np.float32)
        return probs

    def top(self, state: State, k: int, prefix: bytes = b"") -> list[tuple[int, float]]:
        """The `k` best tokens, read off the index; exactly those of the full distribution, in its order."""
        if prefix:
            tokens = self.tokenizer.starting_with(prefix)
            return best(tokens, self.log_probs(state)[tokens], k)
        if not 0 < k <= _READ_OFF or self._cache:
            return best(np.arange(len(self._unigrams)), self.log_probs(state), k)
        found: list[tuple[float, int]] = []  # (minus the log probability, token), sorted
        for length in range(len(state.nodes), -1, -1):
            self._read_off(state.nodes, length, k, found)
        return [(token, -minus) for minus, token in found[:k]]

    def advance_many(self, states: Sequence[State], tokens: Sequence[int]) -> list[State]:
        """`advance` for B states."""
        return [self.advance(state, token) for state, token in zip(states, tokens, strict=True)]

    def log_probs_many(self, states: Sequence[State]) -> NDArray[np.float32]:
        """(B, V) float32, nats; equal states are worked out once."""
        rows = {state: self.log_probs(state) for state in set(states)}
        return np.stack([rows[state] for state in states]) if states else np.empty((0, len(self._unigrams)), np.float32)

    def _extend(self, nodes: Nodes, token: int) -> Nodes:
        """The contexts after one more token; one that nothing followed says nothing and is left out."""
        longest = len(self.index) - 1
        if not longest:
            return ()
        longer = [token]
        for length, node in enumerate(nodes[: longest - 1], start=1):
            found = self._find(length, node, token)
            if found < 0 and self._nested:
                break
            longer.append(found)
        while longer:
            first, last = self.index[len(longer)].first, longer[-1]
            if last >= 0 and first[last + 1] > first[last]:
                break
            longer.pop()
        return tuple(longer)

    def _find(self, length: int, node: int, token: int) -> int:
        """The place of `token` among the followers of a context of that length, NOWHERE if it never followed."""
        if node < 0:
            return NOWHERE
        level = self.index[length]
        first, last = int(level.first[node]), int(level.first[node + 1])
        if last - first <= _FEW:
            try:
                return first + int(level.token[first:last].tolist().index(token))
            except ValueError:
                return NOWHERE
        here = (level.token[first:last] == token).nonzero()[0]
        return first + int(here[0]) if len(here) else NOWHERE

    def _backoff(self, length: int, nodes: Nodes) -> float:
        node = nodes[length - 1]
        return float(self.index[length - 1].backoff[node]) if node >= 0 else 0.0

    def _read_off(self, nodes: Nodes, length: int, k: int, found: list[tuple[float, int]]) -> None:
        """Put into the sorted list what the context of one length adds: its best followers that no longer one has seen.

        Values are added up in the order in which `log_probs` adds them, so that both round alike. What ties with the k-th is
        kept too: the ids decide between them.
        """
        if not length:
            tokens, probs, first, last = self._ranked, self._ranked_probs, 0, len(self._ranked)
        elif nodes[length - 1] < 0:
            return
        else:
            level = self.index[length]
            tokens, probs = level.token, level.log_prob
            first, last = int(level.first[nodes[length - 1]]), int(level.first[nodes[length - 1] + 1])
        behind = [self.index[n].backoff[nodes[n]] for n in range(length, len(nodes)) if nodes[n] >= 0]
        longer = range(length + 1, len(nodes) + 1)[: 1 if self._nested else None]  # the next longer one has seen the most
        while first < last:
            chunk = slice(first, min(first + k + 2, last))
            values = probs[chunk]
            for backoff in behind:
                values = values + backoff
            for token, value in zip(tokens[chunk].tolist(), values.tolist(), strict=True):
                if (len(found) >= k and -value > found[k - 1][0]) or value == -np.inf:
                    return
                if all(self._find(n, nodes[n - 1], token) < 0 for n in longer):
                    insort(found, (-value, token))
            first = chunk.stop


def _build(counts: NgramCounts, begins: tuple[int, int], prune: int) -> list[Followers]:
    """The index of `counts`, by the formulas above; `begins` are the separators, which never come next."""
    adjusted, suffixes = _adjusted_counts(counts, begins)
    kept = [level.count > (prune if n > 2 else 0) for n, level in enumerate(counts.levels, start=1)]
    size = counts.vocabulary
    probs: NDArray[np.float64] = np.empty(0)  # of the order below, by place in the counts
    index: list[Followers] = []
    place = np.zeros(1, dtype=np.int64)  # where the contexts of this order stand in the index, by place in the counts
    contexts = 1
    for n, level in enumerate(counts.levels, start=1):
        a = adjusted[n - 1]
        discount = _discounts(a, n)[np.minimum(a, 3)]
        above = 1 if n == 1 else len(counts.levels[n - 2])
        total = np.bincount(level.parent, weights=a, minlength=above)
        freed = np.bincount(level.parent, weights=np.where(kept[n - 1], np.minimum(discount, a), a), minlength=above)
        backoff = np.divide(freed, total, out=np.ones(above), where=total > 0)
        lower = 1.0 / (size - len(begins)) if n == 1 else probs[suffixes[n - 1]]
        with np.errstate(invalid="ignore", divide="ignore"):
            probs = np.maximum(a - discount, 0) / total[level.parent] + backoff[level.parent] * lower
        if n == 1:
            first, order, log_prob = _every_token(level, probs, backoff[0], size, begins)
            token = np.arange(size).astype(level.token.dtype)
        else:
            _set_backoff(index[-1], place, backoff)
            where = np.flatnonzero(kept[n - 1])
            log_prob = np.log(probs[where]).astype(np.float32)
            first, sorting = best_first(place[level.parent[where]], log_prob, contexts)
            order, log_prob = where[sorting], log_prob[sorting]
            token = level.token[order]
        place = np.full(len(level), -1, dtype=np.int64)
        place[order] = level.token if n == 1 else np.arange(len(order))
        contexts = len(token)
        index.append(Followers(first, token, log_prob, np.zeros(contexts if n < counts.order else 0, dtype=np.float32)))
    return index


def _adjusted_counts(counts: NgramCounts, begins: tuple[int, int]) -> tuple[list[NDArray[np.int64]], list[NDArray[np.int64]]]:
    """For each order a(g) of every n-gram g, and the place of g without its first token in the order below."""
    adjusted = [level.count.astype(np.int64) for level in counts.levels]
    suffixes = [np.zeros(len(counts.levels[0]), dtype=np.int64)]
    starting = np.isin(counts.levels[0].token, begins)  # begins a post
    for n, (below, level) in enumerate(zip(counts.levels, counts.levels[1:], strict=False), start=1):
        wanted = keys(level, counts.vocabulary, suffixes[n - 1][level.parent])
        suffix = np.searchsorted(keys(below, counts.vocabulary), wanted)
        ways = np.bincount(suffix, minlength=len(below))
        adjusted[n - 1] = np.where(starting, below.count, ways)
        suffixes.append(suffix)
        starting = starting[level.parent]
    adjusted[0][np.isin(counts.levels[0].token, begins)] = 0
    return adjusted, suffixes


def _discounts(a: NDArray[np.int64], n: int) -> NDArray[np.float64]:
    """(4,) float64: D0 = 0, D1, D2, D3 of an order, from its counts of counts; `FALLBACK` where they cannot be told."""
    once, twice, thrice, four = (int(np.count_nonzero(a == k)) for k in (1, 2, 3, 4))
    if once and twice and thrice:
        y = once / (once + 2 * twice)
        found = (1 - 2 * y * twice / once, 2 - 3 * y * thrice / twice, 3 - 4 * y * four / thrice)
        if all(0 <= d <= k for k, d in enumerate(found, start=1)):
            return np.array([0.0, *found])
    _log.warning("order %d: too few n-grams to estimate discounts; using %s", n, FALLBACK)
    return np.array([0.0, *FALLBACK])


def _every_token(
    level: Level, probs: NDArray[np.float64], spread: float, size: int, begins: tuple[int, int]
) -> tuple[NDArray[np.uint32], NDArray[np.int64], NDArray[np.float32]]:
    """Level 1 by token id: tokens that never came have their share of what discounting freed, separators nothing."""
    everything = np.full(size, spread / (size - len(begins)))
    everything[level.token] = probs
    everything[list(begins)] = 0.0
    with np.errstate(divide="ignore"):
        log_prob = np.log(everything).astype(np.float32)
    return np.array([0, size], dtype=np.uint32), np.arange(len(level)), log_prob


def best_first(
    context: NDArray[np.int64], log_prob: NDArray[np.float32], contexts: int
) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """The order of n-grams in the index: by their context, the most probable first, ties as they come.

    Returns:
        (contexts + 1,) uint32 where the followers of each context begin; (M,) int64 the order.
    """
    # logarithms are at most 0, so as bits the smaller number is the larger logarithm
    rank = (context.astype(np.uint64) << np.uint64(32)) | np.abs(log_prob).view(np.uint32)
    sorting = np.argsort(rank, kind="stable")
    return np.searchsorted(context[sorting], np.arange(contexts + 1)).astype(np.uint32), sorting


def _set_backoff(level: Followers, place: NDArray[np.int64], backoff: NDArray[np.float64]) -> None:
    """Write g of each context, now that its followers are known; a context that was left out has none."""
    there = place >= 0
    level.backoff[place[there]] = np.log(backoff[there]).astype(np.float32)


def _load_level(directory: Path, name: str, kind: type[Any]) -> Any:
    fields = kind.__dataclass_fields__
    return kind(*(np.asarray(load_array(directory, f"{name}.{field}")) for field in fields))

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

Counting stands in `rejoinder.text.ngrams`, the formulas as code in `rejoinder.models.forward_index`; here the index is asked.
Both take the memory they are given (`memory`), and for what does not fit the disk.

It does not know that two words are alike, nor anything beyond order - 1 tokens.

Explained in docs/tour/03-the-problem-we-are-trying-to-solve.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from rejoinder.config import At, Checked, NonNegativeInt, PositiveFloat, PositiveInt
from rejoinder.corpus import Corpus
from rejoinder.errors import DamagedModel, ModelError
from rejoinder.models.cache import Cache, fit_weights
from rejoinder.models.directory import load_array, load_config, save_array, save_config
from rejoinder.models.forward_index import build_index
from rejoinder.models.interfaces import Counting, Job, LogProbs, Suggester
from rejoinder.models.interpolation import Grams, as_index, as_trie
from rejoinder.models.packing import is_packed, load_packed, save_packed, within
from rejoinder.models.smoothing import Followers, read_off
from rejoinder.post import Post
from rejoinder.text.columns import NumberColumn
from rejoinder.text.counting import ROOM, Room, count_both, count_ngrams
from rejoinder.text.ngrams import DEFAULT_MEMORY, Level, NgramCounts, merge, subtract
from rejoinder.text.tensors import TOKENIZER_FILE, TokenArrays, open_tokenizer, open_tokens
from rejoinder.text.tokenizer import AnyTokenizer
from rejoinder.text.writers import writers_of

_WEIGHED = 30_000  # dev tokens that the weights of the cache are fitted on
_FEW = 48  # followers of a context up to which a list is searched faster than an array
_READ_OFF = 64  # k up to which `top` reads the index; a longer list is sorted from the full distribution

Nodes = tuple[int, ...]  # for each length from 1, the place of the context of that length; NOWHERE if it was not met
NOWHERE = -1


class KneserNeyState(NamedTuple):
    """What is known of the text so far: a value."""

    nodes: Nodes
    history: bytes = b""  # for the cache
    last: tuple[int, ...] = ()  # the last two tokens, for the cache
    made: int = 0  # tokens at the end of the history that the cache leaves out


@dataclass(frozen=True)
class KneserNeyConfig(Checked, of="kneser_ney"):
    """Settings of the Kneser-Ney rung."""

    order: Annotated[int, At(least=1, most=8)] = 5  # tokens of the longest n-grams
    prune: NonNegativeInt = 0  # n-grams seen at most so often are left out
    posts: PositiveInt = 1  # n-grams found in fewer posts, those of one writer counted once, are, too; above 1 no counts are kept
    prune_from: Annotated[int, At(least=2)] = 3  # tokens of the shortest n-grams that are left out
    memory: Annotated[int, At(least=2**20)] = DEFAULT_MEMORY  # bytes that counting may take, about
    size: NonNegativeInt = 0  # bytes of the index at most: what matters least is left out, probabilities take 8 bits; 0 for all
    cache: NonNegativeInt = 0  # tokens just written that are made more likely; 0 for none
    cache_half_life: PositiveFloat = 100.0  # tokens after which a token counts half
    # of what came after no, the same last, the same last two tokens; none: fitted on dev
    cache_weights: Annotated[tuple[float, ...], At(least=0, below=1)] = (0.1, 0.05, 0.05)


class KneserNey(Counting):
    """The index and the counts. Level 1 holds every token, by its id; level n the followers of contexts of n - 1 tokens."""

    Config: ClassVar[type] = KneserNeyConfig

    def __init__(
        self,
        config: KneserNeyConfig,
        tokenizer: AnyTokenizer,
        index: Sequence[Followers],
        counts: NgramCounts | None = None,
        *,
        nested: bool = True,
    ) -> None:
        """Use `fit`, `from_counts` or `load`; without `counts` it cannot merge or forget.

        With `config.posts` above 1 no counts are kept: whoever has the model has no n-gram that one post alone holds.
        Not `nested`: an index of another tool, where something may have followed a context and yet no shorter one.
        """
        self.config = config
        self.tokenizer = tokenizer
        self.index = tuple(index)
        self._counts = counts
        self._counts_in: Path | None = None  # where they lie, until they are asked for
        self._nested = nested  # whatever follows a context then follows every shorter one too
        self._unigrams = np.asarray(index[0].log_prob)
        self._ranked = np.lexsort((np.arange(len(self._unigrams)), -self._unigrams))
        self._ranked_probs = self._unigrams[self._ranked]
        self._cache = Cache(config.cache, config.cache_half_life, config.cache_weights) if config.cache else None

    @classmethod
    def fit(cls, corpus: Corpus, config: KneserNeyConfig, *, rng: np.random.Generator, job: Job) -> Self:
        """Count the train part and build the index; of what was counted before, given as a part, only the cache is new."""
        counted = job.parts.get("kneser_ney")
        if isinstance(counted, cls):
            return cls(config, counted.tokenizer, counted.index, nested=counted._nested)._with_weights(corpus)
        tokenizer = open_tokenizer(corpus.tokens)
        arrays = open_tokens(corpus.tokens, "train")
        size = tokenizer.vocabulary
        room = Room(config.memory, job.workdir, partial(job.progress, "counting n-grams"), job.runner)
        if config.posts > 1:
            counts, spread = count_both(arrays, config.order, size, writers_of(corpus.posts("train")), room)
        else:
            counts, spread = count_ngrams(arrays, config.order, size, room), None
        building = replace(room, told=partial(job.progress, "building the index"))
        model = cls.from_counts(config, tokenizer, counts, spread, building)
        return model._with_weights(corpus)

    def _with_weights(self, corpus: Corpus) -> Self:
        """The same with the weights of its cache fitted on dev, where that is asked for and there are posts."""
        if self._cache is None or self.config.cache_weights:
            return self
        seen: list[tuple[float, list[float]]] = []
        for thread in corpus.threads("dev"):
            for post in thread.posts:
                state = self.start(thread.answered(post))
                for token in [*self.tokenizer.encode(post.own_text), self.tokenizer.end] if post.own_text else ():
                    seen.append((self._alone(state, token), self._cache.parts(token, state.history, state.last)))
                    state = self.advance(state, token)
            if len(seen) > _WEIGHED:
                break
        weights = fit_weights(seen) if seen else KneserNeyConfig.cache_weights
        config = replace(self.config, cache_weights=weights)
        return type(self)(config, self.tokenizer, self.index, self._counts, nested=self._nested)

    @classmethod
    def from_counts(
        cls,
        config: KneserNeyConfig,
        tokenizer: AnyTokenizer,
        counts: NgramCounts,
        spread: NgramCounts | None = None,
        room: Room = ROOM,
    ) -> Self:
        """The model of these counts: equal counts give equal arrays, to the bit.

        Args:
            config: the settings.
            tokenizer: whose tokens were counted.
            counts: how often each n-gram occurs.
            spread: how many writers each has; needed where `config.posts` asks.
            room: what building the index may take; told how many of the orders are in it.
        """
        if config.posts > 1 and spread is None:
            raise ModelError("`kneser_ney.posts` above 1 needs the number of writers of each n-gram, not their counts alone")
        often = [NumberColumn.over(level.count) for level in counts.levels]
        widely = [NumberColumn.over(level.count) for level in spread.levels] if spread is not None else []

        def kept(n: int, first: int, last: int) -> NDArray[np.bool_]:
            if n < config.prune_from:
                return np.ones(last - first, dtype=bool)
            enough = often[n - 1].read(first, last) > config.prune
            return enough & (widely[n - 1].read(first, last) >= config.posts) if widely else enough

        index = build_index(counts, (tokenizer.post, tokenizer.reply), kept, room)
        if config.size:
            return cls.pruned(config, tokenizer, as_trie(index, counts))
        return cls(config, tokenizer, index, counts if config.posts == 1 else None)

    @classmethod
    def pruned(cls, config: KneserNeyConfig, tokenizer: AnyTokenizer, levels: Sequence[Grams]) -> Self:
        """The model of the n-grams that matter most, within `config.size` bytes; it keeps no counts."""
        return cls(config, tokenizer, as_index(within(levels, config.size)))

    def changed(self, removed: TokenArrays, added: TokenArrays) -> Self:
        """The model without some of its posts and with others: equal to a fit on what is then there, to the bit.

        Raises:
            ModelError: the model has no counts, or was not fitted on what is removed.
        """
        if self.counts is None:
            pruned = self.config.posts > 1 or self.config.size
            what = "with `kneser_ney.posts` above 1 or a `size` keeps" if pruned else "read from an ARPA file has"
            raise ModelError(f"a model {what} no counts, so it cannot forget; fit again: rejoinder fit kneser_ney")
        size, order = self.tokenizer.vocabulary, self.config.order
        try:
            counts = subtract(self.counts, count_ngrams(removed, order, size, Room(self.config.memory)))
        except ValueError as error:
            raise ModelError(
                f"the model was not fitted on what it should forget ({error}); fit again: rejoinder fit kneser_ney"
            ) from error
        if len(added.posts):
            counts = merge([counts, count_ngrams(added, order, size, Room(self.config.memory))])
        return type(self).from_counts(self.config, self.tokenizer, counts)

    def save(self, directory: Path) -> None:
        """Write the index, and the counts where there are any."""
        save_config(directory, "kneser_ney", self.config)
        self.tokenizer.save(directory / TOKENIZER_FILE)
        if self.config.size:
            save_packed(directory, self.index)
        for n, level in enumerate(() if self.config.size else self.index, start=1):
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
        packed = is_packed(directory)
        index = (
            load_packed(directory, config.order) if packed else [_load_level(directory, f"index{n}", Followers) for n in orders]
        )
        below = 1
        for level in index:
            if len(level.first) != below + 1 or level.first[-1] != len(level.token) or len(level.token) != len(level.log_prob):
                raise DamagedModel(f"{directory}: the arrays do not belong together; fit again: rejoinder fit kneser_ney")
            below = len(level.token)
        if below and len(index[0].token) != tokenizer.vocabulary:
            raise DamagedModel(f"{directory}: index and tokenizer do not belong together; fit again: rejoinder fit kneser_ney")
        counted = (directory / "counts1.token.npy").is_file()
        model = cls(config, tokenizer, index, nested=counted or packed or config.posts > 1)
        model._counts_in = directory if counted else None
        return model

    @property
    def counts(self) -> NgramCounts | None:
        """What the index was made from; read when first asked for, since typing never asks."""
        if self._counts is None and self._counts_in is not None:
            levels = (_load_level(self._counts_in, f"counts{n}", Level) for n in range(1, self.config.order + 1))
            self._counts = NgramCounts(tuple(levels), self.tokenizer.vocabulary)
        return self._counts

    def start(self, context: Sequence[Post]) -> KneserNeyState:
        """The state at the beginning of a post; of what was said before, only the cache (if there is one) remembers the words."""
        history = b""
        if self._cache:
            for post in context:
                history = self._cache.remember(history, *self.tokenizer.encode(post.own_text))
        return self.start_after(history, answers=bool(context))

    def start_after(self, history: bytes, *, answers: bool) -> KneserNeyState:
        """The state at the beginning of a post, with the history of an earlier state in the cache."""
        separator = self.tokenizer.reply if answers else self.tokenizer.post
        return KneserNeyState(self._extend((), separator), history, (separator,))

    def advance(self, state: KneserNeyState, token: int) -> KneserNeyState:
        """The contexts that end in `token`: each of the state's, one longer, as far as they were met and followed."""
        if self._cache is None:
            return KneserNeyState(self._extend(state.nodes, token))
        return KneserNeyState(
            self._extend(state.nodes, token), self._cache.remember(state.history, token), (*state.last[-1:], token)
        )

    def ahead(self, state: KneserNeyState, made: int) -> KneserNeyState:
        """`state` whose cache leaves out the last `made` tokens."""
        return state._replace(made=made) if self._cache and made != state.made else state

    def log_prob(self, state: KneserNeyState, token: int) -> float:
        """The natural logarithm of one token's probability, without looking at the others."""
        alone = self._alone(state, token)
        if self._cache and state.history:
            return self._cache.mix_one(alone, token, self._cache.before(state.history, state.made), state.last)
        return alone

    def _alone(self, state: KneserNeyState, token: int) -> float:
        """`log_prob` without the cache."""
        behind = 0.0
        nodes = state.nodes
        for length in range(len(nodes), 0, -1):
            found = self._find(length, nodes[length - 1], token)
            if found >= 0:
                return behind + float(self.index[length].log_prob[found])
            behind += self._backoff(length, nodes)
        return behind + float(self._unigrams[token])

    def score_tokens(self, state: KneserNeyState, tokens: Sequence[int]) -> NDArray[np.float32]:
        """(N,) float32, nats."""
        return self.score_seen(state, tokens)[0]

    def score_seen(self, state: KneserNeyState, tokens: Sequence[int]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """(N,) float32, nats; (N,) int64, tokens of the longest context that was met before each."""
        found, lengths = np.empty(len(tokens), np.float32), np.empty(len(tokens), np.int64)
        for place, token in enumerate(tokens):
            found[place], lengths[place] = self.log_prob(state, token), self.seen(state)
            state = self.advance(state, token)
        return found, lengths

    def seen(self, state: KneserNeyState) -> int:
        """The tokens of the longest context that was met."""
        return len(state.nodes)

    def log_probs(self, state: KneserNeyState) -> LogProbs:
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
            return self._cache.mix(probs, self._cache.before(state.history, state.made), state.last)
        return probs

    def top(self, state: KneserNeyState, k: int, prefix: bytes = b"") -> list[tuple[int, float]]:
        """The `k` best tokens, read off the index; exactly those of the full distribution, in its order."""
        if prefix or not 0 < k <= _READ_OFF or self._cache:
            return super().top(state, k, prefix)
        found: list[tuple[float, int]] = []  # (minus the log probability, token), sorted
        behind: list[np.float32] = []  # what backing off from the longer contexts costs
        seen = self._ranked[:0]  # what followed them
        for length in range(len(state.nodes), 0, -1):
            node = state.nodes[length - 1]
            if node >= 0:
                level = self.index[length]
                here = slice(int(level.first[node]), int(level.first[node + 1]))
                read_off(level.token[here], level.log_prob[here], behind, seen, k, found)
                seen = level.token[here] if self._nested else np.concatenate([seen, level.token[here]])
                behind.insert(0, self.index[length - 1].backoff[node])
        read_off(self._ranked, self._ranked_probs, behind, seen, k, found)
        return [(token, -minus) for minus, token in found[:k]]

    def log_probs_many(self, states: Sequence[KneserNeyState]) -> NDArray[np.float32]:
        """(B, V) float32, nats; equal states are worked out once."""
        rows = {state: self.log_probs(state) for state in set(states)}
        return np.stack([rows[state] for state in states]) if states else np.empty((0, len(self._unigrams)), np.float32)

    def _extend(self, nodes: Nodes, token: int) -> Nodes:
        """The contexts after one more token. Of our own, one that nothing followed says nothing and is left out.

        That of another tool may say what backing off from it costs.
        """
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
            if last >= 0 and (not self._nested or first[last + 1] > first[last]):
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


def _load_level(directory: Path, name: str, kind: type[Any]) -> Any:
    fields = kind.__dataclass_fields__
    return kind(*(np.asarray(load_array(directory, f"{name}.{field}")) for field in fields))

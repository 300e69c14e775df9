"""The pretrained net and the home's counts, mixed as words: each guesses in tokens of its own, and what is mixed is text.

    p(t | h) = (1 - w) p_net(t | h) + w q(t | h)            t a token of the net
    q(t | h) = sum over tokens c of the home, p_home(c | h) s(t | c, h)

s says what of c's probability falls to t: all of it where t begins c, as the net would spell it; where c begins several tokens,
they share it as the net finds them probable. Within a word q is what the home says of words that begin with what is there, over
every way in which its own tokens may cover that. So q sums to one, as p does.

w is that of a bucket: how long a context the home knows, and how probable its likeliest token is. It is fitted on dev, by EM:

    r(t) = w q(t) / ((1 - w) p_net(t) + w q(t))             w = (sum over t of r(t) + c w_all) / (N + c)

for the N dev tokens of a bucket, of which the weight of all counts as c = `shrink` tokens. So the net knows the names of the
archive, and how its people speak, without being trained.

Explained in docs/ladder/pretrained.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self, cast

import numpy as np
from numpy.typing import NDArray

from rejoinder.config import Checked, PositiveFloat, PositiveInt
from rejoinder.corpus import Corpus
from rejoinder.errors import ConfigError, DamagedModel, ModelError
from rejoinder.models import LADDER, PACKAGE, Can, rung
from rejoinder.models.directory import load_array, load_config, save_array, save_config
from rejoinder.models.interfaces import Cases, Counting, Job, LanguageModel, LogProbs, Suggester
from rejoinder.models.pretrained.chat import TASK
from rejoinder.post import Post

_SPACES = b" \n\t\r"
_LONGEST = 48  # bytes of a word; more are taken for several
_WAYS = 24  # tokens of the home that may go on with an unfinished word, the likeliest, whose spelling is looked at
_MOST = 0.95  # of a weight, so that nothing the net finds possible is impossible
_STEPS = 50  # of EM
_SURE = np.array([0.1, 0.3, 0.6])  # where one level of the home's certainty ends

Floats = NDArray[np.float64]


class WordState(NamedTuple):
    """What both know of the text so far: a value."""

    net: Any
    home: Any  # before the present word
    begun: tuple[int, ...] = ()  # tokens of the net that the word begins with


@dataclass(frozen=True)
class WordMixtureConfig(Checked, of="word_mixture"):
    """Settings of the mixture of words."""

    models: tuple[str, ...] = ("kneser_ney", "pretrained")  # whose words are mixed: of the home, and of the net
    lengths: PositiveInt = 5  # of known contexts that have weights of their own
    shrink: PositiveFloat = 50.0  # tokens that the weight of all counts for
    dev_tokens: PositiveInt = 6_000  # of dev, about, that the weights are fitted on

    def __post_init__(self) -> None:
        """Check names and ranges."""
        super().__post_init__()
        able = [name for name, line in LADDER.items() if Can.PREDICT in line.can and name != "word_mixture"]
        if len(self.models) != 2 or not {name.removeprefix(PACKAGE) for name in self.models} <= {*able}:
            raise ConfigError(f"`word_mixture.models` must be two of {', '.join(able)}; got {self.models}")


class WordMixture(LanguageModel):
    """Two models and, for each bucket, the weight of the home's."""

    Config: ClassVar[type] = WordMixtureConfig
    reads_cases: ClassVar[bool] = True
    told: ClassVar[str] = TASK

    def __init__(self, config: WordMixtureConfig, parts: Mapping[str, Suggester], weights: Floats | None = None) -> None:
        """Use `fit` or `load`; `weights`: (levels of certainty, lengths) of the home; without, a tenth.

        Raises:
            ModelError: a part is missing.
        """
        missing = [name for name in config.models if name not in parts]
        if missing:
            raise ModelError(f"`word_mixture` needs {', '.join(missing)}; rejoinder model add smollm2")
        self.config = config
        self._home, self._net = (cast(LanguageModel, parts[name]) for name in config.models)
        self.tokenizer = self._net.tokenizer
        self._counts = Can.COUNT in rung(config.models[0]).can
        self._weights = np.full((len(_SURE) + 1, config.lengths), 0.1) if weights is None else weights
        self._going_on = lru_cache(maxsize=4096)(self._spelled_on)

    @classmethod
    def fit(cls, corpus: Corpus, config: WordMixtureConfig, *, rng: np.random.Generator, job: Job) -> Self:
        """Fit the weights of the fitted `job.parts` on dev."""
        made = cls(config, job.parts)
        posts = [(thread.answered(post), post) for thread in corpus.threads("dev") for post in thread.posts if post.own_text]
        seen: list[tuple[int, float, float]] = []
        for place in rng.permutation(len(posts)):
            context, post = posts[int(place)]
            tokens = [*made.tokenizer.encode(post.own_text), made.tokenizer.end]
            seen += [
                (bucket, float(net[token]), float(home[token]))
                for token, (net, home, bucket) in zip(tokens, made._both(made.start(context), tokens), strict=True)
            ]
            job.progress("weighing words on dev", min(len(seen), config.dev_tokens), config.dev_tokens)
            if len(seen) >= config.dev_tokens:
                break
        return cls(config, job.parts, fit_shares(seen, config) if seen else None)

    def save(self, directory: Path) -> None:
        """Write the weights; the parts have directories of their own."""
        save_config(directory, "word_mixture", self.config)
        save_array(directory, "weights", self._weights)

    @classmethod
    def load(cls, directory: Path, parts: Mapping[str, Suggester] = {}) -> Self:
        """Read what `save` wrote.

        Raises:
            DamagedModel: it is not whole.
        """
        config = load_config(directory, "word_mixture", WordMixtureConfig)
        weights = np.array(load_array(directory, "weights"))
        if weights.shape != (len(_SURE) + 1, config.lengths) or not ((weights >= 0) & (weights <= 1)).all():
            raise DamagedModel(f"{directory}: the weights are none; fit again: rejoinder fit word_mixture")
        return cls(config, parts, weights)

    # --- the next token ------------------------------------------------------------------------------------------

    def start(self, context: Sequence[Post]) -> WordState:
        """What both know before the first token; by then the tables are made, which take longer than a keystroke may."""
        self._pairs  # noqa: B018 - made when it is first asked for
        return WordState(self._net.start(context), self._home.start(context))

    def start_reply(self, context: Sequence[Post], cases: Cases = ()) -> WordState:
        """What both know where a reply begins; a net that was taught to answer in a chat reads one."""
        return WordState(self._net.start_reply(context, cases), self._home.start(context))

    def advance(self, state: WordState, token: int) -> WordState:
        """The state after one more token."""
        return self._after(state, token, self._net.advance(state.net, token))

    def advance_many(self, states: Sequence[WordState], tokens: Sequence[int]) -> list[WordState]:
        """The same for B states at once."""
        nets = self._net.advance_many([state.net for state in states], tokens)
        return [self._after(*each) for each in zip(states, tokens, nets, strict=True)]

    def log_probs(self, state: WordState) -> LogProbs:
        """(V,) float32, nats."""
        return self._mixed(state, self._net.log_probs(state.net))

    def log_probs_many(self, states: Sequence[WordState]) -> NDArray[np.float32]:
        """(B, V) float32, nats."""
        rows = self._net.log_probs_many([state.net for state in states])
        return np.array([self._mixed(*each) for each in zip(states, rows, strict=True)], np.float32).reshape(rows.shape)

    def score_tokens(self, state: WordState, tokens: Sequence[int]) -> NDArray[np.float32]:
        """(N,) float32, nats; the net reads the whole text in a few runs."""
        found = np.empty(len(tokens), np.float32)
        for place, (net, home, bucket) in enumerate(self._both(state, tokens)):
            w, token = self._weights.flat[bucket], tokens[place]
            found[place] = np.log((1 - w) * np.exp(np.float64(net[token])) + w * home[token])
        return found

    def read_on(self, state: WordState, tokens: Sequence[int]) -> WordState:
        """The state after several tokens; the net reads them in a few runs."""
        net = self._net.read_on(state.net, tokens)
        for token in tokens:
            state = self._after(state, token, net)
        return state._replace(net=net)

    def _both(self, state: WordState, tokens: Sequence[int]) -> Iterator[tuple[LogProbs, Floats, int]]:
        """Before each of `tokens`: what the net says (nats); what the home says (probabilities); the bucket."""
        rows = self._net.rows_before(state.net, tokens)
        for token, row in zip(tokens, rows, strict=True):
            yield row, *self._translated(state, np.exp(row.astype(np.float64)))
            state = self._after(state, token, state.net)

    def _after(self, state: WordState, token: int, net: Any) -> WordState:
        piece = self.tokenizer.bytes[token]
        if piece[:1] not in (_SPACES) and piece and len(self._text(state)) + len(piece) <= _LONGEST:
            return WordState(net, state.home, (*state.begun, token))
        home = self._read(state.home, self._home.tokenizer.encode(self._text(state).decode("utf-8", "replace")))
        if not piece:  # a separator
            ours = {self.tokenizer.end: self._home.tokenizer.end, self.tokenizer.post: self._home.tokenizer.post}
            return WordState(net, self._home.advance(home, ours.get(token, self._home.tokenizer.reply)))
        return WordState(net, home, (token,))

    def _read(self, home: Any, tokens: Sequence[int]) -> Any:
        for token in tokens:
            home = self._home.advance(home, token)
        return home

    def _text(self, state: WordState) -> bytes:
        return self.tokenizer.decode_bytes(state.begun)

    def _bucket(self, home: Any, said: Floats) -> int:
        known = cast(Counting, self._home).seen(home) if self._counts else 0
        return self.config.lengths * int(np.searchsorted(_SURE, said.max())) + min(known, self.config.lengths - 1)

    def _mixed(self, state: WordState, row: LogProbs) -> LogProbs:
        net = np.exp(row.astype(np.float64))
        said, bucket = self._translated(state, net)
        w = self._weights.flat[bucket]
        with np.errstate(divide="ignore"):
            return np.asarray(np.log((1 - w) * net + w * said), np.float32)

    # --- from the home's tokens to the net's ---------------------------------------------------------------------

    def _translated(self, state: WordState, net: Floats) -> tuple[Floats, int]:
        """(V,) float64: q, where the net's own probabilities are `net` (these, where the home can say nothing); the bucket."""
        found = np.zeros_like(net)
        try:
            text = self._text(state).decode()
        except UnicodeDecodeError:  # within a character
            return net, 0
        home, ids = state.home, self._home.tokenizer
        pieces = ids.encode(text) if text else []
        reached = 1.0
        for place, piece in enumerate(pieces):
            row = np.exp(self._home.log_probs(home).astype(np.float64))
            self._add_longer(found, row * reached, ids.decode_bytes(pieces[place:]), state.begun)
            reached *= float(row[piece])
            home = self._home.advance(home, piece)
        row = np.exp(self._home.log_probs(home).astype(np.float64))
        tokens, targets = self._pairs
        weight = net[targets]
        of_token = np.bincount(tokens, weight, len(row))
        with np.errstate(divide="ignore", invalid="ignore"):
            shares = np.where(of_token[tokens] > 0, weight / of_token[tokens], 0.0)
        found += reached * np.bincount(targets, row[tokens] * shares, len(net))
        total = found.sum()
        said = found / total if total > 0 else net
        return said, self._bucket(home, said)

    def _add_longer(self, found: Floats, row: Floats, begun: bytes, tokens: tuple[int, ...]) -> None:
        """Add what tokens of the home have that begin with `begun` and go on: each falls to the net's next piece of that word."""
        longer = self._home.tokenizer.starting_with(begun)
        longer = longer[np.argsort(-row[longer], kind="stable")[: _WAYS + 1]]
        for token in longer.tolist():
            piece = self._home.tokenizer.bytes[token]
            if len(piece) > len(begun):
                target = self._going_on(tokens, piece[len(begun) :])
                if target >= 0:
                    found[target] += row[token]

    def _spelled_on(self, tokens: tuple[int, ...], rest: bytes) -> int:
        """The net's token after `tokens` where its spelling of them and `rest` begins so; else -1."""
        try:
            spelled = self.tokenizer.encode((self.tokenizer.decode_bytes(tokens) + rest).decode())
        except UnicodeDecodeError:
            return -1
        goes_on = len(spelled) > len(tokens) and tuple(spelled[: len(tokens)]) == tokens
        return spelled[len(tokens)] if goes_on else -1

    @cached_property
    def _pairs(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(P,) int64 each: tokens of the home, and the net's that they may fall to after a whole token."""
        ours, theirs = self._home.tokenizer, self.tokenizer
        pairs = {(ours.end, theirs.end)}
        for token, spelled in enumerate(_spellings(theirs, ours.bytes[: ours.size])):
            if spelled:
                pairs.add((token, spelled[0]))
        for token, spelled in enumerate(_spellings(ours, theirs.bytes[: theirs.size])):
            if spelled and len(ours.bytes[spelled[0]]) < len(theirs.bytes[token]):
                pairs.add((spelled[0], token))
        tokens, targets = np.array(sorted(pairs), np.int64).T
        return tokens, targets


def _spellings(tokenizer: Any, pieces: Sequence[bytes]) -> list[list[int]]:
    """How a tokenizer spells each of some byte strings; of a piece of a character only the one token that it may be is known."""
    texts = [piece.decode("utf-8", "ignore") for piece in pieces]
    found: list[list[int]] = tokenizer.encode_many(texts)
    alike = {piece: token for token, piece in enumerate(tokenizer.bytes[: tokenizer.size])}
    for place, (piece, text) in enumerate(zip(pieces, texts, strict=True)):
        if text.encode() != piece:
            found[place] = [alike[piece]] if piece in alike else []
    return found


def fit_shares(seen: Sequence[tuple[int, float, float]], config: WordMixtureConfig) -> Floats:
    """(levels, lengths) float64: the weight of the home in every bucket.

    Args:
        seen: of each dev token its bucket, the net's log probability (nats), and the home's probability.
        config: `lengths` and `shrink` are used.
    """
    bucket = np.array([one for one, _, _ in seen])
    net, home = np.exp([nats for _, nats, _ in seen]), np.array([probability for _, _, probability in seen])
    whole = np.full(1, 0.1)
    everywhere = np.zeros_like(bucket)
    for _ in range(_STEPS):
        whole = _step(whole, everywhere, net, home, whole, 0.0)
    buckets = (len(_SURE) + 1) * config.lengths
    found = np.repeat(whole, buckets)
    for _ in range(_STEPS):
        found = _step(found, bucket, net, home, whole, config.shrink)
    return np.asarray(np.minimum(found, _MOST).reshape(-1, config.lengths))


def _step(weights: Floats, bucket: NDArray[np.int64], net: Floats, home: Floats, above: Floats, shrink: float) -> Floats:
    """One step of EM, as above."""
    w = weights[bucket]
    share = w * home / np.maximum((1 - w) * net + w * home, 1e-300)
    taken, count = (np.bincount(bucket, values, len(weights)) for values in (share, np.ones_like(share)))
    return np.asarray((taken + shrink * above) / np.maximum(count + shrink, 1e-9))

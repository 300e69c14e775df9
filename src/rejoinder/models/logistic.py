"""Logistic regression: the next token is guessed from the mean of the vectors of the last n tokens.

    x    = 1/m sum_j a_j A[w_j]           j = 1 .. m: w_1 is the last token, w_m the one m back; m = n, less where a post begins
    l(w) = O[w] . x + b[w]
    p(w) = e^l(w) / sum_v e^l(v)          a softmax: logistic regression with V classes (Cox 1958, Bengio et al. 2003)

Every token has a vector A[w], learned with the rest, so that tokens after which the same follows come to lie near each other.
With all a_j = 1, x is the plain mean, which knows what was written and not in what order. The weights a_j, one a distance, are
learned too, unless `weighed` is off: still linear in A, and the last token comes to count most.

The loss is what the true next token t costs, -ln p(t). Its gradient, by hand:

    dl(w)   = p(w) - [w = t]
    dO[w]   = dl(w) x            db[w] = dl(w)            g = dx = sum_w dl(w) O[w]
    dA[w_j] = a_j g / m          da_j  = A[w_j] . g / m

Each number goes against its gradient, the less the more it has moved before: AdaGrad (Duchi, Hazan & Singer 2011), at a rate
that falls to 0. As the sum over V tokens would take most of the time, training estimates it: exact over the most frequent
tokens and t itself, and over the others from a uniform sample, drawn anew for each batch (after Jean et al. 2015):

    sum_v e^l(v)  ~  e^l(t) + sum over the frequent + (others / drawn) sum over the drawn        t left out of both

Whatever is measured or said uses the whole sum. What was written more than n tokens ago, or in another post, is not remembered.

Explained in docs/tour/02-why-we-want-it-to-flow.md.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rejoinder.config import At, Checked, NonNegativeInt, PositiveFloat, PositiveInt
from rejoinder.corpus import Corpus
from rejoinder.errors import DamagedModel, ModelError
from rejoinder.models.directory import load_array, load_config, save_array, save_config
from rejoinder.models.interfaces import Job, LanguageModel, LogProbs, Progress, Suggester
from rejoinder.post import Post
from rejoinder.text.sums import add_up
from rejoinder.text.tensors import TOKENIZER_FILE, count_tokens, open_tokenizer, open_tokens, token_shares
from rejoinder.text.tokenizer import AnyTokenizer

_PSEUDO_COUNT = 0.5  # of a token, for the biases to begin with
_SPREAD = 0.5  # vectors begin between minus and plus this
_FIRST_SQUARE = 0.01  # what AdaGrad takes for the square of the gradients before the first: small, so that rare tokens move
_MEASUREMENTS = 8  # of dev during a training
_PATIENCE = 2  # measurements without a better figure after which training stops
_ROWS = 256  # tokens whose whole softmax is made at a time
_Size = Annotated[int, At(least=1, most=2**14)]  # beyond, a mistyped figure is likelier than a wish

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]
Tokens = NDArray[np.integer[Any]]
State = tuple[int, ...]  # the last n tokens of the post, fewer where it begins


@dataclass(frozen=True)
class LogisticConfig(Checked, of="logistic"):
    """Settings of the logistic-regression rung."""

    window: _Size = 8  # n, tokens of the mean
    size: _Size = 128  # D, size of a token's vector
    weighed: bool = True  # whether the weights a_j are learned; off: the plain mean
    epochs: PositiveInt = 1  # passes over the train part
    least_steps: NonNegativeInt = 200  # steps at least: a small archive is read more often
    batch: _Size = 512  # B, tokens predicted in a step
    learning_rate: PositiveFloat = 0.2  # AdaGrad's, at the beginning
    frequent: NonNegativeInt = 512  # tokens of the softmax that are always summed over
    drawn: NonNegativeInt = 512  # of the others, drawn anew at each step; 0: all are summed over
    dev_tokens: PositiveInt = 10_000  # of the dev part, to stop early


class LogisticWeights(NamedTuple):
    """All that is learned."""

    vectors: Floats  # A (V, D)
    distance: Floats  # a (n,)
    output: Floats  # O (V, D)
    bias: Floats  # b (V,); -inf for what can never come


class ContextWindows(NamedTuple):
    """What stands before each of B tokens."""

    tokens: Ints  # (B, n) the last one first; beyond the beginning of the post anything
    shares: Floats  # (B, n) 1/m; 0 beyond the beginning


class Rows(NamedTuple):
    """The gradient of some rows of an array; that of the others is 0."""

    ids: Ints  # (R,) ascending, distinct
    values: Floats  # (R, ...)


class Gradient(NamedTuple):
    """The derivatives of the summed loss by the `LogisticWeights` of the same names."""

    vectors: Rows
    distance: Floats
    output: Rows
    bias: Rows


class Logistic(LanguageModel):
    """The weights as a language model; many states one by one, as a product of matrices rounds otherwise than with a vector."""

    Config: ClassVar[type] = LogisticConfig

    def __init__(self, config: LogisticConfig, tokenizer: AnyTokenizer, weights: LogisticWeights) -> None:
        """Use `fit` or `load`."""
        self.config = config
        self.tokenizer = tokenizer
        self.weights = weights
        self._begins = (tokenizer.post, tokenizer.reply)

    @classmethod
    def fit(cls, corpus: Corpus, config: LogisticConfig, *, rng: np.random.Generator, job: Job) -> Self:
        """Learn from the train part, until dev gets no better.

        Raises:
            ModelError: the train part is empty, or the numbers grew beyond all bounds.
        """
        tokenizer = open_tokenizer(corpus.tokens)
        run = _Run(corpus.tokens, tokenizer, config, rng)
        return cls(config, tokenizer, run.finish(job.progress))

    def save(self, directory: Path) -> None:
        """Write the settings, each array of the weights, and the tokenizer."""
        save_config(directory, "logistic", self.config)
        for name, array in self.weights._asdict().items():
            save_array(directory, name, array)
        self.tokenizer.save(directory / TOKENIZER_FILE)

    @classmethod
    def load(cls, directory: Path, parts: Mapping[str, Suggester] = {}) -> Self:
        """Read what `save` wrote.

        Raises:
            DamagedModel: it is another rung's, not whole, or does not belong together.
        """
        config = load_config(directory, "logistic", LogisticConfig)
        tokenizer = open_tokenizer(directory)
        weights = LogisticWeights(*(np.asarray(load_array(directory, name)) for name in LogisticWeights._fields))
        size = (tokenizer.vocabulary, config.size)
        if [array.shape for array in weights] != [size, (config.window,), size, size[:1]]:
            raise DamagedModel(f"{directory}: the arrays do not belong together; fit again: rejoinder fit logistic")
        return cls(config, tokenizer, weights)

    def start(self, context: Sequence[Post]) -> State:
        """The separator that begins the post; what was said before is not remembered."""
        return (self.tokenizer.reply if context else self.tokenizer.post,)

    def advance(self, state: State, token: int) -> State:
        """The last n tokens."""
        return (*state, token)[-self.config.window :]

    def log_probs(self, state: State) -> LogProbs:
        """(V,) float32, nats: the formula above."""
        x, _ = mean_vectors(self.weights, windows_before([len(state)], np.array(state), self.config.window, self._begins))
        return np.asarray(_log_softmax(self.weights.output @ x[0] + self.weights.bias), dtype=np.float32)

    def score_tokens(self, state: State, tokens: Sequence[int]) -> NDArray[np.float32]:
        """(N,) float32, nats."""
        written = np.array([*state, *tokens], dtype=np.int64)
        return score_at(self.weights, written, np.arange(len(state), len(written)), self._begins)


def windows_before(places: ArrayLike, tokens: Tokens, n: int, begins: Sequence[int]) -> ContextWindows:
    """The `n` tokens before each of `places`, back to the token of `begins` that its post begins with.

    Args:
        places: (B,) int64, indices of `tokens`, or its length; a token of the same post stands before each.
        tokens: (N,) ints, post after post.
        n: size of the window.
        begins: the tokens that posts begin with.
    """
    at = np.asarray(places, dtype=np.int64)[:, None] - 1 - np.arange(n)
    found = np.asarray(tokens[np.maximum(at, 0)], dtype=np.int64)
    begin = np.isin(found, begins)
    inside = (at >= 0) & (np.cumsum(begin, axis=1) - begin == 0)  # no beginning stands between it and the place
    return ContextWindows(found, (inside / inside.sum(axis=1, keepdims=True)).astype(np.float32))


def mean_vectors(weights: LogisticWeights, windows: ContextWindows) -> tuple[Floats, Floats]:
    """(B, D) x; and (B, n, D) A[w_j] / m, what each token adds to it before it is weighed."""
    parts = weights.vectors[windows.tokens] * windows.shares[:, :, None]
    return np.matmul(weights.distance, parts), parts


def score_at(weights: LogisticWeights, tokens: Tokens, places: Ints, begins: Sequence[int]) -> NDArray[np.float32]:
    """(N,) float32, nats: the log probability of the token at each of the N `places`, with the whole sum."""
    found = np.empty(len(places), np.float32)
    for first in range(0, len(places), _ROWS):
        here = places[first : first + _ROWS]
        x, _ = mean_vectors(weights, windows_before(here, tokens, len(weights.distance), begins))
        log_probs = _log_softmax(x @ weights.output.T + weights.bias)
        found[first : first + _ROWS] = log_probs[np.arange(len(here)), tokens[here]]
    return found


def gradient(
    weights: LogisticWeights, windows: ContextWindows, targets: Ints, ids: Ints, log_share: Floats
) -> tuple[Floats, Gradient]:
    """What B tokens cost, with the estimated sum, and the gradient of that: the formulas above, for a batch at once.

    Args:
        weights: of V tokens.
        windows: (B, n) what stands before each of the B tokens.
        targets: (B,) int64, the tokens.
        ids: (C,) int64, the distinct tokens summed over; each target is, as itself, wherever it is among them or not.
        log_share: (C,) natural logarithm of how many tokens each of `ids` stands for.

    Returns:
        (B,) nats, the loss of each; the gradient of their sum.
    """
    x, parts = mean_vectors(weights, windows)
    among, wanted = weights.output[ids], weights.output[targets]  # (C, D), (B, D)
    logits = x @ among.T + (weights.bias[ids] + log_share)  # (B, C)
    own = (x * wanted).sum(axis=1) + weights.bias[targets]  # (B,)
    place = np.full(len(weights.bias), -1)
    place[ids] = np.arange(len(ids))
    twice = np.flatnonzero(place[targets] >= 0)
    logits[twice, place[targets[twice]]] = -np.inf
    highest = np.maximum(logits.max(axis=1), own)
    probs = np.exp(logits - highest[:, None], out=logits)
    total = probs.sum(axis=1) + np.exp(own - highest)
    probs /= total[:, None]  # dl(w) of all but the target
    nats = highest + np.log(total) - own
    lack = np.expm1(-nats)  # (B,) dl(t) = p(t) - 1
    g = probs @ among + lack[:, None] * wanted  # (B, D)
    rows = np.concatenate([ids, targets])
    inside = np.flatnonzero(windows.shares)
    back = (windows.shares * weights.distance).reshape(-1)[inside]  # a_j / m of every token of every window
    return nats, Gradient(
        vectors=Rows(*add_up(windows.tokens.reshape(-1)[inside], back[:, None] * g[inside // len(weights.distance)])),
        distance=np.einsum("bnd,bd->n", parts, g),
        output=Rows(*add_up(rows, np.concatenate([probs.T @ x, lack[:, None] * x]))),
        bias=Rows(*add_up(rows, np.concatenate([probs.sum(axis=0), lack]))),
    )


def draw_ids(ranked: Ints, frequent: int, drawn: int, rng: np.random.Generator) -> tuple[Ints, Floats]:
    """Which tokens to sum over, and how many each stands for.

    Args:
        ranked: (V',) int64, all that can come next, the most frequent first.
        frequent: how many of them are always summed over.
        drawn: how many of the others; 0: all.
        rng: draws them.

    Returns:
        (C,) int64 ids; (C,) float32 natural logarithm of how many tokens each stands for.
    """
    others = len(ranked) - frequent
    if drawn == 0 or drawn >= others:
        return ranked, np.zeros(len(ranked), np.float32)
    chosen = ranked[frequent:][rng.choice(others, drawn, replace=False)]
    log_share = np.repeat(np.array([0.0, math.log(others / drawn)], np.float32), [frequent, drawn])
    return np.concatenate([ranked[:frequent], chosen]), log_share


class _Run:
    """One training: the tokens in the order they are read in, the weights, and the squares of their gradients so far."""

    def __init__(self, directory: Path, tokenizer: AnyTokenizer, config: LogisticConfig, rng: np.random.Generator) -> None:
        """Open the token arrays; begin with the frequencies of the unigram rung and vectors at random."""
        self.config, self.rng = config, rng
        self.begins = (tokenizer.post, tokenizer.reply)
        self.tokens = open_tokens(directory, "train").tokens
        dev = open_tokens(directory, "dev").tokens[: config.dev_tokens]
        self.dev, self.dev_places = dev, np.flatnonzero(~np.isin(dev, self.begins))
        sizes = np.array([len(piece) for piece in tokenizer.bytes])
        self.dev_bytes = int(sizes[dev[self.dev_places]].sum())
        counts = count_tokens(open_tokens(directory, "train"), tokenizer.vocabulary)
        order = np.lexsort((np.arange(len(counts)), -counts))
        self.ranked = order[~np.isin(order, self.begins)]
        self.weights = first_weights(counts, config, self.begins, rng)
        self.squares = LogisticWeights(*(np.full_like(array, _FIRST_SQUARE) for array in self.weights))
        self.stride, self.start = _stride(len(self.tokens), rng), int(rng.integers(len(self.tokens)))
        self.total = max(math.ceil(config.epochs * len(self.tokens) / config.batch), config.least_steps)

    def finish(self, progress: Progress) -> LogisticWeights:
        """The weights that were best on dev; the last ones, where there is no dev part.

        Raises:
            ModelError: the numbers grew beyond all bounds.
        """
        measured: list[tuple[float, int, LogisticWeights]] = []  # bits per byte, step, weights
        every = max(self.total // _MEASUREMENTS, 1)
        dev = ""
        for step in range(self.total):
            self._step(step)
            if self.dev_bytes and ((step + 1) % every == 0 or step + 1 == self.total):
                bits = self.dev_bits_per_byte()
                dev = f", dev {bits:.3f} bits per byte"
                if not measured or bits < measured[0][0]:
                    measured = [(bits, step, LogisticWeights(*(array.copy() for array in self.weights)))]
                elif step - measured[0][1] >= _PATIENCE * every:
                    break
            progress(f"logistic{dev}", step + 1, self.total)
        return measured[0][2] if measured else self.weights

    def dev_bits_per_byte(self) -> float:
        """Of the dev part, with the weights as they are."""
        nats = -score_at(self.weights, self.dev, self.dev_places, self.begins).sum(dtype=np.float64)
        return float(nats / (math.log(2) * self.dev_bytes))

    def _step(self, step: int) -> None:
        """One batch of places from all over the train part: every place comes once a pass."""
        size = len(self.tokens)
        number = (self.start + step * self.config.batch + np.arange(self.config.batch)) % size
        places = number * self.stride % size
        targets = self.tokens[places].astype(np.int64)
        follow = ~np.isin(targets, self.begins)
        places, targets = places[follow], targets[follow]
        if not len(places):
            return
        ids, log_share = draw_ids(self.ranked, self.config.frequent, self.config.drawn, self.rng)
        with np.errstate(over="ignore", invalid="ignore"):
            windows = windows_before(places, self.tokens, self.config.window, self.begins)
            nats, found = gradient(self.weights, windows, targets, ids, log_share)
            if not np.isfinite(nats).all():
                raise ModelError(f"logistic: no number at step {step:,}; a lower `logistic.learning_rate` may help")
            self._descend(found, np.float32(self.config.learning_rate * (1 - step / self.total)))

    def _descend(self, found: Gradient, rate: np.float32) -> None:
        """AdaGrad: s += d^2, w -= rate d / sqrt(s), for the rows that have a gradient."""
        for name in ("vectors", "output", "bias"):
            ids, slope = getattr(found, name)
            squares = getattr(self.squares, name)[ids] + slope**2
            getattr(self.squares, name)[ids] = squares
            getattr(self.weights, name)[ids] -= rate * slope / np.sqrt(squares)
        if self.config.weighed:
            self.squares.distance[:] += found.distance**2
            self.weights.distance[:] -= rate * found.distance / np.sqrt(self.squares.distance)


def first_weights(counts: Ints, config: LogisticConfig, never: Sequence[int], rng: np.random.Generator) -> LogisticWeights:
    """Weights with which the model says what the unigram rung says: O is 0, b the logarithms of the shares of `counts`."""
    size = (len(counts), config.size)
    with np.errstate(divide="ignore"):
        bias = np.log(token_shares(counts, _PSEUDO_COUNT, never)).astype(np.float32)
    vectors = rng.uniform(-_SPREAD, _SPREAD, size).astype(np.float32)
    return LogisticWeights(vectors, np.ones(config.window, np.float32), np.zeros(size, np.float32), bias)


def _stride(size: int, rng: np.random.Generator) -> int:
    """A step with which one comes to every place of a ring of `size` places before any comes twice."""
    while True:
        stride = int(rng.integers(1, size + 1))
        if math.gcd(stride, size) == 1:
            return stride


def _log_softmax(logits: Floats) -> Floats:
    """(..., V): the logits less the logarithm of the sum of their exponentials."""
    logits = logits - logits.max(axis=-1, keepdims=True)
    return np.asarray(logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True)))

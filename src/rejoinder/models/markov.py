"""The Markov rung: a weighted graph. Its nodes are tokens, its edges say how often one followed another.

    p(w | v) = max(c(v, w) - d, 0) / c(v) + d n(v) / c(v) * p(w)

c(v, w) the weight of the edge, c(v) the sum over the edges of v, n(v) their number, p(w) the unigram frequency. The discount
d takes a little from every edge seen and spreads it over what was not seen (absolute discounting, Ney, Essen & Kneser 1994);
unless it is set, d = n1 / (n1 + 2 n2) from the numbers of edges of weight 1 and 2. A post's edges run from POST or REPLY over
its tokens to END. It remembers one token; the rung above remembers more.

Explained in docs/tour/03-the-problem-we-are-trying-to-solve.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from rejoinder.config import At, Checked
from rejoinder.corpus import Corpus
from rejoinder.errors import DamagedModel
from rejoinder.models.directory import load_array, load_config, save_array, save_config
from rejoinder.models.interfaces import Job, LanguageModel, LogProbs, State, Suggester
from rejoinder.post import Post
from rejoinder.text.tensors import (
    TOKENIZER_FILE,
    count_bigrams,
    count_tokens,
    open_tokenizer,
    open_tokens,
    token_shares,
)
from rejoinder.text.tokenizer import AnyTokenizer

_PSEUDO_COUNT = 0.5  # of a token, so that none but POST and REPLY has probability 0


@dataclass(frozen=True)
class MarkovConfig(Checked, of="markov"):
    """Settings of the Markov rung."""

    discount: Annotated[float | None, At(above=0, below=1)] = None  # d; None estimates it


class Markov(LanguageModel):
    """The graph as arrays: the edges of node v are `edge_to[first[v] : first[v + 1]]`, the heaviest first."""

    Config: ClassVar[type] = MarkovConfig

    def __init__(
        self,
        config: MarkovConfig,
        tokenizer: AnyTokenizer,
        counts: NDArray[np.int64],
        first: NDArray[np.int64],
        edges: tuple[NDArray[np.uint32], NDArray[np.uint32]],
    ) -> None:
        """Use `fit` or `load`. `counts` (V,) tokens; `first` (V+1,); `edges` (E,) where to and (E,) how often."""
        self.config = config
        self.tokenizer = tokenizer
        self._counts = counts
        self._first = first
        self._edge_to, self._weight = edges
        self._unigram = token_shares(counts, _PSEUDO_COUNT, never=(tokenizer.post, tokenizer.reply))
        self._discount = config.discount if config.discount is not None else _estimate_discount(self._weight)

    @classmethod
    def fit(cls, corpus: Corpus, config: MarkovConfig, *, rng: np.random.Generator, job: Job) -> Self:
        """Count which token follows which in the train part."""
        tokenizer = open_tokenizer(corpus.tokens)
        arrays = open_tokens(corpus.tokens, "train")
        size = tokenizer.vocabulary
        pairs, weights = count_bigrams(arrays, size, tokenizer.end)
        order = np.lexsort((pairs % size, -weights, pairs // size))  # by node, the heaviest edge first, then by id
        first = np.searchsorted(pairs // size, np.arange(size + 1))
        edges = ((pairs[order] % size).astype(np.uint32), weights[order].astype(np.uint32))
        return cls(config, tokenizer, count_tokens(arrays, size), first, edges)

    def save(self, directory: Path) -> None:
        """Write the settings, the arrays of the graph, and the tokenizer."""
        save_config(directory, "markov", self.config)
        for name, array in self._arrays().items():
            save_array(directory, name, array)
        self.tokenizer.save(directory / TOKENIZER_FILE)

    @classmethod
    def load(cls, directory: Path, parts: Mapping[str, Suggester] = {}) -> Self:
        """Read what `save` wrote."""
        config = load_config(directory, "markov", MarkovConfig)
        counts, first, edge_to, weight = (load_array(directory, name) for name in ("counts", "first", "edge_to", "weight"))
        tokenizer = open_tokenizer(directory)
        if len(counts) != tokenizer.vocabulary or len(first) != len(counts) + 1 or not first[-1] == len(edge_to) == len(weight):
            raise DamagedModel(f"{directory}: the arrays do not belong together; fit again: rejoinder fit markov")
        return cls(config, tokenizer, counts, first, (edge_to, weight))

    def start(self, context: Sequence[Post]) -> State:
        """The node of the separator that begins the post; what was said before is not remembered."""
        return self.tokenizer.reply if context else self.tokenizer.post

    def advance(self, state: State, token: int) -> State:
        """The node of the token."""
        return token

    def log_probs(self, state: State) -> LogProbs:
        """(V,) float32, nats: the formula above."""
        edges = slice(self._first[state], self._first[state + 1])
        weights = self._weight[edges]
        if not len(weights):  # a node that nothing followed
            probs = self._unigram.copy()
        else:
            total = float(weights.sum(dtype=np.int64))
            probs = self._unigram * (self._discount * len(weights) / total)
            probs[self._edge_to[edges]] += (weights - self._discount) / total
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(probs), dtype=np.float32)

    def edges(self, node: int, k: int) -> list[tuple[int, int]]:
        """The `k` heaviest edges of a node: where to, and how often."""
        found = slice(self._first[node], min(self._first[node] + k, self._first[node + 1]))
        return list(zip(self._edge_to[found].tolist(), self._weight[found].tolist(), strict=True))

    def walk(self, rng: np.random.Generator, context: Sequence[Post] = (), longest: int = 60) -> list[int]:
        """A random walk over the graph from the beginning of a post: at most `longest` tokens, END left out."""
        walked: list[int] = []
        state = self.start(context)
        while len(walked) < longest:
            probs = np.exp(self.log_probs(state).astype(np.float64))
            state = int(rng.choice(len(probs), p=probs / probs.sum()))
            if state == self.tokenizer.end:
                break
            walked.append(state)
        return walked

    def _arrays(self) -> dict[str, NDArray[np.generic]]:
        return {"counts": self._counts, "first": self._first, "edge_to": self._edge_to, "weight": self._weight}


def _estimate_discount(weights: NDArray[np.uint32]) -> float:
    """d = n1 / (n1 + 2 n2); 0.5 where an archive is too small to say."""
    once, twice = int(np.count_nonzero(weights == 1)), int(np.count_nonzero(weights == 2))
    return once / (once + 2 * twice) if once and twice else 0.5

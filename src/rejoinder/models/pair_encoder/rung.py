"""The pair encoder rung: what answers what, by word vectors that were trained on pairs and came with the package.

It learns nothing here: the weights are those of the package, or of a folder that is named (see
`rejoinder.models.pair_encoder.encode` for the formulas), and the train part's replies are placed by them. So the base install
ranks by meaning where nobody trained anything; what a home counts itself is added by the fusion. `bench/pair_encoder.py` made
the weights.

Explained in docs/ladder/pair_encoder.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from rejoinder.config import Checked, PositiveInt
from rejoinder.corpus import Corpus
from rejoinder.errors import ConfigError, DamagedModel, ModelError
from rejoinder.models.directory import load_config, save_config
from rejoinder.models.interfaces import Job, ReplyRanker, ReplySource, Scores, Suggester
from rejoinder.models.nearest import Nearest, dots
from rejoinder.models.pair_encoder.encode import PairEncoder, PairWeights
from rejoinder.models.replies import Replies
from rejoinder.post import Post, Suggestion

_PLACE = ("models", "pair_encoder", "0001")  # in the package's bundle
_AT_ONCE = 500  # replies between two lines of progress
_REMEMBERED = 4_096  # candidates whose vectors are kept


@dataclass(frozen=True)
class PairEncoderConfig(Checked, of="pair_encoder"):
    """Settings of the rung."""

    begin: str = ""  # folder of the weights; empty: the package's
    posts: PositiveInt = 6  # posts of the context at most, the last ones
    longest: PositiveInt = 200  # words of a text that are read


class PairRanker(ReplySource, ReplyRanker):
    """The encoder, and the train part's replies as vectors."""

    Config: ClassVar[type] = PairEncoderConfig

    def __init__(self, config: PairEncoderConfig, weights: PairWeights, nearest: Nearest, replies: Replies) -> None:
        """Use `fit` or `load`. `nearest` has a vector for each of the `replies`."""
        self.config = config
        self._weights, self._nearest, self._replies = weights, nearest, replies
        self._encoder = PairEncoder(weights, config.longest)
        self._remembered: dict[str, NDArray[np.float32]] = {}

    @classmethod
    def fit(cls, corpus: Corpus, config: PairEncoderConfig, *, rng: np.random.Generator, job: Job) -> Self:
        """Place the replies of the train part.

        Raises:
            ConfigError: `begin` names no such folder.
            ModelError: the package's weights are not there; the train part has no replies (NothingToLearn).
        """
        weights = _weights(config)
        encoder = PairEncoder(weights, config.longest)
        replies, _, said = Replies.build(corpus)
        vectors = np.empty((len(said), weights.size), np.float32)
        for first in range(0, len(said), _AT_ONCE):
            vectors[first : first + _AT_ONCE] = encoder.meanings(said[first : first + _AT_ONCE])
            job.progress("placing replies", min(first + _AT_ONCE, len(said)), len(said))
        return cls(config, weights, Nearest.build(vectors), replies)

    def save(self, directory: Path) -> None:
        """Write the weights, and the replies with their vectors."""
        save_config(directory, "pair_encoder", self.config)
        self._weights.save(directory)
        self._nearest.save(directory)
        self._replies.save(directory)

    @classmethod
    def load(cls, directory: Path, parts: Mapping[str, Suggester] = {}) -> Self:
        """Read what `save` wrote, memory-mapped.

        Raises:
            DamagedModel: it is another rung's, not whole, or does not belong together.
        """
        config = load_config(directory, "pair_encoder", PairEncoderConfig)
        weights, nearest, replies = PairWeights.load(directory), Nearest.load(directory), Replies.load(directory)
        if nearest.vectors.shape != (len(replies), weights.size):
            raise DamagedModel(f"{directory}: vectors and replies do not fit together; fit again: rejoinder fit pair_encoder")
        return cls(config, weights, nearest, replies)

    def propose(self, context: Sequence[Post], k: int) -> list[Suggestion]:
        """The replies of train that answer best by meaning; the score is the inner product, and none is below 0."""
        if not context or k <= 0:
            return []
        places, scores = self._nearest.search(self._question(context), k)
        found = zip(places.tolist(), scores.tolist(), strict=True)
        return [self._replies.suggestion(place, score, "pair_encoder") for place, score in found if score > 0]

    def score_replies(self, context: Sequence[Post], candidates: Sequence[str]) -> Scores:
        """(C,) float64: how well each candidate answers the last post of `context`."""
        if not context or not candidates:
            return np.zeros(len(candidates), np.float64)
        return dots(self._meanings(candidates), self._question(context)).astype(np.float64)

    def _meanings(self, candidates: Sequence[str]) -> NDArray[np.float32]:
        """(C, D) float32: as the encoder has them; the same candidates come again and again while a fusion is fitted."""
        known = {text: vector for text in candidates if (vector := self._remembered.get(text)) is not None}
        new = [text for text in dict.fromkeys(candidates) if text not in known]
        fresh = dict(zip(new, self._encoder.meanings(new), strict=True))
        if len(self._remembered) + len(fresh) > _REMEMBERED:
            self._remembered.clear()
        self._remembered.update(fresh)
        known |= fresh
        return np.array([known[text] for text in candidates], np.float32)

    def _question(self, context: Sequence[Post]) -> NDArray[np.float32]:
        return self._encoder.question(context[-self.config.posts :])


def _weights(config: PairEncoderConfig) -> PairWeights:
    if config.begin:
        try:
            return PairWeights.load(Path(config.begin).expanduser())
        except ModelError as error:
            raise ConfigError(f"`pair_encoder.begin`: {error}") from error
    try:
        return PairWeights.load(Path(str(resources.files("rejoinder.bundle"))).joinpath(*_PLACE))
    except DamagedModel as error:
        raise ModelError(f"the word vectors of the package are not there ({error}); install rejoinder again") from error

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
from rejoinder.models.nearest import dots
from rejoinder.models.pair_encoder.encode import PairEncoder, PairWeights
from rejoinder.models.remembered import Remembered
from rejoinder.models.replies import Replies
from rejoinder.models.reply_vectors import ReplyVectors
from rejoinder.post import Post, Suggestion

_PLACE = ("models", "pair_encoder", "0001")  # in the package's bundle


@dataclass(frozen=True)
class PairEncoderConfig(Checked, of="pair_encoder"):
    """Settings of the rung."""

    begin: str = ""  # folder of the weights; empty: the package's
    posts: PositiveInt = 6  # posts of the context at most, the last ones
    longest: PositiveInt = 200  # words of a text that are read


class PairRanker(ReplySource, ReplyRanker):
    """The encoder, and the train part's replies as vectors."""

    Config: ClassVar[type] = PairEncoderConfig

    def __init__(self, config: PairEncoderConfig, weights: PairWeights, vectors: ReplyVectors) -> None:
        """Use `fit` or `load`."""
        self.config = config
        self._weights, self._vectors = weights, vectors
        self._encoder = PairEncoder(weights, config.longest)
        self._remembered = Remembered(self._encoder.meanings)

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
        return cls(config, weights, ReplyVectors.build(replies, said, encoder.meanings, job.progress))

    def save(self, directory: Path) -> None:
        """Write the weights, and the replies with their vectors."""
        save_config(directory, "pair_encoder", self.config)
        self._weights.save(directory)
        self._vectors.save(directory)

    @classmethod
    def load(cls, directory: Path, parts: Mapping[str, Suggester] = {}) -> Self:
        """Read what `save` wrote, memory-mapped.

        Raises:
            DamagedModel: it is another rung's, not whole, or does not belong together.
        """
        config = load_config(directory, "pair_encoder", PairEncoderConfig)
        weights = PairWeights.load(directory)
        return cls(config, weights, ReplyVectors.load(directory, weights.size, "pair_encoder"))

    def propose(self, context: Sequence[Post], k: int) -> list[Suggestion]:
        """The replies of train that answer best by meaning; the score is the inner product, and none is below 0."""
        if not context or k <= 0:
            return []
        places, scores = self._vectors.nearest.search(self._question(context), k)
        found = zip(places.tolist(), scores.tolist(), strict=True)
        return [self._vectors.replies.suggestion(place, score, "pair_encoder") for place, score in found if score > 0]

    def score_replies(self, context: Sequence[Post], candidates: Sequence[str]) -> Scores:
        """(C,) float64: how well each candidate answers the last post of `context`."""
        if not context or not candidates:
            return np.zeros(len(candidates), np.float64)
        return dots(self.reply_vectors(candidates), self._question(context)).astype(np.float64)

    def word_vectors(self, words: Sequence[str]) -> NDArray[np.float32]:
        """(N, D) float32: what each word means."""
        return self._encoder.words(words)

    def reply_vectors(self, replies: Sequence[str]) -> NDArray[np.float32]:
        """(C, D) float32: as the encoder has them."""
        return np.array(self._remembered.of(replies), np.float32)

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

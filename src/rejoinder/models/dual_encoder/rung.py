"""The dual encoder rung: contexts and replies are encoded apart, so that what answers what is one inner product.

After Henderson et al. 2017 (n-gram dual encoder for Smart Reply), made for little data: it begins as a text similarity and learns
from the train part's pairs which words answer which (see `rejoinder.models.dual_encoder.encode` for the formulas). Trained with
Keras, run with NumPy alone. It does not know the order of words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from rejoinder.corpus import Corpus
from rejoinder.models.directory import load_config, save_config
from rejoinder.models.dual_encoder.config import DualEncoderConfig
from rejoinder.models.dual_encoder.encode import Encoder, EncoderWeights
from rejoinder.models.interfaces import Job, ReplyRanker, ReplySource, Scores, Suggester
from rejoinder.models.replies import Replies
from rejoinder.models.reply_vectors import ReplyVectors
from rejoinder.post import Post, Suggestion

_NEAR = 100  # replies of near meaning that are scored, at least


class DualEncoder(ReplySource, ReplyRanker):
    """Two encoders, and the train part's replies as vectors."""

    Config: ClassVar[type] = DualEncoderConfig

    def __init__(self, config: DualEncoderConfig, weights: EncoderWeights, vectors: ReplyVectors) -> None:
        """Use `fit` or `load`."""
        self.config = config
        self._weights = weights
        self._encoder = Encoder(weights, config)
        self._vectors = vectors

    @classmethod
    def fit(cls, corpus: Corpus, config: DualEncoderConfig, *, rng: np.random.Generator, job: Job) -> Self:
        """Train on the train part, stop by the dev part; then encode the train part's replies.

        Raises:
            ConfigError: what it is to begin from does not fit.
            MissingExtra: what training needs is not installed.
            ModelError: the train part has no replies, or training came to a number that is none.
        """
        from rejoinder.models.dual_encoder.train import train

        replies, _, said = Replies.build(corpus)
        weights = train(corpus, config, rng=rng, job=job).half()
        meaning = Encoder(weights, config).meaning
        return cls(config, weights, ReplyVectors.build(replies, said, meaning, job.progress))

    def save(self, directory: Path) -> None:
        """Write the weights, and the replies with their vectors."""
        save_config(directory, "dual_encoder", self.config)
        self._weights.save(directory)
        self._vectors.save(directory)

    @classmethod
    def load(cls, directory: Path, parts: Mapping[str, Suggester] = {}) -> Self:
        """Read what `save` wrote; `parts` were needed for the fit alone.

        Raises:
            DamagedModel: it is another rung's, not whole, or does not belong together.
        """
        config = load_config(directory, "dual_encoder", DualEncoderConfig)
        weights = EncoderWeights.load(directory, config)
        return cls(config, weights, ReplyVectors.load(directory, config.size, "dual_encoder"))

    def propose(self, context: Sequence[Post], k: int) -> list[Suggestion]:
        """At most `k` replies of train: those of the nearest meaning, ordered by their whole score, in nats."""
        if not context or k <= 0:
            return []
        encoded = self._encoder.context(context)
        places, _ = self._vectors.nearest.search(encoded.meaning, max(2 * k, _NEAR))
        found = [self._vectors.replies.suggestion(place, 0.0, "dual_encoder") for place in places.tolist()]
        scores = self._encoder.score(encoded, [suggestion.text for suggestion in found])
        return [replace(found[at], score=float(scores[at])) for at in np.lexsort((places, -scores))[:k]]

    def score_replies(self, context: Sequence[Post], candidates: Sequence[str]) -> Scores:
        """(C,) float64, nats up to a constant: how well each candidate answers the last post of `context`."""
        if not context:
            return np.zeros(len(candidates), np.float64)
        return self._encoder.score(self._encoder.context(context), candidates).astype(np.float64)

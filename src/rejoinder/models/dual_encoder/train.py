"""Training the dual encoder: pairs of the train part in, weights out.

After each pass the dev part is measured by recall@1 among 100 replies; the best weights are kept, the untrained ones among them.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rejoinder.corpus import Corpus
from rejoinder.errors import ModelError, NothingToLearn, missing_extra
from rejoinder.models.dual_encoder.config import DualEncoderConfig
from rejoinder.models.dual_encoder.encode import Encoder, EncoderWeights
from rejoinder.models.dual_encoder.features import FeatureBags, Floats, Ints
from rejoinder.models.dual_encoder.training_pairs import EARLIER, LAST, REPLY, Pairs, Rarity, read_pairs
from rejoinder.models.dual_encoder.warm_start import first_weights
from rejoinder.models.interfaces import Job
from rejoinder.models.pairs import draw_negatives
from rejoinder.text.sums import each_once

_OTHERS, _DRAWS = 99, 5  # replies from other threads, drawn so many times
_ROWS = 2048  # by which the words of a batch are rounded up: each new number costs the backend a compilation
_LEARNED = ("vectors", "maps", "biases", "scales", "earlier")
_LOWER = "; a lower `dual_encoder.learning_rate` may help"


def train(corpus: Corpus, config: DualEncoderConfig, *, rng: np.random.Generator, job: Job) -> EncoderWeights:
    """Train on the train part of a corpus, stop by its dev part.

    Raises:
        ConfigError: what it is to begin from does not fit.
        MissingExtra: Keras is not installed.
        ModelError: nothing to train on, or a loss that is no number.
    """
    rarity = Rarity.of(corpus, config, job)
    pairs = read_pairs(corpus, "train", config, rarity, job)
    if not len(pairs):
        raise NothingToLearn(
            "the train part has no reply with words to a post with words, so there is nothing to learn; import more"
        )
    weights = first_weights(rarity, pairs, config, rng, job)
    dev = Measure.of(read_pairs(corpus, "dev", config, rarity, job), config, rng)
    try:
        return EncoderTraining(weights, pairs, dev, config, rng).finish(job)
    except ImportError as error:
        raise missing_extra("fitting dual_encoder", "train") from error


class EncoderTraining:
    """One training of the encoders on pairs, measured on dev as it goes on."""

    def __init__(
        self, weights: EncoderWeights, pairs: Pairs, dev: Measure | None, config: DualEncoderConfig, rng: np.random.Generator
    ) -> None:
        """Make the network, which begins with `weights`; its learning rate falls to 0 at the last step."""
        import keras

        from rejoinder.models.dual_encoder.network import EncoderNetwork

        self.config, self.rng, self.weights, self.pairs, self.dev = config, rng, weights, pairs, dev
        self.batch = min(config.batch, len(pairs))
        self.a_pass = len(pairs) // self.batch  # steps
        self.steps = config.epochs * self.a_pass if self.batch > 1 else 0
        start = {name: getattr(weights, name) for name in _LEARNED}
        self.network = EncoderNetwork(config, start, int(rng.integers(2**31)))
        warmup = self.steps // 20 + 1
        rate = keras.optimizers.schedules.CosineDecay(
            0.0, max(self.steps - warmup, 1), warmup_target=config.learning_rate, warmup_steps=warmup
        )
        self.network.compile(keras.optimizers.Adam(rate, global_clipnorm=1.0))

    def finish(self, job: Job) -> EncoderWeights:
        """The weights that were best on dev; the last ones, where there is no dev part.

        Raises:
            ModelError: a loss or a weight is no number.
        """
        best, found, since = self._recall(self.weights), self.weights, 0
        order = np.empty(0, np.int64)
        for step in range(self.steps):
            at = step % self.a_pass * self.batch
            if not at:
                order = self.rng.permutation(len(self.pairs))
            loss = self._step(order[at : at + self.batch])
            if not math.isfinite(loss):
                raise ModelError(f"dual_encoder: the loss became {loss} at step {step + 1:,}{_LOWER}")
            said = f", recall@1 of 100 on dev {best:.3f}" if self.dev else ""
            job.progress(f"dual_encoder{said}", step + 1, self.steps)
            if (step + 1) % self.a_pass == 0:
                weights, since = self.weights_now(), since + 1
                figure = self._recall(weights)
                if figure > best or self.dev is None:
                    best, found, since = figure, weights, 0
                if self.config.patience and since >= self.config.patience:
                    break
        return found

    def inputs(self, pairs: Pairs) -> dict[str, NDArray[Any]]:
        """What the network reads of some pairs."""
        used = each_once(np.concatenate([bags.places for bags in pairs.words]))
        size = max(-(-len(used) // _ROWS), 1) * _ROWS
        texts = np.zeros((3, len(pairs), size), np.float32)
        for side, bags in enumerate(pairs.words):
            texts[side, :, : len(used)] = bags.dense(used)
        rows = np.zeros(size, np.int32)
        rows[: len(used)] = self.weights.rows[used]
        products = [
            [alike(view[side], view[REPLY], self.config.buckets) for side in (LAST, EARLIER)]
            for view in (pairs.words, pairs.letters)
        ]
        same = (pairs.threads[:, None] == pairs.threads) & ~np.eye(len(pairs), dtype=bool)
        return {"rows": rows, "texts": texts, "alike": np.array(products, np.float32), "same": same.astype(np.float32)}

    def weights_now(self) -> EncoderWeights:
        """What is learned so far.

        Raises:
            ModelError: one is no number.
        """
        learned = self.network.learned_now()
        if not all(np.isfinite(array).all() for array in learned.values()):
            raise ModelError(f"dual_encoder: a weight became no number{_LOWER}")
        learned["vectors"][0] = 0  # no word's
        return replace(self.weights, **learned)

    def _step(self, rows: Ints) -> float:
        """One step of the optimiser; the mean nats."""
        self.network.reset_metrics()
        return float(np.asarray(self.network.train_on_batch(self.inputs(self.pairs.take(rows)))).reshape(-1)[0])

    def _recall(self, weights: EncoderWeights) -> float:
        return self.dev.recall(weights) if self.dev else 0.0


def alike(ones: FeatureBags, others: FeatureBags, buckets: int) -> Floats:
    """(N, M) float32: the inner product of each of `ones` with each of `others`."""
    from scipy.sparse import csr_matrix

    left, right = (csr_matrix((bags.values, bags.places, bags.offsets), (len(bags), buckets)) for bags in (ones, others))
    return np.asarray((left @ right.T).toarray(), np.float32)


class Measure:
    """Recall@1 of the dev part's replies among others, the same ones each time."""

    def __init__(self, dev: Pairs, config: DualEncoderConfig, drawn: list[Ints]) -> None:
        """`drawn`: (N, n) places of the others, several times; how alike words and letters are never changes."""
        self.pairs, self.config, self.drawn = dev, config, drawn
        self.alike = np.empty((2, 2, len(dev), len(dev)), np.float32)  # words, letters; last, earlier; contexts; replies
        query = np.zeros(config.buckets, np.float32)
        for view, bags in enumerate((dev.words, dev.letters)):
            for side in (LAST, EARLIER):
                for row in range(len(dev)):
                    places, values = bags[side].text(row)
                    query[places] = values
                    self.alike[view, side, row] = bags[REPLY].dot(query)
                    query[places] = 0

    @classmethod
    def of(cls, dev: Pairs, config: DualEncoderConfig, rng: np.random.Generator) -> Measure | None:
        """Draw the others; None, where there are none."""
        dev = dev.take(np.sort(rng.permutation(len(dev))[: config.dev_pairs]))
        largest = int(np.unique(dev.threads, return_counts=True)[1].max(initial=0))
        others = min(_OTHERS, len(dev) - largest)
        return cls(dev, config, [draw_negatives(dev.threads, others, rng) for _ in range(_DRAWS)]) if others else None

    def recall(self, weights: EncoderWeights) -> float:
        """The share of the replies that score above all the others drawn for them."""
        scores = self.scores(weights)
        right = np.diagonal(scores)[:, None]
        return float(np.mean([(np.take_along_axis(scores, drawn, 1) < right).all(axis=1).mean() for drawn in self.drawn]))

    def scores(self, weights: EncoderWeights) -> Floats:
        """(N, N) float32, nats: each context with each reply."""
        encoder, scale, share = Encoder(weights, self.config), np.exp(weights.scales), weights.earlier
        last, earlier, replies = (encoder.meaning_of(bags, int(side == REPLY)) for side, bags in enumerate(self.pairs.words))
        found = scale[2] * (last + share[2] * earlier) @ replies.T
        for view, alike in enumerate(self.alike):
            found += scale[view] * (alike[LAST] + share[view] * alike[EARLIER])
        return np.asarray(found, np.float32)

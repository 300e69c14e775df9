"""Both encoders, in NumPy: what runs once training is over.

A text t has three views: its words, the runs of letters in them, and its meaning.

    words(t), letters(t)    the sparse vectors of (1 + ln tf) idf^rarity, of length 1
    meaning(t)              y / |y|,   y = sqrt(D) x / |x| W + b,   x = sum over words w of (1 + ln tf(w)) idf(w)^rarity E[w]

with one W and b for contexts and another for replies. Of a context the last post counts fully, and all before it, as one text,
as much as `earlier` has learned for each view. What answers what is the inner product

    score = sum over views of e^scale (view(last post) + earlier view(posts before)) . view(reply)

so replies can be encoded before anything is asked. idf = 1 + ln((1 + N) / (1 + df)) over the N posts of train.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from rejoinder.errors import DamagedModel
from rejoinder.files import write_atomically
from rejoinder.models.dual_encoder.config import DualEncoderConfig
from rejoinder.models.dual_encoder.features import FeatureBags, FeaturesOfTexts, Floats, read
from rejoinder.models.meaning import meanings
from rejoinder.models.nearest import dots
from rejoinder.post import Post

VIEWS = 3  # words, letters, meaning
_WEIGHTS = "weights.safetensors"
_AGAIN = "fit again: rejoinder fit dual_encoder"


@dataclass(frozen=True, eq=False)
class EncoderWeights:
    """What is learned: float32 in training, float16 on disk and after."""

    words: NDArray[Any]  # (V,) idf^rarity of each place of words
    letters: NDArray[Any]  # (V,) the same of runs of letters
    rows: NDArray[Any]  # (V,) int32, the row of `vectors` of each place of words; 0 for words never seen
    vectors: NDArray[Any]  # (R, D) E; row 0 is zeros
    maps: NDArray[Any]  # (2, D, D) W of contexts and of replies
    biases: NDArray[Any]  # (2, D) b
    scales: NDArray[Any]  # (3,) natural logarithms
    earlier: NDArray[Any]  # (3,)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All of them by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def half(self) -> EncoderWeights:
        """In half precision."""
        return EncoderWeights(**{n: array if n == "rows" else array.astype(np.float16) for n, array in self.arrays().items()})

    def single(self) -> EncoderWeights:
        """In single precision, with which all is computed."""
        return EncoderWeights(**{n: array if n == "rows" else array.astype(np.float32) for n, array in self.arrays().items()})

    def save(self, directory: Path) -> None:
        """Write the arrays into `directory` as one file of safetensors, atomically."""
        from safetensors.numpy import save

        write_atomically(directory / _WEIGHTS, save({k: np.ascontiguousarray(v) for k, v in self.arrays().items()}))

    @classmethod
    def load(cls, directory: Path, config: DualEncoderConfig) -> Self:
        """Read what `save` wrote of a model with these settings.

        Raises:
            DamagedModel: they are not there, cut short, or of other shapes.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        file = directory / _WEIGHTS
        try:
            arrays: Mapping[str, NDArray[Any]] = load_file(file)
        except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
            raise DamagedModel(f"{file} is missing or damaged ({error}); {_AGAIN}") from error
        found = {name: (str(array.dtype), *array.shape) for name, array in arrays.items()}
        expected = _shapes(config, len(arrays.get("vectors", ())))
        if found != expected:
            raise DamagedModel(f"{file}: arrays {expected} were expected; got {found}; {_AGAIN}")
        weights = cls(**arrays)
        if not (weights.rows.min() >= 0 and weights.rows.max() < len(weights.vectors)):
            raise DamagedModel(f"{file}: places have rows that are not there; {_AGAIN}")
        return weights


def _shapes(config: DualEncoderConfig, rows: int) -> dict[str, tuple[Any, ...]]:
    """Type and shape of each array of `EncoderWeights` on disk."""
    places, size = config.buckets, config.size
    sizes = {"words": (places,), "letters": (places,), "vectors": (rows, size), "maps": (2, size, size), "biases": (2, size)}
    half = {name: ("float16", *shape) for name, shape in {**sizes, "scales": (VIEWS,), "earlier": (VIEWS,)}.items()}
    return {**half, "rows": ("int32", places)}


def split_context(texts: Sequence[str]) -> tuple[str, str]:
    """The last of a context's texts, and those before it as one."""
    return texts[-1] if texts else "", "\n".join(texts[:-1])


class Context(NamedTuple):
    """What is answered, encoded: the scale of each view is in it."""

    words: Floats  # (V,)
    letters: Floats  # (V,)
    meaning: Floats  # (D,)


class Encoder:
    """The two encoders; they hold no text."""

    def __init__(self, weights: EncoderWeights, config: DualEncoderConfig) -> None:
        """Use weights of any floating type."""
        self.config = config
        self._weights = weights.single()

    def context(self, posts: Sequence[Post]) -> Context:
        """What the posts, oldest first, say together."""
        both = self._read(split_context([post.own_text for post in posts[-self.config.posts :]]))
        shares, scales = self._weights.earlier, np.exp(self._weights.scales)
        found = [np.zeros(self.config.buckets, np.float32) for _ in both]
        for view, (bags, weights) in enumerate(zip(both, (self._weights.words, self._weights.letters), strict=True)):
            weighted = bags.weighted(weights)
            for text, share in enumerate((np.float32(1), shares[view])):
                places, values = weighted.text(text)
                found[view][places] += scales[view] * share * values
        last, before = self.meaning_of(both.words.weighted(self._weights.words), 0)
        return Context(found[0], found[1], scales[2] * (shares[2] * before + last))

    def meaning(self, replies: Sequence[str]) -> Floats:
        """(N, D) float32 of length 1, or 0 for a reply without a word that has a vector."""
        return self.meaning_of(self._read(replies).words.weighted(self._weights.words), 1)

    def score(self, context: Context, replies: Sequence[str]) -> Floats:
        """(N,) float32, nats: higher is better."""
        found = self._read(replies)
        said, spelled = found.words.weighted(self._weights.words), found.letters.weighted(self._weights.letters)
        return said.dot(context.words) + spelled.dot(context.letters) + dots(self.meaning_of(said, 1), context.meaning)

    def _read(self, texts: Sequence[str]) -> FeaturesOfTexts:
        return read(texts, self.config.buckets, self.config.longest)

    def meaning_of(self, bags: FeatureBags, side: int) -> Floats:
        """(N, D) float32 of weighted words; side 0 for contexts, 1 for replies."""
        x = bags.sum_rows(self._weights.rows, self._weights.vectors)
        maps, biases = self._weights.maps[side], self._weights.biases[side]
        return meanings(x, maps, biases, length=float(np.sqrt(x.shape[1])))

"""Settings of the dual encoder: what it reads, how large it is, how it is trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from rejoinder.config import At, Checked, NonNegativeFloat, NonNegativeInt, PositiveFloat
from rejoinder.errors import ConfigError

_Size = Annotated[int, At(least=1, most=2**24)]  # beyond, a mistyped figure is likelier than a wish
_LeftOut = Annotated[float, At(least=0, below=1)]


@dataclass(frozen=True)
class DualEncoderConfig(Checked, of="dual_encoder"):
    """Settings of the dual encoder."""

    # what it reads
    longest: _Size = 600  # words of a post
    posts: _Size = 6  # posts of the context at most, the last ones
    buckets: _Size = 2**17  # V, places that words, and runs of letters, are hashed to
    rarity: NonNegativeFloat = 1.5  # power of the inverse document frequency
    # the vectors
    size: _Size = 256  # D, numbers of a vector
    models: tuple[str, ...] = ("pmi_svd",)  # the rung that the words' vectors are begun from; none: from random ones
    begin: str = ""  # directory of a dual encoder fitted elsewhere, to go on from
    # the training
    epochs: NonNegativeInt = 4  # passes over the train part's pairs
    batch: _Size = 256  # B, pairs that are told from one another
    learning_rate: PositiveFloat = 2e-3  # Adam's, at its highest; it falls to 0 along a cosine
    dropout: _LeftOut = 0.4  # share of a vector's numbers left out
    word_dropout: _LeftOut = 0.3  # share of a post's words left out
    patience: NonNegativeInt = 2  # passes without a better figure on dev after which training stops; 0: never
    dev_pairs: _Size = 2000  # of the dev part, for that figure

    def __post_init__(self) -> None:
        """Check ranges and names."""
        super().__post_init__()
        if len(self.models) > 1:
            raise ConfigError(f"`dual_encoder.models` must be one rung with word vectors, or none; got {', '.join(self.models)}")

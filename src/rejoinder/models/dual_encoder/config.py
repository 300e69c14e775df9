"""Settings of the dual encoder: what it reads, how large it is, how it is trained."""

from __future__ import annotations

from dataclasses import dataclass

from rejoinder.errors import ConfigError

_LARGEST = 2**24  # of any size: beyond, a mistyped figure is likelier than a wish


@dataclass(frozen=True)
class DualEncoderConfig:
    """Settings of the dual encoder."""

    # what it reads
    longest: int = 600  # words of a post
    posts: int = 6  # posts of the context at most, the last ones
    buckets: int = 2**17  # V, places that words, and runs of letters, are hashed to
    rarity: float = 1.5  # power of the inverse document frequency
    # the vectors
    size: int = 256  # D, numbers of a vector
    models: tuple[str, ...] = ("pmi_svd",)  # the rung that the words' vectors are begun from; none: from random ones
    begin: str = ""  # directory of a dual encoder fitted elsewhere, to go on from
    # the training
    epochs: int = 4  # passes over the train part's pairs
    batch: int = 256  # B, pairs that are told from one another
    learning_rate: float = 2e-3  # Adam's, at its highest; it falls to 0 along a cosine
    dropout: float = 0.4  # share of a vector's numbers left out
    word_dropout: float = 0.3  # share of a post's words left out
    patience: int = 2  # passes without a better figure on dev after which training stops; 0: never
    dev_pairs: int = 2000  # of the dev part, for that figure

    def __post_init__(self) -> None:
        """Check ranges."""
        object.__setattr__(self, "models", tuple(self.models))  # JSON and TOML know lists only
        for name in ("longest", "posts", "buckets", "size", "batch", "dev_pairs"):
            if not 1 <= getattr(self, name) <= _LARGEST:
                raise ConfigError(f"`dual_encoder.{name}` must be an int in [1, {_LARGEST:,}]; got {getattr(self, name)}")
        for name in ("rarity", "epochs", "patience"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ConfigError(f"`dual_encoder.{name}` must be at least 0; got {getattr(self, name)}")
        if not 0 < self.learning_rate < float("inf"):
            raise ConfigError(f"`dual_encoder.learning_rate` must be above 0; got {self.learning_rate}")
        for name in ("dropout", "word_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise ConfigError(f"`dual_encoder.{name}` must lie in [0, 1); got {getattr(self, name)}")
        if len(self.models) > 1:
            raise ConfigError(f"`dual_encoder.models` must be one rung with word vectors, or none; got {', '.join(self.models)}")

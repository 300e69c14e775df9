"""Settings of the LSTM rung: the size of the model, how it is trained, how it is kept."""

from __future__ import annotations

from dataclasses import dataclass, fields

from rejoinder.errors import ConfigError

_LARGEST = 2**14  # of any size: beyond, a mistyped figure is likelier than a wish
_MOST_WEIGHTS = 2**29  # between the layers: beyond, training takes more memory than a machine has
_SHARES = ("input_dropout", "output_dropout", "weight_drop", "whole")
_SIZES = ("embedding", "hidden", "layers", "batch", "steps", "dev_tokens")


@dataclass(frozen=True)
class LSTMConfig:
    """Settings of the LSTM rung."""

    # the model
    embedding: int = 384  # E, size of a token's vector
    hidden: int = 512  # H, size of the cell
    layers: int = 1  # L
    context: int = 128  # tokens of the posts answered that are read before a reply, at most
    recall: int = 1000  # tokens back that it can recall, where it is mixed with others; 0: none
    sharpness: float = 1.3  # how much more a place counts that is more like the present one
    half: bool = True  # weights on disk in half precision
    # the training
    vectors: str | None = None  # a file of word vectors that the tokens' begin from, in a format of word2vec; None: random
    epochs: float = 6  # passes over the train part, or a part of one
    least_steps: int = 600  # steps at least: a small archive is read more often
    batch: int = 64  # B, lanes of text read side by side; a small archive fills fewer
    steps: int = 64  # T, tokens after which the gradient is cut; the memory goes on
    learning_rate: float = 4e-3  # AdamW's, at its highest
    warmup: int = 200  # steps until then; from there on it falls to 0 along a cosine
    weight_decay: float = 0.02
    clip: float = 1.0  # longest gradient
    input_dropout: float = 0.1  # locked: one mask for all tokens of a window (Gal & Ghahramani 2016)
    output_dropout: float = 0.1  # locked, between the layers and before the softmax
    weight_drop: float = 0.0  # share of the recurrent weights left out (Merity, Keskar & Socher 2018)
    frequent: int = 1024  # tokens of the softmax that are always summed over; 0 and none drawn: all are
    drawn: int = 1024  # of the others, drawn anew at each step
    whole: float = 0.1  # share of the steps, the last ones, that sum over all tokens
    mixed: bool = True  # products in bfloat16, sums and weights in float32
    patience: int = 4  # measurements of dev without a better figure after which training stops; 0: never
    dev_tokens: int = 300_000  # of the dev part, for that figure
    checkpoint_minutes: float = 5.0  # between checkpoints
    deterministic: bool = False  # equal runs give equal weights, to the bit, on one machine; slower

    def __post_init__(self) -> None:
        """Check ranges."""
        for name in _SIZES:
            if not getattr(self, name) >= 1:
                raise ConfigError(f"`lstm.{name}` must be an int of at least 1; got {getattr(self, name)}")
        for name in ("embedding", "hidden", "layers", "batch", "steps"):
            if getattr(self, name) > _LARGEST:
                raise ConfigError(f"`lstm.{name}` must be at most {_LARGEST:,}; got {getattr(self, name):,}")
        weights = self.layers * 4 * self.hidden * (self.embedding + self.hidden)
        if weights > _MOST_WEIGHTS:
            raise ConfigError(
                f"`lstm.hidden`, `.embedding` and `.layers` make {weights:,} weights, more than {_MOST_WEIGHTS:,}; set less"
            )
        for name in _SHARES:
            if not 0 <= getattr(self, name) < 1:
                raise ConfigError(f"`lstm.{name}` must lie in [0, 1); got {getattr(self, name)}")
        for name in ("learning_rate", "clip", "checkpoint_minutes", "epochs"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ConfigError(f"`lstm.{name}` must be above 0; got {getattr(self, name)}")
        for name in ("context", "recall", "sharpness", "warmup", "patience", "weight_decay", "frequent", "drawn", "least_steps"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ConfigError(f"`lstm.{name}` must be at least 0; got {getattr(self, name)}")


def network_settings(config: LSTMConfig) -> dict[str, object]:
    """What a checkpoint must agree with before training may go on from it: all but where and how often it is written."""
    free = {"half", "context", "recall", "sharpness", "checkpoint_minutes", "vectors"}  # what vectors say is told apart by itself
    return {field.name: getattr(config, field.name) for field in fields(config) if field.name not in free}

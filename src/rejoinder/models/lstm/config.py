"""Settings of the LSTM rung: the size of the model, how it is trained, how it is kept."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Annotated, Literal

from rejoinder.config import At, Checked, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from rejoinder.errors import ConfigError

_Size = Annotated[int, At(least=1, most=2**14)]  # beyond, a mistyped figure is likelier than a wish
_Head = Annotated[int, At(least=0, most=2**14)]
_LeftOut = Annotated[float, At(least=0, below=1)]
Schedule = Literal["cosine", "constant"]
_MOST_WEIGHTS = 2**29  # between the layers: beyond, training takes more memory than a machine has


@dataclass(frozen=True)
class LSTMConfig(Checked, of="lstm"):
    """Settings of the LSTM rung."""

    # the model
    embedding: _Size = 384  # E, size of a token's vector
    hidden: _Size = 512  # H, size of the cell
    layers: _Size = 1  # L
    residual: bool = False  # a stack: outputs projected to E and added to what was read, RMS norm before each part
    attention: _Head = 0  # of a stack: size of a head that looks back; 0: none
    reach: PositiveInt = 256  # places back it looks, the present one included
    feedforward: _Head = 0  # of a stack: width of a feed-forward layer on top; 0: none
    context: NonNegativeInt = 128  # tokens of the posts answered that are read before a reply, at most
    recall: NonNegativeInt = 1000  # tokens back that it can recall, where it is mixed with others; 0: none
    sharpness: NonNegativeFloat = 1.3  # how much more a place counts that is more like the present one
    half: bool = True  # weights on disk in half precision
    eight_bits: bool = False  # matrices on disk in 8 bits, whatever `half` says
    eight_bit_products: bool = False  # of a stack: multiplied in 8 bits, too, when it runs
    # the training
    vectors: str | None = None  # a file of word vectors that the tokens' begin from, in a format of word2vec; None: random
    epochs: PositiveFloat = 6  # passes over the train part, or a part of one
    least_steps: NonNegativeInt = 600  # steps at least: a small archive is read more often
    batch: _Size = 64  # B, lanes of text read side by side; a small archive fills fewer
    steps: _Size = 64  # T, tokens after which the gradient is cut; the memory goes on
    learning_rate: PositiveFloat = 4e-3  # at its highest
    warmup: NonNegativeInt = 200  # steps until then
    schedule: Schedule = "cosine"  # from there on it falls to 0 along a cosine, or stays ("constant") until `ending` is set
    ending: NonNegativeInt = 0  # of a constant rate: the last steps, over which it falls to 0 in a line; 0: it has no end yet
    muon: bool = False  # matrices between the layers learn by Muon, the rest by AdamW; else all by AdamW
    average: _LeftOut = 0.0  # decay of an average of the weights over the steps; the better of both is kept; 0: none
    weight_decay: NonNegativeFloat = 0.02
    clip: PositiveFloat = 1.0  # longest gradient
    input_dropout: _LeftOut = 0.1  # locked: one mask for all tokens of a window (Gal & Ghahramani 2016)
    output_dropout: _LeftOut = 0.1  # locked, between the layers and before the softmax
    weight_drop: _LeftOut = 0.0  # share of the recurrent weights left out (Merity, Keskar & Socher 2018)
    frequent: NonNegativeInt = 1024  # tokens of the softmax that are always summed over; 0 and none drawn: all are
    drawn: NonNegativeInt = 1024  # of the others, drawn anew at each step
    whole: _LeftOut = 0.1  # share of the steps, the last ones, that sum over all tokens
    mixed: bool | None = None  # products in bfloat16, sums and weights in float32; None: where this machine is faster by it
    patience: NonNegativeInt = 4  # measurements of dev without a better figure after which training stops; 0: never
    measure: NonNegativeInt = 0  # steps from one look at dev to the next; 0: a pass
    dev_tokens: PositiveInt = 300_000  # of the dev part, for that figure
    checkpoint_minutes: PositiveFloat = 5.0  # between checkpoints
    deterministic: bool = False  # equal runs give equal weights, to the bit, on one machine; slower

    def __post_init__(self) -> None:
        """Check ranges, and that the weights fit into memory."""
        super().__post_init__()
        weights = self.layers * 4 * self.hidden * (self.embedding + self.hidden)
        if weights > _MOST_WEIGHTS:
            raise ConfigError(
                f"`lstm.hidden`, `.embedding` and `.layers` make {weights:,} weights, more than {_MOST_WEIGHTS:,}; set less"
            )


def network_settings(config: LSTMConfig) -> dict[str, object]:
    """What a checkpoint must agree with before training may go on from it: all but where and how often it is written."""
    free = {"half", "eight_bits", "eight_bit_products", "context", "recall", "sharpness", "checkpoint_minutes", "measure"}
    free |= {"vectors", "mixed"}  # what the vectors say is told apart by itself, and another machine may be faster otherwise
    if config.schedule == "constant":
        free |= {"epochs", "least_steps", "ending", "whole"}  # it may go on for longer, and be ended
    return {field.name: getattr(config, field.name) for field in fields(config) if field.name not in free}

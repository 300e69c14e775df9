"""The two rungs of layers, in Keras: `deeper`, layers of weights, and `tricks`, what the trade has learned since.

What each trick is for:

    convolution       the same small weights at every place: a stroke is a stroke wherever it stands (LeCun et al. 1989)
    augmentation      the same letter changed a little is the same letter, warp.py, and so it is framed or hollow, disguise.py
    dropout           a part of the numbers is left out at each step, so that none is relied on alone (Srivastava et al. 2014)
    batch norm        the numbers between layers keep their scale (Ioffe & Szegedy 2015)
    schedule          the rate rises for an epoch, then falls to 0 along a cosine (Loshchilov & Hutter 2017)
    label smoothing   labels are believed to 90% only: some are wrong (Szegedy et al. 2016)
    averaging         of the weights, over the last steps (Polyak & Juditsky 1992)
    ensemble          several nets vote, as each errs elsewhere
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from letters.disguise import disguise
from letters.idx import LETTERS, SIDE, Bytes, Letters
from letters.rungs import Floats, softmax
from letters.warp import Warp

_LITTLE = Warp(turn=0.05, slant=0.06, stretch=0.04, shift=0.7, bend=0.0, thick=0.0)
_ASKED = 500  # images at a time


@dataclass(frozen=True)
class NetConfig:
    """How a net is trained."""

    epochs: int = 12  # passes over the images
    batch: int = 128  # images a step
    rate: float = 2e-3  # AdamW's, at its highest
    decay: float = 1e-2  # of the weights
    smoothing: float = 0.1  # how much of a label is given to all letters alike
    dropout: float = 0.2
    average: float | None = None  # share of the averaged weights that a step leaves as it is; None: no averaging
    warp: Warp | None = _LITTLE  # None: the images as they are
    disguised: float = 0.0  # share of the images


@dataclass(frozen=True)
class DeeperConfig(NetConfig):
    """Settings of the deeper rung."""

    widths: tuple[int, ...] = (512, 512)  # numbers in each layer


@dataclass(frozen=True)
class TricksConfig(NetConfig):
    """Settings of the rung with all tricks."""

    epochs: int = 24
    rate: float = 3e-3
    dropout: float = 0.3
    average: float | None = 0.99
    warp: Warp | None = field(default_factory=Warp)
    disguised: float = 0.2
    stem: int = 24  # channels of the first layer, which halves the image
    stages: tuple[int, ...] = (24, 64, 128)  # channels of two layers each, after which the image is halved
    hidden: int = 256  # numbers in the last layer but one
    nets: int = 2  # that vote


class Nets:
    """Nets that vote."""

    def __init__(self, nets: Sequence[keras.Model]) -> None:
        """Use `fit_deeper` or `fit_tricks`."""
        self.nets = nets

    @property
    def size(self) -> int:
        """Of all weights, of all nets."""
        return sum(weight.size * weight.itemsize for net in self.nets for weight in net.get_weights())

    def probs(self, images: Bytes) -> Floats:
        """(N, 10) float32: the mean of all nets."""
        pictures = as_floats(images)[..., None]
        votes = [softmax(net.predict(pictures, batch_size=_ASKED, verbose=0)) for net in self.nets]
        return np.asarray(np.mean(votes, axis=0, dtype=np.float32))


def fit_deeper(letters: Letters, rng: np.random.Generator, config: DeeperConfig = DeeperConfig()) -> Nets:
    """One net of dense layers."""
    return Nets([train(lambda: dense_net(config), letters, config, rng)])


def fit_tricks(letters: Letters, rng: np.random.Generator, config: TricksConfig = TricksConfig()) -> Nets:
    """Convolutional nets, each from another beginning."""
    return Nets([train(lambda: convolutional_net(config), letters, config, rng) for _ in range(config.nets)])


def dense_net(config: DeeperConfig) -> keras.Model:
    """Images (B, 28, 28, 1) to logits (B, 10), all pixels to all numbers."""
    image = keras.Input((SIDE, SIDE, 1))
    x = layers.Flatten()(image)
    for width in config.widths:
        x = layers.Dropout(config.dropout)(_normed(layers.Dense(width, use_bias=False), x))
    return keras.Model(image, layers.Dense(len(LETTERS))(x))


def convolutional_net(config: TricksConfig) -> keras.Model:
    """Images (B, 28, 28, 1) to logits (B, 10); the first layer halves the image, as that is where the time goes."""
    image = keras.Input((SIDE, SIDE, 1))
    x = _normed(layers.Conv2D(config.stem, 5, strides=2, padding="same", use_bias=False), image)
    for channels in config.stages:
        for _ in range(2):
            x = _normed(layers.Conv2D(channels, 3, padding="same", use_bias=False), x)
        x = layers.MaxPooling2D()(x)
    x = layers.Dropout(config.dropout)(layers.Flatten()(x))
    x = layers.Dropout(config.dropout)(_normed(layers.Dense(config.hidden, use_bias=False), x))
    return keras.Model(image, layers.Dense(len(LETTERS))(x))


def train(build: Callable[[], keras.Model], letters: Letters, config: NetConfig, rng: np.random.Generator) -> keras.Model:
    """A net that `build` makes, trained as `config` says; all chance comes from `rng`."""
    keras.utils.set_random_seed(int(rng.integers(2**31)))
    net, steps = build(), max(1, len(letters.labels) // config.batch)
    schedule = keras.optimizers.schedules.CosineDecay(
        config.rate / 20, max(1, (config.epochs - 1) * steps), warmup_target=config.rate, warmup_steps=steps
    )
    averaging: dict[str, Any] = {} if config.average is None else {"use_ema": True, "ema_momentum": config.average}
    net.compile(
        keras.optimizers.AdamW(schedule, weight_decay=config.decay, **averaging),
        keras.losses.CategoricalCrossentropy(from_logits=True),
    )
    for _ in range(config.epochs):
        for images, targets in batches(letters, config, rng):
            net.train_on_batch(images, targets)
    net.optimizer.finalize_variable_values(net.trainable_variables)  # the averages take the place of the last weights
    return net


def batches(
    letters: Letters, config: NetConfig, rng: np.random.Generator
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """All images once, in any order, changed: (B, 28, 28, 1), white is 1, and (B, 10) smoothed labels.

    Whole batches; the few images left over come another time. They are changed here, between the steps: a thread beside them
    takes the cores from Keras and is no faster.
    """
    order, whole = rng.permutation(len(letters.labels)), np.eye(len(LETTERS), dtype=np.float32)
    for start in range(0, max(1, len(order) - config.batch + 1), config.batch):
        some = letters.at(order[start : start + config.batch])
        images = as_floats(some.images)
        if config.warp is not None:
            images = config.warp(images, rng)
        images = disguise(images, config.disguised, rng)
        yield images[..., None], whole[some.labels] * (1 - config.smoothing) + config.smoothing / len(LETTERS)


def as_floats(images: Bytes) -> NDArray[np.float32]:
    """(N, 28, 28) float32, white is 1."""
    return images.astype(np.float32) / np.float32(255)


def _normed(layer: keras.layers.Layer, x: Any) -> Any:
    """A layer, its batch norm, and what is below 0 cut off."""
    return layers.ReLU()(layers.BatchNormalization()(layer(x)))

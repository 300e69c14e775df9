"""Training the memory cell: windows of text in, weights out; it can be stopped at any step and go on as if it had not been.

A step reads one window of every lane; its loss is the mean nats of the tokens that count. The rate rises over a warm-up and then
falls to 0 along a cosine; or it stays, so that a run may go on for as long as there is time, until it is told to end. After a
pass, or more often, the dev part is measured; the best weights are kept, and training stops when they have not been bettered for
a while. Where weights are averaged, their average is measured beside them.

Explained in docs/tour/06-bringing-it-all-together.md.
"""

from __future__ import annotations

import hashlib
import json
import math
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from types import FrameType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rejoinder.corpus import Corpus
from rejoinder.errors import ModelError, Stopped, UsageError, missing_extra
from rejoinder.models.interfaces import Job, Training, silent
from rejoinder.models.lstm.checkpoint import Checkpoint, Checkpoints
from rejoinder.models.lstm.config import LSTMConfig, network_settings
from rejoinder.models.lstm.distributed import join
from rejoinder.models.lstm.initial_vectors import begun_from, token_vectors
from rejoinder.models.lstm.schedule import rate_at
from rejoinder.models.lstm.stack import AnyWeights, weights_from
from rejoinder.text.streams import Stream, Windows, write_stream
from rejoinder.text.tensors import open_tokenizer

_WINDOWS = 4  # in a pass, at least: where there is less text, fewer lanes read it
_MEASUREMENTS = 40  # of the dev part, at most
Log = Callable[[int, dict[str, float]], None]  # step, figures by name


@dataclass(frozen=True)
class Reading:
    """What a run reads."""

    train: Stream
    dev: Stream | None  # None: nothing to stop by
    bytes: NDArray[np.int64]  # (V,) UTF-8 bytes of each token
    never: tuple[int, ...]  # tokens that can never come next
    vectors: NDArray[np.float32] | None = None  # (V, D) what is known of each token, zeros for nothing; None: all is random


def train(corpus: Corpus, config: LSTMConfig, *, rng: np.random.Generator, job: Job) -> tuple[AnyWeights, Training]:
    """Train on the train part of a corpus, stop by its dev part.

    Raises:
        MissingExtra: Keras is not installed.
        ModelError: no posts to train on, a loss that is no number, a checkpoint that cannot be written, or a signal to stop.
        SourceError, ConfigError: the file of vectors to begin with is none, or does not fit.
    """
    tokenizer = open_tokenizer(corpus.tokens)
    parts = [write_stream(corpus, tokenizer, part, config.context, job.workdir / "streams") for part in ("train", "dev")]
    if not parts[0].scored.any():
        raise ModelError("the train part has no words to learn from; import more (`rejoinder info` shows the parts)")
    sizes = np.array([len(piece) for piece in tokenizer.bytes], dtype=np.int64)
    vectors = token_vectors(Path(config.vectors), tokenizer) if config.vectors else None
    dev = parts[1] if parts[1].scored.any() else None
    reading = Reading(parts[0], dev, sizes, (tokenizer.post, tokenizer.reply), vectors=vectors)
    return CellTraining(reading, config, int(rng.integers(2**31)), job).finish()


class CellTraining:
    """One training run, from a checkpoint if there is one."""

    def __init__(self, reading: Reading, config: LSTMConfig, seed: int, job: Job) -> None:
        """Build the network and take over the last checkpoint of the same run."""
        try:
            self.team = join()  # before JAX computes anything
            import keras

            from rejoinder.models.lstm.network import CellNetwork, bfloat16_is_faster, numbers
            from rejoinder.models.lstm.optimizer import make_optimizer
            from rejoinder.models.lstm.stack_network import StackNetwork
        except ImportError as error:
            if error.name == "torch":
                raise UsageError(
                    "KERAS_BACKEND is torch, but PyTorch is not installed; install it, or set another backend"
                ) from error
            raise missing_extra("training the rung `lstm`", "train") from error
        except ValueError as error:  # how Keras says that it knows no such backend
            raise UsageError(f"{error}; set KERAS_BACKEND to tensorflow, jax or torch") from error
        if config.deterministic:
            _in_one_order(keras.backend.backend())
        lanes = max(min(config.batch, len(reading.train.tokens) // (_WINDOWS * config.steps)), 1)
        if config.mixed is None:  # all processes do the same
            config = replace(config, mixed=not self.team.any(config.deterministic or not bfloat16_is_faster()))
        self.config = config = replace(config, batch=lanes)
        self.job, self.reading = job if self.team.leads else replace(job, progress=silent, logs=None), reading
        self.windows = Windows(reading.train, lanes, config.steps, seed)
        self.total = max(round(config.epochs * self.windows.epoch), config.least_steps, 1)
        self.every = config.measure or max(
            self.windows.epoch, self.total // _MEASUREMENTS
        )  # steps from one look at dev to the next
        name = self._name(seed)
        self.team.agree(name, lanes)
        counts = np.bincount(reading.train.tokens, minlength=len(reading.bytes))
        self.network = (StackNetwork if config.residual else CellNetwork)(config, counts, reading.never, seed)
        self.network.build()
        if reading.vectors is not None:
            self.network.embedding.assign(begun_from(reading.vectors, numbers(self.network.embedding)))
        optimizer = make_optimizer(config)
        optimizer.build(self.network.trainable_variables)
        self.network.compile(optimizer)
        self.step = self.began = 0  # steps so far; the one at which the run began to read what it reads now
        self.seconds = 0.0  # of training and measuring, over all sessions
        self.measured: list[tuple[int, float]] = []  # step, dev bits per byte; of this session
        self.best: tuple[float, int, AnyWeights] | None = None  # dev bits per byte, step, weights
        self.dev_windows = self._dev_windows()
        self.checkpoints = Checkpoints(job.checkpoints, name) if job.checkpoints else None
        self._resume()

    def finish(self) -> tuple[AnyWeights, Training]:
        """Train to the end; the weights that were best on dev, or the last ones where there is no dev part."""
        with _stop_signals() as stopped, _logger(self.job.logs) as log, self.team.together():
            self._train(stopped, log)
        self._check_weights()
        spent = (self.checkpoints.file,) if self.checkpoints else ()
        with self._averaged():
            weights = self.best[2] if self.best else self.network.weights_now()
        return weights, Training(tuple(self.measured), spent)

    def _train(self, stopped: Callable[[], bool], log: Log) -> None:
        speed = _Speed(self.config.batch * self.config.steps)
        saved = now = monotonic()
        dev = f", dev {self.best[0]:.3f} bits per byte" if self.best else ""
        while self.step < self.total and not self._is_flat():
            loss = self._step()
            if not math.isfinite(loss):
                raise ModelError(self._no_number(loss))
            self.step += 1
            speed.count()
            ended = self.step % self.every == 0 or self.step == self.total
            if ended and self.dev_windows is not None:
                figures = self._measure()
                dev = f", dev {min(figures.values()):.3f} bits per byte"
                log(self.step, figures)
            self.seconds, now = self.seconds + monotonic() - now, monotonic()
            log(self.step, {"train nats per token": loss, "tokens per second": speed.rate})
            left = (self.total - self.step) / max(speed.steps_a_second, 1e-9)
            self.job.progress(f"lstm {speed.rate:,.0f} tokens/s{dev}, {_clock(left)} left", self.step, self.total)
            stop = self.team.any(stopped())
            if stop or ended or monotonic() - saved > 60 * self.config.checkpoint_minutes:
                self._save()
                saved = monotonic()
            if stop and self.step < self.total:
                kept = "run the same command again to go on from there" if self.checkpoints else "nothing was kept"
                raise Stopped(f"training stopped at step {self.step:,} of {self.total:,}; {kept}")

    def _step(self) -> float:
        """One step of the optimiser; the mean nats of the tokens that count."""
        self.network.optimizer.learning_rate = rate_at(self.step, self.total, self.config)
        last = self.config.ending if self.config.schedule == "constant" else self.total
        if self.network.sampled and self.step >= self.total - last * self.config.whole:
            self.network.sampled = False
            self.network.make_train_function(force=True)
        window = self.windows[self.step - self.began]
        scale = window.weights.size / max(float(window.weights.sum()), 1.0)
        own = self.team.own(window)
        self.network.reset_metrics()
        loss = self.network.train_on_batch({"tokens": own.tokens, "keep": own.keep}, own.targets, own.weights * scale)
        return float(np.asarray(loss).reshape(-1)[0])

    def _dev_windows(self) -> Windows | None:
        dev = self.reading.dev
        if dev is None:
            return None
        last = int(np.searchsorted(dev.offsets, min(self.config.dev_tokens, int(dev.offsets[-1]))))  # whole passages
        size = int(dev.offsets[last])
        return Windows(
            Stream(dev.tokens[:size], dev.scored[:size], dev.offsets[: last + 1]), self.config.batch, self.config.steps, None
        )

    def _measure(self) -> dict[str, float]:
        """Bits per byte of the dev part, of the weights as they are and of their average, if one is kept."""
        self._check_weights()
        figures = {"dev bits per byte": self._look()}
        if self.config.average:
            with self._averaged():
                figures["dev bits per byte, averaged"] = self._look()
        self.measured.append((self.step, min(figures.values())))
        return figures

    def _look(self) -> float:
        """Bits per byte of the dev part; the best weights are remembered."""
        figure = self.dev_bits_per_byte()
        if self.best is None or figure < self.best[0]:
            self.best = figure, self.step, self.network.weights_now()
        return figure

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        """While it lasts, the network's weights are their average over the steps, if one is kept."""
        if not self.config.average or not self.step:
            yield
            return
        from rejoinder.models.lstm.network import numbers

        variables = self.network.trainable_variables
        last = [numbers(variable) for variable in variables]
        for variable, average in zip(variables, self.network.optimizer._model_variables_moving_average, strict=True):
            variable.assign(numbers(average))  # the numbers: a variable of JAX's would wait for the other processes
        try:
            yield
        finally:
            for variable, array in zip(variables, last, strict=True):
                variable.assign(array)

    def dev_bits_per_byte(self) -> float:
        """Bits per byte of the dev part with the weights as they are; the memory of the training lanes is put back."""
        if self.dev_windows is None:
            return math.nan
        memory = self.network.remembered()
        self.network.forget()
        nats = size = 0.0
        for step in range(self.dev_windows.epoch):
            window = self.dev_windows[step]
            own = self.team.own(window)
            self.network.reset_metrics()
            loss = self.network.test_on_batch({"tokens": own.tokens, "keep": own.keep}, own.targets, own.weights)
            nats += float(np.asarray(loss).reshape(-1)[0]) * window.weights.size
            size += float((self.reading.bytes[window.targets] * window.weights).sum())
        self.network.remember(memory)
        return nats / math.log(2) / max(size, 1.0)

    def _check_weights(self) -> None:
        """Nothing that is no number is kept: an update may bring it in after a loss that was one."""
        if not all(np.isfinite(array).all() for array in self.network.weights_now().arrays().values()):
            raise ModelError(self._no_number("no number"))

    def _is_flat(self) -> bool:
        """Whether the dev figure has not been bettered for `patience` measurements."""
        patience = self.config.patience * self.every
        return self.best is not None and bool(patience) and self.step - self.best[1] >= patience

    # --- checkpoints ---------------------------------------------------------------------------------------------

    def _name(self, seed: int) -> str:
        digest = hashlib.blake2b(json.dumps([network_settings(self.config), seed], sort_keys=True).encode(), digest_size=16)
        _digest(digest, self.reading.dev)
        if self.reading.train.times is None:
            _digest(digest, self.reading.train)
        if self.reading.vectors is not None:
            digest.update(self.reading.vectors.data)
        return digest.hexdigest()

    def _course(self) -> str:
        """Of what is read how often, where that is said: a run may go on with other shares, and then begins a pass of its own."""
        if self.reading.train.times is None:
            return ""
        digest = hashlib.blake2b(digest_size=8)
        _digest(digest, self.reading.train)
        return digest.hexdigest()

    def _variables(self) -> dict[str, Any]:
        optimizer = self.network.optimizer.variables
        model = [*self.network.variables, self.network.seeds.state]
        unique = {id(v): v for v in [*model, *optimizer]}.values()
        return {f"{number:03}": variable for number, variable in enumerate(unique)}

    def _save(self) -> None:
        if self.checkpoints is None or not self.team.leads:
            return
        self._check_weights()
        from rejoinder.models.lstm.network import numbers

        arrays = {name: numbers(variable) for name, variable in self._variables().items()}
        facts: dict[str, Any] = {"step": self.step, "seconds": self.seconds, "began": self.began, "course": self._course()}
        if self.config.ending:
            facts["total"] = self.total
        if self.best:
            arrays |= {f"best.{name}": array for name, array in self.best[2].arrays().items()}
            facts |= {"dev": self.best[0], "best": self.best[1]}
        self.checkpoints.write(Checkpoint(arrays, facts))

    def _resume(self) -> None:
        found = self.team.share(self.checkpoints.read() if self.checkpoints and self.team.leads else None)
        if found is None:
            return
        for name, variable in self._variables().items():
            variable.assign(found.arrays[name])
        self.step, self.seconds = int(found.facts["step"]), float(found.facts["seconds"])
        self.began = int(found.facts["began"]) if found.facts["course"] == self._course() else self.step
        if self.config.schedule == "constant" and self.config.ending:  # told to end: from here on, or as it was told before
            self.total = int(found.facts.get("total", self.step + self.config.ending))
        if "dev" in found.facts:
            best = {name.removeprefix("best."): array for name, array in found.arrays.items() if name.startswith("best.")}
            self.best = found.facts["dev"], int(found.facts["best"]), weights_from(best)

    def _no_number(self, loss: float | str) -> str:
        kept = f"the checkpoint before it is kept in {self.checkpoints.file.parent}" if self.checkpoints else "nothing was kept"
        return (
            f"training `lstm`: the loss became {loss} at step {self.step + 1:,}; {kept}; "
            "set a lower rate, such as --set lstm.learning_rate=0.001"
        )


def _digest(digest: Any, stream: Stream | None) -> None:
    for array in stream.arrays().values() if stream else ():
        digest.update(np.ascontiguousarray(array).data)


def _in_one_order(backend: str) -> None:
    """Have the backend do the same operations in the same order every time."""
    if backend == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
        tf.config.threading.set_inter_op_parallelism_threads(1)
        tf.config.threading.set_intra_op_parallelism_threads(1)
    elif backend == "torch":
        import torch

        torch.use_deterministic_algorithms(True)
        torch.set_num_threads(1)


class _Speed:
    """Tokens a second of this session, the first step (which compiles) left out."""

    def __init__(self, tokens: int) -> None:
        self.tokens, self.steps, self.began = tokens, -1, monotonic()

    def count(self) -> None:
        self.steps += 1
        if not self.steps:
            self.began = monotonic()

    @property
    def steps_a_second(self) -> float:
        return self.steps / max(monotonic() - self.began, 1e-9)

    @property
    def rate(self) -> float:
        return self.tokens * self.steps_a_second


@contextmanager
def _stop_signals() -> Iterator[Callable[[], bool]]:
    """While it lasts, SIGINT and SIGTERM are asked about instead of obeyed at once (but for threads other than the main one)."""
    seen: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        seen.append(number)

    before = {}
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            before[number] = signal.signal(number, note)
    except ValueError:  # not the main thread
        pass
    try:
        yield lambda: bool(seen)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _logger(directory: Path | None) -> Iterator[Log]:
    """Figures for TensorBoard, if asked for."""
    if directory is None:
        yield lambda step, figures: None
        return
    try:
        from tensorboard.summary import Writer
    except ImportError as error:
        raise missing_extra("writing logs for TensorBoard", "train") from error
    directory.mkdir(parents=True, exist_ok=True)
    writer = Writer(str(directory))

    def log(step: int, figures: dict[str, float]) -> None:
        for name, value in figures.items():
            writer.add_scalar(name, value, step)

    try:
        yield log
    finally:
        writer.close()


def _clock(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02} min" if minutes >= 60 else f"{minutes} min"

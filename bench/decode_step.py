"""How long one decoding step of the memory cell takes (`advance`, then `log_probs`), against reading as many bytes.

At batch 1 a step looks at nearly every weight once, so the time of a plain read of that many bytes is what it is measured by:
the fastest of a few ways of reading that NumPy has, over a buffer of the weights' size in float32, with as many threads as the
step has: one. Step and reads come in turn in the same run. The allowance is 1.5 times the read and 0.2 ms.

Without `--home` or `--directory`, random weights of the shape the bundled model has: a step costs the same whatever they say.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from figures import arguments, report
from numpy.typing import NDArray

from rejoinder.home.workspace import Workspace
from rejoinder.models.lstm.cell import CellWeights, Layer
from rejoinder.models.lstm.config import LSTMConfig
from rejoinder.models.lstm.rung import LSTM
from rejoinder.models.lstm.stack import AnyWeights, Attention, FeedForward, ProjectedLayer, StackWeights
from rejoinder.text.tokenizer import WordTokenizer

_BLOCK = 20
STACK = LSTMConfig(residual=True, layers=2, hidden=768, attention=128, feedforward=1024, recall=0, eight_bits=True)
READS: dict[str, Callable[[NDArray[np.float32]], Any]] = {
    "sum": lambda buffer: buffer.view(np.int64).sum(),
    "max": lambda buffer: buffer.max(),
    "or": lambda buffer: np.bitwise_or.reduce(buffer.view(np.int64)),
}


def stand_in(directory: Path, config: LSTMConfig) -> None:
    """A saved model of random weights and 8,192 tokens."""
    rng = np.random.default_rng(0)
    words = WordTokenizer([f"w{number}" for number in range(8192 - 3)])

    def random(*shape: int) -> NDArray[np.float32]:
        return rng.normal(0, 0.05, shape).astype(np.float32)

    size, gates = config.embedding, 4 * config.hidden
    embedding, bias = random(words.vocabulary, size), random(words.vocabulary)
    weights: AnyWeights
    if config.residual:
        cells = tuple(
            ProjectedLayer(random(size, gates), random(size, gates), random(config.hidden, size), random(gates))
            for _ in range(config.layers)
        )
        query, key, value = (random(size, config.attention) for _ in range(3))
        head = Attention(query, key, value, random(config.attention, size))
        wide = FeedForward(random(size, config.feedforward), random(config.feedforward, size))
        weights = StackWeights(embedding, cells, head, wide, random(size, size), bias)
    else:
        sizes = [size, *[config.hidden] * (config.layers - 1)]
        plain = tuple(Layer(random(below, gates), random(config.hidden, gates), random(gates)) for below in sizes)
        weights = CellWeights(embedding, plain, random(config.hidden, size), bias)
    LSTM.from_weights(config, words, weights).save(directory)


def find(home: str, directory: str, scratch: Path, config: LSTMConfig) -> Path:
    """The directory of the model to measure."""
    if home:
        fitted = Workspace(Path(home)).fitted("lstm")
        if fitted is None:
            raise SystemExit(f"the rung `lstm` is not fitted in {home}")
        return fitted.directory
    if not directory:
        stand_in(scratch, config)
    return Path(directory) if directory else scratch


def timed(times: list[float], work: Callable[[], Any]) -> None:
    """Add the seconds that `work` takes."""
    began = perf_counter()
    work()
    times.append(perf_counter() - began)


def measure(model: LSTM, rounds: int, *, as_json: bool) -> None:
    """Steps and reads in turn: in blocks, so that each finds its own bytes in the caches; then one by one, so that none does."""
    rng = np.random.default_rng(1)
    size = sum(array.size for array in model.weights.arrays().values())
    buffer = rng.integers(1, 9, size // 2 * 2).astype(np.float32)
    tokens = iter(rng.integers(0, model.tokenizer.size, (20 * rounds, 8)).tolist())
    state = model.start(())
    for token in rng.integers(0, model.tokenizer.size, 300).tolist():  # as after a draft of that length
        state = model.advance(state, token)
    states = [state] * 8

    def advance() -> None:
        states[0] = model.advance(states[0], next(tokens)[0])

    def step() -> None:
        advance()
        model.log_probs(states[0])

    def eight() -> None:
        states[:] = model.advance_many(states, next(tokens))
        model.log_probs_many(states)

    reads: dict[str, Callable[[], Any]] = {name: partial(read, buffer) for name, read in READS.items()}
    work = {"step": step, "advance": advance, "eight": eight, **reads}
    times: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(0, rounds, _BLOCK):
        for name, task in work.items():
            for _ in range(_BLOCK):
                timed(times[name], task)
    middle = {name: float(np.median(values)) * 1e3 for name, values in times.items()}
    fastest = min(READS, key=middle.__getitem__)
    alone: dict[str, list[float]] = {"step": [], "read": []}
    for _ in range(rounds):
        timed(alone["step"], step)
        timed(alone["read"], reads[fastest])
    report("advance at batch 1, p50", [middle["advance"]], "ms", as_json=as_json)
    report("one step at batch 8, p50", [middle["eight"]], "ms", as_json=as_json)
    compare(f"{buffer.nbytes / 1e6:.1f} MB, caches warm", times["step"], times[fastest], as_json=as_json)
    compare(f"{buffer.nbytes / 1e6:.1f} MB, caches cold", alone["step"], alone["read"], as_json=as_json)


def compare(where: str, steps: list[float], reads: list[float], *, as_json: bool) -> None:
    """A step against a read."""
    step, read = float(np.median(steps)) * 1e3, float(np.median(reads)) * 1e3
    report(f"one step, {where}, p50", [step], "ms", as_json=as_json)
    report(f"one step, {where}, p99", [float(np.percentile(steps, 99)) * 1e3], "ms", as_json=as_json)
    report(f"read of {where}, one thread, p50", [read], "ms", as_json=as_json)
    report("step over read", [step / read], "x", as_json=as_json)
    report("step over allowance (1.5 x read + 0.2 ms)", [step / (1.5 * read + 0.2)], "x", as_json=as_json)


def main() -> None:
    options = {
        "rounds": (int, 500, "steps, each followed by reads"),
        "home": (str, "", "a home with a fitted `lstm`"),
        "directory": (str, "", "a model directory"),
        "stack": (int, 0, "1: a deeper cell of random weights, of the shape that is trained for the package"),
    }
    args = arguments(__doc__ or "", **options)
    with tempfile.TemporaryDirectory() as scratch:
        directory = find(args.home, args.directory, Path(scratch), STACK if args.stack else LSTMConfig())
        opening = []
        for _ in range(7):
            began = perf_counter()
            model = LSTM.load(directory)
            opening.append((perf_counter() - began) * 1e3)
        report("open the model", opening, "ms", as_json=args.json)
        measure(model, args.rounds, as_json=args.json)
        tokens = np.random.default_rng(2).integers(0, model.tokenizer.size, 2048).tolist()
        rates = []
        for _ in range(3):
            began = perf_counter()
            model.score_tokens(model.start(()), tokens)
            rates.append(len(tokens) / (perf_counter() - began))
        report("a text of 2,048 tokens scored at once", rates, "tokens/s", as_json=args.json)


if __name__ == "__main__":
    main()

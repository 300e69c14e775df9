"""How fast the memory cell trains, against a plain PyTorch loop and plain Keras `fit`, at the same shapes on the same machine.

    pip install torch==2.13.0        # only this benchmark needs it
    python bench/train_speed.py

8,192 tokens, one layer of 512 units, vectors of 512, windows of 64 lanes and 64 tokens, AdamW, gradients clipped to the length 1,
products in bfloat16. The rivals as one would write them:

- PyTorch: `nn.Embedding`, `nn.LSTM`, `nn.Linear` with the embedding's weights, under `torch.autocast`, whole softmax; no dropout
- Keras: `Embedding`, `LSTM`, `Dense` under the policy mixed_bfloat16, `fit` on TensorFlow, whole softmax; no dropout

Ours is the trainer with its settings, dropout included. By default most of its steps estimate the sum of the softmax, which is
less work, and the last ones (`lstm.whole`) take the whole sum; both are timed, and the figure of the default is of both in that
proportion. Its ratio to the rivals is one of tokens a second, not of equal work: that is the other ratio, whole against whole.
The deeper cell is of another shape and learns by Muon: its figure is one of tokens a second, too.

Every turn is a process of its own. The turns come round robin; a ratio is of two turns of the same round. The rate of a turn is
that of its middle step, so that a pause does not count. What is achieved of the machine:

    FLOP a token = 6 x (4 H (E + H) + H V)         2 forwards and 4 backwards for each weight

against the best rate of a bfloat16 product of two 4,096 x 4,096 matrices in PyTorch, with as many threads.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from figures import arguments, report
from numpy.typing import NDArray

from rejoinder.models.lstm.config import LSTMConfig

VOCABULARY, SIZE, HIDDEN, LANES, TOKENS = 8192, 512, 512, 64, 64
FLOP = 6 * (4 * HIDDEN * (SIZE + HIDDEN) + HIDDEN * VOCABULARY)  # a token, whole softmax
RATE, DECAY, CLIP = 3e-3, 0.02, 1.0
SIDE, PRODUCT = 4096, "product"
STACK: dict[str, Any] = {  # the deeper cell, as it is trained for the package
    "embedding": 384, "hidden": 768, "layers": 2, "residual": True, "attention": 128, "feedforward": 1024,
    "muon": True, "average": 0.998, "schedule": "constant",
}  # fmt: skip
Stamps = Iterator[float]  # the time after each step


def text(steps: int) -> NDArray[np.uint16]:
    """Tokens for so many steps, the frequent ones as frequent as words are."""
    odds = 1 / np.arange(1, VOCABULARY + 1)
    return np.random.default_rng(0).choice(VOCABULARY, LANES * TOKENS * steps, p=odds / odds.sum()).astype(np.uint16)


def windows(steps: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """(B, T) tokens and (B, T) the ones that come next, for each step."""
    rows = np.append(text(steps), 0).astype(np.int64)
    inputs, targets = rows[:-1].reshape(LANES, steps, TOKENS), rows[1:].reshape(LANES, steps, TOKENS)
    for step in range(steps):
        yield inputs[:, step], targets[:, step]


def ours(steps: int, **settings: Any) -> Stamps:
    """The trainer of the rung."""
    from rejoinder.models.interfaces import Job
    from rejoinder.models.lstm.train import CellTraining, Reading
    from rejoinder.text.streams import Stream

    row = text(steps)
    stream = Stream(row, np.ones(len(row), dtype=bool), np.array([0, len(row)]))
    shape = {"embedding": SIZE, "hidden": HIDDEN, "batch": LANES, "steps": TOKENS, "epochs": 1, "least_steps": 1}
    stamps: list[float] = []
    job = Job(Path(), progress=lambda *_: stamps.append(perf_counter()))
    CellTraining(
        Reading(stream, None, np.ones(VOCABULARY, np.int64), ()), LSTMConfig(**{**shape, "mixed": True, **settings}), 0, job
    ).finish()
    return iter(stamps)


def pytorch(steps: int) -> Stamps:
    """A plain loop."""
    import torch
    from torch import nn

    embedding, cell, output = (
        nn.Embedding(VOCABULARY, SIZE),
        nn.LSTM(SIZE, HIDDEN, batch_first=True),
        nn.Linear(HIDDEN, VOCABULARY),
    )
    output.weight = embedding.weight
    parameters = [*embedding.parameters(), *cell.parameters(), output.bias]
    optimizer = torch.optim.AdamW(parameters, lr=RATE, weight_decay=DECAY)
    memory: Any = None
    for inputs, targets in windows(steps):
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            shown, memory = cell(embedding(torch.from_numpy(inputs)), memory)
            loss = nn.functional.cross_entropy(output(shown).flatten(0, 1), torch.from_numpy(targets).flatten())
        memory = tuple(part.detach() for part in memory)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(parameters, CLIP)
        optimizer.step()
        loss.item()
        yield perf_counter()


def keras_fit(steps: int) -> Stamps:
    """Plain `fit`."""
    import keras

    keras.mixed_precision.set_dtype_policy("mixed_bfloat16")
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((TOKENS,), dtype="int32"),  # else the policy would round the tokens, too
            layers.Embedding(VOCABULARY, SIZE),
            layers.LSTM(HIDDEN, return_sequences=True),
            layers.Dense(VOCABULARY),
        ]
    )
    optimizer = keras.optimizers.AdamW(RATE, weight_decay=DECAY, global_clipnorm=CLIP)
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    stamps: list[float] = []
    after = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: stamps.append(perf_counter()))
    inputs, targets = (np.concatenate(parts) for parts in zip(*windows(steps), strict=True))
    model.fit(inputs, targets, batch_size=LANES, epochs=1, shuffle=False, verbose=0, callbacks=[after])
    return iter(stamps)


def products(count: int) -> Stamps:
    """Products of two matrices."""
    import torch

    left, right = torch.randn(2, SIDE, SIDE).bfloat16()
    for _ in range(count):
        torch.mm(left, right)
        yield perf_counter()


TURNS: dict[str, Callable[[int], Stamps]] = {
    "ours, sum estimated": lambda steps: ours(steps, whole=0.0),
    "ours, whole softmax": lambda steps: ours(steps, drawn=0),
    "ours, a deeper cell, sum estimated": lambda steps: ours(steps, whole=0.0, **STACK),
    "PyTorch, whole softmax": pytorch,
    "Keras fit, whole softmax": keras_fit,
    PRODUCT: products,
}


def turn(name: str, steps: int, skipped: int) -> NDArray[np.float64]:
    """Seconds of each step, without the first ones, in a process of its own."""
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "2"}
    command = [sys.executable, __file__, "--turn", name, "--steps", str(steps), "--skipped", str(skipped)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{name}: {done.stderr.strip()[-2000:]}")
    return np.diff(json.loads(done.stdout.splitlines()[-1]))


def tell(rates: dict[str, list[float]], best_product: float, *, as_json: bool) -> None:
    """The figures, from the tokens a second of every turn."""
    config = LSTMConfig()
    estimated, whole = rates["ours, sum estimated"], rates["ours, whole softmax"]
    both = [1 / ((1 - config.whole) / e + config.whole / w) for e, w in zip(estimated, whole, strict=True)]
    rates = {f"ours, default: {1 - config.whole:.0%} of steps estimated": both, **rates}
    for name, values in rates.items():
        report(name, values, "tokens/s", as_json=as_json)
    default = next(iter(rates))
    rivals = ("PyTorch, whole softmax", "Keras fit, whole softmax")
    for label, name in (("ours, default (most sums estimated)", default), ("ours, whole softmax", "ours, whole softmax")):
        for rival in rivals:
            ratios = [mine / other for mine, other in zip(rates[name], rates[rival], strict=True)]
            report(f"{label} / {rival}", ratios, "x", as_json=as_json)
    report(f"bfloat16 product, {SIDE} x {SIDE}, best", [best_product / 1e9], "GFLOP/s", as_json=as_json)
    for name in ("ours, whole softmax", *rivals):
        report(f"{name}: of that rate", [rate * FLOP / best_product for rate in rates[name]], "share", as_json=as_json)


def main() -> None:
    options = {
        "rounds": (int, 5, "turns of each"),
        "steps": (int, 20, "steps timed in a turn"),
        "skipped": (int, 4, "steps before those, at least 1"),
        "turn": (str, "", "only this turn, in this process: the times of its steps as JSON"),
    }
    args = arguments((__doc__ or "").partition("\n")[0], **options)
    if args.turn:
        stamps = TURNS[args.turn](args.steps + args.skipped)
        print(json.dumps(list(islice(stamps, args.skipped - 1, None))))
        return
    if find_spec("torch") is None:
        sys.exit("the rival is not installed: pip install torch==2.13.0")
    rates: dict[str, list[float]] = {name: [] for name in TURNS if name != PRODUCT}
    best = 0.0
    for _ in range(args.rounds):
        for name in TURNS:
            seconds = turn(name, args.steps, args.skipped)
            if name == PRODUCT:
                best = max(best, 2 * SIDE**3 / float(seconds.min()))
            else:
                rates[name].append(LANES * TOKENS / float(np.median(seconds)))
    tell(rates, best, as_json=args.json)


if __name__ == "__main__":
    main()
